"""Twilio Media Streams and its relatives: what each says becomes the same items."""

from __future__ import annotations

import base64
import importlib.util
import json
import warnings
from pathlib import Path
from typing import Any

import pytest

from audio.chunks import AudioChunk
from conversation.events import AudioGap, CallEnded, Channel
from server.adapters.contract import CallOpened, IngestError, Item
from server.adapters.dialects import DIALECTS
from server.adapters.media_json import MediaJsonDecoder
from server.adapters.twilio_signature import is_signed, sign

pytestmark = pytest.mark.unit

PAYLOAD = base64.b64encode(b"\xff" * 160).decode()
L16_PAYLOAD = base64.b64encode(bytes(320)).decode()
TOKEN = "12345"
URL = "wss://heartline.example/v1/ingest/twilio"
GOLDEN = "+ry3IKO/1/QVT+FigbOD5DCFYhk="


def twilio_start(**start: Any) -> dict[str, Any]:
    return {
        "event": "start",
        "sequenceNumber": "1",
        "streamSid": "MZ1",
        "start": {
            "accountSid": "AC1",
            "streamSid": "MZ1",
            "callSid": "CA1",
            "tracks": ["inbound", "outbound"],
            "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
            "customParameters": {},
            **start,
        },
    }


def twilio_media(number: int, track: str, at_ms: int, payload: str = PAYLOAD) -> dict[str, Any]:
    return {
        "event": "media",
        "sequenceNumber": str(number),
        "streamSid": "MZ1",
        "media": {"track": track, "chunk": "1", "timestamp": str(at_ms), "payload": payload},
    }


def fed(decoder: MediaJsonDecoder, *messages: dict[str, Any]) -> list[Item]:
    return [item for message in messages for item in decoder.feed(json.dumps(message))]


def twilio(**named: str) -> MediaJsonDecoder:
    return MediaJsonDecoder(DIALECTS["twilio"], **named)


def opened(items: list[Item]) -> CallOpened:
    assert isinstance(items[0], CallOpened)
    return items[0]


def test_a_twilio_call_opens_plays_and_ends() -> None:
    items = fed(
        twilio(),
        {"event": "connected", "protocol": "Call", "version": "1.0.0"},
        twilio_start(customParameters={"agent": "ann", "team": "north", "consent": "announced"}),
        twilio_media(2, "inbound", 0),
        twilio_media(3, "outbound", 0),
        {"event": "dtmf", "sequenceNumber": "4", "dtmf": {"track": "inbound_track", "digit": "1"}},
        {"event": "mark", "sequenceNumber": "5", "mark": {"name": "m"}},
        {"event": "stop", "sequenceNumber": "6", "stop": {"accountSid": "AC1", "callSid": "CA1"}},
    )
    call = opened(items)
    assert (call.source, call.vendor_id, call.agent) == ("twilio", "CA1", "ann")
    assert call.channels == (Channel.AGENT, Channel.CUSTOMER)
    assert call.roles == {"inbound": "customer", "outbound": "agent"}
    assert call.metadata == {"team": "north", "consent": "announced"}
    chunks = [item for item in items if isinstance(item, AudioChunk)]
    assert [(c.channel, c.first_sample, len(c.samples)) for c in chunks] == [
        ("customer", 0, 160),
        ("agent", 0, 160),
    ]
    assert isinstance(items[-1], CallEnded)


def test_loss_is_read_from_the_timestamp_of_each_track() -> None:
    items = fed(
        twilio(),
        twilio_start(),
        twilio_media(2, "inbound", 0),
        twilio_media(3, "outbound", 0),
        twilio_media(4, "outbound", 20),
        twilio_media(5, "inbound", 40),
    )
    gaps = [item for item in items if isinstance(item, AudioGap)]
    assert [(g.channel, g.begin_ms, g.end_ms, g.reason) for g in gaps] == [
        ("customer", 20, 40, "loss")
    ]


