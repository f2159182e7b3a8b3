"""The native ingest protocol without sockets: messages in, items and replies out.

`feed_text` and `feed_bytes` take what the source sent and return what it means; they raise
`IngestError` with a stable code and the close code of the wire protocol. Version 1.
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
    """One source's connection; `start` is None until its first message was accepted."""

    def __init__(self) -> None:
        self.start: Start | None = None
        self._next_sample = 0
        self._masked_until: dict[Channel, int] = {}
        """Sample up to which a channel's audio is placeholders for what was lost."""
        self._unknown = 0

    def feed_text(self, text: str | bytes) -> list[Item]:
        """Take a text message.

        Raises:
            IngestError: it is not one that is allowed now.
        """
        if self.start is None:
            self.start = _read_start(text)
            return []
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
            IngestError: audio before `start`, too much of it, or a partial sample frame.
        """
        if self.start is None:
            raise IngestError("bad_start", 4400, "Audio came before the start message.")
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
        first, self._next_sample = self._next_sample, self._next_sample + len(samples)
        return [
            chunk
            for i, channel in enumerate(self.start.channels)
            if (chunk := self._chunk(channel, first, samples[:, i])) is not None
        ]

    def _chunk(self, channel: Channel, first: int, samples: Samples) -> AudioChunk | None:
        assert self.start is not None  # noqa: S101 - only called after the start message
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
        assert self.start is not None  # noqa: S101 - only called after the start message
        length_ms, name = message.get("ms"), message.get("channel")
        if type(length_ms) is not int or not 0 < length_ms <= 43_200_000:
            raise IngestError("bad_message", 4400, "A gap needs ms, a positive whole number.")
        if name is not None and name not in self.start.channels:
            raise IngestError("bad_message", 4400, "A gap names a channel this call does not have.")
        begin = self._next_sample
        end = begin + length_ms * self.start.sample_rate // 1000
        if name is None:
            channels = self.start.channels
            self._next_sample = end
        else:
            channels = (Channel(name),)
            self._masked_until[Channel(name)] = end
        reason = str(message.get("reason", "loss"))
        return [
            AudioGap(
                at_ms=end * 1000 // self.start.sample_rate,
                channel=channel,
                begin_ms=begin * 1000 // self.start.sample_rate,
                end_ms=end * 1000 // self.start.sample_rate,
                reason=reason if reason in _GAP_REASONS else "loss",
            )
            for channel in channels
        ]


def _read_start(text: str | bytes) -> Start:
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
