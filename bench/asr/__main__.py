"""How late and how right words are, against peers on the same audio: `make bench-asr`.

Two-channel calls are built from a script (test voices, so every word's time is known), played in
20 ms frames at absolute times to `heartline serve` and to each peer, one system at a time, and
what a viewer was sent is compared with the script. `QUICK=1` plays shorter calls.
"""

from __future__ import annotations

import itertools
import sys
import time
from collections.abc import Iterator, Sequence

import msgspec

from bench.asr.calls import SIDES, BuiltCall, build_call, pauseless_call
from bench.asr.chart import draw
from bench.asr.measures import delays, drift_s_per_min, percentile, word_errors
from bench.asr.offline import hallucinations, offline_text, virtual_rows
from bench.asr.peers import PeerUnavailable
from bench.asr.systems import Heartline, Outcome, System, WhisperLive, WhisperLiveKit
from bench.results import OUT, Row, is_quick, write_results
from bench.speech_bank import SpeechBank

SEED = 3
_METRICS = {
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
    "flicker": "share",
    "peak_rss_mib": "MiB",
}


class Plan(msgspec.Struct, frozen=True):
    """Lengths of a run in seconds."""

    call: float
    load: float
    ablation: float
    noise: float
    """Of each kind, on the accelerated clock."""


FULL = Plan(call=100, load=60, ablation=30, noise=300)
QUICK = Plan(call=15, load=10, ablation=7, noise=10)

PEERS: tuple[System, ...] = (
    WhisperLiveKit("whisperlivekit"),
    WhisperLiveKit(
        "whisperlivekit_tuned",
        ("--asr-coalesce-min-s", "0.5", "--confidence-validation", "--buffer_trimming_sec", "8"),
    ),
    WhisperLive("whisper_live", 10),
    WhisperLive("whisper_live_tuned", 2),
)
ABLATIONS = {
    "context_3000": {"HEARTLINE_ASR__CONTEXT_FLOOR_FRAMES": "3000"},
    "hop_500": {"HEARTLINE_ASR__HOP_MS": "500"},
    "hop_1000": {"HEARTLINE_ASR__HOP_MS": "1000"},
    "no_agreement": {"HEARTLINE_ASR__AGREEMENT_PASSES": "1"},
    "no_speculation": {"HEARTLINE_ASR__SPECULATE_AFTER_MS": "10000"},
    "beam_1": {"HEARTLINE_ASR__BEAM_FINAL": "1"},
}


def main() -> None:
    """Run everything, print the table, write the JSON and the chart."""
    plan = QUICK if is_quick() else FULL
    began_s = time.monotonic()
    bank = SpeechBank()
    calls = []
    for index in range(8):
        _say(f"building call {index + 1} of 8")
        calls.append(build_call(bank, index, plan.load if index else plan.call, SEED))
    rows = list(_all_rows(plan, bank, calls))
    path = write_results("asr", rows, seed=SEED)
    chart = draw(rows, OUT / "asr.svg")
    minutes = (time.monotonic() - began_s) / 60
    print(f"{path}, {chart}; {minutes:.1f} minutes")


def _all_rows(plan: Plan, bank: SpeechBank, calls: Sequence[BuiltCall]) -> Iterator[Row]:
    one = calls[0]
    offline = {side: offline_text(one.samples[side]) for side in SIDES}
    errors = [word_errors(one.text(side), offline[side]) for side in SIDES]
    offline_wer = sum(e for e, _ in errors) / sum(n for _, n in errors)
    yield Row("offline_beam_5", "one_call", "wer", offline_wer, "share", _words([one]))
    for system in (Heartline(), *PEERS):
        yield from _run(system, "one_call", [one], offline_wer)
    loads = {"four_calls": [_cut(one, plan.load), *calls[1:4]]}
    loads["eight_calls"] = [*loads["four_calls"], *calls[4:]]
    loads["double_talk"] = [pauseless_call(bank, plan.load, SEED)]
    for condition, several in loads.items():
        yield from _run(Heartline(), condition, several, None)
    short = _cut(one, plan.ablation)
    yield from _run(Heartline("heartline_default"), "ablation", [short], None)
    for name, settings in ABLATIONS.items():
        yield from _run(Heartline(f"heartline_{name}", settings), "ablation", [short], None)
    _say("accelerated clock: noises and lines")
    yield from hallucinations(bank, plan.noise, SEED)
    yield from virtual_rows([one], SEED)


def _run(
    system: System, condition: str, calls: Sequence[BuiltCall], offline_wer: float | None
) -> Iterator[Row]:
    _say(f"{system.name}, {condition}, {calls[0].seconds:.0f} s")
    try:
        outcome = system.run(calls)
    except PeerUnavailable as error:
        _say(f"{system.name} was not run: {error}")
        yield from (Row(system.name, condition, m, None, f"not run: {error}", 0) for m in _METRICS)
        return
    yield from _rows(system.name, condition, calls, outcome, offline_wer)
    if isinstance(system, Heartline):
        yield from _own_rows(system.name, condition, outcome)


