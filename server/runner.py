"""A server inside this process, on a thread of its own, for `demo`, `live` and tests."""

from __future__ import annotations

import contextlib
import gc
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import uvicorn

from server.access import Access
from server.app import create_app
from server.audiosocket_server import audiosocket_server
from server.auth import SingleUser
from server.calls import Calls
from server.hearing import Hearing
from server.ingest import MAX_MESSAGE_BYTES
from server.notify import notify
from server.people.audit import Audit, read_secret
from server.people.oidc import Oidc
from server.protocols import HttpProtocol, WebSocketProtocol
from server.settings import Settings, SettingsError
from server.store import Journal
from server.watchdog import watching
from server.webhooks.sender import open_sender
from server.webhooks.service import follow_journal

_START_TIMEOUT_S = 20.0


class PortTakenError(Exception):
    """Something else listens on the port."""

    code = "port_taken"


_COLLECT_AFTER = 10_000
"""Containers made since the last collection that start one; 700 is usual."""
_SWITCH_S = 0.0005
"""How long a thread keeps the interpreter while others wait for it."""


class Running(msgspec.Struct, frozen=True):
    """A running server."""

    port: int
    user: SingleUser
    access: Access
    calls: Calls
    audiosocket_port: int
    """Port that AudioSocket listens on, 0 when it is off."""
    thread: threading.Thread

    @property
    def address(self) -> str:
        """Where the panel is, with the one-time token in the fragment."""
        return f"http://127.0.0.1:{self.port}/#t={self.user.token}"

    @property
    def ingest_url(self) -> str:
        """Where sources connect."""
        return f"ws://127.0.0.1:{self.port}/v1/ingest"


class _Server(uvicorn.Server):
    """A server that says goodbye to its sources before it closes their sockets."""

    def __init__(
        self,
        config: uvicorn.Config,
        calls: Calls,
        audiosocket: socket.socket | None,
        *,
        alone: bool,
        drain_s: float,
    ) -> None:
        super().__init__(config)
        self._calls = calls
        self._audiosocket = audiosocket
        self._alone = alone
        self._drain_s = drain_s

    async def main_loop(self) -> None:
        async with contextlib.AsyncExitStack() as stack:
            if self._alone:
                # What was loaded stays: walking it again at each collection takes 0.1 s. Events are
                # no cycles, so that looking for some less often costs nothing and saves a
                # twentieth. A thread that waits for the interpreter is let in after 0.5 ms, not 5.
                gc.collect()
                gc.freeze()
                gc.set_threshold(_COLLECT_AFTER)
                sys.setswitchinterval(_SWITCH_S)
                flush = self._calls.journal.close
                await stack.enter_async_context(watching(self._calls.analysis_stuck_s, flush))
            async with audiosocket_server(self._calls, self._audiosocket):
                await super().main_loop()
                await self._calls.drain(self._drain_s if self._alone else 0.0)


@contextmanager
def running_server(
    hearing: Hearing,
    database: Path | str,
    port: int = 0,
    settings: Settings | None = None,
    *,
    alone: bool = False,
) -> Iterator[Running]:
    """Serve until the block ends, on loopback unless the settings say otherwise; port 0 is free.

    A server that is `alone` in its process ends it when it hangs, and waits at its end for calls
    that cannot go on in the next one.

    Raises:
        PortTakenError: something else listens on the port.
        SettingsError: other machines would be let in and something is missing for that.
        StoreError: the database cannot be used.
    """
    settings = settings or Settings()
    # What cannot be used is told before anything is opened.
    open_sender(settings.webhooks, b"")
    if settings.oidc.enabled:
        Oidc(settings.oidc)
    listen = settings.server
    listener = _listen(listen.host, port, "--port")
    audiosocket = None
    if settings.ingest.audiosocket_port:
        audiosocket = _listen(
            settings.ingest.audiosocket_host,
            max(0, settings.ingest.audiosocket_port),
            "ingest.audiosocket_port",
        )
        audiosocket.listen()
    user, journal = SingleUser(), Journal(database)
    folder = database.parent if isinstance(database, Path) else Path(settings.server.data)
    secret = read_secret(folder)
    audit = Audit(journal.database, secret)
    access = Access(journal.database, user, audit, origins=frozenset(listen.origins))
    try:
        listen.check(has_users=access.accounts.any())
    except SettingsError:
        listener.close()
        if audiosocket is not None:
            audiosocket.close()
        journal.close()
        raise
    calls = Calls(hearing, journal, settings.ingest)
    lasting = follow_journal(journal.database, settings, secret, calls.metrics)
    calls.rule_source.adopt(folder / "rules")
    server = _Server(
        uvicorn.Config(
            create_app(calls, access, settings, lasting=[*lasting, notify]),
            http=HttpProtocol,
            ws=WebSocketProtocol,
            loop="auto",  # uvloop where it is installed
            ws_max_size=2 * MAX_MESSAGE_BYTES,
            ws_per_message_deflate=False,
            ws_ping_interval=5,
            ws_ping_timeout=5,
            timeout_keep_alive=5,
            proxy_headers=False,
            timeout_graceful_shutdown=5,
            ssl_certfile=listen.tls_certificate,
            ssl_keyfile=listen.tls_key,
            log_level="warning",
            log_config=None,
        ),
        calls,
        audiosocket,
        alone=alone,
        drain_s=listen.drain_s,
    )
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="server")
    thread.start()
    try:
        waits = threading.Event()
        for _ in range(int(_START_TIMEOUT_S / 0.02)):
            if server.started:
                break
            waits.wait(0.02)
        yield Running(
            listener.getsockname()[1],
            user,
            access,
            calls,
            audiosocket.getsockname()[1] if audiosocket else 0,
            thread,
        )
    finally:
        server.should_exit = True
        thread.join()
        listener.close()
        if audiosocket is not None:
            audiosocket.close()
        calls.close()
        journal.close()


def _listen(host: str, port: int, setting: str) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except socket.gaierror as error:
        listener.close()
        raise SettingsError(f"{host} is no address of this machine; see {setting}.") from error
    except OSError as error:
        listener.close()
        raise PortTakenError(f"Port {port} is in use; choose another with {setting}.") from error
    return listener
