"""`heartline rules check | list | replay`: look at cue rules, and try them on stored calls."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from conversation.fact_names import FACTS, MARKS
from conversation.rules import CueRule, RuleSet
from server.replay import Replay, find_logs, read_log, replay_call
from server.rules_folder import read_rules
from server.settings import load_settings

_OUT = Console()
_ERR = Console(stderr=True)

app = typer.Typer(
    help="Cue rules: check a folder of your own, list what there is, replay stored calls.",
    no_args_is_help=True,
)

RulesFolder = Annotated[
    Path | None,
    typer.Option("--rules", help="Folder of rules over the packaged ones [rules.folder]."),
]
ConfigFile = Annotated[Path | None, typer.Option(help="Settings file [heartline.toml].")]


def _folder(given: Path | None, config: Path | None) -> Path | None:
    if given is not None:
        return given
    configured = load_settings(config, os.environ).rules.folder
    return Path(configured) if configured else None


@app.command()
def check(
    folder: Annotated[Path | None, typer.Argument(help="Folder of rules [rules.folder].")] = None,
    config: ConfigFile = None,
) -> None:
    """Check a folder of rules: schema, facts, words, and what no cue may say.

    The first fault is told in one sentence with file, rule, key, value and remedy; exit code 1.
    """
    rules = read_rules(_folder(folder, config))
    on = len(rules.active())
    _OUT.print(
        f"{len(rules.rules)} rules are valid, {on} of them on. Hash {rules.sha256[:12]}.",
        highlight=False,
    )


@app.command("list")
def list_rules(
    rules: RulesFolder = None,
    facts: Annotated[bool, typer.Option("--facts", help="What a rule may read, instead.")] = False,
    config: ConfigFile = None,
) -> None:
    """List every rule with its text, priority and whether it is on; --facts lists facts."""
    if facts:
        _list_facts()
        return
    read = read_rules(_folder(rules, config))
    on = {rule.id for rule in read.active()}
    table = Table("Rule", "Shows", "To", "P", "Class", "On")
    for rule in sorted(read.rules, key=lambda r: (r.audience, r.priority, r.id)):
        table.add_row(
            rule.id, rule.text, _surface(rule), str(rule.priority), rule.latency_class,
            "yes" if rule.id in on else "no",
        )  # fmt: skip
    _OUT.print(table)


def _surface(rule: CueRule) -> str:
    return rule.audience if rule.surface == "cue" else f"{rule.audience} ({rule.surface})"


def _list_facts() -> None:
    table = Table("Fact or kind", "Type", "Meaning")
    for fact in FACTS.values():
        kind = fact.type if not fact.symbols else " | ".join(fact.symbols)
        table.add_row(fact.name, kind, fact.doc)
    for name, meaning in MARKS.items():
        table.add_row(name, "kind", meaning)
    _OUT.print(table)


@app.command()
def replay(
    calls: Annotated[
        list[Path], typer.Option(help="An events.jsonl, or a folder of them; may be repeated.")
    ],
    rules: RulesFolder = None,
    against: Annotated[
        Path | None, typer.Option(help="A second folder of rules to compare with.")
    ] = None,
    config: ConfigFile = None,
) -> None:
    """Run stored calls again under these rules: how often each fires, where, with what evidence.

    Without --against the difference is to the rules that each call was recorded with.
    """
    new_rules = read_rules(_folder(rules, config))
    old_rules = None if against is None else read_rules(against)
    new, old = Replay(), Replay()
    logs = find_logs(calls)
    for path in track(logs, "Replaying ...", console=_ERR, transient=True):
        events = read_log(path)
        replay_call(events, new_rules, new)
        replay_call(events, old_rules, old)
    _say(new, new_rules)
    _say_difference(old, new, "the second folder" if against else "as recorded")


def _say(replay: Replay, rules: RuleSet) -> None:
    minutes = replay.duration_ms / 60_000
    _OUT.print(
        f"{replay.calls} call(s), {minutes:.1f} min, rules {rules.sha256[:12]}", highlight=False
    )
    table = Table("Rule", "Fires", "Per 10 min", "Cleared", "Median", "Withheld", "Thumbs")
    for rule in rules.active():
        tally = replay.rules.get(rule.id)
        if tally is None:
            continue
        share, median = tally.cleared_share, tally.median_clear_ms
        table.add_row(
            rule.id,
            str(tally.fires),
            f"{replay.per_10_min(rule.id):.1f}",
            "–" if share is None else f"{share:.0%}",
            "–" if median is None else f"{median / 1000:.1f} s",
            _counted(tally.withheld),
            _counted(tally.feedback),
        )
    _OUT.print(table)
    for name, tally in sorted(replay.rules.items()):
        for example in tally.examples:
            minute, second = divmod(example.at_ms // 1000, 60)
            _OUT.print(
                f"{name}: {example.call_id} at {minute}:{second:02d}  {example.evidence_line}",
                highlight=False, markup=False,
            )  # fmt: skip


def _counted(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.most_common()) or "–"


def _say_difference(old: Replay, new: Replay, what: str) -> None:
    changed = [
        (name, old.rules[name].fires, new.rules[name].fires)
        for name in sorted({*old.rules, *new.rules})
        if old.rules[name].fires != new.rules[name].fires
    ]
    if not changed:
        _OUT.print(f"No rule fires more or less often than {what}.", highlight=False)
        return
    table = Table("Rule", "Fired", "Fires", title=f"Against {what}")
    for name, before, after in changed:
        table.add_row(name, str(before), str(after))
    _OUT.print(table)
