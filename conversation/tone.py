"""Reads a written reply as its receiver would: what in it is, or sounds like, a brush-off.

Two kinds of findings. *Phrases* (avoid_phrase, blame, closes_door, over_promise, vague_time,
canned_empathy) are marked where they stand. *Gaps* (no_acknowledgement, no_next_step) are found by
what each sentence of the reply does: does one of them answer what the customer told, does one say
what happens next? Everything English stands in `language/<tag>/written.toml`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import msgspec

from conversation.acts import SURE, ActDetector
from conversation.language import load_pack
from conversation.language.written import WrittenPack, load_written

GAPS = ("no_acknowledgement", "no_next_step")
FEELINGS = frozenset(
    {
        "frustration", "anger", "repeat_contact", "vulnerability", "escalation_request",
        "churn_threat",
    }
)  # fmt: skip
"""Customer acts that call for an acknowledgement."""
_SPOKEN_PHRASES = ("avoid_phrase", "over_promise")
"""Acts that are findings of the same name."""
_BARE_ANSWER_WORDS = 3
"""An answer of so few words leaves the customer to ask again."""
_TAKEN_UP = 3
"""Words of the customer's that make a sentence a restatement of what they told."""


_END = re.compile(r"[.!?…]+(?=[\s)\"']|$)|(?<=,)[ \t]*\n|\n\s*\n")
"""Where a sentence may end."""


