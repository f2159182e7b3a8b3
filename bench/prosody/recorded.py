"""Raised passages in the voices of real people, from the recordings that `HEARTLINE_DATA` names.

The talkers of calm service calls, recorded on the telephone, are raised by the transforms of
`bench.prosody.effort`: real voices, rooms and microphones, imposed effort. They are development
data: the spread of pitch and the spectrum of a window were chosen with them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from itertools import cycle
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from bench.prosody.calls import GeneratedCall, build, effort_script
from bench.prosody.detection import Contest, Heard, babble_for
from bench.prosody.effort import DOSES
from bench.prosody.figures import own_starts
from bench.prosody.line import CONDITIONS, LINE_RATE_HZ, on_the_line
from bench.prosody.listen import Listener
from bench.results import Row
from bench.speech_bank import LEVEL_DBFS, RATE_HZ, TEST_VOICES, SpeechBank
from conversation.events import Channel, SpeechEnded

Samples = npt.NDArray[np.float32]
_CALLS = ("auto_repairs_40.flac", "store_two_party_mulaw.wav")
_OWN = Channel.CUSTOMER
_LEAST_CLIP_S = 2.5
_LEAST_SPEECH_S = 30.0
"""Who says less is left out: there would be nothing calm left to compare with."""


def recorded_rows(bank: SpeechBank, listener: Listener, seeds: Sequence[int]) -> Iterator[Row]:
    """Yield the figures of recorded talkers with raised passages, and of the calls as they are."""
    folder = os.environ.get("HEARTLINE_DATA")
    if not folder:
        return
    calls = {name: _channels(Path(folder) / "calls" / name) for name in _CALLS}
    babble = babble_for(bank, "", TEST_VOICES)
    contest = Contest(listener)
    for name, channels in calls.items():
        for channel, samples in channels.items():
            clips = _clips(listener, samples)
            if sum(map(len, clips)) < _LEAST_SPEECH_S * RATE_HZ:
                continue
            for seed in seeds:
                call = _raised(f"{name}-{channel.value}-{seed}", clips, seed)
                for condition in CONDITIONS:
                    line = on_the_line(call, condition, babble, seed)
                    heard = Heard(call, line, listener.speech(_OWN, line))
                    contest.hear(f"recorded_{condition}", heard)
    yield from contest.rows()
    yield _calm(calls, listener)


def _calm(calls: dict[str, dict[Channel, Samples]], listener: Listener) -> Row:
    """False events of the calls as they were recorded, in which nobody raises a voice."""
    minutes, events = 0.0, 0
    for channels in calls.values():
        speech = {c: listener.speech(c, samples) for c, samples in channels.items()}
        events += len(own_starts(listener.prosody(channels, speech)[0]))
        minutes += len(channels[_OWN]) / LINE_RATE_HZ / 60
    return Row("heartline", "recorded_calm", "false_per_hour", 60 * events / minutes, "1/h", events)


def _channels(path: Path) -> dict[Channel, Samples]:
    audio, rate_hz = soundfile.read(path, dtype="float32")
    line = np.asarray(soxr.resample(audio, rate_hz, LINE_RATE_HZ), np.float32)
    return {Channel.AGENT: line[:, 0].copy(), Channel.CUSTOMER: line[:, 1].copy()}


def _clips(listener: Listener, line: Samples) -> list[Samples]:
    """Join what a talker says to clips of 2.5 s or more, 16 kHz, at the level of the bank."""
    spans = [e for e in listener.speech(_OWN, line) if isinstance(e, SpeechEnded)]
    per_ms = LINE_RATE_HZ // 1000
    parts: list[list[Samples]] = [[]]
    for span in spans:
        parts[-1].append(line[span.start_ms * per_ms : span.end_ms * per_ms])
        if sum(map(len, parts[-1])) >= _LEAST_CLIP_S * LINE_RATE_HZ:
            parts.append([])
    clips = [
        np.asarray(soxr.resample(np.concatenate(part), LINE_RATE_HZ, RATE_HZ), np.float32)
        for part in parts[:-1]
    ]
    power = float(np.mean(np.square(np.concatenate(clips)))) if clips else 1.0
    gain = np.float32(10 ** (LEVEL_DBFS / 20) / power**0.5)
    return [clip * gain for clip in clips]


def _raised(name: str, clips: list[Samples], seed: int) -> GeneratedCall:
    rng = np.random.default_rng([seed, 3, sum(name.encode())])
    start = int(rng.integers(len(clips)))
    endless = cycle(clips[start:] + clips[:start])
    return build(name, name, endless, effort_script(DOSES, rng), rng)
