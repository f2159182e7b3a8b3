"""How good the cues are: scripted dialogues through the core, and some of them as audio.

`python -m bench.coaching.cues` prints precision, recall and what calm dialogues raised; `make
bench-coaching` joins its rows. Conditions: `given_acts` judges the rules alone, `text` the whole
core on written words, `audio` everything on synthesised speech; each split into development and
held out.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from bench.coaching.scripts import Outcome, Script, cue_rules, judge, lint, load_scripts, run
from bench.results import Row, write_results

NAME = "coaching_cues"


def measure(scripts: Sequence[Script], *, given_acts: bool) -> list[Outcome]:
    """Run scripts through the core."""
    return [judge(script, run(script, given_acts=given_acts)) for script in scripts]


def rows(condition: str, outcomes: Sequence[Outcome]) -> list[Row]:
    """Return the figures of some dialogues under one condition."""
    raised = sum(len(o.raised) for o in outcomes)
    expected = sum(len(o.script.expect) for o in outcomes)
    matched = sum(len(o.matched) for o in outcomes)
    calm = [o for o in outcomes if o.script.calm]
    rules = cue_rules()
    alarms = sum(rules[rule].priority <= 3 for o in calm for rule, _ in o.raised)
    forbidden = sum(rule in o.script.forbid for o in outcomes for rule, _ in o.raised)
    system = "heartline"

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


def all_rows(*, audio: bool = True, verbose: bool = True) -> list[Row]:
    """Measure every condition.

    Raises:
        SystemExit: a script asks for what budget or cooldown forbid.
    """
    scripts = load_scripts()
    problems = [problem for script in scripts for problem in lint(script)]
    if problems:
        raise SystemExit("\n".join(problems))
    out: list[Row] = []
    splits = (
        ("development", [s for s in scripts if not s.held_out]),
        ("held_out", [s for s in scripts if s.held_out]),
    )
    for given in (True, False):
        for split, chosen in splits:
            condition = f"{'given_acts' if given else 'text'}_{split}"
            outcomes = measure(chosen, given_acts=given)
            if verbose:
                details(condition, outcomes)
            out += rows(condition, outcomes)
    if audio:
        from bench.coaching.spoken import measure_spoken

        outcomes = measure_spoken([s for s in scripts if s.spoken])
        if verbose:
            details("audio", outcomes)
        out += rows("audio", outcomes)
    return out


def per_rule(outcomes: Sequence[Outcome]) -> Counter[str]:
    """Count matched cues by rule."""
    return Counter(rule for o in outcomes for rule, _ in o.matched)


if __name__ == "__main__":
    write_results(NAME, all_rows(audio="--no-audio" not in sys.argv))
