"""Silero voice activity (16 kHz ONNX export), streaming with carried state."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from audio.chunks import ANALYSIS_RATE_HZ, Samples
from audio.errors import ModelCorrupt

WINDOW_SAMPLES = 512
"""Samples of one probability: 32 ms at 16 kHz."""
_CONTEXT_SAMPLES = 64
MODEL_PATH = Path(__file__).parent / "assets" / "silero_vad_16k_op15.onnx"
MODEL_SHA256 = "7ed98ddbad84ccac4cd0aeb3099049280713df825c610a8ed34543318f1b2c49"


class SpeechProbability(Protocol):
    """Anything that gives a speech probability per 32 ms window of one channel."""

    def push(self, samples: Samples) -> list[float]:
        """Take 16 kHz samples, float32, shape (n,); return one probability per whole window."""

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

    def run(self, window: Samples, state: Samples) -> tuple[float, Samples]:
        """Score one window of 64 + 512 samples with state of shape (2, 1, 128).

        Raises:
            RuntimeError: `load()` was not called.
        """
        if self._session is None:
            raise RuntimeError("Call SileroVad.load() before scoring audio.")
        inputs = {
            "input": window[None, :],
            "state": state,
            "sr": np.array(ANALYSIS_RATE_HZ, dtype=np.int64),
        }
        probability, new_state = self._session.run(None, inputs)
        return float(probability[0, 0]), new_state


class VadStream:
    """Voice activity of one channel."""

    def __init__(self, model: SileroVad) -> None:
        self._model = model
        self.reset()

    def reset(self) -> None:
        """Forget everything heard."""
        self._state = np.zeros((2, 1, 128), dtype=np.float32)
        self._context = np.zeros(_CONTEXT_SAMPLES, dtype=np.float32)
        self.drop_pending()

    def drop_pending(self) -> None:
        """Forget samples of a window that is not whole yet."""
        self._waiting = np.zeros(0, dtype=np.float32)

    def push(self, samples: Samples) -> list[float]:
        """Take 16 kHz samples, float32, shape (n,); return one probability per whole window."""
        self._waiting = np.concatenate([self._waiting, samples])
        probabilities = []
        while len(self._waiting) >= WINDOW_SAMPLES:
            window = self._waiting[:WINDOW_SAMPLES]
            self._waiting = self._waiting[WINDOW_SAMPLES:]
            probability, self._state = self._model.run(
                np.concatenate([self._context, window]), self._state
            )
            self._context = window[-_CONTEXT_SAMPLES:]
            probabilities.append(probability)
        return probabilities
