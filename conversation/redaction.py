"""Masks card numbers, security codes, phones, e-mail and account numbers, spoken or typed.

Runs between the recogniser and everything else. A run is a series of number words or digit
tokens, fillers aside. A run of 13 to 19 digits, or of 4 and more in *card state* (a card was
mentioned, or a run of 8 was heard, in the last minute), becomes `[card]` whether or not its check
digit fits, since one misheard digit would break it. Runs go on across segments of a channel. In a
partial, a trailing run of 4 digits (one digit in card state) is withheld until it is known how it
goes on. Faults mask: an order number of 8 digits is masked too.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import overload

import msgspec

from conversation.events import Channel, FinalTranscript, PartialTranscript, Word
from conversation.spoken_digits import (
    BRIDGE,
    MAX_READINGS,
    ORDINARY_AFTER,
    TEENS,
    TENS,
    UNITS,
    DigitRun,
    bare_word,
    digit_runs,
    luhn,
)

CARD_STATE_MS = 60_000
CVV_STATE_MS = 15_000
CVV_SEGMENTS = 2
"""A code, an expiry date or an account number is given within so many segments of its prompt."""
JOIN_SEGMENTS = 3

_CARD = re.compile(
    r"\b(card('s)? (number|details|ending)|long (card )?number|"
    r"(credit|debit|bank|payment|visa|mastercard) card|(your|which|what|the|my|new) card\b.*\b"
    r"(pay|paying|payment|number|numbers|digits|read|details|expir\w*)|"
    r"(pay|paying|payment|number|numbers|digits|read|details|expir\w*)\b.*\bcards?|"
    r"(digits|numbers?) (on|across|in) (the |your )?(front|card|middle)|"
    r"(sixteen|16)[ -](digit|digits|numbers)|(visa|mastercard|amex|maestro)\b)"
)
_ASKS = re.compile(r"\b(can|could|may|what|what's|which|read|give|tell|take|need|please|have)\b")
_EXPIRY = re.compile(r"\b(expir\w*|valid (until|to|thru|through)|end date)\b")
_CVV = re.compile(
    r"\b(cvv2?|cvc2?|c v v|c v c|(security|card verification) code|(three|four|3|4|last) "
    r"(three |3 )?(digits|numbers) on the (back|front))\b"
)
_PHONE = re.compile(
    r"\b(phone|mobile|cell|telephone|landline|(call|reach|ring|text) (me|you)|number is)\b"
)
_ACCOUNT = re.compile(
    r"\b(account|sort code|iban|routing|policy|customer number|reference number)\b"
)
_EMAIL = re.compile(r"[\w.+-]+@[\w-]+(\.[\w-]+)+")
_TLD = frozenset("""com org net edu gov io co uk de fr ie info biz us ca au""".split())
_IBAN = re.compile(r"[a-z]{2}\d{2}[a-z0-9]{11,30}")


_PROMPTS = {"cvv": _CVV, "expiry": _EXPIRY, "account": _ACCOUNT}


class _Span(msgspec.Struct, frozen=True):
    start: int
    end: int
    label: str


class _State(msgspec.Struct):
    """What one channel's recent segments leave open."""

    tail: list[str] = msgspec.field(default_factory=list)
    """Readings of the digits that ended the last segments."""
    segments: int = 0


class _Context(msgspec.Struct):
    card: bool = False
    cvv: bool = False
    expiry: bool = False
    account: bool = False
    withhold: bool = False


def _is_card(readings: Sequence[str]) -> bool:
    for digits in readings:
        for size in range(13, 20):
            for begin in range(len(digits) - size + 1):
                if luhn(digits[begin : begin + size]):
                    return True
    return any(len(d) >= 13 for d in readings)


def _emails(words: Sequence[str]) -> list[_Span]:
    spans = [_Span(i, i + 1, "[email]") for i, w in enumerate(words) if _EMAIL.search(w)]
    bare = [bare_word(w) for w in words]
    for at, word in enumerate(bare):
        if word != "at" or at == 0:
            continue
        end = next(
            (
                i + 2
                for i in range(at + 1, min(at + 6, len(bare) - 1))
                if bare[i] == "dot" and bare[i + 1] in _TLD
            ),
            None,
        )
        typed = at + 1 < len(bare) and re.fullmatch(r"[\w-]+(\.[\w-]+)+", bare[at + 1])
        if end is None and not (typed and bare[at + 1].rsplit(".", 1)[1] in _TLD):
            continue
        end = end if end is not None else at + 2
        while end + 1 < len(bare) and bare[end] == "dot" and bare[end + 1] in _TLD:
            end += 2
        begin = at - 1
        numbers = UNITS.keys() | TEENS.keys() | TENS.keys()
        while begin > 0:
            before = bare[begin - 1]
            if before in ("dot", "underscore", "dash", "hyphen") and begin > 1:
                begin -= 2
            elif (len(before) == 1 and before not in ("i", "a")) or before in numbers:
                begin -= 1
            elif bare[begin] in numbers or len(bare[begin]) == 1 or bare[begin].isdigit():
                begin -= 1  # the name that the digits or letters belong to
                break
            else:
                break
        spans.append(_Span(begin, end, "[email]"))
    return spans


