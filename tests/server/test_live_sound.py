"""`heartline live` on a sound server of its own: two PulseAudio sources become a call's sides."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest
import soundfile

from audio.sources import open_recording
from conversation.events import CallEnded, Channel, Event, EventLog, SpeechEnded
from server.store import Journal
from tests.server.live import SAMPLE, until

pytestmark = [pytest.mark.server, pytest.mark.model]
RATE_HZ = 16_000
BEGIN_S, END_S = 12, 20
PROGRAMS = ("pulseaudio", "paplay", "pactl")
PLUGIN = "libasound_module_pcm_pulse.so"
ALSA = """
pcm.mic { type pulse device "mic" hint { show on description "mic" } }
pcm.far { type pulse device "far" hint { show on description "far" } }
"""
MODULES = (
    "module-native-protocol-unix",
    f"module-null-sink sink_name=call rate={RATE_HZ} channels=2 channel_map=front-left,front-right",
    "module-remap-source source_name=mic master=call.monitor channels=1 "
    "master_channel_map=front-left channel_map=mono remix=no",
    "module-remap-source source_name=far master=call.monitor channels=1 "
    "master_channel_map=front-right channel_map=mono remix=no",
)


@pytest.fixture
def sound(tmp_path: Path) -> Iterator[dict[str, str]]:
    """A sound server whose two sources carry the left and the right of what is played to it."""
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    plugins = list(Path("/usr/lib").glob(f"*/alsa-lib/{PLUGIN}"))
    if missing or not plugins:
        pytest.skip("no PulseAudio with its ALSA plugin on this machine; .ci/run installs them")
    runtime = tmp_path / "runtime"
    runtime.mkdir(mode=0o700)
    (tmp_path / ".asoundrc").write_text(ALSA)
    environment = {
        **os.environ,
        "HOME": str(tmp_path),
        "XDG_RUNTIME_DIR": str(runtime),
        "PULSE_RUNTIME_PATH": str(runtime),
        "HEARTLINE_ASR__ENABLED": "false",
    }
    loads = [f"--load={module}" for module in MODULES]
    log = (tmp_path / "pulse.log").open("w")
    server = subprocess.Popen(
        ["pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1", "--disable-shm=yes", *loads],
        env=environment,
        stdout=log,
        stderr=log,
    )
    try:
        until(lambda: "far" in sources(environment))
        yield environment
    finally:
        server.terminate()
        server.wait()
        log.close()


def sources(environment: Mapping[str, str]) -> str:
    listing = subprocess.run(
        ["pactl", "list", "short", "sources"], env=environment, capture_output=True, text=True
    )
    return listing.stdout


def stereo(path: Path) -> Path:
    """Write eight seconds of the sample call, the agent on the left."""
    recording = open_recording(SAMPLE)
    rate_hz = recording.sample_rate_hz
    sides = [recording.samples(c) for c in (Channel.AGENT, Channel.CUSTOMER)]
    both = np.stack([side[BEGIN_S * rate_hz : END_S * rate_hz] for side in sides], axis=1)
    soundfile.write(path, both, rate_hz)
    return path


STEP_MS = 20
SHIFT_STEPS = 10


def talk(events: list[Event]) -> np.ndarray:
    """Return who speaks in each 20 ms, agent and customer, from the first speech on."""
    spans = [e for e in events if isinstance(e, SpeechEnded)]
    first_ms = min(e.start_ms for e in spans)
    mask = np.zeros((2, (END_S - BEGIN_S) * 1_000 // STEP_MS), bool)
    for e in spans:
        row = 0 if e.channel is Channel.AGENT else 1
        mask[row, (e.start_ms - first_ms) // STEP_MS : (e.end_ms - first_ms) // STEP_MS] = True
    return mask


def analysed(path: Path, folder: Path, environment: Mapping[str, str]) -> list[Event]:
    """Return the events of the same audio as a file."""
    subprocess.run(
        [sys.executable, "-m", "server.cli", "analyze", str(path), "--no-words", "--out", folder],
        env=environment,
        check=True,
        capture_output=True,
    )
    (log,) = folder.rglob("*events.jsonl")
    return [EventLog.decode(line) for line in log.read_bytes().splitlines()]


def test_both_sides_of_this_machine_are_heard_as_the_recording_has_them(
    sound: dict[str, str], tmp_path: Path
) -> None:
    played = stereo(tmp_path / "call.wav")
    live = subprocess.Popen(
        [sys.executable, "-m", "server.cli", "live", "--agent-device", "mic",
         "--customer-device", "far", "--data", str(tmp_path / "data")],
        env=sound,
        stdout=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    assert live.stdout is not None
    try:
        assert "Recording both sides" in live.stdout.readline()
        time.sleep(1.0)
        subprocess.run(["paplay", "--device=call", played], env=sound, check=True)
        time.sleep(1.0)
    finally:
        live.send_signal(signal.SIGINT)
        assert live.wait(timeout=60) == 0
        live.stdout.close()
    journal = Journal(tmp_path / "data" / "heartline.db", serving=False)
    (row,) = journal.calls()
    events = journal.events(row.call_id)
    journal.close()
    assert [e.reason for e in events if isinstance(e, CallEnded)] == ["ended"]
    heard, wanted = talk(events), talk(analysed(played, tmp_path / "out", sound))
    assert wanted.any(axis=1).all()
    # One shift for both sides: where the first speech is taken to begin may differ a little.
    shifts = range(-SHIFT_STEPS, SHIFT_STEPS + 1)
    agreed = [(np.roll(heard, shift, axis=1) == wanted).mean(axis=1) for shift in shifts]
    assert max(agreed, key=np.sum) == pytest.approx([1.0, 1.0], abs=0.15)
