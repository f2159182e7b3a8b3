"""Roll-ups hide persons, carry intervals, and say nothing where too little was heard."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pandas
import pyarrow.parquet
import pytest
from scipy.stats import chi2

from reports.intervals import poisson_interval, share_interval
from reports.model import PracticePart, Report, encode
from reports.rollup import RollUpError, agent_rollup, team_rollup, usual
from reports.rollup_page import rollup_csv, rollup_html
from server.commands.report import read_reports, write_rollup

pytestmark = pytest.mark.unit
GOLDEN = Path(__file__).parents[1] / "data" / "golden" / "sample.report.json"
NOW = datetime(2026, 3, 31, 12, tzinfo=UTC)
SINCE = NOW - timedelta(days=60)


@cache
def golden() -> Report:
    return msgspec.json.decode(GOLDEN.read_bytes(), type=Report)


def call(agent: str, number: int, *, days_ago: float = 10.0, **changes: Any) -> Report:
    """A call like the golden one, 10 minutes scored, with `cuts` interruptions by the agent."""
    base = golden()
    cuts = changes.pop("cuts", 2)
    by = {
        party: msgspec.structs.replace(
            base.interruptions.by[party],
            successful=cuts if party == "agent" else 0,
            talk_over=0,
            butting_in=0,
            per_10min=float(cuts) if party == "agent" else 0.0,
        )
        for party in ("agent", "customer")
    }
    began = NOW - timedelta(days=days_ago, minutes=number)
    replaced = msgspec.structs.replace(
        base,
        call=msgspec.structs.replace(
            base.call,
            id=f"{agent}-{number}",
            agent=agent,
            started_at=began.isoformat(),
            language=changes.pop("language", "en"),
        ),
        quality=msgspec.structs.replace(base.quality, scored_ms=600_000),
        interruptions=msgspec.structs.replace(base.interruptions, by=by),
    )
    return msgspec.structs.replace(replaced, **changes)


def team(agents: int, calls: int) -> list[Report]:
    return [call(f"agent{a}", n) for a in range(agents) for n in range(calls)]


NAMES = [f"agent{a}" for a in range(9)]


def test_a_team_is_summed_up_with_intervals_and_without_a_name() -> None:
    rollup = team_rollup(team(5, 20), "billing", NAMES, SINCE, NOW)
    assert (rollup.calls, rollup.agents) == (100, 5)
    rate = next(m for m in rollup.measures if m.name == "interruptions_by_agent")
    assert rate.value == 2.0
    assert rate.low is not None
    assert rate.high is not None
    assert rate.low < 2.0 < rate.high
    page, table = rollup_html(rollup), rollup_csv(rollup).decode()
    assert not any(name in page or name in table for name in NAMES)
    assert "<script" not in page


@pytest.mark.parametrize(("agents", "calls"), [(4, 50), (9, 19)])
def test_a_team_too_small_to_hide_in_is_refused(agents: int, calls: int) -> None:
    with pytest.raises(RollUpError, match="point at nobody"):
        team_rollup(team(agents, calls), "billing", NAMES, SINCE, NOW)


def test_an_agent_with_few_calls_is_not_in_the_teams_figures() -> None:
    rare = [call("agent8", n, cuts=500) for n in range(3)]
    rollup = team_rollup([*team(5, 20), *rare], "billing", NAMES, SINCE, NOW)
    assert rollup.calls == 100
    assert rollup.left_out == ("3 of agents with fewer than 20",)


def test_practice_other_languages_and_other_times_do_not_count() -> None:
    part = PracticePart(scenario="s", role="agent", reflection={}, attempts=())
    other = [
        *(call("ana", 100 + n, practice=part) for n in range(4)),
        *(call("ana", 200 + n, language="de") for n in range(5)),
        *(call("ana", 300 + n, days_ago=200.0) for n in range(6)),
    ]
    rollup = agent_rollup([*(call("ana", n) for n in range(20)), *other], "ana", SINCE, NOW)
    assert rollup.calls == 20
    assert rollup.left_out == ("4 of practice", "5 in another language than en")


def test_an_agent_needs_twenty_calls() -> None:
    with pytest.raises(RollUpError, match="ana has 19 calls"):
        agent_rollup([call("ana", n) for n in range(19)], "ana", SINCE, NOW)


def test_a_share_below_three_opportunities_is_not_given() -> None:
    reports = [call("ana", n, scorecard=()) for n in range(20)]
    part = golden().scorecard[0]
    two = msgspec.structs.replace(part, opportunities=2, delivered=1)
    reports[0] = call("ana", 0, scorecard=(two,))
    rollup = agent_rollup(reports, "ana", SINCE, NOW)
    measure = next(m for m in rollup.measures if m.name == part.behaviour)
    assert (measure.value, measure.n) == (None, 2)


# ------------------------------------------------------------------ the agent's own usual


def test_a_call_is_compared_with_the_agents_own_thirty_days() -> None:
    earlier = [call("ana", n, cuts=n % 3) for n in range(25)]
    newest = call("ana", 99, days_ago=1.0, cuts=9)
    found = {c.name: c for c in usual(newest, [newest, *earlier])}
    rate = found["interruptions_by_agent"]
    assert (rate.value, rate.median, rate.place, rate.n) == (9.0, 1.0, "above", 25)
    assert found["pace"].place == "usual"


def test_nothing_is_compared_below_the_minimum() -> None:
    newest = call("ana", 99, days_ago=1.0)
    few = [call("ana", n) for n in range(19)]
    strangers = [call("bo", n) for n in range(50)]
    long_ago = [call("ana", 100 + n, days_ago=32.0) for n in range(50)]
    assert usual(newest, [*few, *strangers, *long_ago]) == ()
    enough = [*few, call("ana", 20)]
    assert usual(newest, enough) != ()
    assert usual(golden(), enough) == ()  # too little speech for a rate


# ------------------------------------------------------------------ intervals


@pytest.mark.parametrize("count", [1, 2, 5, 17, 80])
def test_the_interval_of_a_count_is_the_exact_one(count: int) -> None:
    low, high = poisson_interval(count)
    assert low == pytest.approx(chi2.ppf(0.025, 2 * count) / 2, abs=0.01)
    assert high == pytest.approx(chi2.ppf(0.975, 2 * count + 2) / 2, abs=0.01)


def test_intervals_at_the_edges() -> None:
    assert poisson_interval(0) == (0.0, 3.69)
    assert share_interval(0, 0) is None
    assert share_interval(0, 10) == (0.0, 0.2775)
    assert share_interval(10, 10) == (0.7225, 1.0)


# ------------------------------------------------------------------ files


def test_pandas_and_pyarrow_read_the_same_figures(tmp_path: Path) -> None:
    rollup = agent_rollup([call("ana", n) for n in range(20)], "ana", SINCE, NOW)
    html, csv, parquet = write_rollup(rollup, tmp_path, ("html", "csv", "parquet"))
    assert "own calls" in html.read_text("utf-8")
    from_csv = pandas.read_csv(io.BytesIO(csv.read_bytes()))
    from_parquet = pyarrow.parquet.read_table(parquet).to_pandas()
    pandas.testing.assert_frame_equal(from_csv, from_parquet, check_dtype=False)
    assert list(from_csv["measure"]) == [m.name for m in rollup.measures]


def test_a_broken_report_is_left_out_and_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, content in (("a", encode(golden())), ("b", b"{"), ("c", encode(golden()))):
        (tmp_path / name).mkdir()
        (tmp_path / name / "report.json").write_bytes(content)
    assert len(list(read_reports([tmp_path]))) == 1
    assert "is not a report" in capsys.readouterr().err
