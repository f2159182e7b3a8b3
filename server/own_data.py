"""What is stored about one person: counted for their screen, and written down to take away.

Of an agent's calls the archive holds what is about the agent: their own words, cues, answers,
promises and figures. What customers said is theirs and stays out; the agent can read it in each
call while it is kept.
"""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Iterator
from datetime import datetime
from typing import IO, Any

import msgspec
import sqlalchemy as sa

from conversation.events import (
    ActDetected,
    Channel,
    CueCleared,
    CueFeedback,
    CueRaised,
    CueWithheld,
    Event,
    EventLog,
    FinalTranscript,
    OverlapEnded,
    PromiseMade,
    PromiseReviewed,
)
from server.people.audit import Audit
from server.people.roles import LOCAL_PERSON, Person
from server.store.erasure_requests import ErasureRequest, erasure_requests
from server.store.retention import RetentionSettings
from server.store.tables import AUDIT, CALL_FIGURES, CALLS, DISPUTES, EVENTS, SESSIONS

_TYPES = (
    "final_transcript", "act_detected", "cue_raised", "cue_cleared", "cue_withheld",
    "cue_feedback", "promise_made", "promise_reviewed", "overlap_ended",
)  # fmt: skip
_HIDDEN = frozenset({"customer", "started_ms", "tenant_id"})
_MEMORY_BYTES = 4_000_000
_PIECE_BYTES = 65_536
_MOST_ENTRIES = 10_000
_ABOUT = """\
What Heartline stores about {name}, as of {now}.

account.json         your sign-in: name, role and teams; never the password
calls.json           every call of yours: when, how long, and how often each cue was shown
calls/ID.jsonl       of each call: your own words, cues you saw and what you answered, your
                     promises, and how overlaps of you were judged; one event a line
figures/ID.json      the figures of its report, where they have been worked out
disputes.json        what was disputed in your calls
audit.json           what you did and looked at
requests.json        what you asked to have erased

What customers said is not in here: it is about them. You can read it in each call, under Calls,
for {events_days} days. Nothing here was made from your voice but timing, loudness against your
own usual, pace and words.
"""


class OwnData(msgspec.Struct, frozen=True, kw_only=True):
    """How much of what is stored about one person."""

    name: str
    role: str
    teams: tuple[str, ...]
    agent: str | None
    """Under which name calls carry them."""
    sessions: int
    calls: int
    calls_ms: int
    held: int
    """Calls under a legal hold, which nobody can erase."""
    first: str | None
    last: str | None
    events: int
    disputes: int
    audit_entries: int
    retention: RetentionSettings
    requests: list[ErasureRequest]


def own_calls(person: Person) -> sa.ColumnElement[bool]:
    """Return which calls are about a person; those of this machine are about who sits at it."""
    if person.id == LOCAL_PERSON.id:
        return sa.true()
    return sa.false() if person.agent is None else CALLS.c.agent == person.agent


def own_data(engine: sa.Engine, person: Person, retention: RetentionSettings) -> OwnData:
    """Count what is stored about a person."""
    mine = own_calls(person)
    ids = sa.select(CALLS.c.call_id).where(mine)
    held = sa.func.coalesce(sa.func.sum(sa.case((CALLS.c.legal_hold, 1), else_=0)), 0)
    with engine.connect() as connection:
        calls = connection.execute(
            sa.select(
                sa.func.count(),
                sa.func.coalesce(sa.func.sum(CALLS.c.duration_ms), 0),
                held,
                sa.func.min(CALLS.c.started_at),
                sa.func.max(CALLS.c.started_at),
            ).where(mine)
        ).one()

        def count(table: sa.Table, where: sa.ColumnElement[bool]) -> int:
            query = sa.select(sa.func.count()).select_from(table).where(where)
            return int(connection.scalar(query) or 0)

        return OwnData(
            name=person.name,
            role=person.role,
            teams=person.teams,
            agent=person.agent,
            sessions=count(SESSIONS, SESSIONS.c.user_id == person.id),
            calls=calls[0],
            calls_ms=int(calls[1]),
            held=int(calls[2]),
            first=calls[3],
            last=calls[4],
            events=count(EVENTS, EVENTS.c.call_id.in_(ids)),
            disputes=count(DISPUTES, DISPUTES.c.call_id.in_(ids)),
            audit_entries=count(AUDIT, AUDIT.c.actor == person.id),
            retention=retention,
            requests=erasure_requests(engine, person.id),
        )


