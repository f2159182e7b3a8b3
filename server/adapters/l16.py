"""Peers that say hello in text and then send 16-bit linear audio: one decoder, dialects as data.

What a hello does not say may stand in the query of the address: `call`, `channel`, `rate`, `mix`,
`agent`. Two streams that name the same call are its sides. The dialects are from vendors' texts
and are to be confirmed on first contact (`protocols.md` section 7).
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np

from audio.chunks import AudioChunk
from audio.g711 import decode
from conversation.events import CallEnded, Channel
from server.adapters.contract import (
    BaseDecoder,
    CallOpened,
    IngestError,
    Item,
    clean_metadata,
    read_roles,
)
from server.adapters.dialects import Path, look_up
from server.expected import call_channels

_RATES = (8_000, 16_000, 24_000, 32_000, 44_100, 48_000)
_MIME_RATE = re.compile(r"audio/l16;\s*rate=(\d{4,6})")
_SIDES = {"left": Channel.CUSTOMER, "right": Channel.AGENT}
"""The A leg, left, is who called in, unless configured otherwise."""
_MAX_TEXTS = 1_000


class L16Dialect(msgspec.Struct, frozen=True, kw_only=True):
    """One peer's hello."""

    name: str
    subprotocol: str | None = None
    """Must be echoed, or the peer leaves."""
    json: bool = True
    """Whether the hello is a JSON object; otherwise any text is one."""
    call_id: Path = ()
    rate: Path = ()
    mime: Path = ()
    """Key of a media type that ends with the rate."""
    mix: Path = ()
    """Key that says `mono`, `mixed` or `stereo`."""
    parameters: Path = ()
    expects: tuple[Path, str] | None = None
    """A key and the value that a hello must have."""
    answer: str | None = None
    """What the peer waits for."""
    ends: tuple[tuple[Path, str], ...] = ()
    """Keys and values of messages that end the call."""


L16_DIALECTS = {
    dialect.name: dialect
    for dialect in (
        L16Dialect(
            name="audio_stream",
            json=False,
            call_id=("call_id",),
            rate=("sampleRate",),
            mix=("mixType",),
        ),
        L16Dialect(
            name="audio_fork",
            subprotocol="audiostream.drachtio.org",
            json=False,
            call_id=("call_id",),
            rate=("sampleRate",),
            mix=("mixType",),
        ),
        L16Dialect(
            name="jambonz",
            subprotocol="audio.jambonz.org",
            call_id=("callSid",),
            rate=("sampleRate",),
            mix=("mixType",),
            parameters=("metadata",),
        ),
        L16Dialect(
            name="vonage",
            call_id=("call",),
            mime=("content-type",),
            expects=(("event",), "websocket:connected"),
            ends=((("event",), "websocket:disconnected"),),
        ),
        L16Dialect(
            name="sinch",
            call_id=("callId",),
            rate=("sampleRate",),
            expects=(("command",), "connect"),
            answer='{"command":"answer"}',
            ends=((("command",), "hangup"),),
        ),
    )
}
"""Every dialect by the last part of its address, `/v1/ingest/l16/NAME`."""


