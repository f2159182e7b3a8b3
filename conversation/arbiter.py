"""Decides which candidate may be shown: budget, spacing, cooldown, rank. Pure bookkeeping."""

from __future__ import annotations

import msgspec

from conversation.rules import CueRule


class ArbiterSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Limits on what an agent is shown. Times are milliseconds; source: coaching.md section 4."""

    budget_window_ms: int = 600_000
    budget_total: int = 4
    """Raises of priority 1 to 5 inside the window."""
    budget_lower: int = 3
    """Raises of priority 2 to 5 inside the window, so that one is kept for priority 1."""
    spacing_ms: int = 10_000
    """Shortest time between two raises."""
    spacing_lower_ms: int = 20_000
    """Shortest time before a raise of priority 2 to 5."""
    free_below_ms: int = 1_000
    """A superseded cue shown for less costs no budget."""
    opening_a_ms: int = 5_000
    """Class A is silent this long from the start of the call."""
    opening_ms: int = 10_000
    """Other classes are silent this long."""
    stale_ms: dict[str, int] = msgspec.field(
        default_factory=lambda: {"A": 2_000, "T": 4_000, "L": 6_000}
    )
    """Oldest evidence that may be shown, by latency class."""
    floor_wait_ms: int = 3_000
    """Longest wait for the agent to pause."""
    floor_silent_ms: int = 300
    """What counts as a pause of the agent."""
    grace_limit_ms: int = 4_000
    """Longest wait for the words of the agent's last utterance."""
    uncleared_limit: int = 3
    """After so many expired showings a rule is left to the report."""
    snooze_ms: int = 300_000


class Shown(msgspec.Struct, kw_only=True):
    """One showing of a cue."""

    id: str
    rule: CueRule
    raised_ms: int
    clear_since_ms: int | None = None
    free: bool = False
    """Costs no budget."""
    issue: int = 0
    """Number of the customer's issue that it was shown in."""
    silent: bool = False
    """Of the experiment's silent arm: counted as if it were shown, but not on the screen."""


class Arbiter:
    """Keeps the one visible cue and everything that limits the next one."""

    def __init__(self, settings: ArbiterSettings) -> None:
        self.settings = settings
        self.visible: Shown | None = None
        self._shown: list[Shown] = []
        self._expired: dict[str, int] = {}

    def showing(self, cue_id: str) -> Shown | None:
        """Return the showing that has this id."""
        return next((shown for shown in self._shown if shown.id == cue_id), None)

    def obstacle(self, rule: CueRule, now_ms: int, issue: int = 0) -> str | None:
        """Return why `rule` may not be raised at `now_ms`, or None when it may.

        Args:
            rule: the candidate.
            now_ms: stream time.
            issue: number of the customer's present issue.
        """
        s = self.settings
        own = [shown for shown in self._shown if shown.rule.id == rule.id]
        if own and now_ms - own[-1].raised_ms < rule.cooldown_ms:
            return "cooldown"
        if len(own) >= rule.max_per_call:
            return "max_per_call"
        if rule.issue_once and any(shown.issue == issue for shown in own):
            return "max_per_issue"
        if rule.priority > 0 and self._expired.get(rule.id, 0) >= s.uncleared_limit:
            return "uncleared"
        if self.visible is not None:
            preempts = rule.priority <= 1 and rule.priority < self.visible.rule.priority
            if not preempts:
                return "another_visible"
        if rule.priority == 0:
            return None
        paid = [c for c in self._shown if not c.free and c.rule.priority > 0]
        if self.visible is not None and now_ms - self.visible.raised_ms < s.free_below_ms:
            paid = [c for c in paid if c is not self.visible]
        recent = [c for c in paid if now_ms - c.raised_ms < s.budget_window_ms]
        if len(recent) >= s.budget_total:
            return "budget"
        if rule.priority >= 2 and sum(c.rule.priority >= 2 for c in recent) >= s.budget_lower:
            return "budget"
        spacing = s.spacing_ms if rule.priority == 1 else s.spacing_lower_ms
        if self._shown and now_ms - self._shown[-1].raised_ms < spacing:
            return "spacing"
        return None

    def show(self, rule: CueRule, now_ms: int, *, issue: int = 0, silent: bool = False) -> Shown:
        """Record that `rule` is raised now and return its showing."""
        shown = Shown(
            id=f"cue-{len(self._shown) + 1}",
            rule=rule,
            raised_ms=now_ms,
            issue=issue,
            silent=silent,
        )
        self._shown.append(shown)
        self.visible = shown
        return shown

    def end(self, outcome: str, now_ms: int) -> Shown | None:
        """Take the visible cue off the screen and return it."""
        shown, self.visible = self.visible, None
        if shown is None:
            return None
        if outcome == "expired":
            self._expired[shown.rule.id] = self._expired.get(shown.rule.id, 0) + 1
        if outcome == "superseded" and now_ms - shown.raised_ms < self.settings.free_below_ms:
            shown.free = True
        return shown
