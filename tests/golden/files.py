"""Where the golden files are, and what belongs in them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec

from conversation.events import Derived, EventLog, Observation
from server.call_view import fold_all
from server.wall import card_of
from tests.golden.scenes import SCENES

FOLDER = Path(__file__).parent
CHECKPOINTS = 8
"""States written per log, evenly spread, the last one after every event."""


def events_of(name: str) -> list[Observation | Derived]:
    """Read a golden log."""
    lines = (FOLDER / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    return [EventLog.decode(line) for line in lines]


def log_text(name: str) -> str:
    """Return a scene as JSON lines."""
    return "".join(EventLog.encode(event).decode() + "\n" for event in SCENES[name]().events())


def states_text(name: str) -> str:
    """Return what a dashboard and the wall know at each checkpoint of a scene."""
    events = SCENES[name]().events()
    states: list[dict[str, Any]] = []
    for n in range(1, CHECKPOINTS + 1):
        count = len(events) * n // CHECKPOINTS
        view = fold_all(events[:count])
        states.append(
            {
                "events": count,
                "view": msgspec.to_builtins(view),
                "card": msgspec.to_builtins(card_of(view)),
            }
        )
    return json.dumps(states, ensure_ascii=False, sort_keys=True, separators=(",", ":")) + "\n"
