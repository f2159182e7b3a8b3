"""A server inside this process, on a thread of its own, for `demo`, `live` and tests."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import uvicorn

from server.app import create_app
from server.auth import SingleUser
from server.calls import Calls
from server.hearing import Hearing
from server.ingest import MAX_MESSAGE_BYTES
from server.store import Journal
from server.store.retention import RetentionSettings

_START_TIMEOUT_S = 20.0


class PortTakenError(Exception):
    """Something else listens on the port."""

    code = "port_taken"


class Running(msgspec.Struct, frozen=True):
    """A running server."""

    port: int
    user: SingleUser
    calls: Calls
    thread: threading.Thread

    @property
    def address(self) -> str:
        """Where the panel is, with the one-time token in the fragment."""
        return f"http://127.0.0.1:{self.port}/#t={self.user.token}"

    @property
    def ingest_url(self) -> str:
        """Where sources connect."""
        return f"ws://127.0.0.1:{self.port}/v1/ingest"


@contextmanager
def running_server(
    hearing: Hearing,
    database: Path | str,
    port: int = 0,
    *,
    retention: RetentionSettings | None = None,
) -> Iterator[Running]:
    """Serve on loopback until the block ends; port 0 picks a free one.

    With `retention`, what is too old is deleted at the start and every hour.

    Raises:
        PortTakenError: something else listens on the port.
        StoreError: the database cannot be used.
    """
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
    except OSError as error:
        listener.close()
        raise PortTakenError(f"Port {port} is in use; choose another with --port.") from error
    user, journal = SingleUser(), Journal(database)
    calls = Calls(hearing, journal)
    server = uvicorn.Server(
        uvicorn.Config(
            create_app(calls, user, retention),
            ws="websockets-sansio",
            ws_max_size=2 * MAX_MESSAGE_BYTES,
            ws_per_message_deflate=False,
            ws_ping_interval=5,
            ws_ping_timeout=5,
            timeout_graceful_shutdown=5,
            log_level="warning",
            log_config=None,
        )
    )
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="server")
    thread.start()
    try:
        waits = threading.Event()
        for _ in range(int(_START_TIMEOUT_S / 0.02)):
            if server.started:
                break
            waits.wait(0.02)
        yield Running(listener.getsockname()[1], user, calls, thread)
    finally:
        server.should_exit = True
        thread.join()
        listener.close()
        calls.close()
        journal.close()
