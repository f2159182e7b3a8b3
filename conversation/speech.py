"""What each party has said so far: raw speech, utterances and words."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right, insort
from collections import deque
from collections.abc import Iterator, Sequence
from operator import attrgetter, itemgetter
from typing import overload

from conversation.events import (
    Channel,
    FinalTranscript,
    PartialTranscript,
    ProsodyFrame,
    Word,
)

Span = tuple[int, int]
_NEWEST_LEVELS = 64
"""Stretches with a level that are kept at least while a call goes on."""
_TAIL_DB, _PRIOR_TAILS, _USUAL_TAILS = 3.0, 3, 20
"""Loudness at the end of most utterances against the level of the voice, how many of a speaker's
own ends weigh as much, and of how many the usual one is the mean."""
_LEAST_WORDS = 8
"""Newest words that are kept however old they are."""
_NEVER_MS = 10**12
_NEWEST_PARTIALS = 12
"""Enough for a pause of 1 s and what follows it."""
_HOP_MS = 350
"""A partial that reaches this close to a stop has its words: one that has no more is not sent."""
_RESUMED_SLACK_MS = 40
"""Audio after a pause that holds no word yet."""
_PARTIAL_SLACK_MS = 400
"""An utterance is cut so long before its first word at most."""


class Spans(Sequence[Span]):
    """Disjoint stretches of time in order, 24 bytes each, so that a call may last all day."""

    def __init__(self) -> None:
        self._begins = array("q")
        self._ends = array("q")
        self._before = array("q")
        """Length of all earlier ones together, ms."""

    def append(self, begin_ms: int, end_ms: int) -> None:
        """Add a stretch that begins no earlier than the last one ended."""
        before = self._before[-1] + self._ends[-1] - self._begins[-1] if self._ends else 0
        self._before.append(before)
        self._begins.append(begin_ms)
        self._ends.append(end_ms)

    def __len__(self) -> int:
        return len(self._ends)

    @overload
    def __getitem__(self, at: int) -> Span: ...
    @overload
    def __getitem__(self, at: slice) -> list[Span]: ...
    def __getitem__(self, at: int | slice) -> Span | list[Span]:
        if isinstance(at, slice):
            return list(zip(self._begins[at], self._ends[at], strict=True))
        return self._begins[at], self._ends[at]

    def last_end_by(self, at_ms: int) -> int | None:
        """Return the end of the last stretch that was over at `at_ms`."""
        count = bisect_right(self._ends, at_ms)
        return self._ends[count - 1] if count else None

    def since(self, begin_ms: int) -> list[Span]:
        """Return the stretches that end after `begin_ms`, whole."""
        return self[bisect_right(self._ends, begin_ms) :]

    def _inside(self, begin_ms: int, end_ms: int) -> tuple[int, int]:
        """Return the range of numbers of the stretches that reach into [begin_ms, end_ms)."""
        first = bisect_right(self._ends, begin_ms)
        return first, max(first, bisect_left(self._begins, end_ms))

    def between(self, begin_ms: int, end_ms: int) -> Iterator[Span]:
        """Yield what lies inside [begin_ms, end_ms), in order."""
        first, behind = self._inside(begin_ms, end_ms)
        for at in range(first, behind):
            yield max(self._begins[at], begin_ms), min(self._ends[at], end_ms)

    def total_ms(self, begin_ms: int, end_ms: int) -> int:
        """Return how much of [begin_ms, end_ms) they cover."""
        first, behind = self._inside(begin_ms, end_ms)
        if first == behind:
            return 0
        last = behind - 1
        whole_ms = self._before[last] - self._before[first]
        whole_ms += self._ends[last] - self._begins[last]
        cut_ms = max(0, begin_ms - self._begins[first]) + max(0, self._ends[last] - end_ms)
        return whole_ms - cut_ms


class _Tails:
    """How loud speech was at its ends: by time, in order."""

    def __init__(self) -> None:
        self._ends = array("q")
        self._tails = array("d")

    def put(self, end_ms: int, tail_db: float) -> None:
        """Note the tail of an end; a later word on the same end counts."""
        at = bisect_left(self._ends, end_ms)
        if at < len(self._ends) and self._ends[at] == end_ms:
            self._tails[at] = tail_db
            return
        self._ends.insert(at, end_ms)
        self._tails.insert(at, tail_db)

    def get(self, end_ms: int) -> float | None:
        """Return the tail of an end."""
        at = bisect_left(self._ends, end_ms)
        known = at < len(self._ends) and self._ends[at] == end_ms
        return self._tails[at] if known else None

    def before(self, end_ms: int, most: int) -> Sequence[float]:
        """Return the last tails before an end, `most` at most, oldest first."""
        at = bisect_left(self._ends, end_ms)
        return self._tails[max(0, at - most) : at]


_start_ms = attrgetter("start_ms")


class PartySpeech:
    """Speech of one channel on the stream clock; spans are raw, without padding."""

    def __init__(self, channel: Channel, join_ms: int, *, whole: bool = False) -> None:
        self.channel = channel
        self._join_ms = join_ms
        self.spans = Spans()
        self.open_ms: int | None = None
        self.last_end_ms = -1_000_000
        """End of the last closed span; a long time ago when there is none."""
        self.utterance_ms: int | None = None
        """Start of the present or last utterance."""
        self.words: list[Word] = []
        """Final words in order, as far back as `forget_words` left them."""
        self._word_starts = array("q")
        """Of every word, also of those that were forgotten."""
        self.partial: PartialTranscript | None = None
        self._partial_words: deque[tuple[int, int]] = deque(maxlen=_NEWEST_PARTIALS)
        """End of the audio and number of words of the newest partials of that utterance."""
        self.voice_raised = False
        self.decoded_to_ms = -1_000_000
        """End of the newest utterance whose words are known."""
        self.reply_offset_ms: int | None = None
        """Start of the present or last utterance after the other's end, ms."""
        self.asked_to_wait_ms: int | None = None
        """When this party last asked for a moment."""
        self.unknown_until_ms = 0
        """Nothing is known before: no silence reaches back over lost audio, a hold or a pause."""
        self._tails = _Tails()
        self._utterance_tails = _Tails()
        """Those of every utterance that another one followed."""
        self._whole = whole
        """Whether a whole call is judged when it is over, so that any of its levels may matter."""
        self._levels: list[tuple[int, int, float | None, float | None]] = []
        """Begin, end, level and pitch of stretches, in order."""

    def start(self, start_ms: int) -> None:
        """Speech began at `start_ms`."""
        if self.utterance_ms is None or start_ms - self.last_end_ms > self._join_ms:
            self.utterance_ms = start_ms
            tail_db = self._tails.get(self.last_end_ms)
            if tail_db is not None:
                self._utterance_tails.put(self.last_end_ms, tail_db)
        self.open_ms = start_ms

    def end(self, end_ms: int, tail_db: float | None = None) -> None:
        """Speech ended at `end_ms`; `tail_db` says how loud its last syllables were."""
        if tail_db is not None:
            self._tails.put(end_ms, tail_db)
        if self.open_ms is not None and end_ms > self.open_ms:
            self.spans.append(self.open_ms, end_ms)
            self.last_end_ms = end_ms
        self.open_ms = None

    def hear(self, transcript: PartialTranscript | FinalTranscript) -> None:
        """Take words; a final adds to `words`, a partial is the newest of its utterance."""
        if isinstance(transcript, FinalTranscript):
            if transcript.text is not None:
                self.decoded_to_ms = max(self.decoded_to_ms, transcript.end_ms)
            for word in transcript.words:
                insort(self.words, word, key=_start_ms)
                insort(self._word_starts, word.start_ms)
            if self.partial is not None and self.partial.utterance_id == transcript.utterance_id:
                self.partial = None
        else:
            if self.partial is None or self.partial.utterance_id != transcript.utterance_id:
                self._partial_words.clear()
            self.partial = transcript
            count = len(f"{transcript.stable} {transcript.tail}".split())
            self._partial_words.append((transcript.audio_end_ms, count))

    def forget_words(self, before_ms: int) -> None:
        """Let go of words that began before; nothing may ask for them any more."""
        old = bisect_left(self.words, before_ms, key=_start_ms)
        del self.words[: max(0, min(old, len(self.words) - _LEAST_WORDS))]

    def words_since(self, begin_ms: int) -> int:
        """Count the final words that began at `begin_ms` or later."""
        return len(self._word_starts) - bisect_left(self._word_starts, begin_ms)

    def measure(self, frame: ProsodyFrame) -> None:
        """Take level and pitch of a stretch, relative to the speaker's own."""
        if frame.usable_ms > 0:
            self._levels.append(
                (frame.begin_ms, frame.end_ms, frame.level_delta_db, frame.f0_delta_st)
            )
            if not self._whole and len(self._levels) > 2 * _NEWEST_LEVELS:
                del self._levels[:-_NEWEST_LEVELS]

    def tail_db(self, end_ms: int) -> float | None:
        """Return how much louder the speech that ended at `end_ms` was at its end than usual.

        Voices fade by very different amounts, so that each is held against its own earlier ends;
        until there are some, against those of most voices.
        """
        tail_db = self._tails.get(end_ms)
        if tail_db is None:
            return None
        earlier = self._utterance_tails.before(end_ms, _USUAL_TAILS)
        usual_db = (_PRIOR_TAILS * _TAIL_DB + sum(earlier)) / (_PRIOR_TAILS + len(earlier))
        return tail_db - usual_db

    def effort(self, begin_ms: int, end_ms: int) -> tuple[float | None, float | None]:
        """Return mean level (dB) and pitch (semitones) over usual inside [begin_ms, end_ms)."""
        first = bisect_left(self._levels, begin_ms, key=itemgetter(0))
        last = bisect_left(self._levels, end_ms, key=itemgetter(0))
        inside = [m for m in self._levels[first:last] if m[1] <= end_ms]
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

    def spans_between(self, begin_ms: int, end_ms: int) -> list[Span]:
        """Return speech inside [begin_ms, end_ms), open speech included."""
        return list(self._between(begin_ms, end_ms))

    def run_between(self, begin_ms: int, end_ms: int, hole_ms: int) -> list[Span]:
        """Return of that what comes before the first hole that is longer than `hole_ms`."""
        run: list[Span] = []
        for span in self._between(begin_ms, end_ms):
            if run and span[0] - run[-1][1] > hole_ms:
                break
            run.append(span)
        return run

    def _between(self, begin_ms: int, end_ms: int) -> Iterator[Span]:
        yield from self.spans.between(begin_ms, end_ms)
        if self.open_ms is not None and max(self.open_ms, begin_ms) < end_ms:
            yield max(self.open_ms, begin_ms), end_ms

    def speech_ms(self, begin_ms: int, end_ms: int) -> int:
        """Return how much speech there is inside [begin_ms, end_ms)."""
        closed_ms = self.spans.total_ms(begin_ms, end_ms)
        open_ms = 0 if self.open_ms is None else end_ms - max(self.open_ms, begin_ms)
        return closed_ms + max(0, open_ms)

    def active_within(self, begin_ms: int, end_ms: int) -> bool:
        """Whether there is any speech inside [begin_ms, end_ms)."""
        return any(True for _ in self._between(begin_ms, end_ms))

    def silent_ms(self, now_ms: int) -> int:
        """Return the time since the last speech, 0 while speaking."""
        if self.open_ms is not None:
            return 0
        return max(0, now_ms - max(self.last_end_ms, self.unknown_until_ms))

    def utterance_length_ms(self, now_ms: int) -> int:
        """Return the length of the present or last utterance up to `now_ms`."""
        if self.utterance_ms is None:
            return 0
        end_ms = now_ms if self.speaking else self.last_end_ms
        return max(0, end_ms - self.utterance_ms)

    def words_between(self, begin_ms: int, end_ms: int) -> list[Word]:
        """Return final words whose middle lies inside [begin_ms, end_ms)."""
        first = bisect_left(self.words, begin_ms - 5_000, key=_start_ms)
        chosen = []
        for at in range(first, len(self.words)):
            word = self.words[at]
            if word.start_ms >= end_ms:
                break
            if begin_ms <= (word.start_ms + word.end_ms) // 2 < end_ms:
                chosen.append(word)
        return chosen

    def partial_words_at(self, resumed_ms: int) -> int | None:
        """Return how many words of the newest partial were said before a pause ended.

        None while that is unknown: no partial reached from there to the end of what was said.
        """
        if self.partial is None or self.partial.start_ms >= resumed_ms - _PARTIAL_SLACK_MS:
            return 0
        stop_ms = self.spans.last_end_by(resumed_ms) or 0
        counts = [
            count
            for end_ms, count in self._partial_words
            if stop_ms - _HOP_MS <= end_ms <= resumed_ms + _RESUMED_SLACK_MS
        ]
        return counts[-1] if counts else None

    def words_known_to(self, at_ms: int) -> bool:
        """Whether finals cover the time just before `at_ms`."""
        return self.decoded_to_ms >= at_ms - 200


