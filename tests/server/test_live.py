"""What supervisors are told, and what they may say, over real sockets."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from conversation.events import Event, EventLog, NudgeSent
from server.call_view import fold_all
from tests.e2e.stage import HERE, Stage, staged_server

pytestmark = pytest.mark.server


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with staged_server(tmp_path / "heartline.db") as running:
        yield running


@contextmanager
def opened(stage: Stage, path: str, **wishes: str) -> Iterator[ClientConnection]:
    with connect(f"ws://127.0.0.1:{stage.port}{path}") as socket:
        ticket = stage.access.new_ticket(HERE)
        socket.send(json.dumps({"type": "ticket", "ticket": ticket, **wishes}))
        yield socket


def until(
    socket: ClientConnection, good: Callable[[dict[str, Any]], bool], most: int = 30
) -> dict[str, Any]:
    for _ in range(most):
        message: dict[str, Any] = json.loads(socket.recv(timeout=10))
        if good(message):
            return message
    raise AssertionError("the message did not come")


def of_type(kind: str) -> Callable[[dict[str, Any]], bool]:
    return lambda message: message["type"] == kind


def journalled(stage: Stage, call_id: str, kind: type[Event]) -> list[Event]:
    return [e for e in stage.calls.journal.events(call_id) if isinstance(e, kind)]


def test_the_wall_gets_all_cards_then_only_those_that_changed(stage: Stage) -> None:
    stage.begin("calm", 10)
    stage.begin("upset", 30)
    with opened(stage, "/v1/live") as wall:
        first = until(wall, of_type("snapshot"))
        assert {card["call_id"] for card in first["cards"]} == {"calm", "upset"}
        stage.go_on("upset", 30, 51)
        change = until(wall, of_type("event"))
        assert [card["call_id"] for card in change["cards"]] == ["upset"]
        assert change["cards"][0]["severity"] == 3
        assert change["seq"] > first["seq"]
        stage.end("calm")
        assert until(wall, of_type("event"))["gone"] == ["calm"]


def test_a_socket_without_a_ticket_sees_no_call(stage: Stage) -> None:
    for path in ("/v1/live", "/v1/calls/upset/events"):
        with connect(f"ws://127.0.0.1:{stage.port}{path}") as socket:
            socket.send('{"type":"ticket","ticket":"guess"}')
            with pytest.raises(ConnectionClosed) as closed:
                socket.recv(timeout=10)
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 4401


def test_a_watcher_is_not_told_of_the_agents_own_cues(stage: Stage) -> None:
    stage.begin("upset", 20)
    with (
        opened(stage, "/v1/calls/upset/events", **{"as": "watch"}) as watcher,
        opened(stage, "/v1/calls/upset/events") as agent,
    ):
        until(watcher, of_type("snapshot"))
        until(agent, of_type("snapshot"))
        stage.go_on("upset", 20, 65)
        stage.end("upset")
        seen: dict[str, list[dict[str, Any]]] = {}
        for name, socket in (("watcher", watcher), ("agent", agent)):
            seen[name] = []
            while (message := json.loads(socket.recv(timeout=10)))["type"] != "report":
                seen[name].append(message)
    rules = {
        name: [
            m["event"]["rule"] for m in messages if m.get("event", {}).get("type") == "cue_raised"
        ]
        for name, messages in seen.items()
    }
    assert rules["watcher"] == ["customer_upset"]
    assert rules["agent"] == ["talk_over", "customer_upset", "nudge"]
    kinds = {m["event"]["type"] for m in seen["watcher"] if m["type"] == "event"}
    assert not kinds & {"promise_made", "promise_reviewed", "cue_withheld", "cue_feedback"}
    numbers = [m["seq"] for m in seen["watcher"] if m["type"] == "event"]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def test_the_agent_is_told_that_somebody_watches_and_that_they_left(stage: Stage) -> None:
    stage.begin("calm", 10)
    with opened(stage, "/v1/calls/calm/events") as agent:
        assert until(agent, of_type("snapshot"))["watchers"] == 0
        with opened(stage, "/v1/calls/calm/events", **{"as": "watch"}) as watcher:
            until(watcher, of_type("snapshot"))
            assert until(agent, of_type("watchers"))["count"] == 1
        assert until(agent, of_type("watchers"))["count"] == 0


def test_a_nudge_is_short_plain_text_and_reaches_the_agent(stage: Stage) -> None:
    stage.begin("calm", 10)
    with (
        opened(stage, "/v1/calls/calm/events") as agent,
        opened(stage, "/v1/live") as wall,
    ):
        until(agent, of_type("snapshot"))
        text = "Offer\u202e to\x07 bring me in " + "x" * 80
        wall.send(json.dumps({"type": "nudge", "call_id": "calm", "text": text, "nudge": "n"}))
        event = until(agent, of_type("event"))["event"]
    assert event["type"] == "nudge_sent"
    assert event["text"].startswith("Offer to bring me in xxx")
    assert len(event["text"]) == 60
    assert len(journalled(stage, "calm", NudgeSent)) == 1


def test_alerts_are_acknowledged_and_taken(stage: Stage) -> None:
    stage.begin("trouble", 152)
    with opened(stage, "/v1/live") as wall:
        (card,) = until(wall, of_type("snapshot"))["cards"]
        vulnerable = next(a for a in card["alerts"] if a["rule"] == "sup_vulnerable")
        answer = {
            "type": "acknowledge",
            "call_id": "trouble",
            "alert": vulnerable["id"],
            "taken": True,
        }
        wall.send(json.dumps(answer))
        changed = until(wall, of_type("event"))["cards"][0]
    answers = {alert["rule"]: alert["answer"] for alert in changed["alerts"]}
    assert answers == {"sup_hold": "acknowledged", "sup_vulnerable": "taken"}


def test_only_the_agent_pauses_judges_and_confirms_only_others_nudge(stage: Stage) -> None:
    stage.begin("upset", 58)
    own = [
        {"type": "pause_capture"},
        {"type": "raise_hand"},
        {"type": "promise", "promise": "p1", "verdict": "edited", "what": "Ring back"},
        {"type": "feedback", "cue": "c", "verdict": "up"},
    ]
    others = [
        {"type": "nudge", "text": "hello", "nudge": "n"},
        {"type": "acknowledge", "alert": "a"},
    ]
    before = len(stage.calls.journal.events("upset"))
    with (
        opened(stage, "/v1/calls/upset/events") as agent,
        opened(stage, "/v1/calls/upset/events", **{"as": "watch"}) as watcher,
    ):
        until(watcher, of_type("snapshot"))
        for message in own:
            watcher.send(json.dumps(message))
        for message in others:
            agent.send(json.dumps(message))
        for message in [*own, {"type": "resume_capture"}]:
            agent.send(json.dumps(message))
        until(agent, lambda m: m.get("event", {}).get("type") == "capture_resumed")
    added = [type(e).__name__ for e in stage.calls.journal.events("upset")[before:]]
    assert added == [
        "CapturePaused", "HandRaised", "PromiseReviewed", "CueFeedback", "CaptureResumed",
    ]  # fmt: skip


def test_nonsense_on_a_socket_is_ignored(stage: Stage) -> None:
    stage.begin("calm", 10)
    with opened(stage, "/v1/live") as wall:
        until(wall, of_type("snapshot"))
        for text in ("{", "[]", '"nudge"', '{"type":"nudge","call_id":7,"text":null}', "{}"):
            wall.send(text)
        stage.go_on("calm", 10, 18)
        assert until(wall, of_type("event"))["cards"]


def test_a_snapshot_as_state_is_what_the_events_add_up_to(stage: Stage) -> None:
    stage.begin("upset", 40)
    with (
        opened(stage, "/v1/calls/upset/events", snapshot="view") as short,
        opened(stage, "/v1/calls/upset/events") as long,
    ):
        view = until(short, of_type("snapshot"))
        events = until(long, of_type("snapshot"))
    assert (view["seq"], view["position_ms"]) == (events["seq"], events["position_ms"])
    told = [EventLog.decode(json.dumps(event)) for event in events["events"]]
    assert json.loads(msgspec.json.encode(fold_all(told))) == view["view"]
    assert "events" not in view
