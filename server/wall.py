"""The supervisor wall: what a call needs, in facts, ranked. Pure functions of a `CallView`.

`card_of` here and `cardOf` in `dashboard/src/wall/card.ts` agree; golden logs prove it. A card
says what the call needs and never how the agent does: no interruption, pace or wording is on it.
"""

from __future__ import annotations

import itertools

import msgspec

from conversation.events import Channel
from server.call_view import Alert, Bar, CallView, RaisedBar

_C = Channel.CUSTOMER
STRIP_MS = 60_000
"""Span of a card's two lanes."""
STRIP_BARS = 200
"""More bars than two people can speak in that span; earlier ones are not looked at."""
RAISED_RECENT_MS = 60_000
"""A raised voice is a reason for this long after it ended."""
SAID_RECENT_MS = 180_000
"""Words that call for help are a reason for this long."""
HOLD_LONG_MS = 90_000
"""A hold is a reason from here on (coaching.md 3.2, hold_long)."""
SENTIMENT_TURNS = 12
"""Customer turns of the trend of words."""
ALERT_SEVERITY = {
    "sup_vulnerable": 4,
    "sup_abuse": 4,
    "sup_raise_hand": 4,
    "sup_escalation": 3,
    "sup_churn": 3,
    "sup_upset_lasting": 3,
}
"""Rank of the alerts of coaching.md 3.3; those not named here rank 2."""
SAID_SEVERITY = {
    "vulnerability": 3,
    "escalation_request": 2,
    "churn_threat": 2,
    "anger": 2,
    "frustration": 1,
    "repeat_contact": 1,
}
"""Rank of what a customer says, until an alert has weighed it."""
ALERT_COVERS = {
    "sup_escalation": "escalation_request",
    "sup_churn": "churn_threat",
    "sup_vulnerable": "vulnerability",
    "sup_abuse": "anger",
    "sup_upset_lasting": "frustration",
    "sup_raise_hand": "hand",
    "sup_hold": "hold",
}
"""Reason that an alert already says, so that it is neither told nor weighed twice."""
SENTIMENT = {"gratitude": 1, "satisfaction": 1, "frustration": -1, "confusion": -1, "anger": -2}
"""Value of an act for the trend of words (coaching.md 3.3)."""
HANDLED_SEVERITY = 1
"""Rank of an alert that somebody has taken."""


class Reason(msgspec.Struct, frozen=True, kw_only=True):
    """One reason why a call may need somebody."""

    kind: str
    """`alert`, `hand`, `raised_voice`, `hold`, or the kind of the customer's act."""
    severity: int
    """1 to 4, 4 most urgent."""
    at_ms: int
    text: str | None
    """The alert's reason or the customer's words, redacted."""


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """What the wall shows of one call."""

    call_id: str
    agent: str | None
    team: str | None
    """The agent's team, as the source of the call named it."""
    position_ms: int
    paused: bool
    on_hold: bool
    ended: bool
    mixed: bool
    severity: int
    """Highest of the reasons, 0 when the call needs nobody."""
    since_ms: int
    """When that severity was first given a reason; 0 when the call needs nobody."""
    reasons: tuple[Reason, ...]
    alerts: tuple[Alert, ...]
    need_cues: int
    last_words: str | None
    last_words_ms: int
    sentiment: tuple[int, ...]
    """Value of each of the last customer turns, oldest first."""
    speech: tuple[Bar, ...]
    raised: tuple[RaisedBar, ...]


def card_of(view: CallView, team: str | None = None) -> Card:
    """Make the card of a team's call as of its position."""
    reasons = _reasons(view)
    severity = max((reason.severity for reason in reasons), default=0)
    since = [reason.at_ms for reason in reasons if reason.severity == severity]
    said = next((ln for ln in reversed(view.lines) if ln.channel is _C and ln.stable), None)
    from_ms = view.position_ms - STRIP_MS
    return Card(
        call_id=view.call_id,
        agent=view.agent,
        team=team,
        position_ms=view.position_ms,
        paused=view.paused,
        on_hold=view.hold_since_ms is not None,
        ended=view.ended,
        mixed=Channel.MIXED in view.channels,
        severity=severity,
        since_ms=min(since, default=0),
        reasons=reasons,
        alerts=view.alerts,
        need_cues=view.need_cues,
        last_words=None if said is None else said.stable,
        last_words_ms=0 if said is None else said.start_ms,
        sentiment=_sentiment(view),
        speech=tuple(
            b for b in view.speech[-STRIP_BARS:] if b.end_ms is None or b.end_ms > from_ms
        ),
        raised=tuple(b for b in view.raised if b.end_ms is None or b.end_ms > from_ms),
    )


def _reasons(view: CallView) -> tuple[Reason, ...]:
    """Every reason of the moment, the most urgent first, then the newest."""
    found = [
        Reason(
            kind="alert",
            severity=HANDLED_SEVERITY if alert.answer else ALERT_SEVERITY.get(alert.rule, 2),
            at_ms=alert.at_ms,
            text=alert.reason,
        )
        for alert in view.alerts
    ]
    if view.hand_since_ms is not None:
        found.append(Reason(kind="hand", severity=4, at_ms=view.hand_since_ms, text=None))
    for bar in _newest_raised(view):
        found.append(Reason(kind="raised_voice", severity=1, at_ms=bar.start_ms, text=None))
    said: dict[str, Reason] = {}
    for act in reversed(view.acts):
        if act.at_ms <= view.position_ms - SAID_RECENT_MS:
            break
        severity = SAID_SEVERITY.get(act.kind)
        if act.channel is _C and severity is not None and act.kind not in said:
            said[act.kind] = Reason(
                kind=act.kind, severity=severity, at_ms=act.start_ms, text=act.text
            )
    found.extend(said.values())
    if view.hold_since_ms is not None and view.position_ms - view.hold_since_ms >= HOLD_LONG_MS:
        found.append(Reason(kind="hold", severity=1, at_ms=view.hold_since_ms, text=None))
    covered = {ALERT_COVERS.get(alert.rule) for alert in view.alerts}
    found = [reason for reason in found if reason.kind not in covered]
    return tuple(sorted(found, key=lambda r: (-r.severity, -r.at_ms, r.kind)))


def _newest_raised(view: CallView) -> list[RaisedBar]:
    recent_ms = view.position_ms - RAISED_RECENT_MS
    bars = [
        bar
        for bar in view.raised
        if bar.channel is _C and (bar.end_ms is None or bar.end_ms > recent_ms)
    ]
    return bars[-1:]


def _sentiment(view: CallView) -> tuple[int, ...]:
    spoken = (ln for ln in reversed(view.lines) if ln.channel is _C and ln.final and ln.stable)
    turns = list(itertools.islice(spoken, SENTIMENT_TURNS))
    values = {turn.id: 0 for turn in reversed(turns)}
    for act in reversed(view.acts):
        if not turns or act.at_ms < turns[-1].start_ms:
            break
        if act.channel is _C and act.utterance_id in values:
            values[act.utterance_id] += SENTIMENT.get(act.kind, 0)
    return tuple(values.values())
