"""Writes what a dashboard of a call is told, with the time it was told, to a file."""

from __future__ import annotations

import json
import os
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.sync.client import ClientConnection, connect

from server.stream_client import StreamError

KEY_FILE = "cli.key"
_TIMEOUT_S = 10.0


def write_key(folder: Path, key: str) -> None:
    """Leave the command line's key in the data folder, readable by this user alone."""
    path = folder / KEY_FILE
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(key)


class EventRecorder:
    """One event socket, read on a thread of its own; lines are JSON.

    `elapsed_ms` counts from `begin`, so that at speed 1 it minus an event's `at_ms` is the delay
    with which a person would have seen it.
    """

    def __init__(self, ingest_url: str, data: Path, out: Path) -> None:
        parts = urlsplit(ingest_url)
        secure = parts.scheme == "wss"
        self._http = f"{'https' if secure else 'http'}://{parts.netloc}"
        self._ws = f"{parts.scheme}://{parts.netloc}"
        self._data = data
        self._out = out
        self._thread: threading.Thread | None = None
        self._subscribed = threading.Event()
        self._failure: Exception | None = None
        self._began_s = 0.0
        self.events = 0
        """Events written so far."""

    def begin(self, call_id: str) -> None:
        """Subscribe to a call and start writing.

        Raises:
            StreamError: the key is missing or refused, or the call is unknown.
        """
        url, ticket = f"{self._ws}/v1/calls/{call_id}/events", self._ticket()
        self._thread = threading.Thread(target=self._record, args=(url, ticket), name="recorder")
        self._thread.start()
        self._subscribed.wait(_TIMEOUT_S)
        if self._failure is not None or not self._subscribed.is_set():
            raise StreamError(
                f"The events of call {call_id} cannot be read: {self._failure or 'no answer'}."
            )
        self._began_s = time.monotonic()

    def finish(self) -> None:
        """Wait for the end of the call's events and close the file."""
        if self._thread is not None:
            self._thread.join(timeout=_TIMEOUT_S)

    def _ticket(self) -> str:
        path = self._data / KEY_FILE
        try:
            key = path.read_text("ascii").strip()
            request = Request(  # noqa: S310 - the scheme is http or https by construction
                f"{self._http}/v1/tickets",
                method="POST",
                headers={"Authorization": f"Bearer {key}"},
            )
            with urlopen(request, timeout=_TIMEOUT_S) as answer:  # noqa: S310 - as above
                return str(json.load(answer)["ticket"])
        except HTTPError as error:
            raise StreamError(
                f"The server refused the key in {path} ({error.code}); is it that server's folder?"
            ) from error
        except URLError as error:
            raise StreamError(f"No Heartline server answers at {self._http}.") from error
        except OSError as error:
            raise StreamError(
                f"{path} cannot be read; run beside `heartline serve`, or name its folder with "
                "--data."
            ) from error

    def _record(self, url: str, ticket: str) -> None:
        try:
            with connect(url, compression=None) as socket:
                socket.send(json.dumps({"type": "ticket", "ticket": ticket}))
                socket.recv(timeout=_TIMEOUT_S)
                self._subscribed.set()
                with self._out.open("w", encoding="utf-8") as file:
                    self._write(socket, file)
        except (OSError, InvalidHandshake, ConnectionClosed) as error:
            self._failure = error
            self._subscribed.set()

    def _write(self, socket: ClientConnection, file: IO[str]) -> None:
        for text in socket:
            message = json.loads(text)
            if message["type"] == "snapshot":
                for event in message["events"]:
                    self._line(file, None, event)
            elif message["type"] == "event":
                self._line(file, message["seq"], message["event"])
            elif message["type"] == "report":
                return

    def _line(self, file: IO[str], seq: int | None, event: dict[str, Any]) -> None:
        received = datetime.now(UTC).isoformat(timespec="milliseconds")
        elapsed_ms = round((time.monotonic() - self._began_s) * 1000)
        line = {"received_at": received, "elapsed_ms": elapsed_ms, "seq": seq, "event": event}
        file.write(json.dumps(line) + "\n")
        self.events += 1
