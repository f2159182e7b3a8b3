"""The tables. `migrations/` makes them; a test compares the two."""

from __future__ import annotations

import sqlalchemy as sa

from server.people.tenants import DEFAULT_TENANT

METADATA = sa.MetaData(
    naming_convention={"ix": "ix_%(table_name)s_%(column_0_name)s", "pk": "pk_%(table_name)s"}
)


def _tenant() -> sa.Column[str]:
    """Return the column that says whose a row is; every table has it."""
    return sa.Column("tenant_id", sa.String(32), nullable=False, server_default=DEFAULT_TENANT)


CALLS = sa.Table(
    "calls",
    METADATA,
    _tenant(),
    sa.Column("call_id", sa.String(64), primary_key=True),
    sa.Column("started_at", sa.String(40), nullable=False),
    sa.Column("started_ms", sa.BigInteger, nullable=False, index=True),
    sa.Column("agent", sa.String(256), index=True),
    sa.Column("team", sa.String(256), index=True),
    sa.Column("customer", sa.String(256), index=True),
    sa.Column("live", sa.Boolean, nullable=False),
    sa.Column("duration_ms", sa.BigInteger, nullable=False),
    sa.Column("legal_hold", sa.Boolean, nullable=False),
)
"""One row a call. `started_at` is ISO 8601 with offset, `started_ms` the same since 1970 UTC;
`customer` is the reference that a source gave, never a name that was heard."""

