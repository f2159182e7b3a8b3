"""A server inside this process, on a thread of its own, for `demo`, `live` and tests."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import uvicorn

from server.adapters.settings import IngestSettings
from server.app import create_app
from server.audiosocket_server import audiosocket_server
from server.auth import SingleUser
from server.calls import Calls
from server.hearing import Hearing
from server.ingest import MAX_MESSAGE_BYTES
from server.journal import Journal
from server.protocols import HttpProtocol, WebSocketProtocol

_START_TIMEOUT_S = 20.0


class PortTakenError(Exception):
    """Something else listens on the port."""

    code = "port_taken"


class Running(msgspec.Struct, frozen=True):
    """A running server."""

    port: int
    user: SingleUser
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
        self, config: uvicorn.Config, calls: Calls, audiosocket: socket.socket | None
    ) -> None:
        super().__init__(config)
        self._calls = calls
        self._audiosocket = audiosocket

    async def main_loop(self) -> None:
        async with audiosocket_server(self._calls, self._audiosocket):
            await super().main_loop()
        await self._calls.drain()


@contextmanager
def running_server(
    hearing: Hearing,
    database: Path | str,
    port: int = 0,
    ingest: IngestSettings | None = None,
) -> Iterator[Running]:
    """Serve on loopback until the block ends; port 0 picks a free one.

    Raises:
        PortTakenError: something else listens on the port.
    """
    ingest = ingest or IngestSettings()
    listener = _listen("127.0.0.1", port, "--port")
    audiosocket = None
    if ingest.audiosocket_port:
        audiosocket = _listen(
            ingest.audiosocket_host, max(0, ingest.audiosocket_port), "ingest.audiosocket_port"
        )
        audiosocket.listen()
    user, journal = SingleUser(), Journal(database)
    calls = Calls(hearing, journal, ingest)
    server = _Server(
        uvicorn.Config(
            create_app(calls, user),
            http=HttpProtocol,
            ws=WebSocketProtocol,
            ws_max_size=2 * MAX_MESSAGE_BYTES,
            ws_per_message_deflate=False,
            ws_ping_interval=5,
            ws_ping_timeout=5,
            timeout_keep_alive=5,
            proxy_headers=False,
            timeout_graceful_shutdown=5,
            log_level="warning",
            log_config=None,
        ),
        calls,
        audiosocket,
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
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise PortTakenError(f"Port {port} is in use; choose another with {setting}.") from error
    return listener
