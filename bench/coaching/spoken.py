"""Scripted dialogues as audio: synthesised turn by turn and run through the live path.

The voices come from `bench/speech_bank.py`; a turn lasts as long as its clip, so turns are placed
anew and expected cues move with them.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from asr.settings import AsrSettings
from audio.sources import Recording
from bench.coaching.scripts import Hold, Outcome, Script, Turn, judge
from bench.results import is_quick
from bench.speech_bank import RATE_HZ, SpeechBank
from conversation.events import Channel
from server.analyze import analyze_recording
from server.hearing import Hearing, HearingSettings

PAIRS = (("ada", "bertram"), ("alpha", "gongitsune"), ("tebukuro", "konrad"), ("nezumi", "theo"))
"""Agent and customer of the first, second … dialogue."""
AGENT_SPEED = 0.75
"""At speed 1 the voices say 200 to 270 words a minute within a turn; a script's agent has 165."""
TAIL_MS = 3_000
QUICK_SCRIPTS = 3
NOISE_DBFS = -62.0
"""Line noise, so that silence is not digital."""


def render(
    script: Script, bank: SpeechBank, pair: tuple[str, str]
) -> tuple[Recording, list[Turn | Hold]]:
    """Synthesise a script and place its turns by the length of their clips."""
    placed: list[Turn | Hold] = []
    clips: list[tuple[Turn, npt.NDArray[np.float32]]] = []
    at_ms = 0
    for row, written in zip(script.turns, script.placed(), strict=True):
        start_ms = max(0, at_ms + int(row[1]))
        if isinstance(written, Hold):
            placed.append(Hold(start_ms, start_ms + int(row[2])))
            at_ms = placed[-1].end_ms
            continue
        agent = written.channel is Channel.AGENT
        clip = bank.say(pair[0 if agent else 1], written.text, AGENT_SPEED if agent else 1.0)
        end_ms = start_ms + round(clip.seconds * 1000)
        turn = msgspec.structs.replace(written, start_ms=start_ms, end_ms=end_ms)
        placed.append(turn)
        clips.append((turn, clip.samples))
        at_ms = end_ms
    length = (max(item.end_ms for item in placed) + TAIL_MS) * RATE_HZ // 1000
    noise = np.random.default_rng(len(script.id))
    samples = {
        channel: (noise.standard_normal(length) * 10 ** (NOISE_DBFS / 20)).astype(np.float32)
        for channel in (Channel.AGENT, Channel.CUSTOMER)
    }
    for turn, clip_samples in clips:
        begin = turn.start_ms * RATE_HZ // 1000
        samples[turn.channel][begin : begin + len(clip_samples)] += clip_samples
    return Recording(samples, RATE_HZ, script.id), placed


def measure_spoken(scripts: Sequence[Script]) -> list[Outcome]:
    """Run spoken dialogues through everything: voice activity, words, acts, cues."""
    chosen = scripts[:QUICK_SCRIPTS] if is_quick() else scripts
    bank = SpeechBank()
    outcomes = []
    settings = HearingSettings(asr=AsrSettings(partials_enabled=True))
    with Hearing(settings) as hearing:
        for number, script in enumerate(chosen):
            recording, placed = render(script, bank, PAIRS[number % len(PAIRS)])
            events = analyze_recording(
                recording, hearing, call_id=script.id, started_at="2026-03-02T09:00:00+00:00"
            )
            outcomes.append(judge(script, events, placed))
    return outcomes
