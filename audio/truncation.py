"""Tells files that were cut short from short calls, by what their headers promise."""

from __future__ import annotations

import struct
from pathlib import Path

from audio.errors import TruncatedAudio

_HEAD_BYTES = 65_536
_UNKNOWN = (0, 0xFFFFFFFF)
"""Lengths that a recorder writes when it does not know yet."""


def refuse_truncated(path: Path) -> None:
    """Compare what the header of a WAV, AIFF, AU, MP3 or Ogg file promises with what is there.

    Raises:
        TruncatedAudio: there is less.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    size = path.stat().st_size
    promised = _promised_bytes(head)
    if promised is not None and size < promised:
        raise TruncatedAudio(
            f"{path.name} is cut short: its header promises {promised} bytes and {size} are "
            "there; copy the recording again."
        )
    if head.startswith(b"OggS") and not _ogg_has_its_end(path, size):
        raise TruncatedAudio(
            f"{path.name} is cut short: its last page is missing; copy the recording again."
        )


def flac_frames(path: Path) -> int | None:
    """Return how many sample frames a FLAC file promises; None where it does not say."""
    with path.open("rb") as file:
        head = file.read(42)
    if len(head) < 42 or not head.startswith(b"fLaC"):
        return None
    total = int.from_bytes(head[21:26], "big") & 0xF_FFFF_FFFF
    return total or None


def _promised_bytes(head: bytes) -> int | None:
    """Return the least size of the whole file, None where the format does not say."""
    if head[:4] in (b"RIFF", b"RF64"):
        return _wav_bytes(head)
    if head.startswith(b"FORM") and len(head) >= 8:
        return 8 + int(struct.unpack(">I", head[4:8])[0])
    if head.startswith(b".snd") and len(head) >= 12:
        offset, length = struct.unpack(">II", head[4:12])
        return None if length in _UNKNOWN else int(offset + length)
    return _mp3_bytes(head)


def _wav_bytes(head: bytes) -> int | None:
    at, long_length = 12, None
    while len(header := head[at : at + 8]) == 8:
        kind, length = struct.unpack("<4sI", header)
        at += 8
        if kind == b"ds64" and len(head) >= at + 16:
            long_length = int(struct.unpack("<Q", head[at + 8 : at + 16])[0])
        if kind == b"data":
            if length == 0xFFFFFFFF and long_length:
                length = long_length
            return None if length in _UNKNOWN else int(at + length)
        at += length + length % 2
    return None


def _mp3_bytes(head: bytes) -> int | None:
    """Read the byte count of a Xing or Info header, which MP3 encoders write for seeking."""
    if not (head.startswith(b"ID3") or head[:1] == b"\xff"):
        return None
    at = max(head.find(b"Xing"), head.find(b"Info"))
    if at < 0 or len(head) < at + 16:
        return None
    flags, _, length = struct.unpack(">III", head[at + 4 : at + 16])
    return int(length) if flags & 3 == 3 and length not in _UNKNOWN else None


def _ogg_has_its_end(path: Path, size: int) -> bool:
    with path.open("rb") as file:
        file.seek(max(0, size - _HEAD_BYTES))
        tail = file.read()
    page = tail.rfind(b"OggS")
    return page < 0 or len(tail) <= page + 5 or bool(tail[page + 5] & 4)
