"""How much card data gets past the redactor, and how many ordinary words it takes by mistake.

`python -m bench.coaching.redaction` reads out generated card numbers in many ways: digit by digit,
in pairs, with "double" and "oh", typed, with fillers and corrections, split over utterances, read
back by the agent, with and without a prompt; clean and with 5 % of the words misheard. A card has
got through when four of its digits in a row can be read anywhere in what comes out, partials
included. Ordinary sentences are about times, prices, dates, addresses and orders.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from bench.coaching.scripts import Turn, load_scripts
from bench.results import Row, write_results
from conversation.events import Channel, FinalTranscript, PartialTranscript, Word
from conversation.redaction import Redactor
from conversation.spoken_digits import digit_runs, luhn

SEED = 20_260_302
CARDS = 1_000
DIGITS = "zero one two three four five six seven eight nine".split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
_TEENS = """ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen
    nineteen""".split()
_MISHEARD = {
    "one": "won", "two": "to", "three": "free", "four": "for", "five": "fife", "six": "sick",
    "eight": "ate", "nine": "mine", "zero": "hero", "oh": "o", "double": "trouble",
}  # fmt: skip
_PROMPTS = (
    "can I have the long number on the front of your card please",
    "what is the card number",
    "could you read me the sixteen digits on the card",
    "and which card would you like to pay with",
    "I will take your card details now",
    "please give me the number across the middle of the card",
)
_LEADS = ("", "sure it's", "okay so", "my card number is", "yes it is", "right um", "here we go")
_ENDS = ("", "thank you", "did you get that", "that's it", "okay")
_ORDINARY = (
    "the bill went up from {p} pounds to {p} pounds in {month}",
    "I have been a customer for {n} years and I have {n} children",
    "we open at {h} and close at {h} thirty on weekdays",
    "my appointment is on the {o} of {month} at {h} o'clock",
    "I ordered {n} chairs and {n} tables and only {n} came",
    "it was twenty {n} minutes late and then another {n} minutes",
    "the house is number {p} on Station Road",
    "it says error {p} on the screen since half past {h}",
    "that makes {p} pounds and {n} pence in total",
    "in two thousand and {n} we moved to the third floor",
    "about {n} or {n} weeks ago I called {n} times",
    "the order number is {p} and it weighs {n} kilos",
    "page {n} of {n} says {n} percent",
    "I was on hold for one hour and {n} minutes",
    "the flight at {h} fifteen on the {o} is fully booked for {n} people",
    "you said within {n} to {n} working days",
    "it costs £{p} a month for {n} months",
    "the meter says {q} at the moment",
    "my postcode is S W {n} {n} A B",
    "give me one two maybe three minutes please",
)
_MONTHS = "January February March April May June July August September October".split()
_ORDINALS = "first second third fourth fifth sixth twelfth".split()


def card_number(rng: random.Random) -> str:
    """Return a card number whose check digit fits."""
    size = rng.choices((16, 15, 19, 13), (8, 1, 1, 1))[0]
    body = rng.choice("3456") + "".join(rng.choice("0123456789") for _ in range(size - 2))
    return next(body + digit for digit in "0123456789" if luhn(body + digit))


def _groups(card: str) -> list[str]:
    if len(card) == 15:
        return [card[:4], card[4:10], card[10:]]
    return [card[i : i + 4] for i in range(0, len(card), 4)]


def _spoken_group(group: str, style: str, rng: random.Random) -> list[str]:
    if style == "typed":
        return [group]
    words: list[str] = []
    at = 0
    while at < len(group):
        run = len(group) - at - len(group[at:].lstrip(group[at]))
        pair = group[at : at + 2]
        if style == "doubles" and run >= 3:
            words += ["triple", DIGITS[int(group[at])]]
            at += 3
        elif style == "doubles" and run == 2:
            words += ["double", DIGITS[int(group[at])]]
            at += 2
        elif style == "pairs" and len(pair) == 2 and pair[0] >= "2":
            words.append(_TENS[int(pair[0]) - 2])
            if pair[1] != "0":
                words.append(DIGITS[int(pair[1])])
            at += 2
        elif style == "pairs" and len(pair) == 2 and pair[0] == "1":
            words.append(_TEENS[int(pair[1])])
            at += 2
        else:
            zero = rng.choice(("oh", "zero", "zero", "nought"))
            words.append(zero if group[at] == "0" else DIGITS[int(group[at])])
            at += 1
    return words


def say_card(card: str, rng: random.Random) -> list[list[str]]:
    """Return the words of one reading, group by group."""
    style = rng.choice(("digits", "digits", "doubles", "pairs", "typed"))
    out = []
    for group in _groups(card):
        words = _spoken_group(group, style, rng)
        if rng.random() < 0.06:
            words.insert(rng.randrange(len(words) + 1), rng.choice(("um", "uh", "er", "then")))
        if rng.random() < 0.03 and style == "digits":
            at = rng.randrange(len(words))
            words[at:at] = [rng.choice(DIGITS), "no"]
        if rng.random() < 0.5:
            words[-1] += ","
        out.append(words)
    return out


def misheard(words: Sequence[str], rate: float, rng: random.Random) -> list[str]:
    """Return words as a recogniser with this word error rate might give them."""
    out = []
    for word in words:
        draw = rng.random()
        if draw < rate * 0.5:
            bare = word.strip(",")
            swapped = _MISHEARD.get(bare)
            out.append(swapped if swapped and rng.random() < 0.5 else rng.choice(DIGITS))
        elif draw < rate * 0.75:
            continue
        elif draw < rate:
            out += [word, rng.choice(("the", "and", "uh", "is", "a"))]
        else:
            out.append(word)
    return out


def _final(channel: Channel, number: int, words: Sequence[str], at_ms: int) -> FinalTranscript:
    timed = tuple(
        Word(text=w, start_ms=at_ms + 300 * i, end_ms=at_ms + 300 * i + 280, probability=0.9)
        for i, w in enumerate(words)
    )
    end_ms = at_ms + 300 * len(words)
    return FinalTranscript(
        at_ms=end_ms + 800, channel=channel, utterance_id=f"u{number}", rev=99, start_ms=at_ms,
        end_ms=end_ms, text=" ".join(words), words=timed,
    )  # fmt: skip


def _partials(final: FinalTranscript, step: int) -> list[PartialTranscript]:
    words = [w.text for w in final.words]
    return [
        PartialTranscript(
            at_ms=final.start_ms + 300 * upto, channel=final.channel, rev=upto,
            utterance_id=final.utterance_id, start_ms=final.start_ms,
            audio_end_ms=final.start_ms + 300 * upto, stable=" ".join(words[: max(0, upto - 2)]),
            tail=" ".join(words[max(0, upto - 2) : upto]), stable_words=max(0, upto - 2),
        )
        for upto in range(step, len(words), step)
    ]  # fmt: skip


def call_with_card(card: str, rate: float, rng: random.Random) -> list[FinalTranscript]:
    """Return the utterances of one customer who reads out a card, and what is said around it."""
    groups = say_card(card, rng)
    lead = rng.choice(_LEADS).split()
    pieces = rng.choice((1, 1, 1, 2, 4))
    prompted = rng.random() < 0.75 or pieces > 1
    finals: list[FinalTranscript] = []
    at_ms, number = 1_000, 0

    def add(channel: Channel, words: Sequence[str]) -> None:
        nonlocal at_ms, number
        heard = misheard(words, rate, rng)
        if heard:
            finals.append(_final(channel, number, heard, at_ms))
            number += 1
            at_ms = finals[-1].end_ms + 1_000

    if prompted:
        add(Channel.AGENT, rng.choice(_PROMPTS).split())
    size = -(-len(groups) // pieces)
    for begin in range(0, len(groups), size):
        words = [w for group in groups[begin : begin + size] for w in group]
        add(Channel.CUSTOMER, (lead if begin == 0 else []) + words)
        if pieces > 1:
            back = rng.random()
            if back < 0.3:
                add(Channel.AGENT, words)
            elif back < 0.7:
                add(Channel.AGENT, rng.choice(("okay", "yes", "mhm")).split())
    add(Channel.CUSTOMER, rng.choice(_ENDS).split())
    return finals


def outputs(finals: Sequence[FinalTranscript], step: int) -> list[str]:
    """Return every text that leaves the redactor, and the finals joined."""
    redactor = Redactor()
    shown, joined = [], []
    for final in finals:
        for partial in _partials(final, step):
            out = redactor.redact(partial)
            shown.append(f"{out.stable} {out.tail}")
        done = redactor.redact(final)
        shown += [done.text or "", " ".join(w.text for w in done.words)]
        joined.append(done.text or "")
    return [*shown, " ".join(joined)]


def got_through(card: str, texts: Sequence[str]) -> str | None:
    """Return a text in which four digits in a row of a card can be read, or None."""
    parts = {card[i : i + 4] for i in range(len(card) - 3)}
    for text in texts:
        for run in digit_runs(text.split(), True):
            if any(part in reading for reading in run.readings for part in parts):
                return text
    return None


def card_recall(rate: float, cards: int = CARDS, seed: int = SEED) -> tuple[float, list[str]]:
    """Return the share of cards that were masked, and the readings of those that were not."""
    rng = random.Random(seed)  # noqa: S311 - a repeatable benchmark
    through = []
    for _ in range(cards):
        card = card_number(rng)
        finals = call_with_card(card, rate, rng)
        texts = outputs(finals, rng.choice((1, 2, 3)))
        leak = got_through(card, texts)
        if leak is not None:
            through.append(f"{[f.text for f in finals]} -> {leak!r}")
    return 1 - len(through) / cards, through


def ordinary_sentences(rng: random.Random, words: int) -> list[str]:
    """Return about so many words of ordinary talk with numbers in it, a third of it numberless."""
    turns = [t.text for s in load_scripts() for t in s.placed() if isinstance(t, Turn)]
    out: list[str] = []
    count = 0
    while count < words:
        text = rng.choice(turns) if rng.random() < 0.35 else _ordinary(rng)
        out.append(text)
        count += len(text.split())
    return out


def _ordinary(rng: random.Random) -> str:
    text = rng.choice(_ORDINARY)
    while "{" in text:
        small = rng.choice(
            (DIGITS[rng.randrange(2, 10)], rng.choice(_TEENS), str(rng.randrange(2, 60)))
        )
        for mark, value in (
            ("{n}", small),
            ("{p}", rng.choice((str(rng.randrange(100, 2_000)), "two hundred and fifty",
                                "eleven hundred", "forty two"))),
            ("{q}", str(rng.randrange(1_000, 99_999))),
            ("{h}", rng.choice(DIGITS[2:])),
            ("{o}", rng.choice(_ORDINALS)),
            ("{month}", rng.choice(_MONTHS)),
        ):  # fmt: skip
            text = text.replace(mark, value, 1)
    return text


def false_masks(words: int, seed: int = SEED) -> tuple[float, int, list[str]]:
    """Return masks per 10,000 ordinary words, the words, and the sentences that were masked."""
    rng = random.Random(seed)  # noqa: S311 - a repeatable benchmark
    sentences = ordinary_sentences(rng, words)
    redactor, taken, count = Redactor(), [], 0
    for number, text in enumerate(sentences):
        channel = rng.choice((Channel.AGENT, Channel.CUSTOMER))
        final = _final(channel, number, text.split(), number * 70_000)
        out = redactor.redact(final).text or ""
        count += len(text.split())
        if "[" in out:
            taken.append(f"{text!r} -> {out!r}")
    return len(taken) * 10_000 / count, count, taken


def rows() -> list[Row]:
    """Measure everything."""
    out = []
    for condition, rate in (("clean", 0.0), ("wer_5", 0.05)):
        recall, _ = card_recall(rate)
        out.append(Row("heartline", f"cards_{condition}", "card_recall", recall, "share", CARDS))
    masks, words, _ = false_masks(50_000)
    out.append(Row("heartline", "ordinary", "false_masks_per_10k_words", masks, "masks", words))
    return out


if __name__ == "__main__":
    write_results("coaching_redaction", rows(), seed=SEED)
