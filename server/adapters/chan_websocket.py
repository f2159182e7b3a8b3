"""Asterisk's chan_websocket: one control message, then binary audio of any size.

    MEDIA_START (JSON, or plain `MEDIA_START key:value ...`)  (audio | control)*  socket closed

What `v(...)` passes in the dial string arrives as the query of the address: `call` names the call
that this channel is one side of, `channel` says which.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from audio.chunks import AudioChunk
from audio.g711 import decode
from conversation.events import CallEnded, Channel
from server.adapters.contract import BaseDecoder, CallOpened, IngestError, Item, clean_metadata
from server.expected import call_channels

_FORMATS = {
    "ulaw": ("mulaw", 8_000),
    "alaw": ("alaw", 8_000),
    "slin": ("pcm_s16le", 8_000),
    "slin12": ("pcm_s16le", 12_000),
    "slin16": ("pcm_s16le", 16_000),
    "slin24": ("pcm_s16le", 24_000),
    "slin32": ("pcm_s16le", 32_000),
    "slin44": ("pcm_s16le", 44_100),
    "slin48": ("pcm_s16le", 48_000),
}
_IGNORED = frozenset(
    {"DTMF_END", "MEDIA_XON", "MEDIA_XOFF", "STATUS", "MEDIA_BUFFERING_COMPLETED", "QUEUE_DRAINED"}
)
_MAX_UNKNOWN = 100


class ChanWebsocketDecoder(BaseDecoder):
    """One connection, which carries one channel."""

    ends_with_socket = True

    def __init__(self, query: Mapping[str, str]) -> None:
        super().__init__()
        self._query = clean_metadata(dict(query))
        self._json = True
        self._channel: Channel | None = None
        self._encoding, self._rate_hz = "", 0
        self._rest = b""
        self._next = 0
        self._unknown = 0

    def feed(self, message: str | bytes) -> list[Item]:
        """Take a control message or audio.

        Raises:
            IngestError: it is not one of this protocol's.
        """
        if isinstance(message, bytes):
            return self._audio(message)
        fields = self._read(message)
        event = fields.get("event")
        if self._channel is None:
            if event != "MEDIA_START":
                raise IngestError("bad_start", 4400, "The first message is not MEDIA_START.")
            return self._start(fields)
        if event == "ERROR":
            return [CallEnded(at_ms=0, reason="source_error")]
        if event not in _IGNORED:
            self._unknown += 1
            if self._unknown > _MAX_UNKNOWN:
                raise IngestError("bad_message", 4400, "Too many messages of unknown kind.")
        return []

    def drain(self) -> None:
        """Hang up: this source cannot come back."""
        self._replies.append('{"command":"HANGUP"}' if self._json else "HANGUP")

    def _read(self, text: str) -> dict[str, Any]:
        if not text.lstrip().startswith("{"):
            self._json = False
            name, *pairs = text.split()[:100] or [""]
            return {"event": name, **dict(pair.partition(":")[::2] for pair in pairs)}
        try:
            return msgspec.json.decode(text, type=dict[str, Any])
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
            raise IngestError("bad_message", 4400, "The message is not a JSON object.") from error

    def _start(self, fields: dict[str, Any]) -> list[Item]:
        stated = str(fields.get("format"))
        if stated not in _FORMATS:
            raise IngestError(
                "unsupported_format",
                4415,
                f"Format {stated[:40]} cannot be used; dial with c(ulaw), c(alaw) or c(slin16).",
            )
        self._encoding, self._rate_hz = _FORMATS[stated]
        known = {**clean_metadata(fields.get("channel_variables")), **self._query}
        role = known.pop("channel", Channel.MIXED)
        if role not in list(Channel):
            raise IngestError("bad_start", 4400, "channel must be agent, customer or mixed.")
        self._channel = Channel(role)
        named = known.pop("call", None)
        call = named or fields.get("connection_id")
        return [
            CallOpened(
                source="chan_websocket",
                channels=(self._channel,),
                sample_rate_hz=self._rate_hz,
                vendor_id=str(call)[:256] if call is not None else None,
                call_channels=call_channels(self._channel) if named else (),
                agent=known.pop("agent", None),
                metadata=known,
                roles={str(fields.get("channel", "channel"))[:256]: self._channel},
            )
        ]

    def _audio(self, data: bytes) -> list[Item]:
        if self._channel is None:
            raise IngestError("bad_start", 4400, "Audio came before MEDIA_START.")
        width = 2 if self._encoding == "pcm_s16le" else 1
        data = self._rest + data
        whole = len(data) // width * width
        data, self._rest = data[:whole], data[whole:]
        if not data:
            return []
        samples = decode(data, self._encoding)
        first, self._next = self._next, self._next + len(samples)
        return [
            AudioChunk(
                channel=self._channel,
                first_sample=first,
                samples=samples,
                sample_rate_hz=self._rate_hz,
            )
        ]
