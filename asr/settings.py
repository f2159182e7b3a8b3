"""Settings of the recogniser, each with its source (`streaming-asr.md`)."""

from __future__ import annotations

import msgspec


class AsrSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Numbers of recognition; times in milliseconds, encoder context in 10 ms frames."""

    enabled: bool = True
    """Whether words are recognised at all; timing cues need none."""
    model: str = "tiny.en"
    """Model name or directory."""
    language: str = "en"
    """Language that multilingual models are told and whose word lists apply (ISO 639-1)."""
    hotwords: tuple[str, ...] = ()
    """Names and terms of this deployment, most important first (section 9)."""
    device: str = "cpu"
    """CTranslate2 device: `cpu` or `cuda`; on a GPU the context is always the full 30 s."""
    compute_type: str = "int8"
    """CTranslate2 compute type; `auto` lets start-up calibration choose int8 or float32."""
    threads: int = 0
    """Threads of one worker process; 0 lets start-up calibration choose (section 8)."""
    workers: int = 0
    """Worker processes; 0 is one per core, at most eight, or what calibration chose, less
    `spare_cores`."""
    spare_cores: int = 1
    """Cores that live recognition leaves to what hears and cues, while one is left for a worker and
    `workers` is 0: on two cores, timing cues of eight calls keep their delay (`make bench-asr`)."""

    context_floor_frames: int = 1000
    """Least encoder context; shorter ones make Whisper loop (measured, section 1)."""
    finals_full_context: bool = False
    """Whether finals see 30 s of context while the workers are idle: 0.4 s later, and no more
    right than with the floor (`make bench-asr`, ablations)."""
    beam_final: int = 5
    """Beam of finals (section 3); partials are greedy."""
    glossary_tokens_partial: int = 50
    """Most glossary tokens in the prompt of a partial (section 3)."""
    glossary_tokens_final: int = 100
    """Most glossary tokens in the prompt of a final (section 3)."""

    partials_enabled: bool = True
    """Whether words are shown while they are spoken."""
    hop_ms: int = 350
    """New audio between two partials of a channel, at least (section 6)."""
    longest_hop_ms: int = 2_000
    """Longest hop that a slow machine or the ladder may ask for (section 6)."""
    hop_per_cost: float = 1.5
    """The hop is at least this many times the time that the last partial took (section 6)."""
    dip_probability: float = 0.35
    """Voice activity below this is a dip (Silero's default for an end)."""
    dip_ms: int = 64
    """A dip this long fires a partial early (section 6)."""
    hint_after_ms: int = 600
    """A partial of both channels is asked for this long after both begin to speak at once
    (section 6), also where an overlap goes on after a pause."""
    agreement_passes: int = 2
    """Consecutive passes that must agree on a word before it is stable (section 5)."""
    agreement_growth_ms: int = 200
    """Audio by which an agreeing pass must have grown (section 5)."""
    sure_probability: float = 0.95
    """A word above this with `sure_audio_ms` behind it is stable at once (section 5)."""
    sure_audio_ms: int = 300
    """Audio after a sure word (section 5)."""

    endpoint_silence_ms: int = 450
    """Silence that ends an utterance (section 2)."""
    endpoint_sentence_ms: int = 300
    """The same when the words end a sentence (section 2)."""
    endpoint_unfinished_ms: int = 700
    """The same when the words end in a conjunction or filler (section 2)."""
    speculate_after_ms: int = 200
    """Silence after which the final is decoded in advance, where partials are on; a value above
    the endpoint turns it off (section 5)."""
    pre_roll_ms: int = 300
    """Audio kept from before the speech onset (section 2)."""
    lead_ms: int = 4_000
    """Audio of the utterance before that a final hears as context: half the word errors (3.0 to
    1.6 % over three generated calls) for a sixth more time."""
    lead_gap_ms: int = 1_500
    """Longest pause across which it does."""
    lead_total_ms: int = 9_000
    """Longest clip with context; longer utterances need none."""
    max_utterance_ms: int = 12_000
    """Longest utterance (section 2)."""
    min_speech_ms: int = 120
    """Shorter speech is not decoded (section 4)."""
    simulated_partial_latency_ms: int = 250
    """Virtual clock: a partial arrives this long after its audio (section 2)."""
    simulated_final_latency_ms: int = 300
    """Virtual clock: a final arrives this long after it was asked for (section 2)."""

    no_speech_limit: float = 0.6
    """No-speech probability above which thin or stock output is dropped (section 4), and partials
    show nothing until two passes agree on a word."""
    thin_speech_share: float = 0.3
    """Voice activity covering less of the clip than this is thin (section 4)."""
    doubtful_probability: float = 0.6
    """Output less probable than this is dropped where no-speech is above its limit: six voices at
    once gave "because I don't know what I think" at 0.54 and 0.77. Of 247 decodes of one voice
    (down to -45 dBFS, 10 dB above noise, 5 dB above babble; telephone) it drops none that 0.5
    keeps (measured)."""
    stock_voice_limit: float = 0.6
    """Stock phrases are dropped below this mean voice activity (section 4)."""
    leak_voice_limit: float = 0.7
    """Words of the prompt are dropped below this mean voice activity (section 4)."""
    words_per_s_limit: float = 7.0
    """More words than this per second of voice activity are a loop (section 4)."""

    partial_stale_ms: int = 1_500
    """A partial that waited longer is dropped (section 6)."""
    customer_weight: float = 1.2
    """Weight of the customer's waiting partials; the agent's is 1 (section 6)."""
    hints_per_s: int = 2
    """Hinted partials that go ahead of others, per second of the process (section 6)."""
    finals_per_call: int = 8
    """Waiting finals of a call; beyond it the oldest is skipped (section 6)."""
    finals_waiting: int = 64
    """Waiting finals in all; beyond it the oldest is skipped (section 6)."""
    busy_share_for_full_context: float = 0.5
    """Workers busier than this leave finals with the short context (section 6)."""
    busy_context_frames: int = 1400
    """Longest context of a final that bounds how long others wait (section 6)."""

    ladder_busy_share: float = 0.70
    """Share of worker time in use that enters L1 (section 7)."""
    ladder_partial_age_ms: int = 1_000
    """Age of partials, 95th percentile, that enters L1; twice that enters L2 (section 7)."""
    ladder_queue_age_ms: int = 5_000
    """Age of the oldest waiting final that enters L3 (section 7)."""
    ladder_up_ms: int = 2_000
    """Time over a threshold before a level is entered (section 7)."""
    ladder_further_ms: int = 5_000
    """Time over it before the next step of the same level (section 7)."""
    ladder_down_ms: int = 10_000
    """Time under 80 % of it before one step down (section 7)."""
    merged_audio_ms: int = 15_000
    """Most audio of one decode of merged utterances (section 7)."""

    job_deadline_ms: int = 5_000
    """A worker is killed when a decode takes longer than this or three times its audio."""
    heartbeat_ms: int = 1_000
    """An idle worker is asked this often whether it lives (section 8)."""
    worker_memory_mib: int = 1_024
    """A worker above this is replaced between jobs, above twice this at once (section 8)."""
    deaths_until_unavailable: int = 5
    """Deaths within a minute after which recognition is unavailable (section 8)."""
    retry_unavailable_ms: int = 30_000
    """Time between two tries to come back (section 8)."""
    redecode_audio_ms: int = 600_000
    """Audio kept of a call for the decode after its end (section 11)."""