def test_messages_in_another_order_are_put_in_order_by_their_numbers() -> None:
    messages = [twilio_media(2 + n, "inbound", 20 * n) for n in range(10)]
    sorted_items = fed(twilio(), twilio_start(), *messages)
    shuffled = [messages[i] for i in (1, 0, 4, 3, 2, 2, 7, 9, 8, 6, 5)]
    items = fed(twilio(), twilio_start(), *shuffled)
    positions = [i.first_sample for i in items if isinstance(i, AudioChunk)]
    assert positions == [i.first_sample for i in sorted_items if isinstance(i, AudioChunk)]
    assert not [item for item in items if isinstance(item, AudioGap)]


def test_a_message_that_never_comes_is_lost_after_the_window() -> None:
    messages = [twilio_media(2 + n, "inbound", 20 * n) for n in range(30) if n != 5]
    items = fed(twilio(), twilio_start(), *messages)
    gaps = [item for item in items if isinstance(item, AudioGap)]
    assert [(g.begin_ms, g.end_ms, g.reason) for g in gaps] == [(100, 120, "loss")]
    assert sum(len(i.samples) for i in items if isinstance(i, AudioChunk)) == 29 * 160


@pytest.mark.parametrize(
    ("configured", "parameter", "inbound"),
    [
        ("", "", Channel.CUSTOMER),
        ("inbound=agent", "", Channel.AGENT),
        ("", "inbound=agent", Channel.AGENT),
        ("inbound=agent", "inbound=customer", Channel.CUSTOMER),
        ("outbound=customer", "", Channel.AGENT),
    ],
)
def test_roles_come_from_the_vendor_the_settings_or_the_stream(
    configured: str, parameter: str, inbound: Channel
) -> None:
    parameters = {"heartline_roles": parameter} if parameter else {}
    items = fed(twilio(roles=configured), twilio_start(customParameters=parameters))
    assert opened(items).roles == {"inbound": inbound, "outbound": inbound.other}


def test_one_track_is_one_side_of_a_call() -> None:
    assert opened(fed(twilio(), twilio_start(tracks=["outbound"]))).channels == (Channel.AGENT,)


def test_a_token_is_needed_before_any_audio_is_decoded() -> None:
    for parameters in ({}, {"token": "guess"}):
        with pytest.raises(IngestError) as refused:
            fed(twilio(token="secret"), twilio_start(customParameters=parameters))
        assert refused.value.code == "unauthorized"
    items = fed(twilio(token="secret"), twilio_start(customParameters={"token": "secret"}))
    assert opened(items).metadata == {}


def telnyx() -> list[dict[str, Any]]:
    return [
        {"event": "connected", "version": "1.0.0"},
        {
            "event": "start",
            "sequence_number": "1",
            "stream_id": "32de0dea",
            "start": {
                "user_id": "u",
                "call_control_id": "v2:T02",
                "call_session_id": "ff55a038",
                "from": "+13122010094",
                "to": "+13122123456",
                "client_state": "aGF2ZQ==",
                "custom_parameters": {"agent": "ann"},
                "media_format": {"encoding": "PCMU", "sample_rate": 8000, "channels": 1},
                "tracks": ["inbound_track", "outbound_track"],
            },
        },
        {
            "event": "media",
            "sequence_number": "2",
            "stream_id": "32de0dea",
            "media": {"track": "inbound", "chunk": "1", "timestamp": "0", "payload": PAYLOAD},
        },
        {"event": "stop", "sequence_number": "3", "stop": {}, "stream_id": "32de0dea"},
    ]


def plivo() -> list[dict[str, Any]]:
    headers = json.dumps({"agent": "ann"})
    return [
        {
            "event": "start",
            "sequenceNumber": 0,
            "start": {
                "callId": "9e4c",
                "streamId": "b773",
                "accountId": "MA1",
                "tracks": ["inbound"],
                "mediaFormat": {"encoding": "audio/x-l16", "sampleRate": 16000},
            },
            "extra_headers": headers,
        },
        {
            "event": "media",
            "sequenceNumber": 1,
            "streamId": "b773",
            "media": {"track": "inbound", "timestamp": "0", "chunk": 1, "payload": L16_PAYLOAD},
            "extra_headers": headers,
        },
        {
            "event": "dtmf",
            "sequenceNumber": 2,
            "streamId": "b773",
            "dtmf": {"track": "inbound", "digit": "2", "timestamp": "20"},
            "extra_headers": headers,
        },
    ]


