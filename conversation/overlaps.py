"""Overlaps from onset to settled class (`interruptions.md` sections 7 to 9).

A candidate opens when one party comes in on the other. While it is open it is looked at on every
grid step and whenever speech or words are heard, may be given a provisional class up to three
times, and is settled once: when it has been over for 1 s, or when the call ends.
`overlap_evidence.py` reads what speaks for and against it, `overlap_classes.py` has the classes and
what they cost.

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

import msgspec

from conversation.completeness import lexical_completeness
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
    INTERRUPTING,
    LineQuality,
    classify,
    confidence,
    evidence,
    severity,
)
from conversation.overlap_evidence import Candidate, OverlapEvidence
from conversation.overlap_words import clause, took_up
from conversation.settings import InterruptionSettings
from conversation.speech import PartySpeech

_LOOK_BACK_MS = 100
_MOST_UPDATES = 3
_RESUMPTION_MS = 8_000
_RESUMED_LATER_MS = 200
"""Who goes on may be listening for 1 s, which is known 100 ms later, on the next step."""
_LONG_OVER_MS = 10_000
"""Many times what an onset looks back."""


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
        self.evidence = OverlapEvidence(parties, settings, words)
        self.open: list[Candidate] = []
        self._put_off: list[Candidate] = []
        """Those that are long over and wait for the end of the call."""

    @property
    def settled(self) -> list[OverlapEnded]:
        """What was settled, in order, when all of it is settled at the end."""
        return self.evidence.settled

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
            join_ms = self._settings.newcomer_join_ms
            goes_on = other.speaking or onset_ms - other.last_end_ms <= join_ms
            if since is not None and onset_ms - since <= self._settings.pause_ms and goes_on:
                if candidate.resumed_ms is None or candidate.resumed_ms < since:
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
        if self._settings.decide_at_end:
            self._put_off_old(now_ms)
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
            if self._settings.decide_at_end:
                self.evidence.refresh(candidate, now_ms)
                continue
            events += self._judge(candidate, now_ms)
            since = candidate.over_since_ms
            resumed_ms = (candidate.resumed_ms or 0) + _RESUMED_LATER_MS
            last_ms = None if since is None else max(since, resumed_ms)
            if last_ms is not None and now_ms - last_ms >= self._settings.settle_ms:
                events.append(self._settle(candidate, now_ms))
        return events

    def look(self, now_ms: int) -> list[OverlapUpdated]:
        """Look at open candidates again because something was observed, whatever the grid."""
        if self._settings.decide_at_end:
            return []
        return [
            event
            for candidate in self.open
            if not candidate.pause
            for event in self._judge(candidate, now_ms)
        ]

    def _judge(self, candidate: Candidate, now_ms: int) -> list[OverlapUpdated]:
        """Read the evidence; say what the overlap looks like when that is new."""
        self.evidence.refresh(candidate, now_ms)
        stated = self._stated(candidate, now_ms)
        if stated in (None, candidate.stated) or candidate.updates >= _MOST_UPDATES:
            return []
        candidate.stated = stated
        candidate.updates += 1
        return [self._update(candidate, stated, now_ms)]

    def _put_off_old(self, now_ms: int) -> None:
        """Set aside what nothing that comes can change; else each step looks at all of a day's."""
        for candidate in list(self.open):
            since = candidate.over_since_ms
            if since is not None and now_ms - since > _LONG_OVER_MS:
                self.open.remove(candidate)
                self._put_off.append(candidate)

    def _fresh(self, since_ms: int, now_ms: int) -> bool:
        return now_ms - since_ms <= self._settings.candidate_join_ms

    def finish(self, now_ms: int) -> list[OverlapEnded]:
        """Settle everything at once: the call, or known time, is over."""
        events = []
        self.open, self._put_off = [*self._put_off, *self.open], []
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
        stop_ms = theirs.spans.last_end_by(candidate.onset_ms) or 0
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
        self.evidence.refresh(candidate, now_ms)
        settings = self._settings
        theirs = self._parties[candidate.over]
        stop_ms = theirs.spans.last_end_by(candidate.onset_ms) or 0
        lexical = lexical_completeness(clause(theirs, stop_ms) or "", self._words)
        if lexical is None or lexical > settings.pause_complete or candidate.p_backchannel >= 0.5:
            return False
        went_on = theirs.active_within(candidate.onset_ms, candidate.onset_ms + settings.pause_ms)
        candidate.p_complete, candidate.source = lexical, "words"
        return went_on or bool(took_up(theirs, stop_ms, self._words))

    def confidence(self, candidate: Candidate) -> float:
        """Return how sure it is that the candidate is what it looks like, 0 to 1."""
        return confidence(self.evidence.findings(candidate, candidate.onset_ms), self.line)

    def _stated(self, candidate: Candidate, now_ms: int) -> OverlapClass | None:
        """Return the provisional class, None while there is too little to go by."""
        settings = self._settings
        listens = candidate.p_backchannel >= settings.stated_backchannel
        if candidate.collision or not candidate.held or listens:
            return None
        worded = candidate.p_backchannel <= settings.worded_backchannel
        least_ms = settings.worded_commit_ms if worded else settings.commit_ms
        length_ms = self.evidence.length_ms(candidate, now_ms)
        if length_ms < least_ms:
            return None
        if candidate.other_on:
            if candidate.overlap_ms < settings.overlap_commit_ms:
                return None
            return OverlapClass.TALK_OVER
        if candidate.p_complete > settings.stated_complete:
            return OverlapClass.TERMINAL_OVERLAP
        unsure = candidate.lexical is None and candidate.p_complete > settings.sure_complete
        if unsure and length_ms < settings.words_wait_ms:
            return None
        return OverlapClass.SUCCESSFUL

    def _update(self, candidate: Candidate, stated: OverlapClass, now_ms: int) -> OverlapUpdated:
        findings = self.evidence.findings(candidate, now_ms)
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

    def _settle(self, candidate: Candidate, now_ms: int) -> OverlapEnded:
        self.evidence.refresh(candidate, now_ms)
        findings = self.evidence.findings(candidate, now_ms)
        if findings.took_up and findings.p_complete > 0.1:
            findings = msgspec.structs.replace(
                findings, p_complete=0.1, lexical=0.1, source="words"
            )
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
        self.evidence.settle(event)
        return event


def _started(candidate: Candidate, now_ms: int) -> OverlapStarted:
    return OverlapStarted(
        at_ms=now_ms,
        id=candidate.id,
        by=candidate.by,
        over=candidate.over,
        begin_ms=candidate.onset_ms,
    )
