"""What needs no real time: offline decoding, noise, and bad lines, on the accelerated clock."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np

from asr.models import resolve_model
from asr.settings import AsrSettings
from audio.sources import Recording
from bench.asr.calls import SIDES, BuiltCall, Samples, through_mulaw, with_noise
from bench.asr.measures import plain_words, word_errors
from bench.asr.noises import all_noises
from bench.results import Row
from bench.speech_bank import RATE_HZ, SpeechBank
from conversation.events import Channel, FinalTranscript, PartialTranscript
from server.analyze import analyze_recording
from server.hearing import Hearing, HearingSettings

_BLOCK_S = 30.0


@cache
def _whisper() -> Any:
    from faster_whisper import WhisperModel

    folder = str(resolve_model("tiny.en").folder)
    return WhisperModel(folder, device="cpu", compute_type="int8", cpu_threads=2)


def offline_text(samples: Samples) -> str:
    """Transcribe one side with faster-whisper's own `transcribe`, beam 5, its VAD on."""
    segments, _ = _whisper().transcribe(
        samples, beam_size=5, language="en", vad_filter=True, condition_on_previous_text=False
    )
    return " ".join(segment.text.strip() for segment in segments)


def hallucinations(bank: SpeechBank, seconds: float, seed: int) -> Iterator[Row]:
    """Count the words that appear, partial or final, over sound without words."""
    random = np.random.default_rng(seed)
    with Hearing(HearingSettings(asr=AsrSettings(partials_enabled=True))) as hearing:
        for condition, make in all_noises(bank).items():
            samples = make(seconds, random)
            words = _words_shown(hearing, samples)
            n = round(seconds)
            yield Row("heartline", condition, "hallucinated_words", words, "words", n)


def virtual_rows(calls: Sequence[BuiltCall], seed: int) -> Iterator[Row]:
    """Compare finals with offline decoding: all calls, and one over a telephone line and noise."""
    one = calls[0]
    conditions: Mapping[str, list[BuiltCall]] = {
        "clean_virtual": list(calls),
        "mulaw": [through_mulaw(one)],
        "noise_20db": [with_noise(one, 20, seed)],
        "noise_10db": [with_noise(one, 10, seed)],
    }
    # Partials stay on, so that the finals are those of a live call; the longest hop makes them few.
    longest = AsrSettings().longest_hop_ms
    with Hearing(HearingSettings(asr=AsrSettings(hop_ms=longest))) as hearing:
        for condition, several in conditions.items():
            ours, theirs, n = 0, 0, 0
            for call in several:
                heard = _finals(hearing, call)
                for side in SIDES:
                    errors, count = word_errors(call.text(side), heard[side])
                    ours, n = ours + errors, n + count
                    theirs += word_errors(call.text(side), offline_text(call.samples[side]))[0]
            yield Row("heartline", condition, "wer", ours / n, "share", n)
            yield Row("offline_beam_5", condition, "wer", theirs / n, "share", n)
            difference = 100 * (ours - theirs) / n
            yield Row("heartline", condition, "wer_minus_offline", difference, "points", n)


def _recording(sides: Mapping[str, Samples]) -> Recording:
    samples = {Channel(side): values for side, values in sides.items()}
    return Recording(samples, RATE_HZ, "benchmark")


def _words_shown(hearing: Hearing, samples: Samples) -> int:
    """Count words of finals, and of partials of utterances whose final has fewer."""
    recording = _recording({"agent": samples, "customer": np.zeros_like(samples)})
    most: dict[str, int] = {}
    for event in analyze_recording(
        recording, hearing, call_id="noise", started_at="2026-01-01T00:00:00+00:00"
    ):
        text = ""
        if isinstance(event, FinalTranscript):
            text = event.text or ""
        elif isinstance(event, PartialTranscript):
            text = f"{event.stable} {event.tail}"
        else:
            continue
        count = len(plain_words(text))
        most[event.utterance_id] = max(most.get(event.utterance_id, 0), count)
    return sum(most.values())


def _finals(hearing: Hearing, call: BuiltCall) -> dict[str, str]:
    heard: dict[str, list[str]] = {side: [] for side in SIDES}
    for event in analyze_recording(
        _recording(call.samples), hearing, call_id="bench", started_at="2026-01-01T00:00:00+00:00"
    ):
        if isinstance(event, FinalTranscript) and event.text:
            heard[event.channel].append(event.text)
    return {side: " ".join(texts) for side, texts in heard.items()}
