"""Plays a recording, or a pair of live devices, to a server as a call."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

import msgspec
import numpy as np
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidURI
from websockets.sync.client import ClientConnection, connect

from audio.chunks import AudioChunk, Samples
from conversation.events import AudioGap, Channel

Block = Sequence[AudioChunk | AudioGap]
"""Chunks of one length and in step, after the gaps that begin with them; a channel without a chunk
is inside a gap."""


class StreamError(Exception):
    """The server cannot be reached, or refused the call."""

    code = "stream_failed"


def ingest_url(server: str) -> str:
    """Return the ingest address of a server given as `http://host:port` or in full.

    Raises:
        StreamError: it is not an address.
    """
    parts = urlsplit(server)
    scheme = {"http": "ws", "https": "wss"}.get(parts.scheme, parts.scheme)
    if scheme not in ("ws", "wss") or not parts.netloc:
        raise StreamError(
            f"'{server}' is not a server's address; give one like http://127.0.0.1:8787."
        )
    path = parts.path if parts.path.strip("/") else "/v1/ingest"
    return f"{scheme}://{parts.netloc}{path}"


def stream_blocks(
    blocks: Iterable[Block],
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

    When `blocks` fails, the call is ended in order, so that its report has everything captured
    so far, and the failure is raised.

    Args:
        blocks: what to send.
        url: the server's ingest address.
        channels: order of the channels on the wire.
        sample_rate_hz: rate of the audio.
        speed: 1 is real time; 0 sends as fast as the server takes it.
        agent: who takes the call.
        on_started: told the call id, just before the first audio.
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
            _send(socket, start)
            started = _expect(socket, "started")
            if on_started is not None:
                on_started(started["call_id"])
            try:
                _send_all(socket, blocks, channels, speed, progress)
            finally:
                _send(socket, {"type": "stop"})
                report = str(_expect(socket, "stopped", timeout_s=60.0)["report"])
            return report
    except (OSError, InvalidHandshake, InvalidURI) as error:
        raise StreamError(
            f"No Heartline server answers at {url}; start one with `heartline serve`."
        ) from error
    except ConnectionClosed as error:
        raise StreamError(
            f"The server closed the call ({error.rcvd or 'connection lost'})."
        ) from error


def _send_all(
    socket: ClientConnection,
    blocks: Iterable[Block],
    channels: tuple[Channel, ...],
    speed: float,
    progress: Callable[[int], None] | None,
) -> None:
    began_s = time.monotonic()
    for block in blocks:
        chunks = {item.channel: item for item in block if isinstance(item, AudioChunk)}
        any_chunk = next(iter(chunks.values()))
        end_ms = any_chunk.end_ms
        _wait_until(began_s, end_ms, speed)
        for gap in block:
            if isinstance(gap, AudioGap):
                length_ms = gap.end_ms - gap.begin_ms
                message = {"channel": gap.channel, "ms": length_ms, "reason": gap.reason}
                _send(socket, {"type": "gap", **message})
        placeholder = np.zeros_like(any_chunk.samples)
        sides = [chunks[c].samples if c in chunks else placeholder for c in channels]
        socket.send(_interleave(sides))
        _take_acks(socket)
        if progress is not None:
            progress(end_ms)


class _Lane:
    """Samples of one device that wait for the other's, gaps filled with placeholders."""

    def __init__(self, channel: Channel, sample_rate_hz: int) -> None:
        self._channel = channel
        self._rate_hz = sample_rate_hz
        self._gaps: list[tuple[int, AudioGap]] = []
        self._first = 0
        self.samples: Samples = np.zeros(0, dtype=np.float32)

    def take(self, item: AudioChunk | AudioGap) -> None:
        values: Samples
        if isinstance(item, AudioGap):
            count = (item.end_ms - item.begin_ms) * self._rate_hz // 1000
            values = np.zeros(count, dtype=np.float32)
            self._gaps.append((self._first + len(self.samples), item))
        else:
            values = item.samples
        self.samples = np.concatenate([self.samples, values])

    @property
    def ready(self) -> int:
        """Samples up to the next gap that does not begin here."""
        later = [begin - self._first for begin, _ in self._gaps if begin > self._first]
        return min([len(self.samples), *later])

    def give(self, count: int) -> Block:
        begun = [gap for begin, gap in self._gaps if begin <= self._first]
        self._gaps = [(begin, gap) for begin, gap in self._gaps if begin > self._first]
        chunk = AudioChunk(
            channel=self._channel,
            first_sample=self._first,
            samples=self.samples[:count],
            sample_rate_hz=self._rate_hz,
        )
        self.samples = self.samples[count:]
        self._first += count
        return [*begun, chunk]


def to_blocks(items: Iterable[AudioChunk | AudioGap], sample_rate_hz: int) -> Iterator[Block]:
    """Pair up two live devices; audio that one of them lost stays a gap of its own length."""
    lanes = {c: _Lane(c, sample_rate_hz) for c in (Channel.AGENT, Channel.CUSTOMER)}
    longest = sample_rate_hz // 5
    for item in items:
        lanes[item.channel].take(item)
        while count := min(longest, *(lane.ready for lane in lanes.values())):
            yield [part for lane in lanes.values() for part in lane.give(count)]


def _send(socket: ClientConnection, message: dict[str, Any]) -> None:
    socket.send(msgspec.json.encode(message).decode())


def _wait_until(began_s: float, position_ms: int, speed: float) -> None:
    if speed > 0:
        delay_s = began_s + position_ms / 1000 / speed - time.monotonic()
        if delay_s > 0:
            time.sleep(delay_s)


def _interleave(sides: list[Samples]) -> bytes:
    samples = np.stack(sides, axis=1)
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
