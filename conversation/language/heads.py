"""What a pack says of its act model: which files it is, and from which score an act counts."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib import resources

import msgspec

from conversation.language.pack import PackError


class Head(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One act's head; its figures are measured by `bench.coaching.train`."""

    speaker: str
    threshold: int
    """Permille from which the act counts."""
    sure: int = 0
    """Precision of the act's `sure` patterns, permille; 0 where it is too low to lift a score."""


class Heads(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The act model of a language pack."""

    model_sha256: str
    """Of `heads.onnx` in the pack's folder."""
    tokenizer_sha256: str
    encoder: str
    """Package that brings the sentence encoder."""
    encoder_sha256: str
    frozen_layers: int
    """Layers of the encoder that run as they are; the tuned ones stand in `heads.onnx`."""
    order: list[str]
    """Acts in the order of the model's outputs."""
    kinds: dict[str, Head]


@cache
def load_heads(locale: str = "en") -> Heads | None:
    """Load the description of a pack's act model, or None for a pack of patterns alone.

    Raises:
        PackError: the description is broken.
    """
    file = resources.files("conversation.language") / locale.split("-")[0] / "heads.toml"
    if not file.is_file():
        return None
    try:
        return msgspec.convert(tomllib.loads(file.read_text("utf-8")), Heads)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise PackError(f"act model of language pack {locale!r}: {error}") from error
