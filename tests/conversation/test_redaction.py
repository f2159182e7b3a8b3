"""Nothing that identifies a card, account or address gets past the redactor."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.coaching.redaction import card_recall, false_masks
from conversation.events import Channel, FinalTranscript, PartialTranscript, Word
from conversation.redaction import Redactor, redact_text, redact_words
from conversation.spoken_digits import luhn

pytestmark = pytest.mark.unit

DIGITS = "zero one two three four five six seven eight nine".split()
CARD = "4111111111111111"


def final(text: str, start_ms: int = 0, channel: Channel = Channel.CUSTOMER) -> FinalTranscript:
    words = tuple(
        Word(text=w, start_ms=start_ms + 200 * i, end_ms=start_ms + 200 * i + 180, probability=0.9)
        for i, w in enumerate(text.split())
    )
    end = start_ms + 200 * len(words)
    return FinalTranscript(
        at_ms=end, channel=channel, utterance_id=f"u{start_ms}", rev=1, start_ms=start_ms,
        end_ms=end, text=text, words=words,
    )  # fmt: skip


def partial(stable: str, tail: str) -> PartialTranscript:
    return PartialTranscript(
        at_ms=900, channel=Channel.CUSTOMER, utterance_id="u0", rev=1, start_ms=0,
        audio_end_ms=900, stable=stable, tail=tail, stable_words=len(stable.split()),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("it's 4111 1111 1111 1111, thanks", "it's [card], thanks"),
        ("4111-1111-1111-1111", "[card]"),
        ("four " + "one " * 15 + "ok", "[card] ok"),
        ("four triple one um double one double one double one double one double one double one",
         "[card]"),
        ("the security code is one two three", "the security code is [cvv]"),
        ("write to bob@example.org", "write to [email]"),
        ("jane dot smith at gmail dot com please", "[email] please"),
        ("call me on 020 7946 0958", "call me on [phone]"),
        ("my account number is 12345678", "my account number is [account]"),
        ("it's DE89 3704 0044 0532 0130 00 at my bank", "it's [account] at my bank"),
        ("send it to GB82WEST12345698765432 please", "send it to [account] please"),
        ("sort code twelve thirty four fifty six", "sort code [account]"),
        ("visa card 4111 1111 1111 1111 expires on 04/27", "visa card [card] expires on [card]"),
    ],
)  # fmt: skip
def test_identifying_numbers_are_masked(text: str, expected: str) -> None:
    assert redact_text(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "at ten thirty on the 5th of May 2024",
        "it cost four hundred and fifty dollars",
        "that is $1,200.50 in total",
        "I waited twenty five minutes",
        "we met in twenty twenty four",
        "I have called three times, one two three",
        "meet me at home",
        "two of the four boxes",
    ],
)
def test_ordinary_numbers_stay(text: str) -> None:
    assert redact_text(text) == text


def test_word_times_are_kept() -> None:
    event = final("card is " + " ".join(DIGITS[int(d)] for d in CARD) + " right")
    words = redact_words(event.words)
    assert [w.text for w in words] == ["card", "is", "[card]", "right"]
    assert (words[2].start_ms, words[2].end_ms) == (400, 400 + 15 * 200 + 180)


def test_a_card_read_in_groups_over_segments_is_masked_after_a_prompt() -> None:
    redactor = Redactor()
    redactor.redact(final("can I have the long number please", 0, Channel.AGENT))
    for index in range(4):
        group = CARD[4 * index : 4 * index + 4]
        text = " ".join(DIGITS[int(d)] for d in group)
        out = redactor.redact(final(text, 3000 + 2000 * index))
        assert out.text == "[card]"
        assert [w.text for w in out.words] == ["[card]"]


def test_a_misheard_card_digit_is_still_masked() -> None:
    assert not luhn("4111111111111112")
    assert redact_text("4111 1111 1111 1112") == "[card]"


def test_a_code_asked_for_in_the_turn_before_is_masked() -> None:
    redactor = Redactor()
    redactor.redact(final("and the three digits on the back", 0, Channel.AGENT))
    assert redactor.redact(final("seven two nine", 3000)).text == "[cvv]"


def test_an_account_asked_for_in_the_turn_before_is_masked() -> None:
    redactor = Redactor()
    redactor.redact(final("what is your account number", 0, Channel.AGENT))
    out = redactor.redact(final("it is seven two nine four one oh please", 3000))
    assert out.text == "it is [account] please"


def test_a_misheard_word_among_the_digits_hides_none_of_them() -> None:
    redactor = Redactor()
    redactor.redact(final("can I have the card number please", 0, Channel.AGENT))
    text = "four one to one the one one ate one one one one um one one one one"
    assert redactor.redact(final(text, 3000)).text == "[card]"


def test_generated_cards_are_masked_and_ordinary_numbers_are_not() -> None:
    clean, _ = card_recall(0.0, 150)
    noisy, _ = card_recall(0.05, 150)
    masks, words, _ = false_masks(10_000)
    assert words >= 10_000
    assert clean >= 0.99
    assert noisy >= 0.95
    assert masks <= 1


def test_a_trailing_run_is_withheld_from_partials() -> None:
    out = Redactor().redact(partial("my number is four one", "one one"))
    shown = f"{out.stable} {out.tail}"
    assert "one" not in shown.split()
    assert "four" not in shown.split()
    assert out.stable_words == len(out.stable.split())


def test_an_event_without_digits_comes_back_unchanged() -> None:
    event = final("hello there")
    assert Redactor().redact(event) == event


@st.composite
def _cards(draw: st.DrawFn) -> str:
    body = draw(st.text("0123456789", min_size=12, max_size=18))
    return next(body + d for d in "0123456789" if luhn(body + d))


@given(card=_cards(), cut=st.integers(0, 19), spoken=st.booleans())
@settings(max_examples=60, deadline=None)
def test_a_card_number_never_survives(card: str, cut: int, spoken: bool) -> None:
    words = (
        [DIGITS[int(d)] for d in card]
        if spoken
        else [card[i : i + 4] for i in range(0, len(card), 4)]
    )
    at = min(cut, len(words))
    shown = Redactor().redact(partial(" ".join(["it", "is", *words[:at]]), " ".join(words[at:])))
    out = Redactor().redact(final(" ".join(["it", "is", *words, "thank", "you"])))
    for text in (
        f"{shown.stable} {shown.tail}",
        out.text or "",
        " ".join(w.text for w in out.words),
    ):
        assert not set(text.split()) & set(words)
