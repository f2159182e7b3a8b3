"""Spectral features against whole-file librosa."""

import librosa
import numpy as np
import pytest

from prosody.features import SpectralBank

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("rate", [8_000, 16_000])
def test_ticks_equal_whole_file_librosa(rate: int) -> None:
    bank = SpectralBank(rate)
    audio = np.random.default_rng(1).normal(0, 0.1, bank.tick * 5).astype(np.float32)
    lead = bank.frame - bank.hop
    whole = np.abs(
        librosa.stft(
            np.concatenate([np.zeros(lead), audio.astype(np.float64)]),
            n_fft=bank.frame,
            hop_length=bank.hop,
            window="hann",
            center=False,
        )
    )
    expected = bank.from_power(whole**2, np.zeros(whole.shape[1], np.int64))
    padded = np.concatenate([np.zeros(lead, np.float32), audio])
    for tick in range(5):
        got = bank.measure(padded[tick * bank.tick : tick * bank.tick + bank.block])
        part = slice(tick * 15, tick * 15 + 15)
        for name in ("alpha_db", "slope_db_oct", "level_db"):
            difference = np.abs(getattr(got, name) - getattr(expected, name)[part])
            assert np.max(difference) <= 1e-4


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


def test_a_clipped_frame_is_counted() -> None:
    bank = SpectralBank(8_000)
    block = np.zeros(bank.block, np.float32)
    block[200:205] = 1.0
    assert bank.measure(block).clipped.tolist() == [5, 5] + [0] * 13
