"""Voice activity in steps of 8 ms: Silero's opinion, weighed with the levels of the line.

Silero 6.2 (16 kHz ONNX export) says of each window of 32 ms whether there is a voice in it. It
misses the weak voices of some speakers, lingers over pauses, and is late in noise. A small
network of ours hears its log odds together with the levels of eight bands, of every 8 ms, above
their noise floors and below the speaker's peak, and says which of the four steps are speech. It was
trained on generated and recorded telephone channels (`bench/voice`). Both carry state.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from audio.chunks import ANALYSIS_RATE_HZ, Samples
from audio.errors import ModelCorrupt

WINDOW_SAMPLES = 512
"""Samples of one probability: 32 ms at 16 kHz."""
_CONTEXT_SAMPLES = 64
_RATE = np.array(ANALYSIS_RATE_HZ, dtype=np.int64)
_ASSETS = Path(__file__).parent / "assets"
MODEL_PATH = _ASSETS / "silero_vad_16k_op15.onnx"
MODEL_SHA256 = "7ed98ddbad84ccac4cd0aeb3099049280713df825c610a8ed34543318f1b2c49"
LINE_MODEL_PATH = _ASSETS / "voice_on_the_line.onnx"
LINE_MODEL_SHA256 = "83e795b832abc14dc1264d4c1ff5c5d29770638609a39ebf6b2742ff9ae696a6"
_BANDS, _UNITS = 8, 48
_FLOORS = 2 * (_BANDS + 1)
_UNHEARD = np.zeros((1, _FLOORS + 1 + _UNITS), dtype=np.float32)
"""State of the second model before anything: floors and peak in dB, then hidden units."""
_UNHEARD[:, :_FLOORS], _UNHEARD[:, _FLOORS] = 40.0, -80.0
_SILENT_WINDOWS = 32
"""A line is taken to have been silent for so long before it is heard, about 1 s: the model learnt
from lines on which somebody waits before speaking, and a call may begin in the middle of a word."""
STEPS = 4
"""Probabilities of a window: one each 8 ms."""
Steps = tuple[float, ...]


class SpeechProbability(Protocol):
    """Anything that gives the speech probabilities of each 32 ms window of one channel."""

    def feed(self, samples: Samples) -> None:
        """Take 16 kHz samples, float32, shape (n,)."""

    def take(self) -> list[Steps]:
        """Return probabilities, four a window, of what became whole since the last call."""

    def drop_pending(self) -> None:
        """Forget samples of a window that is not whole yet; what follows is not adjacent."""

    def reset(self) -> None:
        """Forget everything heard, as after lost audio."""


class VoiceActivity:
    """Both models, shared by all channels; `load()` before use."""

    def __init__(self, path: Path = MODEL_PATH, line_path: Path = LINE_MODEL_PATH) -> None:
        self._path, self._line_path = path, line_path
        self._silero: Any = None
        self._line: Any = None
        self._begin: Samples = _UNHEARD

    def load(self) -> None:
        """Verify and load the models; a second call does nothing.

        Raises:
            ModelCorrupt: a file is missing or its SHA-256 is not the reviewed one.
        """
        if self._line is None:
            self._silero = _loaded(self._path, MODEL_SHA256)
            self._line = _loaded(self._line_path, LINE_MODEL_SHA256)
            window = np.zeros((1, _CONTEXT_SAMPLES + WINDOW_SAMPLES), dtype=np.float32)
            for _ in range(_SILENT_WINDOWS):
                silent = {"window": window, "silero": np.zeros((1, 1), np.float32)}
                _, self._begin = self._line.run(None, {**silent, "state": self._begin})

    def score(self, streams: Sequence[VadStream]) -> None:
        """Score every whole window that waits in any stream, one of each stream at a time.

        A window scored among a hundred costs half of one scored alone, and gets the same bits.

        Raises:
            RuntimeError: `load()` was not called.
        """
        if self._line is None:
            raise RuntimeError("Call VoiceActivity.load() before scoring audio.")
        due = [stream for stream in streams if stream.waiting]
        while due:
            windows = np.array([stream.window() for stream in due])
            state = np.concatenate([stream.state for stream in due], axis=1)
            lines = [self._begin if stream.line is None else stream.line for stream in due]
            line = np.concatenate(lines)
            inputs = {"input": windows, "state": state, "sr": _RATE}
            probability, state = self._silero.run(None, inputs)
            inputs = {"window": windows, "silero": probability, "state": line}
            steps, line = self._line.run(None, inputs)
            for at, (stream, scores) in enumerate(zip(due, steps.tolist(), strict=True)):
                stream.scored(tuple(scores), state[:, at : at + 1], line[at : at + 1])
            due = [stream for stream in due if stream.waiting]


def _loaded(path: Path, sha256: str) -> Any:
    try:
        model = path.read_bytes()
    except OSError as error:
        raise ModelCorrupt(
            f"The voice-activity model {path.name} cannot be read; reinstall the heartline package."
        ) from error
    digest = hashlib.sha256(model).hexdigest()
    if digest != sha256:
        raise ModelCorrupt(
            f"The voice-activity model {path.name} has SHA-256 {digest[:12]}…, not "
            f"{sha256[:12]}…; reinstall the heartline package."
        )
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


class VadStream:
    """Voice activity of one channel; streams of one model may be scored together."""

    def __init__(self, model: VoiceActivity) -> None:
        self._model = model
        self._probabilities: list[Steps] = []
        self.reset()

    def reset(self) -> None:
        """Forget everything heard."""
        self.state: Samples = np.zeros((2, 1, 128), dtype=np.float32)
        self.line: Samples | None = None
        self._heard = np.zeros(_CONTEXT_SAMPLES, dtype=np.float32)
        """The end of the last scored window, and what came since."""

    def drop_pending(self) -> None:
        """Forget samples of a window that is not whole yet."""
        self._heard = self._heard[:_CONTEXT_SAMPLES]

    @property
    def waiting(self) -> bool:
        """Whether a whole window is not scored yet."""
        return len(self._heard) >= _CONTEXT_SAMPLES + WINDOW_SAMPLES

    def window(self) -> Samples:
        """Return the next window with the context before it, shape (576,)."""
        return self._heard[: _CONTEXT_SAMPLES + WINDOW_SAMPLES]

    def scored(self, probabilities: Steps, state: Samples, line: Samples) -> None:
        """Note the scores of `window()`, and both models' states after it."""
        self._heard = self._heard[WINDOW_SAMPLES:]
        self._probabilities.append(probabilities)
        self.state, self.line = state, line

    def feed(self, samples: Samples) -> None:
        """Take 16 kHz samples, float32, shape (n,)."""
        self._heard = np.concatenate([self._heard, samples])

    def take(self) -> list[Steps]:
        """Return probabilities, four a window, of what became whole since the last call."""
        self._model.score([self])
        taken, self._probabilities = self._probabilities, []
        return taken
