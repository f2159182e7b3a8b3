"""A clip on the time line of a generated call: where in it there is speech, and how it is cut."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise

import msgspec
import numpy as np
import numpy.typing as npt

from bench.speech_bank import RATE_HZ, SpokenWord

Samples = npt.NDArray[np.float32]
Span = tuple[int, int]
HOLE_MS = 96
"""Holes in true speech up to this are speech: the confirmation time of the segmentation."""
_FADE = RATE_HZ * 40 // 1000
_QUIET_DB = 35.0
_BREATH_MS = 200
"""Holes in simultaneous speech up to this are bridged (section 7)."""


class Said(msgspec.Struct):
    """One clip on the time line."""

    party: str
    begin_ms: int
    samples: Samples
    words: tuple[SpokenWord, ...]
    role: str
    """`turn`, or the class of the event that the clip is."""
    gain_db: float = 0.0

    @property
    def end_ms(self) -> int:
        """End of the clip."""
        return self.begin_ms + round(len(self.samples) * 1000 / RATE_HZ)


def spoken(item: Said) -> list[Span]:
    """Return the 10 ms steps of the time line in which the clip is speech."""
    return [(item.begin_ms + at_ms, item.begin_ms + at_ms + 10) for at_ms in _steps(item.samples)]


def _steps(samples: Samples) -> list[int]:
    """Return where the 10 ms steps begin that are speech, ms."""
    step = RATE_HZ // 100
    whole = len(samples) // step
    power = np.square(samples[: whole * step].reshape(whole, step)).mean(axis=1)
    levels = 10 * np.log10(power + 1e-12)
    return [int(i) * 10 for i in np.flatnonzero(levels > levels.max() - _QUIET_DB)]


def talks(item: Said, at_ms: int, before_ms: int) -> bool:
    """Whether the clip is speech, without a pause, from `before_ms` before to 200 ms after `at_ms`.

    Nearer to the speaker's own start, a newcomer would be a collision.
    """
    begin_ms, end_ms = at_ms - before_ms, at_ms + 200
    covered = sum(max(0, min(e, end_ms) - max(b, begin_ms)) for b, e in spoken(item))
    return covered >= end_ms - begin_ms - HOLE_MS


def talks_on(item: Said, at_ms: int, for_ms: int) -> bool:
    """Whether in so long after `at_ms` no pause for breath begins."""
    begins = [b for b, _ in spoken(item) if at_ms <= b <= at_ms + for_ms + _BREATH_MS]
    edges = [at_ms, *begins, at_ms + for_ms + _BREATH_MS]
    return all(later - earlier <= _BREATH_MS for earlier, later in pairwise(edges))


def word_ends(words: Sequence[SpokenWord], samples: Samples) -> list[int]:
    """Return where words end in speech, ms: alignment counts a pause to the word before it.

    A click in the pause is no speech: what is cut there has lasted for longer than the fade.
    """
    steps = _steps(samples)
    voiced = set(steps)
    lasting = [s for s in steps if voiced.issuperset(range(s - 50, s, 10))]
    ends = []
    for word in words:
        before = bisect_right(lasting, word.end_s * 1000 - 10)
        if before and lasting[before - 1] >= word.begin_s * 1000:
            ends.append(lasting[before - 1] + 10)
    return ends


def cut(item: Said, at_ms: int) -> None:
    """End a clip at `at_ms` from its begin, with a fade of 40 ms."""
    end = at_ms * RATE_HZ // 1000
    samples = item.samples[:end].copy()
    fade = min(_FADE, len(samples))
    samples[-fade:] *= np.linspace(1, 0, fade, dtype=np.float32)
    item.samples = samples
    item.words = tuple(
        msgspec.structs.replace(w, end_s=min(w.end_s, at_ms / 1000))
        for w in item.words
        if w.begin_s * 1000 + 50 <= at_ms
    )