class L16Decoder(BaseDecoder):
    """One socket of the family."""

    ends_with_socket = True

    def __init__(
        self,
        dialect: L16Dialect,
        query: Mapping[str, str],
        *,
        roles: str = "",
        token: str = "",
    ) -> None:
        """Decode one dialect.

        Args:
            dialect: the peer's spelling.
            query: of the address.
            roles: who is on which side of a stereo stream, such as `left=agent`.
            token: secret that the hello must carry; empty: none.
        """
        super().__init__()
        self._dialect = dialect
        self._query = clean_metadata(dict(query))
        self._configured_roles = roles
        self._token = token
        self._channels: tuple[Channel, ...] = ()
        self._rate_hz = 0
        self._next = 0
        self._texts = 0

    def feed(self, message: str | bytes) -> list[Item]:
        """Take the hello, audio, or a later message.

        Raises:
            IngestError: it is not one of this dialect's.
        """
        if isinstance(message, bytes):
            return self._audio(message)
        if not self._channels:
            return self._hello(message)
        self._texts += 1
        if self._texts > _MAX_TEXTS:
            raise IngestError("bad_message", 4400, "Too many text messages.")
        fields = _read(message)
        if any(look_up(fields, path) == value for path, value in self._dialect.ends):
            return [CallEnded(at_ms=0, reason="ended")]
        return []

    def _hello(self, text: str) -> list[Item]:
        dialect = self._dialect
        fields = _read(text)
        if fields is None and dialect.json:
            raise IngestError("bad_start", 4400, f"A {dialect.name} hello is a JSON object.")
        fields = fields or {}
        if (
            dialect.expects is not None
            and look_up(fields, dialect.expects[0]) != dialect.expects[1]
        ):
            raise IngestError("bad_start", 4400, f"This is not a hello of {dialect.name}.")
        known = {
            **clean_metadata(look_up(fields, dialect.parameters) if dialect.parameters else fields),
            **self._query,
        }
        given = known.pop("token", "")
        if self._token and not hmac.compare_digest(given.encode(), self._token.encode()):
            raise IngestError("unauthorized", 4401, "The hello carries no valid token.")
        self._rate_hz = self._rate(fields, known)
        roles = self._roles(fields, known)
        self._channels = tuple(roles.values())
        call_id = known.get("call") or look_up(fields, dialect.call_id)
        if dialect.answer is not None:
            self._replies.append(dialect.answer)
        one_side = len(self._channels) == 1 and "call" in known
        return [
            CallOpened(
                source=dialect.name,
                channels=self._channels,
                sample_rate_hz=self._rate_hz,
                vendor_id=str(call_id)[:256] if call_id is not None else None,
                call_channels=call_channels(self._channels[0]) if one_side else (),
                agent=known.pop("agent", None),
                metadata=known,
                roles=roles,
            )
        ]

    def _rate(self, fields: dict[str, Any], known: dict[str, str]) -> int:
        mime = _MIME_RATE.match(str(look_up(fields, self._dialect.mime)))
        stated = mime[1] if mime else look_up(fields, self._dialect.rate)
        stated = known.pop("rate", stated)
        known_rates = {str(rate_hz): rate_hz for rate_hz in _RATES}
        if stated is None:
            return 8_000
        if str(stated) not in known_rates:
            raise IngestError("unsupported_format", 4415, f"{str(stated)[:12]} Hz cannot be used.")
        return known_rates[str(stated)]

    def _roles(self, fields: dict[str, Any], known: dict[str, str]) -> dict[str, Channel]:
        mix = known.pop("mix", None) or look_up(fields, self._dialect.mix)
        if mix == "stereo":
            sides = read_roles(self._configured_roles, _SIDES)
            return read_roles(known.pop("heartline_roles", ""), sides)
        role = known.pop("channel", Channel.MIXED)
        if role not in list(Channel):
            raise IngestError("bad_start", 4400, "channel must be agent, customer or mixed.")
        return {"mono": Channel(role)}

    def _audio(self, data: bytes) -> list[Item]:
        if not self._channels:
            raise IngestError("bad_start", 4400, "Audio came before the hello.")
        count = len(self._channels)
        if len(data) % (2 * count):
            raise IngestError("bad_audio", 4422, "A message is not whole samples.")
        samples = decode(data, "pcm_s16le").reshape(-1, count)
        first, self._next = self._next, self._next + len(samples)
        if len(samples) == 0:
            return []
        return [
            AudioChunk(
                channel=channel,
                first_sample=first,
                samples=np.ascontiguousarray(samples[:, i]),
                sample_rate_hz=self._rate_hz,
            )
            for i, channel in enumerate(self._channels)
        ]


def _read(text: str) -> dict[str, Any] | None:
    """Return a JSON object, None when the text is something else."""
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None
