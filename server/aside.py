"""Long calculations over finished calls, in a process of their own that yields to live calls.

`python -m server.aside` reads one job as JSON and writes its result as JSON: nothing of it holds
the interpreter's lock of the process that serves calls, and one that takes too long is ended.
"""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import closing
from typing import Any

import msgspec
import sqlalchemy as sa

from conversation.rules import build_rules
from reports.disputes import report_without
from server.replay import Example, Replay, RuleTally, replay_call
from server.store import Journal, StoreError
from server.store.disputes import disputes_of
from server.store.figures import keep_figures

LONGEST_S = 120.0
_NICENESS = 10


class MakeFigures(msgspec.Struct, frozen=True, tag="figures"):
    """Work out and keep the numbers of calls."""

    database: str
    tenant: str
    call_ids: list[str]


class TryRules(msgspec.Struct, frozen=True, tag="rules"):
    """Replay calls under the rules as they are and as somebody would have them."""

    database: str
    tenant: str
    call_ids: list[str]
    before: list[tuple[str, str]]
    """Name and text of the rule files that are in force."""
    after: list[tuple[str, str]]
    overlay: str
    rules: list[str]
    """Which rules are looked at."""


class RuleTrial(msgspec.Struct, kw_only=True):
    """How one rule does before and after a change."""

    rule: str
    before: int = 0
    after: int = 0
    withheld_before: int = 0
    withheld_after: int = 0
    gone: list[Example] = []
    """Showings that would no longer come."""
    come: list[Example] = []
    """Showings that would be new."""


class Trial(msgspec.Struct, kw_only=True):
    """What a change would have done."""

    calls: int = 0
    duration_ms: int = 0
    total_before: int = 0
    """Cues, alerts and notices of all rules together."""
    total_after: int = 0
    rules: list[RuleTrial] = []


Job = MakeFigures | TryRules


class AsideError(Exception):
    """A calculation failed or took too long."""

    code = "aside_failed"


class Aside:
    """Runs one job at a time."""

    def __init__(self) -> None:
        self._one = asyncio.Semaphore(1)

    async def run(self, job: Job) -> bytes:
        """Return what a job writes.

        Raises:
            AsideError: it failed, or took longer than two minutes.
        """
        async with self._one:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "server.aside",
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
            )
            try:
                out, _ = await asyncio.wait_for(
                    process.communicate(msgspec.json.encode(job)), LONGEST_S
                )
            except TimeoutError as error:
                raise AsideError(
                    f"That took longer than {LONGEST_S:.0f} s; take fewer calls."
                ) from error
            finally:
                if process.returncode is None:
                    process.kill()
                    await process.wait()
        if process.returncode != 0:
            raise AsideError("That could not be worked out; the server's log says why.")
        return out


def database_of(engine: sa.Engine) -> str:
    """Return where a job finds the same database."""
    return engine.url.render_as_string(hide_password=False)


def do(job: Job) -> Any:
    """Do a job."""
    with closing(Journal(job.database, serving=False)) as opened:
        journal = opened.of(job.tenant)
        return _make_figures(journal, job) if isinstance(job, MakeFigures) else _try(journal, job)


def _make_figures(journal: Journal, job: MakeFigures) -> int:
    made = 0
    for call_id in job.call_ids:
        if events := journal.events(call_id):
            report = report_without(events, disputes_of(journal.engine, call_id))
            keep_figures(journal.engine, [report])
            made += 1
    return made


def _try(journal: Journal, job: TryRules) -> Trial:
    before, after = (build_rules(files, job.overlay) for files in (job.before, job.after))
    totals = {rule: RuleTrial(rule=rule) for rule in job.rules}
    trial = Trial()
    for call_id in job.call_ids:
        events = journal.events(call_id)
        if not events:
            continue
        old, new = Replay(), Replay()
        replay_call(events, before, old)
        replay_call(events, after, new)
        trial.calls += 1
        trial.duration_ms += new.duration_ms
        trial.total_before += sum(tally.fires for tally in old.rules.values())
        trial.total_after += sum(tally.fires for tally in new.rules.values())
        for rule, total in totals.items():
            _add(total, old.rules[rule], new.rules[rule])
    trial.rules = list(totals.values())
    return trial


def _add(total: RuleTrial, old: RuleTally, new: RuleTally) -> None:
    total.before += old.fires
    total.after += new.fires
    total.withheld_before += sum(old.withheld.values())
    total.withheld_after += sum(new.withheld.values())
    was = {example.at_ms for example in old.examples}
    is_now = {example.at_ms for example in new.examples}
    total.gone += [example for example in old.examples if example.at_ms not in is_now]
    total.come += [example for example in new.examples if example.at_ms not in was]


def main() -> None:
    """Read a job, do it, write its result."""
    os.nice(_NICENESS)
    try:
        result = do(msgspec.json.decode(sys.stdin.buffer.read(), type=Job))
    except StoreError as error:
        sys.exit(str(error))
    sys.stdout.buffer.write(msgspec.json.encode(result))


if __name__ == "__main__":
    main()
