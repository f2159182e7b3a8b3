"""What was promised and became of it, and which calls are practice."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "promises",
        sa.Column("call_id", sa.String(64), nullable=False),
        sa.Column("promise_id", sa.String(64), nullable=False),
        sa.Column("agent", sa.String(256)),
        sa.Column("team", sa.String(256)),
        sa.Column("what", sa.Text, nullable=False),
        sa.Column("who", sa.String(16), nullable=False),
        sa.Column("due", sa.Text),
        sa.Column("due_at", sa.String(40)),
        sa.Column("due_ms", sa.BigInteger),
        sa.Column("precision", sa.String(16), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("made_ms", sa.BigInteger, nullable=False),
        sa.Column("done_ms", sa.BigInteger),
        sa.Column("told", sa.String(16)),
        sa.PrimaryKeyConstraint("call_id", "promise_id", name="pk_promises"),
        sqlite_with_rowid=False,
    )
    for column in ("agent", "team", "due_ms", "status"):
        op.create_index(f"ix_promises_{column}", "promises", [column])
    op.create_table(
        "practice",
        sa.Column("call_id", sa.String(64), nullable=False),
        sa.Column("person", sa.String(64), nullable=False),
        sa.Column("part", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("call_id", name="pk_practice"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_practice_person", "practice", ["person"])
