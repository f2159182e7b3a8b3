"""Settings of voice activity and segmentation, each with its source."""

from __future__ import annotations

import msgspec


class AudioSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Numbers of `interruptions.md` section 3."""

    speech_on: float = 0.50
    """Voice-activity probability that starts speech, 0 to 1 (Silero's default)."""
    speech_off: float = 0.35
    """Probability below which speech ends, 0 to 1 (hysteresis, our choice)."""
    confirm_windows: int = 3
    """Windows of 32 ms that confirm a start or an end: 96 ms (our choice)."""
    level_above_noise_db: float = 10.0
    """Speech is at least this far above the noise floor (our choice)."""
    level_above_noise_low_snr_db: float = 6.0
    """The same when the signal-to-noise ratio is below 15 dB (our choice)."""
    noise_window_ms: int = 30_000
    """Span of the running noise floor, its 10th percentile (our choice)."""
