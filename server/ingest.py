"""The native ingest protocol without sockets: messages in, items and replies out.

`read_start` reads the first message; `feed_text` and `feed_bytes` take what the source sent and
return what it means. All raise `IngestError` with a stable code and the close code of the wire
protocol. Version 1; docs/ingest.md describes it.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
import numpy as np
from msgspec import Meta

from audio.chunks import AudioChunk, Samples
from audio.g711 import decode
from conversation.events import (
    AudioGap,
    CallEnded,
    CapturePaused,
    CaptureResumed,
    Channel,
    HoldEnded,
    HoldStarted,
)
from server.adapters.contract import (
    CONSENTS,
    GAP_REASONS,
    MAX_GAP_MS,
    IngestError,
    Item,
    check_call_id,
    gap,
)
from server.store import CallSource

MAX_MESSAGE_BYTES = 65_536
_RATES = {
    "pcm_s16le": (8_000, 16_000, 24_000, 32_000, 44_100, 48_000),
    "mulaw": (8_000,),
    "alaw": (8_000,),
}
_CHANNELS = (
    (Channel.AGENT, Channel.CUSTOMER),
    (Channel.CUSTOMER, Channel.AGENT),
    (Channel.AGENT,),
    (Channel.CUSTOMER,),
    (Channel.MIXED,),
)
_BAD_MESSAGES_ALLOWED = 9
_CLOCK_STEP_MS = 10
"""This machine's clock is rounded to this when it must measure a pause."""

_Name = Annotated[str, Meta(max_length=256)]