def exotel() -> list[dict[str, Any]]:
    return [
        {"event": "connected"},
        {
            "event": "start",
            "sequence_number": "1",
            "stream_sid": "s1",
            "start": {
                "stream_sid": "s1",
                "call_sid": "c1",
                "account_sid": "a1",
                "from": "0",
                "to": "1",
                "custom_parameters": {"agent": "ann"},
                "media_format": {"encoding": "base64", "sample_rate": "8000"},
            },
        },
        {
            "event": "media",
            "sequence_number": 2,
            "stream_sid": "s1",
            "media": {"chunk": 1, "timestamp": "0", "payload": L16_PAYLOAD},
        },
        {"event": "stop", "sequence_number": 3, "stream_sid": "s1", "stop": {"call_sid": "c1"}},
    ]


def bandwidth() -> list[dict[str, Any]]:
    track = {"name": "inbound", "mediaFormat": {"encoding": "audio/PCMU", "sampleRate": 8000}}
    return [
        {
            "eventType": "start",
            "metadata": {"accountId": "5", "callId": "c-1", "streamId": "s-1", "tracks": [track]},
            "streamParams": {"agent": "ann"},
        },
        {"eventType": "media", "track": "inbound", "payload": PAYLOAD},
        {"eventType": "stop", "metadata": {}},
    ]


def voximplant() -> list[dict[str, Any]]:
    return [
        {
            "event": "start",
            "sequenceNumber": 0,
            "start": {
                "tag": "call-7",
                "mediaFormat": {"encoding": "audio/x-alaw", "sampleRate": 8000},
                "customParameters": {"agent": "ann"},
            },
        },
        {
            "event": "media",
            "sequenceNumber": 1,
            "media": {"chunk": 0, "timestamp": 0, "payload": PAYLOAD},
        },
        {"event": "stop", "sequenceNumber": 2},
    ]


FIXTURES: dict[str, tuple[list[dict[str, Any]], str, int]] = {
    "telnyx": (telnyx(), "ff55a038", 8_000),
    "plivo": (plivo(), "9e4c", 16_000),
    "exotel": (exotel(), "c1", 8_000),
    "bandwidth": (bandwidth(), "c-1", 8_000),
    "voximplant": (voximplant(), "call-7", 8_000),
}


@pytest.mark.parametrize("name", FIXTURES)
def test_each_dialect_gives_the_same_items(name: str) -> None:
    messages, vendor_id, rate_hz = FIXTURES[name]
    items = fed(MediaJsonDecoder(DIALECTS[name]), *messages)
    call = opened(items)
    assert (call.source, call.vendor_id, call.agent) == (name, vendor_id, "ann")
    assert call.sample_rate_hz == rate_hz
    (chunk,) = [item for item in items if isinstance(item, AudioChunk)]
    assert (chunk.channel, chunk.first_sample, len(chunk.samples)) == ("customer", 0, 160)


def test_a_relative_speaks_its_dialect_at_its_own_address_only() -> None:
    for name, (messages, _, _) in FIXTURES.items():
        if name == "voximplant":
            continue
        with pytest.raises(IngestError) as refused:
            fed(twilio(), *messages)
        assert f"/v1/ingest/{name}" in str(refused.value)
    with pytest.raises(IngestError, match="/v1/ingest/twilio"):
        fed(MediaJsonDecoder(DIALECTS["plivo"]), twilio_start())


def test_signalwire_speaks_as_twilio_does() -> None:
    call = opened(fed(MediaJsonDecoder(DIALECTS["signalwire"]), twilio_start()))
    assert (call.source, call.vendor_id) == ("signalwire", "CA1")


def test_telnyx_frames_may_come_late_because_their_order_is_not_guaranteed() -> None:
    start, media = telnyx()[1:3]
    messages = [
        {**media, "sequence_number": str(2 + n), "media": {**media["media"], "timestamp": 20 * n}}
        for n in range(20)
        if n != 3
    ]
    items = fed(MediaJsonDecoder(DIALECTS["telnyx"]), start, *messages)
    gaps = [item for item in items if isinstance(item, AudioGap)]
    assert [(g.begin_ms, g.end_ms, g.reason) for g in gaps] == [(60, 80, "late")]


