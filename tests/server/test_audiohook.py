"""A scripted AudioHook client, in exact wire form, against the decoder and a real server."""

from __future__ import annotations

import base64
import json
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from audio.chunks import AudioChunk
from conversation.events import AudioGap, CallEnded, CapturePaused, CaptureResumed, Channel
from reports.build import build_report
from server.adapters.audiohook import AudioHookDecoder
from server.adapters.audiohook_signature import sign
from server.adapters.contract import CallOpened, Item
from server.runner import Running
from tests.server.live import (
    end_of,
    gaps_of,
    mulaw,
    serving,
    started_of,
    the_call,
    until,
)

pytestmark = [pytest.mark.server, pytest.mark.unit]

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


class Script:
    """A client and a decoder, one message at a time."""

    def __init__(self, **named: Any) -> None:
        self.client = Client()
        self.decoder = AudioHookDecoder(SESSION, ORGANIZATION, authorized=True, **named)

    def say(self, message: str | bytes) -> tuple[list[Item], list[dict[str, Any]]]:
        items = self.decoder.feed(message)
        return items, [self.client.take(reply) for reply in self.decoder.reply()]

    def opened(self, media: list[dict[str, Any]] | None = None, **parameters: Any) -> Any:
        items, (answer,) = self.say(self.client.open(media, **parameters))
        assert answer["type"] == "opened"
        return items, answer["parameters"]["media"]


def frames(count: int = 1_600) -> bytes:
    return b"\xff" * count


@pytest.mark.parametrize(
    ("media", "chosen", "channels"),
    [
        (OFFERS, OFFERS[0], ("customer", "agent")),
        (OFFERS[1:], OFFERS[1], ("agent", "customer")),
        (OFFERS[2:4], OFFERS[2], ("customer",)),
        (OFFERS[3:], OFFERS[4], ("customer", "agent")),
        ([OFFERS[3]], OFFERS[3], ("agent",)),
    ],
)
def test_two_channels_are_chosen_as_they_were_offered(
    media: list[dict[str, Any]], chosen: dict[str, Any], channels: tuple[str, ...]
) -> None:
    (call,), answered = Script().opened(media)
    assert answered == [chosen]
    assert isinstance(call, CallOpened)
    assert call.channels == channels
    assert call.vendor_id == SESSION
    assert call.metadata == {"vendor_id": CONVERSATION}


def test_offers_that_cannot_be_used_mean_a_session_without_audio() -> None:
    script = Script()
    items, answered = script.opened([{**OFFERS[0], "rate": 16000}, {**OFFERS[0], "format": "OPUS"}])
    assert (items, answered) == ([], [])
    _, (answer,) = script.say(script.client.message("ping"))
    assert answer["type"] == "pong"


def test_audio_is_interleaved_sample_by_sample() -> None:
    script = Script()
    script.opened([OFFERS[0]])
    items, _ = script.say(b"\x80\x00" * 80)
    customer, agent = items
    assert isinstance(customer, AudioChunk)
    assert isinstance(agent, AudioChunk)
    assert (customer.channel, agent.channel) == (Channel.CUSTOMER, Channel.AGENT)
    assert customer.samples[0] > 0.9
    assert agent.samples[0] < -0.9
    assert len(customer.samples) == 80


def test_roles_can_be_configured() -> None:
    (call,), _ = Script(roles="external=agent").opened([OFFERS[0]])
    assert call.channels == ("agent", "customer")
    assert call.roles == {"external": "agent", "internal": "customer"}


def test_a_ping_is_answered_at_once_with_its_own_number() -> None:
    script = Script()
    script.opened()
    ping = script.client.message("ping")
    _, (pong,) = script.say(ping)
    assert (pong["type"], pong["parameters"]) == ("pong", {})
    assert pong["clientseq"] == json.loads(ping)["seq"]
    _, (second,) = script.say(script.client.message("ping", {"rtt": "PT0.05S"}))
    _, (closed,) = script.say(script.client.message("close", {"reason": "end"}))
    assert (second["type"], closed["type"]) == ("pong", "closed")


