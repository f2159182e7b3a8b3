"""Whose each row is; what was there belongs to the tenant `default`."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

_TABLES = (
    "calls", "events", "checkpoints", "call_reasons", "disputes", "promises", "practice",
    "erasures", "erasure_requests", "call_figures", "users", "sessions", "api_keys", "audit",
    "webhooks", "webhook_outbox",
)  # fmt: skip


def upgrade() -> None:
    """Add the column to every table."""
    for table in _TABLES:
        column = sa.Column("tenant_id", sa.String(32), nullable=False, server_default="default")
        op.add_column(table, column)
