"""A window's balance is that of its long-term spectrum."""

import numpy as np
import pytest

from prosody.features import SpectralBank
from prosody.usable import summary
from tests.prosody.voices import RATE, voice


def test_the_alpha_ratio_of_a_window_is_that_of_its_summed_spectrum() -> None:
    bank = SpectralBank(RATE)
    block = voice(1)[: bank.block]
    got = bank.measure(block)
    alpha, _, level = summary(np.stack([got.alpha_db, got.slope_db_oct, got.level_db]))
    frames = np.lib.stride_tricks.sliding_window_view(block, bank.frame)[:: bank.hop]
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(bank.frame) / bank.frame)
    spectrum = np.sum(np.abs(np.fft.rfft(frames * window)) ** 2, axis=0)
    hertz = np.fft.rfftfreq(bank.frame, 1 / RATE)
    high = spectrum[(hertz >= 1000) & (hertz < 3400)].sum()
    low = spectrum[(hertz >= 300) & (hertz < 1000)].sum()
    assert alpha == pytest.approx(10 * np.log10(high / low), abs=1e-3)
    assert level == pytest.approx(float(np.median(got.level_db)))


def test_faint_hisses_between_vowels_hardly_move_the_balance() -> None:
    vowels = np.tile([[-12.0], [-6.0], [-20.0]], 10)
    hisses = np.tile([[9.0], [3.0], [-34.0]], 12)
    alpha, slope, _ = summary(np.concatenate([vowels, hisses], axis=1))
    assert alpha == pytest.approx(-12.0, abs=3.0)
    assert slope == pytest.approx(-6.0, abs=1.0)


def test_gain_moves_the_level_alone() -> None:
    values = np.random.default_rng(1).normal(-10, 4, (3, 25))
    louder = values + np.array([[0.0], [0.0], [6.0]])
    alpha, slope, level = summary(values)
    assert summary(louder) == pytest.approx((alpha, slope, level + 6.0))
