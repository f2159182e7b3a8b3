"""What each party has said so far: raw speech, utterances and words."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import deque

from conversation.events import (
    Channel,
    FinalTranscript,
    PartialTranscript,
    ProsodyFrame,
    Word,
)

Span = tuple[int, int]
_TAIL_DB, _PRIOR_TAILS, _USUAL_TAILS = 3.0, 3, 20
"""Loudness at the end of most utterances against the level of the voice, how many of a speaker's
own ends weigh as much, and of how many the usual one is the mean."""


class PartySpeech:
    """Speech of one channel on the stream clock; spans are raw, without padding."""

    def __init__(self, channel: Channel, join_ms: int) -> None:
        self.channel = channel
        self._join_ms = join_ms
        self.spans: list[Span] = []
        self.open_ms: int | None = None
        self.utterance_ms: int | None = None
        """Start of the present or last utterance."""
        self.words: list[Word] = []
        self.partial: PartialTranscript | None = None
        self.voice_raised = False
        self.decoded_to_ms = -1_000_000
        """End of the newest utterance whose words are known."""
        self.reply_offset_ms: int | None = None
        """Start of the present or last utterance after the other's end, ms."""
        self.asked_to_wait_ms: int | None = None
        """When this party last asked for a moment."""
        self.unknown_until_ms = 0
        """Nothing is known before: no silence reaches back over lost audio, a hold or a pause."""
        self._tails: dict[int, float] = {}
        self._utterance_tails: list[tuple[int, float]] = []
        """End and tail of every utterance that another one followed."""
        self._levels: deque[tuple[int, int, float | None, float | None]] = deque(maxlen=64)

    def start(self, start_ms: int) -> None:
        """Speech began at `start_ms`."""
        if self.utterance_ms is None or start_ms - self.last_end_ms > self._join_ms:
            self.utterance_ms = start_ms
            tail_db = self._tails.get(self.last_end_ms)
            if tail_db is not None:
                self._utterance_tails.append((self.last_end_ms, tail_db))
        self.open_ms = start_ms

    def end(self, end_ms: int, tail_db: float | None = None) -> None:
        """Speech ended at `end_ms`; `tail_db` says how loud its last syllables were."""
        if tail_db is not None:
            self._tails[end_ms] = tail_db
        if self.open_ms is not None and end_ms > self.open_ms:
            self.spans.append((self.open_ms, end_ms))
        self.open_ms = None

    def hear(self, transcript: PartialTranscript | FinalTranscript) -> None:
        """Take words; a final adds to `words`, a partial is the newest of its utterance."""
        if isinstance(transcript, FinalTranscript):
            if transcript.text is not None:
                self.decoded_to_ms = max(self.decoded_to_ms, transcript.end_ms)
            self.words.extend(transcript.words)
            self.words.sort(key=lambda word: word.start_ms)
        else:
            self.partial = transcript

    def measure(self, frame: ProsodyFrame) -> None:
        """Take level and pitch of a stretch, relative to the speaker's own."""
        if frame.usable_ms > 0:
            self._levels.append(
                (frame.begin_ms, frame.end_ms, frame.level_delta_db, frame.f0_delta_st)
            )

    def tail_db(self, end_ms: int) -> float | None:
        """Return how much louder the speech that ended at `end_ms` was at its end than usual.

        Voices fade by very different amounts, so that each is held against its own earlier ends;
        until there are some, against those of most voices.
        """
        tail_db = self._tails.get(end_ms)
        if tail_db is None:
            return None
        first = bisect_left(self._utterance_tails, (end_ms, -math.inf))
        earlier = [tail for _, tail in self._utterance_tails[max(0, first - _USUAL_TAILS) : first]]
        usual_db = (_PRIOR_TAILS * _TAIL_DB + sum(earlier)) / (_PRIOR_TAILS + len(earlier))
        return tail_db - usual_db

    def effort(self, begin_ms: int, end_ms: int) -> tuple[float | None, float | None]:
        """Return mean level (dB) and pitch (semitones) over usual inside [begin_ms, end_ms)."""
        inside = [m for m in self._levels if m[0] >= begin_ms and m[1] <= end_ms]
        levels = [m[2] for m in inside if m[2] is not None]
        pitches = [m[3] for m in inside if m[3] is not None]
        return (
            sum(levels) / len(levels) if levels else None,
            sum(pitches) / len(pitches) if pitches else None,
        )

    @property
    def speaking(self) -> bool:
        """Whether speech is open."""
        return self.open_ms is not None

    @property
    def last_end_ms(self) -> int:
        """End of the last closed span; a long time ago when there is none."""
        return self.spans[-1][1] if self.spans else -1_000_000

    def spans_between(self, begin_ms: int, end_ms: int) -> list[Span]:
        """Return speech inside [begin_ms, end_ms), open speech included."""
        first = max(0, bisect_left(self.spans, (begin_ms, begin_ms)) - 1)
        found = []
        for at in range(first, len(self.spans)):
            begin, end = self.spans[at]
            if begin >= end_ms:
                break
            begin, end = max(begin, begin_ms), min(end, end_ms)
            if begin < end:
                found.append((begin, end))
        if self.open_ms is not None and max(self.open_ms, begin_ms) < end_ms:
            found.append((max(self.open_ms, begin_ms), end_ms))
        return found

    def speech_ms(self, begin_ms: int, end_ms: int) -> int:
        """Return how much speech there is inside [begin_ms, end_ms)."""
        return sum(e - b for b, e in self.spans_between(begin_ms, end_ms))

    def active_within(self, begin_ms: int, end_ms: int) -> bool:
        """Whether there is any speech inside [begin_ms, end_ms)."""
        return bool(self.spans_between(begin_ms, end_ms))

    def silent_ms(self, now_ms: int) -> int:
        """Return the time since the last speech, 0 while speaking."""
        known_ms = max(self.last_end_ms, self.unknown_until_ms)
        return 0 if self.speaking else max(0, now_ms - known_ms)

    def utterance_length_ms(self, now_ms: int) -> int:
        """Return the length of the present or last utterance up to `now_ms`."""
        if self.utterance_ms is None:
            return 0
        end_ms = now_ms if self.speaking else self.last_end_ms
        return max(0, end_ms - self.utterance_ms)

    def words_between(self, begin_ms: int, end_ms: int) -> list[Word]:
        """Return final words whose middle lies inside [begin_ms, end_ms)."""
        first = bisect_left(self.words, begin_ms - 5_000, key=lambda word: word.start_ms)
        chosen = []
        for word in self.words[first:]:
            if word.start_ms >= end_ms:
                break
            if begin_ms <= (word.start_ms + word.end_ms) // 2 < end_ms:
                chosen.append(word)
        return chosen

    def words_known_to(self, at_ms: int) -> bool:
        """Whether finals cover the time just before `at_ms`."""
        return self.decoded_to_ms >= at_ms - 200


def overlap_spans(left: list[Span], right: list[Span]) -> list[Span]:
    """Return the time that two sorted lists of disjoint spans share."""
    shared = []
    i = j = 0
    while i < len(left) and j < len(right):
        begin, end = max(left[i][0], right[j][0]), min(left[i][1], right[j][1])
        if begin < end:
            shared.append((begin, end))
        if left[i][1] < right[j][1]:
            i += 1
        else:
            j += 1
    return shared


def bridged(spans: list[Span], bridge_ms: int) -> list[Span]:
    """Return sorted spans with holes up to `bridge_ms` filled."""
    joined: list[Span] = []
    for begin, end in spans:
        if joined and begin - joined[-1][1] <= bridge_ms:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((begin, end))
    return joined


def longest_stretch_ms(spans: list[Span], bridge_ms: int) -> int:
    """Return the longest run of spans, holes up to `bridge_ms` bridged."""
    return max((end - begin for begin, end in bridged(spans, bridge_ms)), default=0)
