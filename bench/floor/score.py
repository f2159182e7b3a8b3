"""Holds predictions against the script, as TurnBench does: one to one, by commit time.

A prediction matches an interruption of the same speaker when it comes from 250 ms before its onset
to 3 s after it, and not later than the speaker's next event. A hard negative (a listening signal,
an overlapped turn end, a collision, or a turn that leaks into the other channel) is a false
positive when an unmatched prediction falls into the same window. Cues are matched the same way to
interruptions by the agent; every cue that is not matched is false.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec
import numpy as np

from bench.floor.script import PARTIES, Planted, Script
from conversation.events import (
    Channel,
    CueRaised,
    Event,
    OverlapEnded,
    OverlapUpdated,
    SpeechEnded,
)
from conversation.overlap_classes import COUNTED_CONFIDENCE, INTERRUPTING
from conversation.speech import bridged
from reports.spans import intersect, total_ms, union

_EARLY_MS, _LATE_MS = 250, 3_000
_SAME_ONSET_MS = 500
_RESAMPLES = 1_000
_CONFIRM_MS = 96
_JOIN_MS = 180
"""Holes inside an utterance, when the baseline asks who started later."""


class Prediction(msgspec.Struct, frozen=True):
    """`by` is said, at `at_ms`, to have come in on the other at `begin_ms`."""

    by: str
    at_ms: int
    begin_ms: int


class Tally(msgspec.Struct):
    """Sums of one call; every metric is a function of summed tallies."""

    positives: int = 0
    found: int = 0
    negatives: int = 0
    false_alarms: int = 0
    predictions: int = 0
    attributed: int = 0
    right_party: int = 0
    agent_positives: int = 0
    cues: int = 0
    true_cues: int = 0
    latencies_ms: list[int] = []
    call_ms: int = 0
    overlap_ms: int = 0
    overlap_off_ms: int = 0
    talk_ms: int = 0
    talk_off_ms: int = 0


Spans = dict[str, list[tuple[int, int]]]


def heard_speech(heard: Sequence[Event]) -> Spans:
    """Return the speech that the front end heard, by party."""
    return {
        party: union(
            (e.start_ms, e.end_ms)
            for e in heard
            if isinstance(e, SpeechEnded) and e.channel == party
        )
        for party in PARTIES
    }


def ours(events: Sequence[Event]) -> tuple[list[Prediction], list[Prediction]]:
    """Return what the core said of overlaps while they went on, and the cues it showed."""
    seen: set[str] = set()
    predictions = []
    for event in events:
        if (
            isinstance(event, OverlapUpdated)
            and event.overlap_class in INTERRUPTING
            and event.id not in seen
        ):
            seen.add(event.id)
            predictions.append(Prediction(event.by.value, event.at_ms, event.begin_ms))
    cues = [
        Prediction(Channel.AGENT.value, event.at_ms, event.at_ms)
        for event in events
        if isinstance(event, CueRaised) and event.rule == "talk_over"
    ]
    return predictions, cues


def reported(events: Sequence[Event]) -> list[Prediction]:
    """Return what the last pass counts as an interruption."""
    return [
        Prediction(event.by.value, event.begin_ms, event.begin_ms)
        for event in events
        if isinstance(event, OverlapEnded)
        and event.revision > 0
        and event.overlap_class in INTERRUPTING
        and event.confidence >= COUNTED_CONFIDENCE
    ]


def is_planted(event: OverlapEnded, script: Script) -> bool:
    """Return whether an interruption by the same party was planted where this one begins."""
    return any(
        planted.positive
        and planted.by == event.by.value
        and planted.begin_ms - _EARLY_MS <= event.begin_ms <= _until(planted, script)
        for planted in script.planted
    )


def longer_than(heard: Sequence[Event], limit_ms: int) -> list[Prediction]:
    """Return the baseline: any overlap that lasts `limit_ms`, by whoever started later."""
    speech = heard_speech(heard)
    both = intersect(speech["agent"], speech["customer"])
    whole = {party: bridged(spans, _JOIN_MS) for party, spans in speech.items()}
    predictions = []
    joined: list[tuple[int, int]] = []
    for begin, end in both:
        if joined and begin - joined[-1][1] <= 200:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((begin, end))
    for begin, end in joined:
        if end - begin < limit_ms:
            continue
        starts = {
            party: max((b for b, e in whole[party] if b <= begin < e), default=-1)
            for party in PARTIES
        }
        by = max(PARTIES, key=lambda party: starts[party])
        predictions.append(Prediction(by, begin + limit_ms + _CONFIRM_MS, begin))
    return predictions


def tally(
    script: Script,
    heard: Sequence[Event],
    predictions: Sequence[Prediction],
    cues: Sequence[Prediction],
    *,
    leaks: bool = False,
) -> Tally:
    """Hold one call's predictions and cues against its script."""
    result = Tally(call_ms=script.duration_ms, latencies_ms=[])
    negatives = [p for p in script.planted if not p.positive]
    if leaks:
        negatives += _leaks(script)
    for party in PARTIES:
        mine = sorted((p for p in predictions if p.by == party), key=lambda p: p.at_ms)
        wanted = [p for p in script.planted if p.by == party and p.positive]
        claimed, left = _match(mine, wanted, script)
        result.positives += len(wanted)
        result.found += len(claimed)
        result.predictions += len(mine)
        for negative in (n for n in negatives if n.by == party):
            first, last = negative.begin_ms - _EARLY_MS, _until(negative, script)
            result.negatives += 1
            result.false_alarms += any(first <= p.at_ms <= max(last, negative.end_ms) for p in left)
    for planted in (p for p in script.planted if p.positive):
        near = [p for p in predictions if abs(p.begin_ms - planted.begin_ms) <= _SAME_ONSET_MS]
        if near:
            result.attributed += 1
            result.right_party += near[0].by == planted.by
    wanted = [p for p in script.planted if p.by == "agent" and p.positive]
    claimed, _ = _match(sorted(cues, key=lambda c: c.at_ms), wanted, script)
    result.agent_positives = len(wanted)
    result.cues, result.true_cues = len(cues), len(claimed)
    result.latencies_ms = [cue.at_ms - planted.begin_ms for cue, planted in claimed]
    _times(result, script, heard)
    return result


