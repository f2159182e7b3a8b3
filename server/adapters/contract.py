"""The one contract between a source of calls and a call: what every decoder takes and gives.

A decoder is fed messages and gives items; the first item is `CallOpened`, the last one
`CallEnded`. What it wants to answer waits in `reply()`. It owns no socket and reads no clock:
the shell tells it the time with `tick`. Positions are samples of the source's own rate, counted
from the first sample of its stream.
"""

from __future__ import annotations

import re
from typing import Protocol

import msgspec

from audio.chunks import AudioChunk
from conversation.events import (
    AudioGap,
    CallEnded,
    CapturePaused,
    CaptureResumed,
    Channel,
    HoldEnded,
    HoldStarted,
)

PARTIES = (Channel.AGENT, Channel.CUSTOMER)
GAP_REASONS = frozenset("loss late pause discard disconnect dtx mute overrun device".split())
MAX_GAP_MS = 43_200_000
"""Longest gap that a source can mean, 12 h, the longest call."""
CONSENTS = frozenset({"none", "announced", "affirmed", "refused"})
_CALL_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_MAX_TEXT = 256
_MAX_PAIRS = 32


class IngestError(Exception):
    """The source broke the protocol or may not go on.

    `close_code` ends the socket when the error is `fatal`; `ends_call` says that no other socket
    may go on with the call; `retry_after_ms` says when to come back.
    """

    def __init__(
        self,
        code: str,
        close_code: int,
        message: str,
        *,
        fatal: bool = True,
        ends_call: bool = False,
        retry_after_ms: int | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.close_code = close_code
        self.fatal = fatal
        self.ends_call = ends_call
        self.retry_after_ms = retry_after_ms


class CallOpened(msgspec.Struct, frozen=True, kw_only=True):
    """Who calls and how it sounds."""

    source: str
    """Name of the kind of source, such as `twilio`."""
    channels: tuple[Channel, ...]
    """Channels that this stream carries."""
    sample_rate_hz: int
    vendor_id: str | None = None
    """The source's own id of the call: streams that name the same one belong together."""
    continues: tuple[str, ...] = ()
    """Ids of earlier streams that this one goes on from."""
    first_sample: int = 0
    """Position of the stream's first sample in the call, where the source knows it."""
    call_channels: tuple[Channel, ...] = ()
    """Channels of the whole call, when other streams bring the rest; empty: `channels`."""
    agent: str | None = None
    metadata: dict[str, str] = {}
    roles: dict[str, Channel] = {}
    """Which party each of the source's own tracks is taken for."""


Item = (
    CallOpened
    | AudioChunk
    | AudioGap
    | HoldStarted
    | HoldEnded
    | CapturePaused
    | CaptureResumed
    | CallEnded
)
"""What a decoder gives."""


class Decoder(Protocol):
    """One stream of a source."""

    ends_with_socket: bool
    """Whether an orderly close of the socket is how this source ends a call."""
    audio_is_text: bool
    """Whether audio comes as text, which then has no limit of its own."""

    @property
    def idle(self) -> bool:
        """Whether the stream has begun although it is no call, as when it is a probe."""

    def feed(self, message: str | bytes) -> list[Item]:
        """Take a message.

        Raises:
            IngestError: it is not one that can be served.
        """

    def reply(self) -> list[str | bytes]:
        """Return what is to be sent, and forget it."""

    def tick(self, now_ms: int) -> None:
        """Learn the time, milliseconds of any clock that never goes back."""

    def pause(self, paused: bool) -> None:
        """Learn that the agent has paused capture, or that it goes on."""

    def drain(self) -> None:
        """Learn that this server is about to stop."""


class BaseDecoder:
    """A decoder that never answers and needs no time."""

    ends_with_socket = False
    audio_is_text = False

    @property
    def idle(self) -> bool:
        """Never: a stream that begins is a call."""
        return False

    def __init__(self) -> None:
        self._replies: list[str | bytes] = []
        self._now_ms = 0

    def reply(self) -> list[str | bytes]:
        """Return what is to be sent, and forget it."""
        replies, self._replies = self._replies, []
        return replies

    def tick(self, now_ms: int) -> None:
        """Learn the time."""
        self._now_ms = now_ms

    def pause(self, paused: bool) -> None:
        """Nothing to tell: this source sends on, and what comes is thrown away."""

    def drain(self) -> None:
        """Nothing to tell: this source cannot come back."""


def check_call_id(call_id: str) -> str:
    """Return a call id that is one.

    Raises:
        IngestError: it has other characters, or too many.
    """
    if not _CALL_ID.fullmatch(call_id):
        raise IngestError("bad_start", 4400, "call_id must match [A-Za-z0-9_-]{1,64}.")
    return call_id


def call_id_of(vendor_id: str | None) -> str | None:
    """Return a source's own id as a call id, None when it cannot be one."""
    return vendor_id if vendor_id is not None and _CALL_ID.fullmatch(vendor_id) else None


def clean_metadata(pairs: object) -> dict[str, str]:
    """Keep what a telephony system says of a call within bounds: 32 pairs of 256 characters."""
    if not isinstance(pairs, dict):
        return {}
    kept = {
        str(key)[:_MAX_TEXT]: str(value)[:_MAX_TEXT]
        for key, value in list(pairs.items())[:_MAX_PAIRS]
        if isinstance(value, str | int | float | bool)
    }
    if kept.get("consent", "none") not in CONSENTS:
        del kept["consent"]
    return kept


def gap(channel: Channel, begin: int, end: int, rate_hz: int, reason: str) -> AudioGap:
    """Return the gap between two positions, samples of `rate_hz`."""
    begin_ms, end_ms = begin * 1000 // rate_hz, end * 1000 // rate_hz
    return AudioGap(at_ms=end_ms, channel=channel, begin_ms=begin_ms, end_ms=end_ms, reason=reason)


def read_roles(text: str, tracks: dict[str, Channel]) -> dict[str, Channel]:
    """Apply a mapping such as `inbound=agent` to the tracks of a source.

    Naming one track of two gives the other party to the other track.

    Raises:
        IngestError: a track or a role is unknown, or both tracks are the same party.
    """
    roles = dict(tracks)
    for pair in filter(None, (part.strip() for part in text.split(","))):
        track, _, role = pair.partition("=")
        if track not in roles or role not in PARTIES:
            known = ", ".join(roles)
            raise IngestError(
                "bad_start",
                4400,
                f"'{pair}' is not a role; write TRACK=agent with one of: {known}.",
            )
        roles[track] = Channel(role)
        for other in roles:
            if other != track:
                roles[other] = Channel(role).other
    return roles
