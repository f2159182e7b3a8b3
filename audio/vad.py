"""Silero voice activity (16 kHz ONNX export), streaming with carried state."""

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
MODEL_PATH = Path(__file__).parent / "assets" / "silero_vad_16k_op15.onnx"
MODEL_SHA256 = "7ed98ddbad84ccac4cd0aeb3099049280713df825c610a8ed34543318f1b2c49"


class SpeechProbability(Protocol):
    """Anything that gives a speech probability per 32 ms window of one channel."""

    def feed(self, samples: Samples) -> None:
        """Take 16 kHz samples, float32, shape (n,)."""

    def take(self) -> list[float]:
        """Return the probability of every window that became whole since the last call."""

    def drop_pending(self) -> None:
        """Forget samples of a window that is not whole yet; what follows is not adjacent."""

    def reset(self) -> None:
        """Forget everything heard, as after lost audio."""


class SileroVad:
    """The loaded model, shared by all channels; `load()` before use."""

    def __init__(self, path: Path = MODEL_PATH) -> None:
        self._path = path
        self._session: Any = None

    def load(self) -> None:
        """Verify and load the model; a second call does nothing.

        Raises:
            ModelCorrupt: the file is missing or its SHA-256 is not the reviewed one.
        """
        if self._session is not None:
            return
        try:
            model = self._path.read_bytes()
        except OSError as error:
            raise ModelCorrupt(
                f"The voice-activity model {self._path.name} cannot be read; "
                "reinstall the heartline package."
            ) from error
        digest = hashlib.sha256(model).hexdigest()
        if digest != MODEL_SHA256:
            raise ModelCorrupt(
                f"The voice-activity model {self._path.name} has SHA-256 {digest[:12]}…, not "
                f"{MODEL_SHA256[:12]}…; reinstall the heartline package."
            )
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session = onnxruntime.InferenceSession(
            model, options, providers=["CPUExecutionProvider"]
        )

    def score(self, streams: Sequence[VadStream]) -> None:
        """Score every whole window that waits in any stream, one of each stream at a time.

        A window scored among a hundred costs half of one scored alone, and gets the same bits.

        Raises:
            RuntimeError: `load()` was not called.
        """
        due = [stream for stream in streams if stream.waiting]
        while due:
            windows = np.array([stream.window() for stream in due])
            state = np.concatenate([stream.state for stream in due], axis=1)
            scores, states = self._run(windows, state)
            for stream, probability, new_state in zip(due, scores, states, strict=True):
                stream.scored(probability, new_state)
            due = [stream for stream in due if stream.waiting]

    def _run(self, windows: Samples, state: Samples) -> tuple[list[float], list[Samples]]:
        """Score windows of 64 + 512 samples, shape (n, 576), with states of shape (2, n, 128)."""
        if self._session is None:
            raise RuntimeError("Call SileroVad.load() before scoring audio.")
        inputs = {"input": windows, "state": state, "sr": _RATE}
        probability, new_state = self._session.run(None, inputs)
        states = [new_state[:, at : at + 1] for at in range(len(windows))]
        return probability[:, 0].tolist(), states


class VadStream:
    """Voice activity of one channel; streams of one model may be scored together."""

    def __init__(self, model: SileroVad) -> None:
        self._model = model
        self._probabilities: list[float] = []
        self.reset()

    def reset(self) -> None:
        """Forget everything heard."""
        self.state: Samples = np.zeros((2, 1, 128), dtype=np.float32)
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

    def scored(self, probability: float, state: Samples) -> None:
        """Note the score of `window()`, and the state of shape (2, 1, 128) after it."""
        self._heard = self._heard[WINDOW_SAMPLES:]
        self._probabilities.append(probability)
        self.state = state

    def feed(self, samples: Samples) -> None:
        """Take 16 kHz samples, float32, shape (n,)."""
        self._heard = np.concatenate([self._heard, samples])

    def take(self) -> list[float]:
        """Return the probability of every window that became whole since the last call."""
        self._model.score([self])
        taken, self._probabilities = self._probabilities, []
        return taken