def _label(run: DigitRun, words: Sequence[str], context: _Context, joined: int) -> str | None:
    """Return what to put in place of a run, or None to keep it."""
    before = " ".join(bare_word(w) for w in words[max(0, run.start - 10) : run.start])
    after = bare_word(words[run.end]) if run.end < len(words) else ""
    digits = run.digits
    if context.cvv and any(3 <= len(r) <= 4 for r in run.readings) and joined == digits:
        return "[cvv]"
    if joined >= 13:
        return "[card]"
    if (_ACCOUNT.search(before) or context.account) and 6 <= joined <= 12:
        return "[account]"
    if context.card and context.expiry and joined == digits and joined <= 6:
        return "[card]"
    if _PHONE.search(before) and 7 <= joined <= 12 and not context.card:
        return "[phone]"
    if context.card and (joined >= 4 or context.withhold):
        return "[card]"
    if joined < 8 and after in ORDINARY_AFTER:
        return None
    if 10 <= joined <= 12:
        return "[phone]"
    if joined >= 8:
        return "[card]"
    trailing = run.end >= _content_end(words) - int(context.withhold)
    shortest = joined - digits + min(len(r) for r in run.readings)
    if trailing and (shortest >= 5 or (joined >= 4 and run.tokens >= 4)):
        return "[card]"
    return "[card]" if context.withhold and trailing and joined >= 4 else None


def _spans(
    words: Sequence[str], context: _Context, tail: Sequence[str] = ()
) -> tuple[list[_Span], list[str], bool]:
    """Return what to mask, the readings left open at the end, and whether a long run was heard."""
    spans = _emails(words)
    masked = {i for s in spans for i in range(s.start, s.end)}
    text = " ".join(bare_word(w) for w in words)
    card_prompt = _CARD.search(text)
    cvv_prompt = _CVV.search(text)
    open_tail: list[str] = []
    long_run = False
    loose = context.card or card_prompt is not None
    for run in digit_runs(words, loose):
        if any(i in masked for i in range(run.start, run.end)):
            continue
        before = " ".join(bare_word(w) for w in words[: run.start])
        here = _Context(
            card=context.card or long_run or _CARD.search(before) is not None,
            cvv=context.cvv or (cvv_prompt is not None and _CVV.search(before) is not None),
            expiry=context.expiry or _EXPIRY.search(before) is not None,
            account=context.account,
            withhold=context.withhold and run.end >= _content_end(words) - 1,
        )
        readings = run.readings
        if run.start <= _content_start(words) and tail:
            readings = [t + r for t in tail for r in run.readings][:MAX_READINGS]
        joined = max(len(r) for r in readings)
        if _is_card(readings):
            joined = max(joined, 13)
        label = _label(run, words, here, joined)
        if label is None and here.withhold and here.cvv:
            label = "[cvv]"
        if label is not None:
            spans.append(_Span(run.start, run.end, label))
        if joined >= 8 and label in (None, "[card]", "[phone]"):
            long_run = True
        if run.end >= _content_end(words):
            open_tail = list(readings)
    ibans = _ibans(words)
    spans = [s for s in spans if not any(i.start <= s.start < i.end for i in ibans)] + ibans
    return sorted(spans, key=lambda s: s.start), open_tail, long_run


def _ibans(words: Sequence[str]) -> list[_Span]:
    """Find account numbers of ISO 13616, typed whole or in groups; groups must pass modulo 97."""
    spans = []
    bare = [bare_word(word) for word in words]
    for index, word in enumerate(bare):
        if _IBAN.fullmatch(word):
            spans.append(_Span(index, index + 1, "[account]"))
        elif re.fullmatch(r"[a-z]{2}\d{2}", word):
            text, end = word, index + 1
            while end < len(bare) and re.fullmatch(r"[a-z0-9]{1,4}", bare[end]) and len(text) < 34:
                text += bare[end]
                end += 1
                if len(text) >= 15 and _fits_97(text):
                    spans.append(_Span(index, end, "[account]"))
                    break
    return spans


def _fits_97(iban: str) -> bool:
    return int("".join(str(int(c, 36)) for c in iban[4:] + iban[:4])) % 97 == 1


def _content_start(words: Sequence[str]) -> int:
    return next((i for i, w in enumerate(words) if bare_word(w) not in BRIDGE), 0)


def _content_end(words: Sequence[str]) -> int:
    return next(
        (i + 1 for i in range(len(words) - 1, -1, -1) if bare_word(words[i]) not in BRIDGE),
        len(words),
    )


