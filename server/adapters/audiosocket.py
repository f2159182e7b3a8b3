"""Asterisk's AudioSocket: frames of kind, length and payload over TCP.

The first frame is a UUID, the only thing that the protocol says of a call; streams whose UUID was
not announced are hung up. Frames are 20 ms of 16-bit samples, little-endian, although the length
is big-endian.
"""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from audio.chunks import AudioChunk
from audio.g711 import decode
from conversation.events import CallEnded
from server.adapters.contract import BaseDecoder, CallOpened, IngestError, Item
from server.expected import ExpectedStream, call_channels

_HEADER = 3
_HANG_UP, _UUID, _DTMF, _ERROR = 0x00, 0x01, 0x03, 0xFF
_EARLY_16K = 0x11
"""Early releases sent 16 kHz under the kind that now means 12 kHz."""
_RATES = {
    0x10: 8_000,
    0x11: 12_000,
    0x12: 16_000,
    0x13: 24_000,
    0x14: 32_000,
    0x15: 44_100,
    0x16: 48_000,
    0x17: 96_000,
    0x18: 192_000,
}
_FRAME_BYTES_16K = 640
"""20 ms at 16 kHz; at 12 kHz they have 480."""
_HANG_UP_FRAME = b"\x00\x00\x00"


class AudioSocketDecoder(BaseDecoder):
    """One connection; `feed` takes bytes in any pieces."""

    def __init__(
        self, expected: Callable[[str], ExpectedStream | None], *, kind_11_hz: int = 0
    ) -> None:
        """Decode one connection.

        Args:
            expected: returns what was announced under a UUID, None when nothing was.
            kind_11_hz: rate of kind 0x11; 0 tells by the length of the first frame.
        """
        super().__init__()
        self._expected = expected
        self._kind_11_hz = kind_11_hz
        self._buffer = bytearray()
        self._stream: ExpectedStream | None = None
        self._audio_kind: int | None = None
        self._rate_hz = 0
        self._next = 0
        self._over = False

    def feed(self, message: str | bytes) -> list[Item]:
        """Take the next bytes.

        Raises:
            IngestError: a frame that cannot be here.
        """
        if self._over or isinstance(message, str):
            return []
        self._buffer += message
        items: list[Item] = []
        while not self._over and len(self._buffer) >= _HEADER:
            end = _HEADER + int.from_bytes(self._buffer[1:_HEADER], "big")
            if len(self._buffer) < end:
                break
            kind, payload = self._buffer[0], bytes(self._buffer[_HEADER:end])
            del self._buffer[:end]
            items += self._frame(kind, payload)
        return items

    def drain(self) -> None:
        """Hang up: this source cannot come back."""
        self._replies.append(_HANG_UP_FRAME)

    def _frame(self, kind: int, payload: bytes) -> list[Item]:
        if kind == _UUID and self._stream is None:
            return self._identify(payload)
        if self._stream is None:
            raise IngestError("bad_start", 4400, "The first frame is not a UUID.")
        if kind == _HANG_UP:
            self._over = True
            return [CallEnded(at_ms=0, reason="ended")]
        if kind == _ERROR:
            self._over = True
            return [CallEnded(at_ms=0, reason="source_error")]
        if kind == _DTMF:
            return []
        if kind not in _RATES:
            raise IngestError("bad_message", 4400, f"Frames of kind {kind:#04x} are unknown.")
        return self._audio(kind, payload)

    def _identify(self, payload: bytes) -> list[Item]:
        if len(payload) != 16:
            raise IngestError("bad_start", 4400, "A UUID has 16 bytes.")
        self._stream = self._expected(str(UUID(bytes=payload)))
        if self._stream is None:
            self._over = True
            self._replies.append(_HANG_UP_FRAME)
            raise IngestError("forbidden", 4403, "Nobody announced a stream with this UUID.")
        return []

    def _audio(self, kind: int, payload: bytes) -> list[Item]:
        assert self._stream is not None  # noqa: S101 - audio comes after the UUID
        if len(payload) % 2:
            raise IngestError("bad_audio", 4422, "A frame has half a sample.")
        if not payload:
            return []
        items: list[Item] = []
        if self._audio_kind is None:
            self._audio_kind = kind
            self._rate_hz = self._rate(kind, len(payload))
            items.append(self._opened(self._stream))
        elif kind != self._audio_kind:
            raise IngestError("format_changed", 4412, "A call keeps its sample rate.")
        samples = decode(payload, "pcm_s16le")
        items.append(
            AudioChunk(
                channel=self._stream.channel,
                first_sample=self._next,
                samples=samples,
                sample_rate_hz=self._rate_hz,
            )
        )
        self._next += len(samples)
        return items

    def _rate(self, kind: int, length: int) -> int:
        if kind != _EARLY_16K:
            return _RATES[kind]
        if self._kind_11_hz:
            return self._kind_11_hz
        return 16_000 if length % _FRAME_BYTES_16K == 0 else 12_000

    def _opened(self, stream: ExpectedStream) -> CallOpened:
        return CallOpened(
            source="audiosocket",
            channels=(stream.channel,),
            sample_rate_hz=self._rate_hz,
            vendor_id=stream.call or stream.id,
            call_channels=call_channels(stream.channel) if stream.call else (),
            agent=stream.agent,
            metadata=stream.metadata,
            roles={stream.id: stream.channel},
        )
