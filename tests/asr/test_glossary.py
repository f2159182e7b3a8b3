"""Names that the model does not know are heard right when it is told of them.

`tests/data/names.flac` is a synthetic voice (Kokoro-82M, Apache-2.0) that says: "The Zyntech router
from Quillfeather does not start."
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from asr.engine import Engine, Request
from asr.settings import AsrSettings

pytestmark = pytest.mark.model
CLIP = Path(__file__).parents[1] / "data" / "names.flac"
NAMES = ("Zyntech", "Quillfeather")


@pytest.fixture(scope="module")
def engine() -> Engine:
    loaded = Engine(AsrSettings())
    loaded.load()
    return loaded


@pytest.fixture(scope="module")
def speech() -> np.ndarray:
    samples, rate_hz = soundfile.read(CLIP, dtype="float32")
    assert rate_hz == 16_000
    return np.asarray(samples)


@pytest.mark.parametrize("final", [True, False])
def test_a_glossary_changes_how_names_are_written(
    engine: Engine, speech: np.ndarray, final: bool
) -> None:
    request = Request(final=final, speech_ms=len(speech) // 16)
    told = Request(final=final, speech_ms=len(speech) // 16, hotwords=NAMES)
    without, with_names = (engine.decode(speech, r).text for r in (request, told))
    assert not any(name in without for name in NAMES)
    assert with_names == "The Zyntech router from Quillfeather does not start."


def test_a_glossary_that_is_too_long_keeps_its_first_entries(
    engine: Engine, speech: np.ndarray
) -> None:
    many = NAMES + tuple(f"Unrelated Company Number {n}" for n in range(60))
    decoded = engine.decode(speech, Request(final=True, speech_ms=len(speech) // 16, hotwords=many))
    assert decoded.text == "The Zyntech router from Quillfeather does not start."
    assert all(0 <= w.start_s <= w.end_s for w in decoded.words)


def test_a_glossary_is_not_read_out_over_noise(engine: Engine) -> None:
    random = np.random.default_rng(4)
    for level in (1e-4, 1e-3, 1e-2):
        noise = random.normal(0, level, 48_000).astype(np.float32)
        for final in (True, False):
            request = Request(final=final, speech_ms=400, voice=0.55, hotwords=NAMES)
            assert engine.decode(noise, request).text == ""
