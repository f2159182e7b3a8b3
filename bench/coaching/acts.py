"""How well acts are understood: the test split, contrast pairs, GoEmotions, time per turn."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bench.coaching import measure
from bench.coaching.asr_style import as_recognised
from bench.coaching.corpus import DATA, Example, Turn, read_split
from bench.results import Row, is_quick
from server.act_model import load_act_model
from server.commands.acts import Labeller, Said, Speaker
from server.commands.acts import Turn as Line

SEED = 5
PATTERNS = "heartline_patterns"
FORMS: dict[str, float | None] = {"written": None, "asr_0": 0.0, "asr_5": 0.05, "asr_15": 0.15}
GOEMOTIONS = {"anger": ("anger", 2, 0.47), "annoyance": ("frustration", 3, 0.34),
              "disappointment": ("frustration", 9, 0.28)}  # fmt: skip
"""Label of GoEmotions: our act, its label number, F1 of BERT as published with the set."""
CALIBRATED_FORMS = ("written", "asr_5")


def rows() -> list[Row]:
    """Measure with the act model and with patterns alone."""
    model = load_act_model()
    systems = {"heartline": Labeller(model), PATTERNS: Labeller(None)}
    examples = read_split("test")
    out: list[Row] = []
    for system, labeller in systems.items():
        found = {form: label(labeller, examples, rate)[0] for form, rate in FORMS.items()}
        for form in FORMS:
            out += _quality(system, form, examples, found[form])
        both = [*examples, *examples]
        every = [f for form in CALIBRATED_FORMS for f in found[form]]
        out += _quality(system, "all", both, every)
        out += _per_act(system, both, every)
        out += _contrast(system, labeller)
        out += _goemotions(system, labeller)
    out += _latency(systems["heartline"], examples)
    return out + _development(systems["heartline"])


def _development(labeller: Labeller) -> list[Row]:
    """Return the figures that the model was chosen by; its thresholds come from this split."""
    examples = read_split("development")
    return [
        row
        for form in CALIBRATED_FORMS
        for row in _quality(
            "heartline", f"development_{form}", examples, label(labeller, examples, FORMS[form])[0]
        )
    ]


def label(
    labeller: Labeller, examples: Sequence[Example], error_rate: float | None
) -> tuple[list[dict[str, float]], list[float]]:
    """Return the acts of every example in one form, and the milliseconds each took."""
    rng = random.Random(SEED)  # noqa: S311 - simulated recognition errors, not secrets
    found, took = [], []
    for e in examples:
        said = [*e.context, Turn(e.speaker, e.text)]
        if error_rate is not None:
            said = [Turn(t.speaker, as_recognised(t.text, error_rate, rng)) for t in said]
        line = Line(
            id=e.id,
            speaker=_party(e.speaker),
            text=said[-1].text,
            context=[Said(_party(t.speaker), t.text) for t in said[:-1]],
        )
        begin = time.perf_counter()
        labelled = labeller.label(line)
        took.append(1000 * (time.perf_counter() - begin))
        found.append({act.kind: act.confidence for act in labelled.acts})
    return found, took


def _party(name: str) -> Speaker:
    return "agent" if name == "agent" else "customer"


def _quality(
    system: str, condition: str, examples: Sequence[Example], found: Sequence[measure.Found]
) -> list[Row]:
    figures = measure.act_figures(examples, found)
    scores = [f.f1 for f in figures.values()]
    negative, neutral = measure.neutral_rate(examples, found, measure.CUSTOMER_NEGATIVE)
    calm, calm_turns = measure.neutral_rate(
        examples, found, measure.CUSTOMER_NEGATIVE, speaker="customer"
    )
    any_act, _ = measure.neutral_rate(examples, found)
    error = measure.expected_calibration_error(measure.calibration_curve(examples, found))
    n = len(examples)
    return [
        Row(system, condition, "macro_f1", float(np.mean(scores)), "", n),
        Row(system, condition, "min_act_f1", min(scores), "", n),
        Row(system, condition, "neutral_false_rate", negative, "", neutral),
        Row(system, condition, "neutral_customer_false_rate", calm, "", calm_turns),
        Row(system, condition, "neutral_any_act_rate", any_act, "", neutral),
        Row(system, condition, "ece", error, "", n),
    ]


def _per_act(system: str, examples: Sequence[Example], found: Sequence[measure.Found]) -> list[Row]:
    rows = []
    for kind, f in measure.act_figures(examples, found).items():
        for metric in ("f1", "precision", "recall", "low", "high"):
            name = {"low": "f1_ci_low", "high": "f1_ci_high"}.get(metric, metric)
            rows.append(Row(system, kind, name, getattr(f, metric), "", f.positives))
    for confidence, right, n in measure.calibration_curve(examples, found):
        condition = f"confidence_{confidence:.2f}"
        rows.append(Row(system, condition, "share_right", right, "", n))
    return rows


def _contrast(system: str, labeller: Labeller) -> list[Row]:
    """Pairs that differ in what the guideline excludes; right when both sides are."""
    right: dict[str, list[bool]] = {}
    for line in (DATA / "contrast_pairs.tsv").read_text("utf-8").splitlines():
        group, letter, kind, positive, negative = line.split("\t")
        speaker = "agent" if letter == "A" else "customer"
        pair = [Example("", speaker, text, (), frozenset(), "") for text in (positive, negative)]
        yes, no = label(labeller, pair, None)[0]
        right.setdefault(group, []).append(kind in yes and kind not in no)
    every = [r for rs in right.values() for r in rs]
    return [
        Row(system, f"contrast_{group}", "pairs_right", float(np.mean(rs)), "", len(rs))
        for group, rs in [("all", every), *sorted(right.items())]
    ]


def _goemotions(system: str, labeller: Labeller) -> list[Row]:
    data = os.environ.get("HEARTLINE_DATA")
    if not data:
        return []
    lines = (Path(data) / "text" / "goemotions_dev.tsv").read_text("utf-8").splitlines()
    lines = lines[:1000] if is_quick() else lines
    texts, labels = zip(*(line.rsplit("\t", 2)[:2] for line in lines), strict=True)
    examples = [Example("", "customer", text, (), frozenset(), "") for text in texts]
    found = label(labeller, examples, None)[0]
    rows = []
    for name, (kind, number, published) in GOEMOTIONS.items():
        true = np.array([str(number) in text.split(",") for text in labels])
        hit = np.array([kind in f for f in found])
        f1 = float(2 * (true & hit).sum() / max(1, true.sum() + hit.sum()))
        condition = f"goemotions_{name}"
        rows.append(Row(system, condition, "f1", f1, "", int(true.sum())))
        if system == PATTERNS:
            rows.append(Row("bert_published", condition, "f1", published, "", 0))
    return rows


def _latency(labeller: Labeller, examples: Sequence[Example]) -> list[Row]:
    label(labeller, examples[:20], 0.05)
    took = label(labeller, examples, 0.05)[1]
    return [
        Row("heartline", "all", f"latency_p{p}_ms", float(np.percentile(took, p)), "ms", len(took))
        for p in (50, 95)
    ]
