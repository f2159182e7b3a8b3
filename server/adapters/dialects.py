"""How the relatives of Twilio's media streams differ: one row of data for each vendor.

Twilio's row is from its documentation; the others are from vendors' texts and simulators and are
to be confirmed on first contact with the real system (`protocols.md` section 4.2).
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from conversation.events import Channel

Path = tuple[str, ...]
"""Keys from the top of a message down; empty: the vendor does not say."""

_ROLES = {"inbound": Channel.CUSTOMER, "outbound": Channel.AGENT}
"""`inbound` is what the platform receives from the leg that is streamed, the customer's leg unless
the stream is on the agent's own."""
_MULAW = {"audio/x-mulaw": "mulaw", "PCMU": "mulaw", "audio/PCMU": "mulaw", "ULAW": "mulaw"}
_ALAW = {"audio/x-alaw": "alaw", "PCMA": "alaw", "audio/PCMA": "alaw", "ALAW": "alaw"}
_L16 = {"audio/x-l16": "pcm_s16le", "L16": "pcm_s16le", "audio/l16": "pcm_s16le"}
_G711_AND_L16 = {**_MULAW, **_ALAW, **_L16}


class Dialect(msgspec.Struct, frozen=True, kw_only=True):
    """One vendor's spelling of the same protocol."""

    name: str
    """Last part of the address, `/v1/ingest/NAME`, and the source in reports."""
    event: Path = ("event",)
    hello: Path
    """A key that only this vendor's start message has."""
    call_id: Path
    agent_ids: tuple[Path, ...] = ()
    sequence: Path = ("sequenceNumber",)
    """Number of each message; a jump in it means that one is still on its way."""
    track: Path = ("media", "track")
    timestamp: Path = ("media", "timestamp")
    """Milliseconds from the start of the stream, for each track."""
    payload: Path = ("media", "payload")
    tracks: Path = ("start", "tracks")
    default_tracks: tuple[str, ...] = ("inbound",)
    encoding: Path = ("start", "mediaFormat", "encoding")
    rate: Path = ("start", "mediaFormat", "sampleRate")
    encodings: Mapping[str, str] = msgspec.field(default_factory=lambda: _G711_AND_L16)
    default_encoding: str = "mulaw"
    parameters: Path = ("start", "customParameters")
    """An object, or a string that holds one as JSON."""
    roles: Mapping[str, Channel] = msgspec.field(default_factory=lambda: _ROLES)
    ordered: bool = True
    """Whether messages come in the order in which they were sent."""
    signed: bool = False
    """Whether the upgrade carries `X-Twilio-Signature`."""


TWILIO = Dialect(
    name="twilio", hello=("start", "callSid"), call_id=("start", "callSid"), signed=True
)
SIGNALWIRE = msgspec.structs.replace(TWILIO, name="signalwire")
TELNYX = Dialect(
    name="telnyx",
    hello=("start", "call_control_id"),
    call_id=("start", "call_session_id"),
    sequence=("sequence_number",),
    tracks=("start", "tracks"),
    encoding=("start", "media_format", "encoding"),
    rate=("start", "media_format", "sample_rate"),
    parameters=("start", "custom_parameters"),
    ordered=False,
)
PLIVO = Dialect(
    name="plivo",
    hello=("start", "callId"),
    call_id=("start", "callId"),
    parameters=("extra_headers",),
)
EXOTEL = Dialect(
    name="exotel",
    hello=("start", "call_sid"),
    call_id=("start", "call_sid"),
    sequence=("sequence_number",),
    encoding=("start", "media_format", "encoding"),
    rate=("start", "media_format", "sample_rate"),
    encodings={"base64": "pcm_s16le", "raw/slin": "pcm_s16le", "audio/x-l16": "pcm_s16le"},
    default_encoding="pcm_s16le",
    parameters=("start", "custom_parameters"),
)
BANDWIDTH = Dialect(
    name="bandwidth",
    event=("eventType",),
    hello=("metadata", "callId"),
    call_id=("metadata", "callId"),
    sequence=(),
    track=("track",),
    timestamp=(),
    payload=("payload",),
    tracks=("metadata", "tracks"),
    encoding=("metadata", "tracks", "0", "mediaFormat", "encoding"),
    rate=("metadata", "tracks", "0", "mediaFormat", "sampleRate"),
    parameters=("streamParams",),
)
VOXIMPLANT = Dialect(
    name="voximplant",
    hello=("start", "tag"),
    call_id=("start", "tag"),
)

DIALECTS = {
    dialect.name: dialect
    for dialect in (TWILIO, SIGNALWIRE, TELNYX, PLIVO, EXOTEL, BANDWIDTH, VOXIMPLANT)
}
"""Every dialect by the last part of its address."""


def dialect_of(start: object) -> Dialect | None:
    """Return whose start message this is, None when nobody's."""
    for dialect in DIALECTS.values():
        if look_up(start, dialect.hello) is not None:
            return dialect
    return None


def look_up(message: object, path: Path) -> object:
    """Follow keys into a decoded message; None where one is missing."""
    for key in path:
        if isinstance(message, dict):
            message = message.get(key)
        elif isinstance(message, list) and key.isdecimal() and int(key) < len(message):
            message = message[int(key)]
        else:
            return None
    return message if path else None
