"""How late and how right words are, against peers on the same audio: `make bench-asr`.

Two-channel calls are built from a script (test voices, so every word's time is known), played in
20 ms frames at absolute times to `heartline serve` and to each peer, one system at a time, and
what a viewer was sent is compared with the script. At the end every demand stands beside what was
measured.

`PARTS` chooses among `latency`, `peers`, `words`, `noise`, `capacity` and `ablation`, separated by
commas; without it everything but the ablations runs, in about 15 minutes. `QUICK=1` plays shorter
calls.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Sequence
from functools import cached_property

import msgspec

from bench.asr import acceptance
from bench.asr.calls import SIDES, BuiltCall, beginning, build_call, hung_up, pauseless_call
from bench.asr.chart import draw
from bench.asr.figures import METRICS, common_rows, own_rows
from bench.asr.heartline import Heartline
from bench.asr.measures import word_errors
from bench.asr.offline import hallucinations, offline_text, virtual_rows
from bench.asr.peers import PeerUnavailable
from bench.asr.playing import System
from bench.asr.rivals import WhisperLive, WhisperLiveKit
from bench.results import OUT, Row, is_quick, write_results
from bench.speech_bank import SpeechBank

SEED = 3
PARTS = ("latency", "peers", "words", "noise", "capacity")
"""What runs unless something else is asked for."""
_CALLS = 8


class Plan(msgspec.Struct, frozen=True):
    """Lengths of a run in seconds."""

    call: float
    both: float
    """Of the call in which both talk all the time."""
    four: float
    eight: float
    words: float
    """Of each of the calls on the accelerated clock."""
    ablation: float
    noise: float
    """Of each kind, on the accelerated clock."""


FULL = Plan(call=80, both=25, four=35, eight=45, words=75, ablation=30, noise=300)
QUICK = Plan(call=15, both=10, four=10, eight=15, words=30, ablation=7, noise=30)

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
    """Run the parts, print the tables, write the JSON and the chart."""
    parts = _parts()
    if not sys.stdout.isatty():
        os.environ.setdefault("COLUMNS", "120")
    began_s = time.monotonic()
    rows = list(_Run(QUICK if is_quick() else FULL).rows(parts))
    name = "asr" if parts == PARTS else f"asr-{'-'.join(parts)}"
    path = write_results(name, rows, seed=SEED)
    acceptance.show(acceptance.lines(rows))
    written = [path]
    if "peers" in parts:
        written.append(draw(rows, OUT / f"{name}.svg"))
    minutes = (time.monotonic() - began_s) / 60
    print(f"{', '.join(map(str, written))}; {minutes:.1f} minutes")


def _parts() -> tuple[str, ...]:
    asked = [part.strip() for part in os.environ.get("PARTS", "").split(",") if part.strip()]
    known = (*PARTS, "ablation")
    for part in asked:
        if part not in known:
            raise SystemExit(f"PARTS has {part!r}; use some of {', '.join(known)}.")
    return tuple(part for part in known if part in asked) if asked else PARTS


class _Run:
    """The parts, over calls that are built when they are first needed."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._bank = SpeechBank()
        self._longest_s = max(plan.call, plan.words, plan.four, plan.eight)

    @cached_property
    def _calls(self) -> list[BuiltCall]:
        calls = []
        for index in range(_CALLS):
            _say(f"building call {index + 1} of {_CALLS}")
            calls.append(build_call(self._bank, index, self._longest_s, SEED))
        return calls

    @cached_property
    def _one(self) -> BuiltCall:
        return beginning(self._calls[0], self._plan.call)

    def rows(self, parts: Sequence[str]) -> Iterator[Row]:
        """Run the parts in order."""
        if "latency" in parts or "peers" in parts:
            yield from self._one_call(PEERS if "peers" in parts else ())
        if "latency" in parts:
            both = hung_up(pauseless_call(self._bank, self._plan.both, SEED))
            yield from _run(Heartline(), "hung_up", [both], None)
        if "capacity" in parts:
            yield from self._capacity(alone="latency" not in parts and "peers" not in parts)
        if "noise" in parts:
            _say("noise, accelerated clock")
            yield from hallucinations(self._bank, self._plan.noise, SEED)
        if "words" in parts:
            _say("words, accelerated clock")
            calls = [beginning(call, self._plan.words) for call in self._calls[:4]]
            yield from virtual_rows(calls, SEED)
        if "ablation" in parts:
            yield from self._ablations()

    def _one_call(self, peers: Sequence[System]) -> Iterator[Row]:
        one = self._one
        offline = {side: offline_text(one.samples[side]) for side in SIDES}
        errors = [word_errors(one.text(side), offline[side]) for side in SIDES]
        said = sum(n for _, n in errors)
        offline_wer = sum(e for e, _ in errors) / said
        yield Row("offline_beam_5", "one_call", "wer", offline_wer, "share", said)
        for system in (Heartline(), *peers):
            yield from _run(system, "one_call", [one], offline_wer)

    def _capacity(self, *, alone: bool) -> Iterator[Row]:
        if alone:
            # What the timing of eight calls is compared with.
            yield from _run(Heartline(), "one_call", [beginning(self._one, 30)], None)
        for condition, count, seconds in (
            ("four_calls", 4, self._plan.four),
            ("eight_calls", 8, self._plan.eight),
        ):
            calls = [beginning(call, seconds) for call in self._calls[:count]]
            yield from _run(Heartline(), condition, calls, None)

    def _ablations(self) -> Iterator[Row]:
        short = beginning(self._one, self._plan.ablation)
        yield from _run(Heartline("heartline_default"), "ablation", [short], None)
        for name, settings in ABLATIONS.items():
            yield from _run(Heartline(f"heartline_{name}", settings), "ablation", [short], None)


def _run(
    system: System, condition: str, calls: Sequence[BuiltCall], offline_wer: float | None
) -> Iterator[Row]:
    _say(f"{system.name}, {condition}, {calls[0].seconds:.0f} s")
    try:
        outcome = system.run(calls)
    except PeerUnavailable as error:
        _say(f"{system.name} was not run: {error}")
        yield from (Row(system.name, condition, m, None, f"not run: {error}", 0) for m in METRICS)
        return
    yield from common_rows(system.name, condition, calls, outcome, offline_wer)
    if isinstance(system, Heartline):
        yield from own_rows(system.name, condition, outcome)


def _say(what: str) -> None:
    print(f"[{time.strftime('%H:%M:%S')}] {what}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
