"""Pitch through swift-f0, which survives the telephone's 300 Hz high-pass, only where it matters.

Pitch costs fifty times the rest, so a channel's stream is open only while its voice is near a
threshold. It is fed blocks whose position depends on ticks alone, so chunking cannot change what
it returns.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from math import inf

import msgspec
import numpy as np
import numpy.typing as npt
import soxr
from swift_f0 import PitchStream, SwiftF0
from swift_f0.core import LEFT_FRAMES

from prosody.baseline import quantile
from prosody.features import HOP_MS
from prosody.settings import ProsodySettings
from prosody.usable import Hops

MODEL_RATE_HZ = 16_000
REFERENCE_HZ = 55.0
_QUIET_PEAK = 10 ** (-35 / 20)
_SCALED_PEAK = 10 ** (-20 / 20)
Samples = npt.NDArray[np.float32]


@lru_cache(maxsize=1)
def shared_detector() -> SwiftF0:
    """The process's one pitch model: one thread, sleeping between calls."""
    return SwiftF0(threads=1, spin=False)


class PitchTrack:
    """One open pitch stream from an absolute hop onwards."""

    def __init__(
        self,
        first_hop: int,
        sample_rate_hz: int,
        *,
        fmin_hz: float,
        fmax_hz: float,
        detector: SwiftF0 | None = None,
    ) -> None:
        self.next_hop = first_hop
        """Absolute hop on which the next frame returned is centred."""
        self._stream: PitchStream = (detector or shared_detector()).stream(fmin_hz, fmax_hz)
        self._resampler = (
            None
            if sample_rate_hz == MODEL_RATE_HZ
            else soxr.ResampleStream(sample_rate_hz, MODEL_RATE_HZ, 1, "float32", "MQ")
        )
        self._gain: float | None = None

    def push(self, samples: Samples) -> list[tuple[int, float, float]]:
        """Feed consecutive samples.

        Returns:
            (hop, semitones re 55 Hz, confidence 0-1) for every frame that became final.
        """
        if self._gain is None:
            peak = float(np.max(np.abs(samples), initial=0.0))
            self._gain = _SCALED_PEAK / peak if 1e-4 < peak < _QUIET_PEAK else 1.0
        scaled = samples * np.float32(self._gain)
        if self._resampler is not None:
            scaled = self._resampler.resample_chunk(scaled)
        result = self._stream.push(scaled, MODEL_RATE_HZ)
        hop = self.next_hop
        self.next_hop += len(result.pitch_hz)
        semitones = 12 * np.log2(np.maximum(result.pitch_hz, 1.0) / REFERENCE_HZ)
        return [
            (hop + i, float(st), float(c))
            for i, (st, c) in enumerate(zip(semitones, result.confidence, strict=True))
        ]


class Need(msgspec.Struct, frozen=True):
    """What decides whether a tick needs pitch."""

    ready: bool
    """The baseline is complete."""
    z_tilt: float | None
    active: bool
    """A raised voice is going on."""


class GateLimits(msgspec.Struct, frozen=True):
    """How freely the gate opens; narrower when many calls share the processor."""

    z_tilt: float
    refresh: bool = True
    ticks: float = inf
    """Usable ticks that may have pitch, in the warm-up first, before `max_share` counts."""
    max_share: float = 1.0
    """Largest share of the usable ticks after warm-up that may have pitch besides."""
    feed_every: int = 1
    """Ticks that an open stream takes in at once; three cost as much as one and a half alone."""


