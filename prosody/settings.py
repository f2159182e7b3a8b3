"""Settings of the prosody path; the numbers are those of the design document `prosody.md`."""

from __future__ import annotations

import msgspec


class ProsodySettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Thresholds of features, baseline and raised-voice detector; measured unless marked (C)."""

    lag_ms: int = 208
    """A tick is judged this long after its end: speech onsets are confirmed, pitch is in."""
    window_ms: int = 1_500
    """Span of the medians that are compared with the baseline."""
    min_window_frames: int = 25
    """Fewest usable 16 ms frames in a window that may be judged."""
    min_tick_frames: int = 4
    """Fewest usable frames in a tick that counts as usable speech (C)."""
    min_voiced_frames: int = 8
    """Fewest voiced frames in a window whose pitch is believed (C)."""
    level_range_db: float = 12.0
    """A usable frame is at most this far below the 95th percentile of speech level."""
    floor_margin_db: float = 10.0
    """A usable frame is at least this far above the noise floor."""
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
    """Spectral tilt above baseline, in z, that opens the pitch gate."""
    gate_level_db: float = 3.0
    """Level above baseline that opens the pitch gate; level never fires an event."""
    gate_refresh_ticks: int = 20
    """Pitch runs at least every so many usable ticks, to refresh the baseline."""
    gate_close_ticks: int = 8
    """Usable ticks without a reason after which the gate closes."""
    octave_jump_st: float = 10.0
    """A jump of pitch beyond this, while tilt stays, is taken for an octave error."""

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
    f0_floor_st: float = 0.8
    """Least spread of pitch (C)."""
    level_floor_db: float = 3.0
    """Least spread of level (C)."""
    z_limit: float = 6.0
    """z values are clipped to plus or minus this."""
    median_time_s: float = 60.0
    """Time constant of the slow adaptation of medians."""
    mad_time_s: float = 120.0
    """Time constant of the slow adaptation of spreads."""

    score_on: float = 3.0
    """Score from which ticks count towards `raised`."""
    score_off: float = 1.5
    """Score below which speech counts towards the end of an event."""
    on_ticks: int = 3
    """Consecutive usable ticks that start an event."""
    off_ms: int = 1_000
    """Speech below `score_off` that ends an event."""
    silence_ms: int = 2_500
    """Silence that ends an event and clears counters."""
    rearm_ms: int = 2_000
    """Time after an event before ticks count again."""
    strong_on: float = 5.0
    """Score from which ticks count towards `strong`."""
    strong_ticks: int = 4
    """Consecutive usable ticks that make an event `strong` (C)."""
    warm_extra: float = 0.5
    """Added to thresholds while the baseline is warm."""
    snr_full_db: float = 15.0
    """Signal-to-noise ratio from which both measures count in full."""
    snr_reduced_db: float = 10.0
    """Below `snr_full_db` and from here: pitch weighs 0.3, threshold plus 0.5."""
    snr_abstain_db: float = 6.0
    """Below `snr_reduced_db` and from here: tilt alone, threshold plus 1; below: nothing."""
