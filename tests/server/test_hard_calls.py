"""Calls that are hard to transcribe: both talk at once, a telephone line, names."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from asr.settings import AsrSettings
from audio.chunks import AudioChunk
from audio.g711 import encode_mulaw
from audio.sources import Recording, open_recording
from conversation.events import (
    AudioGap,
    Channel,
    Event,
    FinalTranscript,
    OverlapStarted,
    PartialTranscript,
    SpeechEnded,
)
from server.analyze import analyze_recording
from server.hearing import Hearing, HearingSettings, read_hotwords
from server.ingest import IngestDecoder, Start
from server.opening import open_session
from server.session import Clock

pytestmark = [pytest.mark.model, pytest.mark.timeout(240)]
SAMPLE = Path(__file__).parents[2] / "server" / "sample" / "call.flac"
NAMES = Path(__file__).parents[1] / "data" / "names.flac"
STARTED_AT = "2026-01-01T00:00:00+00:00"


@pytest.fixture(scope="module")
def hearing() -> Iterator[Hearing]:
    with Hearing(HearingSettings(asr=AsrSettings(threads=1))) as loaded:
        yield loaded


def finals(events: list[Event], channel: Channel) -> list[FinalTranscript]:
    return [e for e in events if isinstance(e, FinalTranscript) and e.channel is channel]


def speech_alone(channel: Channel, seconds: float) -> np.ndarray:
    """One side of the sample call at 8 kHz with its silences cut short."""
    samples = open_recording(SAMPLE).samples(channel)
    frames = samples[: len(samples) // 800 * 800].reshape(-1, 800)
    loud = np.sqrt(np.mean(np.square(frames), axis=1)) > 0.006
    return np.concatenate(frames[loud])[: round(8_000 * seconds)]


def test_when_both_talk_all_the_time_every_word_of_both_has_a_final(hearing: Hearing) -> None:
    sides = {c: speech_alone(c, 24) for c in (Channel.AGENT, Channel.CUSTOMER)}
    length = min(len(samples) for samples in sides.values())
    recording = Recording({c: s[:length] for c, s in sides.items()}, 8_000, "both")
    events = analyze_recording(recording, hearing, call_id="both", started_at=STARTED_AT)
    for channel in sides:
        heard = finals(events, channel)
        assert all(f.status == "ok" and f.text for f in heard)
        words = sum(len((f.text or "").split()) for f in heard)
        assert words / (length / 8_000) > 1.8, "a talker says two to three words a second"
        shown = {
            e.utterance_id
            for e in events
            if isinstance(e, PartialTranscript) and e.channel is channel
        }
        assert shown <= {f.utterance_id for f in heard}
        assert max(f.end_ms - f.start_ms for f in heard) <= 12_500


def test_a_mulaw_line_is_transcribed_like_the_wide_one(hearing: Hearing) -> None:
    agent = open_recording(SAMPLE).samples(Channel.AGENT)[: 8_000 * 8]
    start = Start(
        type="start",
        version=1,
        channels=(Channel.AGENT, Channel.CUSTOMER),
        encoding="mulaw",
        sample_rate=8_000,
    )
    decoder = IngestDecoder(start)
    session = open_session(
        call_id="mulaw",
        channels=start.channels,
        sample_rate_hz=8_000,
        source="test",
        started_at=STARTED_AT,
        hearing=hearing,
        clock=Clock.VIRTUAL,
    )
    events = session.opening_events()
    coded = np.frombuffer(encode_mulaw(agent), dtype=np.uint8)
    silent = np.full_like(coded, 0xFF)
    wire = np.stack([coded, silent], axis=1)
    for begin in range(0, len(wire), 160):
        items = decoder.feed_bytes(wire[begin : begin + 160].tobytes())
        events += session.push([i for i in items if isinstance(i, AudioChunk | AudioGap)])
    events += session.finish()
    text = " ".join(f.text or "" for f in finals(events, Channel.AGENT)).lower()
    assert "thank you for calling" in text
    assert "my name is emma" in text
    assert finals(events, Channel.CUSTOMER) == []


def test_the_names_of_a_call_are_heard_as_its_metadata_says(hearing: Hearing) -> None:
    samples, rate_hz = soundfile.read(NAMES, dtype="float32")
    hotwords = read_hotwords({"hotwords": "Zyntech, Quillfeather ,"})
    assert hotwords == ("Zyntech", "Quillfeather")
    heard = {}
    for told in ((), hotwords):
        recording = Recording({Channel.AGENT: samples}, rate_hz, "names")
        session = open_session(
            call_id="names",
            channels=(Channel.AGENT,),
            sample_rate_hz=rate_hz,
            source="test",
            started_at=STARTED_AT,
            hearing=hearing,
            clock=Clock.VIRTUAL,
            hotwords=told,
        )
        events = session.opening_events()
        for block in recording.blocks(100):
            events += session.push(block)
        events += session.finish()
        heard[told] = " ".join(f.text or "" for f in finals(events, Channel.AGENT))
    assert "Quillfeather" not in heard[()]
    assert heard[hotwords] == "The Zyntech router from Quillfeather does not start."


def hold_music(seconds: int) -> np.ndarray:
    """Chords of harmonics with a tune above them and a beat, at 8 kHz."""
    time = np.arange(seconds * 8_000) / 8_000
    tune = 440.0 * 2 ** (np.array([0, 4, 7, 12, 9, 7, 5, 2])[(time * 2).astype(int) % 8] / 12)
    chord = sum(
        np.sin(2 * np.pi * root * k * time) / k for root in (220.0, 277.2, 329.6) for k in (1, 2, 3)
    )
    music = chord + 2 * np.sin(2 * np.pi * np.cumsum(tune) / 8_000)
    beat = 0.6 + 0.4 * np.exp(-8 * (time % 0.5))
    return np.asarray(0.03 * music * beat, np.float32)


def touch_tones(seconds: int) -> np.ndarray:
    """A key pressed every 0.4 s for 0.2 s, at 8 kHz."""
    time = np.arange(seconds * 8_000) / 8_000
    key = (time / 0.4).astype(int)
    low, high = np.array([697, 770, 852, 941])[key % 4], np.array([1209, 1336, 1477])[key % 3]
    both = np.sin(2 * np.pi * low * time) + np.sin(2 * np.pi * high * time)
    return np.asarray(0.1 * both * (time % 0.4 < 0.2), np.float32)


@pytest.mark.parametrize("sound", [hold_music, touch_tones])
def test_hold_music_and_touch_tones_are_nobody_who_speaks(
    hearing: Hearing, sound: Callable[[int], np.ndarray]
) -> None:
    seconds = 25
    agent = open_recording(SAMPLE).samples(Channel.AGENT)[: seconds * 8_000]
    sides = {Channel.AGENT: agent, Channel.CUSTOMER: sound(seconds)}
    events = analyze_recording(
        Recording(sides, 8_000, "music"), hearing, call_id="music", started_at=STARTED_AT
    )
    spoke = [e.channel for e in events if isinstance(e, SpeechEnded)]
    assert Channel.AGENT in spoke
    assert Channel.CUSTOMER not in spoke
    assert finals(events, Channel.CUSTOMER) == []
    assert not any(isinstance(e, OverlapStarted) for e in events)
