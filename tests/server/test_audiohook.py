"""The AudioHook decoder, one message at a time, asked by a scripted client."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from audio.chunks import AudioChunk
from conversation.events import AudioGap, CallEnded, CapturePaused, CaptureResumed, Channel
from server.adapters.audiohook import AudioHookDecoder
from server.adapters.contract import CallOpened, Item
from tests.server.audiohook_client import (
    CONVERSATION,
    NULL,
    OFFERS,
    ORGANIZATION,
    SECRET,
    SESSION,
    Client,
    frames,
)

pytestmark = pytest.mark.unit


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


def test_the_golden_secret_is_base64() -> None:
    assert base64.b64decode(SECRET) == b"MySuperSecretKeyTellNo-1!2@3#4$5"