def export(
    engine: sa.Engine, audit: Audit, person: Person, retention: RetentionSettings, now: datetime
) -> IO[bytes]:
    """Write everything down into an archive, at its beginning; large ones go to a file."""
    target = tempfile.SpooledTemporaryFile(_MEMORY_BYTES)  # noqa: SIM115 - the answer closes it
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        about = _ABOUT.format(
            name=person.name,
            now=now.isoformat(timespec="minutes"),
            **msgspec.structs.asdict(retention),
        )
        archive.writestr("about.txt", about)
        archive.writestr("account.json", _json(person))
        archive.writestr("requests.json", _json(erasure_requests(engine, person.id)))
        archive.writestr("audit.json", _json(audit.entries(actor=person.id, limit=_MOST_ENTRIES)))
        with engine.connect() as connection:
            query = sa.select(CALLS).where(own_calls(person)).order_by(CALLS.c.started_ms)
            rows = connection.execute(query).mappings().all()
            archive.writestr("calls.json", _json([_shown(row) for row in rows]))
            ids = sa.select(CALLS.c.call_id).where(own_calls(person))
            disputes = sa.select(DISPUTES).where(DISPUTES.c.call_id.in_(ids))
            disputed = connection.execute(disputes).mappings()
            archive.writestr("disputes.json", _json([_shown(row) for row in disputed]))
            for row in rows:
                _write_call(archive, connection, row["call_id"], number=len(archive.namelist()))
    target.seek(0)
    return target


def _shown(row: sa.RowMapping) -> dict[str, Any]:
    """Return a row without what is not about the person."""
    return {name: value for name, value in row.items() if name not in _HIDDEN}


def pieces(archive: IO[bytes]) -> Iterator[bytes]:
    """Yield an archive piece by piece, and close it."""
    with archive:
        while piece := archive.read(_PIECE_BYTES):
            yield piece


def _write_call(
    archive: zipfile.ZipFile, connection: sa.Connection, call_id: str, *, number: int
) -> None:
    query = (
        sa.select(EVENTS.c.payload)
        .where(EVENTS.c.call_id == call_id, EVENTS.c.type.in_(_TYPES))
        .order_by(EVENTS.c.seq)
    )
    events = (_about_agent(EventLog.decode(row)) for row in connection.scalars(query))
    lines = [EventLog.encode(event) for event in events if event is not None]
    # An id comes from outside and may hold what is no name for a file.
    name = call_id if call_id.replace("-", "").replace("_", "").isalnum() else f"call-{number}"
    archive.writestr(f"calls/{name}.jsonl", b"\n".join(lines))
    figures = connection.scalar(
        sa.select(CALL_FIGURES.c.payload).where(CALL_FIGURES.c.call_id == call_id)
    )
    if figures is not None:
        archive.writestr(f"figures/{name}.json", figures)


def _about_agent(event: Event) -> Event | None:
    """Return what an event says of the agent; None when it is about the customer alone."""
    if isinstance(event, FinalTranscript | ActDetected):
        return event if event.channel is Channel.AGENT else None
    if isinstance(event, CueRaised):
        return msgspec.structs.replace(event, evidence=(), evidence_line="")
    if isinstance(event, OverlapEnded):
        mine = Channel.AGENT in (event.by, event.over)
        return msgspec.structs.replace(event, evidence=()) if mine else None
    if isinstance(event, CueCleared | CueWithheld | CueFeedback | PromiseMade | PromiseReviewed):
        return event
    return None


def _json(content: Any) -> bytes:
    return msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n"
