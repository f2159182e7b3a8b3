"""Peers in virtual environments of their own, which this module makes with pip."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from bench.results import OUT

_INSTALL_TIMEOUT_S = 900.0
_TORCH = "torch==2.13.0"
"""Pinned first, so that no build for GPUs is pulled in where a CPU build is at hand."""


class PeerUnavailable(Exception):
    """The peer cannot be installed or does not run; the message says why."""


class Peer(msgspec.Struct, frozen=True):
    """How a peer is installed."""

    name: str
    packages: tuple[str, ...]
    """With their dependencies."""
    bare: tuple[str, ...] = ()
    """Without: what they need is in `packages`, as far as the server needs it."""
    imports: str = ""
    """Module that must be importable afterwards."""


WHISPER_LIVE_KIT = Peer("whisperlivekit", ("whisperlivekit==0.2.26",), imports="whisperlivekit")
WHISPER_LIVE = Peer(
    "whisper-live",
    (
        "faster-whisper==1.2.0",
        "tokenizers==0.20.3",
        "torchaudio",
        "websockets",
        "onnxruntime",
        "scipy",
        "soundfile",
        "librosa",
        "numpy<2.5",
        "fastapi",
        "uvicorn",
        "python-multipart",
        "kaldialign",
        "tiktoken",
        "more-itertools",
        "tqdm",
    ),
    # Its own dependencies name PyAudio, which the client alone needs and which must be compiled.
    bare=("whisper-live==0.10.0", "openai-whisper==20250625"),
    imports="whisper_live.server",
)


def ensure(peer: Peer) -> Path:
    """Return the folder of the peer's environment, made on first use (some minutes).

    Raises:
        PeerUnavailable: pip fails, or the peer cannot be imported.
    """
    folder = OUT / "peers" / peer.name
    marker = folder / f".ready-{hashlib.sha256(repr(peer).encode()).hexdigest()[:12]}"
    if marker.is_file():
        return folder.resolve()
    print(f"Installing {peer.name} in {folder} (some minutes) ...", flush=True)
    if not (folder / "bin" / "python").exists():
        shutil.rmtree(folder, ignore_errors=True)
        _run([sys.executable, "-m", "venv", str(folder)], peer)
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet"]
    pip.append("--disable-pip-version-check")
    constraints = folder / "constraints.txt"
    constraints.write_text(f"{_TORCH}\n", "utf-8")
    _run([*pip, _TORCH], peer)
    _run([*pip, "--constraint", str(constraints), *peer.packages], peer)
    if peer.bare:
        _run([*pip, "--no-deps", *peer.bare], peer)
    _run([str(folder / "bin" / "python"), "-c", f"import {peer.imports}"], peer)
    marker.touch()
    return folder.resolve()


def _run(command: Sequence[str], peer: Peer) -> None:
    try:
        subprocess.run(
            command, check=True, capture_output=True, text=True, timeout=_INSTALL_TIMEOUT_S
        )
    except subprocess.TimeoutExpired as error:
        raise PeerUnavailable(f"{peer.name}: installing took too long") from error
    except (OSError, subprocess.CalledProcessError) as error:
        output = getattr(error, "stderr", "") or str(error)
        lines = [line for line in output.splitlines() if line.strip()]
        reason = lines[-1] if lines else "no output"
        with contextlib.suppress(IndexError):
            reason = [line for line in lines if "rror" in line][-1]
        raise PeerUnavailable(f"{peer.name}: {reason[:200]}") from error
