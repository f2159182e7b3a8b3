"""What the talk is about: turns in words, narratives, issues, stages (`coaching.md`, shorthand).

An *issue* opens at a problem statement, or at displeasure when none is open, and closes at
satisfaction, at the next issue or with the call. It is *demanding* when it holds a feeling,
confusion, urgency or a long narrative. A *narrative* is what the customer says from a problem
statement to the agent's next turn that is no listening signal; a turn of its length without one is
taken for one, because a long story is seldom about nothing. Everything is told as marks, which are
history kinds, and as facts.
"""

from __future__ import annotations

import msgspec

from conversation.backchannels import is_backchannel_text
from conversation.events import (
    ActDetected,
    Channel,
    Event,
    FinalTranscript,
    PartialTranscript,
)
from conversation.fact_names import FactValue
from conversation.phrases import Phrasebook, containment, similarity
from conversation.spoken_digits import digit_runs

FEELINGS = frozenset({"frustration", "anger", "repeat_contact", "vulnerability"})
"""Customer acts that call for an acknowledgement."""
DEMANDS = FEELINGS | {"confusion", "urgency"}
"""Customer acts that make an issue demanding."""
TURN_WORDS = 8
"""A turn of the agent that says something (`coaching.md` section 3.2)."""
NARRATIVE_MS, NARRATIVE_WORDS = 25_000, 60
"""Either makes a narrative long enough to be summed up (`coaching.md`, shorthand)."""
SAME_ISSUE = 0.45
"""A problem statement less similar than this to the open, answered issue opens another."""
SAME_WORDS = 0.75
"""Cosine of content words from which a customer repeats themselves; stands for a sentence
similarity of 0.85, since two wordings of one request share about three quarters of their content
words."""
SAME_WORDS_AFTER_MS = 30_000
"""Sooner than this a customer goes on, and does not repeat."""
SAME_WORDS_LEAST = 4
"""Fewer content words than this say too little to be called a repetition."""
SAME_ACKNOWLEDGEMENT = 0.95
"""From here on two acknowledgements are one stock phrase (`coaching.md`, canned_empathy)."""
DISPLEASURE = frozenset({"frustration", "anger", "repeat_contact"})
"""Customer acts that open an issue when none is open: nobody is displeased about nothing."""
BEFORE_ISSUE_MS = 15_000
"""A feeling this long before the problem is stated belongs to it."""
SPELLED_LEAST = 3
"""Digits or single letters that make an utterance a read-out."""

TURNS_KEPT = 20
"""Newest turns that are remembered, besides those of a narrative that goes on."""
TURN_KEPT = 2_000
"""Newest words of one turn that are remembered, 13 minutes without a break."""
SAID_KEPT = 600
"""Newest utterances that a repetition is held against, and stock phrases: hours of any call."""


class Mark(msgspec.Struct, frozen=True):
    """One occurrence of a history kind that follows from what was said."""

    kind: str
    start_ms: int
    end_ms: int
    confidence: float = 1.0
    text: str = ""


class Issue(msgspec.Struct):
    """One matter of the customer's."""

    opened_ms: int
    words: list[str]
    felt_ms: int | None = None
    """When a feeling was first worded in it."""
    demanding: bool = False
    answered: bool = False
    """A next step was named."""
    closed_ms: int | None = None


class Turn(msgspec.Struct):
    """What one party said, listening signals of the other aside."""

    channel: Channel
    start_ms: int
    end_ms: int
    words: list[str]
    """The newest `TURN_KEPT`."""
    count: int = 0
    """How many words there were."""
    told: bool = False


class _Acknowledgement(msgspec.Struct, frozen=True):
    act: ActDetected
    customer: tuple[str, ...]


