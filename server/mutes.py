"""Rules that an agent has muted: two thumbs down within 30 days; priority 0 cannot be muted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta

from conversation.events import CallStarted, CueFeedback, CueRaised, Event
from server.store import Journal

WINDOW = timedelta(days=30)
DOWNS = 2
"""So many within the window mute a rule (`coaching.md` section 4)."""


def muted_rules(journal: Journal, agent: str | None, now: datetime) -> tuple[str, ...]:
    """Return the rules that are muted for an agent in a call that starts now."""
    if agent is None:
        return ()
    since = (now - WINDOW).isoformat(timespec="seconds")
    kinds = ("call_started", "cue_raised", "cue_feedback")
    return from_feedback(journal.agent_events(agent, since, kinds))


def from_feedback(events: Iterable[Event]) -> tuple[str, ...]:
    """Return the rules with enough thumbs down; one vote for each showing, the last one."""
    votes: dict[tuple[int, str], str] = {}
    rules: dict[tuple[int, str], str] = {}
    call = 0
    for event in events:
        if isinstance(event, CallStarted):
            call += 1
        elif isinstance(event, CueRaised) and event.priority > 0:
            rules[call, event.id] = event.rule
        elif isinstance(event, CueFeedback) and event.verdict in ("up", "down"):
            votes[call, event.cue_id] = event.verdict
    downs = Counter(
        rules[showing] for showing, vote in votes.items() if vote == "down" and showing in rules
    )
    return tuple(sorted(rule for rule, count in downs.items() if count >= DOWNS))
