"""Whatever is thrown at it, no decoder crashes, and good calls beside it are the same.

Assertions: A18, A23, A24.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from server.adapters.audiohook import AudioHookDecoder
from server.adapters.audiosocket import AudioSocketDecoder
from server.adapters.chan_websocket import ChanWebsocketDecoder
from server.adapters.contract import Decoder, IngestError
from server.adapters.dialects import DIALECTS
from server.adapters.l16 import L16_DIALECTS, L16Decoder
from server.adapters.media_json import MediaJsonDecoder
from server.expected import ExpectedStream
from server.ingest import IngestDecoder, read_start
from tests.server.live import START, expect, finished, lines, native, send_audio, serving

pytestmark = [pytest.mark.property, pytest.mark.server, pytest.mark.model]

CORPUS: list[str | bytes] = [
    "",
    "{",
    "null",
    "[]",
    "{}",
    "[" * 10_000,
    '{"a":' * 10_000,
    '"\\ud800"',
    '{"event":"\\u0000"}',
    '{"type":"gap","ms":1e400}',
    '{"type":"gap","ms":-1}',
    '{"event":"start","start":[]}',
    '{"event":"start","start":{"callSid":{},"tracks":{},"mediaFormat":[]}}',
    '{"event":"start","start":{"callSid":"x","mediaFormat":{"encoding":"audio/x-mulaw",'
    '"sampleRate":0}}}',
    '{"event":"media","media":{"payload":"' + "A" * 70_000 + '"}}',
    '{"version":"2","id":"s","type":"open","seq":1,"serverseq":0,"parameters":{"media":7}}',
    "MEDIA_START",
    "MEDIA_START :",
    b"",
    b"\x00",
    b"\xff" * 65_537,
    b"RIFF\xff\xff\xff\xffWAVEfmt ",
    b"\x10\xff\xff" + bytes(100),
]

DECODERS: dict[str, Callable[[], Decoder]] = {
    **{name: lambda d=d: MediaJsonDecoder(d) for name, d in DIALECTS.items()},  # type: ignore[misc]
    **{name: lambda d=d: L16Decoder(d, {}) for name, d in L16_DIALECTS.items()},  # type: ignore[misc]
    "audiohook": lambda: AudioHookDecoder("s", "o", authorized=True),
    "audiosocket": lambda: AudioSocketDecoder(lambda i: ExpectedStream(id=i)),
    "chan_websocket": lambda: ChanWebsocketDecoder({}),
}

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner),
    max_leaves=8,
)
HELLOS: dict[str, dict[str, Any]] = {
    "twilio": {
        "event": "start",
        "sequenceNumber": "1",
        "start": {"callSid": "CA1", "tracks": ["inbound", "outbound"], "customParameters": {}},
    },
    "audiohook": {
        "version": "2",
        "id": "s",
        "type": "open",
        "seq": 1,
        "serverseq": 0,
        "position": "PT0S",
        "parameters": {"organizationId": "o", "conversationId": "c", "media": []},
    },
    "jambonz": {"callSid": "j", "sampleRate": 8000, "mixType": "stereo", "metadata": {}},
    "chan_websocket": {"event": "MEDIA_START", "format": "slin", "channel_variables": {}},
}


def survives(decoder: Decoder, messages: list[str | bytes]) -> None:
    """Feed messages; nothing but a refusal may come."""
    refusal: IngestError | None = None
    for message in messages:
        decoder.tick(0)
        try:
            decoder.feed(message)
        except IngestError as error:
            refusal = error
        decoder.reply()
    if refusal is not None:
        assert refusal.close_code in range(1000, 5000)
        assert len(str(refusal)) < 400


@pytest.mark.parametrize("name", DECODERS)
def test_no_message_of_the_corpus_crashes_a_decoder(name: str) -> None:
    for message in CORPUS:
        survives(DECODERS[name](), [message])
        survives(DECODERS[name](), [json.dumps(HELLOS.get(name, {})), message, message])


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(sorted(HELLOS)), st.data())
def test_no_field_of_any_kind_crashes_a_decoder(name: str, data: st.DataObject) -> None:
    hello = json.loads(json.dumps(HELLOS[name]))
    place = hello.get(data.draw(st.sampled_from(["", "start", "parameters"]))) or hello
    key = data.draw(st.sampled_from(sorted(place)) | st.text(max_size=10))
    place[key] = data.draw(values)
    audio = data.draw(st.binary(max_size=64))
    media = {
        "event": "media",
        "sequenceNumber": data.draw(values),
        "media": {
            "track": data.draw(st.sampled_from(["inbound", "outbound", "x"]) | values),
            "timestamp": data.draw(st.integers(-5, 10_000) | values),
            "payload": base64.b64encode(audio).decode(),
        },
    }
    survives(DECODERS[name](), [json.dumps(hello), json.dumps(media), audio, audio])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.binary(max_size=40), max_size=8))
def test_no_bytes_crash_audiosocket(pieces: list[bytes]) -> None:
    survives(DECODERS["audiosocket"](), [b"\x01\x00\x10" + bytes(16), *pieces])


def test_every_type_of_message_refuses_a_field_too_many() -> None:
    for kind in ("pause", "resume", "hold", "unhold", "stop", "gap"):
        message = {"type": kind, "extra": 1} | ({"ms": 5} if kind == "gap" else {})
        with pytest.raises(IngestError) as refused:
            IngestDecoder(read_start(json.dumps(START))).feed_text(json.dumps(message))
        assert refused.value.code == "bad_message"
    with pytest.raises(IngestError):
        read_start(json.dumps({**START, "extra": 1}))


def attack(port: int) -> None:
    """Throw the corpus at every address of a server."""
    paths = ["", "/audiohook", "/asterisk", *(f"/{n}" for n in DIALECTS)]
    paths += [f"/l16/{name}" for name in L16_DIALECTS]
    for path in paths:
        for message in CORPUS[:: 8 if path else 1]:
            try:
                with connect(f"ws://127.0.0.1:{port}/v1/ingest{path}") as peer:
                    peer.send(message)
                    peer.send(message)
                    peer.recv(timeout=0.05)
            except (TimeoutError, ConnectionClosed, InvalidStatus):
                continue


def test_good_calls_beside_an_attack_are_the_calls_without_one() -> None:
    def call(server: Any, call_id: str, attacked: bool) -> list[bytes]:
        with native(server, call_id=call_id) as (socket, _):
            send_audio(socket, 0, 2_000)
            if attacked:
                attack(server.port)
            send_audio(socket, 2_000, 5_000)
            socket.send('{"type":"stop"}')
            expect(socket, "stopped")
        return lines(finished(server, call_id))

    with serving() as server:
        clean = call(server, "clean", attacked=False)
        assert call(server, "attacked", attacked=True) == clean
        assert server.thread.is_alive()
