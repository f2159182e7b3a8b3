"""What is speech, and what Whisper made up."""

from __future__ import annotations

import pytest

from asr.engine import Decoded, DecodedWord, _cut_loop
from asr.guard import drop_reason, echoes, is_loop, words_before_loop
from asr.languages import language_words
from asr.settings import AsrSettings

pytestmark = pytest.mark.unit


def reason(
    text: str,
    *,
    speech_ms: int = 1_000,
    clip_ms: int = 1_500,
    no_speech: float = 0.1,
    probability: float = 0.8,
    voice: float | None = 0.9,
    prompt: str = "",
) -> str | None:
    return drop_reason(
        text,
        settings=AsrSettings(),
        speech_ms=speech_ms,
        clip_ms=clip_ms,
        no_speech=no_speech,
        probability=probability,
        voice=voice,
        prompt=prompt,
    )


@pytest.mark.parametrize(
    ("text", "loops"),
    [
        ("no no no no", True),
        ("thank you thank you thank you thank you", True),
        ("I see, I see, I see, I see, and so on", True),
        ("no no I said no", False),
        ("it went up to two hundred pounds last month", False),
        ("the the the the", True),
    ],
)
def test_loops_are_told_from_emphasis(text: str, loops: bool) -> None:
    assert is_loop(text) is loops


def test_more_words_than_a_voice_can_say_are_a_loop() -> None:
    words = " ".join(f"word{n}" for n in range(15))
    assert is_loop(words, speech_ms=1_000)
    assert not is_loop(words, speech_ms=3_000)
    assert not is_loop("yes it is", speech_ms=200)


def test_a_loop_is_cut_after_its_first_round() -> None:
    words = "please tell me tell me tell me tell me".split()
    assert words_before_loop(words) == 3
    assert words_before_loop(["nothing", "repeats"]) == 2


def test_what_is_left_of_a_loop_is_as_doubtful_as_its_own_words() -> None:
    pairs = zip("I know what I know what I know what".split(), [0.04, 0.57, 0.22, *[0.9] * 6],
                strict=True)  # fmt: skip
    words = tuple(
        DecodedWord(text=text, start_s=0.0, end_s=0.0, probability=p) for text, p in pairs
    )
    loop = Decoded(text=" ".join(w.text for w in words), words=words, probability=0.7,
                   no_speech_probability=0.8)  # fmt: skip
    left = _cut_loop(loop)
    assert left.text == "I know what"
    assert left.probability == pytest.approx(0.171, abs=0.001)


def test_what_is_left_of_a_loop_without_word_times_is_as_doubtful_as_the_loop() -> None:
    loop = Decoded(text="I do know I do know I do know I do know", probability=0.4,
                   no_speech_probability=0.7)  # fmt: skip
    left = _cut_loop(loop)
    assert (left.text, left.flags) == ("I do know", ("loop",))
    assert reason(
        left.text, probability=left.probability, no_speech=left.no_speech_probability
    ) == "doubtful"  # fmt: skip


@pytest.mark.parametrize(
    ("text", "echo"),
    [
        ("Yes, that is right. Yes, that is right.", True),
        ("Somebody promised to call me back last week. Somebody promised to call me back", True),
        ("no no no", False),
        ("I do not know what it is and I do not know why", False),
        ("very very very good", False),
    ],
)
def test_half_a_sentence_said_twice_is_suspicious(text: str, echo: bool) -> None:
    assert echoes(text) is echo


def test_a_stock_phrase_is_kept_when_somebody_clearly_said_it() -> None:
    assert reason("Thank you.") is None
    assert reason("Thank you.", no_speech=0.8) == "stock_phrase"
    assert reason("Thank you.", voice=0.5) == "stock_phrase"
    assert reason("Thank you.", voice=None) is None
    assert reason("Thank you for the money.", voice=0.5) is None


def test_short_answers_are_never_dropped_for_their_length() -> None:
    assert [reason(text, speech_ms=200, clip_ms=700) for text in ("No.", "Stop!")] == [None, None]


def test_thin_speech_is_dropped_only_when_the_model_is_unsure_too() -> None:
    assert reason("and so", speech_ms=200, clip_ms=3_000) is None
    assert reason("and so", speech_ms=200, clip_ms=3_000, no_speech=0.7) == "silence"
    assert reason("anything", speech_ms=100) == "silence"


@pytest.mark.parametrize(
    ("text", "probability", "no_speech"),
    [
        ("and no one is", 0.2, 0.86),
        ("to the other.", 0.277, 0.853),
        ("because I don't know what I think.", 0.54, 0.765),
        ("of the noise I gave you the way", 0.361, 0.855),
    ],
)
def test_what_six_voices_at_once_gave_is_dropped(
    text: str, probability: float, no_speech: float
) -> None:
    assert reason(text, probability=probability, no_speech=no_speech) == "doubtful"


@pytest.mark.parametrize(
    ("text", "probability", "no_speech"),
    [
        ("Yes?", 0.328, 0.277),
        ("Yes.", 0.257, 0.273),
        ("My new count number should be on the letter ring for us.", 0.425, 0.465),
        ("That's cool", 0.178, 0.475),
        ("and no one is", 0.2, 0.1),
        ("and no one is", 0.7, 0.86),
    ],
)
def test_words_that_one_voice_gave_are_kept_however_improbable(
    text: str, probability: float, no_speech: float
) -> None:
    """Measured: a short answer, the same at 20 dB, two at 10 dB; the last two are made up."""
    assert reason(text, probability=probability, no_speech=no_speech) is None


def test_a_glossary_read_back_over_noise_is_dropped() -> None:
    prompt = "Glossary: Northfield Energy, smart meter, Emma Clarke."
    assert reason("Northfield Energy, smart meter", voice=0.6, prompt=prompt) == "prompt"
    assert reason("Northfield Energy, smart meter", voice=0.9, prompt=prompt) is None
    assert reason("smart meter", voice=0.6, prompt=prompt) is None


def test_every_language_has_lists_in_plain_lower_case() -> None:
    for language in ("en", "de"):
        words = language_words(language)
        assert words.stock_phrases
        assert words.unfinished
        for phrase in words.stock_phrases | words.unfinished:
            assert phrase == " ".join(phrase.lower().split())
    assert not language_words("xx").stock_phrases
