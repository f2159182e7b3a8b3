"""Puts observations from several stages and channels into the one order the core accepts."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence

from audio.chunks import AudioChunk
from conversation.events import (
    AudioGap,
    CallEnded,
    CapturePaused,
    CaptureResumed,
    Channel,
    ChannelQuality,
    Event,
    FinalTranscript,
    HoldEnded,
    HoldStarted,
    PartialTranscript,
    ProsodyFrame,
    RaisedVoiceEnded,
    RaisedVoiceStarted,
    SpeechEnded,
    SpeechStarted,
)

_KIND_ORDER: tuple[type[Event], ...] = (
    AudioGap,
    CaptureResumed,
    HoldEnded,
    ChannelQuality,
    SpeechEnded,
    SpeechStarted,
    ProsodyFrame,
    RaisedVoiceEnded,
    RaisedVoiceStarted,
    PartialTranscript,
    FinalTranscript,
    HoldStarted,
    CapturePaused,
    CallEnded,
)
_KIND_RANK = {kind: rank for rank, kind in enumerate(_KIND_ORDER)}
_CHANNEL_RANK = {Channel.AGENT: 0, Channel.CUSTOMER: 1, Channel.MIXED: 2, None: 0}
_LONGEST_PIECE_S = 1
"""Longest piece of one channel that is heard before the other channel has its turn."""


class Merger:
    """Orders observations by stream time, then channel (agent first), then kind.

    Nothing is released above the watermark, the time up to which every stage of every channel
    has spoken. Two events of the same time, channel and kind keep the order of arrival.
    """

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, int, int, Event]] = []
        self._arrivals = 0
        self.released_ms = 0
        """Stream time up to which everything has been released."""
        self.begun_ms = 0
        """Where this process took the call up."""
        self.heard_from_ms = 0
        """Where it began to hear: earlier, when audio was sent again."""
        self.suspensions: list[HoldStarted | CapturePaused] = []
        """The hold and the pause that went on when it took the call up."""

    def add(self, events: Iterable[Event]) -> None:
        """Take observations in any order, none of them earlier than `released_ms`."""
        for event in events:
            channel_rank = _CHANNEL_RANK[getattr(event, "channel", None)]
            kind_rank = _KIND_RANK.get(type(event), len(_KIND_RANK))
            key = (event.at_ms, channel_rank, kind_rank, self._arrivals)
            heapq.heappush(self._heap, (*key, event))
            self._arrivals += 1

    def release(self, watermark_ms: int) -> list[Event]:
        """Return what is due up to and including `watermark_ms`, in order."""
        released = []
        while self._heap and self._heap[0][0] <= watermark_ms:
            released.append(heapq.heappop(self._heap)[-1])
        self.released_ms = max(self.released_ms, watermark_ms)
        return released

    def rest(self) -> list[Event]:
        """Return everything that still waits, as when the call ends."""
        return self.release(self.newest_ms)

    @property
    def newest_ms(self) -> int:
        """Latest stream time still waiting, or `released_ms` when nothing is."""
        return max((entry[0] for entry in self._heap), default=self.released_ms)


def in_step(items: Sequence[AudioChunk | AudioGap]) -> list[AudioChunk | AudioGap]:
    """Cut long chunks and put both channels side by side, so that neither runs far ahead."""
    if _are_in_step(items):
        return list(items)
    pieces: list[tuple[int, AudioChunk | AudioGap]] = []
    for item in items:
        if isinstance(item, AudioGap):
            pieces.append((item.begin_ms, item))
            continue
        size = item.sample_rate_hz * _LONGEST_PIECE_S
        for first in range(0, max(1, len(item.samples)), size):
            piece = AudioChunk(
                channel=item.channel,
                first_sample=item.first_sample + first,
                samples=item.samples[first : first + size],
                sample_rate_hz=item.sample_rate_hz,
            )
            pieces.append((piece.start_ms, piece))
    return [piece for _, piece in sorted(pieces, key=lambda pair: pair[0])]


def _are_in_step(items: Sequence[AudioChunk | AudioGap]) -> bool:
    """Whether they are short and in order, as nearly always on the live clock."""
    reached_ms = 0
    for item in items:
        if isinstance(item, AudioGap) or item.start_ms < reached_ms:
            return False
        if len(item.samples) > item.sample_rate_hz * _LONGEST_PIECE_S:
            return False
        reached_ms = item.start_ms
    return True