def test_update_is_answered_and_an_error_is_counted_and_waited_out() -> None:
    script = Script()
    script.opened()
    assert script.say(script.client.message("update", {"language": "es-ES"}))[1][0]["type"] == (
        "updated"
    )
    limited = {"code": 429, "message": "slow", "retryAfter": "PT5S"}
    assert script.say(script.client.message("error", limited)) == ([], [])
    assert script.decoder.errors == {429: 1}
    script.decoder.pause(True)
    assert script.decoder.reply() == []
    script.decoder.tick(5_000)
    script.decoder.pause(True)
    assert len(script.decoder.reply()) == 1


@pytest.mark.parametrize("moved", [False, True])
def test_a_pause_is_a_gap_whether_or_not_the_position_moved(moved: bool) -> None:
    script = Script()
    script.opened([OFFERS[0]])
    script.say(frames())
    items, _ = script.say(script.client.message("paused"))
    assert [type(item) for item in items] == [CapturePaused]
    if moved:
        script.client.sent_samples = 800 + 16_000
    items, _ = script.say(
        script.client.message("resumed", {"start": "PT0.1S", "discarded": "PT2S"})
    )
    gaps = [item for item in items if isinstance(item, AudioGap)]
    assert {(g.begin_ms, g.end_ms, g.reason) for g in gaps} == {(100, 2_100, "pause")}
    assert isinstance(items[-1], CaptureResumed)
    chunk, _ = script.say(frames())[0]
    assert isinstance(chunk, AudioChunk)
    assert chunk.start_ms == 2_100


def test_discarded_audio_is_a_gap() -> None:
    script = Script()
    script.opened([OFFERS[0]])
    script.say(frames())
    items, _ = script.say(
        script.client.message("discarded", {"start": "PT.1S", "discarded": "PT1.25S"})
    )
    gaps = [item for item in items if isinstance(item, AudioGap)]
    assert {(g.begin_ms, g.end_ms, g.reason) for g in gaps} == {(100, 1_350, "discard")}


def test_the_agents_pause_is_asked_of_the_client_and_a_drain_of_it_too() -> None:
    script = Script()
    script.opened()
    script.decoder.pause(True)
    script.decoder.pause(False)
    script.decoder.drain()
    kinds = [script.client.take(reply)["type"] for reply in script.decoder.reply()]
    assert kinds == ["pause", "resume", "reconnect"]


def test_a_probe_completes_the_dance_and_is_no_call() -> None:
    script = Script()
    items, _ = script.opened(
        conversationId=NULL,
        participant={"id": NULL, "ani": "", "aniName": "", "dnis": ""},
    )
    assert items == []
    assert script.say(frames())[0] == []
    items, (closed,) = script.say(script.client.message("close", {"reason": "end"}))
    assert (items, closed["type"]) == ([], "closed")


@pytest.mark.parametrize(
    ("reason", "ended"),
    [("end", "ended"), ("error", "source_error"), ("disconnect", "disconnected")],
)
def test_a_close_is_answered_and_ends_the_call(reason: str, ended: str) -> None:
    script = Script()
    script.opened()
    (item,), (closed,) = script.say(script.client.message("close", {"reason": reason}))
    assert closed["type"] == "closed"
    assert isinstance(item, CallEnded)
    assert item.reason == ended
    assert script.say(frames()) == ([], [])
    assert script.say(script.client.message("ping")) == ([], [])


def test_a_session_that_is_to_be_continued_does_not_end_the_call() -> None:
    script = Script()
    script.opened()
    assert script.say(script.client.message("close", {"reason": "reconnect"}))[0] == []
    again = AudioHookDecoder("s2", ORGANIZATION, authorized=True)
    client = Client("s2")
    client.sent_samples = 1_600
    continued = [{"id": SESSION, "serverseq": 3, "clientseq": 9}]
    (call,) = again.feed(client.open(continuedSessions=continued))
    assert isinstance(call, CallOpened)
    assert (call.continues, call.first_sample) == ((SESSION,), 1_600)


