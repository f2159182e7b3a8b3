"""How calls go over days and weeks: one agent's for that agent and their coach, or a whole team's.

A team's figures need five agents with twenty calls each over the whole time, and five agents in
every point: a point of fewer is hidden, its number of calls too (`coaching.md` section 8). Nothing
is said of an agent below twenty calls.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta

import msgspec

from conversation.events import Channel
from reports.build import MIN_SCORED_SPEECH_MS
from reports.model import Report
from reports.rollup import MIN_AGENTS, MIN_CALLS, Measure, measures

_TEN_MIN_MS = 600_000
_DAYS_BY_DAY = 31
"""Longer times are shown by week."""


class TrendPoint(msgspec.Struct, frozen=True, kw_only=True):
    """One day, or one week."""

    day: str
    """Its first day, ISO 8601."""
    calls: int | None
    """None where fewer than five agents of a team would be behind it."""
    agent_per_10min: float | None
    """Interruptions by the agent in ten minutes; None below two minutes of scored speech."""
    customer_per_10min: float | None
    delivered: int | None
    """How often a behaviour was there that was called for."""
    needed: int | None
    """How often one was called for."""


class BehaviourTotal(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the scorecard over the whole time."""

    behaviour: str
    delivered: int
    needed: int


class Trend(msgspec.Struct, frozen=True, kw_only=True):
    """Calls over time."""

    title: str
    since: str
    until: str
    days_per_point: int
    calls: int
    """Those that are counted."""
    agents: int
    practice: int
    """Practice runs of the time, which never count."""
    enough: bool
    """False: nothing may be said yet but how many calls there were."""
    needs: str
    """What is missing, in a sentence; empty when nothing is."""
    points: tuple[TrendPoint, ...]
    behaviours: tuple[BehaviourTotal, ...]
    measures: tuple[Measure, ...]


def agent_trend(reports: Iterable[Report], title: str, until: datetime, days: int) -> Trend:
    """Follow the calls of one agent, or of the one person at a machine."""
    real, practice = _chosen(reports, until, days)
    enough = len(real) >= MIN_CALLS
    needs = "" if enough else f"Figures need {MIN_CALLS} calls; there are {len(real)} in this time."
    return _trend(real, title, until, days, practice=practice, enough=enough, needs=needs)


def team_trend(reports: Iterable[Report], title: str, until: datetime, days: int) -> Trend:
    """Follow a team's calls without pointing at anybody."""
    real, practice = _chosen(reports, until, days)
    per_agent = Counter(report.call.agent for report in real if report.call.agent is not None)
    settled = {agent for agent, count in per_agent.items() if count >= MIN_CALLS}
    if len(settled) < MIN_AGENTS:
        needs = (
            f"A team's figures need {MIN_AGENTS} agents with {MIN_CALLS} calls each, so that they "
            f"point at nobody; there are fewer in this time."
        )
        return _trend([], title, until, days, practice=0, enough=False, needs=needs)
    kept = [report for report in real if report.call.agent in settled]
    return _trend(
        kept, title, until, days, practice=practice, enough=True, needs="", least=MIN_AGENTS
    )


def _trend(
    calls: Sequence[Report],
    title: str,
    until: datetime,
    days: int,
    *,
    practice: int,
    enough: bool,
    needs: str,
    least: int = 1,
) -> Trend:
    step = 1 if days <= _DAYS_BY_DAY else 7
    return Trend(
        title=title,
        since=_first_day(until, days).isoformat(),
        until=until.date().isoformat(),
        days_per_point=step,
        calls=len(calls),
        agents=len({report.call.agent for report in calls}),
        practice=practice,
        enough=enough,
        needs=needs,
        points=tuple(_points(calls, until, days, step, least, said=enough)),
        behaviours=_behaviours(calls) if enough else (),
        measures=measures(calls) if enough else (),
    )


def _first_day(until: datetime, days: int) -> date:
    return until.date() - timedelta(days=days - 1)


def _day(report: Report) -> date:
    """Return the day on which a call began, where it was taken."""
    return datetime.fromisoformat(report.call.started_at).date()


def _chosen(reports: Iterable[Report], until: datetime, days: int) -> tuple[list[Report], int]:
    first, last = _first_day(until, days), until.date()
    inside = [report for report in reports if first <= _day(report) <= last]
    real = [r for r in inside if r.practice is None and r.call.source != "practice"]
    return real, len(inside) - len(real)


def _points(
    calls: Sequence[Report], until: datetime, days: int, step: int, least: int, *, said: bool
) -> Iterable[TrendPoint]:
    first = _first_day(until, days)
    groups: dict[int, list[Report]] = {}
    for report in calls:
        groups.setdefault((_day(report) - first).days // step, []).append(report)
    for number in range(-(-days // step)):
        group = groups.get(number, [])
        hidden = 0 < len({report.call.agent for report in group}) < least
        shown = said and not hidden
        parts = [part for report in group for part in report.scorecard]
        yield TrendPoint(
            day=(first + timedelta(days=number * step)).isoformat(),
            calls=None if hidden else len(group),
            agent_per_10min=_rate(group, Channel.AGENT) if shown else None,
            customer_per_10min=_rate(group, Channel.CUSTOMER) if shown else None,
            delivered=sum(part.delivered for part in parts) if shown else None,
            needed=sum(part.opportunities for part in parts) if shown else None,
        )


def _rate(calls: Sequence[Report], party: Channel) -> float | None:
    weighted, scored_ms, speech_ms = 0.0, 0, 0
    for report in calls:
        counts, talk = report.interruptions.by.get(party), report.talk
        if counts is None or counts.successful is None or talk.agent_ms is None:
            continue
        whole = counts.successful + (counts.talk_over or 0)
        weighted += whole + (counts.butting_in or 0) / 2
        scored_ms += report.quality.scored_ms
        speech_ms += talk.agent_ms + (talk.customer_ms or 0)
    if speech_ms < MIN_SCORED_SPEECH_MS or scored_ms == 0:
        return None
    return round(weighted * _TEN_MIN_MS / scored_ms, 2)


def _behaviours(calls: Sequence[Report]) -> tuple[BehaviourTotal, ...]:
    names = dict.fromkeys(part.behaviour for report in calls for part in report.scorecard)
    totals = {name: [0, 0] for name in names}
    for report in calls:
        for part in report.scorecard:
            totals[part.behaviour][0] += part.delivered
            totals[part.behaviour][1] += part.opportunities
    return tuple(
        BehaviourTotal(behaviour=name, delivered=delivered, needed=needed)
        for name, (delivered, needed) in totals.items()
        if needed
    )
