"""`heartline practice`: a customer is played, you answer, and the report is yours alone."""

from __future__ import annotations

import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.table import Table

from audio.capture import find_device
from audio.chunks import Samples
from audio.sources import open_recording
from conversation.events import Event
from reports.model import PracticePart, Report
from server.analyze import write_outputs
from server.batch import recorded_at
from server.commands.shared import (
    OUT,
    ConfigFile,
    loaded_hearing,
    read_settings,
    say,
)
from server.hearing import HearingSettings
from server.practice.devices import Headset
from server.practice.director import Director
from server.practice.drill import drill, drill_lines
from server.practice.run import rehearse_live, rehearse_offline
from server.practice.scenario import Scenario, ScenarioError, load_scenario, shipped
from server.practice.spoken_call import RecordedMicrophone, SpokenCall, lines_of
from server.practice.text_call import TextCall
from server.practice.typed_run import ROLES, TypedRun


def practice(
    scenario: Annotated[
        str | None, typer.Argument(help="A shipped scenario, or a file; none lists them.")
    ] = None,
    text: Annotated[bool, typer.Option("--text", help="Type instead of speaking.")] = False,
    role: Annotated[
        str, typer.Option(help="agent, or customer to be on the other side (with --text).")
    ] = "agent",
    agent_audio: Annotated[
        list[Path] | None,
        typer.Option(help="A recorded answer instead of the microphone; repeat for each turn."),
    ] = None,
    device: Annotated[
        str | None, typer.Option(help="Your microphone: number or part of its name.")
    ] = None,
    opening: Annotated[str | None, typer.Option(help="Stage to begin with.")] = None,
    feelings: Annotated[
        str | None, typer.Option(help="What did the customer feel? Asked at the end if not given.")
    ] = None,
    own_call: Annotated[
        Path | None, typer.Option("--from", help="Folder of one of your reports, for a drill.")
    ] = None,
    event: Annotated[str | None, typer.Option(help="Interruption to drill, such as ov-3.")] = None,
    recording: Annotated[
        Path | None, typer.Option(help="Recording of that call, for the customer's own voice.")
    ] = None,
    agent_channel: Annotated[int, typer.Option(help="The agent's channel in it: 0 or 1.")] = 0,
    out: Annotated[Path, typer.Option(help="Where the report goes.")] = Path("heartline-practice"),
    config: ConfigFile = None,
) -> None:
    """Practise a difficult call: read the case, answer the customer, see what was heard.

    Use a headset, so that the customer is not heard in your microphone. The report and what you
    say stay in the folder of --out; practice is in no roll-up. With --from and --event you drill
    one interruption of your own call.
    """
    if role not in ROLES:
        raise ScenarioError(f"The role is agent or customer, not '{role}'.")
    if role == "customer" and not text:
        raise ScenarioError("The customer's role is played in text: add --text.")
    settings = read_settings(config).hearing
    if own_call is not None:
        case, lines = _drill(own_call, event, recording, agent_channel, text)
    elif scenario is None:
        _list()
        return
    else:
        case, folder = load_scenario(scenario)
        lines = {} if text else lines_of(case, folder)
    director = Director(case, opening)
    _introduce(case, role)
    if text:
        events = _typed(director, settings, role)
    elif agent_audio:
        events = _recorded(director, lines, agent_audio, settings)
    else:
        events = _spoken(director, lines, device, settings)
    part = director.part(role, _reflection(feelings))
    report = write_outputs(events, out, practice=part)
    _conclude(report, part, case, out)


def _list() -> None:
    shown = Table("Scenario", "Title", "Practises")
    for name in shipped():
        case, _ = load_scenario(name)
        shown.add_row(name, case.title, ", ".join(case.goals))
    OUT.print(shown)


