"""Runs the product's own path over a line: voice activity, then the prosody stage."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from audio.channel import ChannelFrontEnd
from audio.chunks import AudioChunk
from audio.settings import AudioSettings
from audio.vad import VadStream, VoiceActivity
from bench.prosody.line import LINE_RATE_HZ
from conversation.events import Channel, SpeechEnded, SpeechStarted
from prosody.settings import ProsodySettings
from prosody.stage import ProsodyStage
from prosody.tracker import ProsodyEvent

Samples = npt.NDArray[np.float32]
SpeechEvent = SpeechStarted | SpeechEnded
_CHUNK = LINE_RATE_HZ // 10


class Listener:
    """Voice activity and prosody of one or two lines."""

    def __init__(self) -> None:
        self._vad = VoiceActivity()
        self._vad.load()

    def speech(self, channel: Channel, samples: Samples) -> list[SpeechEvent]:
        """Return the speech events of a line, 8 kHz."""
        front = ChannelFrontEnd(
            channel, LINE_RATE_HZ, VadStream(self._vad), settings=AudioSettings()
        )
        events: list[SpeechEvent] = []
        for chunk in _chunks(channel, samples):
            events += front.push(chunk)
            front.take_audio()
        return events + front.finish()

    def prosody(
        self,
        lines: dict[Channel, Samples],
        speech: dict[Channel, list[SpeechEvent]],
        settings: ProsodySettings | None = None,
    ) -> tuple[list[ProsodyEvent], ProsodyStage]:
        """Return what the prosody stage says of the lines, and the stage."""
        stage = ProsodyStage(tuple(lines), LINE_RATE_HZ, settings or ProsodySettings())
        for channel, events in speech.items():
            for event in events:
                stage.observe(channel, event)
        out: list[ProsodyEvent] = []
        length = max(len(samples) for samples in lines.values())
        for begin in range(0, length, _CHUNK):
            for channel, samples in lines.items():
                stage.push_audio(
                    AudioChunk(channel, begin, samples[begin : begin + _CHUNK], LINE_RATE_HZ)
                )
            out += stage.advance((begin + _CHUNK) * 1000 // LINE_RATE_HZ)
        return out + stage.finish(length * 1000 // LINE_RATE_HZ), stage


def _chunks(channel: Channel, samples: Samples) -> Sequence[AudioChunk]:
    return [
        AudioChunk(channel, begin, samples[begin : begin + _CHUNK], LINE_RATE_HZ)
        for begin in range(0, len(samples), _CHUNK)
    ]
