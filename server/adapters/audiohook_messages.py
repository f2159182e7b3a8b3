"""AudioHook's messages: the envelope, media offers, durations; what is wrong with them."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from server.adapters.contract import MAX_GAP_MS

MAX_CHARACTERS = 65_535
RATE_HZ = 8_000
ENCODINGS = {"PCMU": ("mulaw", 1), "L16": ("pcm_s16le", 2)}
"""Format to encoding and bytes of a sample."""
SIDES = frozenset({"external", "internal"})
_DURATION = re.compile(r"PT((?:\d{0,9}\.)?\d{1,9})S")


class Wrong(Exception):
    """The client broke the protocol; the message goes into `disconnect`."""


class Envelope(msgspec.Struct, frozen=True):
    """What every message of the client has."""

    version: str
    id: str
    type: str
    seq: int
    serverseq: int
    parameters: dict[str, Any]
    position: str = "PT0S"


def read_envelope(text: str) -> Envelope:
    """Read a message.

    Raises:
        Wrong: it is too long, or not of protocol version 2.
    """
    if len(text) > MAX_CHARACTERS:
        raise Wrong("a message of more than 65535 characters")
    try:
        envelope = msgspec.json.decode(text, type=Envelope)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise Wrong("a message that is not of protocol version 2") from error
    if envelope.version != "2":
        raise Wrong("another protocol version")
    return envelope


def choose_media(offers: object) -> dict[str, Any] | None:
    """Return the best offer as it was made: two channels before one, PCMU before L16."""
    usable: list[dict[str, Any]] = []
    for offer in offers if isinstance(offers, list) else []:
        if not isinstance(offer, dict) or offer.get("type") != "audio":
            continue
        names = offer.get("channels")
        if (
            offer.get("rate") == RATE_HZ
            and offer.get("format") in ENCODINGS
            and isinstance(names, list)
            and 1 <= len(names) <= 2
            and len({str(name) for name in names} & SIDES) == len(names)
        ):
            usable.append(offer)
    return max(usable, key=lambda o: (len(o["channels"]), o["format"] == "PCMU"), default=None)


def samples_of(duration: object) -> int:
    """Return an ISO 8601 duration such as `PT1.2S` in samples.

    Raises:
        Wrong: it is not one.
    """
    match = _DURATION.fullmatch(duration) if isinstance(duration, str) else None
    if match is None:
        raise Wrong("a duration that is not like PT1.2S")
    return round(min(float(match[1]), MAX_GAP_MS / 1000) * RATE_HZ)
