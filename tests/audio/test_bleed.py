"""What leaks from one channel into the other is found, measured and masked."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audio.bleed import STEP_MS, BleedGate
from audio.segments import WINDOW_MS
from audio.settings import BleedSettings
from conversation.events import Channel, ChannelQuality

pytestmark = pytest.mark.unit
AGENT, CUSTOMER = Channel.AGENT, Channel.CUSTOMER
STEPS = WINDOW_MS // STEP_MS
SECONDS = 24
NOISE_DB = -62.0
Levels = npt.NDArray[np.float64]


def talk(seed: int, turns: list[tuple[float, float]]) -> Levels:
    """Levels (dB) of someone who speaks in the given turns (s), in steps of 8 ms."""
    random = np.random.default_rng(seed)
    count = SECONDS * 1000 // STEP_MS
    syllables = np.convolve(random.standard_normal(count), np.hanning(25), mode="same")
    speech = -32 + 8 * syllables / np.std(syllables)
    levels = NOISE_DB + random.standard_normal(count)
    for begin_s, end_s in turns:
        inside = slice(round(begin_s * 1000) // STEP_MS, round(end_s * 1000) // STEP_MS)
        levels[inside] = np.maximum(levels[inside], speech[inside])
    return levels


def leaking(own: Levels, source: Levels, loss_db: float, lag_ms: int) -> Levels:
    lag = lag_ms // STEP_MS
    late = np.concatenate([np.full(lag, NOISE_DB), source[: len(source) - lag]])
    power = 10 ** (own / 10) + 10 ** ((late - loss_db) / 10)
    return np.asarray(10 * np.log10(power))


def judged(
    agent: Levels, customer: Levels
) -> tuple[list[ChannelQuality], dict[Channel, list[bool]]]:
    gate = BleedGate(BleedSettings())
    found: list[ChannelQuality] = []
    own: dict[Channel, list[bool]] = {AGENT: [], CUSTOMER: []}
    for window in range(len(agent) // STEPS):
        begin_ms = window * WINDOW_MS
        steps = {
            channel: tuple(float(x) for x in levels[window * STEPS : (window + 1) * STEPS])
            for channel, levels in ((AGENT, agent), (CUSTOMER, customer))
        }
        for channel, values in steps.items():
            gate.hear(channel, begin_ms, values)
        for channel, values in steps.items():
            found += gate.due(channel, begin_ms, begin_ms + WINDOW_MS)
            own[channel].append(gate.own(channel, begin_ms, values))
    return found, own


AGENT_TURNS = [(0.5, 4.0), (9.0, 13.0), (18.0, 20.0)]
CUSTOMER_TURNS = [(4.3, 8.7), (12.0, 17.5), (20.3, 23.5)]


@pytest.mark.parametrize(
    ("loss_db", "lag_ms", "grade"), [(20.0, 64, "B"), (27.0, 480, "B"), (12.0, 200, "C")]
)
def test_the_loss_and_the_lag_of_an_echo_are_measured(
    loss_db: float, lag_ms: int, grade: str
) -> None:
    agent = talk(1, AGENT_TURNS)
    customer = leaking(talk(2, CUSTOMER_TURNS), agent, loss_db, lag_ms)
    found, _ = judged(agent, customer)
    last = [q for q in found if q.channel is CUSTOMER][-1]
    assert last.bleed_grade == grade
    assert last.echo_return_loss_db == pytest.approx(loss_db, abs=2.0)
    assert last.lag_ms == pytest.approx(lag_ms, abs=STEP_MS)
    assert [q.bleed_grade for q in found if q.channel is AGENT][-1] == "A"


def test_the_echo_is_masked_and_own_speech_is_kept() -> None:
    agent, own_speech = talk(1, AGENT_TURNS), talk(2, CUSTOMER_TURNS)
    _, own = judged(agent, leaking(own_speech, agent, 20.0, 200))
    echo = range(9_400 // WINDOW_MS, 11_900 // WINDOW_MS)
    assert np.mean([own[CUSTOMER][i] for i in echo]) < 0.15
    speech = range(13_400 // WINDOW_MS, 17_400 // WINDOW_MS)
    assert np.mean([own[CUSTOMER][i] for i in speech]) > 0.95
    both = range(12_300 // WINDOW_MS, 12_900 // WINDOW_MS)
    assert np.mean([own[CUSTOMER][i] for i in both]) > 0.5


def test_people_who_take_turns_or_talk_at_once_do_not_leak() -> None:
    found, own = judged(talk(1, AGENT_TURNS), talk(2, CUSTOMER_TURNS))
    assert {q.bleed_grade for q in found if q.at_ms > 10_000} <= {"A", None}
    settled = 12_000 // WINDOW_MS
    assert all(all(values[settled:]) for values in own.values())
    first_turn = range(4_400 // WINDOW_MS, 8_700 // WINDOW_MS)
    assert np.mean([own[CUSTOMER][i] for i in first_turn]) > 0.9


def test_before_the_first_estimate_a_faint_copy_is_no_speech_and_an_answer_is() -> None:
    agent = talk(1, [(0.3, 1.9)])
    _, own = judged(agent, leaking(talk(2, [(1.0, 1.6)]), agent, 26.0, 120))
    echo = [own[CUSTOMER][i] for i in range(500 // WINDOW_MS, 950 // WINDOW_MS)]
    assert np.mean(echo) < 0.1
    answer = [own[CUSTOMER][i] for i in range(1_050 // WINDOW_MS, 1_550 // WINDOW_MS)]
    assert np.mean(answer) > 0.8


def test_the_echo_of_the_first_speaker_does_not_prove_that_nothing_comes_back() -> None:
    agent, customer = talk(1, [(0.5, 8.0), (15.0, 19.0)]), talk(2, [(8.4, 14.6), (19.4, 23.5)])
    found, own = judged(leaking(agent, customer, 24.0, 424), leaking(customer, agent, 20.0, 48))
    answer = range(9_200 // WINDOW_MS, 14_600 // WINDOW_MS)
    assert np.mean([own[AGENT][i] for i in answer]) < 0.15
    assert "A" not in {quality.bleed_grade for quality in found}


def test_noise_is_no_speech_beside_a_leak_and_in_its_pauses() -> None:
    words = [(8.0 + 0.4 * i, 8.2 + 0.4 * i) for i in range(10)]
    agent = talk(1, [(0.5, 7.0), *words])
    customer = leaking(talk(2, [(15.0, 19.0)]), agent, 26.0, 200)
    _, own = judged(agent, customer)
    pauses = range(8_300 // WINDOW_MS, 12_000 // WINDOW_MS)
    assert np.mean([own[CUSTOMER][i] for i in pauses]) < 0.1
    long_after = range(13_000 // WINDOW_MS, 14_900 // WINDOW_MS)
    assert all(own[CUSTOMER][i] for i in long_after)


def test_a_leak_is_remembered_while_nothing_speaks_against_it() -> None:
    agent = talk(1, [(0.5, 3.0), (6.0, 23.0)])
    hidden = leaking(talk(2, [(5.5, 24.0)]), agent, 20.0, 200)
    found, _ = judged(agent, hidden)
    last = [q for q in found if q.channel is CUSTOMER][-1]
    assert last.bleed_grade != "A"
    assert last.lag_ms == pytest.approx(200, abs=3 * STEP_MS)
    leak = leaking(talk(2, []), agent, 20.0, 200)
    half = 5_000 // STEP_MS
    found, _ = judged(agent, np.concatenate([leak[:half], talk(3, [])[half:]]))
    assert [q.bleed_grade for q in found if q.channel is CUSTOMER][-1] == "A"


def test_one_signal_on_both_channels_is_told() -> None:
    agent = talk(1, AGENT_TURNS + CUSTOMER_TURNS)
    found, _ = judged(agent, agent + 0.3)
    assert any("same_signal" in quality.flags for quality in found)
    apart, _ = judged(talk(1, AGENT_TURNS), talk(2, CUSTOMER_TURNS))
    assert not any(quality.flags for quality in apart)


def test_a_window_waits_for_the_other_channel_and_not_for_its_end() -> None:
    gate = BleedGate(BleedSettings())
    gate.hear(AGENT, 0, (-60.0,) * STEPS)
    assert not gate.ready(AGENT, WINDOW_MS)
    gate.hear(CUSTOMER, 0, (-60.0,) * STEPS)
    assert gate.ready(AGENT, WINDOW_MS)
    gate.end(CUSTOMER)
    assert gate.ready(AGENT, 10**9)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 20_000))
def test_unknown_time_is_no_leak(seed: int, gap_ms: int) -> None:
    gate = BleedGate(BleedSettings())
    levels = talk(seed, AGENT_TURNS)
    begin_ms = gap_ms // WINDOW_MS * WINDOW_MS
    for window in range(len(levels) // STEPS):
        at_ms = window * WINDOW_MS
        values = tuple(float(x) for x in levels[window * STEPS : (window + 1) * STEPS])
        gate.hear(AGENT, at_ms, values)
        if at_ms == begin_ms:
            gate.skip(CUSTOMER, at_ms + 3_000)
        assert gate.own(AGENT, at_ms, values)
