"""A call that comes as a vCon is the same call as its recording."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from audio.sources import open_recording
from conversation.events import Channel
from server.analyze import SAMPLE
from server.commands.analyze import find_calls
from server.vcon_file import VconError, open_vcon

pytestmark = pytest.mark.unit
START = "2026-03-01T09:30:00+00:00"
PARTIES = [{"role": "customer"}, {"role": "agent", "name": "Ana"}]


@pytest.fixture(scope="module")
def stereo() -> tuple[np.ndarray[Any, Any], int]:
    recording = open_recording(SAMPLE)
    sides = [recording.samples(c)[:80_000] for c in recording.channels]
    return np.stack(sides, axis=1), recording.sample_rate_hz


def b64url(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def write(folder: Path, *dialog: dict[str, Any], parties: Any = None) -> Path:
    path = folder / "call.vcon.json"
    recordings = [{"type": "recording", "start": START, **d} for d in dialog]
    vcon = {
        "uuid": "0190a1b2-0000-8000-8000-000000000001",
        "created_at": START,
        "parties": PARTIES if parties is None else parties,
        "dialog": recordings,
    }
    path.write_text(json.dumps(vcon), "utf-8")
    return path


def wav(path: Path, samples: Any, rate_hz: int) -> bytes:
    soundfile.write(path, samples, rate_hz)
    return path.read_bytes()


def test_a_recording_in_the_file_is_heard_with_the_agents_channel_by_its_role(
    tmp_path: Path, stereo: Any
) -> None:
    samples, rate_hz = stereo
    content = wav(tmp_path / "x.wav", samples[:, ::-1], rate_hz)
    body = {"body": b64url(content), "encoding": "base64url", "mediatype": "audio/x-wav"}
    call = open_vcon(write(tmp_path, {**body, "parties": [0, 1]}))
    assert call.agent == "Ana"
    assert call.started_at == START
    assert call.recording.channels == (Channel.AGENT, Channel.CUSTOMER)
    assert np.allclose(call.recording.samples(Channel.AGENT), samples[:, 0], atol=1e-3)


def test_a_recording_beside_the_file_is_checked_against_its_hash(
    tmp_path: Path, stereo: Any
) -> None:
    samples, rate_hz = stereo
    content = wav(tmp_path / "rec 1.wav", samples, rate_hz)
    digest = "sha512-" + b64url(hashlib.sha512(content).digest())
    place = {"url": "https://x.example/store/rec%201.wav", "parties": [1, 0]}
    path = write(tmp_path, {**place, "content_hash": digest})
    assert open_vcon(path).recording.duration_ms == 10_000
    path = write(tmp_path, {**place, "content_hash": "sha512-" + b64url(b"\0" * 64)})
    with pytest.raises(VconError, match="not the one that was hashed"):
        open_vcon(path)


def test_one_recording_for_each_party_is_one_call(tmp_path: Path, stereo: Any) -> None:
    samples, rate_hz = stereo
    dialogs = []
    for party, channel in ((0, 1), (1, 0)):
        content = wav(tmp_path / "x.wav", samples[:, channel], rate_hz)
        dialogs.append({"body": b64url(content), "encoding": "base64url", "parties": party})
    call = open_vcon(write(tmp_path, *dialogs))
    assert np.allclose(call.recording.samples(Channel.AGENT), samples[:, 0], atol=1e-3)
    assert np.allclose(call.recording.samples(Channel.CUSTOMER), samples[:, 1], atol=1e-3)
    unnamed = write(tmp_path, *dialogs, parties=[{}, {}])
    with pytest.raises(VconError, match="role 'agent'"):
        open_vcon(unnamed)


@pytest.mark.parametrize(
    ("dialog", "complaint"),
    [
        ([], "no dialog of type recording"),
        ([{"url": "https://x.example/gone.wav"}], "nor beside it"),
        ([{"body": "!!", "encoding": "base64url"}], "not base64url"),
        ([{"body": "{}", "encoding": "json"}], "must be base64url"),
        ([{"filename": "../../etc/passwd"}], "passwd is neither"),
    ],
)
def test_what_cannot_be_heard_is_one_sentence(
    tmp_path: Path, dialog: list[dict[str, Any]], complaint: str
) -> None:
    with pytest.raises(VconError, match=complaint):
        open_vcon(write(tmp_path, *dialog))


def test_a_signed_vcon_is_refused_with_the_remedy(tmp_path: Path) -> None:
    path = tmp_path / "call.vcon"
    path.write_text(json.dumps({"payload": "x", "signatures": []}))
    with pytest.raises(VconError, match="unwrap a signed one"):
        open_vcon(path)


def test_a_recording_of_a_vcon_is_not_analysed_twice(tmp_path: Path) -> None:
    (tmp_path / "rec.wav").write_bytes(b"x")
    (tmp_path / "other.wav").write_bytes(b"x")
    write(tmp_path, {"filename": "rec.wav"})
    assert [name for _, name in find_calls([tmp_path], tmp_path / "o")] == ["call", "other"]
