"""Overlaps from onset to settled class (`interruptions.md` sections 7 to 9).

A candidate opens when one party comes in on the other, is looked at on every grid step, and is
settled once: when it has been over for 1 s, or when the call ends. Everything is decided from
timing; words sharpen it when they are there.

    collision        both started within the reaction window: nobody's fault
    backchannel      a sign of listening of at most 1 s
    talk_over        both at once for 2 s
    terminal_overlap a smooth change of turn, or nothing that can be said
    successful       the other stopped, unfinished, and the newcomer went on
    butting_in       the newcomer gave up and the other went on
"""

from __future__ import annotations

import msgspec

from conversation.backchannels import backchannel_score
from conversation.completeness import lexical_completeness, timing_completeness
from conversation.events import (
    Channel,
    Evidence,
    OverlapClass,
    OverlapEnded,
    OverlapStarted,
    OverlapUpdated,
)
from conversation.settings import InterruptionSettings
from conversation.speech import PartySpeech, longest_stretch_ms, overlap_spans

COUNTED_CONFIDENCE = 0.6
INTERRUPTING = (OverlapClass.SUCCESSFUL, OverlapClass.TALK_OVER, OverlapClass.BUTTING_IN)
_LOOK_BACK_MS = 100
_WORD_SLACK_MS = 400


class Candidate(msgspec.Struct):
    """One overlap that is open or waits to be settled."""

    id: str
    by: Channel
    over: Channel
    onset_ms: int
    collision: bool
    held: bool
    """Whether the other party held the floor at the onset."""
    margin: float
    committed: bool = False
    over_since_ms: int | None = None
    raw_ms: int = 0
    p_backchannel: float = 0.0
    p_complete: float = 0.5
    lexical: bool = False


