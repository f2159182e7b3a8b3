"""Runs the steps on the connection that `open_database` hands over."""

from alembic import context

from server.store.tables import METADATA

context.configure(connection=context.config.attributes["connection"], target_metadata=METADATA)
context.run_migrations()
