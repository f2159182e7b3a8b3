"""A scripted AudioHook client, in exact wire form."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from websockets.sync.client import ClientConnection, connect

from server.adapters.audiohook_signature import sign
from server.runner import Running
from tests.server.live import mulaw

ORGANIZATION = "d7934305-0972-4844-938e-9060eef73d05"
SESSION = "30b0e395-84d3-4570-ac13-9a62d8f514c0"
CONVERSATION = "090eaa2f-72fa-480a-83e0-8667ff89c0ec"
NULL = "00000000-0000-0000-0000-000000000000"
KEY = "SGVsbG8sIEkgYW0gdGhlIEFQSSBrZXkh"
SECRET = "TXlTdXBlclNlY3JldEtleVRlbGxOby0xITJAMyM0JDU="


def offer(*channels: str, encoding: str = "PCMU") -> dict[str, Any]:
    return {"type": "audio", "format": encoding, "channels": list(channels), "rate": 8000}


OFFERS = [
    offer("external", "internal"),
    offer("internal", "external"),
    offer("external"),
    offer("internal"),
    offer("external", "internal", encoding="L16"),
]


class Client:
    """The client's side of the protocol: numbers, echoes and positions."""

    def __init__(self, session: str = SESSION) -> None:
        self.session = session
        self.seq = 0
        self.server_seq = 0
        self.sent_samples = 0
        self.rate_bytes = 2
        """Bytes of one sample of every channel."""

    def message(self, kind: str, parameters: dict[str, Any] | None = None, **changes: Any) -> str:
        self.seq += 1
        envelope = {
            "version": "2",
            "id": self.session,
            "type": kind,
            "seq": self.seq,
            "serverseq": self.server_seq,
            "position": f"PT{self.sent_samples / 8000:.3f}S",
            "parameters": parameters or {},
        }
        return json.dumps({**envelope, **changes})

    def open(self, media: list[dict[str, Any]] | None = None, **parameters: Any) -> str:
        return self.message(
            "open",
            {
                "organizationId": ORGANIZATION,
                "conversationId": CONVERSATION,
                "participant": {
                    "id": "883efee8-3d6c-4537-b500-6d7ca4b92fa0",
                    "ani": "+1-555-555-1234",
                    "aniName": "Jane Doe",
                    "dnis": "+1-800-555-6789",
                },
                "media": OFFERS if media is None else media,
                "language": "en-US",
                **parameters,
            },
        )

    def take(self, text: str | bytes) -> dict[str, Any]:
        """Check a server message as a client does."""
        message: dict[str, Any] = json.loads(text)
        assert set(message) == {"version", "id", "type", "seq", "clientseq", "parameters"}
        assert (message["version"], message["id"]) == ("2", self.session)
        self.server_seq += 1
        assert message["seq"] == self.server_seq
        assert message["clientseq"] <= self.seq
        return message


def frames(count: int = 1_600) -> bytes:
    return b"\xff" * count


@contextmanager
def session(
    server: Running, session_id: str = SESSION, *, signed: bool = True, **changes: Any
) -> Iterator[tuple[ClientConnection, Client]]:
    headers = {
        "audiohook-organization-id": ORGANIZATION,
        "audiohook-session-id": session_id,
        "audiohook-correlation-id": "e160e428-53e2-487c-977d-96989bf5c99d",
        "x-api-key": KEY,
    }
    target = "/v1/ingest/audiohook"
    if signed:
        created = int(datetime.now(UTC).timestamp()) + changes.pop("age_s", 0)
        nonce = changes.pop("nonce", secrets.token_urlsafe(18))
        parameters = f';keyid="{KEY}";nonce="{nonce}";created={created};expires={created + 10}'
        stated, signature = sign(headers, target, f"127.0.0.1:{server.port}", SECRET, parameters)
        headers |= {"signature-input": stated, "signature": signature}
    headers |= changes
    url = f"ws://127.0.0.1:{server.port}{target}"
    with connect(url, additional_headers=headers) as socket:
        yield socket, Client(session_id)


def exchange(socket: ClientConnection, client: Client, message: str) -> dict[str, Any]:
    socket.send(message)
    return client.take(socket.recv(timeout=10))


def stereo() -> bytes:
    both = bytearray(2 * len(mulaw("customer")))
    both[0::2], both[1::2] = mulaw("customer"), mulaw("agent")
    return bytes(both)


def send(socket: ClientConnection, begin_ms: int, end_ms: int) -> None:
    audio = stereo()[begin_ms * 16 : end_ms * 16]
    for at in range(0, len(audio), 3_200):
        socket.send(audio[at : at + 3_200])
