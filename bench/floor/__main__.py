"""How well the floor of a call is understood: `python -m bench.floor` or `make bench-floor`.

Sixty calls of voices, texts and seeds that nothing was tuned on, half of them without any
interruption, over a clean line and again over each of four bad ones. Prints one table and writes
`bench/out/floor.json`; `QUICK=1` takes eight calls. `--split development`, and `seen`, `retired`,
`spent` and `known`, which were test splits once, are for tuning. `--prepare` speaks and hears the
calls and scores nothing.

`recall` and `fpr` are about what is said of an overlap while it goes on, by either party;
`precision`, `false_cues_per_10min` and latencies are about the cue "Let them finish". The rows of
`heartline_report` are about what the report says after the call. `_low` and
`_high` are the ends of 95 % intervals, bootstrapped by call. A baseline shows a cue whenever the
agent is the one who came in.
"""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from pathlib import Path

import msgspec
from rich.console import Console
from rich.progress import Progress

from audio.vad import VoiceActivity
from bench.floor.hear import front_end_version, hear, keep, kept, observations
from bench.floor.line import CONDITIONS, Condition, extra_rtt_ms, through_the_line
from bench.floor.peer import peer_predictions, peer_python
from bench.floor.score import (
    METRICS,
    Prediction,
    Tally,
    interval,
    longer_than,
    ours,
    reported,
    tally,
)
from bench.floor.script import Script, write_script
from bench.results import Row, is_quick, write_results
from bench.speech_bank import SpeechBank
from conversation.conversation import Conversation
from conversation.cue_engine import CueEngine
from conversation.events import Event, SpeechEnded
from conversation.settings import ConversationSettings, RoundTrips

SEEDS = {
    "development": 1_000,
    "seen": 93_000,
    "retired": 264_000,
    "spent": 417_000,
    "known": 558_000,
    "test": 809_000,
}
_CALLS, _QUICK_CALLS, _SECONDS = 60, 8, 150.0
_CACHE = Path("bench/out/floor")
_BASELINES = {"overlap_0_5s": 500, "overlap_1s": 1_000, "overlap_3s": 3_000}


class Case(msgspec.Struct):
    """One call over one line."""

    script: Script
    condition: Condition
    heard: list[Event]


class _NoActs:
    """Hears no acts: they have no part in the floor."""

    def observe(self, event: object) -> list[object]:
        return []


def cases(split: str, calls: int, conditions: Sequence[Condition], jobs: int = 1) -> list[Case]:
    """Write, transmit and hear the calls; what was heard is kept for the next run."""
    wanted = [(split, number, condition) for number in range(calls) for condition in conditions]
    made = []
    with (
        ProcessPoolExecutor(jobs) as pool,
        Progress(console=Console(stderr=True), transient=True) as progress,
    ):
        task = progress.add_task("hearing", total=len(wanted))
        for case in pool.map(_case, wanted):
            made.append(case)
            progress.advance(task)
    return made


@cache
def _tools() -> tuple[SpeechBank, VoiceActivity]:
    vad = VoiceActivity()
    vad.load()
    return SpeechBank(), vad


def _case(wanted: tuple[str, int, Condition]) -> Case:
    split, number, condition = wanted
    bank, vad = _tools()
    seed = SEEDS[split] + number
    rtt_ms = extra_rtt_ms(seed) if condition.delayed else 0
    null = bool(number % 2)
    script = write_script(bank, split, seed, null=null, seconds=_SECONDS, rtt_ms=rtt_ms)
    path = _CACHE / f"{split}-{seed}-{condition.name}-{_version()}.jsonl"
    heard = kept(path)
    if heard is None:
        heard = hear(through_the_line(script, condition), vad)
        keep(path, heard)
    return Case(script, condition, heard)


@cache
def _version() -> str:
    digest = hashlib.sha256(front_end_version().encode())
    for name in ("script.py", "said.py", "line.py", "texts.toml", "bank.py"):
        digest.update(Path(__file__).with_name(name).read_bytes())
    return digest.hexdigest()[:12]


def settings_for(case: Case, base: ConversationSettings | None = None) -> ConversationSettings:
    """Return settings that know the round trip of the call, as RTCP would tell it."""
    base = base or ConversationSettings()
    trips = base.interruptions.rtt_ms
    trips = RoundTrips(agent=trips.agent, customer=max(trips.customer, case.script.rtt_ms))
    interruptions = msgspec.structs.replace(base.interruptions, rtt_ms=trips)
    return msgspec.structs.replace(base, interruptions=interruptions)


def judge(case: Case, settings: ConversationSettings, *, words: bool) -> list[Event]:
    """Run the core over one call on the virtual clock; return what follows, the last pass too."""
    core = Conversation(settings, CueEngine.from_packaged(settings.locale), _NoActs())  # type: ignore[arg-type]
    heard = observations(case.script, case.heard, words=words)
    live: list[Event] = [event for observation in heard for event in core.receive(observation)]
    return [*live, *core.final_pass(heard)]


def score(
    cases: Sequence[Case], *, words: bool, base: ConversationSettings | None = None
) -> list[Tally]:
    """Return the tallies of our own system while the calls go on."""
    return both(cases, words=words, base=base)[0]


def both(
    cases: Sequence[Case], *, words: bool, base: ConversationSettings | None = None
) -> tuple[list[Tally], list[Tally]]:
    """Return the tallies of our own system while the calls go on, and of its report afterwards."""
    live, after = [], []
    for case in cases:
        events = judge(case, settings_for(case, base), words=words)
        predictions, cues = ours(events)
        live.append(_tally(case, predictions, cues))
        after.append(_tally(case, reported(events), []))
    return live, after