class PitchCascade:
    """Opens, feeds and closes the pitch stream of one channel; gives the pitch of a window."""

    def __init__(self, sample_rate_hz: int, settings: ProsodySettings) -> None:
        self._rate = sample_rate_hz
        self._settings = settings
        self._track: PitchTrack | None = None
        self._fed = 0
        self._f0: dict[int, float] = {}
        self._last: tuple[int, float, float] | None = None
        self._dropped = 0
        self._since = 0
        self._idle = 0
        self._ready_ticks = 0
        self._unfed_ticks = 0
        self.denied = False
        """Whether the newest usable tick would have had pitch if the ration were not spent."""
        self.ticks = 0
        """Usable ticks that had pitch, since the beginning."""

    def wanted(self, need: Need, limits: GateLimits) -> bool:
        """Decide whether this usable tick gets pitch; call once per usable tick."""
        settings = self._settings
        self._since += 1
        if need.ready:
            self._ready_ticks += 1
        reason = (
            settings.f0_always_on
            or (not need.ready and self.ticks < limits.ticks)
            or (need.z_tilt is not None and need.z_tilt >= limits.z_tilt)
            or need.active
            or (limits.refresh and self._since >= settings.gate_refresh_ticks)
        )
        self._idle = 0 if reason else self._idle + 1
        ration = limits.ticks + limits.max_share * self._ready_ticks
        spent = self.ticks >= ration and not need.active
        self.denied = spent and reason
        if spent or self._idle > settings.gate_close_ticks or (self._track is None and not reason):
            self.close()
            return False
        self._since = 0
        self.ticks += 1
        return True

    def feed(
        self,
        first_hop: int,
        position: int,
        read: Callable[[int, int], Samples],
        *,
        every: int = 1,
    ) -> None:
        """Run the stream up to `position`, opening it just before `first_hop` when it is shut.

        Args:
            first_hop: the first frame whose pitch is needed.
            position: absolute sample up to which audio may be used.
            read: returns the samples of [begin, end).
            every: an open stream runs at one in so many calls, and then takes in all since.
        """
        settings = self._settings
        hop = self._rate * HOP_MS // 1000
        earliest = max(0, first_hop - LEFT_FRAMES)
        if self._track is None or self._fed < earliest * hop:
            self.close()
            self._track = PitchTrack(
                earliest, self._rate, fmin_hz=settings.f0_min_hz, fmax_hz=settings.f0_max_hz
            )
            self._fed = earliest * hop
        elif self._unfed_ticks + 1 < every:
            self._unfed_ticks += 1
            return
        self._unfed_ticks = 0
        for at, semitones, confidence in self._track.push(read(self._fed, position)):
            if confidence >= settings.voiced_confidence:
                self._f0[at] = semitones
        self._fed = position
        for old in [h for h in self._f0 if h < earliest]:
            del self._f0[old]

    def contour(self, hops: Hops) -> list[float]:
        """Return the pitch of those frames that are voiced, semitones re 55 Hz."""
        return [self._f0[h] for h in hops.tolist() if h in self._f0]

    def steadiness(self, first_hop: int) -> float | None:
        """Share of neighbouring voiced frames whose pitch stands still, or None without enough.

        Speech glides; a held note does not.
        """
        steps = [
            abs(self._f0[h + 1] - st)
            for h, st in self._f0.items()
            if h >= first_hop and h + 1 in self._f0
        ]
        if len(steps) < self._settings.min_voiced_frames:
            return None
        return sum(step < self._settings.steady_st for step in steps) / len(steps)

    def high(self, hops: Hops, end_ms: int, z_tilt: float | None) -> tuple[float | None, bool]:
        """Return the pitch that a window's upper quarter exceeds, and whether it was dropped.

        Effort shows on stressed syllables; the falls at the ends of phrases, which the median
        follows, are low however loud the voice. Dropped is what looks like an octave error.
        """
        settings = self._settings
        voiced = self.contour(hops)
        if len(voiced) < settings.min_voiced_frames:
            return None, False
        f0, tilt = quantile(voiced, 0.75), z_tilt or 0.0
        last = self._last
        if (
            last is not None
            and self._dropped < settings.octave_windows
            and end_ms - last[0] < settings.silence_ms
            and abs(f0 - last[1]) > settings.octave_jump_st
            and abs(tilt - last[2]) < 1.0
        ):
            self._dropped += 1
            return None, True
        self._last, self._dropped = (end_ms, f0, tilt), 0
        return f0, False

    def close(self) -> None:
        """Drop the stream and what it returned."""
        self._track = None
        self._f0.clear()


def warm_up() -> None:
    """Load the model and run one block at each rate, so that no call pays for it."""
    for rate in (8_000, MODEL_RATE_HZ):
        PitchTrack(0, rate, fmin_hz=65.0, fmax_hz=500.0).push(np.zeros(rate, np.float32))
