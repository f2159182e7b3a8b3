"""What was said and done so far, as the history functions of rule expressions read it."""

from __future__ import annotations

from array import array
from bisect import bisect_right, insort
from collections.abc import Sequence
from functools import cache

from conversation.events import (
    ActDetected,
    Channel,
    Event,
    OverlapEnded,
    SpeechEnded,
    SpeechStarted,
    TurnEnded,
    TurnStarted,
)
from conversation.fact_names import needs_words
from conversation.history_port import Window

KEEP = 400
"""Occurrences remembered per kind: hours of any real call."""


@cache
def _need_words(kinds: tuple[str, ...]) -> bool:
    return any(needs_words(kind) for kind in kinds)


class CallHistory:
    """Records acts and turns; answers `count`, `since`, `turns_since` and `seen` at `now_ms`."""

    def __init__(self) -> None:
        self.now_ms = 0
        self.words_known: bool = True
        self.floor = 0.0
        self.news = 0
        """Kinds that have occurred; of no other can anything be true that was not before."""
        self._past: dict[str, list[tuple[int, int, float, str]]] = {}
        self._cache: dict[tuple[tuple[str, ...], float], list[tuple[int, int, float, str]]] = {}
        """Occurrences by kinds and confidence, until the next one is recorded."""
        self._turns: dict[str, array[int]] = {}
        self._utterances: dict[str, dict[str, int]] = {}
        """Of channels of which no turn was told."""

    def observe(self, event: Event) -> None:
        """Record one event, when it is of a kind that history functions know."""
        if isinstance(event, ActDetected):
            kind = f"{event.channel}.{event.kind}"
            self._add(kind, event.start_ms, event.end_ms, event.confidence, event.text)
            if event.channel not in self._turns:
                said = self._utterances.setdefault(event.channel, {})
                said[event.utterance_id] = min(
                    said.get(event.utterance_id, event.start_ms), event.start_ms
                )
        elif isinstance(event, TurnStarted):
            insort(self._turns.setdefault(event.channel, array("q")), event.start_ms)
            self._utterances.pop(event.channel, None)
            self._add(f"{event.channel}.turn_started", event.start_ms, event.start_ms)
        elif isinstance(event, TurnEnded | SpeechEnded):
            name = "turn_ended" if isinstance(event, TurnEnded) else "speech_ended"
            self._add(f"{event.channel}.{name}", event.end_ms, event.end_ms)
        elif isinstance(event, SpeechStarted):
            self._add(f"{event.channel}.speech_started", event.start_ms, event.start_ms)
        elif isinstance(event, OverlapEnded) and event.revision == 0:
            self._add(f"{event.by}.overlap_ended", event.begin_ms, event.end_ms, event.confidence)

    def mark(self, kind: str, start: int, end: int, confidence: float, text: str) -> None:
        """Record one occurrence of a kind that is no event of its own."""
        self._add(kind, start, end, confidence, text)

    def _add(
        self, kind: str, start: int, end: int, confidence: float = 1.0, text: str = ""
    ) -> None:
        self._cache.clear()
        past = self._past.setdefault(kind, [])
        self.news = len(self._past)
        past.append((start, end, confidence, text))
        past.sort()
        del past[:-KEEP]

    def heard(self, kinds: tuple[str, ...]) -> bool:
        """Whether any of `kinds` has occurred, known or not."""
        return any(kind in self._past for kind in kinds)

    def _known(self, kinds: tuple[str, ...]) -> bool:
        return self.words_known or not _need_words(kinds)

    def _of(
        self, kinds: tuple[str, ...], floor: float = 0.0, *, doubtful: bool = False
    ) -> list[tuple[int, int, float, str]]:
        floor = floor if doubtful else max(floor, self.floor)
        found = self._cache.get((kinds, floor))
        if found is None:
            found = [o for k in kinds for o in self._past.get(k, ()) if o[2] >= floor]
            self._cache[kinds, floor] = found
        return found

    def _last_start(self, kinds: tuple[str, ...], *, doubtful: bool = False) -> int | None:
        return max((o[0] for o in self._of(kinds, doubtful=doubtful)), default=None)

    def _turn_of(self, channel: str, start: int) -> int:
        return bisect_right(self._turn_starts(channel), start)

    def _turn_starts(self, channel: str) -> Sequence[int]:
        """Starts of the speaker's turns; while none was told, utterances stand for turns."""
        return self._turns.get(channel) or sorted(self._utterances.get(channel, {}).values())

    def _inside(
        self,
        kinds: tuple[str, ...],
        window: Window,
        floor: float = 0.0,
        *,
        doubtful: bool = False,
    ) -> list[tuple[str, int, tuple[int, int, float, str]]]:
        found = []
        for kind in kinds:
            if kind not in self._past:
                continue
            channel = kind.partition(".")[0]
            newest = len(self._turn_starts(channel))
            for occurrence in self._of((kind,), floor, doubtful=doubtful):
                turn = self._turn_of(channel, occurrence[0])
                fits = (
                    turn > newest - window.size
                    if window.turns
                    else self.now_ms - occurrence[1] <= window.size
                )
                if fits:
                    found.append((channel, turn, occurrence))
        return found

    def count(
        self, kinds: tuple[str, ...], window: Window, floor: float = 0.0, *, doubtful: bool = False
    ) -> int | None:
        """Count occurrences in the window; for a window in turns, the turns that hold one."""
        if not self._known(kinds):
            return None
        found = self._inside(kinds, window, floor, doubtful=doubtful)
        return len({f[:2] for f in found}) if window.turns else len(found)

    def count_after(
        self, kinds: tuple[str, ...], after: tuple[str, ...], *, doubtful: bool = False
    ) -> int | None:
        """Count occurrences that began after the newest of `after`; none when it is missing."""
        if not self._known(kinds + after):
            return None
        mark = self._last_start(after)
        return 0 if mark is None else sum(o[0] > mark for o in self._of(kinds, doubtful=doubtful))

    def since(self, kinds: tuple[str, ...], *, doubtful: bool = False) -> float | None:
        """Return ms since the newest occurrence ended; infinity when there was none."""
        if not self._known(kinds):
            return None
        found = self._of(kinds, doubtful=doubtful)
        return float(self.now_ms - max(o[1] for o in found)) if found else float("inf")

    def turns_since(self, kinds: tuple[str, ...], *, doubtful: bool = False) -> float | None:
        """Return the speaker's turns begun since the newest occurrence; infinity when none."""
        if not self._known(kinds):
            return None
        return min(
            (
                float(len(self._turn_starts(c)) - self._turn_of(c, o[0]))
                for k in kinds
                for c in (k.partition(".")[0],)
                for o in self._of((k,), doubtful=doubtful)
            ),
            default=float("inf"),
        )

    def seen(
        self,
        kinds: tuple[str, ...],
        after: tuple[str, ...],
        within: Window | None = None,
        *,
        doubtful: bool = False,
    ) -> bool | None:
        """Tell whether one of `kinds` followed the newest (within a window: oldest) `after`."""
        if not self._known(kinds + after):
            return None
        if within is None:
            mark = self._last_start(after)
        else:
            mark = min((o[0] for _, _, o in self._inside(after, within)), default=None)
        newest = None if mark is None else self._last_start(kinds, doubtful=doubtful)
        return mark is not None and newest is not None and newest > mark

    def ago_ms(self, kind: str) -> float:
        """Return ms since the newest known occurrence ended, whatever its confidence."""
        past = self._past.get(kind)
        return self.now_ms - max(o[1] for o in past) if past else float("inf")

    def newest(self, kinds: tuple[str, ...]) -> tuple[str, int, int, str] | None:
        """Return kind, start, end and words of the newest worded one among `kinds`, if any."""
        found = [(o[0], k, o) for k in kinds if needs_words(k) for o in self._of((k,)) if o[3]]
        if not found:
            return None
        _, kind, o = max(found)
        return kind, o[0], o[1], o[3]

    def channel_quiet(self, channel: Channel) -> int:
        """Return the end of the newest utterance on `channel`, ms; -1 when there was none."""
        past = self._past.get(f"{channel}.speech_ended")
        return past[-1][1] if past else -1
