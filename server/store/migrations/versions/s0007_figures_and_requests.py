"""The numbers of each call for trends, and requests to have calls erased."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "erasure_requests",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("asked_at", sa.String(40), nullable=False),
        sa.Column("user_id", sa.String(64), nullable=False),
        sa.Column("name", sa.String(256), nullable=False),
        sa.Column("agent", sa.String(256)),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("decided_at", sa.String(40)),
        sa.Column("certificate", sa.String(64)),
        sa.PrimaryKeyConstraint("id", name="pk_erasure_requests"),
    )
    op.create_index("ix_erasure_requests_user_id", "erasure_requests", ["user_id"])
    op.create_table(
        "call_figures",
        sa.Column("call_id", sa.String(64), nullable=False),
        sa.Column("made_by", sa.String(64), nullable=False),
        sa.Column("payload", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("call_id", name="pk_call_figures"),
        sqlite_with_rowid=False,
    )
