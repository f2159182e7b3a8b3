"""The native ingest protocol without sockets: messages in, items and replies out.

`read_start` reads the first message; `feed_text` and `feed_bytes` take what the source sent and
return what it means. All raise `IngestError` with a stable code and the close code of the wire
protocol. Version 1.
"""

from __future__ import annotations

import re
from typing import Any, Literal

import msgspec
import numpy as np

from audio.chunks import AudioChunk, Samples
from audio.g711 import decode
from conversation.events import (
    AudioGap,
    CapturePaused,
    CaptureResumed,
    Channel,
    HoldEnded,
    HoldStarted,
)

MAX_MESSAGE_BYTES = 65_536
_RATES = {
    "pcm_s16le": (8_000, 16_000, 24_000, 32_000, 44_100, 48_000),
    "mulaw": (8_000,),
    "alaw": (8_000,),
}
_CALL_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_CHANNELS = (
    (Channel.AGENT, Channel.CUSTOMER),
    (Channel.CUSTOMER, Channel.AGENT),
    (Channel.MIXED,),
)
_UNKNOWN_TYPES_ALLOWED = 9
_GAP_REASONS = frozenset("loss late pause discard disconnect dtx mute overrun device".split())


class IngestError(Exception):
    """The source broke the protocol; `close_code` ends the socket."""

    def __init__(self, code: str, close_code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.close_code = close_code


class Start(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """First message of a source."""

    type: Literal["start"]
    version: int
    channels: tuple[Channel, ...]
    encoding: str
    sample_rate: int
    call_id: str | None = None
    agent: str | None = None
    metadata: dict[str, str] = {}
    resume_from_ms: int | None = None
    """Position of the first sample that will be sent, of a call that lost its socket."""

    @property
    def format(self) -> tuple[tuple[Channel, ...], str, int]:
        """What may not change when a call goes on over another socket."""
        return self.channels, self.encoding, self.sample_rate


class Stop(msgspec.Struct, frozen=True):
    """The source says that the call is over."""


Item = AudioChunk | AudioGap | HoldStarted | HoldEnded | CapturePaused | CaptureResumed | Stop

_CONTROL: dict[str, Any] = {
    "pause": lambda: CapturePaused(at_ms=0, mode="manual"),
    "resume": lambda: CaptureResumed(at_ms=0),
    "hold": lambda: HoldStarted(at_ms=0),
    "unhold": lambda: HoldEnded(at_ms=0),
    "stop": Stop,
}


class IngestDecoder:
    """One call's audio, over one socket or several after each other."""

    def __init__(self, start: Start) -> None:
        self.start = start
        self._next_sample = 0
        self._known_samples = 0
        """Samples a resuming source sends again; they are dropped."""
        self._masked_until: dict[Channel, int] = {}
        """Sample up to which a channel's audio is placeholders for what was lost."""
        self._unknown = 0

    @property
    def position_ms(self) -> int:
        """Stream time of the next sample that the source will send."""
        known = self._next_sample - self._known_samples
        return known * 1000 // self.start.sample_rate

    def resume(self, start: Start) -> list[Item]:
        """Go on over another socket; audio that never came is a `disconnect` gap.

        Raises:
            IngestError: the format is another, or the position is missing.
        """
        if start.format != self.start.format:
            raise IngestError("format_changed", 4412, "A call keeps its channels and encoding.")
        if start.resume_from_ms is None or start.resume_from_ms < 0:
            raise IngestError("bad_start", 4400, "A call that goes on needs resume_from_ms.")
        begin = self._next_sample
        end = start.resume_from_ms * self.start.sample_rate // 1000
        self._known_samples = max(0, begin - end)
        self._next_sample = max(begin, end)
        return self._gaps(self.start.channels, begin, end, "disconnect") if end > begin else []

    def feed_text(self, text: str | bytes) -> list[Item]:
        """Take a text message.

        Raises:
            IngestError: it is not one that is allowed now.
        """
        try:
            message = msgspec.json.decode(text, type=dict[str, Any])
        except msgspec.MsgspecError as error:
            raise IngestError("bad_message", 4400, "The message is not a JSON object.") from error
        kind = message.get("type")
        if kind == "gap":
            return self._gap(message)
        if kind in _CONTROL:
            return [_CONTROL[kind]()]
        self._unknown += 1
        if self._unknown > _UNKNOWN_TYPES_ALLOWED:
            raise IngestError("bad_message", 4400, "Too many messages of unknown type.")
        return []

    def feed_bytes(self, data: bytes) -> list[Item]:
        """Take interleaved samples.

        Raises:
            IngestError: too much at once, or a partial sample frame.
        """
        if len(data) > MAX_MESSAGE_BYTES:
            raise IngestError("too_large", 1009, f"A message may have {MAX_MESSAGE_BYTES} bytes.")
        width = (2 if self.start.encoding == "pcm_s16le" else 1) * len(self.start.channels)
        if len(data) % width:
            raise IngestError(
                "bad_audio",
                4422,
                f"{len(data)} bytes are not whole sample frames of {width} bytes.",
            )
        samples = decode(data, self.start.encoding).reshape(-1, len(self.start.channels))
        known = min(self._known_samples, len(samples))
        self._known_samples -= known
        samples = samples[known:]
        first, self._next_sample = self._next_sample, self._next_sample + len(samples)
        return [
            chunk
            for i, channel in enumerate(self.start.channels)
            if (chunk := self._chunk(channel, first, samples[:, i])) is not None
        ]

    def _chunk(self, channel: Channel, first: int, samples: Samples) -> AudioChunk | None:
        masked = min(max(0, self._masked_until.get(channel, 0) - first), len(samples))
        if masked == len(samples):
            return None
        return AudioChunk(
            channel=channel,
            first_sample=first + masked,
            samples=np.ascontiguousarray(samples[masked:]),
            sample_rate_hz=self.start.sample_rate,
        )

    def _gap(self, message: dict[str, Any]) -> list[Item]:
        """Without `channel` no samples follow; with it, that channel's next ones mean nothing."""
        length_ms, name = message.get("ms"), message.get("channel")
        if type(length_ms) is not int or not 0 < length_ms <= 43_200_000:
            raise IngestError("bad_message", 4400, "A gap needs ms, a positive whole number.")
        if name is not None and name not in self.start.channels:
            raise IngestError("bad_message", 4400, "A gap names a channel this call does not have.")
        length = length_ms * self.start.sample_rate // 1000
        known = min(self._known_samples, length) if name is None else 0
        self._known_samples -= known
        begin = self._next_sample
        end = begin + length - known
        if end == begin:
            return []
        if name is None:
            channels = self.start.channels
            self._next_sample = end
        else:
            channels = (Channel(name),)
            self._masked_until[Channel(name)] = end
        reason = str(message.get("reason", "loss"))
        return self._gaps(channels, begin, end, reason if reason in _GAP_REASONS else "loss")

    def _gaps(self, channels: tuple[Channel, ...], begin: int, end: int, reason: str) -> list[Item]:
        rate_hz = self.start.sample_rate
        return [
            AudioGap(
                at_ms=end * 1000 // rate_hz,
                channel=channel,
                begin_ms=begin * 1000 // rate_hz,
                end_ms=end * 1000 // rate_hz,
                reason=reason,
            )
            for channel in channels
        ]


def read_start(text: str | bytes) -> Start:
    """Read a source's first message.

    Raises:
        IngestError: it is not a start message that this server can serve.
    """
    try:
        start = msgspec.json.decode(text, type=Start)
    except msgspec.MsgspecError as error:
        raise IngestError("bad_start", 4400, f"The start message is not valid: {error}.") from error
    if start.version != 1:
        raise IngestError(
            "unsupported_version",
            4400,
            f"Version {start.version} is unknown; this server speaks 1.",
        )
    if start.channels not in _CHANNELS:
        raise IngestError(
            "unsupported_format", 4415, "channels must be agent and customer, or mixed."
        )
    if start.sample_rate not in _RATES.get(start.encoding, ()):
        raise IngestError(
            "unsupported_format",
            4415,
            f"{start.encoding} at {start.sample_rate} Hz cannot be used; pcm_s16le from 8000 to "
            "48000 Hz, mulaw and alaw at 8000 Hz can.",
        )
    if start.call_id is not None and not _CALL_ID.fullmatch(start.call_id):
        raise IngestError("bad_start", 4400, "call_id must match [A-Za-z0-9_-]{1,64}.")
    return start
