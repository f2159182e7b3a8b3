"""Reads calls that come as vCons: the recording stands in the file, or in a file beside it."""

from __future__ import annotations

import base64
import binascii
import hashlib
import tempfile
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec

from audio.sources import Recording, open_recording

_SUFFIXES = {
    "audio/x-wav": ".wav",
    "audio/wav": ".wav",
    "audio/vnd.wave": ".wav",
    "audio/flac": ".flac",
    "audio/x-flac": ".flac",
    "audio/mpeg": ".mp3",
    "audio/mp3": ".mp3",
    "audio/x-mp3": ".mp3",
    "audio/ogg": ".ogg",
    "audio/mp4": ".m4a",
    "audio/x-m4a": ".m4a",
}


class VconError(Exception):
    """A vCon that holds no call that can be heard."""

    code = "bad_vcon"


class _Dialog(msgspec.Struct):
    type: str
    start: str
    parties: int | list[int | list[int]] | None = None
    mediatype: str | None = None
    filename: str | None = None
    body: str | None = None
    encoding: str | None = None
    url: str | None = None
    content_hash: str | list[str] | None = None


class _Vcon(msgspec.Struct):
    uuid: str
    dialog: list[_Dialog] = []
    parties: list[dict[str, Any]] = []


class VconCall(msgspec.Struct, frozen=True):
    """A call out of a vCon."""

    call_id: str
    started_at: str
    agent: str | None
    recording: Recording


def is_vcon(path: Path) -> bool:
    """Whether a file's name says that it is a vCon."""
    return path.name.lower().endswith((".vcon", ".vcon.json"))


def files_beside(path: Path) -> set[Path]:
    """Return the recordings that a vCon refers to; none when it cannot be read."""
    try:
        vcon = _read(path)
    except VconError:
        return set()
    return {path.parent / name for d in vcon.dialog if (name := _name(d)) and d.body is None}


def open_vcon(path: Path, *, agent_channel: int = 0) -> VconCall:
    """Read the call of a vCon: one stereo or mono recording, or one for each party.

    Args:
        path: the unsigned vCon.
        agent_channel: the agent's channel, where no party has the role of an agent.

    Raises:
        VconError: there is no recording, or it is not the one that was hashed.
        AudioError: the recording cannot be used.
    """
    vcon = _read(path)
    recordings = [dialog for dialog in vcon.dialog if dialog.type == "recording"]
    if not recordings:
        raise VconError(f"{path.name} has no dialog of type recording: nothing to hear.")
    if len(recordings) > 2:
        raise VconError(
            f"{path.name} has {len(recordings)} recordings; a call has one, or one for each party."
        )
    agents = [i for i, p in enumerate(vcon.parties) if str(p.get("role", "")).lower() == "agent"]
    agent = vcon.parties[agents[0]].get("name") if agents else None
    with tempfile.TemporaryDirectory() as folder:
        files = [_audio(path, dialog, Path(folder) / str(i)) for i, dialog in enumerate(recordings)]
        if len(files) == 1:
            channel = _channel(recordings[0], agents, agent_channel)
            recording = open_recording(files[0], agent_channel=channel)
        else:
            recording = _both(path, recordings, files, agents)
    return VconCall(vcon.uuid, recordings[0].start, agent, recording)


def _read(path: Path) -> _Vcon:
    try:
        return msgspec.json.decode(path.read_bytes(), type=_Vcon)
    except OSError as error:
        raise VconError(f"There is no file at {path}; check the path.") from error
    except msgspec.MsgspecError as error:
        raise VconError(
            f"{path.name} is not an unsigned vCon ({error}); unwrap a signed one first."
        ) from error


def _name(dialog: _Dialog) -> str | None:
    if dialog.url is not None:
        return PurePosixPath(unquote(urlsplit(dialog.url).path)).name or None
    return PurePosixPath(dialog.filename).name if dialog.filename else None


def _audio(path: Path, dialog: _Dialog, copy: Path) -> Path:
    """Return a file with the audio of a dialog: the one beside the vCon, or a copy of the body."""
    if dialog.body is not None:
        if dialog.encoding != "base64url":
            raise VconError(f"{path.name}: a recording's body must be base64url.")
        suffix = _SUFFIXES.get((dialog.mediatype or "").partition(";")[0].strip().lower(), ".wav")
        try:
            padded = dialog.body + "=" * (-len(dialog.body) % 4)
            content = base64.b64decode(padded, altchars=b"-_", validate=True)
        except binascii.Error as error:
            raise VconError(f"{path.name}: the recording's body is not base64url.") from error
        copy = copy.with_suffix(suffix)
        copy.write_bytes(content)
        return copy
    name = _name(dialog)
    beside = path.parent / name if name else None
    if beside is None or not beside.is_file():
        raise VconError(
            f"{path.name}: its recording {name or '(unnamed)'} is neither in the file nor beside "
            "it; nothing is fetched, so put it there."
        )
    _check_hash(path, dialog, beside.read_bytes())
    return beside


def _check_hash(path: Path, dialog: _Dialog, content: bytes) -> None:
    hashes = dialog.content_hash or []
    known = [h for h in ([hashes] if isinstance(hashes, str) else hashes) if h.startswith("sha512")]
    if not known:
        return
    digest = base64.urlsafe_b64encode(hashlib.sha512(content).digest()).decode().rstrip("=")
    if not any(h.removeprefix("sha512-").rstrip("=") == digest for h in known):
        raise VconError(
            f"{path.name}: its recording is not the one that was hashed; copy it again."
        )


def _channel(dialog: _Dialog, agents: list[int], otherwise: int) -> int:
    """Return the agent's channel: the place of its party in the dialog's list."""
    if isinstance(dialog.parties, list) and agents:
        for channel, parties in enumerate(dialog.parties[:2]):
            if agents[0] in ([parties] if isinstance(parties, int) else parties):
                return channel
    return otherwise


def _both(path: Path, recordings: list[_Dialog], files: list[Path], agents: list[int]) -> Recording:
    if recordings[0].start != recordings[1].start:
        raise VconError(
            f"{path.name}: its two recordings begin at different times; join them first."
        )
    owners = [_owner(dialog) for dialog in recordings]
    if not agents or agents[0] not in owners or owners[0] == owners[1]:
        raise VconError(
            f"{path.name}: it is not said which of its two recordings is the agent's; give the "
            "agent's party the role 'agent'."
        )
    agent = owners.index(agents[0])
    return open_recording(files[agent], customer_path=files[1 - agent])


def _owner(dialog: _Dialog) -> int | None:
    """Return the one party that a mono recording belongs to."""
    owner = dialog.parties
    if isinstance(owner, list):
        only = owner[0] if len(owner) == 1 else None
        return only if isinstance(only, int) else None
    return owner
