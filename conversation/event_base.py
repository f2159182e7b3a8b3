"""What all events of a call share: who, kinds of overlap, the base of events, words, evidence."""

from __future__ import annotations

from enum import StrEnum

import msgspec

SCHEMA_VERSION = 1


class Channel(StrEnum):
    """Who is heard on a channel of the call."""

    AGENT = "agent"
    CUSTOMER = "customer"
    MIXED = "mixed"
    """Both parties on one channel: nothing may be said about who interrupted whom."""

    @property
    def other(self) -> Channel:
        """The other party; `MIXED` has none and returns itself."""
        if self is Channel.AGENT:
            return Channel.CUSTOMER
        return Channel.AGENT if self is Channel.CUSTOMER else self


class OverlapClass(StrEnum):
    """What kind of simultaneous speech (or cut-in) an event was; `interruptions.md` section 9."""

    SUCCESSFUL = "successful"
    BUTTING_IN = "butting_in"
    TALK_OVER = "talk_over"
    COOPERATIVE = "cooperative"
    TERMINAL_OVERLAP = "terminal_overlap"
    BACKCHANNEL = "backchannel"
    COLLISION = "collision"
    PAUSE_CUT_IN = "pause_cut_in"
    BLEED = "bleed"


class FloorState(StrEnum):
    """Who may be said to hold the floor."""

    FREE = "free"
    HELD = "held"
    CONTESTED = "contested"
    SUSPENDED = "suspended"


class Event(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="type", forbid_unknown_fields=True
):
    """Base of all events."""

    at_ms: int
    """Stream time at which this became known, milliseconds from the start of the call."""


class Word(msgspec.Struct, frozen=True, kw_only=True):
    """One recognised word with its time."""

    text: str
    start_ms: int
    end_ms: int
    probability: float
    """Recogniser's probability, 0 to 1."""


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """One fact that a decision rests on, linkable to a moment of the call."""

    kind: str
    at_ms: int
    value: int | float | str | None = None
