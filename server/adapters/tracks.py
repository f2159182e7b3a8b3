"""Puts numbered or timestamped frames in order, and the channels of a call in step."""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import msgspec

from audio.chunks import AudioChunk, Samples
from conversation.events import AudioGap, Channel
from server.adapters.contract import MAX_GAP_MS, IngestError, Item, gap

_WINDOW_MS = 200
"""How long a missing frame is waited for (`protocols.md` section 2)."""
_LABEL_JITTER_MS = 10
"""A smaller difference between a frame's timestamp and its place is no loss."""
_LAG_MS = 500
"""A channel that is further behind the other one has lost what is missing."""


@dataclass(order=True, slots=True)
class _Frame:
    first_sample: int
    samples: Samples = field(compare=False)

    @property
    def end(self) -> int:
        return self.first_sample + len(self.samples)


class Track:
    """One direction's frames, in whatever order they come.

    Duplicates are dropped, displaced frames are sorted within 200 ms; what is missing then is a
    gap, and a frame that comes later still is dropped.
    """

    def __init__(self, channel: Channel, rate_hz: int, given_up_reason: str = "loss") -> None:
        self._channel = channel
        self._rate_hz = rate_hz
        self._reason = given_up_reason
        """Reason of a gap whose frame may still have been on its way."""
        self._jitter = _LABEL_JITTER_MS * rate_hz // 1000
        self._window = _WINDOW_MS * rate_hz // 1000
        self._next = 0
        self._newest = 0
        self._waiting: list[_Frame] = []
        self.dropped = 0
        """Frames that were duplicates or too late."""

    @property
    def next_sample(self) -> int:
        """Position after what has been given out or waits."""
        return self._waiting[-1].end if self._waiting else self._next

    def push(self, first_sample: int, samples: Samples, *, complete: bool = False) -> list[Item]:
        """Take a frame; return the frames and gaps that are settled by it.

        Args:
            first_sample: position that the source states, samples.
            samples: its audio.
            complete: whether every frame sent before it is known to have come.

        Raises:
            IngestError: the position cannot be in a call.
        """
        if not 0 <= first_sample <= MAX_GAP_MS * self._rate_hz // 1000:
            raise IngestError("bad_message", 4400, "A timestamp lies outside the longest call.")
        known = self._next - first_sample
        if len(samples) == 0 or known >= max(len(samples) - self._jitter, self._jitter):
            self.dropped += 1
            return self._release(complete)
        if any(abs(f.first_sample - first_sample) < self._jitter for f in self._waiting):
            self.dropped += 1
            return self._release(complete)
        insort(self._waiting, _Frame(first_sample, samples))
        self._newest = max(self._newest, first_sample)
        return self._release(complete)

    def flush(self) -> list[Item]:
        """Give out everything that waits, as when the stream ends."""
        return self._release(complete=True)

    def skip_to(self, sample: int, reason: str) -> list[Item]:
        """Declare everything up to a position missing."""
        items = self.flush()
        if sample > self._next:
            items.append(gap(self._channel, self._next, sample, self._rate_hz, reason))
            self._next = sample
        return items

    def _release(self, complete: bool) -> list[Item]:
        items: list[Item] = []
        while self._waiting:
            frame = self._waiting[0]
            ahead = frame.first_sample - self._next
            if ahead >= self._jitter:
                if not complete and self._newest - self._next <= self._window:
                    break
                reason = "loss" if complete else self._reason
                items.append(
                    gap(self._channel, self._next, frame.first_sample, self._rate_hz, reason)
                )
                self._next = frame.first_sample
            del self._waiting[0]
            known = -ahead if ahead <= -self._jitter else 0
            if known >= len(frame.samples):
                continue
            items.append(
                AudioChunk(
                    channel=self._channel,
                    first_sample=self._next,
                    samples=frame.samples[known:],
                    sample_rate_hz=self._rate_hz,
                )
            )
            self._next += len(frame.samples) - known
        return items


class Lanes:
    """The channels of one call, whose audio comes separately or over several streams.

    What comes out is contiguous on every channel: a hole becomes a `loss` gap, what is known is
    dropped, and a channel that delivers nothing and is more than 500 ms behind the newest sample
    is given a gap and rejoins when it delivers. A channel that is behind because the other one
    comes faster than real time still delivers and loses nothing.
    """

    def __init__(self, channels: Sequence[Channel], rate_hz: int) -> None:
        self._rate_hz = rate_hz
        self._next = dict.fromkeys(channels, 0)
        self._delivered_ms: dict[Channel, int] = {}
        """When each channel's last audio came, by this machine's clock."""

    @property
    def newest_ms(self) -> int:
        """Stream time of the newest sample of any channel."""
        return max(self._next.values()) * 1000 // self._rate_hz

    def begin_at(self, position_ms: int) -> None:
        """Begin in the middle of a call."""
        self._next = dict.fromkeys(self._next, position_ms * self._rate_hz // 1000)

    def cover(self, length_ms: int, reason: str, clock: str | None = None) -> list[Item]:
        """Move every channel over the same lost time, from the newest sample on."""
        end = max(self._next.values()) + length_ms * self._rate_hz // 1000
        items: list[Item] = []
        for channel in self._next:
            items += self._skip(channel, end, reason, clock)
        return items

    def place(self, items: Iterable[Item], now_ms: int, offset: int = 0) -> list[Item]:
        """Put a stream's items, whose zero lies at sample `offset` of the call, in place."""
        placed: list[Item] = []
        for item in items:
            if isinstance(item, AudioChunk):
                self._delivered_ms[item.channel] = now_ms
                placed += self._place_chunk(item, item.first_sample + offset)
            elif isinstance(item, AudioGap):
                offset_ms = offset * 1000 // self._rate_hz
                end = (item.end_ms + offset_ms) * self._rate_hz // 1000
                placed += self._skip(item.channel, end, item.reason, item.clock)
            else:
                placed.append(item)
        return placed + self._catch_up(now_ms)

    def level(self) -> list[Item]:
        """Declare missing what any channel lacks of the newest one, as when the call ends."""
        return self.cover(0, "loss")

    def _place_chunk(self, chunk: AudioChunk, first: int) -> list[Item]:
        if chunk.channel not in self._next:
            return []
        items = self._skip(chunk.channel, first, "loss")
        position = self._next[chunk.channel]
        samples = chunk.samples[max(0, position - first) :]
        if len(samples) == 0:
            return items
        self._next[chunk.channel] += len(samples)
        return [*items, replace(chunk, first_sample=position, samples=samples)]

    def _skip(
        self, channel: Channel, end: int, reason: str, clock: str | None = None
    ) -> list[Item]:
        begin = self._next.get(channel, end)
        if end - begin < self._rate_hz // 1000:
            return []
        self._next[channel] = end
        missing = gap(channel, begin, end, self._rate_hz, reason)
        return [msgspec.structs.replace(missing, clock=clock)]

    def _catch_up(self, now_ms: int) -> list[Item]:
        newest = max(self._next.values())
        items: list[Item] = []
        for channel, position in self._next.items():
            silent_ms = now_ms - self._delivered_ms.setdefault(channel, now_ms)
            behind = newest - position > _LAG_MS * self._rate_hz // 1000
            if behind and silent_ms > _LAG_MS:
                items += self._skip(channel, newest - _WINDOW_MS * self._rate_hz // 1000, "loss")
        return items
