"""What one run comes to: rows of figures, those that every system has and those of our events."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any

from bench.asr.calls import SIDES, BuiltCall
from bench.asr.measures import Delays, delays, drift_s_per_min, lost_at_end, percentile, word_errors
from bench.asr.playing import Outcome
from bench.results import Row

METRICS = {
    "first_seen_p50_s": "s",
    "first_seen_p95_s": "s",
    "committed_p50_s": "s",
    "committed_p95_s": "s",
    "final_after_end_p50_s": "s",
    "final_after_end_p95_s": "s",
    "match_rate": "share",
    "wer": "share",
    "wer_minus_offline": "points",
    "cpu_s_per_audio_s": "cores",
    "drift_s_per_min": "s/min",
    "drift_error_s_per_min": "s/min",
    "flicker": "share",
    "words_lost_at_end": "words",
    "utterances_unheard": "utterances",
    "peak_rss_mib": "MiB",
}
"""Unit of each figure that every system has."""
_TIMING = ("speech_started", "overlap_started", "cue_raised")


def common_rows(
    system: str,
    condition: str,
    calls: Sequence[BuiltCall],
    outcome: Outcome,
    offline_wer: float | None,
) -> Iterator[Row]:
    """Work out the figures that all systems have."""
    sides = [
        (call.words[side], heard.traces[side], call.text(side))
        for call, heard in zip(calls, outcome.heard, strict=True)
        for side in SIDES
    ]
    parts = [delays(words, trace) for words, trace, _ in sides]
    finals = [trace[-1].final if trace else "" for _, trace, _ in sides]
    errors = [word_errors(text, final) for (_, _, text), final in zip(sides, finals, strict=True)]
    said = sum(n for _, n in errors)
    wer = sum(e for e, _ in errors) / max(1, said)
    seconds = sum(call.seconds for call in calls)
    values = dict(_delay_values(parts))
    drift = drift_s_per_min([point for part in parts for point in part.committed_at])
    utterances = sum(len(part.final_after_end) for part in parts)
    values |= {
        "wer": (wer, said),
        "wer_minus_offline": (
            (None, 0) if offline_wer is None else (100 * (wer - offline_wer), said)
        ),
        "cpu_s_per_audio_s": (
            None if outcome.cpu_s is None else outcome.cpu_s / seconds,
            len(calls),
        ),
        "drift_s_per_min": (None if drift is None else drift[0], utterances),
        "drift_error_s_per_min": (None if drift is None else drift[1], utterances),
        "flicker": (
            sum(part.erased for part in parts) / max(1, sum(part.heard for part in parts)),
            len(parts),
        ),
        "words_lost_at_end": (
            sum(lost_at_end(words, f) for (words, _, _), f in zip(sides, finals, strict=True)),
            len(sides),
        ),
        "utterances_unheard": (
            sum(math.isinf(end) for part in parts for end in part.final_after_end),
            utterances,
        ),
        "peak_rss_mib": (outcome.peak_mib, len(calls)),
    }
    for metric, unit in METRICS.items():
        value, n = values[metric]
        yield Row(system, condition, metric, value, unit, n)


def _delay_values(parts: Sequence[Delays]) -> Iterator[tuple[str, tuple[float | None, int]]]:
    lists = {
        "first_seen": [d for part in parts for d in part.first_seen],
        "committed": [d for part in parts for d in part.committed],
        "final_after_end": [d for part in parts for d in part.final_after_end],
    }
    for name, late in lists.items():
        for share in (0.50, 0.95):
            yield f"{name}_p{100 * share:.0f}_s", (percentile(late, share), len(late))
    seen = lists["first_seen"]
    yield "match_rate", (sum(math.isfinite(d) for d in seen) / max(1, len(seen)), len(seen))


def own_rows(system: str, condition: str, outcome: Outcome) -> Iterator[Row]:
    """Work out what only our events tell: lost words, changed finals, the ladder, timing."""
    finals = [
        (id(heard), event)
        for heard in outcome.heard
        for _, event in heard.events
        if event["type"] == "final_transcript"
    ]
    newest = {(call, event["utterance_id"]): event for call, event in finals}
    n = len(newest)
    lost = sum(event["text"] is None for event in newest.values())
    again = sum("redecoded" in event["flags"] for _, event in finals)
    changed = len(finals) - n - again
    yield Row(system, condition, "utterances_lost", lost, "utterances", n)
    yield Row(system, condition, "finals_changed", changed, "finals", n)
    yield Row(system, condition, "redecoded_after_call", again, "utterances", n)
    yield from _ladder_rows(system, condition, outcome)
    late = [
        1000 * at_s - event["at_ms"]
        for heard in outcome.heard
        for at_s, event in heard.events
        if event["type"] in _TIMING
    ]
    for share in (0.50, 0.95):
        name = f"timing_delay_p{100 * share:.0f}_ms"
        yield Row(system, condition, name, percentile(late, share), "ms", len(late))


def _ladder_rows(system: str, condition: str, outcome: Outcome) -> Iterator[Row]:
    """Say how far the ladder rose, whether a level was left out, and the delays at each."""
    paths = [
        [event["level"] for _, event in heard.events if event["type"] == "recognition_changed"]
        for heard in outcome.heard
    ]
    steps = [b - a for path in paths for a, b in itertools.pairwise([0, *path])]
    highest = max((level for path in paths for level in path), default=0)
    yield Row(system, condition, "highest_asr_level", highest, "level", len(steps))
    jumps = sum(abs(step) > 1 for step in steps)
    yield Row(system, condition, "ladder_levels_jumped", jumps, "steps", len(steps))
    late: dict[int, dict[str, list[float]]] = {}
    for heard in outcome.heard:
        for at_s, event in heard.events:
            named = _delay_of(at_s, event)
            if named is not None:
                by_name = late.setdefault(event["asr_level"], {})
                by_name.setdefault(named[0], []).append(named[1])
    for level, by_name in sorted(late.items()):
        for name, values in sorted(by_name.items()):
            for share in (0.50, 0.95):
                metric = f"{name}_p{100 * share:.0f}_s"
                value = percentile(values, share)
                yield Row(system, f"{condition}_l{level}", metric, value, "s", len(values))


def _delay_of(at_s: float, event: dict[str, Any]) -> tuple[str, float] | None:
    """Name a transcript's delay: from the audio that it covers to its arrival."""
    if event["type"] == "partial_transcript":
        return "partial_age", at_s - event["audio_end_ms"] / 1000
    if event["type"] == "final_transcript" and "redecoded" not in event["flags"]:
        return "final_after_speech", at_s - event["end_ms"] / 1000
    return None
