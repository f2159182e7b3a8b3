"""Calls, their events, why to look at them, and what was erased."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "calls",
        sa.Column("call_id", sa.String(64), nullable=False),
        sa.Column("started_at", sa.String(40), nullable=False),
        sa.Column("started_ms", sa.BigInteger, nullable=False),
        sa.Column("agent", sa.String(256)),
        sa.Column("team", sa.String(256)),
        sa.Column("customer", sa.String(256)),
        sa.Column("live", sa.Boolean, nullable=False),
        sa.Column("duration_ms", sa.BigInteger, nullable=False),
        sa.Column("legal_hold", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("call_id", name="pk_calls"),
    )
    for column in ("started_ms", "agent", "team", "customer"):
        op.create_index(f"ix_calls_{column}", "calls", [column])
    op.create_table(
        "events",
        sa.Column("call_id", sa.String(64), nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("at_ms", sa.BigInteger, nullable=False),
        sa.Column("type", sa.String(40), nullable=False),
        sa.Column("payload", sa.LargeBinary, nullable=False),
        sa.Column("crc32", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("call_id", "seq", name="pk_events"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "call_reasons",
        sa.Column("call_id", sa.String(64), nullable=False),
        sa.Column("reason", sa.String(64), nullable=False),
        sa.Column("count", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("call_id", "reason", name="pk_call_reasons"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_call_reasons_reason", "call_reasons", ["reason"])
    op.create_table(
        "erasures",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("erased_at", sa.String(40), nullable=False),
        sa.Column("scope", sa.String(16), nullable=False),
        sa.Column("calls", sa.BigInteger, nullable=False),
        sa.Column("events", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_erasures"),
    )
