"""Classes of overlap, their severity and confidence (`interruptions.md` section 9).

The first rule that matches gives the class:

    bleed            the other channel's words, or a sound that is no word
    collision        both started within the reaction window: nobody's fault
    pause_cut_in     came in while the other paused in mid-clause; in the report only
    backchannel      a sign of listening of at most 1 s
    talk_over        both at once for 2 s
    terminal_overlap a smooth change of turn
    cooperative      came in to repair, to ask back, or to complete
    successful       the other stopped, unfinished, and the newcomer went on
    butting_in       the newcomer gave up and the other went on
    terminal_overlap nothing that can be said; confidence 0.5
"""

from __future__ import annotations

from itertools import pairwise

import msgspec

from conversation.backchannels import is_backchannel_text
from conversation.events import Channel, Evidence, OverlapClass
from conversation.floor_words import FloorWords, contains, plain_words
from conversation.settings import InterruptionSettings

COUNTED_CONFIDENCE = 0.6
INTERRUPTING = (OverlapClass.SUCCESSFUL, OverlapClass.TALK_OVER, OverlapClass.BUTTING_IN)
CALIBRATION = (
    (0.0, 0.0),
    (0.4, 0.05),
    (0.6, 0.16),
    (0.73, 0.35),
    (0.77, 0.56),
    (0.8, 0.68),
    (0.825, 0.8),
    (0.87, 0.87),
    (0.92, 0.96),
    (1.0, 0.99),
)
"""Isotonic fit over 1,504 settled interruptions of 220 generated calls, half of them over bad lines
too (`python -m bench.floor.calibrate --calls 60 --line-calls 30`, for each split to tune with)."""
_GRADE = {"A": 1.0, "B": 0.95, "C": 0.5}
_SEVERAL = 0.8
"""Where several people were heard on a channel, who came in on whom is less sure: what was sure by
a little is only possible (C)."""
_MISALIGNED = 0.5
"""Channels on different clocks make every interruption only possible, as grade C does (C)."""
LIMITED_RTT_MS = 600
"""From this round trip on a single overlap is only possible, and gets no cue (S: 600 ms more lag
multiplies false cues by 3.7)."""
_LEAST_SHARED_WORDS = 3


class LineQuality(msgspec.Struct):
    """What is known of the line that the parties speak over."""

    rtt_ms: dict[Channel, int]
    """Round trip of each leg."""
    grades: dict[Channel, str] = {}
    """Bleed into each channel; unknown counts as B."""
    aligned: bool = True
    """Whether both channels are on one clock, as far as can be told."""
    several_ms: dict[Channel, tuple[int, int]] = {}
    """From when on, and until when, several people are taken to be on a channel."""

    @property
    def grade(self) -> str:
        """The worse of both directions."""
        if len(self.grades) < len((Channel.AGENT, Channel.CUSTOMER)):
            return max("B", *self.grades.values()) if self.grades else "B"
        return max(self.grades.values())

    @property
    def trust(self) -> float:
        """What bleed and clocks leave of a confidence; a line is good until it was judged."""
        bled = _GRADE[max(self.grades.values())] if self.grades else 1.0
        return bled if self.aligned else bled * _MISALIGNED

    def several(self, channel: Channel, at_ms: int) -> bool:
        """Whether several people are taken to be on a channel then."""
        begin_ms, end_ms = self.several_ms.get(channel, (0, -1))
        return begin_ms <= at_ms <= end_ms

    @property
    def longest_rtt_ms(self) -> int:
        """The longer round trip of both legs."""
        return max(self.rtt_ms.values())


class Findings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a class, its severity and its confidence rest on."""

    by: Channel
    over: Channel
    onset_ms: int
    end_ms: int
    """End of the simultaneous speech."""
    overlap_ms: int
    raw_ms: int
    """Longest simultaneous stretch, short holes bridged."""
    length_ms: int
    """Length of the newcomer's utterance, its pauses included."""
    spoken_ms: int
    """Speech in it."""
    collision: bool
    pause: bool
    held: bool
    margin: float
    stopped: bool
    """Whether the other stopped."""
    kept_ms: int
    """Speech of the newcomer in the 2 s after the overlap."""
    went_on_ms: int
    """Speech of the other in the 2 s after it."""
    p_backchannel: float
    p_complete: float
    source: str
    lexical: float | None
    """Completeness by the words alone."""
    text: str | None
    other_text: str | None
    """What the other had said before, up to its stop or the onset."""
    beside_text: str | None
    """What the other says at the same time, or just before: the source of a leak."""
    took_up: bool | None
    level_delta_db: float | None
    f0_delta_st: float | None
    again: bool
    """Another interruption by the newcomer within 60 s before."""

    @property
    def stop_after_ms(self) -> int:
        """From the onset to the end of the simultaneous speech."""
        return self.end_ms - self.onset_ms


