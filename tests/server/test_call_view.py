"""What dashboards know of a call: the golden states, and snapshots that lose nothing."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversation.events import AlertRaised, Channel, ClockAdvanced, SpeechStarted
from server.call_view import CallView, fold, fold_all
from server.wall import card_of
from tests.golden.files import FOLDER, events_of, log_text, states_text
from tests.golden.scenes import SCENES

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("name", SCENES)
def test_the_golden_files_are_those_of_the_scenes(name: str) -> None:
    hint = "run `python -m tests.golden`"
    assert (FOLDER / f"{name}.jsonl").read_text(encoding="utf-8") == log_text(name), hint
    assert (FOLDER / f"{name}.states.json").read_text(encoding="utf-8") == states_text(name), hint


@given(name=st.sampled_from(sorted(SCENES)), cut=st.floats(0, 1))
def test_a_snapshot_and_the_events_after_it_give_the_same_as_all_events(
    name: str, cut: float
) -> None:
    events = events_of(name)
    at = int(len(events) * cut)
    sent = msgspec.json.encode(fold_all(events[:at]))
    received = msgspec.json.decode(sent, type=CallView)
    assert fold_all(events[at:], received) == fold_all(events)


def test_one_alert_stands_for_each_rule() -> None:
    def alert(n: int) -> AlertRaised:
        return AlertRaised(at_ms=n, id=f"a{n}", rule="sup_hold", reason=f"{n}", suggested_action="")

    view = fold_all([alert(1), alert(2)])
    assert [(a.id, a.reason) for a in view.alerts] == [("a2", "2")]


def test_the_clock_changes_nothing_but_the_position() -> None:
    view = fold(CallView(), SpeechStarted(at_ms=5, channel=Channel.AGENT, start_ms=0))
    later = fold(view, ClockAdvanced(at_ms=900))
    assert later == msgspec.structs.replace(view, position_ms=900)


def view_at(name: str, seconds: float) -> CallView:
    return fold_all(e for e in events_of(name) if e.at_ms <= seconds * 1000)


def test_a_card_ranks_what_the_call_needs() -> None:
    assert card_of(view_at("calm", 18)).severity == 0
    asked = card_of(view_at("upset", 49))
    assert asked.severity == 2
    assert asked.reasons[0].kind == "escalation_request"
    alerted = card_of(view_at("upset", 54))
    assert (alerted.severity, alerted.reasons[0].text) == (3, "Asked for a manager, no offer yet")
    assert "escalation_request" not in {reason.kind for reason in alerted.reasons}
    assert card_of(view_at("trouble", 119)).severity == 4


def test_a_card_carries_the_team_that_the_server_knows() -> None:
    assert card_of(view_at("calm", 18)).team is None
    assert card_of(view_at("calm", 18), "billing").team == "billing"


def test_an_alert_that_somebody_took_no_longer_ranks_high() -> None:
    taken = card_of(view_at("upset", 59))
    alerts = [reason for reason in taken.reasons if reason.kind == "alert"]
    assert [reason.severity for reason in alerts] == [1]


def test_reasons_fade_when_they_are_old() -> None:
    view = view_at("upset", 47)
    later = msgspec.structs.replace(view, position_ms=view.position_ms + 400_000)
    assert card_of(view).severity > 0
    assert card_of(later).severity == 0


@pytest.mark.parametrize("name", SCENES)
def test_no_habit_of_the_agent_is_on_a_card(name: str) -> None:
    events = events_of(name)
    for count in range(0, len(events) + 1, 10):
        text = json.dumps(msgspec.to_builtins(card_of(fold_all(events[:count]))))
        for habit in ("talk_over", "interruption", "overlap", "words_per_minute", "dead_air"):
            assert habit not in text
