"""What each party has said so far: raw speech, utterances and words."""

from __future__ import annotations

from bisect import bisect_left

from conversation.events import Channel, FinalTranscript, PartialTranscript, Word

Span = tuple[int, int]


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

    def start(self, start_ms: int) -> None:
        """Speech began at `start_ms`."""
        if self.utterance_ms is None or start_ms - self.last_end_ms > self._join_ms:
            self.utterance_ms = start_ms
        self.open_ms = start_ms

    def end(self, end_ms: int) -> None:
        """Speech ended at `end_ms`."""
        if self.open_ms is not None and end_ms > self.open_ms:
            self.spans.append((self.open_ms, end_ms))
        self.open_ms = None

    def hear(self, transcript: PartialTranscript | FinalTranscript) -> None:
        """Take words; a final adds to `words`, a partial is the newest of its utterance."""
        if isinstance(transcript, FinalTranscript):
            self.words.extend(transcript.words)
            self.words.sort(key=lambda word: word.start_ms)
        else:
            self.partial = transcript

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
        spans = [*self.spans[first:]]
        if self.open_ms is not None:
            spans.append((self.open_ms, max(self.open_ms, end_ms)))
        clipped = ((max(b, begin_ms), min(e, end_ms)) for b, e in spans)
        return [(b, e) for b, e in clipped if b < e]

    def speech_ms(self, begin_ms: int, end_ms: int) -> int:
        """Return how much speech there is inside [begin_ms, end_ms)."""
        return sum(e - b for b, e in self.spans_between(begin_ms, end_ms))

    def active_within(self, begin_ms: int, end_ms: int) -> bool:
        """Whether there is any speech inside [begin_ms, end_ms)."""
        return bool(self.spans_between(begin_ms, end_ms))

    def silent_ms(self, now_ms: int) -> int:
        """Return the time since the last speech, 0 while speaking."""
        return 0 if self.speaking else max(0, now_ms - max(self.last_end_ms, 0))

    def utterance_length_ms(self, now_ms: int) -> int:
        """Return the length of the present or last utterance up to `now_ms`."""
        if self.utterance_ms is None:
            return 0
        end_ms = now_ms if self.speaking else self.last_end_ms
        return max(0, end_ms - self.utterance_ms)

    def words_between(self, begin_ms: int, end_ms: int) -> list[Word]:
        """Return final words whose middle lies inside [begin_ms, end_ms)."""
        return [w for w in self.words if begin_ms <= (w.start_ms + w.end_ms) // 2 < end_ms]


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
