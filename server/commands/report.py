"""`heartline report`: an agent's own calls, or a team's, together."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from reports.figures import figures_of
from reports.model import Report
from reports.rollup import USUAL_DAYS, RollUp, RollUpError, agent_rollup, team_rollup
from reports.rollup_page import COLUMNS, rollup_csv, rollup_html, rollup_rows
from server.commands.shared import (
    OUT,
    ConfigFile,
    DataFolder,
    TenantName,
    complain,
    progress_bar,
    read_settings,
)
from server.people.tenants import DEFAULT_TENANT
from server.settings import Settings
from server.store import CallFilter, Journal
from server.stored_reports import figures, finished_calls

FORMATS = ("html", "csv", "parquet")


def report(
    folders: Annotated[
        list[Path] | None,
        typer.Argument(help="Folders of reports, as `heartline analyze` writes them."),
    ] = None,
    agent: Annotated[
        str | None, typer.Option(help="One agent's own calls, for that agent.")
    ] = None,
    team: Annotated[
        str | None,
        typer.Option(help="A team: of the settings ([teams.NAME] agents = [...]), or of calls."),
    ] = None,
    since: Annotated[str, typer.Option(help="First day, 2026-03-01, or days back, 30d.")] = "30d",
    until: Annotated[str | None, typer.Option(help="Last day [today].")] = None,
    out: Annotated[Path, typer.Option(help="Folder for the roll-up.")] = Path("heartline-rollup"),
    formats: Annotated[
        list[str] | None,
        typer.Option("--format", help=f"Repeatable: {', '.join(FORMATS)} [html and csv]."),
    ] = None,
    tenant: TenantName = DEFAULT_TENANT,
    data: DataFolder = None,
    config: ConfigFile = None,
) -> None:
    """Roll many calls up: rates with 95 % intervals, and an agent's newest call beside the usual.

    Without folders the calls are those of the server's database. A team needs five agents with
    twenty calls each, and shows none of them; there is no ranking.
    """
    chosen = tuple(dict.fromkeys(formats or ("html", "csv")))
    if (agent is None) == (team is None):
        complain("Give either --agent or --team.")
        raise typer.Exit(2)
    if unknown := [name for name in chosen if name not in FORMATS]:
        complain(f"'{unknown[0]}' is not one of {', '.join(FORMATS)}.")
        raise typer.Exit(2)
    now = datetime.now(UTC)
    begin, end = _day(since, now), _day(until, now) + timedelta(days=1) if until else now
    settings = read_settings(config, server__data=data and str(data))
    agents = settings.teams[team].agents if team in settings.teams else None
    if folders:
        found = [figures_of(report) for report in read_reports(folders)]
        if agent is None and agents is None:
            known = ", ".join(settings.teams) or "none"
            raise RollUpError(
                f"The settings name no team '{team}' (teams: {known}), and folders name none."
            )
    else:
        wanted = CallFilter(
            agent=agent,
            team=None if agents else team,
            since_ms=_ms(begin - timedelta(days=USUAL_DAYS if agent else 0)),
            until_ms=_ms(end),
        )
        found = _stored(settings, tenant, wanted, agents)
    if agent is not None:
        rollup = agent_rollup(found, agent, begin, end)
    else:
        members = agents or {r.call.agent for r in found if r.call.agent is not None}
        rollup = team_rollup(found, str(team), sorted(members), begin, end)
    for path in write_rollup(rollup, out, chosen):
        OUT.print(str(path), highlight=False, soft_wrap=True)


def _stored(
    settings: Settings, tenant: str, wanted: CallFilter, agents: Collection[str] | None
) -> list[Report]:
    """Read a tenant's finished calls of the database, of all agents or of some."""
    where = settings.server.where
    if isinstance(where, Path) and not where.is_file():
        raise RollUpError(
            f"There is no database at {where}; name its folder with --data, or folders of reports."
        )
    with closing(Journal(where, serving=False)) as opened:
        journal = opened.of(tenant)
        calls = [
            call
            for call in finished_calls(journal, wanted)
            if agents is None or call.agent in agents
        ]
        with progress_bar(f"Reading {len(calls)} calls", len(calls)) as (progress, bar):
            found = []
            for report in figures(journal, calls):
                found.append(report)
                progress.advance(bar)
    return found


def _ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)


def _day(text: str, now: datetime) -> datetime:
    if days := re.fullmatch(r"(\d{1,4})d", text):
        return now - timedelta(days=int(days[1]))
    try:
        return datetime.fromisoformat(text).astimezone()
    except ValueError as error:
        raise RollUpError(f"'{text}' is no day; write 2026-03-01, or 30d for 30 days.") from error


def read_reports(folders: Iterable[Path]) -> Iterator[Report]:
    """Yield every report below the folders, each call once; one that cannot be read is named.

    Raises:
        RollUpError: a folder is missing.
    """
    seen: set[tuple[str, str]] = set()
    for folder in folders:
        if not folder.is_dir():
            raise RollUpError(f"There is no folder {folder}; `heartline analyze` makes reports.")
        for path in sorted(folder.rglob("report.json")):
            try:
                found = msgspec.json.decode(path.read_bytes(), type=Report)
            except (OSError, msgspec.MsgspecError) as error:
                complain(f"{path} is not a report ({error}); left out.")
                continue
            key = (found.call.id, found.call.started_at)
            if key not in seen:
                seen.add(key)
                yield found


def write_rollup(rollup: RollUp, folder: Path, formats: Iterable[str]) -> list[Path]:
    """Write a roll-up in some of `FORMATS` and return the files.

    Raises:
        RollUpError: Parquet is wanted and pyarrow is not installed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name in formats:
        path = folder / f"rollup.{name}"
        if name == "html":
            path.write_text(rollup_html(rollup), "utf-8")
        elif name == "csv":
            path.write_bytes(rollup_csv(rollup))
        else:
            _write_parquet(rollup, path)
        written.append(path)
    return written


def _write_parquet(rollup: RollUp, path: Path) -> None:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise RollUpError(
            "Parquet needs pyarrow; install heartline[parquet], or take --format csv."
        ) from error
    columns = list(zip(*rollup_rows(rollup), strict=True))
    parquet.write_table(pyarrow.table(dict(zip(COLUMNS, map(list, columns), strict=True))), path)
