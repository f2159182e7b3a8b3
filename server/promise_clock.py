"""Lets time pass for promises: what is due soon, late or lapsed is found every half minute."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from server.store.promises import Notice, PromiseSettings, tick

EVERY_S = 30.0
Tell = Callable[[sa.Connection, Sequence[Notice]], None]
"""Puts notices where they are delivered from, in the transaction that made them."""
_LOG = logging.getLogger("heartline.promises")


async def keep_time(
    database: sa.Engine, settings: PromiseSettings, tell: Tell, *, every_s: float = EVERY_S
) -> None:
    """Go on for as long as the server does; a database that fails is tried again."""
    while True:
        try:
            await asyncio.to_thread(tick, database, settings, now=datetime.now(UTC), tell=tell)
        except SQLAlchemyError as error:
            _LOG.error("promises could not be looked at: %s", type(error).__name__)
        await asyncio.sleep(every_s)
