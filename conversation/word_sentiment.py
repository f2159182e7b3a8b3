"""The customer's state in words: thanks and satisfaction up, displeasure down, anger twice.

Voice says nothing here. `coaching.md` section 3.3 gives the values and the six turns.
"""

from __future__ import annotations

from collections.abc import Iterable

from conversation.events import ActDetected, Channel

VALUES = {
    "gratitude": 1, "satisfaction": 1, "frustration": -1, "confusion": -1, "anger": -2,
}  # fmt: skip
TURNS = 6
"""Customer turns that the running mean is over."""


def value(kinds: Iterable[str]) -> float | None:
    """Return the strongest value among the kinds of one turn, None when none has a value."""
    values = [VALUES[kind] for kind in kinds if kind in VALUES]
    if not values:
        return None
    return float(min(values)) if min(values) < 0 else float(max(values))


class WordSentiment:
    """Running mean over the customer's last six turns that were heard."""

    def __init__(self) -> None:
        self._utterances: dict[str, list[str]] = {}

    def hear(self, utterance_id: str) -> None:
        """Take a customer utterance that was put into words."""
        self._utterances.setdefault(utterance_id, [])
        for old in list(self._utterances)[:-TURNS]:
            del self._utterances[old]

    def observe(self, act: ActDetected) -> None:
        """Take an act."""
        if act.channel is Channel.CUSTOMER:
            self.hear(act.utterance_id)
            self._utterances[act.utterance_id].append(act.kind)

    def mean(self) -> float | None:
        """Return the mean, -2 to 1; None before the customer's first words."""
        if not self._utterances:
            return None
        values = [value(kinds) or 0.0 for kinds in self._utterances.values()]
        return round(sum(values) / len(values), 3)
