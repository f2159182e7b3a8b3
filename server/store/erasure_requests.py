"""Who asked to have their calls erased, and what became of it."""

from __future__ import annotations

import secrets

import msgspec
import sqlalchemy as sa

from server.store.database import StoreError
from server.store.tables import ERASURE_REQUESTS

OPEN, DONE, DECLINED = "open", "done", "declined"


class ErasureRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One request."""

    id: str
    asked_at: str
    user_id: str
    name: str
    agent: str | None
    """Whose calls are meant, as calls carry the name."""
    state: str
    decided_at: str | None = None
    certificate: str | None = None
    """Of the erasure, once it is done."""


def ask_erasure(
    engine: sa.Engine, *, user_id: str, name: str, agent: str | None, at: str
) -> ErasureRequest:
    """Note a request; somebody who has one open gets that one."""
    request = ErasureRequest(
        id=f"rq_{secrets.token_hex(8)}",
        asked_at=at,
        user_id=user_id,
        name=name,
        agent=agent,
        state=OPEN,
    )
    mine = sa.and_(ERASURE_REQUESTS.c.user_id == user_id, ERASURE_REQUESTS.c.state == OPEN)
    with engine.begin() as connection:
        row = connection.execute(sa.select(ERASURE_REQUESTS).where(mine)).mappings().first()
        if row is not None:
            return _request(row)
        connection.execute(sa.insert(ERASURE_REQUESTS).values(msgspec.to_builtins(request)))
    return request


def erasure_requests(engine: sa.Engine, user_id: str | None = None) -> list[ErasureRequest]:
    """Return requests, newest first, of everybody or of one person."""
    query = sa.select(ERASURE_REQUESTS).order_by(
        ERASURE_REQUESTS.c.asked_at.desc(), ERASURE_REQUESTS.c.id
    )
    if user_id is not None:
        query = query.where(ERASURE_REQUESTS.c.user_id == user_id)
    with engine.connect() as connection:
        return [_request(row) for row in connection.execute(query).mappings()]


def settle_request(
    engine: sa.Engine, request_id: str, state: str, at: str, certificate: str | None = None
) -> None:
    """Say what became of an open request.

    Raises:
        StoreError: there is no open request of that id.
    """
    query = sa.and_(ERASURE_REQUESTS.c.id == request_id, ERASURE_REQUESTS.c.state == OPEN)
    values = {"state": state, "decided_at": at, "certificate": certificate}
    with engine.begin() as connection:
        done = connection.execute(sa.update(ERASURE_REQUESTS).where(query).values(values))
        if done.rowcount == 0:
            raise StoreError("There is no such open request.")


def _request(row: sa.RowMapping) -> ErasureRequest:
    return ErasureRequest(**{name: row[name] for name in ErasureRequest.__struct_fields__})