EVENTS = sa.Table(
    "events",
    METADATA,
    _tenant(),
    sa.Column("call_id", sa.String(64), primary_key=True),
    sa.Column("seq", sa.BigInteger, primary_key=True),
    sa.Column("at_ms", sa.BigInteger, nullable=False),
    sa.Column("type", sa.String(40), nullable=False),
    sa.Column("payload", sa.LargeBinary, nullable=False),
    sa.Column("crc32", sa.BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

CHECKPOINTS = sa.Table(
    "checkpoints",
    METADATA,
    _tenant(),
    sa.Column("call_id", sa.String(64), primary_key=True),
    sa.Column("source", sa.LargeBinary, nullable=False),
    sa.Column("epoch", sa.BigInteger, nullable=False),
    sa.Column("acked_ms", sa.BigInteger, nullable=False),
    sa.Column("position_ms", sa.BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
"""What a live call needs, besides its events, to go on in another process; gone with its end."""

CALL_REASONS = sa.Table(
    "call_reasons",
    METADATA,
    _tenant(),
    sa.Column("call_id", sa.String(64), primary_key=True),
    sa.Column("reason", sa.String(64), primary_key=True, index=True),
    sa.Column("count", sa.BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
"""Why somebody would look at a call: how often each cue was shown and each class happened."""

DISPUTES = sa.Table(
    "disputes",
    METADATA,
    _tenant(),
    sa.Column("call_id", sa.String(64), primary_key=True),
    sa.Column("number", sa.BigInteger, primary_key=True),
    sa.Column("span_id", sa.String(64), nullable=False),
    sa.Column("verdict", sa.String(32), nullable=False),
    sa.Column("at", sa.String(40), nullable=False),
    sqlite_with_rowid=False,
)
"""What somebody said of a judgement, numbered within the call; nothing is overwritten."""

PROMISES = sa.Table(
    "promises",
    METADATA,
    _tenant(),
    sa.Column("call_id", sa.String(64), primary_key=True),
    sa.Column("promise_id", sa.String(64), primary_key=True),
    sa.Column("agent", sa.String(256), index=True),
    sa.Column("team", sa.String(256), index=True),
    sa.Column("what", sa.Text, nullable=False),
    sa.Column("who", sa.String(16), nullable=False),
    sa.Column("due", sa.Text),
    sa.Column("due_at", sa.String(40)),
    sa.Column("due_ms", sa.BigInteger, index=True),
    sa.Column("precision", sa.String(16), nullable=False),
    sa.Column("status", sa.String(16), nullable=False, index=True),
    sa.Column("made_ms", sa.BigInteger, nullable=False),
    sa.Column("done_ms", sa.BigInteger),
    sa.Column("told", sa.String(16)),
    sqlite_with_rowid=False,
)
"""What was promised, from the end of its call on. `due_ms`, `made_ms` and `done_ms` are
milliseconds since 1970 UTC; `told` is the newest notice that was given of it."""

PRACTICE = sa.Table(
    "practice",
    METADATA,
    _tenant(),
    sa.Column("call_id", sa.String(64), primary_key=True),
    sa.Column("person", sa.String(64), nullable=False, index=True),
    sa.Column("part", sa.LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)
"""Calls in which nobody called: whose they are, and what their reports say of the run."""

ERASURES = sa.Table(
    "erasures",
    METADATA,
    _tenant(),
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("erased_at", sa.String(40), nullable=False),
    sa.Column("scope", sa.String(16), nullable=False),
    sa.Column("calls", sa.BigInteger, nullable=False),
    sa.Column("events", sa.BigInteger, nullable=False),
)
"""That something was erased, when and how much; nothing of what it was."""

ERASURE_REQUESTS = sa.Table(
    "erasure_requests",
    METADATA,
    _tenant(),
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("asked_at", sa.String(40), nullable=False),
    sa.Column("user_id", sa.String(64), nullable=False, index=True),
    sa.Column("name", sa.String(256), nullable=False),
    sa.Column("agent", sa.String(256)),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("decided_at", sa.String(40)),
    sa.Column("certificate", sa.String(64)),
)
"""That somebody asked to have their calls erased, and what became of it."""

CALL_FIGURES = sa.Table(
    "call_figures",
    METADATA,
    _tenant(),
    sa.Column("call_id", sa.String(64), primary_key=True),
    sa.Column("made_by", sa.String(64), nullable=False),
    sa.Column("payload", sa.LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)
"""The numbers of a call's report without a word of it, so that many calls can be added up."""

USERS = sa.Table(
    "users",
    METADATA,
    _tenant(),
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("name", sa.String(256), nullable=False),
    sa.Column("role", sa.String(16), nullable=False),
    sa.Column("teams", sa.JSON, nullable=False),
    sa.Column("agent", sa.String(256)),
    sa.Column("password_hash", sa.String(256), nullable=False),
    sa.Column("disabled", sa.Boolean, nullable=False),
    sa.UniqueConstraint("name", name="uq_users_name"),
)

SESSIONS = sa.Table(
    "sessions",
    METADATA,
    _tenant(),
    sa.Column("token_sha256", sa.String(64), primary_key=True),
    sa.Column("user_id", sa.String(64), nullable=False, index=True),
    sa.Column("opened_ms", sa.BigInteger, nullable=False),
    sa.Column("seen_ms", sa.BigInteger, nullable=False),
)

API_KEYS = sa.Table(
    "api_keys",
    METADATA,
    _tenant(),
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("label", sa.String(256), nullable=False),
    sa.Column("secret_sha256", sa.String(64), nullable=False),
    sa.Column("scopes", sa.JSON, nullable=False),
    sa.Column("expires_ms", sa.BigInteger),
    sa.Column("revoked", sa.Boolean, nullable=False),
)

AUDIT = sa.Table(
    "audit",
    METADATA,
    _tenant(),
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("at", sa.String(40), nullable=False),
    sa.Column("actor", sa.String(64), nullable=False, index=True),
    sa.Column("action", sa.String(64), nullable=False),
    sa.Column("subject", sa.String(256), nullable=False),
    sa.Column("note", sa.String(256), nullable=False),
    sa.Column("mac", sa.String(64), nullable=False),
)
"""Who did or looked at what. Each `mac` covers its row and the one before."""

WEBHOOKS = sa.Table(
    "webhooks",
    METADATA,
    _tenant(),
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("url", sa.String(2048), nullable=False),
    sa.Column("types", sa.JSON, nullable=False),
    sa.Column("failing_since_ms", sa.BigInteger),
    sa.Column("disabled", sa.Boolean, nullable=False),
)
"""Who is told what; their secrets are computed and stand nowhere."""

OUTBOX = sa.Table(
    "webhook_outbox",
    METADATA,
    _tenant(),
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("hook_id", sa.String(64), primary_key=True),
    sa.Column("call_id", sa.String(64), nullable=False, index=True),
    sa.Column("type", sa.String(40), nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Column("due_ms", sa.BigInteger, nullable=False, index=True),
    sa.Column("attempts", sa.BigInteger, nullable=False),
)
"""What is still to be told; a row goes when its receiver has it. Written with the events."""