def _drill(
    folder: Path, event: str | None, recording: Path | None, agent_channel: int, text: bool
) -> tuple[Scenario, dict[str, Samples]]:
    path = folder / "report.json"
    try:
        report = msgspec.json.decode(path.read_bytes(), type=Report)
    except (OSError, msgspec.MsgspecError) as error:
        raise ScenarioError(f"{path} is not a report; `heartline analyze` makes one.") from error
    case, span_ms = drill(report, event or "")
    if text:
        return case, {}
    if recording is None:
        raise ScenarioError("Give the call's --recording, or practise with --text.")
    opened = open_recording(recording, agent_channel=agent_channel)
    return case, drill_lines(opened, span_ms)


def _introduce(case: Scenario, role: str) -> None:
    OUT.print(f"{case.title}\n\n{' '.join(case.situation.split())}\n", highlight=False)
    for fact in case.facts:
        OUT.print(f"  - {fact}", highlight=False)
    if role == "customer":
        OUT.print("\nYou are the customer; say it in your own words.", highlight=False)
    OUT.print()


def _typed(director: Director, settings: HearingSettings, role: str) -> list[Event]:
    started_at = datetime.now(UTC).astimezone().isoformat(timespec="seconds")
    call = TextCall(
        settings.conversation,
        call_id=f"practice-{director.scenario.id}",
        started_at=started_at,
        agent=None,
    )
    run = TypedRun(director, call, role)
    mine, theirs = ("Customer", "Agent") if role == "customer" else ("Agent", "Customer")
    if role == "agent":
        OUT.print(f"Customer: {run.line}", highlight=False)
    while not run.over:
        if role == "customer":
            OUT.print(f"(in other words: {run.line})", style="dim", highlight=False)
        text = _line(f"{mine} (you): ")
        if text is None:
            break
        reply = run.take(text)
        if reply is not None:
            OUT.print(f"{theirs}: {reply}", highlight=False)
    return call.finish()


def _line(prompt: str) -> str | None:
    """Ask for a line; None at the end of the input."""
    while True:
        try:
            line = input(prompt if sys.stdin.isatty() else "").strip()
        except EOFError:
            return None
        if line:
            return line


def _recorded(
    director: Director, lines: dict[str, Samples], answers: list[Path], settings: HearingSettings
) -> list[Event]:
    call = SpokenCall(director, lines, RecordedMicrophone.from_files(answers))
    with loaded_hearing(settings) as hearing:
        return rehearse_offline(
            call,
            hearing,
            call_id=f"practice-{director.scenario.id}",
            started_at=recorded_at(answers[0]),
        )


def _spoken(
    director: Director, lines: dict[str, Samples], device: str | None, settings: HearingSettings
) -> list[Event]:
    index = None if device is None else find_device(device).index
    with (
        tempfile.TemporaryDirectory() as folder,
        loaded_hearing(settings) as hearing,
        Headset(index) as headset,
    ):
        call = SpokenCall(director, lines, headset)
        return rehearse_live(
            call,
            hearing,
            Path(folder) / "practice.db",
            play=headset.play,
            started=lambda address: print(f"Agent panel: {address}", flush=True),
        )


def _reflection(given: str | None) -> str | None:
    if given is not None or not sys.stdin.isatty():
        return given
    OUT.print()
    return _line("What did the customer feel? (words, with commas): ")


def _conclude(report: Report, part: PracticePart, case: Scenario, out: Path) -> None:
    OUT.print()
    for attempt in part.attempts:
        heard = ", ".join(attempt.found) or "none of it"
        wanted = " or ".join(attempt.wanted)
        OUT.print(f"{attempt.stage}: called for {wanted}; heard {heard}", highlight=False)
        model = case.stages[attempt.stage].model_reply
        if not attempt.found and model:
            OUT.print(f"    for example: {model}", highlight=False)
    for name, words in (("You noticed", "named"), ("There was also", "missed")):
        if part.reflection.get(words):
            OUT.print(f"{name}: {', '.join(part.reflection[words])}", highlight=False)
    say(report, out)
