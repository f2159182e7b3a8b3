"""What a live call needs, besides its events, to go on after the death of its process."""

from __future__ import annotations

from typing import NamedTuple

import msgspec
import sqlalchemy as sa

from server.store.tables import CALLS, CHECKPOINTS, EVENTS


class CallSource(msgspec.Struct, frozen=True, kw_only=True):
    """How a call's audio comes."""

    sample_rate_hz: int
    encoding: str | None = None
    """Of a native call, whose source can send again what was lost; None for the others."""
    channels: tuple[str, ...] = ()
    """Order of a native call's channels on the wire."""


class Mark(msgspec.Struct, frozen=True):
    """How far a call has come, committed together with its events."""

    acked_ms: int
    """Everything before is analysed and no longer needed by an open utterance."""
    position_ms: int
    """Everything before has entered the core."""


class Unfinished(msgspec.Struct, frozen=True, kw_only=True):
    """A call that was live when its process died."""

    call_id: str
    tenant: str
    source: CallSource
    epoch: int
    mark: Mark
    agent: str | None
    team: str | None
    started_ms: int
    """Milliseconds since 1970 UTC."""


def open_checkpoint(connection: sa.Connection, call_id: str, source: CallSource) -> None:
    """Enter a new call, with the socket that opens it if it is a native one."""
    epoch = 0 if source.encoding is None else 1
    row = {"call_id": call_id, "epoch": epoch, "acked_ms": 0, "position_ms": 0}
    connection.execute(sa.insert(CHECKPOINTS).values(source=msgspec.json.encode(source), **row))


class CallMark(NamedTuple):
    """How far one call has come."""

    tenant: str
    call_id: str
    mark: Mark


_MARK = (
    sa.update(CHECKPOINTS)
    .where(
        CHECKPOINTS.c.tenant_id == sa.bindparam("of_tenant"),
        CHECKPOINTS.c.call_id == sa.bindparam("of_call"),
    )
    .values(acked_ms=sa.bindparam("acked"), position_ms=sa.bindparam("position"))
)


def write_marks(connection: sa.Connection, marks: list[CallMark]) -> None:
    """Note how far calls have come, of whatever tenants they are."""
    connection.execute(
        _MARK,
        [
            {
                "of_tenant": tenant,
                "of_call": call_id,
                "acked": mark.acked_ms,
                "position": mark.position_ms,
            }
            for tenant, call_id, mark in marks
        ],
    )


def raise_epoch(connection: sa.Connection, call_id: str, epoch: int) -> None:
    """Note that a newer socket brings a call's audio; it never falls."""
    older = sa.and_(CHECKPOINTS.c.call_id == call_id, CHECKPOINTS.c.epoch < epoch)
    connection.execute(sa.update(CHECKPOINTS).where(older).values(epoch=epoch))


def close_checkpoint(connection: sa.Connection, call_id: str) -> None:
    """Forget what only a live call needs."""
    connection.execute(sa.delete(CHECKPOINTS).where(CHECKPOINTS.c.call_id == call_id))


def unfinished_calls(connection: sa.Connection) -> list[Unfinished]:
    """Return the calls of all tenants that can go on, oldest first."""
    columns = (CALLS.c.agent, CALLS.c.team, CALLS.c.started_ms)
    query = (
        sa.select(CHECKPOINTS, *columns)
        .join(CALLS, CALLS.c.call_id == CHECKPOINTS.c.call_id)
        .where(CALLS.c.live)
        .order_by(CALLS.c.started_ms, CALLS.c.call_id)
    )
    return [
        Unfinished(
            call_id=row.call_id,
            tenant=row.tenant_id,
            source=msgspec.json.decode(row.source, type=CallSource),
            epoch=row.epoch,
            mark=Mark(row.acked_ms, row.position_ms),
            agent=row.agent,
            team=row.team,
            started_ms=row.started_ms,
        )
        for row in connection.execute(query)
    ]


def end_abandoned(connection: sa.Connection) -> None:
    """End the calls that a dead process left live and that cannot go on: nothing was heard."""
    last_ms = (
        sa.select(sa.func.coalesce(sa.func.max(EVENTS.c.at_ms), 0))
        .where(EVENTS.c.call_id == CALLS.c.call_id)
        .scalar_subquery()
    )
    heard = sa.select(EVENTS.c.call_id).where(EVENTS.c.seq == 1)
    kept = sa.select(CHECKPOINTS.c.call_id).where(CHECKPOINTS.c.call_id.in_(heard))
    lost = sa.and_(CALLS.c.live, CALLS.c.call_id.not_in(kept))
    connection.execute(sa.update(CALLS).where(lost).values(live=False, duration_ms=last_ms))
    over = sa.select(CALLS.c.call_id).where(~CALLS.c.live)
    connection.execute(sa.delete(CHECKPOINTS).where(CHECKPOINTS.c.call_id.in_(over)))
