"""Settings of voice activity and segmentation, each with its source."""

from __future__ import annotations

import msgspec


class BleedSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Numbers of the bleed gate (`interruptions.md` section 5)."""

    enabled: bool = True
    """Whether leakage between the channels is looked for and masked."""
    window_ms: int = 30_000
    """Levels that an estimate rests on (our choice)."""
    every_ms: int = 10_000
    """Time between two estimates (our choice)."""
    first_estimate_ms: int = 2_000
    """The same until the first 10 s are over and enough of the source was heard (our choice)."""
    settled_steps: int = 375
    """Steps with an active source, 3 s, without a leak that say that there is none (our choice)."""
    unknown_loss_db: float = 20.0
    """Until then what is this much quieter than the other channel was within the longest lag is
    taken for a leak: the worst loss of grade B. 14 dB mask an overlap of a real recording."""
    unknown_dip_ms: int = 500
    """How long a voice that was louder than a leak can be may dip below: the gaps between words of
    one breath are shorter (our choice)."""
    source_above_floor_db: float = 15.0
    """The source speaks where it is this far above its floor (our choice)."""
    longest_lag_ms: int = 800
    """Longest lag looked at: a mobile echo takes a full round trip (our choice)."""
    least_correlation: float = 0.6
    """Correlation of the log envelopes that makes a leak (published, call-ai-metrics)."""
    least_steps: int = 62
    """Steps of 8 ms with an active source that an estimate needs: 50 of 10 ms (published)."""
    least_share: float = 0.25
    """Share of the source's active steps in which the leak must be seen (our choice)."""
    least_margin_db: float = 3.0
    """Own speech is at least this far above the leak, in one step of a window. On generated
    development calls with 20 dB of loss the overlap time is 13 % off so, 24 % with 6 dB in half of
    the steps: own speech is quiet where it begins and ends (measured)."""
    above_noise_db: float = 6.0
    """A leak is measured where the target is this far above its noise. 3 dB find leaks of 20 dB
    better (overlap time 7 % off, not 13 %, measured on generated calls), but take an overlap of a
    real recording for a leak."""
    own_above_noise_db: float = 5.0
    """Beside a leak and until `unknown_dip_ms` after it, own speech is this far above the channel's
    noise: voice activity lingers over the pauses of a leak. On generated calls with 20 dB of loss
    the overlap time of two pairs of voices is 6 and 5 % off so, 9 and 64 % without, 7 and 8 % with
    6 dB (measured, eight calls each)."""
    below_source_db: float = 6.0
    """A leak is measured where the target is this far below the source (our choice)."""
    widest_margin_db: float = 15.0
    """The margin grows with the spread of the leak up to this (our choice)."""
    grade_a_db: float = 35.0
    """Echo return loss above this is a clean channel (our choice)."""
    grade_c_db: float = 19.0
    """Below this no blame is assigned: 20 dB less 1 dB, the error of the estimate (measured)."""
    same_correlation: float = 0.95
    """Correlation from which two channels may be one signal (our choice)."""
    same_db: float = 3.0
    """Level difference up to which they are (our choice)."""


class AudioSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Numbers of `interruptions.md` section 3."""

    speech_on: float = 0.50
    """Voice-activity probability from which a step of 8 ms may begin speech, 0 to 1."""
    speech_off: float = 0.47
    """Probability below which it may end. Talk time is 0.7 % off so on the clean line of
    `make bench-floor`, and 1.1 % at 10 dB of signal to noise (measured)."""
    confirm_steps: int = 12
    """Steps of 8 ms that confirm a start: 96 ms (our choice)."""
    confirm_share: float = 0.75
    """Share of them that must be speech (our choice)."""
    hole_steps: int = 12
    """Steps below the threshold that end speech: holes of 96 ms (our choice)."""
    furthest_back_ms: int = 192
    """How far back the start of speech may be dated (our choice)."""
    bleed: BleedSettings = BleedSettings()
    """The gate between the channels."""
