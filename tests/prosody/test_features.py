"""Spectral features against whole-file librosa."""

import subprocess
import sys

import numpy as np
import numpy.typing as npt
import pytest

from prosody.features import BACKENDS, SpectralBank, TickFeatures

pytestmark = pytest.mark.unit

MEASURES = ("alpha_db", "slope_db_oct", "level_db")


def padded_noise(bank: SpectralBank, ticks: int, seed: int = 1) -> npt.NDArray[np.float32]:
    """Noise of some ticks after the silent tail that precedes the first sample."""
    audio = np.random.default_rng(seed).normal(0, 0.1, bank.tick * ticks).astype(np.float32)
    return np.concatenate([np.zeros(bank.frame - bank.hop, np.float32), audio])


def ticks_of(bank: SpectralBank, padded: npt.NDArray[np.float32]) -> list[TickFeatures]:
    count = (len(padded) - bank.frame + bank.hop) // bank.tick
    return [bank.measure(padded[t * bank.tick : t * bank.tick + bank.block]) for t in range(count)]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("rate", [8_000, 16_000])
def test_ticks_equal_whole_file_librosa(rate: int, backend: str) -> None:
    import librosa

    bank = SpectralBank(rate, backend)
    padded = padded_noise(bank, 5)
    whole = librosa.stft(
        padded.astype(np.float64),
        n_fft=bank.frame,
        hop_length=bank.hop,
        window="hann",
        center=False,
    )
    expected = bank.from_power(np.abs(whole.T) ** 2, np.zeros(whole.shape[1], np.int64))
    for tick, got in enumerate(ticks_of(bank, padded)):
        part = slice(tick * 15, tick * 15 + 15)
        for name in MEASURES:
            difference = np.abs(getattr(got, name) - getattr(expected, name)[part])
            assert np.max(difference) <= 1e-4


@pytest.mark.parametrize("rate", [8_000, 16_000])
def test_both_backends_agree(rate: int) -> None:
    ours, reference = (SpectralBank(rate, backend) for backend in BACKENDS)
    padded = padded_noise(ours, 3)
    for a, b in zip(ticks_of(ours, padded), ticks_of(reference, padded), strict=True):
        for name in MEASURES:
            assert np.max(np.abs(getattr(a, name) - getattr(b, name))) <= 1e-5


def test_a_batch_of_channels_gives_the_same_bits_as_each_channel_alone() -> None:
    bank = SpectralBank(8_000)
    blocks = np.random.default_rng(4).normal(0, 0.1, (7, bank.block)).astype(np.float32)
    together = bank.measure(blocks)
    for i, block in enumerate(blocks):
        alone = bank.measure(block)
        for name in (*MEASURES, "clipped"):
            assert np.array_equal(getattr(together.of(i), name), getattr(alone, name))


def test_golden_values_of_two_tones_stay_what_they_were() -> None:
    bank = SpectralBank(8_000)
    t = np.arange(bank.block) / 8_000
    block = (0.1 * np.sin(2 * np.pi * 500 * t) + 0.05 * np.sin(2 * np.pi * 2_000 * t)).astype("f4")
    got = bank.measure(block)
    assert np.allclose(got.alpha_db, 20 * np.log10(0.5), atol=0.02)
    assert np.allclose(got.level_db, 10 * np.log10(0.1**2 / 2 + 0.05**2 / 2), atol=0.02)


def test_gain_moves_level_and_nothing_else() -> None:
    bank = SpectralBank(8_000)
    audio = np.random.default_rng(2).normal(0, 0.05, bank.block).astype(np.float32)
    plain, louder = bank.measure(audio), bank.measure(audio * np.float32(4))
    assert np.allclose(louder.level_db - plain.level_db, 12.04, atol=0.01)
    assert np.allclose(louder.alpha_db, plain.alpha_db, atol=1e-3)
    assert np.allclose(louder.slope_db_oct, plain.slope_db_oct, atol=1e-3)


def test_other_rates_are_refused_with_a_remedy() -> None:
    with pytest.raises(ValueError, match="16 kHz chunks"):
        SpectralBank(44_100)


def test_an_unknown_backend_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="numpy, librosa"):
        SpectralBank(8_000, "matlab")


def test_a_clipped_frame_is_counted() -> None:
    bank = SpectralBank(8_000)
    block = np.zeros(bank.block, np.float32)
    block[200:205] = 1.0
    assert bank.measure(block).clipped.tolist() == [5, 5] + [0] * 13


_FIRST_CALL = """
import sys, time
import numpy as np
from audio.chunks import AudioChunk
from conversation.events import Channel, SpeechStarted
from prosody.settings import ProsodySettings
from prosody.stage import ProsodyStage, warm_up

warm_up(ProsodySettings())
t = np.arange(8_000 * 2) / 8_000
voice = sum(np.sin(2 * np.pi * 140 * k * t) / k for k in range(3, 24)).astype(np.float32) * 0.05
for run in range(2):
    stage = ProsodyStage((Channel.CUSTOMER,), 8_000, ProsodySettings())
    stage.observe(Channel.CUSTOMER, SpeechStarted(at_ms=0, channel=Channel.CUSTOMER, start_ms=0))
    stage.push_audio(AudioChunk(Channel.CUSTOMER, 0, voice, 8_000))
    begin = time.process_time()
    frames = stage.advance(2_000)
    print(time.process_time() - begin, sum(f.f0_st is not None for f in frames))
print("numba" in sys.modules, "librosa" in sys.modules)
"""


def test_the_first_call_after_the_start_costs_no_more_than_the_second() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _FIRST_CALL], capture_output=True, text=True, check=True
    )
    first, second, modules = (line.split() for line in done.stdout.splitlines())
    assert int(first[1]) > 0
    assert float(first[0]) - float(second[0]) <= 0.1
    assert modules == ["False", "False"]
