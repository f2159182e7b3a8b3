"""Every common kind of file is read; every broken one gives one clear error."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from audio import g711
from audio.chunks import AudioChunk
from audio.errors import (
    AudioError,
    BadSamples,
    EmptyAudio,
    TruncatedAudio,
    UnreadableAudio,
    UnsupportedFormat,
)
from audio.sources import list_recordings, open_recording
from conversation.events import AudioGap, Channel

pytestmark = pytest.mark.unit


def stereo(rate_hz: int, seconds: float = 0.5) -> np.ndarray:
    time_s = np.arange(int(rate_hz * seconds)) / rate_hz
    return 0.3 * np.stack([np.sin(880 * time_s), np.sin(2_750 * time_s)], axis=1)


@pytest.mark.parametrize("rate_hz", [8_000, 11_025, 16_000, 44_100, 48_000])
@pytest.mark.parametrize(
    ("suffix", "subtype"),
    [
        ("wav", "PCM_16"),
        ("wav", "PCM_U8"),
        ("wav", "FLOAT"),
        ("wav", "ULAW"),
        ("flac", "PCM_16"),
    ],
)
def test_common_files_are_read_as_agent_and_customer(
    tmp_path: Path, rate_hz: int, suffix: str, subtype: str
) -> None:
    path = tmp_path / f"call.{suffix}"
    soundfile.write(path, stereo(rate_hz), rate_hz, subtype=subtype)
    recording = open_recording(path)
    assert recording.channels == (Channel.AGENT, Channel.CUSTOMER)
    assert recording.sample_rate_hz == rate_hz
    assert abs(recording.duration_ms - 500) <= 1
    error = recording.samples(Channel.CUSTOMER) - stereo(rate_hz)[:, 1]
    assert float(np.abs(error).max()) < 0.02


def test_mp3_is_read(tmp_path: Path) -> None:
    path = tmp_path / "call.mp3"
    soundfile.write(path, stereo(16_000, 2.0), 16_000, format="MP3")
    assert abs(open_recording(path).duration_ms - 2_000) < 150


def test_mono_is_both_parties_mixed(tmp_path: Path) -> None:
    path = tmp_path / "mono.wav"
    soundfile.write(path, stereo(8_000)[:, 0], 8_000)
    assert open_recording(path).channels == (Channel.MIXED,)


def test_one_signal_on_two_channels_is_mixed_too(tmp_path: Path) -> None:
    path = tmp_path / "twice.wav"
    soundfile.write(path, stereo(8_000)[:, [0, 0]], 8_000)
    assert open_recording(path).channels == (Channel.MIXED,)


def test_two_files_make_one_call(tmp_path: Path) -> None:
    for i, name in enumerate(("agent.wav", "customer.wav")):
        soundfile.write(tmp_path / name, stereo(8_000)[:, i], 8_000)
    recording = open_recording(tmp_path / "agent.wav", customer_path=tmp_path / "customer.wav")
    assert recording.channels == (Channel.AGENT, Channel.CUSTOMER)


def test_the_same_file_for_both_parties_is_one_signal(tmp_path: Path) -> None:
    path = tmp_path / "agent.wav"
    soundfile.write(path, stereo(8_000)[:, 0], 8_000)
    assert open_recording(path, customer_path=path).channels == (Channel.MIXED,)


def test_what_the_shorter_file_of_a_pair_lacks_is_a_gap_and_not_silence(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "agent.wav", stereo(8_000)[:, 0], 8_000)
    soundfile.write(tmp_path / "customer.wav", stereo(8_000)[:2_030, 1], 8_000)
    recording = open_recording(tmp_path / "agent.wav", customer_path=tmp_path / "customer.wav")
    items = [item for block in recording.blocks(100) for item in block]
    lengths = dict.fromkeys(recording.channels, 0)
    for item in items:
        if isinstance(item, AudioChunk):
            assert item.first_sample == lengths[item.channel]
            lengths[item.channel] += len(item.samples)
    assert lengths == {Channel.AGENT: 4_000, Channel.CUSTOMER: 2_030}
    gaps = [item for item in items if isinstance(item, AudioGap)]
    assert [(g.channel, g.begin_ms, g.end_ms) for g in gaps] == [(Channel.CUSTOMER, 253, 500)]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("cut.wav", {}),
        ("cut.rf64", {"format": "RF64"}),
        ("cut.aiff", {}),
        ("cut.au", {}),
        ("cut.flac", {}),
        ("cut.ogg", {}),
        ("cut.mp3", {"format": "MP3"}),
    ],
)
def test_a_file_that_was_cut_short_is_told_from_a_short_call(
    tmp_path: Path, name: str, options: dict[str, str]
) -> None:
    path = tmp_path / name
    soundfile.write(path, stereo(16_000, 8.0), 16_000, **options)
    assert abs(open_recording(path).duration_ms - 8_000) < 200
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    with pytest.raises(TruncatedAudio, match=name):
        open_recording(path)


def write_broken(path: Path, kind: str) -> Path:
    if kind == "truncated":
        soundfile.write(path, stereo(8_000), 8_000)
        path.write_bytes(path.read_bytes()[:-1_000])
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "nan":
        samples = stereo(8_000)
        samples[100] = np.nan
        soundfile.write(path, samples, 8_000, subtype="FLOAT")
    elif kind == "text":
        path.write_text("this is not audio", "utf-8")
    elif kind == "three":
        soundfile.write(path, np.zeros((100, 3)) + 0.1, 8_000)
    return path


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("truncated", TruncatedAudio),
        ("empty", EmptyAudio),
        ("nan", BadSamples),
        ("text", UnreadableAudio),
        ("three", UnsupportedFormat),
        ("missing", UnreadableAudio),
    ],
)
def test_a_broken_file_gives_one_clear_error(
    tmp_path: Path, kind: str, error: type[AudioError]
) -> None:
    path = write_broken(tmp_path / f"{kind}.wav", kind)
    with pytest.raises(error, match=f"{kind}.wav") as caught:
        open_recording(path)
    assert "\n" not in str(caught.value)


def test_a_folder_lists_its_recordings(tmp_path: Path) -> None:
    for name in ("b.wav", "a.flac"):
        soundfile.write(tmp_path / name, stereo(8_000), 8_000)
    (tmp_path / "notes.txt").write_text("x", "utf-8")
    assert [p.name for p in list_recordings(tmp_path)] == ["a.flac", "b.wav"]


def test_g711_decodes_the_standard_values() -> None:
    assert list(g711.MULAW_TABLE[[0x00, 0x80, 0x7F, 0xFF, 0xFE]]) == [-32124, 32124, 0, 0, 8]
    assert list(g711.ALAW_TABLE[[0x55, 0xD5, 0x2A, 0xAA]]) == [-8, 8, -32256, 32256]
