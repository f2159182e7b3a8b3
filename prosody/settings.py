"""Settings of the prosody path; the numbers are those of the design document `prosody.md`."""

from __future__ import annotations

import msgspec


class RateSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Thresholds of speaking rate; `prosody.md` section 8, P published, C our choice."""

    window_ms: int = 10_000
    """Newest speech that the rate is taken over (C)."""
    min_speech_ms: int = 3_000
    """Least speech that says anything about pace (C)."""
    min_turn_words: int = 8
    """Turns of fewer words are left out (P, Yuan, Liberman & Cieri 2006)."""
    min_turn_ms: int = 2_000
    """Turns with less speech are left out (P, the same)."""
    stretch_gap_ms: int = 1_000
    """Finals closer than this belong to one stretch (C)."""
    usual_words: int = 60
    """Words after which a speaker's own usual is known (C)."""
    fast_wpm: float = 180.0
    """Nobody slower than this is fast (C)."""
    fast_ratio: float = 1.25
    """Nor anybody below this multiple of their own usual (C)."""
    fast_ms: int = 15_000
    """Speech over which that must hold (C)."""
    fast_clear: float = 1.10
    """Multiple of the usual at which `fast` is over (C)."""
    slow_wpm: float = 100.0
    """Nobody faster than this is slow (C)."""
    slow_ratio: float = 0.75
    """Nor anybody above this multiple of their own usual (C)."""
    slow_ms: int = 20_000
    """Speech over which that must hold (C)."""
    slow_clear: float = 0.90
    """Multiple of the usual at which `slow` is over (C)."""
    clear_ms: int = 8_000
    """Newest speech by which either is cleared (C)."""
    pause_ms: int = 250
    """Shorter silence within speech is articulation, not a pause (P)."""
    kept_spans: int = 400
    """Speech spans remembered per party; bounds memory (C)."""
    kept_stretches: int = 60
    """Stretches that make up the usual; bounds memory (C)."""


class ProsodySettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Thresholds of features, baseline and raised-voice detector.

    Sources: M measured for the design document `prosody.md` (acted speech, 10 speakers), P
    published, D set on development voices (generated, and recorded talkers and studio prompts with
    imposed effort, see `docs/prosody.md`), C our choice.
    """

    enabled: bool = True
    """Whether voices are measured at all."""
    spectral_backend: str = "numpy"
    """`numpy`, or `librosa` at the price of its start-up; equal to 1e-5 dB."""
    many_calls: int = 12
    """Live calls beyond which pitch is rationed: in full it is a third of what a call costs, and
    more in the first minute, so that with twenty calls on two cores cues were seconds late (C)."""

    rate: RateSettings = RateSettings()
    """Speaking rate and pauses."""

    lag_ms: int = 208
    """A tick is judged this long after its end: speech onsets are confirmed, pitch is in."""
    window_ms: int = 1_500
    """Span of what is compared with the baseline."""
    min_window_frames: int = 20
    """Fewest usable 16 ms frames in a window that may be judged (D)."""
    min_tick_frames: int = 4
    """Fewest usable frames in a tick that counts as usable speech (C)."""
    min_voiced_frames: int = 8
    """Fewest voiced frames in a window whose pitch is believed (C)."""
    level_range_db: float = 18.0
    """A usable frame is at most this far below the 95th percentile of speech level. At 12 dB, which
    acted speech allows, voices with strong peaks have a third of their speech left and half of
    the raised passages go unjudged; recall of the development voices rose from 0.75 to 1 (D)."""
    floor_margin_db: float = 13.0
    """A usable frame is at least this far above the noise floor; 10 dB lets babble into the window
    (area under the curve 0.986 against 0.992), 16 dB empties it (D)."""
    level_history_frames: int = 312
    """Frames (5 s) of which noise floor and speech level are percentiles (C)."""
    clip_level: float = 0.98
    """Absolute sample value that counts as clipped."""
    clip_samples: int = 3
    """Clipped samples that make a frame unusable."""
    overdriven_share: float = 0.01
    """Share of clipped frames in a window above which alpha's z is capped at 2."""
    gap_reset_ms: int = 200
    """Missing audio longer than this restarts the pitch stream."""

    f0_min_hz: float = 65.0
    """Lowest pitch sought."""
    f0_max_hz: float = 500.0
    """Highest pitch sought."""
    voiced_confidence: float = 0.5
    """Pitch confidence of a voiced frame, 0 to 1."""
    f0_always_on: bool = False
    """Run pitch on every usable tick instead of only near the threshold."""
    gate_z_tilt: float = 1.0
    """Spectral tilt above baseline, in z, that opens the pitch gate. Level does not open it: what
    only level raises cannot become an event (D: no recall lost, a third less pitch)."""
    gate_refresh_ticks: int = 20
    """Pitch runs at least every so many usable ticks, to refresh the baseline."""
    gate_close_ticks: int = 2
    """Usable ticks without a reason after which the gate closes; opening again costs two ticks of
    pitch. With 8, calm speech had pitch in nine windows of ten for no recall (D)."""
    octave_jump_st: float = 10.0
    """A jump of pitch beyond this, while tilt stays, is taken for an octave error."""
    octave_windows: int = 2
    """Windows for which it is; a jump that lasts is the voice (D)."""

    cold_ms: int = 3_000
    """Usable speech below which nothing is judged."""
    ready_ms: int = 8_000
    """Usable speech from which thresholds apply as they are."""
    initial_quantile: float = 0.8
    """Windows above this quantile of alpha or pitch are left out of the first baseline (C)."""
    alpha_floor_db: float = 1.5
    """Least spread of the alpha ratio (C)."""
    slope_floor_db_oct: float = 1.0
    """Least spread of the spectral slope (C)."""
    f0_floor_st: float = 1.0
    """Least spread of pitch (C)."""
    f0_usual_spread_st: float = 2.2
    """Spread of pitch that is expected of anybody. Eight seconds hold five phrases or so, too few
    to know how far a talker's pitch moves, and it was taken for too small (D)."""
    f0_usual_phrases: float = 5.0
    """Phrases that this expectation is worth beside those heard (D)."""
    phrase_ms: int = 1_500
    """Usable speech that counts as one phrase (C)."""
    spread_memory_ms: int = 40_000
    """Usable speech beyond which no more phrases count, since spreads drift (C)."""
    level_floor_db: float = 3.0
    """Least spread of level (C)."""
    z_limit: float = 6.0
    """z values are clipped to plus or minus this."""
    median_time_s: float = 60.0
    """Time constant of the slow adaptation of medians."""
    mad_time_s: float = 120.0
    """Time constant of the slow adaptation of spreads."""

    score_on: float = 2.75
    """Score from which ticks count towards `raised`. At 3.0 (M) the mildest passages are heard a
    second late under babble; at 2.25 development lines have two false events an hour, at 2.75 none,
    and three ticks in a row of calm real calls reach 2.2 at most (D)."""
    score_off: float = 1.5
    """Score below which speech counts towards the end of an event."""
    on_ticks: int = 3
    """Consecutive usable ticks that start an event."""
    off_ms: int = 1_000
    """Length of the usable ticks below `score_off` that end an event. Counted in usable frames, of
    which a tick has half, an event outlasted the passage by three to seven seconds (D)."""
    silence_ms: int = 2_500
    """Silence that ends an event and clears counters."""
    rearm_ms: int = 2_000
    """Time after an event before ticks count again."""
    strong_on: float = 5.0
    """Score from which ticks count towards `strong`. Of development passages with automatic gain 58
    of 80 of the two stronger doses reach it and 3 of 40 of the mildest; 69 and 17 reach 4.5 (D)."""
    strong_ticks: int = 4
    """Consecutive usable ticks that make an event `strong` (C)."""
    warm_extra: float = 0.5
    """Added to thresholds while the baseline is warm."""
    snr_full_db: float = 15.0
    """Signal-to-noise ratio from which both measures count in full."""
    reduced_f0_weight: float = 0.3
    """Weight of pitch below that ratio; half above it."""
    reduced_extra: float = 0.5
    """Added to the thresholds below that ratio."""
    snr_reduced_db: float = 10.0
    """Below `snr_full_db` and from here: pitch weighs less, thresholds are higher."""
    snr_abstain_db: float = 6.0
    """Below `snr_reduced_db` and from here: tilt alone, threshold plus 1; below: nothing."""
    level_weight: float = 0.25
    """Score per 3 dB above usual level, once the gain has looked fixed."""
    level_limit: float = 0.5
    """Most that the level may add to the score."""
    min_part_z: float = 0.5
    """Tilt must be this far above usual as well: effort moves both (D: at 1 babble delays what it
    does not hide, at 0 a cheerful voice counts)."""
    min_f0_z: float = 1.5
    """And pitch, where it is used, this far. A loudspeaker moves tilt alone: at 0.5 development
    voices on one had 14 false events, at 1.5 they have 6, and no raised passage is lost (D)."""
    event_max_ms: int = 60_000
    """Speech after which a raised voice is taken for the new usual (C)."""

    gain_step_db: float = 4.0
    """Least common shift of speech and noise that is a gain step."""
    gain_match_db: float = 1.5
    """Most that the two shifts may differ."""
    gain_history_ticks: int = 42
    """Ticks (10 s) over which gain is watched (C)."""
    gain_memory_ms: int = 5_000
    """How long `gain_step` and `agc` stay flagged."""
    gain_fixed_ms: int = 20_000
    """Time without either after which the level may count."""
    agc_range_db: float = 6.0
    """Fall of the noise floor within 3 s that shows automatic gain control."""
    noise_rise_db: float = 4.0
    """Rise of the noise within 10 s, and above its usual, during which a louder voice is no news
    (Lombard)."""
    usual_noise_ticks: int = 250
    """Ticks between words of whose noise the 90th percentile is usual: a minute of them (C).
    Without it babble that comes and goes vetoed one raised passage in three (D)."""
    lombard_snr_db: float = 20.0
    """Noise further below speech than this makes nobody speak up (C)."""
    noise_rise_ms: int = 10_000
    """How long such a rise blocks new events."""
    line_shift_db: float = 4.0
    """Shift of the alpha ratio that is a change of line."""
    line_shift_ms: int = 10_000
    """Usable speech that it must last, while pitch stays within a semitone."""
    burst_depth_db: float = 12.0
    """Least depth between bursts of laughter (D)."""
    burst_likeness: float = 0.6
    """Autocorrelation of the envelope at 4-6 Hz from which it is a burst train (D)."""
    steady_st: float = 0.03
    """A step of pitch between 16 ms frames below this stands still (D)."""
    steady_share: float = 0.5
    """Share of still steps from which a voice is music; real and generated talkers stay below 0.28
    in 99 of 100 windows, played notes above 0.66 in 95 (D)."""
    music_depth_db: float = 5.0
    """Least depth of the level over two seconds of speech; talkers keep above 6.9 dB in 199 of 200
    windows even under babble, music lies at 2 to 3 (D)."""
    cross_talk_level_db: float = 15.0
    """The other channel counts as loud this far above its own median."""
    cross_talk_likeness: float = 0.3
    """Correlation with the loud other channel from which frames are masked."""
    cross_talk_reach_ms: int = 50
    """Largest delay at which the other channel is sought."""
    many_gate_z_tilt: float = 1.5
    """`gate_z_tilt` while many calls share the processor."""
    many_pitch_share: float = 0.15
    """Largest share of windows with pitch then."""
    many_warm_ticks: int = 20
    """Usable ticks of the warm-up that have pitch then: some five seconds of speech, three phrases,
    a third of the warm-up (C)."""
    many_feed_ticks: int = 3
    """Ticks that pitch takes in at once then: a second of speech so fed costs 11 ms of a core, tick
    by tick 23, and pitch is up to half a second late (C)."""
    tilt_only_extra: float = 1.0
    """Added to the thresholds where tilt is judged alone."""
