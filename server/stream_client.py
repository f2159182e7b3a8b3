"""Plays a recording to a server as a live call."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

import msgspec
import numpy as np
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.sync.client import ClientConnection, connect

from audio.chunks import AudioChunk
from conversation.events import AudioGap, Channel

_BLOCK_MS = 100


class StreamError(Exception):
    """The server cannot be reached, or refused the call."""

    code = "stream_failed"


def stream_blocks(
    blocks: Iterable[list[AudioChunk]],
    *,
    url: str,
    channels: tuple[Channel, ...],
    sample_rate_hz: int,
    speed: float = 1.0,
    agent: str | None = None,
    on_started: Callable[[str], None] | None = None,
    progress: Callable[[int], None] | None = None,
) -> str:
    """Send blocks at absolute deadlines and return the address of the report.

    Args:
        blocks: chunks of every channel, in step; all of one length within a block.
        url: the server's ingest address.
        channels: order of the channels on the wire.
        sample_rate_hz: rate of the audio.
        speed: 1 is real time; 0 sends as fast as the server takes it.
        agent: who takes the call.
        on_started: told the call id.
        progress: told the position in milliseconds.

    Raises:
        StreamError: the server cannot be reached, or refused the call.
    """
    try:
        with connect(url, max_size=2**20, compression=None) as socket:
            start = {
                "type": "start",
                "version": 1,
                "channels": channels,
                "encoding": "pcm_s16le",
                "sample_rate": sample_rate_hz,
                "agent": agent,
            }
            socket.send(msgspec.json.encode(start).decode())
            started = _expect(socket, "started")
            if on_started is not None:
                on_started(started["call_id"])
            began_s = time.monotonic()
            for chunks in blocks:
                _wait_until(began_s, chunks[0].end_ms, speed)
                socket.send(_interleave(chunks))
                _take_acks(socket)
                if progress is not None:
                    progress(chunks[0].end_ms)
            socket.send('{"type":"stop"}')
            return str(_expect(socket, "stopped", timeout_s=60.0)["report"])
    except (OSError, InvalidHandshake) as error:
        raise StreamError(
            f"No Heartline server answers at {url}; start one with `heartline serve`."
        ) from error
    except ConnectionClosed as error:
        raise StreamError(
            f"The server closed the call ({error.rcvd or 'connection lost'})."
        ) from error


def to_blocks(items: Iterable[AudioChunk | AudioGap]) -> Iterable[list[AudioChunk]]:
    """Pair up chunks of two live devices into blocks of one length."""
    waiting: dict[Channel, list[AudioChunk]] = {Channel.AGENT: [], Channel.CUSTOMER: []}
    for item in items:
        if isinstance(item, AudioGap):
            continue
        waiting[item.channel].append(item)
        while all(waiting.values()):
            yield [queue.pop(0) for queue in waiting.values()]


def _wait_until(began_s: float, position_ms: int, speed: float) -> None:
    if speed > 0:
        delay_s = began_s + position_ms / 1000 / speed - time.monotonic()
        if delay_s > 0:
            time.sleep(delay_s)


def _interleave(chunks: list[AudioChunk]) -> bytes:
    samples = np.stack([chunk.samples for chunk in chunks], axis=1)
    return bytes(np.clip(np.rint(samples * 32768.0), -32768, 32767).astype("<i2").tobytes())


def _take_acks(socket: ClientConnection) -> None:
    try:
        while True:
            _check(msgspec.json.decode(socket.recv(timeout=0)))
    except TimeoutError:
        return


def _expect(socket: ClientConnection, kind: str, timeout_s: float = 15.0) -> dict[str, Any]:
    try:
        while True:
            message = _check(msgspec.json.decode(socket.recv(timeout=timeout_s)))
            if message["type"] == kind:
                return message
    except TimeoutError as error:
        raise StreamError(
            f"The server did not answer '{kind}' within {timeout_s:.0f} s."
        ) from error


def _check(message: dict[str, Any]) -> dict[str, Any]:
    if message.get("type") == "error":
        raise StreamError(f"The server refused the call: {message.get('message')}")
    return message


__all__ = ["StreamError", "stream_blocks", "to_blocks"]
