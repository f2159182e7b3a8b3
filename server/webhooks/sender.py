"""Sends what is due: signed, to the judged address, without following anybody elsewhere."""

from __future__ import annotations

import asyncio
import logging
import random
import ssl
from collections import Counter
from collections.abc import Callable

import httpx
import msgspec
from sqlalchemy.exc import SQLAlchemyError

from server.webhooks.address import AddressRefused, Resolve, find_target, resolve
from server.webhooks.hooks import WebhookError
from server.webhooks.messages import secret_of, signed_headers
from server.webhooks.outbox import Outbox, Waiting, wall_ms
from server.webhooks.settings import WebhookSettings

FIRST_WAIT_S, LONGEST_WAIT_S = 5.0, 36_000.0
"""5 s to 10 h (`protocols.md` section 10)."""
_GROWTH = 4.0
_JITTER = 0.2
_POLL_S = 1.0
_GONE = 410
"""The receiver wants no more (Standard Webhooks)."""
_LOG = logging.getLogger("heartline.webhooks")


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How an attempt went."""

    arrived: bool
    what: str
    """Status or kind of failure, in a word or two."""
    gone: bool = False


def wait_s(attempts: int, draw: float) -> float:
    """Return how long to wait after so many failed attempts; `draw` is from 0 to 1."""
    grown = min(LONGEST_WAIT_S, FIRST_WAIT_S * _GROWTH ** (attempts - 1))
    return grown * (1 + _JITTER * (2 * draw - 1))


class Sender:
    """Posts messages; one a server."""

    def __init__(
        self,
        settings: WebhookSettings,
        server_secret: bytes,
        *,
        resolve: Resolve = resolve,
        now_ms: Callable[[], int] = wall_ms,
    ) -> None:
        self._settings = settings
        self._server_secret = server_secret
        self._resolve = resolve
        self._now_ms = now_ms
        self.outcomes: Counter[str] = Counter()
        """Messages that arrived, attempts that failed and receivers that were given up."""
        self._tls = ssl.create_default_context(cafile=settings.ca_certificates)

    async def post(self, url: str, hook_id: str, message_id: str, body: bytes) -> Outcome:
        """Make one attempt; what goes wrong is the outcome, never raised."""
        try:
            target = await find_target(url, self._settings, self._resolve)
        except AddressRefused as error:
            return Outcome(arrived=False, what=str(error))
        except (OSError, TimeoutError, UnicodeError):
            return Outcome(arrived=False, what="the name has no address")
        headers = signed_headers(
            secret_of(self._server_secret, hook_id), message_id, self._now_ms() // 1000, body
        )
        transport = httpx.AsyncHTTPTransport(verify=self._tls, retries=0)
        try:
            async with (
                asyncio.timeout(self._settings.timeout_s),
                httpx.AsyncClient(transport=transport, trust_env=False) as client,
                client.stream(
                    "POST",
                    target.url,
                    content=body,
                    headers={**headers, "host": target.authority},
                    extensions={"sni_hostname": target.host},
                    follow_redirects=False,
                ) as answer,
            ):
                status = answer.status_code
        except (httpx.HTTPError, OSError, TimeoutError) as error:
            return Outcome(arrived=False, what=type(error).__name__)
        return Outcome(arrived=200 <= status < 300, what=f"HTTP {status}", gone=status == _GONE)

    async def run(self, outbox: Outbox) -> None:
        """Send for ever what is due."""
        while True:
            sent = 0
            try:
                due = await asyncio.to_thread(outbox.take)
                sent = len(due)
                await asyncio.gather(*(self._send(outbox, waiting) for waiting in due))
            except SQLAlchemyError as error:
                _LOG.error("messages cannot be read: %s", type(error).__name__)
            if not sent:
                await asyncio.sleep(_POLL_S)

    async def _send(self, outbox: Outbox, waiting: Waiting) -> None:
        hook = waiting.hook
        outcome = await self.post(hook.url, hook.id, waiting.id, waiting.body)
        if outcome.arrived:
            self.outcomes["arrived"] += 1
            await asyncio.to_thread(outbox.arrived, waiting)
            return
        delay_s = wait_s(waiting.attempts + 1, random.random())  # noqa: S311 - spreads attempts
        given_up = await asyncio.to_thread(
            outbox.failed, waiting, round(delay_s * 1000), for_good=outcome.gone
        )
        self.outcomes["given_up" if given_up else "failed"] += 1
        _LOG.warning(
            "webhook %s: attempt %d failed (%s)%s",
            hook.id,
            waiting.attempts + 1,
            outcome.what,
            "; given up" if given_up else "",
        )


def open_sender(settings: WebhookSettings, server_secret: bytes) -> Sender:
    """Return a sender.

    Raises:
        WebhookError: a setting cannot be used.
    """
    try:
        settings.networks  # noqa: B018 - read once here, so that a wrong one is told at the start
    except ValueError as error:
        raise WebhookError(f"webhooks.private_networks: {error}.") from error
    try:
        return Sender(settings, server_secret)
    except OSError as error:
        raise WebhookError(
            f"webhooks.ca_certificates: {settings.ca_certificates} cannot be read ({error})."
        ) from error