@pytest.mark.parametrize(
    "change",
    [
        {"seq": 3},
        {"seq": 1},
        {"serverseq": 2},
        {"serverseq": -1},
        {"id": "another"},
        {"version": "1"},
        {"type": "dance"},
        {"type": "open"},
        {"parameters": "none"},
    ],
)
def test_what_breaks_the_protocol_is_answered_with_disconnect(change: dict[str, Any]) -> None:
    script = Script()
    script.opened()
    _, (answer,) = script.say(script.client.message("ping", **change))
    assert (answer["type"], answer["parameters"]["reason"]) == ("disconnect", "error")
    assert answer["parameters"]["info"]
    assert script.say(frames()) == ([], [])


@pytest.mark.parametrize(
    "junk", ["{", "[]", "[" * 20_000, '{"version":"2"}', "x" * 65_536, "\ud800", "null"]
)
def test_junk_is_answered_with_disconnect(junk: str) -> None:
    script = Script()
    script.opened()
    _, (answer,) = script.say(junk)
    assert answer["type"] == "disconnect"


@pytest.mark.parametrize("audio", [b"\xff", b"\xff" * 65_536])
def test_audio_that_cannot_be_is_answered_with_disconnect(audio: bytes) -> None:
    script = Script()
    script.opened([OFFERS[0]])
    _, (answer,) = script.say(audio)
    assert answer["parameters"]["reason"] == "error"


@pytest.mark.parametrize("duration", ["2S", "PT", "PT-1S", "PT1M", "PT1e3S", None, 7])
def test_a_duration_has_one_form(duration: Any) -> None:
    script = Script()
    script.opened()
    parameters = {"start": duration, "discarded": "PT1S"}
    _, (answer,) = script.say(script.client.message("discarded", parameters))
    assert answer["type"] == "disconnect"


def test_an_unknown_client_is_told_half_a_second_after_open_and_never_heard() -> None:
    for authorized, organization in ((False, ORGANIZATION), (True, NULL)):
        client = Client()
        decoder = AudioHookDecoder(SESSION, ORGANIZATION, authorized=authorized)
        decoder.tick(1_000)
        assert decoder.feed(client.open(organizationId=organization)) == []
        assert decoder.feed(frames()) == []
        decoder.tick(1_499)
        assert decoder.reply() == []
        decoder.tick(1_500)
        (refusal,) = decoder.reply()
        assert client.take(refusal)["parameters"] == {"reason": "unauthorized"}


# --------------------------------------------------------------------------- a real server


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


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    with serving(audiohook_keys={KEY: SECRET}) as running:
        yield running


def test_a_whole_conversation_is_a_call_with_a_report() -> None:
    with serving(audiohook_keys={KEY: SECRET}) as server:
        with session(server) as (socket, client):
            assert exchange(socket, client, client.open())["type"] == "opened"
            send(socket, 0, 3_000)
            assert exchange(socket, client, client.message("ping"))["type"] == "pong"
            socket.send(client.message("paused"))
            paused = {"start": "PT3S", "discarded": "PT2S"}
            socket.send(client.message("resumed", paused))
            send(socket, 5_000, 9_000)
            closed = exchange(socket, client, client.message("close", {"reason": "end"}))
            assert closed["type"] == "closed"
        events = the_call(server)
    assert end_of(events).reason == "ended"
    assert started_of(events).source == "audiohook"
    assert set(gaps_of(events)) == {
        ("agent", 3_000, 5_000, "pause"),
        ("customer", 3_000, 5_000, "pause"),
    }
    report = build_report(events)
    assert report.call.duration_ms == 9_000
    assert report.call.channels == ("customer", "agent")


