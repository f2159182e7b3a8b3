"""What agents and supervisors say of a call reaches the core; mutes and arms go with the call."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from conversation.events import (
    AlertAcknowledged,
    CallStarted,
    Channel,
    CueFeedback,
    CueRaised,
    Event,
    HandRaised,
    NudgeSent,
    PromiseReviewed,
)
from server.call_metadata import known_before
from server.event_socket import _read
from server.experiment import ExperimentSettings, arm_of
from server.mutes import muted_rules
from server.store import Journal

pytestmark = pytest.mark.unit


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    kept = Journal(tmp_path / "x.db")
    yield kept
    kept.close()


def add_call(
    journal: Journal,
    call_id: str,
    started_at: str,
    *verdicts: str,
    rule: str = "dead_air",
    priority: int = 2,
) -> None:
    started = CallStarted(
        at_ms=0, call_id=call_id, started_at=started_at, source="test", channels=(Channel.AGENT,)
    )
    events: list[Event] = [started]
    for number, verdict in enumerate(verdicts):
        events += [
            CueRaised(
                at_ms=1, id=f"cue-{number}", rule=rule, text="x", priority=priority,
                evidence_line="x", ttl_ms=1_000,
            ),
            CueFeedback(at_ms=2, cue_id=f"cue-{number}", verdict=verdict),
        ]  # fmt: skip
    journal.open_call(call_id, started_at, "mira")
    journal.append(call_id, 1, events)


NOW = datetime(2026, 3, 20, tzinfo=UTC)


def test_two_thumbs_down_in_a_month_mute_a_rule_for_that_agent(journal: Journal) -> None:
    add_call(journal, "a", "2026-03-02T09:00:00+01:00", "down")
    assert muted_rules(journal, "mira", NOW) == ()
    add_call(journal, "b", "2026-03-03T09:00:00+01:00", "up", "down")
    assert muted_rules(journal, "mira", NOW) == ("dead_air",)
    assert muted_rules(journal, "tom", NOW) == ()
    assert muted_rules(journal, None, NOW) == ()


def test_old_votes_and_votes_on_safety_do_not_count(journal: Journal) -> None:
    add_call(journal, "a", "2026-01-02T09:00:00+01:00", "down", "down")
    add_call(journal, "b", "2026-03-03T09:00:00+01:00", "down", "down", rule="vulnerable",
             priority=0)  # fmt: skip
    assert muted_rules(journal, "mira", NOW) == ()


def test_the_arm_is_dealt_by_key_and_is_off_until_enabled() -> None:
    on = ExperimentSettings(enabled=True, silent_share=0.1, key="secret")
    arms = [arm_of(on, f"call-{n}", "mira") for n in range(4_000)]
    assert arms == [arm_of(on, f"call-{n}", "mira") for n in range(4_000)]
    assert 320 <= arms.count("silent") <= 480
    other = ExperimentSettings(enabled=True, silent_share=0.1, key="other")
    assert arms != [arm_of(other, f"call-{n}", "mira") for n in range(4_000)]
    assert {arm_of(ExperimentSettings(), f"call-{n}", "mira") for n in range(100)} == {"shown"}


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ({"type": "raise_hand"}, HandRaised(at_ms=0)),
        ({"type": "raise_hand", "raised": False}, HandRaised(at_ms=0, raised=False)),
        ({"type": "acknowledge", "alert": "alert-1", "taken": True},
         AlertAcknowledged(at_ms=0, alert_id="alert-1", taken=True)),
        ({"type": "nudge", "nudge": "n1", "text": "her card is 4111 1111 1111 1111"},
         NudgeSent(at_ms=0, nudge_id="n1", text="her card is [card]")),
        ({"type": "nudge", "text": "  "}, None),
        ({"type": "promise", "promise": "promise-1", "verdict": "confirmed"},
         PromiseReviewed(at_ms=0, promise_id="promise-1", verdict="confirmed")),
        ({"type": "promise", "promise": "promise-1", "verdict": "edited", "what": "ring Ann",
          "due_at": "2026-03-06T12:00:00+00:00"},
         PromiseReviewed(at_ms=0, promise_id="promise-1", verdict="edited", what="ring Ann",
                         due_at="2026-03-06T12:00:00+00:00")),
        ({"type": "promise", "promise": "p", "verdict": "edited", "due_at": "soon"}, None),
        ({"type": "promise", "promise": "p", "verdict": "perhaps"}, None),
        ({"type": "sing"}, None),
    ],
)  # fmt: skip
def test_messages_of_a_dashboard_are_read(message: dict[str, Any], expected: Event | None) -> None:
    assert _read(message) == expected


def test_what_a_source_knows_of_the_people_goes_with_the_call() -> None:
    known = known_before(
        {"customer_name": " Miriam ", "loyal_customer": "true", "usual_words_per_minute": "151"}
    )
    assert known == {
        "customer_name": "Miriam",
        "loyal_customer": True,
        "usual_words_per_minute": 151.0,
    }
    assert known_before({"usual_words_per_minute": "9000", "loyal_customer": "maybe"}) == {}
