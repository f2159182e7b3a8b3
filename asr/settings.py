"""Settings of the recogniser, each with its source (`streaming-asr.md`)."""

from __future__ import annotations

import msgspec


class AsrSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Numbers of recognition; times in milliseconds."""

    enabled: bool = True
    """Whether words are recognised at all; timing cues need none."""
    model: str = "tiny.en"
    """Model name or directory."""
    language: str = "en"
    compute_type: str = "int8"
    """CTranslate2 compute type."""
    workers: int = 2
    """Child processes, one per core."""
    context_floor_frames: int = 1000
    """Least encoder context, 10 ms frames; shorter ones make Whisper loop (measured, section 1)."""
    partials_enabled: bool = True
    """Whether words are shown while they are spoken."""
    hop_ms: int = 500
    """New speech between two partials of a channel (section 6)."""
    endpoint_silence_ms: int = 450
    """Silence that ends an utterance (section 2)."""
    speculate_after_ms: int = 200
    """Silence after which the final is decoded in advance, where partials are on (section 5)."""
    pre_roll_ms: int = 300
    """Audio kept from before the speech onset (section 2)."""
    max_utterance_ms: int = 12_000
    """Longest utterance (section 2)."""
    min_speech_ms: int = 120
    """Shorter speech is not decoded (section 4)."""
    beam_final: int = 5
    """Beam of finals (section 3); partials are greedy."""
    simulated_partial_latency_ms: int = 250
    """Virtual clock: a partial arrives this long after its audio (section 2)."""
    simulated_final_latency_ms: int = 300
    """Virtual clock: a final arrives this long after its endpoint (section 2)."""
    no_speech_limit: float = 0.6
    """No-speech probability above which thin or stock output is dropped (section 4)."""
    job_deadline_ms: int = 5_000
    """A worker is killed when a decode takes longer than this or three times its audio."""
