"""Samples of one channel on its sample clock, with what is missing marked."""

from __future__ import annotations

from collections import deque

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
        self._missing: deque[tuple[int, int]] = deque()
        """Begin and end of what was skipped, in order."""
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
        self._append(samples[self.end - first_sample :])

    def extend_to(self, position: int) -> None:
        """Mark everything from the end up to `position` as missing."""
        if position > self.end:
            self._missing.append((self.end, position))
            self._append(np.zeros(position - self.end, np.float32))

    def drop_before(self, position: int) -> None:
        """Forget samples before `position`."""
        self._kept_from = max(self._kept_from, min(position, self.end))
        while self._missing and self._missing[0][1] <= self._kept_from:
            self._missing.popleft()

    def read(self, begin: int, end: int) -> Samples:
        """Return the samples of [begin, end), a view or a copy; what is missing reads as 0."""
        low, high = max(begin, self._kept_from), min(end, self.end)
        samples = self._samples[low - self._first : max(low, high) - self._first]
        if len(samples) == end - begin:
            return samples
        return np.pad(samples, (low - begin, end - begin - len(samples) - (low - begin)))

    def is_whole(self, begin: int, end: int) -> bool:
        """Whether no sample of [begin, end) is missing."""
        if begin < self._kept_from or end > self.end:
            return False
        return not any(first < end and begin < last for first, last in self._missing)

    def known(self, begin: int, end: int) -> Mask:
        """Return which samples of [begin, end) are not missing."""
        low, high = max(begin, self._kept_from), min(end, self.end)
        known = np.zeros(end - begin, np.bool_)
        known[low - begin : max(low, high) - begin] = True
        for first, last in self._missing:
            known[max(first - begin, 0) : max(last - begin, 0)] = False
        return known

    def _append(self, samples: Samples) -> None:
        count = len(samples)
        if self.end - self._first + count > len(self._samples):
            self._make_room(count)
        at = self.end - self._first
        self._samples[at : at + count] = samples
        self.end += count

    def _make_room(self, count: int) -> None:
        samples = self._samples[self._kept_from - self._first : self.end - self._first].copy()
        if len(samples) + count > len(self._samples):
            self._samples = np.zeros(2 * (len(samples) + count), np.float32)
        self._samples[: len(samples)] = samples
        self._first = self._kept_from
