"""Asterisk's two protocols, spoken by byte-level peers of our own."""

from __future__ import annotations

import json
import socket
import struct
import uuid
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from audio.chunks import AudioChunk
from audio.g711 import decode
from conversation.events import CallEnded, Channel
from reports.build import build_report
from server.adapters.audiosocket import AudioSocketDecoder
from server.adapters.chan_websocket import ChanWebsocketDecoder
from server.adapters.contract import CallOpened, IngestError, Item
from server.expected import ExpectedCalls, ExpectedStream
from server.runner import Running
from tests.server.live import (
    end_of,
    finished,
    gaps_of,
    mulaw,
    reached,
    serving,
    sides,
    started_of,
    until,
)

pytestmark = [pytest.mark.server, pytest.mark.unit]
ID = uuid.UUID("40325ec2-5efd-4bd3-805f-53576e581d13")


def frame(kind: int, payload: bytes = b"", length: int | None = None) -> bytes:
    return struct.pack(">BH", kind, len(payload) if length is None else length) + payload


def stream(**changes: Any) -> ExpectedStream:
    return ExpectedStream(id=str(ID), channel=Channel.CUSTOMER, agent="ann", **changes)


def decoder(**named: Any) -> AudioSocketDecoder:
    return AudioSocketDecoder(lambda name: stream() if name == str(ID) else None, **named)


def test_every_kind_of_audio_has_its_rate() -> None:
    rates = [8_000, None, 16_000, 24_000, 32_000, 44_100, 48_000, 96_000, 192_000]
    for kind, rate_hz in enumerate(rates, 0x10):
        if rate_hz is None:
            continue
        peer = decoder()
        samples = np.arange(rate_hz // 50, dtype="<i2")
        opened, chunk = peer.feed(frame(0x01, ID.bytes) + frame(kind, samples.tobytes()))
        assert isinstance(opened, CallOpened)
        assert isinstance(chunk, AudioChunk)
        assert (opened.sample_rate_hz, chunk.sample_rate_hz) == (rate_hz, rate_hz)
        assert np.array_equal(np.rint(chunk.samples * 32_768), samples)


@pytest.mark.parametrize(
    ("length", "configured", "rate_hz"),
    [(480, 0, 12_000), (640, 0, 16_000), (480, 16_000, 16_000), (640, 12_000, 12_000)],
)
def test_kind_11_is_told_by_the_length_of_its_frames_or_by_a_setting(
    length: int, configured: int, rate_hz: int
) -> None:
    peer = decoder(kind_11_hz=configured)
    opened, _ = peer.feed(frame(0x01, ID.bytes) + frame(0x11, bytes(length)))
    assert isinstance(opened, CallOpened)
    assert opened.sample_rate_hz == rate_hz


def test_a_header_may_be_split_over_reads() -> None:
    data = frame(0x01, ID.bytes) + frame(0x10, bytes(320)) + frame(0x03, b"5") + frame(0x00)
    peer = decoder()
    items: list[Item] = []
    for at in range(len(data)):
        items += peer.feed(data[at : at + 1])
    assert [type(item) for item in items] == [CallOpened, AudioChunk, CallEnded]
    assert items == decoder().feed(data) or len(items) == len(decoder().feed(data))


def test_a_length_above_the_payload_waits_and_takes_the_next_frame_for_payload() -> None:
    peer = decoder()
    assert peer.feed(frame(0x01, ID.bytes) + frame(0x10, bytes(10), length=320)) == []
    items = peer.feed(bytes(310))
    assert [type(item) for item in items] == [CallOpened, AudioChunk]


def test_empty_audio_is_nothing_and_an_error_frame_ends_the_call() -> None:
    peer = decoder()
    items = peer.feed(frame(0x01, ID.bytes) + frame(0x10) + frame(0x10, bytes(320)))
    assert [type(item) for item in items] == [CallOpened, AudioChunk]
    (ended,) = peer.feed(frame(0xFF, b"\x01"))
    assert isinstance(ended, CallEnded)
    assert ended.reason == "source_error"
    assert peer.feed(frame(0x10, bytes(320))) == []


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (frame(0x10, bytes(320)), "bad_start"),
        (frame(0x00), "bad_start"),
        (frame(0x01, b"short"), "bad_start"),
        (frame(0x01, ID.bytes) + frame(0x42), "bad_message"),
        (frame(0x01, ID.bytes) + frame(0x10, bytes(321)), "bad_audio"),
        (
            frame(0x01, ID.bytes) + frame(0x10, bytes(320)) + frame(0x12, bytes(640)),
            "format_changed",
        ),
    ],
)
def test_frames_that_cannot_be_are_refused(data: bytes, code: str) -> None:
    with pytest.raises(IngestError) as refused:
        decoder().feed(data)
    assert refused.value.code == code


