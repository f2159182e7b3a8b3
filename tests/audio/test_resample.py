"""Resampling keeps time and pitch, suppresses aliases, and lags no more than it may."""

from __future__ import annotations

import numpy as np
import pytest

from audio.resample import StreamingResampler

pytestmark = pytest.mark.unit
RATES_HZ = (8_000, 11_025, 16_000, 24_000, 32_000, 44_100, 48_000)


def tone(rate_hz: int, hertz: float, seconds: float = 1.0) -> np.ndarray:
    times_s = np.arange(round(rate_hz * seconds)) / rate_hz
    return np.sin(2 * np.pi * hertz * times_s).astype(np.float32)


def resample(samples: np.ndarray, rate_hz: int, cuts: list[int] | None = None) -> np.ndarray:
    resampler = StreamingResampler(rate_hz)
    parts = [resampler.push(part) for part in np.split(samples, cuts or [])]
    return np.concatenate([*parts, resampler.flush()])


@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_a_tone_comes_out_as_itself_in_its_own_time(rate_hz: int) -> None:
    made = resample(tone(rate_hz, 440), rate_hz)
    expected = tone(16_000, 440)
    assert abs(len(made) - len(expected)) <= 2
    middle = slice(1_600, 14_400)
    assert np.abs(made[middle] - expected[middle]).max() < 0.02


@pytest.mark.parametrize("rate_hz", [32_000, 44_100, 48_000])
def test_what_16_khz_cannot_hold_is_suppressed_by_50_db(rate_hz: int) -> None:
    made = resample(tone(rate_hz, 10_000), rate_hz)[1_600:14_400]
    assert np.sqrt(np.mean(np.square(made))) < 0.707 * 10 ** (-50 / 20)


@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_any_split_gives_the_same_bits(rate_hz: int) -> None:
    random = np.random.default_rng(5)
    noise = random.normal(0, 0.1, rate_hz).astype(np.float32)
    cuts = sorted(int(cut) for cut in random.integers(0, rate_hz, 50))
    assert np.array_equal(resample(noise, rate_hz), resample(noise, rate_hz, cuts))


@pytest.mark.parametrize(
    ("rate_hz", "limit_ms"),
    [(8_000, 5), (16_000, 5), (32_000, 5), (48_000, 5), (24_000, 60), (44_100, 60)],
)
def test_the_lag_with_blocks_of_20_ms_is_bounded(rate_hz: int, limit_ms: int) -> None:
    resampler = StreamingResampler(rate_hz)
    block = rate_hz // 50
    given_ms, made, worst_ms = 0.0, 0, 0.0
    for part in np.split(tone(rate_hz, 300), np.arange(block, rate_hz, block)):
        made += len(resampler.push(part))
        given_ms += len(part) * 1000 / rate_hz
        worst_ms = max(worst_ms, given_ms - made / 16)
    assert worst_ms <= limit_ms
