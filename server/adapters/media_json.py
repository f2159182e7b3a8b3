"""Twilio Media Streams and its relatives: JSON text with base64 audio, one decoder for all.

    connected?  start  (media | mark | dtmf)*  stop

Loss is read from each track's timestamps. Messages with numbers or timestamps pass a window of
200 ms, so that displaced ones are sorted; see `Track`.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from typing import Any

import msgspec

from audio.g711 import decode
from conversation.events import CallEnded
from server.adapters.contract import (
    PARTIES,
    BaseDecoder,
    CallOpened,
    IngestError,
    Item,
    clean_metadata,
    read_roles,
)
from server.adapters.dialects import Dialect, dialect_of, look_up
from server.adapters.tracks import Track

_RATES = frozenset({8_000, 16_000, 24_000, 32_000, 48_000})
_MAX_PAYLOAD_CHARACTERS = 65_536
_MAX_DIGITS = 12
_IGNORED = frozenset({"mark", "dtmf", "clear", "playedStream", "clearedAudio"})
_MAX_UNKNOWN = 1_000
_MAX_MISSING = 10_000
"""Message numbers that are waited for; a source that skips more does not number its messages."""


class MediaJsonDecoder(BaseDecoder):
    """One socket of the family."""

    audio_is_text = True

    def __init__(self, dialect: Dialect, *, roles: str = "", token: str = "") -> None:
        """Decode one dialect.

        Args:
            dialect: the vendor's spelling.
            roles: who is on which track, such as `inbound=agent`; empty: the vendor's default.
            token: secret that the stream's parameters must carry; empty: none.
        """
        super().__init__()
        self._dialect = dialect
        self._configured_roles = roles
        self._token = token
        self._tracks: dict[str, Track] | None = None
        self._encoding = ""
        self._rate_hz = 0
        self._next_number: int | None = None
        self._missing: set[int] = set()
        self._unknown = 0

    def feed(self, message: str | bytes) -> list[Item]:
        """Take a text message.

        Raises:
            IngestError: it is not one of this dialect's.
        """
        if isinstance(message, bytes):
            raise IngestError("bad_message", 4400, "This protocol sends JSON text, not binary.")
        try:
            fields = msgspec.json.decode(message, type=dict[str, Any])
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
            raise IngestError("bad_message", 4400, "The message is not a JSON object.") from error
        event = look_up(fields, self._dialect.event)
        if event == "connected" and self._tracks is None:
            return []
        if event == "start" and self._tracks is None:
            self._number(fields)
            return self._start(fields)
        if self._tracks is None:
            self._refuse(fields)
        self._number(fields)
        if event == "media":
            return self._media(fields)
        if event == "stop":
            return self._stop()
        if event not in _IGNORED:
            self._unknown += 1
            if self._unknown > _MAX_UNKNOWN:
                raise IngestError("bad_message", 4400, "Too many messages of unknown kind.")
        return self._settle()

    def _refuse(self, fields: dict[str, Any]) -> None:
        other = dialect_of(fields)
        hint = f"; this one is for /v1/ingest/{other.name}" if other else ""
        raise IngestError(
            "bad_start",
            4400,
            f"A {self._dialect.name} stream begins with its start message{hint}.",
        )

    # ------------------------------------------------------------------ start

    def _start(self, fields: dict[str, Any]) -> list[Item]:
        dialect = self._dialect
        if look_up(fields, dialect.hello) is None:
            self._refuse(fields)
        parameters = self._parameters(fields)
        given = parameters.pop("token", "")
        if self._token and not hmac.compare_digest(given.encode(), self._token.encode()):
            raise IngestError("unauthorized", 4401, "The stream carries no valid token.")
        self._encoding, self._rate_hz = self._format(fields)
        names = self._track_names(fields)
        known = {name: dialect.roles[name] for name in names}
        roles = read_roles(self._configured_roles, known)
        roles = read_roles(parameters.pop("heartline_roles", ""), roles)
        reason = "loss" if dialect.ordered else "late"
        self._tracks = {
            name: Track(channel, self._rate_hz, reason) for name, channel in roles.items()
        }
        call_id = look_up(fields, dialect.call_id)
        channels = tuple(party for party in PARTIES if party in roles.values())
        return [
            CallOpened(
                source=dialect.name,
                channels=channels,
                sample_rate_hz=self._rate_hz,
                vendor_id=call_id[:256] if isinstance(call_id, str) else None,
                agent=parameters.pop("agent", None),
                metadata=parameters,
                roles=roles,
            )
        ]

    def _parameters(self, fields: dict[str, Any]) -> dict[str, str]:
        stated = look_up(fields, self._dialect.parameters)
        if isinstance(stated, str):
            try:
                stated = msgspec.json.decode(stated)
            except (msgspec.MsgspecError, UnicodeError, RecursionError):
                stated = None
        return clean_metadata(stated)

    def _format(self, fields: dict[str, Any]) -> tuple[str, int]:
        dialect = self._dialect
        stated = look_up(fields, dialect.encoding)
        encoding = dialect.default_encoding
        if stated is not None:
            encoding = dialect.encodings.get(str(stated), "")
        rate_hz = _number(look_up(fields, dialect.rate), default=8_000)
        usable = _RATES if encoding == "pcm_s16le" else {8_000}
        if not encoding or rate_hz not in usable:
            raise IngestError(
                "unsupported_format",
                4415,
                f"{str(stated)[:40]} at {rate_hz} Hz cannot be used; set the stream to µ-law, "
                "A-law or 16-bit linear.",
            )
        return encoding, rate_hz

    def _track_names(self, fields: dict[str, Any]) -> list[str]:
        stated = look_up(fields, self._dialect.tracks)
        names = []
        for entry in stated if isinstance(stated, list) else []:
            name = entry.get("name") if isinstance(entry, dict) else entry
            names.append(str(name).removesuffix("_track"))
        names = [name for name in dict.fromkeys(names) if name in self._dialect.roles]
        return names or list(self._dialect.default_tracks)

    # ------------------------------------------------------------------ audio

    def _media(self, fields: dict[str, Any]) -> list[Item]:
        assert self._tracks is not None  # noqa: S101 - media comes after start
        name = look_up(fields, self._dialect.track)
        if name is None:
            name = next(iter(self._tracks))
        track = self._tracks.get(str(name).removesuffix("_track"))
        if track is None:
            return self._settle()
        payload = look_up(fields, self._dialect.payload)
        if not isinstance(payload, str) or len(payload) > _MAX_PAYLOAD_CHARACTERS:
            raise IngestError("bad_message", 4400, "A media message needs a base64 payload.")
        try:
            samples = decode(base64.b64decode(payload, validate=True), self._encoding)
        except (binascii.Error, ValueError) as error:
            raise IngestError("bad_audio", 4422, "A payload is not whole samples.") from error
        position = track.next_sample
        at_ms = look_up(fields, self._dialect.timestamp)
        if at_ms is not None:
            position = _number(at_ms, default=0) * self._rate_hz // 1000
        items = track.push(position, samples, complete=self._complete)
        return items if not self._complete else [*items, *self._settle()]

    def _settle(self) -> list[Item]:
        """Give out what waits once every message up to now is known to have come."""
        if not self._complete or self._tracks is None:
            return []
        return [item for track in self._tracks.values() for item in track.flush()]

    def _stop(self) -> list[Item]:
        assert self._tracks is not None  # noqa: S101 - stop comes after start
        items: list[Item] = []
        for track in self._tracks.values():
            items += track.flush()
        return [*items, CallEnded(at_ms=0, reason="ended")]

    # ------------------------------------------------------------------ numbers

    @property
    def _complete(self) -> bool:
        """Whether the numbers show that nothing is still on its way."""
        return self._next_number is not None and not self._missing

    def _number(self, fields: dict[str, Any]) -> None:
        if not self._dialect.sequence:
            return
        number = _number(look_up(fields, self._dialect.sequence), default=-1)
        if number < 0:
            return
        if self._next_number is None:
            self._next_number = number + 1
        elif number >= self._next_number:
            if number - self._next_number < _MAX_MISSING - len(self._missing):
                self._missing.update(range(self._next_number, number))
            self._next_number = number + 1
        else:
            self._missing.discard(number)


def _number(value: object, *, default: int) -> int:
    """Read a number that a vendor writes as a number or as text.

    Raises:
        IngestError: it is neither.
    """
    if value is None:
        return default
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= _MAX_DIGITS:
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise IngestError("bad_message", 4400, "A number in the message is not a whole number.")