def test_an_unannounced_stream_is_hung_up() -> None:
    peer = decoder()
    with pytest.raises(IngestError, match="announced"):
        peer.feed(frame(0x01, uuid.uuid4().bytes))
    assert peer.reply() == [b"\x00\x00\x00"]


def test_an_announcement_is_taken_once_and_forgotten_after_an_hour() -> None:
    now_s = [0.0]
    expected = ExpectedCalls(lambda: now_s[0])
    expected.add(stream())
    assert expected.take(str(ID).upper()) == stream()
    assert expected.take(str(ID)) is None
    expected.add(stream())
    now_s[0] = 3_601.0
    assert expected.take(str(ID)) is None
    for number in range(2_000):
        expected.add(ExpectedStream(id=str(number)))
    with pytest.raises(OverflowError):
        expected.add(stream())


# --------------------------------------------------------------------------- real servers


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    with serving(audiosocket_port=-1) as running:
        yield running


def announce(server: Running, stream_id: uuid.UUID, **fields: Any) -> int:
    import http.client

    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    body = json.dumps({"id": str(stream_id), **fields})
    headers = {
        "Content-Type": "application/json",
        "Authorization": f"Bearer {server.user.key}",
    }
    connection.request("POST", "/v1/calls/expected", body, headers)
    status = connection.getresponse().status
    connection.close()
    return status


def pcm_frames(side: str) -> list[bytes]:
    samples = (sides()[side][: 4 * 8_000] * 32_767).astype("<i2").tobytes()
    return [frame(0x10, samples[at : at + 320]) for at in range(0, len(samples), 320)]


def test_two_announced_streams_are_the_two_sides_of_a_call(server: Running) -> None:
    ids = {side: uuid.uuid4() for side in ("agent", "customer")}
    for side, stream_id in ids.items():
        assert announce(server, stream_id, call="pbx-1", channel=side, agent="ann") == 204
    address = ("127.0.0.1", server.audiosocket_port)
    with socket.create_connection(address) as agent, socket.create_connection(address) as customer:
        agent.sendall(frame(0x01, ids["agent"].bytes))
        customer.sendall(frame(0x01, ids["customer"].bytes))
        both = zip(pcm_frames("agent"), pcm_frames("customer"), strict=True)
        for number, (agent_frame, customer_frame) in enumerate(both):
            agent.sendall(agent_frame)
            customer.sendall(customer_frame)
            if number == 0:
                reached(server, "pbx-1", 0)
                until(lambda: server.calls.running["pbx-1"].epoch == 2)
        agent.sendall(frame(0x00))
        customer.sendall(frame(0x00))
    events = finished(server, "pbx-1")
    started = started_of(events)
    assert (started.source, started.agent, started.vendor_id) == ("audiosocket", "ann", "pbx-1")
    assert set(started.channels) == {Channel.AGENT, Channel.CUSTOMER}
    assert end_of(events).reason == "ended"
    report = build_report(events)
    assert report.quality.direction_known
    assert 4_000 <= report.call.duration_ms <= 4_100
    assert report.talk.agent_ms or report.talk.customer_ms
    lost_ms = sum(end - begin for _, begin, end, _ in gaps_of(events))
    assert lost_ms <= 100


def test_a_stranger_is_hung_up_by_the_real_server(server: Running) -> None:
    with socket.create_connection(("127.0.0.1", server.audiosocket_port)) as peer:
        peer.settimeout(10)
        peer.sendall(frame(0x01, uuid.uuid4().bytes))
        assert peer.recv(16) == b"\x00\x00\x00"
        assert peer.recv(16) == b""


def test_announcing_needs_the_key(server: Running) -> None:
    import http.client

    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    headers = {"Content-Type": "application/json"}
    connection.request("POST", "/v1/calls/expected", json.dumps({"id": "x"}), headers)
    assert connection.getresponse().status == 401
    connection.close()
    assert announce(server, ID, surprise=1) == 400


# --------------------------------------------------------------------------- chan_websocket

