"""What the benchmark counts: a word that never came is late for ever, a lost end is no error."""

from __future__ import annotations

import math

import pytest

from bench.asr.acceptance import lines
from bench.asr.calls import GoldWord
from bench.asr.measures import State, delays, drift_s_per_min, lost_at_end, percentile
from bench.results import Row

pytestmark = pytest.mark.unit


def said(text: str, utterance: int = 0, begin_s: float = 0.0) -> list[GoldWord]:
    """Half a second a word."""
    return [
        GoldWord(word, begin_s + 0.5 * i, begin_s + 0.5 * (i + 1), utterance)
        for i, word in enumerate(text.split())
    ]


def state(at_s: float, shown: str, committed: str = "", final: str = "") -> State:
    return State(at_s, committed, shown, final)


def test_a_word_is_seen_when_it_is_first_right_and_never_when_it_is_not() -> None:
    trace = [state(1.2, "we bill"), state(1.9, "we will"), state(3.0, "we will", "we will", "we")]
    heard = delays(said("we will send"), trace)
    assert heard.first_seen == [pytest.approx(0.7), pytest.approx(0.9), math.inf]
    assert heard.committed == [pytest.approx(2.5), pytest.approx(2.0), math.inf]
    assert heard.erased == 1


def test_an_utterance_without_a_right_word_in_its_final_was_not_heard() -> None:
    words = said("we will") + said("good bye", 1, 2.0)
    trace = [state(4.0, "we will", "we will", "we will")]
    assert delays(words, trace).final_after_end == [pytest.approx(3.0), math.inf]


def test_a_percentile_that_is_never_reached_has_no_value() -> None:
    assert percentile([0.5, 0.6, math.inf], 0.5) == 0.6
    assert percentile([0.5, 0.6, math.inf], 0.95) is None


@pytest.mark.parametrize(
    ("heard", "lost"),
    [
        ("please call me back", 0),
        ("please call me bark", 0),
        ("please call", 2),
        ("call me back", 0),
        ("", 4),
    ],
)
def test_words_are_lost_at_the_end_when_nothing_stands_for_them(heard: str, lost: int) -> None:
    assert lost_at_end(said("please call me back"), heard) == lost


def test_delays_that_grow_are_a_drift_and_those_that_scatter_are_not() -> None:
    growing = drift_s_per_min([(10.0 * i, 0.5 + 0.1 * i + 0.01 * (i % 2)) for i in range(8)])
    assert growing is not None
    assert growing[0] == pytest.approx(0.6, abs=0.01)
    assert growing[0] > 2 * growing[1]
    scattered = drift_s_per_min([(10.0 * i, 0.5 + 0.3 * (i % 2)) for i in range(8)])
    assert scattered is not None
    assert abs(scattered[0]) <= 2 * scattered[1]


def test_a_demand_is_met_by_its_figure_and_a_peer_that_never_gets_there_is_infinitely_late() -> (
    None
):
    rows = [
        Row("heartline", "one_call", "first_seen_p95_s", 1.0, "s", 50),
        Row("peer", "one_call", "first_seen_p95_s", None, "s", 50),
        Row("broken", "one_call", "first_seen_p95_s", None, "not run", 0),
        Row("heartline", "one_call", "finals_changed", 1, "finals", 9),
    ]
    met = {line.name: line.met for line in lines(rows)}
    assert met == {
        "first seen p95": True,
        "finals changed": False,
        "peer: first seen p95, peer / ours": True,
    }
