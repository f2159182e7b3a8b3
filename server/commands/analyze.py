"""`heartline analyze`: one recording with its progress, or thousands on all cores."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.table import Table

from audio.errors import EmptyAudio
from audio.sources import AUDIO_SUFFIXES
from reports.exports import EXPORTS, ExportError
from reports.exports.tables import table as csv_table
from server.batch import CALL_ERRORS, Outcome, Task, analyze_many, analyze_one
from server.commands.shared import (
    OUT,
    AgentChannel,
    ConfigFile,
    CustomerFile,
    ModelName,
    NoWords,
    complain,
    loaded_hearing,
    progress_bar,
    read_settings,
    say,
    with_all_cores,
)
from server.hearing import HearingSettings
from server.vcon_file import files_beside, is_vcon

_SHOWN_ROWS = 40
"""Longest table on the terminal; the file beside the reports has every row."""
_HEAD = ("call", "status", "seconds", "agent_interrupted", "customer_interrupted", "promises")


def analyze(
    files: Annotated[
        list[Path],
        typer.Argument(help="Recordings, vCons, *.transcript.json, or folders of them."),
    ],
    customer: CustomerFile = None,
    agent_channel: AgentChannel = 0,
    agent: Annotated[str | None, typer.Option(help="Who took the calls.")] = None,
    out: Annotated[Path, typer.Option(help="Folder for the reports.")] = Path("heartline-out"),
    export: Annotated[
        list[str] | None,
        typer.Option(help=f"Also write this format, repeatable: {', '.join(EXPORTS)}."),
    ] = None,
    again: Annotated[
        bool, typer.Option("--again", help="Analyse also what is there already.")
    ] = False,
    jobs: Annotated[int, typer.Option(help="Calls analysed at once [one per core].", min=0)] = 0,
    model: ModelName = None,
    no_words: NoWords = False,
    partials: Annotated[
        bool, typer.Option(help="Also decode partial transcripts, as live.")
    ] = False,
    config: ConfigFile = None,
) -> None:
    """Analyse recordings offline: report.json, report.html and events.jsonl for each.

    Many calls are analysed in parallel. One that cannot be read is reported and left out; one
    whose report is there for the same audio, model, settings and program is skipped, so a run that
    was interrupted goes on where it stopped. summary.csv in the folder lists them all.
    """
    formats = tuple(dict.fromkeys(export or ()))
    for name in formats:
        if name not in EXPORTS:
            raise ExportError(f"There is no export '{name}'; choose from {', '.join(EXPORTS)}.")
    settings = read_settings(
        config, no_words, asr__model=model, asr__partials_enabled=partials
    ).hearing
    tasks = [
        Task(
            path=path,
            folder=out / name,
            call_id="-".join(Path(name).parts) or path.name.partition(".")[0],
            customer=customer,
            agent_channel=agent_channel,
            agent=agent,
            exports=formats,
            again=again,
        )
        for path, name in find_calls(files, out)
    ]
    if len(tasks) == 1:
        _one(tasks[0], settings)
    else:
        _many(tasks, settings, out, jobs or os.cpu_count() or 1)


def find_calls(files: list[Path], out: Path) -> list[tuple[Path, str]]:
    """Return every call with the name of its folder below `out`; a single file has none.

    A folder is searched with what is in it, except for `out`; a recording that a vCon beside it
    refers to is that vCon's.

    Raises:
        EmptyAudio: a folder holds no call.
    """
    found = [(path, base) for file in files for path, base in _calls_in(file, out)]
    if len(files) == 1 and not files[0].is_dir():
        return [(files[0], "")]
    plain = [_bare(path).relative_to(base).as_posix() for path, base in found]
    times = Counter(plain)
    return [
        (path, name if times[name] == 1 else path.relative_to(base).as_posix())
        for (path, base), name in zip(found, plain, strict=True)
    ]


def _calls_in(file: Path, out: Path) -> list[tuple[Path, Path]]:
    if not file.is_dir():
        return [(file, file.parent)]
    inside = sorted(
        path
        for path in file.rglob("*")
        if path.is_file() and not path.resolve().is_relative_to(out.resolve()) and _is_call(path)
    )
    taken = {beside for path in inside if is_vcon(path) for beside in files_beside(path)}
    calls = [(path, file) for path in inside if path not in taken]
    if not calls:
        raise EmptyAudio(f"The folder {file} holds no audio files.")
    return calls


def _is_call(path: Path) -> bool:
    by_suffix = path.suffix.lower() in AUDIO_SUFFIXES
    return by_suffix or is_vcon(path) or path.name.endswith(".transcript.json")


def _bare(path: Path) -> Path:
    """Return the path without what its kind ends in."""
    for ending in (".transcript.json", ".vcon.json"):
        if path.name.endswith(ending):
            return path.with_name(path.name.removesuffix(ending))
    return path.with_suffix("")


def _one(task: Task, settings: HearingSettings) -> None:
    try:
        with (
            loaded_hearing(with_all_cores(settings)) as hearing,
            progress_bar(f"Analysing {task.path.name}", 1) as (progress, bar),
        ):
            report, _ = analyze_one(
                msgspec.structs.replace(task, again=True),
                hearing,
                progress=lambda at_ms, end_ms: progress.update(bar, completed=at_ms, total=end_ms),
            )
    except CALL_ERRORS as error:
        complain(error)
        raise typer.Exit(1) from error
    say(report, task.folder)


def _many(tasks: list[Task], settings: HearingSettings, out: Path, jobs: int) -> None:
    outcomes: list[Outcome] = []
    with progress_bar(f"Analysing {len(tasks)} calls", len(tasks)) as (progress, bar):
        for outcome in analyze_many(tasks, settings, processes=jobs):
            outcomes.append(outcome)
            if outcome.error is not None:
                complain(outcome.error)
            progress.advance(bar)
    out.mkdir(parents=True, exist_ok=True)
    (out / "summary.csv").write_bytes(csv_table(_HEAD, [_row(o) for o in outcomes]))
    _show(outcomes, out)
    if any(outcome.status == "failed" for outcome in outcomes):
        raise typer.Exit(1)


def _row(outcome: Outcome) -> list[str | float | None]:
    seconds = None if outcome.duration_ms is None else outcome.duration_ms / 1000
    return [
        outcome.task.call_id,
        outcome.status,
        seconds,
        outcome.interruptions.get("agent"),
        outcome.interruptions.get("customer"),
        outcome.promises,
    ]


def _show(outcomes: list[Outcome], out: Path) -> None:
    shown = Table("Call", "Status", "Length", "Agent came in", "Customer came in", "Promises")
    for outcome in outcomes[:_SHOWN_ROWS]:
        call, status, seconds, *counts = _row(outcome)
        length = "–" if seconds is None else f"{float(seconds):.0f} s"
        cells = ["–" if count is None else str(count) for count in counts]
        shown.add_row(str(call), str(status), length, *cells)
    OUT.print(shown)
    if len(outcomes) > _SHOWN_ROWS:
        OUT.print(f"... and {len(outcomes) - _SHOWN_ROWS} more", highlight=False)
    by_status = Counter(outcome.status for outcome in outcomes)
    counted = ", ".join(f"{by_status[s]} {s}" for s in ("done", "skipped", "failed"))
    OUT.print(f"{counted}. All of them: {out / 'summary.csv'}", highlight=False, soft_wrap=True)
