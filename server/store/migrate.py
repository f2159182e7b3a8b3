"""Brings the tables up to date, step by step (Alembic)."""

from __future__ import annotations

import logging

import sqlalchemy as sa
from alembic import command
from alembic.config import Config

_SCRIPTS = "server.store:migrations"


def migrate(connection: sa.Connection) -> None:
    """Take every step that the database has not taken yet, within the open transaction.

    Raises:
        alembic.util.CommandError: it has taken steps that this version does not know.
    """
    logging.getLogger("alembic").setLevel(logging.WARNING)
    config = Config()
    config.set_main_option("script_location", _SCRIPTS)
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
