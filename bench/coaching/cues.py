"""How good the cues are: scripted dialogues through the core, and some of them as audio.

`python -m bench.coaching.cues` prints precision, recall and what calm dialogues raised; `make
bench-coaching` joins its rows. Conditions: `given_acts` judges the rules alone, `text` the whole
core on written words, `audio` everything on synthesised speech; each split into development and
held out.
"""

from __future__ import annotations

import importlib.util
import random
import sys
from collections.abc import Callable, Sequence
from itertools import pairwise

from rich.console import Console
from rich.table import Table

from bench.coaching.script_run import FINAL_AFTER_MS, Scorer, misheard, run
from bench.coaching.scripts import (
    Outcome,
    Script,
    Turn,
    cue_rules,
    judge,
    lint,
    load_scripts,
)
from bench.results import Row, write_results
from conversation.events import Channel, CueRaised

NAME = "coaching_cues"
SEED = 20_260_302
BASELINE_OVERLAP_MS = 500
KEYWORDS = {
    "customer_upset": (Channel.CUSTOMER, ("annoyed", "angry", "frustrat", "fed up", "ridiculous",
                                          "joke", "not good enough", "upset", "sick and tired")),
    "escalation_ask": (Channel.CUSTOMER, ("manager", "supervisor")),
    "vulnerable": (Channel.CUSTOMER, ("died", "passed away", "cancer", "hospital")),
    "abuse": (Channel.CUSTOMER, ("bloody", "liar", "crooks")),
    "customer_repeats": (Channel.CUSTOMER, ("already", "as i said", "like i said")),
    "slow_reply": (Channel.CUSTOMER, ("hello?",)),
    "bad_phrase": (Channel.AGENT, ("calm down", "policy", "you should have")),
    "vague_time": (Channel.AGENT, ("soon", "shortly")),
    "over_promise": (Channel.AGENT, ("guarantee", "definitely")),
}  # fmt: skip
"""The baseline's words; a cue at every one of them."""


def measure(
    scripts: Sequence[Script],
    *,
    given_acts: bool = False,
    scorer: Callable[[], Scorer] | None = None,
) -> list[Outcome]:
    """Run scripts through the core; `scorer` makes an act model's view of one call."""
    return [
        judge(script, run(script, given_acts=given_acts, scorer=scorer() if scorer else None))
        for script in scripts
    ]


def baseline(script: Script) -> Outcome:
    """Judge what a list of keywords and half a second of overlap would have raised."""
    raised: list[CueRaised] = []
    placed = [t for t in script.placed() if isinstance(t, Turn)]
    for before, turn in pairwise([None, *placed]):
        assert turn is not None  # noqa: S101 - only the first is None
        words = turn.text.lower()
        named = [
            rule for rule, (party, keys) in KEYWORDS.items()
            if party is turn.channel and any(key in words for key in keys)
        ]  # fmt: skip
        if (
            before is not None
            and turn.channel is Channel.AGENT
            and before.end_ms - turn.start_ms >= BASELINE_OVERLAP_MS
        ):
            raised.append(_cue("talk_over", turn.start_ms + BASELINE_OVERLAP_MS))
        raised += [_cue(rule, turn.end_ms + FINAL_AFTER_MS) for rule in named]
    return judge(script, raised)


def _cue(rule: str, at_ms: int) -> CueRaised:
    return CueRaised(
        at_ms=at_ms, id=f"{rule}-{at_ms}", rule=rule, text="", priority=1, evidence_line="",
        ttl_ms=0,
    )  # fmt: skip


def figures(condition: str, outcomes: Sequence[Outcome], system: str = "heartline") -> list[Row]:
    """Return the figures of some dialogues under one condition."""
    raised = sum(len(o.raised) for o in outcomes)
    expected = sum(len(o.script.expect) for o in outcomes)
    matched = sum(len(o.matched) for o in outcomes)
    calm = [o for o in outcomes if o.script.calm]
    rules = cue_rules()
    alarms = sum(rules[rule].priority <= 3 for o in calm for rule, _ in o.raised)
    forbidden = sum(rule in o.script.forbid for o in outcomes for rule, _ in o.raised)

    def row(metric: str, value: float | None, unit: str, n: int) -> Row:
        return Row(system, condition, metric, value, unit, n)

    return [
        row("cue_precision", matched / raised if raised else None, "share", raised),
        row("cue_recall", matched / expected if expected else None, "share", expected),
        row("calm_cues", float(alarms), "cues", len(calm)),
        row("forbidden_cues", float(forbidden), "cues", len(outcomes)),
    ]


def details(condition: str, outcomes: Sequence[Outcome]) -> None:
    """Print what was missed and what was wrong."""
    table = Table("Dialogue", "Missed", "Wrong", title=condition)
    for outcome in outcomes:
        if outcome.missed or outcome.wrong:
            table.add_row(
                outcome.script.id,
                ", ".join(e.rule for e in outcome.missed),
                ", ".join(f"{rule} at {at_ms / 1000:.1f} s" for rule, at_ms in outcome.wrong),
            )
    if table.row_count:
        Console().print(table)


def act_scorer() -> Callable[[], Scorer] | None:
    """Return what makes an act model's view of one call, None where the pack has no model."""
    if importlib.util.find_spec("server.act_model") is None:
        return None
    module = importlib.import_module("server.act_model")
    model = module.load_act_model("en")
    return None if model is None else lambda: module.CallScorer(model, timely=False)


def rows(*, audio: bool = True, verbose: bool = True) -> list[Row]:
    """Measure every condition; `all` is every dialogue as text.

    Raises:
        SystemExit: a script asks for what budget or cooldown forbid.
    """
    scripts = load_scripts()
    problems = [problem for script in scripts for problem in lint(script)]
    if problems:
        raise SystemExit("\n".join(problems))
    out: list[Row] = []
    scorer = act_scorer()

    def add(condition: str, outcomes: Sequence[Outcome]) -> None:
        if verbose:
            details(condition, outcomes)
        out.extend(figures(condition, outcomes))

    for given, name in ((True, "given_acts"), (False, "text")):
        outcomes = measure(scripts, given_acts=given, scorer=None if given else scorer)
        add(f"{name}_development", [o for o in outcomes if not o.script.held_out])
        add(f"{name}_held_out", [o for o in outcomes if o.script.held_out])
    out += figures("all", outcomes)
    rng = random.Random(SEED)  # noqa: S311 - a repeatable benchmark
    noisy = [misheard(script, 0.15, rng) for script in scripts]
    out += figures("wer_15", measure(noisy, scorer=scorer))
    out += figures("all", [baseline(script) for script in scripts], "keywords_and_overlap_0_5s")
    if audio:
        from bench.coaching.spoken import measure_spoken

        add("audio", measure_spoken([s for s in scripts if s.spoken]))
    return out


if __name__ == "__main__":
    write_results(NAME, rows(audio="--no-audio" not in sys.argv), seed=SEED)
