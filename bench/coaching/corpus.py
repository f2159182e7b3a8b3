"""Reads the labelled dialogues in `data`; `docs/acts-guideline.md` says how to label.

A file is one or more sections. `%dialogues` holds turns in order, dialogues apart by blank lines:
the two turns before a turn are its context. In `%singles` each line stands alone. A line is
`SPEAKER CODES text`: `A` or `C`, the codes of its acts joined by commas, `-` for none, or `?` for
a turn in doubt, which is context but neither trained nor scored on.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

DATA = Path(__file__).parent / "data"
CONTEXT_TURNS = 2

AGENT_CODES = {
    "gr": "greeting",
    "af": "acknowledge_feeling",
    "ap": "apology",
    "pp": "paraphrase",
    "oq": "open_question",
    "pq": "probing_question",
    "ow": "ownership",
    "ns": "next_steps",
    "st": "specific_time",
    "vt": "vague_time",
    "pr": "promise",
    "op": "over_promise",
    "re": "reassurance",
    "hn": "hold_notice",
    "tk": "appreciation",
    "pc": "positive_close",
    "ae": "anything_else",
    "av": "avoid_phrase",
}
CUSTOMER_CODES = {
    "fr": "frustration",
    "an": "anger",
    "co": "confusion",
    "ur": "urgency",
    "rc": "repeat_contact",
    "es": "escalation_request",
    "ch": "churn_threat",
    "vu": "vulnerability",
    "gt": "gratitude",
    "sa": "satisfaction",
    "ps": "problem_statement",
    "qu": "question",
    "fp": "floor_protest",
}
_CODES = {"A": AGENT_CODES, "C": CUSTOMER_CODES}
_SPEAKERS = {"A": "agent", "C": "customer"}


class CorpusError(ValueError):
    """A line of the corpus that does not say speaker, acts and text."""


class Turn(msgspec.Struct, frozen=True):
    """One turn as the language model sees it."""

    speaker: str
    text: str


class Example(msgspec.Struct, frozen=True):
    """One labelled turn."""

    id: str
    """`file:line`."""
    speaker: str
    text: str
    context: tuple[Turn, ...]
    """At most two turns, oldest first."""
    acts: frozenset[str]
    family: str
    """File it comes from: an industry and a way of speaking."""


def read_split(name: str) -> list[Example]:
    """Return the examples of `train`, `development` or `test`, in order of files and lines.

    Raises:
        CorpusError: a line is malformed or names an unknown code.
    """
    return [e for path in sorted((DATA / name).glob("*.txt")) for e in read_file(path)]


def read_file(path: Path) -> list[Example]:
    """Return the examples of one file.

    Raises:
        CorpusError: a line is malformed or names an unknown code.
    """
    return list(_examples(path))


def _examples(path: Path) -> Iterator[Example]:
    turns: list[Turn] = []
    singles = False
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        if line.startswith("%"):
            singles, turns = line == "%singles", []
            continue
        if not line.strip():
            turns = []
            continue
        turn, acts = _parse(line, f"{path.name}:{number}")
        if acts is not None:
            yield Example(
                f"{path.stem}:{number}",
                turn.speaker,
                turn.text,
                tuple(turns[-CONTEXT_TURNS:]),
                acts,
                path.stem,
            )
        if not singles:
            turns.append(turn)


def _parse(line: str, where: str) -> tuple[Turn, frozenset[str] | None]:
    letter, _, rest = line.partition(" ")
    codes, _, text = rest.partition(" ")
    if letter not in _CODES or not text.strip():
        raise CorpusError(f"{where}: {line!r} is not 'A|C CODES text'.")
    known = _CODES[letter]
    turn = Turn(_SPEAKERS[letter], text.strip())
    if codes == "?":
        return turn, None
    if codes == "-":
        return turn, frozenset()
    unknown = [code for code in codes.split(",") if code not in known]
    if unknown:
        raise CorpusError(f"{where}: {unknown[0]!r} is not an act of {turn.speaker}s.")
    return turn, frozenset(known[code] for code in codes.split(","))
