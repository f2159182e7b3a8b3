"""The labelled dialogues: well formed, broad, and split so that the test split tests something."""

from __future__ import annotations

import random
import re
from collections import Counter
from pathlib import Path

import pytest

from bench.coaching.asr_style import as_recognised
from bench.coaching.corpus import (
    AGENT_CODES,
    CUSTOMER_CODES,
    DATA,
    CorpusError,
    Example,
    read_file,
    read_split,
)
from bench.coaching.measure import CUSTOMER_NEGATIVE, neutral_rate

pytestmark = pytest.mark.unit
SPLITS = ("train", "development", "test")
ACTS = {*AGENT_CODES.values(), *CUSTOMER_CODES.values()}


def counts(examples: list[Example]) -> Counter[str]:
    return Counter(act for e in examples for act in e.acts)


def test_the_training_split_is_large_and_broad() -> None:
    train = read_split("train")
    assert len(train) >= 4_000
    assert len({e.family for e in train}) >= 10
    assert min(counts(train)[act] for act in ACTS) >= 50
    assert sum(not e.acts for e in train) >= 1_200
    assert sum(len(e.acts) > 1 for e in train) >= 400
    assert sum(bool(e.context) for e in train) >= 700


@pytest.mark.parametrize("split", ["development", "test"])
def test_each_act_occurs_often_enough_to_be_measured(split: str) -> None:
    found = counts(read_split(split))
    assert set(found) == ACTS
    assert min(found.values()) >= 5


def test_splits_share_no_family_and_no_longer_wording() -> None:
    texts: dict[str, set[str]] = {}
    families: dict[str, set[str]] = {}
    for split in SPLITS:
        examples = read_split(split)
        families[split] = {e.family for e in examples}
        plain = (" ".join(re.findall(r"[a-z0-9']+", e.text.lower())) for e in examples)
        texts[split] = {text for text in plain if len(text.split()) >= 5}
    assert not families["train"] & (families["development"] | families["test"])
    assert not texts["test"] & (texts["train"] | texts["development"])


def test_a_turn_has_the_two_turns_before_it_and_none_of_another_dialogue(tmp_path: Path) -> None:
    file = tmp_path / "x.txt"
    file.write_text("%dialogues\nA gr Hello\nC ? um\nA - Yes\nA - Go on\n\nC ps It's broken\n")
    examples = read_file(file)
    assert [len(e.context) for e in examples] == [0, 2, 2, 0]
    assert [t.text for t in examples[2].context] == ["um", "Yes"]
    assert examples[0].acts == {"greeting"}
    file.write_text("%singles\nA gr Hello\nC ps It's broken\n")
    assert [e.context for e in read_file(file)] == [(), ()]


@pytest.mark.parametrize("line", ["A xx Hello", "B gr Hello", "A gr", "C gr Hello"])
def test_a_line_that_is_not_speaker_acts_text_is_named(line: str, tmp_path: Path) -> None:
    file = tmp_path / "x.txt"
    file.write_text(f"%singles\n{line}\n")
    with pytest.raises(CorpusError, match=r"x\.txt:2"):
        read_file(file)


def test_contrast_pairs_name_known_acts_and_differ() -> None:
    for line in (DATA / "contrast_pairs.tsv").read_text("utf-8").splitlines():
        _, letter, kind, positive, negative = line.split("\t")
        known = AGENT_CODES if letter == "A" else CUSTOMER_CODES
        assert kind in known.values()
        assert positive != negative


def test_recognised_forms_have_no_marks_and_about_the_errors_asked_for() -> None:
    rng = random.Random(4)
    texts = [e.text for e in read_split("development") if len(e.text.split()) > 5]
    clean = [as_recognised(text, 0.0, rng) for text in texts]
    wrong = [as_recognised(text, 0.15, rng) for text in texts]
    assert not any(re.search(r"[A-Z?!,]", text) for text in clean)
    words = {w for text in clean for w in text.split()}
    strange = [w for text in wrong for w in text.split() if w not in words]
    assert 0.03 < len(strange) / sum(len(t.split()) for t in wrong) < 0.15


def test_the_rate_of_false_alarms_counts_neutral_turns_of_the_speaker_asked_for() -> None:
    def turn(speaker: str, *acts: str) -> Example:
        return Example("", speaker, "", (), frozenset(acts), "")

    examples = [turn("customer"), turn("customer"), turn("agent"), turn("customer", "anger")]
    found = [{"anger": 0.9}, {"gratitude": 0.9}, {"apology": 0.9}, {"anger": 0.9}]
    assert neutral_rate(examples, found, CUSTOMER_NEGATIVE) == (1 / 3, 3)
    assert neutral_rate(examples, found, CUSTOMER_NEGATIVE, "customer") == (1 / 2, 2)
    assert neutral_rate(examples, found) == (1.0, 3)
