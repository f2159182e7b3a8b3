"""The thin shell around every telephony decoder: its items go to a call, its answers to the peer.

It knows nothing of vendors, and nothing of the kind of socket.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Sequence
from typing import Protocol

from audio.chunks import AudioChunk
from conversation.events import CallEnded
from server.adapters.contract import CallOpened, Decoder, IngestError, Item
from server.adapters.pace import RateCheck, TextLimit
from server.audio_queue import Queued
from server.calls import GRACE_S, Calls, RunningCall
from server.ingest import MAX_MESSAGE_BYTES
from server.ingest_socket import judge_rate

_TICK_S = 0.1
_OPEN_S = 10.0
"""How long a stream may take to say what it is."""
_CLOSE_S = 10.0
"""How long a peer may take to close the socket of a call that has ended."""
_LOG = logging.getLogger("heartline.ingest")


class Peer(Protocol):
    """The socket to the telephony system."""

    async def send(self, messages: Sequence[str | bytes]) -> None:
        """Send messages; a peer that is gone is no error."""

    async def close(self, code: int, reason: str) -> None:
        """Close it; a peer that is gone is no error."""


class StreamSession:
    """Runs one decoder; it is also the `Source` that its call knows."""

    def __init__(self, decoder: Decoder, calls: Calls, peer: Peer) -> None:
        self._decoder = decoder
        self._calls = calls
        self._peer = peer
        self._call: RunningCall | None = None
        self._epoch = 0
        self._offset = 0
        self._rate = RateCheck()
        self._texts = TextLimit()
        self._closed_by_s = asyncio.get_running_loop().time() + _OPEN_S
        """When a stream that has not begun, or one that has ended, is closed."""
        self._ended = False
        self._opening = False
        """Whether the call is being entered in the journal; the peer is told nothing before."""
        self.over = False

    async def feed(self, message: str | bytes) -> None:
        """Take a message of the peer; an error of it closes the socket."""
        if self._ended:
            return
        if self._call is not None and not self._call.is_current(self._epoch):
            self.over = True
            return
        now_ms = _now_ms()
        self._decoder.tick(now_ms)
        try:
            if len(message) > MAX_MESSAGE_BYTES:
                raise IngestError("too_large", 1009, "A message may have 65536 bytes.")
            if isinstance(message, str) and not self._decoder.audio_is_text:
                self._texts.add(now_ms)
            items = self._decoder.feed(message)
            await self._take([item for item in items if not isinstance(item, CallEnded)])
        except IngestError as error:
            await self._answer()
            await self.fail(error)
            if self._call is not None:
                await self._call.leave(self._epoch, error.code)
            return
        await self._answer()
        for item in items:
            if isinstance(item, CallEnded) and self._call is not None:
                self._ended = True
                self._closed_by_s = asyncio.get_running_loop().time() + _CLOSE_S
                await self._call.leave(self._epoch, item.reason)

    async def keep_time(self) -> None:
        """Tell the decoder the time until cancelled, and end streams that never begin."""
        while not self.over:
            await asyncio.sleep(_TICK_S)
            self._decoder.tick(_now_ms())
            await self._answer()
            if asyncio.get_running_loop().time() <= self._closed_by_s:
                continue
            if self._ended:
                self.over = True
                await self._peer.close(1000, "ended")
            elif self._call is None and not self._decoder.idle:
                await self.fail(IngestError("start_timeout", 4408, "No call began within 10 s."))

    async def lost(self, *, orderly: bool) -> None:
        """Learn that the socket is gone."""
        self.over = True
        if self._call is None:
            return
        if orderly and self._decoder.ends_with_socket:
            await self._call.leave(self._epoch, "ended")
        else:
            self._call.detach(self._epoch, GRACE_S)

    async def fail(self, error: IngestError) -> None:
        """Close the socket; the reason goes with it where the protocol has room for one."""
        self.over = True
        _LOG.warning("stream refused: %s", error.code)
        await self._peer.close(error.close_code, f"{error.code}: {error}"[:120])

    async def pause(self, paused: bool) -> None:
        """Tell the peer that capture is paused, or goes on."""
        self._decoder.pause(paused)
        await self._answer()

    async def drain(self) -> None:
        """Tell the peer that this server is about to stop."""
        self._decoder.drain()
        await self._answer()

    async def _answer(self) -> None:
        replies = [] if self._opening else self._decoder.reply()
        if replies:
            await self._peer.send(replies)

    async def _take(self, items: Sequence[Item]) -> None:
        if items and isinstance(items[0], CallOpened):
            await self._open(items[0])
            items = items[1:]
        if self._call is None or not items:
            return
        now_ms = _now_ms()
        placed: list[Queued] = list(self._call.lanes.place(items, now_ms, self._offset))
        if not self._calls.ingest.replay:
            self._call.audio_limit.add(_audio_ms(placed), now_ms)
        placed += judge_rate(self._rate, self._call.lanes.newest_ms, now_ms)
        await self._call.put_soon(placed)

    async def _open(self, opened: CallOpened) -> None:
        self._opening = True
        try:
            self._call, self._epoch = await self._calls.attach_stream(opened, self)
        finally:
            self._opening = False
        lanes = self._call.lanes
        if opened.continues and opened.first_sample:
            return
        if self._call.away_ms:
            missing = lanes.cover(self._call.away_ms, "disconnect", "server")
            await self._call.put_soon(missing)
            self._call.audio_limit.resumed(self._call.away_ms)
        newest = lanes.newest_ms * opened.sample_rate_hz // 1000
        self._offset = newest - opened.first_sample


def _audio_ms(items: Sequence[Queued]) -> float:
    """Length of the channel that has most."""
    lengths: Counter[str] = Counter()
    for item in items:
        if isinstance(item, AudioChunk):
            lengths[item.channel] += len(item.samples) * 1000 // item.sample_rate_hz
    return max(lengths.values(), default=0)


def _now_ms() -> int:
    return round(asyncio.get_running_loop().time() * 1000)
