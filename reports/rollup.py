"""Many calls together: an agent's own, or those of a team that is large enough to hide in.

A team's figures need five agents with twenty calls each, and show no agent: there is no ranking
and no list by person (`coaching.md` section 8). Rates carry 95 % intervals; calls are taken as
independent, which makes the intervals of a team a little narrow. Practice never counts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta

import msgspec

from conversation.events import Channel
from reports.intervals import median_interval, rate_interval, share_interval
from reports.model import PRACTICE_SOURCE, Report, UsualPart
from reports.spans import quantile

MIN_AGENTS = 5
"""Fewer agents than this are no team (k of k-anonymity)."""
MIN_CALLS = 20
"""Calls of an agent below which nothing is said of them (`interruptions.md` section 13)."""
USUAL_DAYS = 30
"""How far back an agent's own usual looks."""
_MIN_OPPORTUNITIES = 3
_TEN_MIN_MS = 600_000
_SCALE = 10_000
"""Order statistics are whole numbers; four decimals are kept."""


class RollUpError(ValueError):
    """There is too little to say anything, or to say it without pointing at a person."""

    code = "too_few_calls"


class Measure(msgspec.Struct, frozen=True, kw_only=True):
    """One figure over all calls."""

    name: str
    value: float | None
    low: float | None
    """Lower end of the 95 % interval."""
    high: float | None
    n: int
    """What it rests on: calls for a median, events for a rate, opportunities for a share."""
    unit: str


