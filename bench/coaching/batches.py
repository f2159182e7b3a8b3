"""Turns labelled examples into training batches: written and recognised forms, joined turns."""

from __future__ import annotations

import random
from collections.abc import Sequence

import msgspec
import numpy as np

from bench.coaching.asr_style import as_recognised
from bench.coaching.corpus import AGENT_CODES, CUSTOMER_CODES, Example
from server.act_inputs import ActTokenizer, Window

KINDS = (*AGENT_CODES.values(), *CUSTOMER_CODES.values())
INDEX = {kind: i for i, kind in enumerate(KINDS)}
WORD_ERROR_RATES = (0.0, 0.0, 0.05, 0.05, 0.15, 0.15)
WRITTEN_SHARE = 0.4
NO_CONTEXT_SHARE = 0.3
"""How often the context is left out in training: not every caller of the model has one."""
JOINED_SHARE = 0.2
"""How often two turns of one speaker become one, as when a pause is missed."""


class Prepared(msgspec.Struct, frozen=True):
    """An example as tokens: the written form first, then recognised ones."""

    speaker: str
    forms: list[list[int]]
    context: list[list[tuple[str, list[int]]]]
    """For each form, the turns before, newest first."""
    target: np.ndarray
    weight: np.ndarray
    """Loss weight per act; 0 for the other party's acts."""


def prepare(examples: Sequence[Example], tokenizer: ActTokenizer, seed: int) -> list[Prepared]:
    """Tokenise examples in all their forms."""
    rng = random.Random(seed)  # noqa: S311 - simulated recognition errors, not secrets
    out = []
    for example in examples:
        forms, contexts = [], []
        for rate in (None, *WORD_ERROR_RATES):
            forms.append(tokenizer.tokens(_form(example.text, rate, rng)))
            contexts.append(
                [
                    (turn.speaker, tokenizer.tokens(_form(turn.text, rate, rng)))
                    for turn in reversed(example.context)
                ]
            )
        target, weight = targets(example.speaker, example.acts)
        out.append(Prepared(example.speaker, forms, contexts, target, weight))
    return out


def _form(text: str, rate: float | None, rng: random.Random) -> str:
    return text if rate is None else as_recognised(text, rate, rng)


def targets(speaker: str, acts: frozenset[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return target and loss weight of every act for one turn."""
    target = np.array([kind in acts for kind in KINDS], np.float32)
    own = AGENT_CODES if speaker == "agent" else CUSTOMER_CODES
    return target, np.array([kind in own.values() for kind in KINDS], np.float32)


class Row(msgspec.Struct, frozen=True):
    """One training input."""

    window: Window
    target: np.ndarray
    weight: np.ndarray


def rows(examples: Sequence[Prepared], tokenizer: ActTokenizer, rng: random.Random) -> list[Row]:
    """Draw one form of every example, some joined with another."""
    out = []
    by_speaker = {s: [e for e in examples if e.speaker == s] for s in ("agent", "customer")}
    for example in examples:
        form = 0 if rng.random() < WRITTEN_SHARE else rng.randrange(1, len(example.forms))
        text, target = example.forms[form], example.target
        context = [] if rng.random() < NO_CONTEXT_SHARE else example.context[form]
        if rng.random() < JOINED_SHARE:
            other = rng.choice(by_speaker[example.speaker])
            joined = [text, other.forms[form]]
            rng.shuffle(joined)
            text, target = joined[0] + joined[1], np.maximum(target, other.target)
        out.append(Row(tokenizer.layout(example.speaker, text, context)[0], target, example.weight))
    return out
