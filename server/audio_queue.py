"""What a call's sockets have sent and the analysis has not heard yet; used on one event loop."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable

import msgspec

from audio.chunks import AudioChunk
from conversation.events import AudioGap, RolesSwapped
from server.adapters.contract import Item
from server.controls import Control

Queued = Item | Control | RolesSwapped
_LIMIT_MS = 5_000
"""Audio of each channel that may wait (`reliability.md` section 4)."""
_TURN_MS = 300
"""Audio of each channel that is analysed in one turn, so that calls take turns. More than a block
waits only where a call is behind or replays; three blocks at once cost a sixth less (measured)."""
_GAP_MS = 10_000
"""Lost time that is settled in one turn: an hour of it must not keep other calls waiting."""
_MAX_CONTROLS = 1_000
"""Other items that may wait; beyond it the sender waits too."""


class AudioQueue:
    """Bounded by the length of the audio in it.

    Who can wait, waits (`put`); for who can only wait a little, the oldest audio becomes an
    `overrun` gap (`put_soon`).
    """

    def __init__(self, channels: int) -> None:
        self._items: deque[Queued] = deque()
        self._limit_ms = _LIMIT_MS * channels
        self._turn_ms = _TURN_MS * channels
        self._audio_ms = 0.0
        self._closed = False
        self._changed = asyncio.Event()
        self._taken = asyncio.Event()
        self._turn = asyncio.Lock()
        """Who waits is served in the order of coming, so that a call's audio stays in order."""

    @property
    def full(self) -> bool:
        """Whether 5 s of audio are waiting."""
        return self._audio_ms >= self._limit_ms or len(self._items) >= (
            _MAX_CONTROLS + self._limit_ms
        )

    async def put(self, items: Iterable[Queued]) -> None:
        """Queue items, waiting while the queue is full."""
        async with self._turn:
            while self.full and not self._closed:
                self._taken.clear()
                await self._taken.wait()
            self.add(items)

    async def put_soon(self, items: Iterable[Queued], patience_s: float) -> None:
        """Queue items, waiting a little; while it stays full the oldest audio becomes a gap."""
        async with self._turn:
            try:
                async with asyncio.timeout(patience_s):
                    while self.full and not self._closed:
                        self._taken.clear()
                        await self._taken.wait()
                self.add(items)
            except TimeoutError:
                self.add(items)
                self._give_up_oldest()

    def _give_up_oldest(self) -> None:
        for i, item in enumerate(self._items):
            if self._audio_ms < self._limit_ms:
                return
            if isinstance(item, AudioChunk):
                self._audio_ms -= _length_ms(item)
                self._items[i] = AudioGap(
                    at_ms=item.end_ms,
                    channel=item.channel,
                    begin_ms=item.start_ms,
                    end_ms=item.end_ms,
                    reason="overrun",
                )

    async def get(self, timeout_s: float) -> list[Queued] | None:
        """Return up to 300 ms of each channel, nothing after `timeout_s`, None at the end."""
        if not self._items and not self._closed:
            self._changed.clear()
            try:
                async with asyncio.timeout(timeout_s):
                    await self._changed.wait()
            except TimeoutError:
                return []
        if not self._items:
            return None if self._closed else []
        turn: list[Queued] = []
        turn_ms = 0.0
        while self._items and turn_ms < self._turn_ms:
            item = self._items.popleft()
            if isinstance(item, AudioGap) and item.end_ms - item.begin_ms > _GAP_MS:
                turn += self._first_of_long_gap(item)
                break
            turn_ms += _length_ms(item)
            turn.append(item)
        self._audio_ms -= turn_ms
        self._taken.set()
        return turn

    def _first_of_long_gap(self, gap: AudioGap) -> list[Queued]:
        """Return the first part of a long gap, on every channel that it is on; the rest waits."""
        gaps = [gap]
        while self._items:
            other = self._items[0]
            if not isinstance(other, AudioGap) or other.begin_ms != gap.begin_ms:
                break
            gaps.append(other)
            self._items.popleft()
        cut_ms = gap.begin_ms + _GAP_MS
        long = [each for each in gaps if each.end_ms > cut_ms]
        self._items.extendleft(
            msgspec.structs.replace(each, begin_ms=cut_ms) for each in reversed(long)
        )
        return [
            msgspec.structs.replace(each, at_ms=cut_ms, end_ms=cut_ms) if each in long else each
            for each in gaps
        ]

    def close(self) -> None:
        """Say that nothing more comes; what waits is still given out."""
        self._closed = True
        self._changed.set()
        self._taken.set()

    def clear(self) -> None:
        """Forget what waits, as when the analysis has stopped."""
        self._items.clear()
        self._audio_ms = 0.0
        self.close()

    def add(self, items: Iterable[Queued]) -> None:
        """Queue items however full the queue is."""
        if self._closed:
            return
        for item in items:
            self._items.append(item)
            self._audio_ms += _length_ms(item)
        self._changed.set()


def _length_ms(item: Queued) -> float:
    if not isinstance(item, AudioChunk):
        return 0.0
    return len(item.samples) * 1000 / item.sample_rate_hz