def _masked(words: Sequence[str], spans: Sequence[_Span]) -> list[tuple[str, int, int]]:
    """Return the words with spans replaced, each with the source span it stands for."""
    out: list[tuple[str, int, int]] = []
    position = 0
    for span in spans:
        if span.start < position:
            continue
        out += [(words[i], i, i + 1) for i in range(position, span.start)]
        mark = re.search(r"[.?!,;:]+$", words[span.end - 1])
        out.append((span.label + (mark[0] if mark else ""), span.start, span.end))
        position = span.end
    return out + [(words[i], i, i + 1) for i in range(position, len(words))]


def _join_words(words: Sequence[Word], spans: Sequence[_Span]) -> tuple[Word, ...]:
    return tuple(
        words[start]
        if end == start + 1 and text == words[start].text.strip()
        else Word(
            text=text,
            start_ms=words[start].start_ms,
            end_ms=words[end - 1].end_ms,
            probability=min(w.probability for w in words[start:end]),
        )
        for text, start, end in _masked([w.text.strip() for w in words], spans)
    )


def is_card_prompt(text: str) -> bool:
    """Return True for words that ask for a card number, its code or its date."""
    plain = " ".join(bare_word(word) for word in text.split())
    asks = _CARD.search(plain) or _CVV.search(plain)
    return asks is not None and _ASKS.search(plain) is not None


def redact_text(text: str) -> str:
    """Mask numbers and addresses in one piece of text that stands alone."""
    words = text.split()
    spans, _, _ = _spans(words, _Context())
    return " ".join(word for word, _, _ in _masked(words, spans)) if spans else text


def redact_words(words: tuple[Word, ...]) -> tuple[Word, ...]:
    """Mask timed words; a masked run is one word from its first start to its last end."""
    return _join_words(words, _spans([w.text.strip() for w in words], _Context())[0])


class Redactor:
    """Redacts the transcripts of one call, in order, joining runs across segments."""

    def __init__(self) -> None:
        self._states: dict[Channel, _State] = {}
        self._card_until = -1
        self._asked = {name: (-1, 0) for name in _PROMPTS}
        """Until when, and for how many segments, what was asked for may still be given."""

    @overload
    def redact(self, event: PartialTranscript) -> PartialTranscript: ...

    @overload
    def redact(self, event: FinalTranscript) -> FinalTranscript: ...

    def redact(
        self, event: PartialTranscript | FinalTranscript
    ) -> PartialTranscript | FinalTranscript:
        """Return the event with everything masked; times and identity stay.

        Finals move the state of the call on; partials only read it.
        """
        if isinstance(event, PartialTranscript):
            return self._partial(event)
        return self._final(event)

    def _context(self, start_ms: int, *, withhold: bool) -> _Context:
        open_now = {
            name: start_ms <= until_ms and segments > 0
            for name, (until_ms, segments) in self._asked.items()
        }
        return _Context(card=start_ms <= self._card_until, withhold=withhold, **open_now)

    def _partial(self, event: PartialTranscript) -> PartialTranscript:
        stable, tail = event.stable.split(), event.tail.split()
        words = stable + tail
        state = self._states.get(event.channel, _State())
        context = self._context(event.start_ms, withhold=True)
        spans, _, _ = _spans(words, context, state.tail)
        if not spans:
            return event
        # what is withheld at the end may still turn out to be ordinary: it is never "stable"
        parts = _masked(words, spans)
        end = _content_end(words)
        kept = [
            text
            for text, _, stop in parts
            if stop <= len(stable) and not (text.startswith("[") and stop >= end)
        ]
        rest = [
            text
            for text, _, stop in parts
            if not (stop <= len(stable) and not (text.startswith("[") and stop >= end))
        ]
        return msgspec.structs.replace(
            event, stable=" ".join(kept), tail=" ".join(rest), stable_words=len(kept)
        )

    def _final(self, event: FinalTranscript) -> FinalTranscript:
        if event.text is None and not event.words:
            return event
        state = self._states.setdefault(event.channel, _State())
        text_words = (event.text or "").split()
        context = self._context(event.start_ms, withhold=False)
        spans, open_tail, long_run = _spans(text_words, context, state.tail)
        timed = [w.text.strip() for w in event.words]
        word_spans = _spans(timed, context, state.tail)[0] if timed else []
        plain = " ".join(bare_word(w) for w in text_words)
        self._asked = {n: (until, segments - 1) for n, (until, segments) in self._asked.items()}
        if (
            long_run
            or _CARD.search(plain)
            or (context.card and any(s.label == "[card]" for s in spans))
        ):
            self._card_until = max(self._card_until, event.end_ms + CARD_STATE_MS)
        for name, prompt in _PROMPTS.items():
            if prompt.search(plain):
                self._asked[name] = (event.end_ms + CVV_STATE_MS, CVV_SEGMENTS)
        joined = bool(state.tail) and bool(open_tail) and state.segments < JOIN_SEGMENTS
        state.segments = state.segments + 1 if joined else 0
        state.tail = open_tail if open_tail else []
        text = event.text
        if spans:
            text = " ".join(word for word, _, _ in _masked(text_words, spans))
        words = _join_words(event.words, word_spans) if word_spans else event.words
        return msgspec.structs.replace(event, text=text, words=words)
