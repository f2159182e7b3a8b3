"""Samples of one channel on its sample clock, with what is missing marked."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]


class SampleBuffer:
    """Keeps the newest samples of a channel; positions that were skipped are missing, not silent.

    The storage is allocated once and moved when it is full, so that a chunk costs its own length.
    """

    def __init__(self, capacity: int) -> None:
        self._samples = np.zeros(capacity, np.float32)
        self._known = np.zeros(capacity, np.bool_)
        self._first = 0
        """Absolute position of `_samples[0]`."""
        self._kept_from = 0
        self.end = 0
        """Absolute position just after the newest sample."""

    def begin_at(self, position: int) -> None:
        """Begin at a position, before any sample; what is before reads as missing."""
        self._first = self._kept_from = self.end = position

    def push(self, first_sample: int, samples: Samples) -> None:
        """Write samples at their position; what lies before the end is ignored."""
        self.extend_to(first_sample)
        fresh = samples[self.end - first_sample :]
        self._append(np.asarray(fresh, np.float32), known=True)

    def extend_to(self, position: int) -> None:
        """Mark everything from the end up to `position` as missing."""
        if position > self.end:
            self._append(np.zeros(position - self.end, np.float32), known=False)

    def drop_before(self, position: int) -> None:
        """Forget samples before `position`."""
        self._kept_from = max(self._kept_from, min(position, self.end))

    def read(self, begin: int, end: int) -> tuple[Samples, Mask]:
        """Return the samples of [begin, end) and which of them are known; both are views or copies.

        Positions before the first sample or after the last read as missing.
        """
        low, high = max(begin, self._kept_from), min(end, self.end)
        samples = self._samples[low - self._first : max(low, high) - self._first]
        known = self._known[low - self._first : max(low, high) - self._first]
        if len(samples) == end - begin:
            return samples, known
        padding = (low - begin, end - begin - len(samples) - (low - begin))
        return np.pad(samples, padding), np.pad(known, padding)

    def _append(self, samples: Samples, *, known: bool) -> None:
        count = len(samples)
        if self.end - self._first + count > len(self._samples):
            self._make_room(count)
        at = self.end - self._first
        self._samples[at : at + count] = samples
        self._known[at : at + count] = known
        self.end += count

    def _make_room(self, count: int) -> None:
        kept = slice(self._kept_from - self._first, self.end - self._first)
        samples, known = self._samples[kept].copy(), self._known[kept].copy()
        if len(samples) + count > len(self._samples):
            self._samples = np.zeros(2 * (len(samples) + count), np.float32)
            self._known = np.zeros(len(self._samples), np.bool_)
        self._samples[: len(samples)] = samples
        self._known[: len(known)] = known
        self._first = self._kept_from
