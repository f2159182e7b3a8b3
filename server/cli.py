"""The command line: `heartline demo | serve | stream | analyze | live | devices | models`."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import threading
import webbrowser
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from asr.errors import AsrError
from asr.models import DEFAULT_MODEL, MANIFEST, fetch_model, resolve_model, verify_model
from audio.capture import MicrophonePair, find_device, list_devices
from audio.chunks import AudioChunk
from audio.errors import AudioError
from audio.sources import Recording, list_recordings, open_recording
from conversation.events import AudioGap, Channel
from reports.html import summary
from reports.model import Report
from server.analyze import TranscriptError, analyze_recording, analyze_transcript, write_outputs
from server.commands import records
from server.event_recorder import EventRecorder, write_key
from server.hearing import Hearing, HearingSettings
from server.runner import PortTakenError, Running, running_server
from server.settings import Settings, SettingsError, load_settings
from server.store import StoreError
from server.stream_client import StreamError, ingest_url, stream_blocks, to_blocks

SAMPLE = Path(__file__).parent / "sample" / "call.flac"
_ERRORS = (
    AudioError,
    AsrError,
    StreamError,
    TranscriptError,
    PortTakenError,
    SettingsError,
    StoreError,
)
_OUT = Console()
_ERR = Console(stderr=True)

app = typer.Typer(
    help="Heartline listens to both sides of a call and shows the agent what would help.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for command in (records.erase, records.hold, records.backup):
    app.command()(command)

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
DataFolder = Annotated[Path | None, typer.Option(help="Folder of the database [heartline-data].")]


def main() -> None:
    """Run the command line; exit code 0 done, 1 failed, 2 wrong usage."""
    try:
        app()
    except _ERRORS as error:
        _ERR.print(f"heartline: {error}", style="red", highlight=False, markup=False)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


def _settings(config: Path | None, no_words: bool = False, **flags: Any) -> Settings:
    if no_words:
        flags["asr__enabled"] = False
    dotted = {key.replace("__", "."): value for key, value in flags.items()}
    return load_settings(config, os.environ, dotted)


@contextlib.contextmanager
def _progress(what: str, total_ms: int) -> Iterator[tuple[Progress, TaskID]]:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
    )
    with Progress(*columns, TimeElapsedColumn(), console=_ERR, transient=True) as progress:
        yield progress, progress.add_task(what, total=total_ms)


@contextlib.contextmanager
def _hearing(settings: HearingSettings) -> Iterator[Hearing]:
    hearing = Hearing(settings)
    with _ERR.status("Loading models ..."):
        hearing.load()
    try:
        yield hearing
    finally:
        hearing.close()


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Where the report is written.")] = Path("heartline-out"),
    speed: Annotated[float, typer.Option(help="1 is real time; 0 as fast as possible.")] = 1.0,
    port: Annotated[int, typer.Option(help="Port of the panel; 0 picks a free one.")] = 0,
    browser: Annotated[bool, typer.Option(help="Open the panel in the browser.")] = True,
) -> None:
    """Play the bundled sample call live, with the agent panel, and write its report.

    On a terminal the panel stays up until you press Enter; elsewhere the command exits when the
    call is over.
    """
    recording = open_recording(SAMPLE)
    interactive = sys.stdin.isatty() and sys.stdout.isatty()
    with (
        tempfile.TemporaryDirectory() as folder,
        _hearing(HearingSettings()) as hearing,
        running_server(hearing, Path(folder) / "demo.db", port) as server,
    ):
        print(f"Agent panel: {server.address}", flush=True)
        if browser and interactive:
            webbrowser.open(server.address)
        call_id = _play(recording, server.ingest_url, speed, agent="demo")
        report = write_outputs(server.calls.journal.events(call_id), out)
        _say(report, out)
        if interactive:
            input("The panel stays up; press Enter to stop. ")


def _play(
    recording: Recording,
    url: str,
    speed: float,
    agent: str | None,
    recorder: EventRecorder | None = None,
) -> str:
    call_ids: list[str] = []

    def started(call_id: str) -> None:
        call_ids.append(call_id)
        if recorder is not None:
            recorder.begin(call_id)

    with _progress("Playing the call", recording.duration_ms) as (progress, task):
        stream_blocks(
            recording.blocks(100),
            url=url,
            channels=recording.channels,
            sample_rate_hz=recording.sample_rate_hz,
            speed=speed,
            agent=agent,
            on_started=started,
            progress=lambda at_ms: progress.update(task, completed=at_ms),
        )
    return call_ids[0]


def _say(report: Report, folder: Path) -> None:
    _OUT.print(summary(report), highlight=False, markup=False)
    _OUT.print(f"Report: {folder / 'report.html'}", highlight=False, markup=False, soft_wrap=True)


@app.command()
def serve(
    port: Annotated[int | None, typer.Option(help="Port on 127.0.0.1 [8787].")] = None,
    data: DataFolder = None,
    model: ModelName = None,
    no_words: NoWords = False,
    config: ConfigFile = None,
) -> None:
    """Serve one machine: calls come in at /v1/ingest, the panel is at the printed address.

    Settings come from heartline.toml, then HEARTLINE_ variables, then these options.
    """
    flags = {"server__port": port, "server__data": data and str(data), "asr__model": model}
    settings = _settings(config, no_words, **flags)
    folder = Path(settings.server.data)
    folder.mkdir(parents=True, exist_ok=True)
    with (
        _hearing(settings.hearing) as hearing,
        running_server(
            hearing, settings.server.where, settings.server.port, retention=settings.retention
        ) as server,
    ):
        write_key(folder, server.user.key)
        print(f"Agent panel: {server.address}\nIngest: {server.ingest_url}", flush=True)
        _until_interrupted(server)


def _until_interrupted(server: Running) -> None:
    with contextlib.suppress(KeyboardInterrupt):
        while server.thread.is_alive():
            threading.Event().wait(0.5)


@app.command()
def stream(
    file: Annotated[Path, typer.Argument(help="A recording, stereo or the agent's side.")],
    server: Annotated[str, typer.Option(help="The server's address.")] = "http://127.0.0.1:8787",
    customer: CustomerFile = None,
    agent_channel: AgentChannel = 0,
    speed: Annotated[float, typer.Option(help="1 is real time; 0 as fast as possible.")] = 1.0,
    agent: Annotated[str | None, typer.Option(help="Who takes the call.")] = None,
    events: Annotated[
        Path | None, typer.Option(help="Write every event received, with its time, to this file.")
    ] = None,
    data: Annotated[
        Path, typer.Option(help="The server's folder, where --events finds its key.")
    ] = Path("heartline-data"),
) -> None:
    """Play a recording to a server as if it were a live call.

    With --events each line of the file is one event as a dashboard was told it: received_at,
    elapsed_ms since the first audio, seq and event.
    """
    recording = open_recording(file, customer_path=customer, agent_channel=agent_channel)
    url = ingest_url(server)
    recorder = None if events is None else EventRecorder(url, data, events)
    call_id = _play(recording, url, speed, agent, recorder)
    _OUT.print(f"Call {call_id} is over.", highlight=False)
    if recorder is not None:
        recorder.finish()
        _OUT.print(f"{recorder.events} events: {events}", highlight=False, soft_wrap=True)


@app.command()
def analyze(
    files: Annotated[list[Path], typer.Argument(help="Recordings, folders, or *.transcript.json.")],
    customer: CustomerFile = None,
    agent_channel: AgentChannel = 0,
    out: Annotated[Path, typer.Option(help="Folder for the reports.")] = Path("heartline-out"),
    model: ModelName = None,
    no_words: NoWords = False,
    partials: Annotated[
        bool, typer.Option(help="Also decode partial transcripts, as live.")
    ] = False,
    config: ConfigFile = None,
) -> None:
    """Analyse recordings offline: report.json, report.html and events.jsonl for each."""
    paths = [p for file in files for p in (list_recordings(file) if file.is_dir() else [file])]
    stems = Counter(path.stem for path in paths)
    settings = _settings(config, no_words, asr__model=model, asr__partials_enabled=partials)
    failed = 0
    with _hearing(settings.hearing) as hearing:
        for path in paths:
            name = path.stem if stems[path.stem] == 1 else path.name
            folder = out if len(paths) == 1 else out / name
            try:
                report = _analyze_one(path, customer, agent_channel, folder, hearing)
            except _ERRORS as error:
                failed += 1
                _ERR.print(f"heartline: {error}", style="red", highlight=False, markup=False)
                continue
            _say(report, folder)
    if failed:
        raise typer.Exit(1)


def _analyze_one(
    path: Path, customer: Path | None, agent_channel: int, folder: Path, hearing: Hearing
) -> Report:
    call_id = path.name.partition(".")[0]
    started_at = datetime.now(UTC).astimezone().isoformat(timespec="seconds")
    if path.name.endswith(".transcript.json"):
        settings = hearing.settings
        events = analyze_transcript(path, settings, call_id=call_id, started_at=started_at)
        return write_outputs(events, folder)
    recording = open_recording(path, customer_path=customer, agent_channel=agent_channel)
    with _progress(f"Analysing {path.name}", recording.duration_ms) as (progress, task):
        events = analyze_recording(
            recording,
            hearing,
            call_id=call_id,
            started_at=started_at,
            progress=lambda at_ms: progress.update(task, completed=at_ms),
        )
    return write_outputs(events, folder)


@app.command()
def live(
    agent_device: Annotated[str, typer.Option(help="Your microphone: number or part of its name.")],
    customer_device: Annotated[
        str, typer.Option(help="The far end: a loopback or monitor device.")
    ],
    rate: Annotated[int, typer.Option(help="Sample rate in Hz.")] = 16_000,
    data: DataFolder = None,
    model: ModelName = None,
    config: ConfigFile = None,
) -> None:
    """Listen to a call on this machine: your microphone and the far end. Ctrl+C ends it."""
    settings = _settings(config, server__data=data and str(data), asr__model=model)
    devices = [find_device(agent_device).index, find_device(customer_device).index]
    folder = Path(settings.server.data)
    folder.mkdir(parents=True, exist_ok=True)
    with (
        _hearing(settings.hearing) as hearing,
        running_server(hearing, settings.server.where) as server,
        MicrophonePair(devices[0], devices[1], rate) as microphones,
    ):
        print(f"Recording both sides. Agent panel: {server.address}", flush=True)
        stream_blocks(
            to_blocks(_until_ctrl_c(microphones), rate),
            url=server.ingest_url,
            channels=(Channel.AGENT, Channel.CUSTOMER),
            sample_rate_hz=rate,
            speed=0,
        )


def _until_ctrl_c(microphones: MicrophonePair) -> Iterator[AudioChunk | AudioGap]:
    with contextlib.suppress(KeyboardInterrupt):
        yield from microphones.items()


@app.command()
def devices() -> None:
    """List the sound devices that `heartline live` can listen to."""
    table = Table("Number", "Name", "Channels", "Rate")
    for device in list_devices():
        table.add_row(
            str(device.index), device.name, str(device.channels), f"{device.default_rate_hz} Hz"
        )
    _OUT.print(table)


@app.command()
def models(
    action: Annotated[str, typer.Argument(help="list, verify or fetch.")] = "list",
    name: Annotated[str, typer.Argument(help="Model name or directory.")] = DEFAULT_MODEL,
) -> None:
    """List the models on this machine, verify one, or fetch one from the hub (goes online)."""
    if action == "list":
        table = Table("Model", "From", "Licence")
        for known in MANIFEST:
            files = resolve_model(known)
            table.add_row(files.name, files.origin, files.licence)
        _OUT.print(table)
    elif action == "verify":
        verify_model(resolve_model(name))
        _OUT.print(f"{name}: every file is the reviewed one.", highlight=False)
    elif action == "fetch":
        with _ERR.status(f"Fetching {name} ..."):
            files = fetch_model(name)
        _OUT.print(f"{name}: fetched ({files.origin}).", highlight=False)
    else:
        _ERR.print(f"heartline: '{action}' is not list, verify or fetch.", style="red")
        raise typer.Exit(2)


if __name__ == "__main__":
    main()