class Start(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """First message of a source."""

    type: Literal["start"]
    version: int
    channels: tuple[Channel, ...]
    encoding: str
    sample_rate: int
    call_id: str | None = None
    agent: _Name | None = None
    metadata: Annotated[dict[_Name, _Name], Meta(max_length=32)] = {}
    resume_from_ms: int | None = None
    """Position of the first sample that will be sent, of a call that lost its socket."""

    @property
    def format(self) -> CallSource:
        """What may not change when a call goes on over another socket."""
        return CallSource(
            sample_rate_hz=self.sample_rate, encoding=self.encoding, channels=self.channels
        )

    def check_format(self, known: CallSource) -> None:
        """Compare the format with that of the call so far.

        Raises:
            IngestError: it is another.
        """
        if self.format != known:
            raise IngestError("format_changed", 4412, "A call keeps its channels and encoding.")


class _Control(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="type"):
    """Base of what a source may say while a call goes on."""


class _Pause(_Control, frozen=True, tag="pause"):
    """Nothing is captured from here on."""


class _Resume(_Control, frozen=True, tag="resume"):
    """Capture goes on."""

    paused_ms: Annotated[int, Meta(ge=0, le=MAX_GAP_MS)] | None = None


class _Hold(_Control, frozen=True, tag="hold"):
    """The caller is on hold."""


class _Unhold(_Control, frozen=True, tag="unhold"):
    """The caller is back."""


class _Stop(_Control, frozen=True, tag="stop"):
    """The call is over."""


class _Gap(_Control, frozen=True, tag="gap"):
    """Audio that is missing."""

    ms: Annotated[int, Meta(gt=0, le=MAX_GAP_MS)]
    channel: Channel | None = None
    reason: str = "loss"


_CONTROLS = msgspec.json.Decoder(_Pause | _Resume | _Hold | _Unhold | _Stop | _Gap)
SAYS = (Start, _Pause, _Resume, _Hold, _Unhold, _Stop, _Gap)
"""Every text message that a source may send, for the published description."""


class IngestDecoder:
    """One call's audio, over one socket or several after each other."""

    def __init__(self, start: Start) -> None:
        self.start = start
        self._width = (2 if start.encoding == "pcm_s16le" else 1) * len(start.channels)
        self._next_sample = 0
        self._known_samples = 0
        """Samples a resuming source sends again; they are dropped."""
        self._masked_until: dict[Channel, int] = {}
        """Sample up to which a channel's audio is placeholders for what was lost."""
        self._paused: tuple[int, int] | None = None
        """Sample and time at which capture was paused."""
        self._bad_messages = 0

    @property
    def position_ms(self) -> int:
        """Stream time of the next sample that the source will send."""
        known = self._next_sample - self._known_samples
        return known * 1000 // self.start.sample_rate

    @property
    def newest_ms(self) -> int:
        """Stream time after the newest sample that is known."""
        return self._next_sample * 1000 // self.start.sample_rate

    def fresh_ms(self, data: bytes) -> float:
        """Return how much of a message is not known yet."""
        frames = len(data) // self._width
        return max(0, frames - self._known_samples) * 1000 / self.start.sample_rate

    def begin_at(self, position_ms: int) -> None:
        """Begin in the middle of a call that another process has heard so far."""
        self._next_sample = position_ms * self.start.sample_rate // 1000

    def pause_here(self, now_ms: int) -> None:
        """Know that capture is paused, although that was said to another process."""
        self._paused = (self._next_sample - self._known_samples, now_ms)

    def resume(self, start: Start) -> list[Item]:
        """Go on over another socket; audio that never came is a `disconnect` gap.

        Raises:
            IngestError: the format is another, or the position is missing.
        """
        start.check_format(self.start.format)
        if start.resume_from_ms is None or not 0 <= start.resume_from_ms <= MAX_GAP_MS:
            raise IngestError("bad_start", 4400, "A call that goes on needs resume_from_ms.")
        begin = self._next_sample
        end = start.resume_from_ms * self.start.sample_rate // 1000
        self._known_samples = max(0, begin - end)
        self._next_sample = max(begin, end)
        self._bad_messages = 0
        return self._gaps(self.start.channels, begin, end, "disconnect") if end > begin else []

    def feed_text(self, text: str | bytes, now_ms: int = 0) -> list[Item]:
        """Take a text message; `now_ms` is any clock that never goes back.

        Raises:
            IngestError: it is too long, or not one that is allowed; the tenth such is fatal.
        """
        data = text.encode("utf-8", "replace") if isinstance(text, str) else text
        if len(data) > MAX_MESSAGE_BYTES:
            raise IngestError("too_large", 1009, f"A message may have {MAX_MESSAGE_BYTES} bytes.")
        try:
            message = _CONTROLS.decode(data)
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
            raise self._bad("The message is not one of the protocol's.") from error
        match message:
            case _Pause():
                if self._paused is None:
                    self._paused = (self._next_sample, now_ms)
                return [CapturePaused(at_ms=0, mode="manual")]
            case _Resume(paused_ms=paused_ms):
                return [*self._paused_gap(paused_ms, now_ms), CaptureResumed(at_ms=0)]
            case _Hold():
                return [HoldStarted(at_ms=0)]
            case _Unhold():
                return [HoldEnded(at_ms=0)]
            case _Gap():
                return self._gap(message)
            case _Stop():
                return [CallEnded(at_ms=0, reason="ended")]
        raise AssertionError(message)

    def feed_bytes(self, data: bytes) -> list[Item]:
        """Take interleaved samples.

        Raises:
            IngestError: too much at once, or a partial sample frame.
        """
        if len(data) > MAX_MESSAGE_BYTES:
            raise IngestError("too_large", 1009, f"A message may have {MAX_MESSAGE_BYTES} bytes.")
        if len(data) % self._width:
            raise IngestError(
                "bad_audio",
                4422,
                f"{len(data)} bytes are not whole sample frames of {self._width} bytes.",
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

    def _bad(self, what: str) -> IngestError:
        self._bad_messages += 1
        fatal = self._bad_messages > _BAD_MESSAGES_ALLOWED
        return IngestError("bad_message", 4400, what, fatal=fatal)

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

    def _gap(self, message: _Gap) -> list[Item]:
        """Without `channel` no samples follow; with it, that channel's next ones mean nothing."""
        if message.channel is not None and message.channel not in self.start.channels:
            raise self._bad("A gap names a channel that this call does not have.")
        length = message.ms * self.start.sample_rate // 1000
        reason = message.reason if message.reason in GAP_REASONS else "loss"
        if message.channel is None:
            return self._advance(length, reason)
        begin = self._next_sample
        end = begin + length - self._known_samples
        if end <= begin:
            return []
        self._masked_until[message.channel] = end
        return self._gaps((message.channel,), begin, end, reason)

    def _advance(self, length: int, reason: str, clock: str | None = None) -> list[Item]:
        """Move every channel over samples that are not sent, less those that are known."""
        known = min(self._known_samples, length)
        self._known_samples -= known
        begin = self._next_sample
        end = begin + length - known
        if end == begin:
            return []
        self._next_sample = end
        return self._gaps(self.start.channels, begin, end, reason, clock)

    def _paused_gap(self, paused_ms: int | None, now_ms: int) -> list[Item]:
        """What of a pause the source did not fill with audio that was thrown away."""
        if self._paused is None:
            return []
        (first, since_ms), self._paused = self._paused, None
        sent = self._next_sample - first
        rate_hz = self.start.sample_rate
        if paused_ms is not None:
            return self._advance(max(0, paused_ms * rate_hz // 1000 - sent), "pause")
        if sent:
            return []
        passed_ms = round((now_ms - since_ms) / _CLOCK_STEP_MS) * _CLOCK_STEP_MS
        return self._advance(min(passed_ms, MAX_GAP_MS) * rate_hz // 1000, "pause", "server")

    def _gaps(
        self,
        channels: tuple[Channel, ...],
        begin: int,
        end: int,
        reason: str,
        clock: str | None = None,
    ) -> list[Item]:
        gaps: list[Item] = []
        for channel in channels:
            missing: AudioGap = gap(channel, begin, end, self.start.sample_rate, reason)
            gaps.append(msgspec.structs.replace(missing, clock=clock))
        return gaps


def read_start(text: str | bytes) -> Start:
    """Read a source's first message.

    Raises:
        IngestError: it is not a start message that this server can serve.
    """
    try:
        start = msgspec.json.decode(text, type=Start)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise IngestError("bad_start", 4400, f"The start message is not valid: {error}.") from error
    if start.version != 1:
        raise IngestError(
            "unsupported_version",
            4400,
            f"Version {start.version} is unknown; this server speaks 1.",
        )
    if start.channels not in _CHANNELS:
        raise IngestError(
            "unsupported_format",
            4415,
            "channels must be one or both of agent and customer, or mixed alone.",
        )
    if start.sample_rate not in _RATES.get(start.encoding, ()):
        raise IngestError(
            "unsupported_format",
            4415,
            f"This encoding cannot be used at {start.sample_rate} Hz; pcm_s16le from 8000 to "
            "48000 Hz, mulaw and alaw at 8000 Hz can.",
        )
    if start.metadata.get("consent", "none") not in CONSENTS:
        raise IngestError(
            "bad_start", 4400, "metadata.consent must be none, announced, affirmed or refused."
        )
    if start.call_id is not None:
        # Whether a name before the last `~` is the source's own tenant, who knows it checks.
        check_call_id(start.call_id.rpartition("~")[2])
    return start


__all__ = ["MAX_MESSAGE_BYTES", "IngestDecoder", "IngestError", "Item", "Start", "read_start"]
