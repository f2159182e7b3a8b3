"""What speaks for and against an overlap being an interruption, read from both parties' speech."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right, insort
from collections.abc import Sequence

import msgspec

from conversation.backchannels import Listener, backchannel_score
from conversation.completeness import (
    going_on_completeness,
    lexical_completeness,
    stopped_completeness,
)
from conversation.events import Channel, OverlapClass, OverlapEnded
from conversation.floor_words import FloorWords
from conversation.overlap_classes import COUNTED_CONFIDENCE, INTERRUPTING, Findings
from conversation.overlap_words import (
    WORD_SLACK_MS,
    clause,
    newcomer_words,
    resumption_score,
    said,
    took_up,
)
from conversation.settings import InterruptionSettings
from conversation.speech import PartySpeech, Span, longest_stretch_ms, overlap_spans

_WENT_ON = 0.2
"""Completeness of a clause that was gone on with (C)."""
_ALONE_MS = 500
"""A newcomer who talks for so long after the other stopped has the floor (C)."""
_BEFORE_MS = 6_000
_LEAK_MS = 1_300
"""Longest lag of an echo and 500 ms."""
_EVER_MS = 10**12
_LONGEST_MS = 60_000
"""Simultaneous speech is not looked at for longer at once."""


class Candidate(msgspec.Struct):
    """One overlap, or cut-in, that is open or waits to be settled."""

    id: str
    by: Channel
    over: Channel
    onset_ms: int
    utterance_ms: int
    """Start of the newcomer's present utterance; later than the onset when events were joined."""
    collision: bool
    held: bool
    """Whether the other party held the floor at the onset."""
    margin: float
    pause: bool = False
    """Came in while the other paused."""
    updates: int = 0
    stated: OverlapClass | None = None
    over_since_ms: int | None = None
    stop_ms: int | None = None
    """When the other stopped; None while, or when, it went on."""
    resumed_ms: int | None = None
    """When the other went on after a stop of less than 1 s."""
    paused_ms: int | None = None
    """Where the simultaneous speech paused, if it went on with that."""
    raw_ms: int = 0
    """Longest simultaneous stretch, short holes bridged."""
    overlap_ms: int = 0
    until_ms: int = 0
    """End of the simultaneous speech so far."""
    length_ms: int = 0
    """Length of the newcomer's utterance so far, its short pauses included."""
    other_on: bool = True
    """Whether the other party still talks, or talked on."""
    p_backchannel: float = 0.0
    p_complete: float = 0.5
    lexical: float | None = None
    """Completeness by the words alone, None while they do not reach the stop."""
    source: str = "timing"
    """What completeness rests on: `words`, `voice` or `timing`."""