def classify(
    found: Findings, settings: InterruptionSettings, words: FloorWords, line: LineQuality
) -> tuple[OverlapClass, bool]:
    """Return the class and whether a rule matched; the first match wins."""
    said = plain_words(found.text or "")
    if _leaked(found, words):
        return OverlapClass.BLEED, True
    if found.collision:
        return OverlapClass.COLLISION, True
    if found.pause:
        return OverlapClass.PAUSE_CUT_IN, True
    if found.p_backchannel >= 0.5 and found.length_ms <= settings.backchannel_max_ms:
        return OverlapClass.BACKCHANNEL, True
    if found.raw_ms >= settings.talk_over_ms:
        return OverlapClass.TALK_OVER, True
    finished = found.p_complete > 0.5 if found.stopped else found.overlap_ms <= settings.terminal_ms
    if finished:
        return OverlapClass.TERMINAL_OVERLAP, True
    if _helps(found, settings, words):
        return OverlapClass.COOPERATIVE, True
    limit_ms = settings.talk_over_ms + line.rtt_ms[found.over]
    if (
        found.stopped
        and found.stop_after_ms <= limit_ms
        and found.kept_ms >= settings.keep_ms * 3 // 4
    ):
        return OverlapClass.SUCCESSFUL, True
    substantial = found.spoken_ms > settings.keep_ms or len(said) >= 2
    listening = is_backchannel_text(found.text or "", words)
    if substantial and not listening and found.went_on_ms >= settings.keep_ms * 3 // 4:
        return OverlapClass.BUTTING_IN, True
    return OverlapClass.TERMINAL_OVERLAP, False


def confidence(
    found: Findings, line: LineQuality, overlap_class: OverlapClass | None = None
) -> float:
    """Return how sure the finding is, 0 to 1; 0.6 is the line above which it counts."""
    voice = min(1.0, max(0.0, 0.75 + found.margin))
    known = found.text is not None
    taking = 1 - found.p_backchannel if known else 1 - 0.8 * found.p_backchannel
    harmless = found.collision or (
        overlap_class in (OverlapClass.BACKCHANNEL, OverlapClass.BLEED)
        if overlap_class is not None
        else found.p_backchannel >= 0.5
    )
    if harmless:
        value = voice * max(found.p_backchannel, 0.7)
    elif overlap_class is OverlapClass.TERMINAL_OVERLAP:
        value = voice * max(0.6, found.p_complete)
    elif overlap_class is OverlapClass.TALK_OVER:
        value = voice * taking
    else:
        value = voice * taking * (1 - found.p_complete / 2)
    rtt_ms = line.longest_rtt_ms
    several = any(line.several(party, found.onset_ms) for party in (found.by, found.over))
    value *= line.trust * (_SEVERAL if several else 1.0)
    value *= 1.0 if rtt_ms <= 200 else 0.95 if rtt_ms <= LIMITED_RTT_MS else 0.5
    if overlap_class in INTERRUPTING:
        value = calibrated(value)
    return round(min(1.0, max(0.0, value)), 3)


def calibrated(value: float) -> float:
    """Return the share of settled interruptions of this raw confidence that were planted as one."""
    for (low, low_share), (high, high_share) in pairwise(CALIBRATION):
        if value <= high:
            return low_share + (high_share - low_share) * (value - low) / (high - low)
    return CALIBRATION[-1][1]


def severity(
    found: Findings,
    overlap_class: OverlapClass,
    certainty: float,
    settings: InterruptionSettings,
) -> int:
    """Return 0 to 100; the weights are our choice and validated by nothing."""
    if overlap_class not in INTERRUPTING:
        return 0
    loud = found.level_delta_db is not None and found.level_delta_db >= settings.loud_db
    high = found.f0_delta_st is not None and found.f0_delta_st >= settings.high_st
    cost = 40 * min(1.0, found.overlap_ms / 2_000)
    cost += 25 * (overlap_class is OverlapClass.SUCCESSFUL and found.p_complete <= 0.5)
    cost += 15 * bool(found.took_up) + 10 * (loud or high) + 10 * found.again
    return round(cost if certainty >= COUNTED_CONFIDENCE else cost / 2)


def evidence(found: Findings) -> tuple[Evidence, ...]:
    """Return what was found as facts that link to the onset."""
    facts: list[tuple[str, float | str | None]] = [
        ("overlap_ms", found.raw_ms),
        ("utterance_ms", found.length_ms),
        ("p_backchannel", round(found.p_backchannel, 3)),
        ("p_complete", round(found.p_complete, 3)),
        ("completeness_from", found.source),
        ("held_floor", str(found.held).lower()),
        ("level_delta_db", _rounded(found.level_delta_db)),
        ("f0_delta_st", _rounded(found.f0_delta_st)),
        ("took_up_again", None if found.took_up is None else str(found.took_up).lower()),
    ]
    return tuple(
        Evidence(kind=kind, at_ms=found.onset_ms, value=value)
        for kind, value in facts
        if value is not None
    )


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)


def _leaked(found: Findings, words: FloorWords) -> bool:
    """Whether the words are the other channel's, or sounds that are no words."""
    said = plain_words(found.text or "")
    if said and all(word in words.sounds for word in said):
        return True
    loud = found.level_delta_db is not None and found.level_delta_db >= 0
    if len(said) < _LEAST_SHARED_WORDS or loud:
        return False
    return contains(plain_words(found.beside_text or ""), (" ".join(said),))


def _helps(found: Findings, settings: InterruptionSettings, words: FloorWords) -> bool:
    """Whether the newcomer repairs, asks back, or reads back what was just said."""
    if found.overlap_ms >= settings.cooperative_ms:
        return False
    if found.level_delta_db is not None and found.level_delta_db >= settings.loud_db:
        return False
    said = plain_words(found.text or "")
    if contains(said[:6], words.cooperative):
        return True
    content = [w for w in said if w not in words.open_words and w not in words.backchannel_words]
    last = set(plain_words(found.other_text or "")[-12:])
    return len(content) >= 2 and sum(w in last for w in content) >= 0.7 * len(content)