class RollUp(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of many calls together."""

    title: str
    since: str
    until: str
    language: str
    calls: int
    agents: int
    left_out: tuple[str, ...]
    """Why calls are not in it, with their number."""
    measures: tuple[Measure, ...]
    newest: tuple[UsualPart, ...] = ()
    """An agent's newest call beside the 30 days before it; empty for a team."""


def agent_rollup(reports: Iterable[Report], agent: str, since: datetime, until: datetime) -> RollUp:
    """Sum up one agent's calls, for that agent.

    Raises:
        RollUpError: there are fewer than `MIN_CALLS`.
    """
    own = [report for report in reports if report.call.agent == agent]
    calls, left_out = _chosen(own, since, until)
    if len(calls) < MIN_CALLS:
        raise RollUpError(
            f"{agent} has {len(calls)} calls from {since.date()} to {until.date()}; figures need "
            f"{MIN_CALLS}. Take a longer time with --since."
        )
    newest = max(calls, key=lambda report: _began(report))
    return RollUp(
        title=f"{agent}, own calls",
        since=since.isoformat(timespec="minutes"),
        until=until.isoformat(timespec="minutes"),
        language=newest.call.language,
        calls=len(calls),
        agents=1,
        left_out=left_out,
        measures=measures(calls),
        newest=usual(newest, own),
    )


def team_rollup(
    reports: Iterable[Report], team: str, agents: Sequence[str], since: datetime, until: datetime
) -> RollUp:
    """Sum up a team's calls without naming anybody.

    Raises:
        RollUpError: fewer than `MIN_AGENTS` agents have `MIN_CALLS` calls.
    """
    of_team = [report for report in reports if report.call.agent in agents]
    calls, left_out = _chosen(of_team, since, until)
    per_agent = Counter(report.call.agent for report in calls)
    enough = {agent for agent, count in per_agent.items() if count >= MIN_CALLS}
    if len(enough) < MIN_AGENTS:
        raise RollUpError(
            f"Team {team} has {len(enough)} agents with {MIN_CALLS} calls or more from "
            f"{since.date()} to {until.date()}; a team's figures need {MIN_AGENTS}, so that they "
            "point at nobody. Take a longer time with --since."
        )
    kept = [report for report in calls if report.call.agent in enough]
    few = len(calls) - len(kept)
    return RollUp(
        title=f"Team {team}",
        since=since.isoformat(timespec="minutes"),
        until=until.isoformat(timespec="minutes"),
        language=kept[0].call.language,
        calls=len(kept),
        agents=len(enough),
        left_out=(*left_out, *([f"{few} of agents with fewer than {MIN_CALLS}"] if few else ())),
        measures=measures(kept),
    )


def _began(report: Report) -> datetime:
    began = datetime.fromisoformat(report.call.started_at)
    return began if began.tzinfo is not None else began.astimezone()


def _is_practice(report: Report) -> bool:
    return report.practice is not None or report.call.source == PRACTICE_SOURCE


def _chosen(
    reports: Sequence[Report], since: datetime, until: datetime
) -> tuple[list[Report], tuple[str, ...]]:
    """Return the real calls of the time in the language most of them are in, and what is not."""
    inside = [report for report in reports if since <= _began(report) <= until]
    real = [report for report in inside if not _is_practice(report)]
    languages = Counter(report.call.language for report in real)
    main = min(languages, key=lambda tag: (-languages[tag], tag), default="")
    kept = [report for report in real if report.call.language == main]
    notes = [
        (len(inside) - len(real), "of practice"),
        (len(real) - len(kept), f"in another language than {main}"),
    ]
    return kept, tuple(f"{count} {why}" for count, why in notes if count)


# ------------------------------------------------------------------ measures


def _interruptions(report: Report, party: Channel) -> tuple[int, float] | None:
    """Count, and weighted count as in `per_10min`; None where no rate may be given."""
    counts = report.interruptions.by.get(party)
    if counts is None or counts.per_10min is None:
        return None
    whole = (counts.successful or 0) + (counts.talk_over or 0)
    tried = counts.butting_in or 0
    return whole + tried, whole + tried / 2


def _per_10min(report: Report) -> float | None:
    return report.interruptions.by[Channel.AGENT].per_10min


def _median_latency(report: Report) -> float | None:
    return report.talk.response_latency_ms[Channel.AGENT]["median"]


_PER_CALL: tuple[tuple[str, str, Callable[[Report], float | None]], ...] = (
    ("talk_share_agent", "share", lambda report: report.talk.talk_share_agent),
    ("reply_time_median", "ms", _median_latency),
    ("pace", "words/min", lambda report: report.talk.words_per_minute[Channel.AGENT]),
    (
        "longest_monologue",
        "ms",
        lambda report: report.talk.longest_monologue_ms[Channel.AGENT],
    ),
)


def measures(calls: Sequence[Report]) -> tuple[Measure, ...]:
    """Measure many calls together."""
    found = [
        _rate("interruptions_by_agent", calls, Channel.AGENT),
        _rate("interruptions_by_customer", calls, Channel.CUSTOMER),
    ]
    found += [_median(name, unit, value, calls) for name, unit, value in _PER_CALL]
    behaviours = dict.fromkeys(part.behaviour for call in calls for part in call.scorecard)
    found += [_share(behaviour, calls) for behaviour in behaviours]
    shown = [cue.outcome for call in calls for cue in call.cues]
    found.append(_proportion("cues_cleared", shown.count("cleared"), len(shown)))
    dated = [promise.due is not None for call in calls for promise in call.promises]
    found.append(_proportion("promises_with_a_time", sum(dated), len(dated)))
    return tuple(found)


def _rate(name: str, calls: Sequence[Report], party: Channel) -> Measure:
    counted = [(report, _interruptions(report, party)) for report in calls]
    known = [(report, count) for report, count in counted if count is not None]
    time_ms = sum(report.quality.scored_ms for report, _ in known)
    events = sum(count for _, (count, _) in known)
    weighted = sum(weight for _, (_, weight) in known)
    unit = "per 10 min"
    if time_ms == 0:
        return Measure(name=name, value=None, low=None, high=None, n=0, unit=unit)
    factor = _TEN_MIN_MS / time_ms
    low, high = rate_interval(events, factor * (weighted / events if events else 1))
    rate = round(weighted * factor, 2)
    return Measure(name=name, value=rate, low=low, high=high, n=events, unit=unit)


def _median(
    name: str, unit: str, value: Callable[[Report], float | None], calls: Sequence[Report]
) -> Measure:
    """Return the median of calls with the distribution-free interval of order statistics."""
    values = sorted(v for report in calls if (v := value(report)) is not None)
    n = len(values)
    if n < MIN_CALLS:
        return Measure(name=name, value=None, low=None, high=None, n=n, unit=unit)
    low, high = _median_interval(values)
    return Measure(name=name, value=_quantile(values, 0.5), low=low, high=high, n=n, unit=unit)


def _share(behaviour: str, calls: Sequence[Report]) -> Measure:
    parts = [part for call in calls for part in call.scorecard if part.behaviour == behaviour]
    delivered = sum(part.delivered for part in parts)
    return _proportion(behaviour, delivered, sum(part.opportunities for part in parts))


def _proportion(name: str, delivered: int, opportunities: int) -> Measure:
    interval = share_interval(delivered, opportunities)
    if interval is None or opportunities < _MIN_OPPORTUNITIES:
        return Measure(name=name, value=None, low=None, high=None, n=opportunities, unit="share")
    return Measure(
        name=name,
        value=round(delivered / opportunities, 4),
        low=interval[0],
        high=interval[1],
        n=opportunities,
        unit="share",
    )


def _median_interval(ordered: Sequence[float]) -> tuple[float, float]:
    """Return the 95 % interval of the median of at least `MIN_CALLS` values."""
    interval = median_interval([round(value * _SCALE) for value in ordered])
    assert interval is not None  # noqa: S101 - twenty values have one
    return round(interval[0] / _SCALE, 4), round(interval[1] / _SCALE, 4)


def _quantile(ordered: Sequence[float], q: float) -> float:
    scaled = quantile([round(value * _SCALE) for value in ordered], q)
    return round((scaled or 0.0) / _SCALE, 4)


# ------------------------------------------------------------------ the agent's own usual


def usual(report: Report, others: Iterable[Report]) -> tuple[UsualPart, ...]:
    """Compare a call with the same agent's calls of the 30 days before it, in its language.

    A measure that fewer than `MIN_CALLS` of them have is left out, and nothing is said of a call
    with too little scored speech for a rate.
    """
    began = _began(report)
    if _interruptions(report, Channel.AGENT) is None:
        return ()
    earlier = [
        other
        for other in others
        if other.call.id != report.call.id
        and other.call.agent == report.call.agent
        and other.call.language == report.call.language
        and not _is_practice(other)
        and began - timedelta(days=USUAL_DAYS) <= _began(other) < began
    ]
    rows = (("interruptions_by_agent", "per 10 min", _per_10min), *_PER_CALL)
    found = (_compared(name, unit, value, report, earlier) for name, unit, value in rows)
    return tuple(comparison for comparison in found if comparison is not None)


def _compared(
    name: str,
    unit: str,
    value: Callable[[Report], float | None],
    report: Report,
    earlier: Sequence[Report],
) -> UsualPart | None:
    now = value(report)
    values = sorted(v for other in earlier if (v := value(other)) is not None)
    if now is None or len(values) < MIN_CALLS:
        return None
    low, median, high = (_quantile(values, q) for q in (0.1, 0.5, 0.9))
    interval = _median_interval(values)
    return UsualPart(
        name=name,
        value=now,
        median=median,
        median_interval=interval,
        low=low,
        high=high,
        n=len(values),
        place="below" if now < low else "above" if now > high else "usual",
        unit=unit,
    )
