"""What several commands share: options, consoles, settings, progress and loaded models."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from asr.models import DEFAULT_MODEL
from reports.model import Report
from reports.summary import summary
from server.hearing import Hearing, HearingSettings
from server.settings import Settings, load_settings

OUT = Console()
ERR = Console(stderr=True)

AgentChannel = Annotated[
    int, typer.Option(help="Which channel of a stereo file is the agent: 0 or 1.")
]
CustomerFile = Annotated[
    Path | None, typer.Option(help="The customer's side, when FILE is the agent's.")
]
ModelName = Annotated[
    str | None, typer.Option(help=f"Recogniser model: a name or a directory [{DEFAULT_MODEL}].")
]
NoWords = Annotated[
    bool, typer.Option("--no-words", help="Timing and voice only, no transcription.")
]
ConfigFile = Annotated[
    Path | None,
    typer.Option(help="Settings file [heartline.toml, where there is one]; docs/configuration.md."),
]
TenantName = Annotated[
    str,
    typer.Option(
        "--tenant",
        help="Of which tenant: a centre that shares this server and sees nothing of the others.",
    ),
]
DataFolder = Annotated[Path | None, typer.Option(help="Folder of the database [heartline-data].")]


def complain(message: Exception | str) -> None:
    """Print an error as one sentence, and one line, on standard error."""
    ERR.print(f"heartline: {message}", style="red", highlight=False, markup=False, soft_wrap=True)


def read_settings(config: Path | None, no_words: bool = False, **flags: Any) -> Settings:
    """Read file, environment and flags; `__` in a flag's name stands for the dot."""
    if no_words:
        flags["asr__enabled"] = False
    dotted = {key.replace("__", "."): value for key, value in flags.items()}
    return load_settings(config, os.environ, dotted)


@contextlib.contextmanager
def progress_bar(what: str, total: int) -> Iterator[tuple[Progress, TaskID]]:
    """Show a bar on standard error that goes away when the block ends."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
    )
    with Progress(*columns, TimeElapsedColumn(), console=ERR, transient=True) as progress:
        yield progress, progress.add_task(what, total=total)


def with_all_cores(settings: HearingSettings) -> HearingSettings:
    """Let recognition have every core: nothing else waits while a recording is analysed."""
    asr = msgspec.structs.replace(settings.asr, spare_cores=0)
    return msgspec.structs.replace(settings, asr=asr)


@contextlib.contextmanager
def loaded_hearing(settings: HearingSettings) -> Iterator[Hearing]:
    """Load the models, say so, and end them with the block."""
    hearing = Hearing(settings)
    with ERR.status("Loading models ..."):
        hearing.load()
    try:
        yield hearing
    finally:
        hearing.close()


def say(report: Report, folder: Path) -> None:
    """Print what happened in a call and where its report is."""
    OUT.print(summary(report), highlight=False, markup=False)
    OUT.print(f"Report: {folder / 'report.html'}", highlight=False, markup=False, soft_wrap=True)
