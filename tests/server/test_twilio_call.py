"""`streamdouble`, a Twilio simulator from the registry, plays two-track calls to a real server.

Assertions: F2.
"""

from __future__ import annotations

import asyncio
import socket
import wave
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from conversation.events import CallStarted, Channel, Event, SpeechStarted
from reports.build import build_report
from server.adapters.twilio_signature import sign
from server.runner import Running
from tests.server.live import end_of, gaps_of, lines, serving, sides, started_of, the_call

pytestmark = [pytest.mark.server, pytest.mark.model]
streamdouble = pytest.importorskip("streamdouble", reason="streamdouble is not installed")
SECONDS = 3


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("audio")
    paths = {}
    for side, samples in sides().items():
        paths[side] = folder / f"{side}.wav"
        with wave.open(str(paths[side]), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(8_000)
            part = samples[3 * 8_000 : (3 + SECONDS) * 8_000]
            file.writeframes((part * 32_767).astype("<i2").tobytes())
    return paths


def play(server: Running, recordings: dict[str, Path], **config: Any) -> Any:
    """Play a call as Twilio forks it: the customer inbound, the agent outbound."""
    from streamdouble import audio
    from streamdouble.chaos import Impairments
    from streamdouble.session import SessionConfig, run_call

    frames = {side: audio.wav_to_ulaw_frames(path) for side, path in recordings.items()}
    return asyncio.run(
        run_call(
            f"ws://127.0.0.1:{server.port}/v1/ingest/twilio",
            frames["customer"],
            config=SessionConfig(
                fork=True,
                tracks=["inbound", "outbound"],
                agent_frames=frames["agent"],
                strict_fork=True,
                custom_parameters={"agent": "ann"},
                impairments=Impairments(**config.pop("impairments", {})),
                **config,
            ),
        )
    )


def played(recordings: dict[str, Path], **config: Any) -> list[Event]:
    with serving() as server:
        result = play(server, recordings, **config)
        assert not result.violations
        return the_call(server)


@pytest.fixture(scope="module")
def clean(recordings: dict[str, Path]) -> list[Event]:
    with serving() as server:
        result = play(server, recordings)
        assert (result.frames_sent, result.outbound_frames_sent) == (300, 150)
        return the_call(server)


def test_a_two_track_call_arrives_whole_and_is_reported(clean: list[Event]) -> None:
    started = started_of(clean)
    assert (started.source, started.agent) == ("twilio", "ann")
    assert started.roles == {"inbound": Channel.CUSTOMER, "outbound": Channel.AGENT}
    assert started.call_id == started.vendor_id
    assert gaps_of(clean) == []
    assert {e.channel for e in clean if isinstance(e, SpeechStarted)}
    report = build_report(clean)
    assert (report.call.duration_ms, report.call.source) == (SECONDS * 1_000, "twilio")
    assert report.quality.direction_known
    assert not [w for w in report.quality.warnings if "partial" in w]
    assert end_of(clean).reason == "ended"


def test_what_the_carrier_lost_is_seven_gaps_on_the_customers_side(
    recordings: dict[str, Path],
) -> None:
    events = played(recordings, impairments={"loss": 0.05}, chaos_seed=7)
    gaps = gaps_of(events)
    assert len(gaps) == 7
    assert all(end - begin == 20 for _, begin, end, _ in gaps)
    assert {(channel, reason) for channel, _, _, reason in gaps} == {("customer", "loss")}


def test_a_call_over_a_jittery_line_is_the_same_call(
    recordings: dict[str, Path], clean: list[Event]
) -> None:
    jittery = played(recordings, impairments={"jitter_ms": 30.0})
    assert lines(jittery, but=CallStarted) == lines(clean, but=CallStarted)


def test_a_lossy_and_jittery_call_is_reported_over_http(recordings: dict[str, Path]) -> None:
    impairments = {"loss": 0.05, "jitter_ms": 30.0}
    with serving() as server:
        result = play(server, recordings, impairments=impairments, chaos_seed=7)
        assert not result.violations
        events = the_call(server)
        address = f"http://127.0.0.1:{server.port}/v1/calls/{started_of(events).call_id}"
        headers = {"Authorization": f"Bearer {server.user.key}"}
        report = httpx.get(f"{address}/report.json", headers=headers).json()
    assert (report["call"]["duration_ms"], report["call"]["source"]) == (SECONDS * 1_000, "twilio")
    lost = [gap for gap in report["quality"]["gaps"] if gap["reason"] == "loss"]
    assert len(lost) == 7
    assert sum(gap["end_ms"] - gap["begin_ms"] for gap in lost) == 140
    assert report["quality"]["direction_known"]
    assert not [w for w in report["quality"]["warnings"] if "partial" in w]


# --------------------------------------------------------------------------- who may connect

PUBLIC = "wss://heartline.example"


def upgraded(server: Running, host: str = "heartline.example", **headers: str) -> bool:
    """Whether an upgrade that asks for a host is accepted."""
    with socket.create_connection(("127.0.0.1", server.port)) as proxied:
        try:
            with connect(
                f"ws://{host}/v1/ingest/twilio", sock=proxied, additional_headers=headers
            ) as stream:
                stream.send("{")
                stream.recv(timeout=10)
        except InvalidStatus:
            return False
        except ConnectionClosed as closed:
            return closed.rcvd is not None and closed.rcvd.code == 4400
    return False


def test_a_proxied_stream_must_be_signed_by_twilio() -> None:
    url = f"{PUBLIC}/v1/ingest/twilio"
    with serving(public_url=PUBLIC, twilio_auth_token="12345") as server:
        assert upgraded(server, **{"X-Twilio-Signature": sign("12345", url)})
        assert not upgraded(server, **{"X-Twilio-Signature": sign("12346", url)})
        assert not upgraded(server, **{"X-Twilio-Signature": ""})
        assert not upgraded(server)
        assert not upgraded(server, "evil.example")


def test_without_a_secret_only_this_machine_may_stream() -> None:
    with serving(public_url=PUBLIC) as server:
        assert not upgraded(server)
        assert upgraded(server, f"127.0.0.1:{server.port}")
        assert not upgraded(server, f"127.0.0.1:{server.port}", Host="heartline.example")
        assert not upgraded(server, f"127.0.0.1:{server.port}", Origin="https://evil.example")
        assert not upgraded(server, f"127.0.0.1:{server.port}", Forwarded="for=203.0.113.7")


def test_the_measured_speech_is_that_of_the_recording(clean: list[Event]) -> None:
    speech = [e for e in clean if isinstance(e, SpeechStarted)]
    assert all(0 <= e.start_ms < SECONDS * 1_000 for e in speech)
    loud = {s: float(np.abs(x[3 * 8_000 : 6 * 8_000]).max()) for s, x in sides().items()}
    assert {e.channel for e in speech} <= {s for s, peak in loud.items() if peak > 0.02}
