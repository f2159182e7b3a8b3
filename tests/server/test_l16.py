"""The text-then-binary family: each peer's hello, and two of their calls on a real server."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from audio.chunks import AudioChunk
from conversation.events import CallEnded, Channel
from reports.build import build_report
from server.adapters.contract import CallOpened, IngestError
from server.adapters.l16 import L16_DIALECTS, L16Decoder
from server.runner import Running
from tests.server.live import end_of, finished, serving, sides, started_of, until

pytestmark = [pytest.mark.server, pytest.mark.unit]

HELLOS: dict[str, tuple[str, dict[str, str], int, tuple[str, ...], str | None]] = {
    "audio_stream": (
        "any text at all",
        {"rate": "16000", "mix": "stereo", "call": "fs-1"},
        16_000,
        ("customer", "agent"),
        "fs-1",
    ),
    "audio_fork": (
        json.dumps({"call_id": "fs-2", "sampleRate": 8000, "mixType": "mixed"}),
        {},
        8_000,
        ("mixed",),
        "fs-2",
    ),
    "jambonz": (
        json.dumps(
            {
                "callSid": "j-1",
                "sampleRate": 16000,
                "mixType": "stereo",
                "from": "+1",
                "metadata": {"agent": "ann"},
            }
        ),
        {},
        16_000,
        ("customer", "agent"),
        "j-1",
    ),
    "vonage": (
        json.dumps(
            {
                "event": "websocket:connected",
                "content-type": "audio/l16;rate=24000",
                "call": "v-1",
                "channel": "agent",
            }
        ),
        {},
        24_000,
        ("agent",),
        "v-1",
    ),
    "sinch": (
        json.dumps(
            {
                "command": "connect",
                "version": "1",
                "callId": "s-1",
                "codec": "PCM",
                "sampleRate": 8000,
            }
        ),
        {},
        8_000,
        ("mixed",),
        "s-1",
    ),
}


@pytest.mark.parametrize("name", L16_DIALECTS)
def test_each_hello_says_who_and_how(name: str) -> None:
    hello, query, rate_hz, channels, vendor_id = HELLOS[name]
    peer = L16Decoder(L16_DIALECTS[name], query)
    (opened,) = peer.feed(hello)
    assert isinstance(opened, CallOpened)
    assert (opened.source, opened.sample_rate_hz) == (name, rate_hz)
    assert (opened.channels, opened.vendor_id) == (channels, vendor_id)
    assert peer.reply() == (['{"command":"answer"}'] if name == "sinch" else [])
    chunks = peer.feed(np.arange(4 * len(channels), dtype="<i2").tobytes())
    assert [len(c.samples) for c in chunks if isinstance(c, AudioChunk)] == [4] * len(channels)
    assert peer.feed('{"event":"websocket:dtmf","digit":"5"}') == []


def test_stereo_is_interleaved_and_its_sides_can_be_configured() -> None:
    peer = L16Decoder(L16_DIALECTS["audio_stream"], {"mix": "stereo"}, roles="left=agent")
    (opened,) = peer.feed("hello")
    left, right = peer.feed(np.array([1, 2, 3, 4], dtype="<i2").tobytes())
    assert isinstance(opened, CallOpened)
    assert opened.roles == {"left": Channel.AGENT, "right": Channel.CUSTOMER}
    assert isinstance(left, AudioChunk)
    assert isinstance(right, AudioChunk)
    assert (left.channel, (left.samples * 32_768).tolist()) == ("agent", [1, 3])
    assert (right.channel, (right.samples * 32_768).tolist()) == ("customer", [2, 4])


def test_a_message_that_ends_the_call() -> None:
    peer = L16Decoder(L16_DIALECTS["vonage"], {})
    peer.feed(HELLOS["vonage"][0])
    (ended,) = peer.feed('{"event":"websocket:disconnected"}')
    assert isinstance(ended, CallEnded)


@pytest.mark.parametrize(
    ("name", "message", "code"),
    [
        ("vonage", "hello", "bad_start"),
        ("vonage", '{"event":"start"}', "bad_start"),
        ("sinch", '{"command":"dance"}', "bad_start"),
        ("jambonz", "[" * 10_000, "bad_start"),
        ("jambonz", b"\x00\x00", "bad_start"),
        ("jambonz", '{"sampleRate":7}', "unsupported_format"),
        ("jambonz", '{"sampleRate":"' + "9" * 5_000 + '"}', "unsupported_format"),
        ("audio_stream", '{"channel":"boss"}', "bad_start"),
    ],
)
def test_what_is_no_hello_is_refused(name: str, message: str | bytes, code: str) -> None:
    with pytest.raises(IngestError) as refused:
        L16Decoder(L16_DIALECTS[name], {}).feed(message)
    assert refused.value.code == code


def test_half_a_sample_is_refused() -> None:
    peer = L16Decoder(L16_DIALECTS["sinch"], {})
    peer.feed(HELLOS["sinch"][0])
    with pytest.raises(IngestError) as refused:
        peer.feed(b"\x00")
    assert refused.value.code == "bad_audio"


def test_a_token_may_stand_in_the_hello() -> None:
    for given, passes in (("secret", True), ("guess", False)):
        peer = L16Decoder(L16_DIALECTS["jambonz"], {}, token="secret")
        hello = json.dumps({"callSid": "j", "metadata": {"token": given}})
        if passes:
            assert isinstance(peer.feed(hello)[0], CallOpened)
        else:
            with pytest.raises(IngestError, match="token"):
                peer.feed(hello)


def url(server: Running, dialect: str, query: str = "") -> str:
    return f"ws://127.0.0.1:{server.port}/v1/ingest/l16/{dialect}{query}"


def stereo() -> bytes:
    both = np.stack([sides()["customer"], sides()["agent"]], axis=1)[: 3 * 8_000]
    return bytes((both * 32_767).astype("<i2").tobytes())


def test_a_freeswitch_call_in_stereo_ends_with_its_socket() -> None:
    with serving() as server:
        requested = [Subprotocol("audiostream.drachtio.org")]
        address = url(server, "audio_fork", "?mix=stereo&call=fs&agent=ann")
        with connect(address, subprotocols=requested) as peer:
            assert peer.subprotocol == requested[0]
            peer.send("{}")
            audio = stereo()
            for at in range(0, len(audio), 640):
                peer.send(audio[at : at + 640])
        until(lambda: server.calls.journal.has_call("fs"))
        events = finished(server, "fs")
    assert (started_of(events).source, started_of(events).agent) == ("audio_fork", "ann")
    assert end_of(events).reason == "ended"
    report = build_report(events)
    assert (report.call.duration_ms, report.quality.gaps) == (3_000, ())


def test_a_vonage_call_is_one_socket_for_each_side_and_lost_when_cut() -> None:
    def hello(side: str) -> str:
        said: dict[str, Any] = json.loads(HELLOS["vonage"][0])
        return json.dumps(said | {"channel": side, "content-type": "audio/l16;rate=8000"})

    with serving() as server:
        with (
            connect(url(server, "vonage")) as agent,
            connect(url(server, "vonage")) as customer,
        ):
            agent.send(hello("agent"))
            until(lambda: "v-1" in server.calls.running)
            customer.send(hello("customer"))
            until(lambda: server.calls.running["v-1"].epoch == 2)
            for at in range(0, 2 * 8_000, 160):
                for peer, side in ((agent, "agent"), (customer, "customer")):
                    part = (sides()[side][at : at + 160] * 32_767).astype("<i2").tobytes()
                    peer.send(part)
        events = finished(server, "v-1")
    assert set(started_of(events).channels) == {Channel.AGENT, Channel.CUSTOMER}
    assert 2_000 <= build_report(events).call.duration_ms <= 2_100


def test_an_unknown_dialect_has_no_address() -> None:
    with serving() as server:
        with pytest.raises(Exception, match="40"), connect(url(server, "nobody")):
            pass
        with connect(url(server, "sinch")) as peer:
            peer.send("nonsense")
            with pytest.raises(ConnectionClosed):
                peer.recv(timeout=10)
