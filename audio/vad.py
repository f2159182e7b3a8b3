"""Voice activity in steps of 8 ms: Silero's opinion, weighed with the levels of the line.

Silero 6.2 (16 kHz ONNX export) says of each window of 32 ms whether there is a voice in it. It
misses the weak voices of some speakers, lingers over pauses, and is late in noise. A small
network of ours hears its log odds together with the levels of eight bands, of every 8 ms, above
their noise floors and below the speaker's peak, and says which of the four steps are speech. It was
trained on generated and recorded telephone channels. Both carry state, and ship as one file, laid
out so that many channels are one product of matrices (`bench/voice`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from audio.chunks import Samples
from audio.errors import ModelCorrupt

WINDOW_SAMPLES = 512
"""Samples of one probability: 32 ms at 16 kHz."""
_CONTEXT_SAMPLES = 64
_ASSETS = Path(__file__).parent / "assets"
MODEL_PATH = _ASSETS / "voice_on_the_line.onnx"
MODEL_SHA256 = "13ff843f70001d9abf2f11fe457fe92b64236a477067b213c0bce8044fd7fdee"
_SCORES = ("probability", "next")
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
    """The model, shared by all channels; `load()` before use."""

    def __init__(self, path: Path = MODEL_PATH) -> None:
        self._path = path
        self._model: Any = None
        self._begin: Samples

    def load(self) -> None:
        """Verify and load the model; a second call does nothing.

        Raises:
            ModelCorrupt: the file is missing or its SHA-256 is not the reviewed one.
        """
        if self._model is None:
            self._model = _loaded(self._path, MODEL_SHA256)
            shapes = {one.name: (1, one.shape[1]) for one in self._model.get_inputs()}
            nothing = {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}
            (self._begin,) = self._model.run(["begin"], nothing)

    def score(self, streams: Sequence[VadStream]) -> None:
        """Score every whole window that waits in any stream, one of each stream at a time.

        A window scored among a hundred costs a fifth of one scored alone, and gets the same bits.

        Raises:
            RuntimeError: `load()` was not called.
        """
        if self._model is None:
            raise RuntimeError("Call VoiceActivity.load() before scoring audio.")
        due = [stream for stream in streams if stream.waiting]
        while due:
            windows = np.array([stream.window() for stream in due])
            states = [self._begin if stream.state is None else stream.state for stream in due]
            inputs = {"window": windows, "state": np.concatenate(states)}
            steps, after = self._model.run(_SCORES, inputs)
            for at, (stream, scores) in enumerate(zip(due, steps.tolist(), strict=True)):
                stream.scored(tuple(scores), after[at : at + 1])
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
        self.state: Samples | None = None
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

    def scored(self, probabilities: Steps, state: Samples) -> None:
        """Note the scores of `window()`, and the state after it."""
        self._heard = self._heard[WINDOW_SAMPLES:]
        self._probabilities.append(probabilities)
        self.state = state

    def feed(self, samples: Samples) -> None:
        """Take 16 kHz samples, float32, shape (n,)."""
        self._heard = np.concatenate([self._heard, samples])

    def take(self) -> list[Steps]:
        """Return probabilities, four a window, of what became whole since the last call."""
        self._model.score([self])
        taken, self._probabilities = self._probabilities, []
        return taken