def _rows(
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
    seen = list(itertools.chain(*(part.first_seen for part in parts)))
    committed = list(itertools.chain(*(part.committed for part in parts)))
    ends = list(itertools.chain(*(part.final_after_end for part in parts)))
    errors = [word_errors(text, trace[-1].final if trace else "") for _, trace, text in sides]
    wer = sum(e for e, _ in errors) / max(1, sum(n for _, n in errors))
    seconds = sum(call.seconds for call in calls)
    drifts = [d for part in parts if (d := drift_s_per_min(part.committed_at)) is not None]
    values = {
        "first_seen_p50_s": (percentile(seen, 0.50), len(seen)),
        "first_seen_p95_s": (percentile(seen, 0.95), len(seen)),
        "committed_p50_s": (percentile(committed, 0.50), len(committed)),
        "committed_p95_s": (percentile(committed, 0.95), len(committed)),
        "final_after_end_p50_s": (percentile(ends, 0.50), len(ends)),
        "final_after_end_p95_s": (percentile(ends, 0.95), len(ends)),
        "match_rate": (sum(d < float("inf") for d in seen) / max(1, len(seen)), len(seen)),
        "wer": (wer, len(seen)),
        "wer_minus_offline": (
            None if offline_wer is None else 100 * (wer - offline_wer),
            len(seen),
        ),
        "cpu_s_per_audio_s": (
            None if outcome.cpu_s is None else outcome.cpu_s / seconds,
            len(calls),
        ),
        "drift_s_per_min": (sum(drifts) / len(drifts) if drifts else None, len(drifts)),
        "flicker": (
            sum(part.erased for part in parts) / max(1, sum(part.heard for part in parts)),
            len(parts),
        ),
        "peak_rss_mib": (outcome.peak_mib, len(calls)),
    }
    for metric, (value, n) in values.items():
        yield Row(system, condition, metric, value, _METRICS[metric], n)


def _own_rows(system: str, condition: str, outcome: Outcome) -> Iterator[Row]:
    """Work out what only our events tell: the ladder, lost words, and how late timing is."""
    events = [pair for heard in outcome.heard for pair in heard.events]
    finals = [e for _, e in events if e["type"] == "final_transcript"]
    newest = {(id(h), e["utterance_id"]): e for h in outcome.heard for _, e in h.events
              if e["type"] == "final_transcript"}  # fmt: skip
    lost = sum(e["text"] is None for e in newest.values())
    again = sum("redecoded" in e["flags"] for e in finals)
    yield Row(system, condition, "utterances_lost", lost, "utterances", len(newest))
    yield Row(
        system,
        condition,
        "finals_changed",
        len(finals) - len(newest) - again,
        "finals",
        len(newest),
    )
    yield Row(system, condition, "redecoded_after_call", again, "utterances", len(newest))
    levels = [e["level"] for _, e in events if e["type"] == "recognition_changed"]
    yield Row(system, condition, "highest_asr_level", max(levels, default=0), "level", len(levels))
    steps = [b - a for a, b in itertools.pairwise([0, *levels])]
    if len(outcome.heard) == 1:
        jumps = sum(step > 1 for step in steps)
        yield Row(system, condition, "ladder_levels_jumped", jumps, "steps", len(steps))
    for level in sorted({e["asr_level"] for e in finals}):
        late = [
            at_s - e["end_ms"] / 1000
            for at_s, e in events
            if e["type"] == "final_transcript"
            and e["asr_level"] == level
            and "redecoded" not in e["flags"]
        ]
        value = percentile(late, 0.5)
        yield Row(system, f"{condition}_l{level}", "final_after_end_p50_s", value, "s", len(late))
    cues = [
        1000 * at_s - e["at_ms"]
        for at_s, e in events
        if e["type"] in ("speech_started", "overlap_started", "cue_raised")
    ]
    yield Row(system, condition, "timing_delay_p95_ms", percentile(cues, 0.95), "ms", len(cues))


def _cut(call: BuiltCall, seconds: float) -> BuiltCall:
    """Return the beginning of a call, up to the last utterance that ends in time."""
    count = round(seconds * 16_000)
    samples = {side: call.samples[side][:count].copy() for side in SIDES}
    words = {}
    for side in SIDES:
        ends: dict[int, float] = {}
        for word in call.words[side]:
            ends[word.utterance] = word.end_s
        kept = {u for u, end_s in ends.items() if end_s <= seconds - 0.2}
        words[side] = [w for w in call.words[side] if w.utterance in kept]
        spoken_s = max((w.end_s for w in words[side]), default=0.0)
        samples[side][round((spoken_s + 0.1) * 16_000) :] *= 0.01
    return BuiltCall(samples, words)


def _words(calls: Sequence[BuiltCall]) -> int:
    return sum(len(call.words[side]) for call in calls for side in SIDES)


def _say(what: str) -> None:
    print(f"[{time.strftime('%H:%M:%S')}] {what}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