MEDIA_START = {
    "event": "MEDIA_START",
    "connection_id": "conn-7",
    "channel": "WebSocket/conn-7/0x1",
    "channel_id": "1700000000.1",
    "format": "ulaw",
    "optimal_frame_size": 160,
    "ptime": 20,
    "channel_variables": {"agent": "ann"},
}
PLAIN = (
    "MEDIA_START connection_id:conn-7 channel:WebSocket/conn-7/0x1 format:ulaw "
    "optimal_frame_size:160"
)


def started_websocket(hello: str, **query: str) -> tuple[ChanWebsocketDecoder, CallOpened]:
    peer = ChanWebsocketDecoder(query)
    (opened,) = peer.feed(hello)
    assert isinstance(opened, CallOpened)
    return peer, opened


@pytest.mark.parametrize("hello", [json.dumps(MEDIA_START), PLAIN])
def test_both_forms_of_control_say_the_same(hello: str) -> None:
    peer, opened = started_websocket(hello, call="abc", channel="customer")
    assert (opened.vendor_id, opened.sample_rate_hz) == ("abc", 8_000)
    assert opened.channels == (Channel.CUSTOMER,)
    assert set(opened.call_channels) == {Channel.AGENT, Channel.CUSTOMER}
    for control in ("DTMF_END", "MEDIA_XOFF", "MEDIA_XON", "STATUS"):
        text = json.dumps({"event": control}) if hello.startswith("{") else f"{control} digit:1"
        assert peer.feed(text) == []
    (chunk,) = peer.feed(b"\xff\x80\x00")
    assert isinstance(chunk, AudioChunk)
    assert len(chunk.samples) == 3
    assert np.array_equal(chunk.samples, decode(b"\xff\x80\x00", "mulaw"))
    peer.drain()
    assert peer.reply() == ['{"command":"HANGUP"}' if hello.startswith("{") else "HANGUP"]


@pytest.mark.parametrize(
    ("name", "rate_hz"), [("alaw", 8_000), ("slin", 8_000), ("slin16", 16_000), ("slin48", 48_000)]
)
def test_formats_have_their_rates_and_a_sample_may_be_split(name: str, rate_hz: int) -> None:
    peer, opened = started_websocket(json.dumps({**MEDIA_START, "format": name}))
    assert opened.sample_rate_hz == rate_hz
    assert opened.vendor_id == "conn-7"
    assert opened.call_channels == ()
    counted = 0
    for piece in (b"\x01", b"\x02\x03", b"\x04"):
        counted += sum(len(i.samples) for i in peer.feed(piece) if isinstance(i, AudioChunk))
    assert counted == (4 if name == "alaw" else 2)


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (b"\xff", "bad_start"),
        ('{"event":"STATUS"}', "bad_start"),
        ("{", "bad_message"),
        ("", "bad_start"),
        (json.dumps({**MEDIA_START, "format": "opus"}), "unsupported_format"),
        (
            json.dumps({**MEDIA_START, "channel_variables": {"channel": "boss"}}),
            "bad_start",
        ),
    ],
)
def test_what_is_no_media_start_is_refused(message: str | bytes, code: str) -> None:
    with pytest.raises(IngestError) as refused:
        ChanWebsocketDecoder({}).feed(message)
    assert refused.value.code == code


def test_a_channel_of_a_real_server_ends_with_its_socket(server: Running) -> None:
    url = f"ws://127.0.0.1:{server.port}/v1/ingest/asterisk?call=abc&channel=customer"
    with connect(url, subprotocols=[Subprotocol("media")]) as peer:
        assert peer.subprotocol == "media"
        peer.send(json.dumps(MEDIA_START))
        for at in range(0, 16_000, 160):
            peer.send(mulaw("customer")[at : at + 160])
    events = finished(server, "abc")
    assert started_of(events).source == "chan_websocket"
    assert end_of(events).reason == "ended"
    assert build_report(events).call.duration_ms == 2_000


def test_a_path_token_or_basic_password_opens_a_guarded_server() -> None:
    with serving(stream_token="secret") as guarded:
        base = f"ws://127.0.0.1:{guarded.port}/v1/ingest/asterisk"
        for url in (base, f"{base}/guess"):
            with pytest.raises(InvalidStatus), connect(url):
                pass
        basic = {"Authorization": "Basic YXN0ZXJpc2s6c2VjcmV0"}
        for url, headers in ((f"{base}/secret", {}), (base, basic)):
            with connect(url, additional_headers=headers) as peer:
                peer.send("nonsense")
                with pytest.raises(ConnectionClosed) as closed:
                    peer.recv(timeout=10)
                assert closed.value.rcvd is not None
                assert closed.value.rcvd.code == 4400
