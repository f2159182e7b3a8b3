"""Does more than one person speak on a channel? A colleague at the headset, a spouse nearby.

Whose usual voice it is, and who interrupted whom, rests on one person speaking on each channel.
Nobody is recognised: of an utterance its pitch is kept and the balance of its spectrum, both from
ticks that prosody measured anyway.

    utterance   median pitch of its ticks, but for those whose window reaches back before it, while
                the other party is mostly silent, an echo is nobody, and unless it scores as
                raised
    two voices  pitches in two heaps far apart, next to nothing between them, that take turns
    one voice   the higher heap is brighter as well, as a raised voice is, and within its reach

So who speaks up, laughs or is once taken for an octave higher is one person. Voices of like pitch
are not told apart, and a second, higher one often passes for a raised voice: to miss somebody
costs less than to tell two people of one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from itertools import pairwise
from operator import attrgetter
from statistics import median

import msgspec

from conversation.events import Channel, LineDoubted, ProsodyFrame
from conversation.overlap_classes import LineQuality
from conversation.settings import VoicesSettings
from conversation.speech import PartySpeech

CODE = "several_voices"
_TICK_MS = 240
"""A tick may end this long after the speech in it."""
_MOST_TICKS = 256
"""Ticks of one utterance that are kept: the newest minute."""
_TO_SPREAD = 1.4826
"""Median deviation to standard deviation."""


class Utterance(msgspec.Struct, frozen=True):
    """How an utterance sounded."""

    begin_ms: int
    end_ms: int
    f0_st: float
    """Pitch, semitones re 55 Hz."""
    alpha_db: float
    """Energy above 1 kHz against that below."""


class SeveralVoices:
    """Listens to both channels of a call, in stream order."""

    def __init__(
        self,
        parties: Mapping[Channel, PartySpeech],
        line: LineQuality,
        settings: VoicesSettings,
    ) -> None:
        self._parties = parties
        self._line = line
        self._settings = settings
        self._ticks: dict[Channel, deque[ProsodyFrame]] = {
            channel: deque(maxlen=_MOST_TICKS) for channel in parties
        }
        self._utterances: dict[Channel, deque[Utterance]] = {
            channel: deque(maxlen=settings.kept_utterances) for channel in parties
        }

    def measure(self, frame: ProsodyFrame) -> None:
        """Take a tick; only those with pitch say anything."""
        if frame.f0_st is not None:
            self._ticks[frame.channel].append(frame)

    def next_utterance(self, channel: Channel, at_ms: int) -> list[LineDoubted]:
        """Judge the utterance before the one that begins, which `parties` do not know of yet.

        Returns:
            What becomes known at `at_ms`; said once per channel.
        """
        ticks = self._ticks[channel]
        utterance = self._utterance(channel, list(ticks))
        ticks.clear()
        if utterance is None:
            return []
        kept = self._utterances[channel]
        kept.append(utterance)
        voices = two_voices(kept, self._settings)
        if voices is None:
            return []
        told = self._line.several_ms.get(channel)
        begin_ms = max(voice[0].begin_ms for voice in voices) if told is None else told[0]
        heard_ms = min(voice[-1].end_ms for voice in voices)
        self._line.several_ms[channel] = (begin_ms, heard_ms + self._settings.lately_ms)
        if told is not None:
            return []
        return [LineDoubted(at_ms=at_ms, code=CODE, channel=channel, begin_ms=begin_ms)]

    def _utterance(self, channel: Channel, ticks: Sequence[ProsodyFrame]) -> Utterance | None:
        mine, theirs, settings = (
            self._parties[channel],
            self._parties[channel.other],
            self._settings,
        )
        begin_ms, end_ms = mine.utterance_ms, mine.last_end_ms
        if begin_ms is None or not ticks:
            return None
        inside = [
            tick
            for tick in ticks
            if tick.begin_ms >= begin_ms + settings.lead_ms and tick.end_ms <= end_ms + _TICK_MS
        ]
        if len(inside) < settings.least_ticks:
            return None
        scores = [tick.score for tick in inside if tick.score is not None]
        if scores and median(scores) >= settings.raised_score:
            return None
        beside_ms = theirs.speech_ms(begin_ms - settings.echo_ms, end_ms)
        if beside_ms > settings.beside_share * (end_ms - begin_ms):
            return None
        return Utterance(
            begin_ms,
            end_ms,
            median(tick.f0_st for tick in inside if tick.f0_st is not None),
            median(tick.alpha_db for tick in inside),
        )


def two_voices(
    heard: Sequence[Utterance], settings: VoicesSettings
) -> tuple[list[Utterance], list[Utterance]] | None:
    """Return the lower and the higher of two voices, each in order of time, None for one voice."""
    least = settings.least_utterances
    if len(heard) < 2 * least:
        return None
    pitches = sorted(utterance.f0_st for utterance in heard)
    gap_st, at = max(
        (pitches[i] - pitches[i - 1], i) for i in range(least, len(pitches) - least + 1)
    )
    low_st, high_st = median(pitches[:at]), median(pitches[at:])
    apart_st = high_st - low_st
    spread_st = max(_spread(pitches[:at], low_st), _spread(pitches[at:], high_st))
    if apart_st < max(settings.apart_st, settings.apart_spreads * spread_st):
        return None
    if gap_st < settings.empty_share * apart_st:
        return None
    higher = [utterance.f0_st >= pitches[at] for utterance in heard]
    if sum(a is not b for a, b in pairwise(higher)) < settings.least_changes:
        return None
    low = [u for u, high in zip(heard, higher, strict=True) if not high]
    top = [u for u, high in zip(heard, higher, strict=True) if high]
    if min(sum(u.end_ms - u.begin_ms for u in heap) for heap in (low, top)) < settings.least_ms:
        return None
    alpha_db = attrgetter("alpha_db")
    brighter_db = median(map(alpha_db, top)) - median(map(alpha_db, low))
    raised = apart_st < settings.effort_st and brighter_db > settings.effort_db
    return None if raised else (low, top)


def _spread(pitches: Sequence[float], middle: float) -> float:
    return _TO_SPREAD * median(abs(pitch - middle) for pitch in pitches)
