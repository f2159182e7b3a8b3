"""Speaking rate and pauses of both parties, from word times, against each one's own usual.

Pure state over observations. The rate is an articulation rate: words over the time in which they
are spoken, without pauses, because pauses belong to thinking and to the other party. Pauses come
from voice activity, never from word times. Short turns are left out, since rate depends mostly on
the length of a turn (Yuan, Liberman & Cieri 2006), and so are numbers, spelling and overlapped
words.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import pairwise

import msgspec

from conversation.events import (
    Channel,
    Event,
    FinalTranscript,
    PaceMeasured,
    SpeechEnded,
    SpeechStarted,
    Word,
)
from prosody.settings import RateSettings

Span = tuple[int, int]

_READ_OUT = re.compile(
    r"""\[.* | .*\d.* | .*@.* | [^\W\d_]\.? |
    (?:zero|oh|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|
    fifteen|sixteen|seventeen|eighteen|nineteen|twenty|thirty|forty|fifty|sixty|seventy|eighty|
    ninety|hundred|thousand|double|triple|dot|dash)[.,!?]*""",
    re.VERBOSE | re.IGNORECASE,
)
"""Words that are read out, not spoken: redacted, with digits, single letters, numbers."""
_ORDINARY = frozenset({"a", "i", "o"})


class _Stretch(msgspec.Struct):
    """What one party said without a long break."""

    begin_ms: int
    end_ms: int
    words: list[Word] = []
    """Words that count."""
    left_out: list[Span] = []
    """Time of words that do not."""
    clean: list[Span] = []
    """Own speech without pauses, overlap and what is left out."""

    @property
    def spoken_ms(self) -> int:
        return sum(end - begin for begin, end in self.clean)

    @property
    def words_per_minute(self) -> float:
        return len(self.words) * 60_000 / max(1, self.spoken_ms)


class _Party:
    """Spans, stretches and present pace of one party."""

    def __init__(self) -> None:
        self.open_ms: int | None = None
        self.spans: list[Span] = []
        self.stretches: list[_Stretch] = []
        self.pace = "unknown"


class SpeakingRate:
    """Hears speech spans and final transcripts; says how fast somebody speaks."""

    def __init__(self, settings: RateSettings) -> None:
        self._settings = settings
        self._parties = {channel: _Party() for channel in Channel}

    def hear(self, observation: Event) -> list[PaceMeasured]:
        """Take in one observation, in order; return the pace when a final has changed it."""
        if isinstance(observation, SpeechStarted):
            self._parties[observation.channel].open_ms = observation.start_ms
        elif isinstance(observation, SpeechEnded):
            party = self._parties[observation.channel]
            party.open_ms = None
            party.spans.append((observation.start_ms, observation.end_ms))
            del party.spans[: -self._settings.kept_spans]
        elif (
            isinstance(observation, FinalTranscript)
            and observation.words
            and observation.channel is not Channel.MIXED
        ):
            return self._measure(observation)
        return []

    def _measure(self, final: FinalTranscript) -> list[PaceMeasured]:
        settings, party = self._settings, self._parties[final.channel]
        begin_ms, end_ms = final.words[0].start_ms, final.words[-1].end_ms
        stretch = party.stretches[-1] if party.stretches else None
        if stretch is None or not 0 <= begin_ms - stretch.end_ms <= settings.stretch_gap_ms:
            stretch = _Stretch(begin_ms=begin_ms, end_ms=end_ms, words=[], left_out=[])
            party.stretches.append(stretch)
            del party.stretches[: -settings.kept_stretches]
        stretch.end_ms = end_ms
        other = self._parties[final.channel.other]
        theirs = other.spans + ([(other.open_ms, end_ms)] if other.open_ms is not None else [])
        for word in final.words:
            middle = (word.start_ms + word.end_ms) // 2
            if _is_read_out(word.text) or any(b <= middle < e for b, e in theirs):
                stretch.left_out.append((word.start_ms, word.end_ms))
            else:
                stretch.words.append(word)
        own = party.spans + ([(party.open_ms, end_ms)] if party.open_ms is not None else [])
        inside = _clip(own, stretch.begin_ms, stretch.end_ms)
        pauses = [b - e for (_, e), (b, _) in pairwise(inside)]
        pauses = [pause for pause in pauses if pause >= settings.pause_ms]
        stretch.clean = _subtract(_subtract(inside, theirs), stretch.left_out)
        if len(stretch.words) < settings.min_turn_words or stretch.spoken_ms < settings.min_turn_ms:
            return []
        now = self._rate(party, settings.window_ms, at_least_ms=settings.min_speech_ms)
        if now is None:
            return []
        usual = self._usual(party)
        party.pace = self._judge(party, usual)
        gross_ms = stretch.end_ms - stretch.begin_ms
        return [
            PaceMeasured(
                at_ms=final.at_ms,
                channel=final.channel,
                begin_ms=stretch.begin_ms,
                end_ms=stretch.end_ms,
                words=len(stretch.words),
                words_per_minute=round(now, 1),
                gross_words_per_minute=round(len(stretch.words) * 60_000 / max(1, gross_ms), 1),
                usual_words_per_minute=None if usual is None else round(usual, 1),
                pace=party.pace,
                pauses=len(pauses),
                longest_pause_ms=max(pauses, default=0),
            )
        ]

    def _counted(self, party: _Party) -> list[_Stretch]:
        settings = self._settings
        return [
            s
            for s in party.stretches
            if len(s.words) >= settings.min_turn_words and s.spoken_ms >= settings.min_turn_ms
        ]

    def _usual(self, party: _Party) -> float | None:
        """Median rate of the speaker's stretches, each word with one vote; None before enough."""
        rates = sorted((s.words_per_minute, len(s.words)) for s in self._counted(party))
        total = sum(count for _, count in rates)
        if total < self._settings.usual_words:
            return None
        passed = 0
        for rate, count in rates:
            passed += count
            if 2 * passed >= total:
                return rate
        return None

    def _rate(self, party: _Party, speech_ms: int, *, at_least_ms: int) -> float | None:
        """Words per minute over the newest `speech_ms` of speech, None when there is less."""
        words = spoken_ms = 0
        for stretch in reversed(self._counted(party)):
            for begin, end in reversed(stretch.clean):
                begin = max(begin, end - (speech_ms - spoken_ms))
                spoken_ms += end - begin
                words += sum(begin <= (w.start_ms + w.end_ms) // 2 < end for w in stretch.words)
                if spoken_ms >= speech_ms:
                    return words * 60_000 / spoken_ms
        return words * 60_000 / spoken_ms if spoken_ms >= at_least_ms else None

    def _judge(self, party: _Party, usual: float | None) -> str:
        """`fast` and `slow` by their limits, kept until the newest speech is near usual again."""
        settings = self._settings
        if usual is None:
            return "unknown"
        latest = self._rate(party, settings.clear_ms, at_least_ms=settings.clear_ms)
        if party.pace == "fast" and (latest is None or latest > usual * settings.fast_clear):
            return "fast"
        if party.pace == "slow" and (latest is None or latest < usual * settings.slow_clear):
            return "slow"
        fast = self._rate(party, settings.fast_ms, at_least_ms=settings.fast_ms)
        slow = self._rate(party, settings.slow_ms, at_least_ms=settings.slow_ms)
        if fast is not None and fast >= max(settings.fast_wpm, usual * settings.fast_ratio):
            return "fast"
        if slow is not None and slow <= min(settings.slow_wpm, usual * settings.slow_ratio):
            return "slow"
        return "usual"


def _is_read_out(text: str) -> bool:
    plain = text.strip(".,!?;:")
    return plain.lower() not in _ORDINARY and _READ_OUT.fullmatch(plain) is not None


def _clip(spans: Iterable[Span], begin_ms: int, end_ms: int) -> list[Span]:
    """Spans inside [begin_ms, end_ms), in order."""
    clipped = sorted((max(b, begin_ms), min(e, end_ms)) for b, e in spans)
    return [(b, e) for b, e in clipped if b < e]


def _subtract(spans: list[Span], taken: list[Span]) -> list[Span]:
    """What is left of sorted, disjoint `spans` without `taken`."""
    for begin, end in taken:
        left: list[Span] = []
        for b, e in spans:
            left += [(b, min(e, begin)), (max(b, end), e)] if b < end and begin < e else [(b, e)]
        spans = [(b, e) for b, e in left if b < e]
    return spans
