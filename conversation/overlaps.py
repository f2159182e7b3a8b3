"""Overlaps from onset to settled class (`interruptions.md` sections 7 to 9).

A candidate opens when one party comes in on the other. It is looked at on every grid step while it
is open, may be given a provisional class up to three times, and is settled once: when it has been
over for 1 s, or when the call ends. `overlap_classes.py` has the classes and what they cost.

| at the onset of B, silent for 300 ms before           | becomes                            |
|-------------------------------------------------------|------------------------------------|
| both started within the reaction window               | collision                          |
| A speaking, its utterance older than 300 ms           | overlap                            |
| A holds the floor and paused for less than 1 s        | pause: a cut-in if A was not done, |
|                                                       | an overlap if A was only breathing |
| less than 1 s after B's last candidate                | part of that event                 |
| anything else                                         | an ordinary change of turn         |

Everything is decided from spans that are known, so it does not matter when a question is asked:
the post-call pass is this code with all its decisions put off to the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import msgspec

from conversation.backchannels import Listener, backchannel_score
from conversation.completeness import lexical_completeness, timing_completeness, with_tail
from conversation.events import (
    Channel,
    ChannelQuality,
    OverlapClass,
    OverlapEnded,
    OverlapStarted,
    OverlapUpdated,
)
from conversation.floor_words import FloorWords
from conversation.overlap_classes import (
    COUNTED_CONFIDENCE,
    INTERRUPTING,
    Findings,
    LineQuality,
    classify,
    confidence,
    evidence,
    severity,
)
from conversation.settings import InterruptionSettings
from conversation.speech import PartySpeech, Span, longest_stretch_ms, overlap_spans

_LOOK_BACK_MS = 100
_WORD_SLACK_MS = 400
_STOP_SLACK_MS = 40
"""A partial that reaches this close to a stop, or beyond it, covers it."""
_CLEARLY_OPEN = 0.2
_MOST_UPDATES = 3
_WENT_ON = 0.2
"""Completeness of a clause that was gone on with (C)."""
_CLAUSE_MS = 6_000
_EVER_MS = 10**12
_RESUMPTION_MS = 8_000


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
    raw_ms: int = 0
    """Longest simultaneous stretch, short holes bridged."""
    overlap_ms: int = 0
    other_on: bool = True
    """Whether the other party still talks, or talked on."""
    p_backchannel: float = 0.0
    p_complete: float = 0.5
    source: str = "timing"
    """What completeness rests on: `words`, `voice` or `timing`."""


class OverlapTracker:
    """Pure state over both parties' speech."""

    def __init__(
        self,
        parties: dict[Channel, PartySpeech],
        settings: InterruptionSettings,
        words: FloorWords,
        *,
        revision: int = 0,
    ) -> None:
        self._parties = parties
        self._settings = settings
        self._words = words
        self._revision = revision
        self._count = 0
        self.line = LineQuality(rtt_ms={c: settings.rtt_ms.of(c) for c in parties})
        self.open: list[Candidate] = []
        self.settled: list[OverlapEnded] = []

    # ------------------------------------------------------------------ onsets

    def take_quality(self, quality: ChannelQuality) -> None:
        """Note what a channel is worth from now on."""
        if quality.bleed_grade is not None:
            self.line.grades[quality.channel] = quality.bleed_grade
        if quality.rtt_ms is not None:
            self.line.rtt_ms[quality.channel] = quality.rtt_ms

    def onset(
        self, by: Channel, onset_ms: int, now_ms: int, *, margin: float, holder: Channel | None
    ) -> list[OverlapStarted]:
        """Take an onset of `by`, known at `now_ms`; return a candidate if it is one."""
        settings = self._settings
        mine, theirs = self._parties[by], self._parties[by.other]
        if self._resumes(by, onset_ms):
            return []
        if onset_ms - mine.last_end_ms < settings.onset_after_silence_ms:
            return []
        if any(c.by is by and c.over_since_ms is None for c in self.open):
            return []
        if theirs.utterance_ms is None:
            return []
        speaking = theirs.active_within(onset_ms - _LOOK_BACK_MS, onset_ms + 1)
        collision = self._collides(by, onset_ms, now_ms)
        held = holder is by.other or (
            theirs.speech_ms(max(mine.last_end_ms, 0), onset_ms) >= settings.keep_ms
        )
        quiet_ms = onset_ms - theirs.last_end_ms
        pause = not speaking and not collision and held and 0 <= quiet_ms <= settings.pause_ms
        if not collision and not pause:
            if not speaking or onset_ms - theirs.utterance_ms <= settings.min_age_ms:
                return []
            joined = self._joins(by, onset_ms)
            if joined is not None:
                joined.over_since_ms = None
                joined.utterance_ms = onset_ms
                return []
        self._count += 1
        candidate = Candidate(
            id=f"ov-{self._count}",
            by=by,
            over=by.other,
            onset_ms=onset_ms,
            utterance_ms=onset_ms,
            collision=collision,
            held=held,
            margin=margin,
            pause=pause,
        )
        self.open.append(candidate)
        return [] if pause else [_started(candidate, now_ms)]

    def _resumes(self, by: Channel, onset_ms: int) -> bool:
        """Whether `by` goes on with what it was saying when the other came in.

        Who stops for less than 1 s and goes on was not finished; its going on is no coming in.
        """
        other = self._parties[by.other]
        for candidate in self.open:
            if candidate.over is not by or candidate.collision:
                continue
            since = candidate.over_since_ms
            paused_ms = onset_ms - self._parties[by].last_end_ms
            if candidate.pause and since is None:
                return paused_ms <= self._settings.pause_ms
            if (
                since is not None
                and onset_ms - since <= self._settings.pause_ms
                and other.speaking
                and candidate.p_backchannel < 0.5
            ):
                candidate.resumed_ms = onset_ms
                return True
        return False

    def _collides(self, by: Channel, onset_ms: int, now_ms: int) -> bool:
        """Whether the other's utterance began within the reaction window, after a silence."""
        theirs = self._parties[by.other]
        began_ms = theirs.utterance_ms
        if began_ms is None or not theirs.active_within(onset_ms - _LOOK_BACK_MS, now_ms):
            return False
        window_ms = max(
            self._settings.collision_ms, self.line.rtt_ms[by] + self._settings.reaction_ms
        )
        earlier = [e for _, e in theirs.spans[-8:] if e <= began_ms]
        quiet_ms = began_ms - earlier[-1] if earlier else began_ms + 1_000_000
        fresh = quiet_ms >= self._settings.onset_after_silence_ms
        return fresh and abs(onset_ms - began_ms) <= window_ms

    def _joins(self, by: Channel, onset_ms: int) -> Candidate | None:
        """Return the newcomer's last event when this onset belongs to it."""
        last = next((c for c in reversed(self.open) if c.by is by and not c.pause), None)
        if last is None or last.over_since_ms is None or last.collision:
            return None
        near = onset_ms - last.over_since_ms < self._settings.candidate_join_ms
        return last if near and last.p_backchannel < 0.5 else None

    # ------------------------------------------------------------------ the grid

    def advance(self, now_ms: int) -> list[OverlapStarted | OverlapUpdated | OverlapEnded]:
        """Look at every open candidate at the grid time `now_ms`."""
        events: list[OverlapStarted | OverlapUpdated | OverlapEnded] = []
        for candidate in list(self.open):
            since = candidate.over_since_ms
            if (
                self._settings.decide_at_end
                and since is not None
                and not self._fresh(since, now_ms)
            ):
                continue
            if candidate.pause:
                events += self._advance_pause(candidate, now_ms)
                continue
            self._refresh(candidate, now_ms)
            stated = self._stated(candidate, now_ms)
            if (
                stated is not None
                and stated is not candidate.stated
                and candidate.updates < _MOST_UPDATES
            ):
                candidate.stated = stated
                candidate.updates += 1
                events.append(self._update(candidate, stated, now_ms))
            since = candidate.over_since_ms
            due = since is not None and now_ms - since >= self._settings.settle_ms
            if due and not self._settings.decide_at_end:
                events.append(self._settle(candidate, now_ms))
        return events

    def _fresh(self, since_ms: int, now_ms: int) -> bool:
        return now_ms - since_ms <= self._settings.candidate_join_ms

    def finish(self, now_ms: int) -> list[OverlapEnded]:
        """Settle everything at once: the call, or known time, is over."""
        events = []
        for candidate in sorted(self.open, key=lambda c: (c.onset_ms, c.id)):
            if not candidate.pause or self._cuts_in(candidate, now_ms):
                events.append(self._settle(candidate, now_ms))
            else:
                self.open.remove(candidate)
        return events

    def _advance_pause(
        self, candidate: Candidate, now_ms: int
    ) -> list[OverlapStarted | OverlapUpdated | OverlapEnded]:
        """Wait until a candidate in a pause is an overlap, a cut-in, or nothing."""
        theirs = self._parties[candidate.over]
        settings = self._settings
        stop_ms = max((e for _, e in theirs.spans if e <= candidate.onset_ms), default=0)
        if theirs.active_within(stop_ms + 1, stop_ms + settings.bridge_ms):
            candidate.pause = False
            return [_started(candidate, now_ms)]
        if candidate.over_since_ms is None and (
            now_ms - candidate.onset_ms >= settings.pause_ms + settings.confirm_ms
        ):
            candidate.over_since_ms = candidate.onset_ms
        since = candidate.over_since_ms
        if settings.decide_at_end or since is None or now_ms - since < settings.settle_ms:
            return []
        if self._cuts_in(candidate, now_ms):
            return [self._settle(candidate, now_ms)]
        self.open.remove(candidate)
        return []

    def _cuts_in(self, candidate: Candidate, now_ms: int) -> bool:
        """Whether who paused was not done: an open clause, and it was taken up again or not."""
        self._refresh(candidate, now_ms)
        settings = self._settings
        theirs = self._parties[candidate.over]
        stop_ms = max((e for _, e in theirs.spans if e <= candidate.onset_ms), default=0)
        lexical = lexical_completeness(self._clause(candidate.over, stop_ms) or "", self._words)
        if lexical is None or lexical > settings.pause_complete or candidate.p_backchannel >= 0.5:
            return False
        took_up = theirs.active_within(candidate.onset_ms, candidate.onset_ms + settings.pause_ms)
        candidate.p_complete, candidate.source = lexical, "words"
        return took_up or bool(self._took_up(candidate, stop_ms))

    # ------------------------------------------------------------------ counts

    def settled_backchannels(self, by: Channel, now_ms: int) -> int:
        """Count `by`'s listening signals of the last 120 s."""
        return sum(
            e.by is by
            and e.overlap_class is OverlapClass.BACKCHANNEL
            and 0 <= now_ms - e.begin_ms <= 120_000
            for e in reversed(self.settled)
        )

    def interruptions(
        self,
        by: Channel,
        now_ms: int,
        window_ms: int,
        classes: Sequence[OverlapClass] = INTERRUPTING,
    ) -> int:
        """Count `by`'s settled interruptions, or other `classes`, in the last `window_ms`."""
        return sum(
            e.by is by
            and e.overlap_class in classes
            and e.confidence >= COUNTED_CONFIDENCE
            and 0 <= now_ms - e.begin_ms <= window_ms
            for e in self.settled
        )

    def alert(self, by: Channel, now_ms: int) -> bool:
        """Whether `by` has come in on the other again and again: 2 in 180 s, 40 % of overlaps."""
        recent = [e for e in self.settled if e.by is by and 0 <= now_ms - e.begin_ms <= 180_000]
        cut = sum(e.overlap_class in INTERRUPTING for e in recent)
        return cut >= 2 and cut >= 0.4 * len(recent)

    def confidence(self, candidate: Candidate) -> float:
        """Return how sure it is that the candidate is what it looks like, 0 to 1."""
        return confidence(self._findings(candidate, candidate.onset_ms), self.line)

    # ------------------------------------------------------------------ evidence

    def _known_ms(self, now_ms: int) -> int:
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

    def _refresh(self, candidate: Candidate, now_ms: int) -> None:
        mine, theirs = self._parties[candidate.by], self._parties[candidate.over]
        settings = self._settings
        shared = self._shared(candidate, now_ms)
        candidate.raw_ms = longest_stretch_ms(shared, settings.bridge_ms)
        candidate.overlap_ms = sum(end - begin for begin, end in shared)
        if candidate.over_since_ms is None and not candidate.pause:
            last_ms = shared[-1][1] if shared else candidate.onset_ms
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
        length_ms = self._length_ms(candidate, now_ms)
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
                asked=(self._clause(candidate.over, candidate.onset_ms) or "").endswith("?"),
            ),
            self._words,
            all_words=all_words,
        )
        if (
            settings.decide_at_end
            and end_ms is not None
            and not self._keeps_listening(candidate, length_ms)
        ):
            candidate.p_backchannel = min(candidate.p_backchannel, 0.4)

    def _complete(self, candidate: Candidate, now_ms: int) -> None:
        """Judge how complete the other's clause was: words, voice, or timing alone."""
        settled = self.settled_backchannels(candidate.by, candidate.onset_ms)
        timing = timing_completeness(candidate.raw_ms, settled, still_on=candidate.other_on)
        candidate.p_complete, candidate.source = timing, "timing"
        if self._went_on(candidate, now_ms):
            candidate.p_complete = min(timing, _WENT_ON)
            return
        if candidate.other_on:
            return
        stop_ms = candidate.stop_ms
        if stop_ms is None:
            return
        lexical = lexical_completeness(self._clause(candidate.over, stop_ms) or "", self._words)
        tail_db = self._parties[candidate.over].tail_db(stop_ms)
        if tail_db is not None:
            candidate.p_complete, candidate.source = with_tail(timing, tail_db), "voice"
        if lexical is not None:
            candidate.p_complete, candidate.source = with_tail(lexical, tail_db), "words"

    def _went_on(self, candidate: Candidate, now_ms: int) -> bool:
        """Whether the other took its turn up again: more than a listening signal's worth."""
        if candidate.resumed_ms is None:
            return False
        until_ms = min(self._known_ms(now_ms), candidate.resumed_ms + 2 * self._settings.keep_ms)
        spoken_ms = self._parties[candidate.over].speech_ms(candidate.resumed_ms, until_ms)
        return spoken_ms >= self._settings.commit_ms

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

    def _length_ms(self, candidate: Candidate, now_ms: int) -> int:
        spans = self._utterance_spans(candidate, now_ms)
        return spans[-1][1] - candidate.utterance_ms if spans else 0

    def _utterance_spans(self, candidate: Candidate, now_ms: int) -> list[Span]:
        """Spans of the newcomer's utterance that began at its onset."""
        chain: list[Span] = []
        for span in self._parties[candidate.by].spans_between(
            candidate.utterance_ms, self._known_ms(now_ms)
        ):
            if chain and span[0] - chain[-1][1] > self._settings.newcomer_join_ms:
                break
            chain.append(span)
        return chain

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

    def _newcomer_words(self, candidate: Candidate) -> tuple[str | None, bool]:
        """Return what the newcomer has said, None while unknown, and whether that is all of it."""
        speech = self._parties[candidate.by]
        onset_ms = candidate.utterance_ms
        chain = self._utterance_spans(candidate, _EVER_MS)
        end_ms = min(chain[-1][1], onset_ms + 3_000) if chain else onset_ms
        words = speech.words_between(onset_ms - 100, end_ms + 100)
        text = " ".join(w.text for w in words)
        covered_ms = speech.decoded_to_ms
        partial = speech.partial
        if (
            partial is not None
            and partial.audio_end_ms > covered_ms
            and onset_ms - _WORD_SLACK_MS <= partial.start_ms <= end_ms
        ):
            text = f"{text} {partial.stable} {partial.tail}".strip()
            covered_ms = partial.audio_end_ms
        if covered_ms <= onset_ms or (not text and speech.speaking):
            return None, False
        return text, covered_ms >= end_ms - _WORD_SLACK_MS

    def _clause(self, party: Channel, stop_ms: int) -> str | None:
        """Return what `party` had said when it stopped; None unless the words reach the stop."""
        speech = self._parties[party]
        if speech.words_known_to(stop_ms):
            words = speech.words_between(stop_ms - _CLAUSE_MS, stop_ms + 50)
            return " ".join(w.text for w in words) or None
        partial = speech.partial
        if partial is not None and 0 <= partial.audio_end_ms - stop_ms + _STOP_SLACK_MS <= 600:
            return f"{partial.stable} {partial.tail}".strip() or None
        return None

    def _took_up(self, candidate: Candidate, stop_ms: int) -> bool | None:
        """Whether who stopped said the same words again, or claimed the floor back."""
        speech = self._parties[candidate.over]
        before = speech.words_between(stop_ms - _CLAUSE_MS, stop_ms + 50)
        after = speech.words_between(stop_ms + 50, stop_ms + _RESUMPTION_MS)
        if not before or not after:
            return None
        last = [w.text.lower().strip(".,?!") for w in before][-6:]
        first = [w.text.lower().strip(".,?!") for w in after][:8]
        pairs = set(pairwise(last))
        repeated = any(pair in pairs for pair in pairwise(first))
        line = f" {' '.join(first)} "
        return repeated or any(f" {phrase} " in line for phrase in self._words.reclaims)

    # ------------------------------------------------------------------ decisions

    def _stated(self, candidate: Candidate, now_ms: int) -> OverlapClass | None:
        """Return the provisional class, None while there is too little to go by."""
        settings = self._settings
        if candidate.collision or not candidate.held or candidate.p_backchannel >= 0.5:
            return None
        if self._length_ms(candidate, now_ms) < settings.commit_ms:
            return None
        if candidate.other_on:
            if candidate.overlap_ms < settings.overlap_commit_ms:
                return None
            return OverlapClass.TALK_OVER
        short = candidate.overlap_ms <= settings.terminal_ms
        if short and candidate.source != "words":
            return OverlapClass.TERMINAL_OVERLAP
        if candidate.p_complete > (_CLEARLY_OPEN if short else 0.5):
            return OverlapClass.TERMINAL_OVERLAP
        return OverlapClass.SUCCESSFUL

    def _update(self, candidate: Candidate, stated: OverlapClass, now_ms: int) -> OverlapUpdated:
        findings = self._findings(candidate, now_ms)
        return OverlapUpdated(
            at_ms=now_ms,
            id=candidate.id,
            by=candidate.by,
            over=candidate.over,
            begin_ms=candidate.onset_ms,
            overlap_class=stated,
            overlap_ms=candidate.raw_ms,
            p_backchannel=round(candidate.p_backchannel, 3),
            p_complete=round(candidate.p_complete, 3),
            confidence=confidence(findings, self.line),
            evidence=evidence(findings),
        )

    def _findings(self, candidate: Candidate, now_ms: int) -> Findings:
        """Gather everything that a settled class rests on."""
        settings = self._settings
        mine, theirs = self._parties[candidate.by], self._parties[candidate.over]
        shared = self._shared(candidate, now_ms)
        end_ms = shared[-1][1] if shared else candidate.onset_ms
        length_ms = self._length_ms(candidate, now_ms)
        level_db, pitch_st = mine.effort(
            candidate.onset_ms - 120, candidate.utterance_ms + length_ms
        )
        stopped = not candidate.other_on
        return Findings(
            by=candidate.by,
            over=candidate.over,
            onset_ms=candidate.onset_ms,
            end_ms=end_ms,
            overlap_ms=sum(e - b for b, e in shared),
            raw_ms=candidate.raw_ms,
            length_ms=length_ms,
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
            text=self._newcomer_words(candidate)[0],
            other_text=self._other_text(candidate, end_ms),
            took_up=self._took_up(candidate, candidate.stop_ms or end_ms) if stopped else None,
            level_delta_db=level_db,
            f0_delta_st=pitch_st,
            again=self.interruptions(candidate.by, candidate.onset_ms, 60_000) > 0,
        )

    def _other_text(self, candidate: Candidate, end_ms: int) -> str | None:
        until_ms = end_ms + 50 if not candidate.other_on else candidate.onset_ms + _WORD_SLACK_MS
        words = self._parties[candidate.over].words_between(
            candidate.onset_ms - _CLAUSE_MS, until_ms
        )
        return " ".join(w.text for w in words) or None

    def _settle(self, candidate: Candidate, now_ms: int) -> OverlapEnded:
        self._refresh(candidate, now_ms)
        findings = self._findings(candidate, now_ms)
        if findings.took_up and findings.p_complete > 0.1:
            findings = msgspec.structs.replace(findings, p_complete=0.1, source="words")
        overlap_class, sure = classify(findings, self._settings, self._words, self.line)
        certainty = confidence(findings, self.line, overlap_class) if sure else 0.5
        counts = overlap_class in INTERRUPTING
        stop_ms = candidate.stop_ms or findings.end_ms
        measured_ms = stop_ms - candidate.onset_ms
        yields = counts and findings.stopped
        theirs = self._parties[candidate.over]
        resumed = findings.took_up or theirs.active_within(
            findings.end_ms + self._settings.stop_ms, findings.end_ms + _RESUMPTION_MS
        )
        event = OverlapEnded(
            at_ms=now_ms,
            id=candidate.id,
            by=candidate.by,
            over=candidate.over,
            overlap_class=overlap_class,
            begin_ms=candidate.onset_ms,
            end_ms=findings.end_ms,
            overlap_ms=findings.overlap_ms,
            yield_ms=max(0, measured_ms - self.line.rtt_ms[candidate.over]) if yields else None,
            severity=severity(findings, overlap_class, certainty, self._settings),
            confidence=certainty,
            interrupted_text=findings.other_text,
            interrupting_text=findings.text or None,
            resumed=resumed if findings.stopped else None,
            revision=self._revision,
            evidence=evidence(findings),
        )
        self.open.remove(candidate)
        self.settled.append(event)
        return event


def _started(candidate: Candidate, now_ms: int) -> OverlapStarted:
    return OverlapStarted(
        at_ms=now_ms,
        id=candidate.id,
        by=candidate.by,
        over=candidate.over,
        begin_ms=candidate.onset_ms,
    )