class OverlapTracker:
    """Pure state over both parties' speech."""

    def __init__(
        self,
        parties: dict[Channel, PartySpeech],
        settings: InterruptionSettings,
        *,
        revision: int = 0,
    ) -> None:
        self._parties = parties
        self._settings = settings
        self._revision = revision
        self._settle_ms = settings.final_settle_ms if revision else settings.settle_ms
        self._count = 0
        self.open: list[Candidate] = []
        self.settled: list[OverlapEnded] = []

    def onset(
        self, by: Channel, onset_ms: int, now_ms: int, *, margin: float, holder: Channel | None
    ) -> list[OverlapStarted]:
        """Take an onset of `by`, known at `now_ms`; return a candidate if it is one."""
        mine, theirs = self._parties[by], self._parties[by.other]
        if onset_ms - mine.last_end_ms < self._settings.onset_after_silence_ms:
            return []
        if any(c.by is by and c.over_since_ms is None for c in self.open):
            return []
        if not theirs.active_within(onset_ms - _LOOK_BACK_MS, now_ms):
            return []
        if theirs.utterance_ms is None:
            return []
        age_ms = onset_ms - theirs.utterance_ms
        window_ms = max(
            self._settings.collision_ms,
            self._settings.rtt_ms.of(by) + self._settings.reaction_ms,
        )
        fresh = theirs.utterance_ms - self._before(theirs) >= self._settings.onset_after_silence_ms
        collision = abs(age_ms) <= window_ms and fresh
        if not collision and (
            age_ms <= self._settings.min_age_ms
            or not theirs.active_within(onset_ms - _LOOK_BACK_MS, onset_ms + 1)
        ):
            return []
        self._count += 1
        candidate = Candidate(
            id=f"ov-{self._count}",
            by=by,
            over=by.other,
            onset_ms=onset_ms,
            collision=collision,
            held=holder is by.other,
            margin=margin,
        )
        self.open.append(candidate)
        return [
            OverlapStarted(at_ms=now_ms, id=candidate.id, by=by, over=by.other, begin_ms=onset_ms)
        ]

    def advance(self, now_ms: int) -> list[OverlapUpdated | OverlapEnded]:
        """Look at every open candidate at the grid time `now_ms`."""
        events: list[OverlapUpdated | OverlapEnded] = []
        for candidate in list(self.open):
            self._refresh(candidate, now_ms)
            if not candidate.committed and self._commits(candidate, now_ms):
                candidate.committed = True
                events.append(self._update(candidate, now_ms))
            since = candidate.over_since_ms
            if since is not None and now_ms - since >= self._settle_ms:
                events.append(self._settle(candidate, now_ms))
        return events

    def finish(self, now_ms: int) -> list[OverlapEnded]:
        """Settle everything at once: the call, or known time, is over."""
        return [self._settle(candidate, now_ms) for candidate in list(self.open)]

    def settled_backchannels(self, by: Channel, now_ms: int) -> int:
        """Count `by`'s listening signals of the last 120 s."""
        return sum(
            e.by is by
            and e.overlap_class is OverlapClass.BACKCHANNEL
            and now_ms - e.begin_ms <= 120_000
            for e in self.settled
        )

    def interruptions(self, by: Channel, now_ms: int, window_ms: int) -> int:
        """Count `by`'s settled interruptions in the last `window_ms`."""
        return sum(
            e.by is by
            and e.overlap_class in INTERRUPTING
            and e.confidence >= COUNTED_CONFIDENCE
            and now_ms - e.begin_ms <= window_ms
            for e in self.settled
        )

    def confidence(self, candidate: Candidate) -> float:
        """Return how sure the present judgement of a candidate is, 0 to 1 (section 9)."""
        known = self._newcomer_text(candidate) is not None
        p_backchannel = candidate.p_backchannel
        voice = min(1.0, max(0.0, 0.6 + candidate.margin))
        floor_taking = (1 - p_backchannel) if known else (1 - 0.8 * p_backchannel)
        if candidate.collision or (p_backchannel >= 0.5):
            return round(voice * max(p_backchannel, 0.7), 3)
        return round(voice * floor_taking * (1 - candidate.p_complete / 2), 3)

    # ------------------------------------------------------------------ evidence

    def _before(self, speech: PartySpeech) -> int:
        """End of the speech before the present utterance."""
        earlier = [e for _, e in speech.spans if e <= (speech.utterance_ms or 0)]
        return earlier[-1] if earlier else -1_000_000

    def _known_ms(self, now_ms: int) -> int:
        return now_ms - self._settings.confirm_ms

    def _shared(self, candidate: Candidate, now_ms: int) -> list[tuple[int, int]]:
        mine, theirs = self._parties[candidate.by], self._parties[candidate.over]
        begin_ms, known_ms = candidate.onset_ms, self._known_ms(now_ms)
        if candidate.over_since_ms is not None:
            known_ms = min(known_ms, candidate.over_since_ms + self._settings.settle_ms)
        return overlap_spans(
            mine.spans_between(begin_ms, known_ms), theirs.spans_between(begin_ms, known_ms)
        )

    def _refresh(self, candidate: Candidate, now_ms: int) -> None:
        mine, theirs = self._parties[candidate.by], self._parties[candidate.over]
        shared = self._shared(candidate, now_ms)
        candidate.raw_ms = longest_stretch_ms(shared, self._settings.bridge_ms)
        if candidate.over_since_ms is None:
            last_ms = shared[-1][1] if shared else candidate.onset_ms
            both_on = mine.speaking and theirs.speaking
            if not both_on and self._known_ms(now_ms) - last_ms > self._settings.bridge_ms:
                candidate.over_since_ms = last_ms
        settled = self.settled_backchannels(candidate.by, now_ms)
        candidate.p_backchannel = backchannel_score(
            self._length_ms(candidate, now_ms), self._newcomer_text(candidate), settled
        )
        lexical = lexical_completeness(self._cut_text(candidate))
        candidate.lexical = lexical is not None
        timing = timing_completeness(candidate.raw_ms, settled, still_on=theirs.speaking)
        if lexical is None:
            candidate.p_complete = timing
        elif theirs.speaking and candidate.raw_ms > self._settings.quick_stop_ms:
            candidate.p_complete = min(lexical, timing)
        else:
            candidate.p_complete = lexical

    def _length_ms(self, candidate: Candidate, now_ms: int) -> int:
        spans = self._utterance_spans(candidate, now_ms)
        return spans[-1][1] - candidate.onset_ms if spans else 0

    def _utterance_spans(self, candidate: Candidate, now_ms: int) -> list[tuple[int, int]]:
        """Spans of the newcomer's utterance that began at the onset."""
        spans = self._parties[candidate.by].spans_between(
            candidate.onset_ms, self._known_ms(now_ms)
        )
        chain: list[tuple[int, int]] = []
        for span in spans:
            if chain and span[0] - chain[-1][1] > self._settings.join_ms:
                break
            chain.append(span)
        return chain

    def _newcomer_text(self, candidate: Candidate) -> str | None:
        speech = self._parties[candidate.by]
        words = speech.words_between(candidate.onset_ms - 100, candidate.onset_ms + 3_000)
        if words:
            chain_end = self._utterance_spans(candidate, 10**12)
            end_ms = chain_end[-1][1] if chain_end else candidate.onset_ms
            return " ".join(w.text for w in words if w.start_ms <= end_ms)
        partial = speech.partial
        if partial is not None and abs(partial.start_ms - candidate.onset_ms) <= _WORD_SLACK_MS:
            text = f"{partial.stable} {partial.tail}".strip()
            return text or None
        return None

    def _cut_text(self, candidate: Candidate) -> str:
        """The interrupted party's clause up to its stop, or to the onset while it goes on."""
        speech = self._parties[candidate.over]
        stop_ms = candidate.over_since_ms
        until_ms = candidate.onset_ms + _WORD_SLACK_MS if stop_ms is None else stop_ms + 50
        words = speech.words_between(candidate.onset_ms - 6_000, until_ms)
        if words and words[-1].end_ms >= candidate.onset_ms - 600:
            return " ".join(w.text for w in words)
        partial = speech.partial
        if (
            partial is not None
            and -600 <= partial.audio_end_ms - candidate.onset_ms <= _WORD_SLACK_MS
        ):
            return f"{partial.stable} {partial.tail}"
        return ""

    # ------------------------------------------------------------------ decisions

    def _commits(self, candidate: Candidate, now_ms: int) -> bool:
        return (
            not candidate.collision
            and candidate.held
            and candidate.p_backchannel < 0.5
            and self._length_ms(candidate, now_ms) >= self._settings.commit_ms
        )

    def _update(self, candidate: Candidate, now_ms: int) -> OverlapUpdated:
        theirs = self._parties[candidate.over]
        if theirs.speaking:
            overlap_class = OverlapClass.TALK_OVER
        elif candidate.lexical and candidate.p_complete > 0.5:
            overlap_class = OverlapClass.TERMINAL_OVERLAP
        else:
            overlap_class = OverlapClass.SUCCESSFUL
        return OverlapUpdated(
            at_ms=now_ms,
            id=candidate.id,
            by=candidate.by,
            over=candidate.over,
            begin_ms=candidate.onset_ms,
            overlap_class=overlap_class,
            overlap_ms=candidate.raw_ms,
            p_backchannel=round(candidate.p_backchannel, 3),
            p_complete=round(candidate.p_complete, 3),
            confidence=self.confidence(candidate),
            evidence=self._evidence(candidate),
        )

    def _settle(self, candidate: Candidate, now_ms: int) -> OverlapEnded:
        self._refresh(candidate, now_ms)
        shared = self._shared(candidate, now_ms)
        overlap_ms = sum(e - b for b, e in shared)
        end_ms = shared[-1][1] if shared else candidate.onset_ms
        theirs = self._parties[candidate.over]
        stopped = not theirs.active_within(
            end_ms + self._settings.bridge_ms, end_ms + self._settings.stop_ms
        )
        overlap_class, sure = self._classify(candidate, now_ms, overlap_ms, end_ms, stopped=stopped)
        confidence = self.confidence(candidate) if sure else 0.5
        counts = overlap_class in INTERRUPTING
        yield_ms = (
            max(0, end_ms - candidate.onset_ms - self._settings.rtt_ms.of(candidate.over))
            if counts and stopped
            else None
        )
        event = OverlapEnded(
            at_ms=now_ms,
            id=candidate.id,
            by=candidate.by,
            over=candidate.over,
            overlap_class=overlap_class,
            begin_ms=candidate.onset_ms,
            end_ms=end_ms,
            overlap_ms=overlap_ms,
            yield_ms=yield_ms,
            severity=self._severity(candidate, overlap_class, overlap_ms, now_ms, confidence),
            confidence=confidence,
            interrupted_text=self._cut_text(candidate) or None,
            interrupting_text=self._newcomer_text(candidate),
            resumed=theirs.active_within(end_ms + self._settings.stop_ms, now_ms)
            if stopped
            else None,
            revision=self._revision,
            evidence=self._evidence(candidate),
        )
        self.open.remove(candidate)
        self.settled.append(event)
        return event

    def _classify(
        self, candidate: Candidate, now_ms: int, overlap_ms: int, end_ms: int, *, stopped: bool
    ) -> tuple[OverlapClass, bool]:
        """Return the class and whether a rule matched; the first match wins."""
        settings = self._settings
        mine, theirs = self._parties[candidate.by], self._parties[candidate.over]
        length_ms = self._length_ms(candidate, now_ms)
        if candidate.collision:
            return OverlapClass.COLLISION, True
        if candidate.p_backchannel >= 0.5 and length_ms <= settings.backchannel_max_ms:
            return OverlapClass.BACKCHANNEL, True
        if candidate.raw_ms >= settings.talk_over_ms:
            return OverlapClass.TALK_OVER, True
        stop_after_ms = end_ms - candidate.onset_ms
        if overlap_ms <= settings.terminal_ms:
            return OverlapClass.TERMINAL_OVERLAP, True
        quick = stop_after_ms <= settings.quick_stop_ms
        if stopped and quick and candidate.p_complete > 0.5:
            return OverlapClass.TERMINAL_OVERLAP, True
        kept_ms = mine.speech_ms(end_ms, end_ms + 2 * settings.keep_ms)
        open_clause = candidate.lexical and candidate.p_complete <= 0.5
        limit_ms = settings.talk_over_ms + settings.rtt_ms.of(candidate.over)
        if (
            stopped
            and stop_after_ms <= limit_ms
            and (open_clause or not quick)
            and kept_ms >= settings.keep_ms * 3 // 4
        ):
            return OverlapClass.SUCCESSFUL, True
        went_on_ms = theirs.speech_ms(end_ms, end_ms + 2 * settings.keep_ms)
        words = (self._newcomer_text(candidate) or "").split()
        substantial = length_ms > settings.keep_ms or len(words) >= 2
        if substantial and not stopped and went_on_ms >= settings.keep_ms * 3 // 4:
            return OverlapClass.BUTTING_IN, True
        return OverlapClass.TERMINAL_OVERLAP, False

    def _severity(
        self,
        candidate: Candidate,
        overlap_class: OverlapClass,
        overlap_ms: int,
        now_ms: int,
        confidence: float,
    ) -> int:
        if overlap_class not in INTERRUPTING:
            return 0
        again = self.interruptions(candidate.by, now_ms, 60_000) > 0
        severity = 40 * min(1.0, overlap_ms / 2_000)
        severity += 25 * (overlap_class is OverlapClass.SUCCESSFUL and candidate.p_complete <= 0.5)
        severity += 10 * again
        return round(severity if confidence >= COUNTED_CONFIDENCE else severity / 2)

    def _evidence(self, candidate: Candidate) -> tuple[Evidence, ...]:
        at_ms = candidate.onset_ms
        facts: tuple[tuple[str, float | str], ...] = (
            ("overlap_ms", candidate.raw_ms),
            ("p_backchannel", round(candidate.p_backchannel, 3)),
            ("p_complete", round(candidate.p_complete, 3)),
            ("completeness_from", "words" if candidate.lexical else "timing"),
            ("held_floor", str(candidate.held).lower()),
        )
        return tuple(Evidence(kind=kind, at_ms=at_ms, value=value) for kind, value in facts)
