"""What was asked of live recognition, line by line, beside what a run measured."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import partial

import msgspec
from rich.console import Console
from rich.table import Table

from bench.results import Row

_NOISES = ("silence", "music", "keyboard", "babble")
_RATIOS = (
    ("first_seen_p50_s", "first seen p50, peer / ours", 1.0),
    ("first_seen_p95_s", "first seen p95, peer / ours", 2.0),
    ("final_after_end_p50_s", "end of utterance to final p50, peer / ours", 3.0),
    ("cpu_s_per_audio_s", "processor time, peer / ours", 2.0),
)


class Line(msgspec.Struct, frozen=True):
    """One demand."""

    name: str
    value: float
    """Infinite where a percentile was never reached."""
    target: str
    met: bool


class _Figures:
    """Rows by name."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._rows = {(r.system, r.condition, r.metric): r for r in rows}
        self.systems = tuple(dict.fromkeys(r.system for r in rows if r.condition == "one_call"))

    def get(self, system: str, condition: str, metric: str) -> float | None:
        """Return a figure, infinite where it was measured and never reached, None without one."""
        row = self._rows.get((system, condition, metric))
        if row is None or row.n == 0:
            return None
        return math.inf if row.value is None else row.value

    def ours(self, condition: str, metric: str) -> float | None:
        """Return a figure of ours."""
        return self.get("heartline", condition, metric)


def lines(rows: Sequence[Row]) -> list[Line]:
    """Judge the demands that the rows have figures for."""
    figures = _Figures(rows)
    return [
        *_one_call(figures),
        *_peers(figures),
        *_noises(figures),
        *_capacity(figures),
    ]


def show(demands: Sequence[Line]) -> None:
    """Print the demands as a table."""
    table = Table("Demand", "Measured", "Target", "Met")
    for line in demands:
        table.add_row(line.name, _text(line.value), line.target, _met(line).strip("*"))
    Console().print(table)


def markdown(demands: Sequence[Line]) -> str:
    """Return the demands as a table for docs/benchmarks.md."""
    body = "".join(
        f"| {line.name} | {_text(line.value)} | {line.target} | {_met(line)} |\n"
        for line in demands
    )
    return f"| demand | measured | target | met |\n|---|---|---|---|\n{body}"


def _met(line: Line) -> str:
    return "yes" if line.met else "**no**"


def _text(value: float) -> str:
    return "never" if math.isinf(value) else f"{value:.3g}"


def _at_most(name: str, value: float | None, limit: float, unit: str = "") -> Iterator[Line]:
    if value is not None:
        yield Line(name, value, f"≤ {limit:g} {unit}".rstrip(), value <= limit)


def _one_call(figures: _Figures) -> Iterator[Line]:
    one = partial(figures.ours, "one_call")
    yield from _at_most("first seen p50", one("first_seen_p50_s"), 0.70, "s")
    yield from _at_most("first seen p95", one("first_seen_p95_s"), 1.3, "s")
    yield from _at_most("committed p50", one("committed_p50_s"), 1.3, "s")
    yield from _at_most("end of utterance to final p50", one("final_after_end_p50_s"), 0.9, "s")
    yield from _at_most("end of utterance to final p95", one("final_after_end_p95_s"), 1.5, "s")
    yield from _at_most("final WER - offline, live", one("wer_minus_offline"), 1.0, "points")
    wider = figures.ours("clean_virtual", "wer_minus_offline")
    yield from _at_most("final WER - offline, more calls", wider, 1.0, "points")
    yield from _at_most("finals changed", one("finals_changed"), 0)
    yield from _at_most("words lost at the end", one("words_lost_at_end"), 0)
    cut = figures.ours("hung_up", "words_lost_at_end")
    yield from _at_most("words lost at the end, line cut with the last word", cut, 0)
    drift, error = one("drift_s_per_min"), one("drift_error_s_per_min")
    if drift is not None and error is not None:
        target = f"≤ 2 standard errors ({2 * error:.2g} s/min)"
        yield Line("drift, s/min", drift, target, drift <= 2 * error)
    cut = figures.ours("hung_up", "utterances_lost")
    yield from _at_most("both talk all the time: utterances lost", cut, 0)


def _peers(figures: _Figures) -> Iterator[Line]:
    for peer in figures.systems:
        for metric, name, factor in _RATIOS:
            ours, theirs = (figures.get(s, "one_call", metric) for s in ("heartline", peer))
            if peer == "heartline" or ours is None or theirs is None or not math.isfinite(ours):
                continue
            ratio = theirs / ours
            met = ratio > factor if factor == 1 else ratio >= factor
            yield Line(f"{peer}: {name}", ratio, f"{'>' if factor == 1 else '≥'} {factor:g}", met)
        ours, theirs = (figures.get(s, "one_call", "wer") for s in ("heartline", peer))
        if peer not in ("heartline", "offline_beam_5") and ours is not None and theirs is not None:
            points = 100 * (ours - theirs)
            yield from _at_most(f"{peer}: WER, ours - peer's", points, 0.0, "points")


def _noises(figures: _Figures) -> Iterator[Line]:
    counts = {noise: figures.ours(noise, "hallucinated_words") for noise in _NOISES}
    for noise, count in counts.items():
        yield from _at_most(f"hallucinated words, {noise}", count, 1)
    known = [count for count in counts.values() if count is not None]
    if len(known) == len(_NOISES):
        yield from _at_most("hallucinated words, all four", sum(known), 1)


def _capacity(figures: _Figures) -> Iterator[Line]:
    for metric in ("utterances_lost", "utterances_unheard", "words_lost_at_end"):
        value = figures.ours("four_calls", metric)
        yield from _at_most(f"four calls: {metric.replace('_', ' ')}", value, 0)
    for condition, words in (("four_calls", "four calls"), ("eight_calls", "eight calls")):
        jumped = figures.ours(condition, "ladder_levels_jumped")
        yield from _at_most(f"{words}: ladder levels left out", jumped, 0)
    highest = figures.ours("eight_calls", "highest_asr_level")
    if highest is not None:
        yield Line("eight calls: the ladder acts, highest level", highest, "≥ 1", highest >= 1)
    alone, crowded = (
        figures.ours(condition, "timing_delay_p95_ms") for condition in ("one_call", "eight_calls")
    )
    if alone is not None and crowded is not None:
        yield from _at_most("eight calls: timing p95 change", crowded - alone, 50, "ms")
