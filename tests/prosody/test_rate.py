"""Speaking rate from word times, pauses from voice activity."""

import pytest

from conversation.events import (
    Channel,
    FinalTranscript,
    PaceMeasured,
    SpeechEnded,
    SpeechStarted,
    Word,
)
from prosody.rate import SpeakingRate
from prosody.settings import RateSettings

pytestmark = pytest.mark.unit


class Talk:
    """Speaks sentences of equal words to a `SpeakingRate`."""

    def __init__(self) -> None:
        self.rate = SpeakingRate(RateSettings())
        self.now_ms = 0

    def say(
        self,
        words: int,
        *,
        wpm: float,
        pause_ms: int = 0,
        text: str = "word",
        channel: Channel = Channel.AGENT,
        silence_ms: int = 1_500,
    ) -> list[PaceMeasured]:
        """Say that many words at that rate with one pause in the middle, then be silent."""
        step = round(60_000 / wpm)
        spoken: list[Word] = []
        spans = []
        at = begin = self.now_ms
        for i in range(words):
            if pause_ms and i == words // 2:
                spans.append((begin, at))
                at += pause_ms
                begin = at
            spoken.append(Word(text=text, start_ms=at, end_ms=at + step, probability=0.9))
            at += step
        spans.append((begin, at))
        for start_ms, end_ms in spans:
            self.rate.hear(SpeechStarted(at_ms=start_ms, channel=channel, start_ms=start_ms))
            self.rate.hear(
                SpeechEnded(at_ms=end_ms, channel=channel, start_ms=start_ms, end_ms=end_ms)
            )
        final = FinalTranscript(
            at_ms=at + 500,
            channel=channel,
            utterance_id=f"u{at}",
            rev=1,
            start_ms=self.now_ms,
            end_ms=at,
            text=" ".join(word.text for word in spoken),
            words=tuple(spoken),
        )
        self.now_ms = at + silence_ms
        return self.rate.hear(final)


def test_the_rate_leaves_pauses_out_and_reports_them() -> None:
    (pace,) = Talk().say(20, wpm=150, pause_ms=2_000)
    assert pace.words_per_minute == pytest.approx(150, abs=4)
    assert pace.gross_words_per_minute == pytest.approx(120, abs=2)
    assert (pace.pauses, pace.longest_pause_ms) == (1, 2_000)
    assert pace.usual_words_per_minute is None
    assert pace.pace == "unknown"


def test_a_silence_below_a_quarter_of_a_second_is_no_pause() -> None:
    (pace,) = Talk().say(20, wpm=150, pause_ms=200)
    assert pace.pauses == 0


def test_short_turns_say_nothing() -> None:
    talk = Talk()
    assert talk.say(7, wpm=160) == []
    assert talk.say(8, wpm=300) == []


def test_numbers_and_spelling_are_left_out_with_their_time() -> None:
    talk = Talk()
    talk.say(20, wpm=160, silence_ms=300)
    (pace,) = talk.say(12, wpm=60, text="seven", silence_ms=300)
    assert pace.words == 20
    assert pace.words_per_minute == pytest.approx(160, abs=4)
    assert talk.say(12, wpm=60, text="B", silence_ms=300)[0].words == 20
    assert talk.say(12, wpm=160, text="I")[0].words == 32


def test_overlapped_words_are_left_out() -> None:
    talk = Talk()
    talk.rate.hear(SpeechStarted(at_ms=0, channel=Channel.CUSTOMER, start_ms=2_000))
    talk.rate.hear(SpeechEnded(at_ms=5_000, channel=Channel.CUSTOMER, start_ms=2_000, end_ms=5_000))
    (pace,) = talk.say(30, wpm=150)
    assert pace.words == 23
    assert pace.words_per_minute == pytest.approx(150, abs=8)


def test_fast_is_a_quarter_above_the_speakers_own_usual_and_clears_near_it() -> None:
    talk = Talk()
    for _ in range(6):
        pace = talk.say(30, wpm=160)[0]
    assert pace.pace == "usual"
    assert pace.usual_words_per_minute == pytest.approx(160, abs=3)
    states = [talk.say(30, wpm=215)[0].pace for _ in range(3)]
    assert states == ["usual", "fast", "fast"]
    assert [talk.say(30, wpm=160)[0].pace for _ in range(2)] == ["usual", "usual"]


def test_a_fast_talker_at_their_own_usual_is_not_fast() -> None:
    talk = Talk()
    assert {p.pace for _ in range(8) for p in talk.say(40, wpm=210)} == {"unknown", "usual"}


def test_slow_needs_twenty_seconds_below_three_quarters_of_the_usual() -> None:
    talk = Talk()
    for _ in range(6):
        talk.say(30, wpm=150)
    states = [talk.say(15, wpm=85)[0].pace for _ in range(3)]
    assert states == ["usual", "slow", "slow"]


def test_the_parties_have_a_usual_each() -> None:
    talk = Talk()
    for _ in range(3):
        agent = talk.say(30, wpm=180)[0]
        customer = talk.say(30, wpm=120, channel=Channel.CUSTOMER)[0]
    assert agent.usual_words_per_minute == pytest.approx(180, abs=3)
    assert customer.usual_words_per_minute == pytest.approx(120, abs=3)


def test_a_channel_with_both_parties_has_no_pace() -> None:
    assert Talk().say(30, wpm=150, channel=Channel.MIXED) == []
