"""`heartline acts`: labels turns of conversations in bulk."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import typer
from rich.console import Console
from rich.progress import Progress

from conversation.acts import ActDetector
from conversation.language import load_heads, load_pack
from server.act_model import ActModel, load_act_model

_ERR = Console(stderr=True)
_PROGRESS_FROM = 200
"""Turns that take about two seconds."""

Speaker = Literal["agent", "customer"]


class ActsError(Exception):
    """Input of `heartline acts` that is not what its format says."""

    code = "bad_turns"


class Said(msgspec.Struct, frozen=True):
    """A turn before the one that is asked about."""

    speaker: Speaker
    text: str


class Turn(msgspec.Struct, frozen=True):
    """One line of the input."""

    id: str | int
    speaker: Speaker
    text: str
    style: Literal["asr", "written"] = "written"
    """How the text came about; both are read the same way."""
    context: list[Said] = []
    """The turns before, oldest first; the last two count."""


class ActLabel(msgspec.Struct, frozen=True):
    """One act of a turn."""

    kind: str
    confidence: float
    """Calibrated probability, 0 to 1."""


class Labelled(msgspec.Struct, frozen=True):
    """One line of the output."""

    id: str | int
    acts: list[ActLabel]


class Labeller:
    """Finds the acts of single turns: the model where there is one, patterns in any case."""

    def __init__(self, model: ActModel | None, locale: str = "en") -> None:
        self._model = model
        self._detector = ActDetector(load_pack(locale), load_heads(locale))

    def label(self, turn: Turn) -> Labelled:
        """Return the acts of a turn, each kind once, in the order in which they are said."""
        words = turn.text.split()
        if not words:
            return Labelled(turn.id, [])
        scores = {}
        if self._model is not None:
            context = [(said.speaker, said.text) for said in reversed(turn.context[-2:])]
            scores = self._model.scores(turn.speaker, turn.text, context)
        confidence: dict[str, float] = {}
        for act in self._detector.decide(turn.speaker, words, scores):
            confidence[act.kind] = max(act.confidence, confidence.get(act.kind, 0.0))
        return Labelled(turn.id, [ActLabel(k, round(c, 3)) for k, c in confidence.items()])


def acts(
    file: Annotated[
        Path | None, typer.Argument(help="Turns as JSON lines; standard input without it.")
    ] = None,
    patterns_only: Annotated[
        bool, typer.Option("--patterns-only", help="Leave out the language model.")
    ] = False,
) -> None:
    """Label what turns of a conversation do: apologise, promise, complain, thank ...

    Each line in is {"id", "speaker": "agent" or "customer", "text"} and may have "style" ("asr" or
    "written") and "context", the turns before it: [{"speaker", "text"}]. Each line out is
    {"id", "acts": [{"kind", "confidence"}]}.
    """
    lines = sys.stdin.buffer.read() if file is None else _read(file)
    turns = list(_turns(lines, "standard input" if file is None else file.name))
    labeller = Labeller(None if patterns_only else load_act_model())
    encoder = msgspec.json.Encoder()
    with Progress(console=_ERR, transient=True, disable=len(turns) < _PROGRESS_FROM) as progress:
        for turn in progress.track(turns, description="Labelling turns"):
            sys.stdout.buffer.write(encoder.encode(labeller.label(turn)) + b"\n")
    sys.stdout.buffer.flush()


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise ActsError(f"{file} cannot be read: {error.strerror}.") from error


def _turns(lines: bytes, name: str) -> Iterator[Turn]:
    decoder = msgspec.json.Decoder(Turn)
    for number, line in enumerate(lines.splitlines(), 1):
        if not line.strip():
            continue
        try:
            yield decoder.decode(line)
        except msgspec.MsgspecError as error:
            raise ActsError(
                f"{name}, line {number}: {error}; expected "
                '{"id", "speaker": "agent" or "customer", "text"}.'
            ) from error