class SharedSpeech:
    """How long two parties have spoken at once, summed as the call goes on."""

    def __init__(self, left: PartySpeech, right: PartySpeech) -> None:
        self._left = left
        self._right = right
        self._at = [0, 0]
        """Numbers of the first span of each that can still meet one of the other."""
        self._summed_ms = 0

    def until(self, known_ms: int) -> int:
        """Return the time that both spoke before `known_ms`, which never goes back."""
        left, right = self._left.spans, self._right.spans
        i, j = self._at
        while i < len(left) and j < len(right):
            (begin, end), (start, stop) = left[i], right[j]
            if min(end, stop) > known_ms:
                break
            self._summed_ms += max(0, min(end, stop) - max(begin, start))
            if end < stop:
                i += 1
            else:
                j += 1
        self._at = [i, j]
        from_ms = max(self._first_ms(self._left, i), self._first_ms(self._right, j))
        if from_ms >= known_ms:
            return self._summed_ms
        rest = overlap_spans(
            self._left.spans_between(from_ms, known_ms),
            self._right.spans_between(from_ms, known_ms),
        )
        return self._summed_ms + sum(end - begin for begin, end in rest)

    @staticmethod
    def _first_ms(speech: PartySpeech, at: int) -> int:
        """Return the begin of the span of a number, the open one included."""
        if at < len(speech.spans):
            return speech.spans[at][0]
        return _NEVER_MS if speech.open_ms is None else speech.open_ms


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
