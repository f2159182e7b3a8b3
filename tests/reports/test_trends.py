"""Trends say nothing of an agent below twenty calls, and of a team nothing that points at one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import json
from msgspec.structs import replace

from conversation.events import Channel
from reports.build import build_report
from reports.figures import figures_of
from reports.model import Report, encode
from reports.rollup import MIN_AGENTS, MIN_CALLS
from reports.trends import agent_trend, team_trend
from tests.golden.files import events_of

pytestmark = [pytest.mark.unit, pytest.mark.property]
NOW = datetime(2026, 6, 30, 12, tzinfo=UTC)


@cache
def heard() -> Report:
    return build_report(events_of("upset"))


def call(number: int, agent: str | None, days_ago: int) -> Report:
    started = (NOW - timedelta(days=days_ago)).isoformat()
    part = replace(heard().call, id=f"c{number}", agent=agent, started_at=started)
    return replace(figures_of(heard()), call=part)


def test_figures_hold_every_number_and_no_word_that_was_said() -> None:
    report = heard()
    figures = figures_of(report)
    text = encode(figures).decode()
    said = [line.text for line in report.transcript if line.text] + [a.text for a in report.acts]
    assert len(said) > 10
    assert [words for words in said if len(words) > 3 and words in text] == []
    assert json.decode(encode(figures), type=Report) == figures
    assert figures.talk == report.talk
    assert figures.interruptions.by == report.interruptions.by
    assert [p.delivered for p in figures.scorecard] == [p.delivered for p in report.scorecard]


def test_an_agents_days_add_up_to_what_their_reports_say() -> None:
    calls = [call(n, "ann", n % 5) for n in range(MIN_CALLS)]
    trend = agent_trend(calls, "ann", NOW, 7)
    assert trend.enough
    assert [point.calls for point in trend.points] == [0, 0, 4, 4, 4, 4, 4]
    one = heard()
    needed = sum(part.opportunities for part in one.scorecard)
    delivered = sum(part.delivered for part in one.scorecard)
    assert [(p.delivered, p.needed) for p in trend.points[2:]] == [(4 * delivered, 4 * needed)] * 5
    counts = one.interruptions.by[Channel.AGENT]
    weighted = (counts.successful or 0) + (counts.talk_over or 0) + (counts.butting_in or 0) / 2
    expected = round(weighted * 600_000 / one.quality.scored_ms, 2)
    assert {point.agent_per_10min for point in trend.points[2:]} == {expected}
    assert trend.points[0].agent_per_10min is None
    assert sum(total.needed for total in trend.behaviours) == MIN_CALLS * needed


def test_below_twenty_calls_only_their_number_is_said() -> None:
    trend = agent_trend([call(n, "ann", 1) for n in range(MIN_CALLS - 1)], "ann", NOW, 30)
    assert not trend.enough
    assert str(MIN_CALLS) in trend.needs
    assert trend.points[-2].calls == MIN_CALLS - 1
    assert all(p.agent_per_10min is p.delivered is p.needed is None for p in trend.points)
    assert trend.behaviours == ()
    assert trend.measures == ()


def test_practice_never_counts_and_is_said() -> None:
    runs = [call(n, "ann", 1) for n in range(3)]
    runs = [replace(r, call=replace(r.call, source="practice")) for r in runs]
    trend = agent_trend([*runs, call(9, "ann", 1)], "ann", NOW, 7)
    assert (trend.calls, trend.practice) == (1, 3)


def test_ninety_days_are_shown_by_week() -> None:
    trend = agent_trend([call(n, "ann", n * 3) for n in range(MIN_CALLS + 9)], "ann", NOW, 90)
    assert trend.days_per_point == 7
    assert len(trend.points) == 13
    assert sum(point.calls or 0 for point in trend.points) == trend.calls == MIN_CALLS + 9


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 7), st.integers(0, 9)), max_size=260))
def test_no_point_of_a_team_rests_on_fewer_than_five_agents(
    calls: list[tuple[int, int]],
) -> None:
    reports = [call(n, f"agent{who}", days) for n, (who, days) in enumerate(calls)]
    trend = team_trend(reports, "billing", NOW, 30)
    per_agent = {who: sum(w == who for w, _ in calls) for who, _ in calls}
    settled = {who for who, count in per_agent.items() if count >= MIN_CALLS}
    assert trend.enough is (len(settled) >= MIN_AGENTS)
    if not trend.enough:
        assert trend.calls == 0
        assert {point.calls for point in trend.points} == {0}
        return
    for point in trend.points:
        days = (NOW.date() - datetime.fromisoformat(point.day).date()).days
        agents = {who for who, ago in calls if ago == days and who in settled}
        if 0 < len(agents) < MIN_AGENTS:
            assert point.calls is point.agent_per_10min is point.delivered is point.needed is None
        elif agents:
            assert point.calls is not None
    assert "agent" not in str([trend.title, trend.needs])