class Said(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An earlier message of the conversation."""

    speaker: str
    """`agent` or `customer`."""
    text: str


class ToneAct(msgspec.Struct, frozen=True, kw_only=True):
    """Something the reply does; character offsets."""

    kind: str
    start: int
    end: int
    confidence: float


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """A phrase or a gap; a gap is marked over the whole reply."""

    kind: str
    start: int
    """Offset of the first character."""
    end: int
    """Offset after the last one."""
    why: str
    better_wording: tuple[str, ...]


class Tone(msgspec.Struct, frozen=True, kw_only=True):
    """What was found in a reply."""

    acts: tuple[ToneAct, ...]
    findings: tuple[Finding, ...]


class _Sentence(msgspec.Struct, frozen=True):
    start: int
    end: int
    text: str
    """Lower case, straight apostrophes, of the length of the original."""


def check_tone(text: str, context: Sequence[Said] = (), language: str = "en") -> Tone:
    """Find what in a written reply reads as a brush-off; keeps nothing.

    Args:
        text: the reply. Lines that begin with `>` are quotations and taken as the customer's
            message where `context` has none.
        context: earlier messages, oldest first.
        language: tag of a language with a written form.

    Raises:
        PackError: there is no written form of the language.
    """
    pack = load_written(language)
    own, quoted = _without_quotations(text)
    asked = [said.text for said in context if said.speaker == "customer"] or quoted
    return _Reading(pack, own, asked, language).tone()


class _Reading:
    """One reply, read once."""

    def __init__(self, pack: WrittenPack, text: str, asked: Sequence[str], language: str) -> None:
        self._pack = pack
        self._text = text
        self._sentences = _sentences(text, pack.abbreviations)
        self._asked = [_lower(message) for message in asked]
        self._detector = ActDetector(load_pack(language))
        self._acts = tuple(self._found_acts())

    def tone(self) -> Tone:
        """Return acts and findings, phrases in the order of the text, gaps last."""
        findings = [
            finding
            for kind in ("avoid_phrase", "blame", "closes_door", "over_promise")
            for finding in self._phrases(kind)
        ]
        findings += self._spoken_phrases(findings)
        findings += self._walls(findings)
        findings += self._vague_times()
        findings += self._canned()
        if self._sentences:
            findings += [self._gap(kind) for kind in GAPS if getattr(self, f"_{kind}")()]
        findings.sort(key=lambda finding: (finding.kind in GAPS, finding.start, finding.kind))
        return Tone(acts=self._acts, findings=tuple(findings))

    # ------------------------------------------------------------------ phrases

    def _phrases(self, kind: str) -> Iterable[Finding]:
        for sentence in self._sentences:
            match = self._pack.find(f"find {kind}", sentence.text)
            if match is not None and not self._pack.has(f"unless {kind}", sentence.text):
                yield self._finding(kind, sentence, match)

    def _spoken_phrases(self, known: Sequence[Finding]) -> Iterable[Finding]:
        """Phrases that the acts of spoken language know, in sentences without a finding so far."""
        for sentence in self._sentences:
            acts = self._acts_in(sentence, _SPOKEN_PHRASES)
            if not acts or any(sentence.start <= f.start < sentence.end for f in known):
                continue
            act = acts[0]
            if act.confidence >= SURE and not self._pack.has(f"unless {act.kind}", sentence.text):
                kind = self._pack.kinds[act.kind]
                yield Finding(
                    kind=act.kind,
                    start=act.start,
                    end=act.end,
                    why=kind.why,
                    better_wording=kind.better,
                )

    def _walls(self, known: Sequence[Finding]) -> Iterable[Finding]:
        """A refusal in a reply that shows no way forward at all."""
        if any(self._is_step(sentence) for sentence in self._sentences):
            return
        for sentence in self._sentences:
            match = self._pack.find("refuses", sentence.text)
            if match is not None and not any(
                sentence.start <= finding.start < sentence.end for finding in known
            ):
                yield self._finding("avoid_phrase", sentence, match)
                return

    def _acts_in(self, sentence: _Sentence, kinds: Iterable[str]) -> list[ToneAct]:
        wanted = frozenset(kinds)
        return [
            act
            for act in self._acts
            if act.kind in wanted and sentence.start <= act.start < sentence.end
        ]

    def _vague_times(self) -> Iterable[Finding]:
        """A vague time on something that is to come, or a loose step without any time."""
        timed = any(self._pack.has("specific_time", s.text) for s in self._sentences)
        for sentence in self._sentences:
            if self._pack.has("vague_allowed", sentence.text):
                continue
            match = self._pack.find("vague_time", sentence.text)
            if match is not None and not self._pack.has("specific_time", sentence.text):
                if not (timed and self._pack.has("notice", sentence.text)):
                    yield self._finding("vague_time", sentence, match)
                continue
            unknown = self._pack.find("unknown_time", sentence.text)
            if unknown is not None and not timed:
                yield self._finding("vague_time", sentence, unknown)
                continue
            loose = self._pack.find("loose_step", sentence.text)
            if loose is not None and not timed and self._is_ours(sentence.text):
                yield self._finding("vague_time", sentence, loose)

    def _is_ours(self, text: str) -> bool:
        """Whether the company is to act, unconditionally, in times to come."""
        return self._pack.has("commits", text) and not self._pack.has("conditional", text)

    def _canned(self) -> Iterable[Finding]:
        """Empty formulas, where no sentence answers the matter itself."""
        if any(self._is_specific(sentence.text) for sentence in self._sentences):
            return
        for sentence in self._sentences:
            match = self._pack.find("canned", sentence.text)
            if match is not None and self._is_owed(sentence.text):
                yield self._finding("canned_empathy", sentence, match)
                return

    def _is_owed(self, text: str) -> bool:
        """Whether the formula stands where an answer to a person belongs."""
        personal = self._feels or self._tells_of_trouble
        return personal or self._pack.has("canned", self._pack.without("polite", text))

    # ------------------------------------------------------------------ gaps

    @property
    def _feels(self) -> bool:
        """Whether the customer told how this is for them, or was hurt by it."""
        for message in self._asked:
            if self._pack.has("feels", message):
                return True
            acts = self._detector.find("customer", message.split())
            if any(act.kind in FEELINGS for act in acts):
                return True
        return False

    @property
    def _tells_of_trouble(self) -> bool:
        """Whether the customer told of an event or a loss, beyond a question, wish or how-to."""
        sentences = [
            sentence.text
            for message in self._asked
            for sentence in _sentences(message, self._pack.abbreviations)
        ]
        told = [(text, self._pack.without("how_to", text)) for text in sentences if text[-1] != "?"]
        return any(
            self._pack.has("troubles", bare)
            or (self._pack.has("happened", bare) and not self._pack.has("wish", text))
            for text, bare in told
        )

    def _no_acknowledgement(self) -> bool:
        if not self._asked:
            needed = self._turns_away()
        elif self._feels:
            needed = True
        else:
            needed = self._tells_of_trouble and not self._is_resolved()
        return needed and not any(self._answers(sentence) for sentence in self._sentences)

    def _is_resolved(self) -> bool:
        return any(self._pack.has("resolved", sentence.text) for sentence in self._sentences)

    def _turns_away(self) -> bool:
        """Whether the reply itself shows that something went wrong, where nothing else tells."""
        return self._pack.has("went_wrong", _lower(self._text)) or any(
            True for kind in ("avoid_phrase", "blame", "closes_door") for _ in self._phrases(kind)
        )

    def _answers(self, sentence: _Sentence) -> bool:
        """Whether a sentence answers what the customer went through, be it in a formula."""
        text = sentence.text
        if any(self._pack.has(f"find {kind}", text) for kind in ("blame", "avoid_phrase")):
            return False
        return (
            self._pack.has("apologises", text)
            or self._pack.has("formula", text)
            or self._is_specific(text)
            or bool(self._acts_in(sentence, ("acknowledge_feeling",)))
        )

    def _is_specific(self, text: str) -> bool:
        """Whether a sentence acknowledges this matter, not just any, once formulas are gone."""
        bare = self._pack.without("canned", text)
        needed, text = (1 if bare == text else 2), bare
        if self._pack.has("acknowledges", text) or self._shared(text) >= _TAKEN_UP:
            return True
        return self._pack.has("apology_for", text) and (
            self._shared(text) >= needed or not self._asked
        )

    def _shared(self, text: str) -> int:
        """How many of the customer's words a sentence takes up."""
        said = {word for message in self._asked for word in self._pack.content(message)}
        return len(said & self._pack.content(text))

    def _no_next_step(self) -> bool:
        if any(self._is_step(sentence) for sentence in self._sentences):
            return False
        answers_question = (
            bool(self._asked)
            and not self._feels
            and any(self._pack.has("asks", message) for message in self._asked)
        )
        refuses = any(True for _ in self._phrases("avoid_phrase")) or any(
            True for _ in self._phrases("blame")
        )
        brief = len(self._text.split()) <= _BARE_ANSWER_WORDS
        passed_on = any(self._pack.has("informed", s.text) for s in self._sentences)
        return brief or refuses or passed_on or not answers_question

    def _is_step(self, sentence: _Sentence) -> bool:
        """Whether a sentence says what was, is or will be done, or asks the customer something."""
        text = sentence.text
        if self._pack.has("informed", text) and not self._pack.has("specific_time", text):
            return False
        if text.endswith("?"):
            return not self._pack.has("find blame", text)
        return any(self._is_step_clause(clause.strip()) for clause in re.split(r"[,;:—–]", text))

    def _is_step_clause(self, text: str) -> bool:
        if self._pack.has("no_step", text):
            return False
        if not self._pack.has("specific_time", text):
            text = self._pack.without("loose_step", text)
        return self._pack.has("step", text) or (
            self._pack.has("specific_time", text) and self._pack.has("commits", text)
        )

    # ------------------------------------------------------------------ results

    def _finding(self, kind: str, sentence: _Sentence, match: re.Match[str]) -> Finding:
        words = self._pack.kinds[kind]
        start, end = sentence.start + match.start(), sentence.start + match.end()
        marked = self._text[start:end]
        start += len(marked) - len(marked.lstrip(" ,;"))
        end -= len(marked) - len(marked.rstrip(" ,;.!"))
        return Finding(kind=kind, start=start, end=end, why=words.why, better_wording=words.better)

    def _gap(self, kind: str) -> Finding:
        words = self._pack.kinds[kind]
        return Finding(
            kind=kind,
            start=self._sentences[0].start,
            end=self._sentences[-1].end,
            why=words.why,
            better_wording=words.better,
        )

    def _found_acts(self) -> Iterable[ToneAct]:
        places = [match.span() for match in re.finditer(r"\S+", self._text)]
        words = [self._text[start:end] for start, end in places]
        for act in self._detector.find("agent", words):
            yield ToneAct(
                kind=act.kind,
                start=places[act.start][0],
                end=places[act.end - 1][1],
                confidence=act.confidence,
            )


def _lower(text: str) -> str:
    """Lower-case without changing the length, so that offsets stay."""
    lowered = "".join(c.lower() if len(c.lower()) == 1 else c for c in text)
    return lowered.replace("\u2019", "'").replace("\u2018", "'")


def _without_quotations(text: str) -> tuple[str, list[str]]:
    """Blank the lines that quote the other side, keeping offsets; return them beside."""
    quoted: list[str] = []
    kept: list[str] = []
    for line in text.splitlines(keepends=True):
        bare = line.lstrip()
        if bare.startswith(">"):
            quoted.append(bare.lstrip("> ").rstrip())
            kept.append(re.sub(r"[^\n]", " ", line))
        else:
            kept.append(line)
    return "".join(kept), [" ".join(quoted)] if quoted else []


def _sentences(text: str, abbreviations: frozenset[str]) -> list[_Sentence]:
    """Split at closing marks and empty lines; a wrapped line does not end a sentence."""
    lowered = _lower(text)
    found: list[_Sentence] = []
    start = 0
    for match in [*_END.finditer(lowered), None]:
        if match is not None and match[0] == ".":
            words = lowered[start : match.start()].split()
            if words and words[-1].strip("(") in abbreviations:
                continue
        end = len(text) if match is None else match.end()
        raw = text[start:end]
        begin = start + len(raw) - len(raw.lstrip())
        stop = start + len(raw.rstrip())
        if re.search(r"\w", lowered[begin:stop]):
            found.append(_Sentence(begin, stop, lowered[begin:stop].replace("\n", " ")))
        start = end
    return found
