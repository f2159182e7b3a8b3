"""Puts the parts together for a server: journal and promises fill the outbox, a task empties it."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from functools import partial
from typing import Any

import sqlalchemy as sa
from prometheus_client.core import Metric

from server.metrics import Metrics, counters, gauge
from server.promise_clock import keep_time
from server.settings import Settings
from server.webhooks.outbox import Outbox
from server.webhooks.sender import open_sender


def follow_journal(
    database: sa.Engine, settings: Settings, server_secret: bytes, metrics: Metrics
) -> list[Callable[[], Coroutine[Any, Any, None]]]:
    """Fill an outbox from now on, and return the work of keeping promises' time and emptying it.

    Raises:
        WebhookError: a setting cannot be used.
    """
    outbox = Outbox(
        database,
        source=(*settings.server.origins, "/")[0],
        max_waiting=settings.webhooks.max_waiting,
    )
    sender = open_sender(settings.webhooks, server_secret)
    outbox.follow_journal()

    def measures() -> Iterator[Metric]:
        yield gauge("outbox_rows", "Messages to other systems that wait.", outbox.count())
        yield counters(
            "webhooks", "Messages to other systems.", "outcome",
            {**sender.outcomes, "dropped": outbox.dropped},
        )  # fmt: skip

    metrics.watch(measures)
    return [
        partial(keep_time, database, settings.promises, outbox.tell_of_promises),
        partial(sender.run, outbox),
    ]
