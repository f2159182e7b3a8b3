"""Streams that were announced before they come, for sources that can say no more than an id."""

from __future__ import annotations

import time
from collections.abc import Callable

import msgspec

from conversation.events import Channel
from server.adapters.contract import PARTIES

_LIFETIME_S = 3_600.0
_MAX_EXPECTED = 2_000


class ExpectedStream(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is known of a stream that will come."""

    id: str
    """Id that the stream will give, such as AudioSocket's UUID."""
    call: str | None = None
    """Streams that name the same call are its sides; the stream's own id by default."""
    channel: Channel = Channel.MIXED
    """Who is heard on it."""
    agent: str | None = None
    metadata: dict[str, str] = {}


class ExpectedCalls:
    """The announced streams of the last hour, each taken once; at most 2,000."""

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        self._now_s = now_s
        self._streams: dict[str, tuple[float, ExpectedStream]] = {}

    def add(self, stream: ExpectedStream) -> None:
        """Announce a stream.

        Raises:
            OverflowError: too many are waiting.
        """
        now_s = self._now_s()
        self._streams = {k: v for k, v in self._streams.items() if v[0] >= now_s}
        if len(self._streams) >= _MAX_EXPECTED:
            raise OverflowError(f"{_MAX_EXPECTED} announced streams are waiting already.")
        self._streams[stream.id.lower()] = (now_s + _LIFETIME_S, stream)

    def take(self, stream_id: str) -> ExpectedStream | None:
        """Return what was announced under an id and forget it, None when nothing was."""
        until_s, stream = self._streams.pop(stream_id.lower(), (0.0, None))
        return stream if until_s >= self._now_s() else None


def call_channels(channel: Channel) -> tuple[Channel, ...]:
    """Channels of the call that one side belongs to."""
    return PARTIES if channel in PARTIES else (channel,)
