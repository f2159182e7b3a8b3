"""What passes over the sockets, message by message; the AsyncAPI document is made from it.

The ingest protocol's own reader is `server.ingest`, the event sockets' `server.event_socket`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from conversation.events import Channel, Derived, Observation
from server.call_view import CallView
from server.wall import Card

_Id = Annotated[str, Meta(max_length=64)]


class _Message(msgspec.Struct, frozen=True, kw_only=True, tag_field="type"):
    """One JSON text message."""


# ------------------------------------------------------------------ ingest, both directions


class Auth(_Message, frozen=True, tag="auth"):
    """First message of a source that has no key in its headers."""

    ticket: str


class Started(_Message, frozen=True, tag="started"):
    """The call is open: audio may come."""

    call_id: _Id
    epoch: int
    """Rises with every socket that brings the call."""
    position_ms: int
    """Stream time of the next sample."""


class Ack(_Message, frozen=True, tag="ack"):
    """Everything before is analysed and stored; the source may forget it."""

    position_ms: int


class IngestFailed(_Message, frozen=True, tag="error"):
    """What was wrong; the socket is closed after it unless the matter is forgiven."""

    code: str
    message: str
    retry_after_ms: int | None = None


class Stopped(_Message, frozen=True, tag="stopped"):
    """The call is over and its report is there."""

    report: str
    """Its address on this server."""


# ------------------------------------------------------------------ events, from the server


class Hello(_Message, frozen=True, tag="hello"):
    """First message after a good ticket."""

    version: Literal[1]


class Snapshot(_Message, frozen=True, tag="snapshot"):
    """Where the call stands; the next event has the number after `seq`."""

    seq: int
    call_id: _Id
    position_ms: int
    watchers: int
    events: list[Observation | Derived] | None = None
    """What led here, unless the state itself was asked for."""
    view: CallView | None = None
    """The state, when it was asked for."""


class EventTold(_Message, frozen=True, tag="event"):
    """Something happened in the call."""

    seq: int
    event: Observation | Derived


class Position(_Message, frozen=True, tag="position"):
    """How far the call is, and how loud each side was; only the newest counts."""

    at_ms: int
    level_db: dict[Channel, int]


class Watchers(_Message, frozen=True, tag="watchers"):
    """How many supervisors have the call open."""

    count: int


class ReportReady(_Message, frozen=True, tag="report"):
    """The call is over."""

    url: str


class WallSnapshot(_Message, frozen=True, tag="snapshot"):
    """The cards of all live calls that the asker may see."""

    seq: int
    cards: list[Card]
    gone: list[_Id]


class WallEvent(_Message, frozen=True, tag="event"):
    """The cards that changed, and the calls that are over."""

    seq: int
    cards: list[Card]
    gone: list[_Id]


# ------------------------------------------------------------------ events, from people


class Ticket(_Message, frozen=True, tag="ticket"):
    """First message of a dashboard."""

    ticket: str
    """From `POST /v1/tickets`; for one socket, within 30 s."""
    audience: Literal["watch"] | msgspec.UnsetType = msgspec.field(name="as", default=msgspec.UNSET)
    """A supervisor's view of one call."""
    snapshot: Literal["view"] | msgspec.UnsetType = msgspec.UNSET
    """Ask for the state instead of the events."""


class Feedback(_Message, frozen=True, tag="feedback"):
    """The agent's word on a cue."""

    cue: _Id
    verdict: Literal["up", "down", "justified", "dismiss", "snooze_5min", "snooze_call"]


class PauseCapture(_Message, frozen=True, tag="pause_capture"):
    """Nothing is to be heard or kept from now on."""


class ResumeCapture(_Message, frozen=True, tag="resume_capture"):
    """Listen again."""


class RaiseHand(_Message, frozen=True, tag="raise_hand"):
    """The agent asks for help, or no longer does."""

    raised: bool = True


class PromiseReview(_Message, frozen=True, tag="promise"):
    """The agent's word on a promise that was heard."""

    promise: _Id
    verdict: Literal["confirmed", "edited", "rejected"]
    what: Annotated[str, Meta(max_length=200)] | None = None
    due_at: str | None = None
    """ISO 8601."""


class Acknowledge(_Message, frozen=True, tag="acknowledge"):
    """A supervisor has seen an alert, or takes the call on."""

    alert: _Id
    taken: bool = False
    call_id: _Id | None = None
    """On the wall: of which call."""


class Nudge(_Message, frozen=True, tag="nudge"):
    """A line for the agent's panel."""

    nudge: _Id
    text: Annotated[str, Meta(min_length=1, max_length=60)]
    call_id: _Id | None = None
    """On the wall: of which call."""


INGEST_TOLD: tuple[Any, ...] = (Started, Ack, IngestFailed, Stopped)
CALL_TOLD: tuple[Any, ...] = (Hello, Snapshot, EventTold, Position, Watchers, ReportReady)
WALL_TOLD: tuple[Any, ...] = (Hello, WallSnapshot, WallEvent)
AGENT_SAYS: tuple[Any, ...] = (
    Ticket, Feedback, PauseCapture, ResumeCapture, RaiseHand, PromiseReview,
)  # fmt: skip
SUPERVISOR_SAYS: tuple[Any, ...] = (Ticket, Acknowledge, Nudge)