def refusal(socket: ClientConnection, client: Client) -> tuple[str, float]:
    began_s = time.monotonic()
    answer = exchange(socket, client, client.open())
    passed_s = time.monotonic() - began_s
    assert (
        exchange(socket, client, client.message("close", {"reason": "disconnect"}))["type"]
        == "closed"
    )
    return str(answer["parameters"].get("reason")), passed_s


@pytest.mark.parametrize(
    "changes",
    [
        {"signed": False},
        {"age_s": -11},
        {"age_s": 60},
        {"x-api-key": "other"},
        {"audiohook-session-id": "other"},
        {"signature": "sig1=:AAAA:"},
    ],
)
def test_unsigned_expired_and_altered_upgrades_are_refused_alike(
    server: Running, changes: dict[str, Any]
) -> None:
    session_id = str(changes.get("audiohook-session-id", SESSION))
    with session(server, **changes) as (socket, client):
        client.session = session_id
        reason, passed_s = refusal(socket, client)
    assert reason == "unauthorized"
    assert passed_s >= 0.45
    assert server.calls.running == {}


def test_a_replayed_upgrade_is_refused(server: Running) -> None:
    nonce = secrets.token_urlsafe(18)
    with session(server, nonce=nonce) as (socket, client):
        assert exchange(socket, client, client.open(conversationId=NULL))["type"] == "opened"
    with session(server, nonce=nonce) as (socket, client):
        assert refusal(socket, client)[0] == "unauthorized"


def test_a_probe_leaves_no_trace(server: Running) -> None:
    before = len(server.calls.journal.calls())
    with session(server) as (socket, client):
        exchange(socket, client, client.open(conversationId=NULL))
        send(socket, 0, 1_000)
        exchange(socket, client, client.message("close", {"reason": "end"}))
    assert len(server.calls.journal.calls()) == before


def test_a_client_that_misses_a_pong_reports_408_and_ends(server: Running) -> None:
    session_id = "30b0e395-0000-4570-ac13-9a62d8f514c1"
    with session(server, session_id) as (socket, client):
        exchange(socket, client, client.open())
        socket.send(client.message("error", {"code": 408, "message": "no pong"}))
        exchange(socket, client, client.message("close", {"reason": "error"}))
        socket.send(frames())
    until(lambda: session_id not in server.calls.running)
    assert end_of(server.calls.journal.events(session_id)).reason == "source_error"


def test_a_session_continued_over_another_socket_is_one_call(server: Running) -> None:
    first, second = "aaaaaaaa-84d3-4570-ac13-9a62d8f514c0", "bbbbbbbb-84d3-4570-ac13-9a62d8f514c0"
    with session(server, first) as (socket, client):
        exchange(socket, client, client.open())
        send(socket, 0, 2_000)
        exchange(socket, client, client.message("close", {"reason": "reconnect"}))
    with session(server, second) as (socket, client):
        client.sent_samples = 1_500 * 8
        continued = [{"id": first, "serverseq": 2, "clientseq": 2}]
        exchange(socket, client, client.open(continuedSessions=continued))
        send(socket, 1_500, 4_000)
        exchange(socket, client, client.message("close", {"reason": "end"}))
    until(lambda: first not in server.calls.running)
    events = server.calls.journal.events(first)
    assert gaps_of(events) == []
    assert build_report(events).call.duration_ms == 4_000


def test_the_golden_secret_is_base64() -> None:
    assert base64.b64decode(SECRET) == b"MySuperSecretKeyTellNo-1!2@3#4$5"


def test_a_socket_without_open_is_closed_by_the_server_only_in_time(server: Running) -> None:
    with session(server) as (socket, client):
        socket.send(client.message("ping"))
        answer = client.take(socket.recv(timeout=10))
        assert answer["parameters"]["reason"] == "error"
        socket.send(client.message("close", {"reason": "disconnect"}))
        assert client.take(socket.recv(timeout=10))["type"] == "closed"
        socket.close()
    with pytest.raises(ConnectionClosed):
        socket.recv(timeout=1)