@pytest.mark.parametrize("name", ["G722", "OPUS", "AMR-WB"])
def test_another_codec_is_refused(name: str) -> None:
    start = telnyx()[1]
    start["start"]["media_format"]["encoding"] = name
    with pytest.raises(IngestError) as refused:
        fed(MediaJsonDecoder(DIALECTS["telnyx"]), start)
    assert (refused.value.code, refused.value.close_code) == ("unsupported_format", 4415)


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("{", "bad_message"),
        ("[]", "bad_message"),
        ("[" * 10_000, "bad_message"),
        ('{"event":"media"}', "bad_start"),
        ('{"event":"start"}', "bad_start"),
        (json.dumps(twilio_start(customParameters={"heartline_roles": "x=agent"})), "bad_start"),
        (b"\x00", "bad_message"),
    ],
)
def test_what_is_no_stream_is_refused_by_code(message: str | bytes, code: str) -> None:
    with pytest.raises(IngestError) as refused:
        twilio().feed(message)
    assert refused.value.code == code


@pytest.mark.parametrize(
    ("media", "code"),
    [
        ({"payload": "@@@@"}, "bad_audio"),
        ({"payload": 7}, "bad_message"),
        ({"payload": "A" * 65_540}, "bad_message"),
        ({"timestamp": "-1"}, "bad_message"),
        ({"timestamp": "1e3"}, "bad_message"),
        ({"timestamp": "9" * 12}, "bad_message"),
        ({"timestamp": "9" * 5_000}, "bad_message"),
        ({"timestamp": [1]}, "bad_message"),
    ],
)
def test_media_that_says_nothing_sensible_is_refused(media: dict[str, Any], code: str) -> None:
    decoder = twilio()
    fed(decoder, twilio_start())
    message = twilio_media(2, "inbound", 0)
    message["media"].update(media)
    with pytest.raises(IngestError) as refused:
        fed(decoder, message)
    assert refused.value.code == code


# --------------------------------------------------------------------------- signatures


def test_the_golden_signature_verifies() -> None:
    assert sign(TOKEN, URL) == GOLDEN
    assert is_signed(GOLDEN, TOKEN, URL)


def test_the_default_port_may_be_named_and_a_slash_may_not_be_added() -> None:
    assert is_signed(sign(TOKEN, URL.replace("example/", "example:443/")), TOKEN, URL)
    assert is_signed(GOLDEN, TOKEN, URL.replace("example/", "example:443/"))
    assert not is_signed(GOLDEN, TOKEN, URL + "/")
    assert not is_signed(GOLDEN, "12346", URL)
    for at in range(len(GOLDEN)):
        changed = "A" if GOLDEN[at] != "A" else "B"
        assert not is_signed(GOLDEN[:at] + changed + GOLDEN[at + 1 :], TOKEN, URL)
    assert not is_signed("", TOKEN, URL)
    assert not is_signed("\udcff", TOKEN, URL)


def test_twilios_own_validator_accepts_the_golden_signature_and_no_other() -> None:
    validator = pytest.importorskip(
        "twilio.request_validator", reason="the twilio package is not installed"
    ).RequestValidator(TOKEN)
    assert validator.validate(URL, {}, GOLDEN)
    assert not validator.validate(URL, {}, "A" + GOLDEN[1:])
    assert not validator.validate(URL + "x", {}, GOLDEN)


def plivo_models() -> Any:
    """The models of Plivo's package, whose other modules need more of Plivo's packages."""
    package = importlib.util.find_spec("plivo_stream")
    if package is None or package.origin is None:
        pytest.skip("plivo-stream-sdk is not installed; `make test` installs it")
    path = Path(package.origin).with_name("types.py")
    spec = importlib.util.spec_from_file_location("plivo_types", path)
    assert spec is not None
    assert spec.loader is not None
    models = importlib.util.module_from_spec(spec)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they use an old spelling of pydantic
        spec.loader.exec_module(models)
    return models


def test_plivos_own_models_read_our_plivo_messages() -> None:
    models = plivo_models()
    start, media, dtmf = plivo()
    assert models.StartEvent.model_validate(start).start.media_format.sample_rate == 16_000
    assert models.MediaEvent.model_validate(media).media.timestamp == "0"
    assert models.DtmfEvent.model_validate(dtmf).dtmf.digit == "2"
