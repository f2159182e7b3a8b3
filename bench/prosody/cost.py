"""What prosody costs: one process, many calls, a virtual clock, processor time only."""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from audio.chunks import AudioChunk
from bench.prosody.line import LINE_RATE_HZ
from bench.prosody.listen import Listener, SpeechEvent
from bench.results import Row
from conversation.events import Channel
from prosody.score import Load
from prosody.settings import ProsodySettings
from prosody.stage import ProsodyStage

Samples = npt.NDArray[np.float32]
_STEP_MS = 100
_WARM_UP_MS = 10_000
_TURN_S = 6
_CHANNELS = (Channel.AGENT, Channel.CUSTOMER)
_FIRST = """
import time
import numpy as np
from audio.chunks import AudioChunk
from conversation.events import Channel, SpeechStarted
from prosody.settings import ProsodySettings
from prosody.stage import ProsodyStage, warm_up
begin = time.process_time()
warm_up(ProsodySettings())
print(time.process_time() - begin)
t = np.arange(8_000 * 2) / 8_000
voice = sum(np.sin(2 * np.pi * 140 * k * t) / k for k in range(3, 24)).astype(np.float32) * 0.05
for run in range(2):
    stage = ProsodyStage((Channel.CUSTOMER,), 8_000, ProsodySettings())
    stage.observe(Channel.CUSTOMER, SpeechStarted(at_ms=0, channel=Channel.CUSTOMER, start_ms=0))
    stage.push_audio(AudioChunk(Channel.CUSTOMER, 0, voice, 8_000))
    begin = time.process_time()
    stage.advance(2_000)
    print(time.process_time() - begin)
"""


def halved(line: Samples, *, second: bool) -> Samples:
    """Let a line speak six seconds and be silent six, the second party in the other's silences."""
    size = _TURN_S * LINE_RATE_HZ
    noise = np.random.default_rng(2).normal(0, 1e-3, size).astype(np.float32)
    parts: list[Samples] = []
    for begin in range(0, len(line) - size + 1, size):
        turn = [line[begin : begin + size], noise]
        parts += turn[::-1] if second else turn
    return np.concatenate(parts)


class CallCost:
    """Two lines of one call, and their speech events, for any number of copies."""

    def __init__(self, listener: Listener, customer: Samples, agent: Samples) -> None:
        length = min(len(customer), len(agent))
        self.lines = {
            Channel.CUSTOMER: halved(customer[:length], second=False),
            Channel.AGENT: halved(agent[:length], second=True),
        }
        begin = time.process_time()
        self.speech: dict[Channel, list[SpeechEvent]] = {
            channel: listener.speech(channel, line) for channel, line in self.lines.items()
        }
        spent = time.process_time() - begin
        self.seconds = len(self.lines[Channel.AGENT]) / LINE_RATE_HZ
        self.vad_percent = 100 * spent / (2 * self.seconds)

    def run(
        self, calls: int, seconds: float, load: Load, settings: ProsodySettings | None = None
    ) -> tuple[float, list[float], float]:
        """Hear that many calls side by side.

        Returns:
            Processor time per channel (% of a core), time of each tick of a call (ms), and the
            share of usable ticks with pitch; the first ten seconds count for nothing.
        """
        stages = []
        for number in range(calls):
            stage = ProsodyStage(_CHANNELS, LINE_RATE_HZ, settings or ProsodySettings())
            stage.load = load
            stages.append((stage, (number * 37) % _STEP_MS * LINE_RATE_HZ // 1000))
            for channel, events in self.speech.items():
                for event in events:
                    stage.observe(channel, event)
        ticks: list[float] = []
        spent = 0.0
        end_ms = int(min(seconds, self.seconds) * 1000)
        for now_ms in range(0, end_ms - _STEP_MS, _STEP_MS):
            for stage, phase in stages:
                first = 0 if now_ms == 0 else now_ms * LINE_RATE_HZ // 1000 + phase
                last = (now_ms + _STEP_MS) * LINE_RATE_HZ // 1000 + phase
                begin = time.thread_time()
                for channel, line in self.lines.items():
                    stage.push_audio(AudioChunk(channel, first, line[first:last], LINE_RATE_HZ))
                before = stage.ticks
                stage.advance(last * 1000 // LINE_RATE_HZ)
                took = time.thread_time() - begin
                if now_ms >= _WARM_UP_MS:
                    spent += took
                    if stage.ticks > before:
                        ticks.append(took * 1000)
        audio_s = 2 * calls * (end_ms - _WARM_UP_MS) / 1000
        pitch = sum(stage.pitch_ticks for stage, _ in stages)
        usable = sum(stage.usable_ticks for stage, _ in stages)
        return 100 * spent / audio_s, ticks, pitch / max(1, usable)


def cost_rows(call: CallCost, *, repeats: int, seconds: float) -> Iterator[Row]:
    """Yield cost and tick times for 1, 10 and 100 calls, and what stands beside them."""
    always = msgspec.structs.replace(ProsodySettings(), f0_always_on=True)
    systems: list[tuple[str, int, float, Load, Any]] = [
        ("heartline", 1, call.seconds, Load.FULL, None),
        ("always_on_f0", 1, call.seconds, Load.FULL, always),
        ("heartline", 10, seconds, Load.FULL, None),
        ("heartline", 100, seconds, Load.MANY, None),
    ]
    for system, calls, length, load, settings in systems:
        condition = f"{calls}_call{'s' if calls > 1 else ''}"
        runs = [call.run(calls, length, load, settings) for _ in range(repeats)]
        percents = sorted(percent for percent, _, _ in runs)
        ticks = np.concatenate([ticks for _, ticks, _ in runs])
        middle = float(np.median(percents))
        for metric, value, unit in (
            ("core_percent_per_channel", middle, "%"),
            ("core_percent_range", percents[-1] - percents[0], "%"),
            ("cores", middle * 2 * calls / 100, "cores"),
            ("tick_p50_ms", float(np.percentile(ticks, 50)), "ms"),
            ("tick_p99_ms", float(np.percentile(ticks, 99)), "ms"),
            ("pitch_share", runs[0][2], "share"),
        ):
            yield Row(system, condition, metric, value, unit, len(ticks))
    yield Row("silero_vad", "1_call", "core_percent_per_channel", call.vad_percent, "%", 1)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    yield Row("heartline", "100_calls", "peak_rss_mib", peak, "MiB", 1)
    command = [sys.executable, "-c", _FIRST]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    warm, first, second = (float(line) for line in done.stdout.split())
    yield Row("heartline", "start", "warm_up_cpu_s", warm, "s", 1)
    yield Row("heartline", "start", "first_minus_second_ms", 1000 * (first - second), "ms", 1)