class Discourse:
    """Follows one call; `observe` returns the marks of an event, `facts` the state at a time."""

    def __init__(self, phrases: Phrasebook) -> None:
        self._phrases = phrases
        self.turns: list[Turn] = []
        """The newest turns, in the order of their words."""
        self.issues: list[Issue] = []
        """Every issue so far, in the order in which they were opened."""
        self._issue: Issue | None = None
        self._any_demanding = False
        self._stage = "opening"
        self._stage_ms = 0
        self._narrative: Turn | None = None
        self._felt_before_ms: int | None = None
        self._texts: dict[Channel, str] = {}
        self._finals: dict[Channel, str] = {}
        self._said: list[tuple[int, list[str]]] = []
        self._stock: list[tuple[str, list[str]]] = []
        self._waiting: list[_Acknowledgement] = []
        self._topics: set[str] = set()
        self._angry: dict[str, ActDetected] = {}
        """Anger by utterance, until the utterance is over."""

    # ------------------------------------------------------------------ observing

    def observe(self, event: Event) -> list[Mark]:
        """Take one observation or derived event; most say nothing here."""
        if isinstance(event, PartialTranscript):
            self._texts[event.channel] = event.stable
            # What may still change is not taken for a number that was read out.
            return _card_data(event, event.stable)
        elif isinstance(event, FinalTranscript) and event.channel is not Channel.MIXED:
            return self._final(event)
        elif isinstance(event, ActDetected):
            if event.channel is Channel.AGENT:
                return self._agent_act(event)
            return self._customer_act(event)
        return []

    def _final(self, final: FinalTranscript) -> list[Mark]:
        text = final.text or ""
        words = text.split()
        self._texts[final.channel] = text
        self._finals[final.channel] = final.utterance_id
        if not words:
            return []
        times = [(w.start_ms, w.end_ms) for w in final.words]
        marks = []
        for found in self._phrases.find(final.channel, words):
            begin, end = final.start_ms, final.end_ms
            if len(times) == len(words):
                begin, end = times[found.start][0], times[found.end - 1][1]
            span = " ".join(words[found.start : found.end]).strip(" ,.;:")
            marks.append(Mark(found.kind, begin, end, 1.0, span))
        marks += _card_data(final, text)
        if is_backchannel_text(text):
            return marks
        turn = self._extend(final, words)
        if final.channel is Channel.AGENT:
            marks += self._agent_turn(turn, final, words)
        else:
            marks += self._abuse(final.utterance_id)
            marks += self._repeats(final, words)
        return marks

    def _extend(self, final: FinalTranscript, words: list[str]) -> Turn:
        turn = self.turns[-1] if self.turns else None
        if turn is None or turn.channel is not final.channel:
            turn = Turn(final.channel, final.start_ms, final.end_ms, [])
            self._forget_turns()
            self.turns.append(turn)
        turn.words += words
        del turn.words[:-TURN_KEPT]
        turn.count += len(words)
        turn.end_ms = max(turn.end_ms, final.end_ms)
        return turn

    def _forget_turns(self) -> None:
        """Let go of turns that no narrative reaches back to."""
        older = self.turns[:-TURNS_KEPT]
        told = self._narrative
        kept = [] if told is None else [turn for turn in older if turn.end_ms > told.start_ms]
        self.turns[:-TURNS_KEPT] = kept

    def _agent_turn(self, turn: Turn, final: FinalTranscript, words: list[str]) -> list[Mark]:
        marks = []
        text = final.text or ""
        if turn.count == len(words):
            marks += self._end_narrative(final.start_ms)
        if not turn.told and turn.count >= TURN_WORDS:
            turn.told = True
            marks.append(Mark("agent.substantial_turn", turn.start_ms, turn.end_ms))
        letters = sum(len(w.strip(".,-")) == 1 and w.strip(".,-").isalpha() for w in words)
        digits = max((run.digits for run in digit_runs(words, False)), default=0)
        if max(letters, digits) >= SPELLED_LEAST or "[" in text:
            marks.append(Mark("agent.digits_read", final.start_ms, final.end_ms))
        decided = [w for w in self._waiting if w.act.utterance_id == final.utterance_id]
        self._waiting = [w for w in self._waiting if w not in decided]
        for waiting in decided:
            marks += self._judge(waiting, text)
        return marks

    def _repeats(self, final: FinalTranscript, words: list[str]) -> list[Mark]:
        content = self._phrases.content_words(words)
        earlier = [
            said for end_ms, said in self._said if final.start_ms - end_ms >= SAME_WORDS_AFTER_MS
        ]
        if len(set(content)) < SAME_WORDS_LEAST:
            return []
        self._said.append((final.end_ms, content))
        del self._said[:-SAID_KEPT]
        if any(similarity(content, said) >= SAME_WORDS for said in earlier):
            text = final.text or ""
            return [Mark("customer.repeats", final.start_ms, final.end_ms, 1.0, text)]
        return []

    # ------------------------------------------------------------------ acts

    def _agent_act(self, act: ActDetected) -> list[Mark]:
        if act.kind == "next_steps":
            if self._issue is not None:
                self._issue.answered = True
            if self._stage == "discovery":
                self._enter("resolution", act.at_ms)
        elif act.kind in ("anything_else", "positive_close"):
            self._enter("closing", act.at_ms)
        elif act.kind == "acknowledge_feeling":
            customer = [t for t in self.turns if t.channel is Channel.CUSTOMER][-2:]
            waiting = _Acknowledgement(act, tuple(w for t in customer for w in t.words))
            if self._finals.get(Channel.AGENT) == act.utterance_id:
                return self._judge(waiting, self._texts.get(Channel.AGENT, ""))
            self._waiting.append(waiting)
        return []

    def _judge(self, waiting: _Acknowledgement, text: str) -> list[Mark]:
        """Say whether an acknowledgement is a stock phrase, generic or about this customer."""
        act = waiting.act
        own = self._phrases.content_words(act.text.split())
        marks = []
        plain = act.text.lower()
        if any(
            plain == said or (own and similarity(own, words) >= SAME_ACKNOWLEDGEMENT)
            for said, words in self._stock
        ):
            marks.append("agent.repeated_ack")
        self._stock.append((plain, own))
        del self._stock[:-SAID_KEPT]
        theirs = self._phrases.content_words(waiting.customer)
        shared = containment(self._phrases.content_words(text.split()), theirs)
        marks.append("agent.specific_ack" if shared > 0 else "agent.generic_ack")
        return [Mark(kind, act.start_ms, act.end_ms, act.confidence, act.text) for kind in marks]

    def _customer_act(self, act: ActDetected) -> list[Mark]:
        marks: list[Mark] = []
        if act.kind == "problem_statement":
            marks += self._problem(act)
        if act.kind == "anger":
            self._angry[act.utterance_id] = act
            if self._finals.get(Channel.CUSTOMER) == act.utterance_id:
                marks += self._abuse(act.utterance_id)
        if act.kind == "vulnerability":
            topic = self._phrases.topic(act.text)
            if topic not in self._topics:
                self._topics.add(topic)
                marks.append(_about(act, "customer.new_vulnerability"))
            if topic in ("self_harm", "danger"):
                marks.append(_about(act, "customer.danger"))
        if self._issue is None and act.kind in DISPLEASURE and self._stage != "closing":
            marks.append(self._open(act, []))
        if act.kind in DEMANDS:
            self._demand(act)
        if act.kind == "satisfaction" and self._issue is not None and self._issue.answered:
            self._issue.closed_ms = act.end_ms
            self._issue = None
        return marks

    def _abuse(self, utterance_id: str) -> list[Mark]:
        """Say whether the anger of a finished utterance was profane and at somebody."""
        act = self._angry.pop(utterance_id, None)
        text = self._texts.get(Channel.CUSTOMER, "")
        if act is None or not self._phrases.is_abuse(f"{text} {act.text}"):
            return []
        return [_about(act, "customer.directed_abuse")]

    def _demand(self, act: ActDetected) -> None:
        if act.kind in FEELINGS:
            self._felt_before_ms = act.end_ms
        if self._issue is None:
            return
        self._issue.demanding = self._any_demanding = True
        if act.kind in FEELINGS and self._issue.felt_ms is None:
            self._issue.felt_ms = act.end_ms

    def _problem(self, act: ActDetected) -> list[Mark]:
        if self._narrative is None:
            self._narrative = Turn(Channel.CUSTOMER, act.start_ms, act.end_ms, [])
        content = self._phrases.content_words(act.text.split())
        issue = self._issue
        if issue is not None and (
            not issue.answered or similarity(issue.words, content) >= SAME_ISSUE
        ):
            issue.words += content
            return []
        return [self._open(act, content)]

    def _open(self, act: ActDetected, content: list[str]) -> Mark:
        if self._issue is not None:
            self._issue.closed_ms = act.start_ms
        self._issue = issue = Issue(act.start_ms, content)
        self.issues.append(issue)
        felt_ms = self._felt_before_ms
        if felt_ms is not None and act.end_ms - felt_ms <= BEFORE_ISSUE_MS:
            issue.felt_ms, issue.demanding, self._any_demanding = felt_ms, True, True
        self._enter("discovery", act.at_ms)
        return _about(act, "customer.issue_opened")

    def _end_narrative(self, at_ms: int) -> list[Mark]:
        """Take stock when the agent begins a turn: how long had the customer been telling?"""
        told, self._narrative = self._narrative, None
        last = self.turns[-2] if len(self.turns) >= 2 else None
        if told is None or told.start_ms >= at_ms:
            told = last
        if told is None or self._stage == "closing":
            return []
        spoken = [
            turn
            for turn in self.turns
            if turn.channel is Channel.CUSTOMER and turn.end_ms > told.start_ms
        ]
        words = sum(turn.count for turn in spoken)
        end_ms = max((turn.end_ms for turn in spoken), default=told.start_ms)
        if words < NARRATIVE_WORDS and end_ms - told.start_ms < NARRATIVE_MS:
            return []
        if self._issue is not None:
            self._issue.demanding = self._any_demanding = True
        return [Mark("customer.narrative", told.start_ms, end_ms)]

    def _enter(self, stage: str, at_ms: int) -> None:
        if stage != self._stage:
            self._stage, self._stage_ms = stage, at_ms

    # ------------------------------------------------------------------ facts

    @property
    def issue_number(self) -> int:
        """How many issues were opened so far."""
        return len(self.issues)

    def facts(self, now_ms: int) -> dict[str, FactValue]:
        """Return the state of the talk at `now_ms`; what an absent issue would say is None."""
        issue = self._issue
        felt_ms = None if issue is None else issue.felt_ms
        return {
            "issue.open": issue is not None,
            "issue.ms": None if issue is None else now_ms - issue.opened_ms,
            "issue.demanding": issue is not None and issue.demanding,
            "issue.felt_ms": None if felt_ms is None else now_ms - felt_ms,
            "issue.any_demanding": self._any_demanding,
            "stage": self._stage,
            "stage.ms": now_ms - self._stage_ms,
        }


def _card_data(heard: PartialTranscript | FinalTranscript, text: str) -> list[Mark]:
    """Return a mark when the redactor has masked card data in the customer's words."""
    if heard.channel is Channel.CUSTOMER and ("[card]" in text or "[cvv]" in text):
        return [Mark("customer.card_data", heard.start_ms, heard.at_ms)]
    return []


def _about(act: ActDetected, kind: str) -> Mark:
    return Mark(kind, act.start_ms, act.end_ms, act.confidence, act.text)
