"""What a rule may read at one moment: facts of speech, of the call and of what is talked about."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from conversation.call_facts import CallFacts
from conversation.discourse import Discourse
from conversation.fact_names import FactValue

WORDS_LAG_MS = 2_700
"""Words later than this are missing, not unsaid: 2 s (`coaching.md` section 3.1) after the 0.7 s
that end an utterance."""
_ABSENT: Any = object()


class AllFacts(dict[str, FactValue]):
    """Facts by name, each looked up once, when it is asked for; what nobody knows is None."""

    def __init__(
        self, now_ms: int, given: Mapping[str, FactValue], call: CallFacts, talk: Discourse
    ) -> None:
        super().__init__()
        self._now_ms = now_ms
        self._given = given
        self._call = call
        self._talk = talk
        self._rest: dict[str, FactValue] | None = None
        """The facts of the call and of what is talked about, once one was asked for."""
        available = self["asr.available"]
        if available is True:
            lag_ms = self["words.lag_ms"]
            if isinstance(lag_ms, int) and lag_ms > WORDS_LAG_MS:
                available = self["asr.available"] = None
        self["words.known"] = available is True

    def __missing__(self, name: str) -> FactValue:
        value: FactValue = self._given.get(name, _ABSENT)
        if value is _ABSENT:
            if self._rest is None:
                wpm = self._given.get("agent.wpm_15s")
                self._rest = self._call.facts(self._now_ms, wpm) | self._talk.facts(self._now_ms)
            value = self._rest.get(name)
        self[name] = value
        return value

    def get(self, name: str, default: Any = None) -> Any:
        """Return a fact; none is missing, so there is no default."""
        return self[name]
