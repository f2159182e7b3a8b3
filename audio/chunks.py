"""Audio as it arrives, positioned by a sample counter."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from conversation.events import Channel

ANALYSIS_RATE_HZ = 16_000
"""Rate of the voice-activity and recognition path."""

Samples = npt.NDArray[np.float32]
"""Mono samples, float32, nominal range -1 to 1, shape (n,)."""


@dataclass(frozen=True, slots=True, eq=False)
class AudioChunk:
    """Consecutive samples of one channel at the source's own rate."""

    channel: Channel
    first_sample: int
    """Position of `samples[0]` on the channel's sample clock; gaps advance it too."""
    samples: Samples
    sample_rate_hz: int

    @property
    def start_ms(self) -> int:
        """Stream time of the first sample."""
        return self.first_sample * 1000 // self.sample_rate_hz

    @property
    def end_ms(self) -> int:
        """Stream time just after the last sample."""
        return (self.first_sample + len(self.samples)) * 1000 // self.sample_rate_hz
