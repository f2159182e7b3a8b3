"""The usual voice: how far a pitch may move before it is news."""

import numpy as np
import pytest

from prosody.baseline import READY, Baseline, WindowValues
from prosody.settings import ProsodySettings

SETTINGS = ProsodySettings()


def learnt(spread_st: float, seconds: float) -> Baseline:
    """Return a baseline that heard so much speech, whose pitch moves so far around 24 semitones."""
    baseline = Baseline(SETTINGS)
    rng = np.random.default_rng(2)
    for _ in range(round(seconds / 0.24)):
        f0 = 24.0 + float(rng.normal(0, spread_st))
        baseline.learn(WindowValues(-8.0, -6.0, -30.0, f0), 240)
    return baseline


def spread(baseline: Baseline) -> float:
    """Return the spread by which pitch is judged, semitones."""
    delta, z = baseline.delta("f0_st", 28.0), baseline.z("f0_st", 28.0)
    assert delta is not None
    assert z is not None
    return delta / z


def test_a_few_even_phrases_do_not_make_a_talker_even() -> None:
    few = learnt(0.0, 9)
    assert few.state == READY
    heard = 9.12 / 1.5
    expected = (5 * 2.2**2 / (5 + heard)) ** 0.5
    assert spread(few) == pytest.approx(expected, rel=0.02)
    assert spread(few) > spread(learnt(0.0, 60)) >= SETTINGS.f0_floor_st


def test_a_lively_talker_is_known_as_one_the_better_the_longer_they_are_heard() -> None:
    early, late = spread(learnt(5.0, 10)), spread(learnt(5.0, 240))
    assert 2.2 < early < late


def test_after_a_hold_fewer_phrases_count_again() -> None:
    baseline = learnt(0.0, 60)
    before = spread(baseline)
    baseline.reset_to_warm()
    assert spread(baseline) > before
