"""The command line: `heartline demo | serve | stream | analyze | acts | live | devices ...`."""

from __future__ import annotations

import contextlib
import signal
import sys
import tempfile
import threading
import webbrowser
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.table import Table

from asr.errors import AsrError
from asr.settings import AsrSettings
from audio.capture import MicrophonePair, find_device, list_devices
from audio.chunks import AudioChunk
from audio.errors import AudioError
from audio.sources import Recording, open_recording
from conversation.events import AudioGap, Channel
from conversation.language import PackError
from conversation.promises import TimeZoneError
from conversation.rules import RuleError
from reports.exports import ExportError
from reports.rollup import RollUpError
from server.act_encoder import ActModelError
from server.analyze import SAMPLE, TranscriptError, write_outputs
from server.batch import BatchError
from server.commands import models, people, records, webhooks
from server.commands import rules as rules_commands
from server.commands.acts import ActsError, acts
from server.commands.analyze import analyze
from server.commands.live_check import CHECK_S, listen, verdict
from server.commands.practice import practice
from server.commands.report import report
from server.commands.shared import (
    OUT,
    AgentChannel,
    ConfigFile,
    CustomerFile,
    DataFolder,
    ModelName,
    NoWords,
    complain,
    loaded_hearing,
    progress_bar,
    read_settings,
    say,
)
from server.commands.tone import ToneFileError, tone
from server.event_recorder import EventRecorder, write_key
from server.hearing import HearingSettings
from server.logs import set_up_log
from server.people.oidc import OidcError
from server.practice.scenario import ScenarioError
from server.replay import LogError
from server.runner import PortTakenError, Running, running_server
from server.settings import SettingsError
from server.store import StoreError
from server.stream_client import StreamError, ingest_url, stream_blocks, to_blocks
from server.vcon_file import VconError

_ERRORS = (
    ActModelError,
    ActsError,
    AsrError,
    AudioError,
    BatchError,
    ExportError,
    LogError,
    OidcError,
    PackError,
    PortTakenError,
    RollUpError,
    RuleError,
    ScenarioError,
    SettingsError,
    StoreError,
    StreamError,
    TimeZoneError,
    ToneFileError,
    TranscriptError,
    VconError,
)

app = typer.Typer(
    help="Heartline listens to both sides of a call and shows the agent what would help.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,  # with it, text in brackets is taken for a style and dropped
    pretty_exceptions_enable=False,
)
for command in (
    acts,
    analyze,
    practice,
    report,
    tone,
    records.erase,
    records.hold,
    records.backup,
):
    app.command()(command)
app.command("audit")(people.audit_log)
app.add_typer(people.users, name="users")
app.add_typer(people.keys, name="keys")
app.add_typer(models.app, name="models")
app.add_typer(webhooks.app, name="webhooks")
app.add_typer(rules_commands.app, name="rules")


def main() -> None:
    """Run the command line; exit code 0 done, 1 failed, 2 wrong usage."""
    try:
        app()
    except _ERRORS as error:
        complain(error)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


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
        loaded_hearing(HearingSettings()) as hearing,
        running_server(hearing, Path(folder) / "demo.db", port) as server,
    ):
        print(f"Agent panel: {server.address}", flush=True)
        if browser and interactive:
            webbrowser.open(server.address)
        call_id = _play(recording, server.ingest_url, speed, agent="demo")
        report = write_outputs(server.calls.journal.events(call_id), out)
        say(report, out)
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

    with progress_bar("Playing the call", recording.duration_ms) as (progress, task):
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
    settings = read_settings(config, no_words, **flags)
    set_up_log(settings.log)
    folder = Path(settings.server.data)
    folder.mkdir(parents=True, exist_ok=True)
    with (
        loaded_hearing(settings.hearing) as hearing,
        running_server(
            hearing, settings.server.where, settings.server.port, settings, alone=True
        ) as server,
    ):
        write_key(folder, server.user.key)
        where = settings.server.origins or (server.address,)
        print(f"Agent panel: {where[0]}\nIngest: {server.ingest_url}", flush=True)
        _until_interrupted(server)


def _until_interrupted(server: Running) -> None:
    signal.signal(signal.SIGTERM, _interrupt)
    with contextlib.suppress(KeyboardInterrupt):
        while server.thread.is_alive():
            threading.Event().wait(0.5)


def _interrupt(*_: object) -> None:
    """End in order, once: calls are told, reports written."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise KeyboardInterrupt


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
    OUT.print(f"Call {call_id} is over.", highlight=False)
    if recorder is not None:
        recorder.finish()
        OUT.print(f"{recorder.events} events: {events}", highlight=False, soft_wrap=True)


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
    check: Annotated[
        bool, typer.Option("--check", help="Only say what is heard on which side.")
    ] = False,
) -> None:
    """Listen to a call on this machine: your microphone and the far end. Ctrl+C ends it.

    With --check you are asked to speak, then to play something at the far end, and told what came
    from which device and what to do about it.
    """
    settings = read_settings(config, server__data=data and str(data), asr__model=model)
    devices = [find_device(agent_device).index, find_device(customer_device).index]
    if check:
        _check_sides(settings.hearing, MicrophonePair(devices[0], devices[1], rate))
        return
    folder = Path(settings.server.data)
    folder.mkdir(parents=True, exist_ok=True)
    with (
        loaded_hearing(settings.hearing) as hearing,
        running_server(hearing, settings.server.where, settings=settings) as server,
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


def _check_sides(settings: HearingSettings, microphones: MicrophonePair) -> None:
    settings = msgspec.structs.replace(settings, asr=AsrSettings(enabled=False))
    asked = {
        Channel.AGENT: "Say a few sentences into your microphone",
        Channel.CUSTOMER: "Now be quiet, and let the far end speak, or play something",
    }
    with loaded_hearing(settings) as hearing:
        for speaking, text in asked.items():
            OUT.print(f"{text} ({CHECK_S} s) ...", highlight=False)
            vads = {c: hearing.vad_stream() for c in asked}
            with microphones:
                result = listen(microphones.items(), vads, CHECK_S * 1_000)
            for sentence in verdict(speaking, result):
                OUT.print(f"  {sentence}", highlight=False)


def _until_ctrl_c(microphones: MicrophonePair) -> Iterator[AudioChunk | AudioGap]:
    """Yield until Ctrl+C or SIGTERM, wherever that comes; a second one ends at once."""
    over = threading.Event()

    def end(*_: object) -> None:
        over.set()
        for number, handler in before.items():
            signal.signal(number, handler)

    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    for item in microphones.items():
        if over.is_set():
            return
        yield item


@app.command()
def devices() -> None:
    """List the sound devices that `heartline live` can listen to.

    Give their number, or a part of their name, to --agent-device and --customer-device. The far
    end of a call on this machine is a monitor or loopback device.
    """
    table = Table("Number", "Name", "Channels", "Rate")
    for device in list_devices():
        table.add_row(
            str(device.index), device.name, str(device.channels), f"{device.default_rate_hz} Hz"
        )
    OUT.print(table)


if __name__ == "__main__":
    main()