def _tally(case: Case, predictions: list[Prediction], cues: list[Prediction]) -> Tally:
    leaks = case.condition.bleed_db is not None
    return tally(case.script, case.heard, predictions, cues, leaks=leaks)


def baseline(cases: Sequence[Case], limit_ms: int) -> list[Tally]:
    """Return the tallies of the rule that calls any overlap of `limit_ms` an interruption."""
    tallies = []
    for case in cases:
        predictions = longer_than(case.heard, limit_ms)
        cues = [p for p in predictions if p.by == "agent"]
        tallies.append(_tally(case, predictions, cues))
    return tallies


def rows_of(
    system: str, condition: str, tallies: Sequence[Tally], *, intervals: bool = False
) -> list[Row]:
    """Return every metric of one system under one condition."""
    rows = []
    for name, (metric, unit, basis) in METRICS.items():
        n = sum(getattr(t, basis) for t in tallies)
        rows.append(Row(system, condition, name, metric(tallies), unit, n))
        if intervals:
            ends = interval(metric, tallies, seed=1)
            for end, value in zip(("low", "high"), ends or (None, None), strict=True):
                rows.append(Row(system, condition, f"{name}_{end}", value, unit, n))
    return rows


def ablations(cases: Sequence[Case]) -> dict[str, list[Tally]]:
    """Return the tallies without one thing at a time: which rule earns what."""
    base = ConversationSettings()
    rules = base.interruptions

    def changed(**values: float) -> ConversationSettings:
        return msgspec.structs.replace(base, interruptions=msgspec.structs.replace(rules, **values))

    mute = [Case(case.script, case.condition, [_toneless(e) for e in case.heard]) for case in cases]
    return {
        "without_voice": score(mute, words=True),
        "without_words": score(cases, words=False),
        "without_words_and_voice": score(mute, words=False),
        "without_collisions": score(
            cases, words=True, base=changed(collision_ms=-1, reaction_ms=-2_000)
        ),
        "without_resumption": score(cases, words=True, base=changed(pause_ms=-1)),
        "without_newcomer_pauses": score(cases, words=True, base=changed(newcomer_join_ms=180)),
        "commit_at_700_ms": score(cases, words=True, base=changed(commit_ms=700)),
        "commit_at_1100_ms": score(
            cases, words=True, base=changed(commit_ms=1_100, worded_commit_ms=1_100)
        ),
    }


def _toneless(event: Event) -> Event:
    if isinstance(event, SpeechEnded):
        return msgspec.structs.replace(event, tail_db=None)
    return event


def peer(cases: Sequence[Case], python: str) -> list[Tally]:
    """Return the tallies of call-ai-metrics on the same audio."""
    calls = [through_the_line(case.script, case.condition) for case in cases]
    judged = peer_predictions(python, calls)
    return [
        _tally(case, predictions, [p for p in predictions if p.by == "agent"])
        for case, predictions in zip(cases, judged, strict=True)
    ]


def _rows(condition: str, cases: Sequence[Case]) -> list[Row]:
    """Return the rows of our system and the simple baselines, and of the null calls alone."""
    live, after = both(cases, words=True)
    systems = {
        "heartline": live,
        "heartline_report": after,
        "heartline_vad_only": score(cases, words=False),
        **{name: baseline(cases, limit_ms) for name, limit_ms in _BASELINES.items()},
    }
    rows: list[Row] = []
    for system, tallies in systems.items():
        intervals = system == "heartline"
        rows += rows_of(system, condition, tallies, intervals=intervals)
        null = [t for t, case in zip(tallies, cases, strict=True) if case.script.null]
        rows += rows_of(system, f"{condition}_null_calls", null, intervals=intervals)
    return rows


def _beside(cases: Sequence[Case]) -> list[Row]:
    """Return the rows of the open package and of our system without one thing at a time."""
    condition = f"all_{len(cases)}_calls"
    rows = rows_of("heartline", condition, score(cases, words=True))
    for name, tallies in ablations(cases).items():
        rows += rows_of(f"heartline_{name}", condition, tallies)
    python = peer_python()
    if python is None:
        print("call-ai-metrics was not run: set CALL_AI_METRICS, see bench/floor/peer.py")
        return rows
    return rows + rows_of("call_ai_metrics_0_1_0", condition, peer(cases, python))


def main() -> None:
    """Run every system under every condition."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--split", choices=sorted(SEEDS), default="test")
    parser.add_argument("--calls", type=int, default=_QUICK_CALLS if is_quick() else _CALLS)
    parser.add_argument(
        "--line-calls", type=int, help="calls of the bad lines (default: as --calls)"
    )
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument(
        "--prepare", action="store_true", help="only speak and hear the calls, for a later run"
    )
    arguments = parser.parse_args()
    calls: int = arguments.calls
    line_calls: int = arguments.line_calls or calls
    made = cases(arguments.split, calls, CONDITIONS[:1], arguments.jobs)
    made += cases(arguments.split, line_calls, CONDITIONS[1:], arguments.jobs)
    if arguments.prepare:
        print(f"{len(made)} calls of {arguments.split} are heard; nothing was scored.")
        return
    rows: list[Row] = []
    for condition in CONDITIONS:
        chosen = [case for case in made if case.condition.name == condition.name]
        rows += _rows(condition.name, chosen)
        if condition.name == CONDITIONS[0].name:
            rows += _beside(chosen[: max(2, calls // 3)])
    write_results("floor", rows, seed=SEEDS[arguments.split])


if __name__ == "__main__":
    main()
