"""Finds language acts in recognised or written words.

The patterns of a language pack and, for finals, the scores of its act model, which the shell runs
and journals. With scores, the model decides from its threshold on and a `sure` pattern lifts the
score to that pattern's measured precision; without, patterns decide alone, with the precision of
their tier as confidence. Partials meet `sure` patterns in their committed words only; finals run
everything and repeat no act that was already told.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import msgspec

from conversation.events import (
    ActDetected,
    Channel,
    FinalTranscript,
    PartialTranscript,
    UtteranceScored,
)
from conversation.language import Heads, LanguagePack, load_pack
from conversation.language.pack import Token

SURE, LIKELY = 0.95, 0.85
"""Precision of a tier."""
NEGATION_TOKENS = 3
"""A negator this close before the trigger, in its clause, vetoes it."""
NEIGHBOUR_TOKENS = 30
"""How far the commitment may be from a time that belongs to it."""
PROMISE_TOKENS = 14
"""Longest wording of a promise."""
CLAUSE_WORDS = 12
"""Most words on either side of the one that speaks most for an act: speech without punctuation
has long clauses."""
LEAST_PROBABILITY = 0.5
"""Acts over words that are less probable than this on average are not told: in doubt, none."""


class FoundAct(msgspec.Struct, frozen=True):
    """One act in a text: kind, confidence and token span."""

    kind: str
    confidence: float
    start: int
    end: int


class Score(msgspec.Struct, frozen=True):
    """What the act model says of one act in one utterance."""

    permille: int
    peak: int
    """Index of the word that speaks most for it."""


class ActDetector:
    """Detects acts of both parties, one event at a time."""

    def __init__(self, pack: LanguagePack | None = None, heads: Heads | None = None) -> None:
        self._pack = pack if pack is not None else load_pack()
        self._heads = heads
        self._scored: dict[str, dict[str, Score]] = {}
        self._acts = 0
        self._told: dict[str, list[tuple[str, int, int]]] = {}

    def find(
        self, speaker: str, words: Sequence[str], *, sure_only: bool = False
    ) -> list[FoundAct]:
        """Find the acts in whitespace-separated words; spans are indices of `words`.

        Args:
            speaker: `agent` or `customer`; each has act kinds of their own.
            words: Source words, punctuation attached.
            sure_only: Use the `sure` tier alone.
        """
        tokens = self._pack.tokens(words)
        found = [
            FoundAct(a.kind, a.confidence, tokens[a.start].word, tokens[a.end - 1].word + 1)
            for a in self._find(speaker, tokens, sure_only)
        ]
        question = self._pack.question_kind(speaker)
        if question is not None and not sure_only:
            found += self._marked_questions(question, words, found)
        return sorted(found, key=lambda a: (a.start, a.kind))

    def decide(
        self, speaker: str, words: Sequence[str], scores: Mapping[str, Score]
    ) -> list[FoundAct]:
        """Find the acts in words that the act model has scored; spans are indices of `words`."""
        if self._heads is None or not scores:
            return self.find(speaker, words)
        by_pattern: dict[str, list[FoundAct]] = {}
        for act in self.find(speaker, words):
            by_pattern.setdefault(act.kind, []).append(act)
        out: list[FoundAct] = []
        for kind, score in scores.items():
            head = self._heads.kinds[kind]
            matched = by_pattern.get(kind, [])
            is_sure = any(act.confidence >= SURE for act in matched)
            permille = max(score.permille, head.sure if is_sure else 0)
            if permille < head.threshold:
                continue
            spans = [(act.start, act.end) for act in matched] or [self._clause(words, score.peak)]
            out += [FoundAct(kind, permille / 1000, start, end) for start, end in spans]
        return sorted(out, key=lambda a: (a.start, a.kind))

    def _clause(self, words: Sequence[str], peak: int) -> tuple[int, int]:
        """Return the span of words of the clause around one word."""
        tokens = self._pack.tokens(words)
        clauses = {t.clause for t in tokens if t.word == peak}
        inside = [t.word for t in tokens if t.clause in clauses]
        if not inside:
            return (min(peak, len(words) - 1), min(peak, len(words) - 1) + 1)
        return (max(min(inside), peak - CLAUSE_WORDS), min(max(inside), peak + CLAUSE_WORDS) + 1)

    def _find(self, speaker: str, tokens: list[Token], sure_only: bool) -> list[FoundAct]:
        raw = [
            FoundAct(p.kind, SURE if p.sure else LIKELY, start, end)
            for p, start, end in self._pack.matches(speaker, tokens)
            if p.sure or not sure_only
        ]
        raw = [a for a in raw if not self._vetoed(a, tokens)]
        kept: list[FoundAct] = []
        for act in sorted(raw, key=lambda a: (a.kind, a.start, -a.end)):
            needs = self._pack.kind(act.kind).needs
            if needs and not any(
                o.kind in needs and abs(o.start - act.start) <= NEIGHBOUR_TOKENS for o in raw
            ):
                continue
            last = kept[-1] if kept else None
            if last is not None and last.kind == act.kind and act.start <= last.end:
                kept[-1] = FoundAct(
                    act.kind,
                    max(last.confidence, act.confidence),
                    last.start,
                    max(last.end, act.end),
                )
            else:
                kept.append(act)
        return [self._extended(a, tokens) for a in kept]

    def _extended(self, act: FoundAct, tokens: list[Token]) -> FoundAct:
        if not self._pack.kind(act.kind).extend:
            return act
        end = act.end
        while (
            end < len(tokens)
            and tokens[end].clause == tokens[act.end - 1].clause
            and end - act.start < PROMISE_TOKENS
        ):
            end += 1
        return FoundAct(act.kind, act.confidence, act.start, end)

    def _vetoed(self, act: FoundAct, tokens: list[Token]) -> bool:
        vetoes = self._pack.kind(act.kind).vetoes
        if "negation" in vetoes:
            clause = tokens[act.start].clause
            before = tokens[max(0, act.start - NEGATION_TOKENS) : act.start]
            if any(t.text in self._pack.negators and t.clause == clause for t in before):
                return True
        return any(
            frame in vetoes and self._pack.framed(frame, tokens, act.start)
            for frame in ("quotation", "hypothetical", "third_party")
        )

    @staticmethod
    def _marked_questions(
        kind: str, words: Sequence[str], found: Sequence[FoundAct]
    ) -> list[FoundAct]:
        out, start = [], 0
        for index, word in enumerate(words):
            if not re.search(r"[.?!]['\")]*$", word):
                continue
            asked = "?" in word and index - start >= 2
            if asked and not any(a.kind == kind and start <= a.start <= index for a in found):
                out.append(FoundAct(kind, SURE, start, index + 1))
            start = index + 1
        return out

    def observe(
        self, event: PartialTranscript | FinalTranscript | UtteranceScored
    ) -> list[ActDetected]:
        """Return the new acts of one transcript event, in order of their words.

        Scores are kept for the final that they are about.
        """
        if event.channel is Channel.MIXED:
            return []
        if isinstance(event, UtteranceScored):
            self._scored[event.utterance_id] = {
                kind: Score(permille, event.peaks.get(kind, 0))
                for kind, permille in event.permille.items()
                if self._heads is not None and kind in self._heads.kinds
            }
            return []
        final = isinstance(event, FinalTranscript)
        if isinstance(event, FinalTranscript):
            text = event.text or ""
            end_ms = event.end_ms
            words = [w.text.strip() for w in event.words] or text.split()
            times = [(w.start_ms, w.end_ms) for w in event.words]
        else:
            text, end_ms, times = event.stable, event.audio_end_ms, []
            words = text.split()
        if not times:
            times = _spread(words, event.start_ms, max(end_ms, event.start_ms))
        told = self._told.setdefault(event.utterance_id, [])
        out: list[ActDetected] = []
        if final:
            scores = self._scored.pop(event.utterance_id, {})
            acts = self.decide(event.channel, words, scores) if words else []
            acts = [a for a in acts if _is_heard(event, a)]
        else:
            acts = self.find(event.channel, words, sure_only=True)
            acts = [a for a in acts if self._pack.kind(a.kind).early]
        for act in acts:
            if any(k == act.kind and act.start < e + 1 and s < act.end + 1 for k, s, e in told):
                continue
            told.append((act.kind, act.start, act.end))
            out.append(self._told_now(event, act, words, times))
        if final:
            self._told.pop(event.utterance_id, None)
        return out

    def _told_now(
        self,
        event: PartialTranscript | FinalTranscript,
        act: FoundAct,
        words: Sequence[str],
        times: Sequence[tuple[int, int]],
    ) -> ActDetected:
        self._acts += 1
        return ActDetected(
            at_ms=event.at_ms,
            id=f"act-{self._acts}",
            channel=event.channel,
            kind=act.kind,
            start_ms=times[act.start][0],
            end_ms=times[act.end - 1][1],
            text=" ".join(words[act.start : act.end]).strip(" ,.;:"),
            confidence=act.confidence,
            utterance_id=event.utterance_id,
        )


def _is_heard(event: PartialTranscript | FinalTranscript, act: FoundAct) -> bool:
    """Tell whether the words of an act are probable enough to rest anything on."""
    words = event.words[act.start : act.end] if isinstance(event, FinalTranscript) else ()
    return not words or sum(w.probability for w in words) >= LEAST_PROBABILITY * len(words)


def _spread(words: Sequence[str], start_ms: int, end_ms: int) -> list[tuple[int, int]]:
    """Give words without times their share of the utterance, by length."""
    total = sum(len(w) + 1 for w in words) or 1
    out, done = [], 0
    for word in words:
        begin = start_ms + (end_ms - start_ms) * done // total
        done += len(word) + 1
        out.append((begin, start_ms + (end_ms - start_ms) * done // total))
    return out