class OverlapEvidence:
    """Reads the evidence for candidates from what both parties said and from past overlaps.

    Every answer rests on spans around the candidate, so that it does not matter when it is asked
    for, as long as they are known by then.
    """

    def __init__(
        self,
        parties: dict[Channel, PartySpeech],
        settings: InterruptionSettings,
        words: FloorWords,
    ) -> None:
        self._parties = parties
        self._settings = settings
        self._words = words
        self.settled: list[OverlapEnded] = []
        """What was settled, in order, when all of it is settled at the end; a live call has told
        it and keeps what `taken` and the counts need."""
        self.taken: dict[Channel, OverlapEnded] = {}
        """The last time that each party surely took the floor from the other."""
        self._begins: dict[tuple[Channel, OverlapClass, bool], array[int]] = {}
        """Sorted begins by party and class; `True` for those that are sure enough to count."""

    def settle(self, event: OverlapEnded) -> None:
        """Note what was settled."""
        if self._settings.decide_at_end:
            self.settled.append(event)
        self._note(event, False)
        if event.confidence < COUNTED_CONFIDENCE:
            return
        self._note(event, True)
        if event.overlap_class is OverlapClass.SUCCESSFUL:
            self.taken[event.by] = event

    def _note(self, event: OverlapEnded, sure: bool) -> None:
        key = (event.by, event.overlap_class, sure)
        insort(self._begins.setdefault(key, array("q")), event.begin_ms)

    def _count(
        self, by: Channel, classes: Sequence[OverlapClass], sure: bool, now_ms: int, window_ms: int
    ) -> int:
        """Count what began in the last `window_ms`, those that are `sure` or all."""
        count = 0
        for overlap_class in classes:
            begins = self._begins.get((by, overlap_class, sure), ())
            count += bisect_right(begins, now_ms) - bisect_left(begins, now_ms - window_ms)
        return count

    def settled_backchannels(self, by: Channel, now_ms: int) -> int:
        """Count `by`'s listening signals of the last 120 s."""
        return self._count(by, (OverlapClass.BACKCHANNEL,), False, now_ms, 120_000)

    def interruptions(
        self,
        by: Channel,
        now_ms: int,
        window_ms: int,
        classes: Sequence[OverlapClass] = INTERRUPTING,
    ) -> int:
        """Count `by`'s settled interruptions, or other `classes`, in the last `window_ms`."""
        return self._count(by, classes, True, now_ms, window_ms)

    def alert(self, by: Channel, now_ms: int) -> bool:
        """Whether `by` has come in on the other again and again: 2 in 180 s, 40 % of overlaps."""
        recent = self._count(by, tuple(OverlapClass), False, now_ms, 180_000)
        cut = self._count(by, tuple(INTERRUPTING), False, now_ms, 180_000)
        return cut >= 2 and cut >= 0.4 * recent

    def _known_ms(self, now_ms: int) -> int:
        """Return up to when speech is confirmed."""
        return now_ms - self._settings.confirm_ms

    def _shared(self, candidate: Candidate, now_ms: int) -> list[Span]:
        mine, theirs = self._parties[candidate.by], self._parties[candidate.over]
        until_ms = self._known_ms(now_ms)
        if candidate.over_since_ms is not None:
            until_ms = min(until_ms, candidate.over_since_ms)
        return overlap_spans(
            mine.spans_between(candidate.onset_ms, until_ms),
            theirs.spans_between(candidate.onset_ms, until_ms),
        )

    def refresh(self, candidate: Candidate, now_ms: int) -> None:
        """Bring everything that is known of the candidate up to `now_ms`."""
        mine, theirs = self._parties[candidate.by], self._parties[candidate.over]
        settings = self._settings
        self._reopen(candidate, now_ms)
        shared = self._shared(candidate, now_ms)
        candidate.overlap_ms = sum(end - begin for begin, end in shared)
        candidate.raw_ms = longest_stretch_ms(shared, settings.bridge_ms)
        if candidate.paused_ms is not None:
            candidate.raw_ms = max(candidate.raw_ms, candidate.overlap_ms)
        candidate.until_ms = shared[-1][1] if shared else candidate.onset_ms
        if candidate.over_since_ms is None and not candidate.pause:
            last_ms = candidate.until_ms
            both_on = mine.speaking and theirs.speaking
            hole_ms = settings.newcomer_join_ms if theirs.speaking else settings.bridge_ms
            if not both_on and self._known_ms(now_ms) - last_ms > hole_ms:
                candidate.over_since_ms = last_ms
        end_ms = candidate.over_since_ms
        if end_ms is None:
            candidate.stop_ms = None if theirs.speaking else theirs.last_end_ms
            candidate.other_on = theirs.active_within(
                self._known_ms(now_ms) - settings.bridge_ms, now_ms
            )
        else:
            candidate.stop_ms = self._stop_ms(candidate, end_ms)
            candidate.other_on = candidate.stop_ms is None
        self._complete(candidate, now_ms)
        length_ms = candidate.length_ms = self.length_ms(candidate, now_ms)
        text, all_words = self._newcomer_words(candidate)
        candidate.p_backchannel = backchannel_score(
            length_ms,
            text,
            Listener(
                backchannels=self.settled_backchannels(candidate.by, candidate.onset_ms),
                level_delta_db=mine.effort(candidate.onset_ms - 120, now_ms)[0]
                if end_ms is None
                else mine.effort(candidate.onset_ms - 120, candidate.utterance_ms + length_ms)[0],
                alert=self.alert(candidate.by, candidate.onset_ms),
                interrupted=self.interruptions(candidate.by, candidate.onset_ms, 180_000) > 0,
                asked=(clause(theirs, candidate.onset_ms) or "").endswith("?"),
            ),
            self._words,
            all_words=all_words,
            ended=candidate.utterance_ms + length_ms < self._known_ms(now_ms),
        )
        if end_ms is None:
            return
        listening = (
            self._keeps_listening(candidate, length_ms)
            if settings.decide_at_end
            else not self._goes_on_alone(candidate, length_ms)
        )
        if not listening:
            candidate.p_backchannel = min(candidate.p_backchannel, 0.4)

    def _complete(self, candidate: Candidate, now_ms: int) -> None:
        """Judge how complete the other's clause was: words, voice, or timing alone."""
        candidate.p_complete = going_on_completeness(candidate.raw_ms)
        candidate.source, candidate.lexical = "timing", None
        if self._resumption(candidate, now_ms) < self._settings.stated_backchannel:
            candidate.p_complete = _WENT_ON
            return
        stop_ms = candidate.stop_ms
        if candidate.other_on or stop_ms is None:
            return
        stopped_ms = max(stop_ms, candidate.until_ms) - candidate.onset_ms
        candidate.p_complete, lexical = self._stopped(candidate, stop_ms, stopped_ms)
        candidate.lexical = lexical
        if lexical is not None:
            candidate.source = "words"
        elif self._parties[candidate.over].tail_db(stop_ms) is not None:
            candidate.source = "voice"

    def _stopped(
        self, candidate: Candidate, stop_ms: int, overlap_ms: int
    ) -> tuple[float, float | None]:
        """Return how complete the clause was that ended at `stop_ms`, and by the words alone."""
        theirs, resumed_ms = self._parties[candidate.over], candidate.resumed_ms
        later_ms = resumed_ms if resumed_ms is not None and resumed_ms > stop_ms else None
        lexical = lexical_completeness(clause(theirs, stop_ms, later_ms) or "", self._words)
        return stopped_completeness(overlap_ms, lexical, theirs.tail_db(stop_ms)), lexical

    def _resumption(self, candidate: Candidate, now_ms: int) -> float:
        """Return how likely what the other says since it stopped is no going on, 0 to 1."""
        theirs, resumed_ms = self._parties[candidate.over], candidate.resumed_ms
        stop_ms = None if resumed_ms is None else theirs.spans.last_end_by(resumed_ms)
        if resumed_ms is None or stop_ms is None:
            return 1.0
        complete, _ = self._stopped(candidate, stop_ms, stop_ms - candidate.onset_ms)
        return resumption_score(
            theirs, resumed_ms, self._known_ms(now_ms), complete, self._settings, self._words
        )

    def _reopen(self, candidate: Candidate, now_ms: int) -> None:
        """Let an overlap go on whose other party went on after a pause, unless only to listen."""
        since_ms, resumed_ms = candidate.over_since_ms, candidate.resumed_ms
        went_on = self._resumption(candidate, now_ms) < self._settings.stated_backchannel
        if candidate.paused_ms is not None and not went_on:
            candidate.over_since_ms, candidate.paused_ms = candidate.paused_ms, None
            return
        if since_ms is None or resumed_ms is None or resumed_ms < since_ms:
            return
        end_ms = self._overlap_end_ms(candidate, resumed_ms, now_ms)
        if end_ms is not None and went_on:
            lasts = self._known_ms(now_ms) - end_ms <= self._settings.newcomer_join_ms
            candidate.paused_ms, candidate.over_since_ms = since_ms, None if lasts else end_ms

    def _overlap_end_ms(self, candidate: Candidate, from_ms: int, now_ms: int) -> int | None:
        """Return the end of the simultaneous speech that goes on at `from_ms`; None without any."""
        until_ms = min(self._known_ms(now_ms), from_ms + _LONGEST_MS)
        end_ms = from_ms
        for begin, end in overlap_spans(
            self._parties[candidate.by].spans_between(from_ms, until_ms),
            self._parties[candidate.over].spans_between(from_ms, until_ms),
        ):
            if begin - end_ms > self._settings.newcomer_join_ms:
                break
            end_ms = end
        return None if end_ms == from_ms else end_ms

    def _stop_ms(self, candidate: Candidate, end_ms: int) -> int | None:
        """Return when the other stopped after the overlap ended; None when it went on."""
        theirs, settings = self._parties[candidate.over], self._settings
        stop_ms = end_ms
        for begin, end in theirs.spans_between(end_ms - 1, end_ms + 2 * settings.stop_ms):
            if begin - stop_ms > settings.bridge_ms:
                break
            stop_ms = max(stop_ms, end)
        if theirs.open_ms is not None and theirs.open_ms <= stop_ms:
            return None
        return None if stop_ms - end_ms >= settings.stop_ms else stop_ms

    def length_ms(self, candidate: Candidate, now_ms: int) -> int:
        """Return the length of what the newcomer says, its short pauses included."""
        spans = self._utterance_spans(candidate, now_ms)
        return spans[-1][1] - candidate.utterance_ms if spans else 0

    def _utterance_spans(self, candidate: Candidate, now_ms: int) -> list[Span]:
        """Spans of the newcomer's utterance that began at its onset."""
        return self._parties[candidate.by].run_between(
            candidate.utterance_ms, self._known_ms(now_ms), self._settings.newcomer_join_ms
        )

    def _keeps_listening(self, candidate: Candidate, length_ms: int) -> bool:
        """Whether the other goes on, and the newcomer says nothing for 1 s on either side."""
        mine, theirs = self._parties[candidate.by], self._parties[candidate.over]
        end_ms = candidate.utterance_ms + length_ms
        quiet_ms = self._settings.keep_ms
        return (
            not mine.active_within(candidate.onset_ms - quiet_ms, candidate.onset_ms)
            and not mine.active_within(end_ms + 1, end_ms + quiet_ms)
            and theirs.active_within(end_ms, end_ms + 500)
        )

    def _goes_on_alone(self, candidate: Candidate, length_ms: int) -> bool:
        """Whether the newcomer talks on, for longer than signs of listening last, to nobody's turn.

        A few words with pauses between them may look like such a sign until all are known.
        """
        if candidate.stop_ms is None or length_ms <= self._settings.backchannel_max_ms:
            return False
        return candidate.utterance_ms + length_ms - candidate.stop_ms >= _ALONE_MS

    def _newcomer_words(self, candidate: Candidate) -> tuple[str | None, bool]:
        chain = self._utterance_spans(candidate, _EVER_MS)
        return newcomer_words(self._parties[candidate.by], candidate.utterance_ms, chain)

    def findings(self, candidate: Candidate, now_ms: int) -> Findings:
        """Gather everything that a settled class rests on."""
        settings = self._settings
        mine, theirs = self._parties[candidate.by], self._parties[candidate.over]
        shared = self._shared(candidate, now_ms)
        end_ms = shared[-1][1] if shared else candidate.onset_ms
        length_ms = self.length_ms(candidate, now_ms)
        level_db, pitch_st = mine.effort(
            candidate.onset_ms - 120, candidate.utterance_ms + length_ms
        )
        stopped = not candidate.other_on
        before_ms = end_ms + 50 if stopped else candidate.onset_ms + WORD_SLACK_MS
        beside_ms = candidate.utterance_ms + length_ms + WORD_SLACK_MS
        return Findings(
            by=candidate.by,
            over=candidate.over,
            onset_ms=candidate.onset_ms,
            end_ms=end_ms,
            overlap_ms=sum(e - b for b, e in shared),
            raw_ms=candidate.raw_ms,
            length_ms=length_ms,
            spoken_ms=mine.speech_ms(candidate.utterance_ms, candidate.utterance_ms + length_ms),
            collision=candidate.collision,
            pause=candidate.pause,
            held=candidate.held,
            margin=candidate.margin,
            stopped=stopped,
            kept_ms=mine.speech_ms(end_ms, end_ms + 2 * settings.keep_ms),
            went_on_ms=theirs.speech_ms(end_ms, end_ms + 2 * settings.keep_ms),
            p_backchannel=candidate.p_backchannel,
            p_complete=candidate.p_complete,
            source=candidate.source,
            lexical=candidate.lexical,
            text=self._newcomer_words(candidate)[0],
            other_text=said(theirs, candidate.onset_ms - _BEFORE_MS, before_ms) or None,
            beside_text=said(theirs, candidate.onset_ms - _LEAK_MS, beside_ms) or None,
            took_up=took_up(theirs, candidate.stop_ms or end_ms, self._words) if stopped else None,
            level_delta_db=level_db,
            f0_delta_st=pitch_st,
            again=self.interruptions(candidate.by, candidate.onset_ms, 60_000) > 0,
        )