def _match(
    predictions: Sequence[Prediction], wanted: Sequence[Planted], script: Script
) -> tuple[list[tuple[Prediction, Planted]], list[Prediction]]:
    free = list(wanted)
    claimed, left = [], []
    for prediction in predictions:
        fit = next(
            (
                planted
                for planted in free
                if planted.begin_ms - _EARLY_MS <= prediction.at_ms <= _until(planted, script)
            ),
            None,
        )
        if fit is None:
            left.append(prediction)
        else:
            free.remove(fit)
            claimed.append((prediction, fit))
    return claimed, left


def _until(planted: Planted, script: Script) -> int:
    following = [
        p.begin_ms for p in script.planted if p.by == planted.by and p.begin_ms > planted.begin_ms
    ]
    return min([planted.begin_ms + _LATE_MS, *following])


def _leaks(script: Script) -> list[Planted]:
    """Return every turn as a span in which the other channel holds nothing but leakage."""
    return [
        Planted(
            "customer" if item.party == "agent" else "agent", "bleed", item.begin_ms, item.end_ms
        )
        for item in script.said
        if item.role == "turn"
        and not any(
            other.party != item.party
            and other.begin_ms < item.end_ms + _LATE_MS
            and item.begin_ms - _EARLY_MS < other.end_ms
            for other in script.said
        )
    ]


def _times(result: Tally, script: Script, heard: Sequence[Event]) -> None:
    measured = heard_speech(heard)
    true = {party: script.speech(party) for party in PARTIES}
    for party in PARTIES:
        result.talk_ms += total_ms(true[party])
        result.talk_off_ms += abs(total_ms(measured[party]) - total_ms(true[party]))
    overlap_ms = total_ms(intersect(true["agent"], true["customer"]))
    result.overlap_ms = overlap_ms
    result.overlap_off_ms = abs(
        total_ms(intersect(measured["agent"], measured["customer"])) - overlap_ms
    )


# ------------------------------------------------------------------ metrics

Metric = Callable[[Sequence[Tally]], float | None]


def _share(top: str, bottom: str) -> Metric:
    def metric(tallies: Sequence[Tally]) -> float | None:
        total = sum(getattr(t, bottom) for t in tallies)
        return sum(getattr(t, top) for t in tallies) / total if total else None

    return metric


def _false_per_10min(tallies: Sequence[Tally]) -> float | None:
    false = sum(t.cues - t.true_cues for t in tallies)
    return false * 600_000 / sum(t.call_ms for t in tallies)


def _latency(q: float) -> Metric:
    def metric(tallies: Sequence[Tally]) -> float | None:
        latencies = [ms for t in tallies for ms in t.latencies_ms]
        return float(np.quantile(latencies, q)) / 1000 if latencies else None

    return metric


METRICS: dict[str, tuple[Metric, str, str]] = {
    "recall": (_share("found", "positives"), "share", "positives"),
    "fpr": (_share("false_alarms", "negatives"), "share", "negatives"),
    "precision": (_share("true_cues", "cues"), "share", "cues"),
    "event_precision": (_share("found", "predictions"), "share", "predictions"),
    "cue_recall": (_share("true_cues", "agent_positives"), "share", "agent_positives"),
    "false_cues_per_10min": (_false_per_10min, "1/10 min", "cues"),
    "cue_latency_p50_s": (_latency(0.5), "s", "true_cues"),
    "cue_latency_p95_s": (_latency(0.95), "s", "true_cues"),
    "initiator_accuracy": (_share("right_party", "attributed"), "share", "attributed"),
    "overlap_error": (_share("overlap_off_ms", "overlap_ms"), "share", "positives"),
    "talk_error": (_share("talk_off_ms", "talk_ms"), "share", "positives"),
}
"""Every figure: how it follows from tallies, its unit, and the tally that says what it rests on."""


def interval(metric: Metric, tallies: Sequence[Tally], seed: int) -> tuple[float, float] | None:
    """Return the 95 % interval of a metric, bootstrapped by call."""
    random = np.random.default_rng(seed)
    values = []
    for _ in range(_RESAMPLES):
        drawn = [tallies[i] for i in random.integers(0, len(tallies), len(tallies))]
        value = metric(drawn)
        if value is not None:
            values.append(value)
    if not values:
        return None
    low, high = np.quantile(values, (0.025, 0.975))
    return float(low), float(high)
