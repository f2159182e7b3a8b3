"""Whisper on CTranslate2, called below `transcribe()`: the encoder sees 10 s, not 30.

The waveform is zero-padded to the context and only then turned into mel frames; word times come
from attention alignment and are clamped into the clip. `streaming-asr.md` sections 1, 3 and 4.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import geometric_mean
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from asr.errors import ModelCorrupt
from asr.guard import drop_reason, echoes, is_loop, words_before_loop
from asr.models import resolve_model, verify_model
from asr.settings import AsrSettings

FULL_CONTEXT_FRAMES = 3000
_SAMPLES_PER_FRAME = 160
_RATE_HZ = 16_000
_MARGIN_FRAMES = 256
"""Context beyond the audio; less made one recording in five loop (measured, section 1)."""
_LOOPED_TEMPERATURE = 0.2
_SEED = 7
_CONTEXT_SLACK_S = 0.15
"""A word whose middle is later than this after the end of the context belongs to the clip."""
_MOST_TOKENS = 448


class DecodedWord(msgspec.Struct, frozen=True, kw_only=True):
    """A word with seconds from the start of the clip."""

    text: str
    start_s: float
    end_s: float
    probability: float


class Decoded(msgspec.Struct, frozen=True, kw_only=True):
    """What one decode heard."""

    text: str
    words: tuple[DecodedWord, ...] = ()
    no_speech_probability: float = 0.0
    probability: float = 1.0
    """Geometric mean of the tokens' probabilities."""
    flags: tuple[str, ...] = ()


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """How a clip is to be decoded."""

    final: bool
    speech_ms: int
    """Voice activity in the clip."""
    voice: float | None = None
    """Mean voice-activity probability over the speech; None when it is not known."""
    hotwords: tuple[str, ...] = ()
    words_from_s: float = 0.0
    """Where the words of a final begin; what comes before is heard as context only."""
    beam: int | None = None
    """Beam of a final; None is the setting's."""
    least_frames: int | None = None
    most_frames: int | None = None
    extra_frames: int = 0
    align: bool = True
    """Whether the words of a final are timed."""


class Engine:
    """One model in this process; `load()` before use."""

    def __init__(self, settings: AsrSettings) -> None:
        self._settings = settings
        self._model: Any = None
        self._tokenizer: Any = None

    def load(self) -> None:
        """Verify the model's files and load it.

        Raises:
            AsrError: the model is missing or not the reviewed one.
        """
        files = resolve_model(self._settings.model)
        verify_model(files)
        from faster_whisper import WhisperModel
        from faster_whisper.tokenizer import Tokenizer

        compute_type = self._settings.compute_type
        try:
            self._model = WhisperModel(
                str(files.folder),
                device=self._settings.device,
                compute_type="int8" if compute_type == "auto" else compute_type,
                cpu_threads=self._settings.threads or 1,
                num_workers=1,
                local_files_only=True,
            )
        # CTranslate2 and tokenizers raise bare exceptions of many kinds for a damaged file.
        except Exception as error:
            reason = " ".join(str(error).split())
            raise ModelCorrupt(
                f"The model {files.name} in {files.folder} cannot be loaded ({reason}); fetch it "
                "again with `heartline models fetch`, or name another with --model."
            ) from error
        multilingual = self._model.model.is_multilingual
        self._tokenizer = Tokenizer(
            self._model.hf_tokenizer,
            multilingual,
            task="transcribe" if multilingual else None,
            language=self._settings.language if multilingual else None,
        )

    def decode(self, samples: npt.NDArray[np.float32], request: Request) -> Decoded:
        """Decode one clip: float32 at 16 kHz, shape (n,), -1..1, at most 30 s.

        A final that loops is decoded once more with the full context (at a temperature of 0.2
        if it had that already), then cut at its first repeat. One that says half a sentence twice
        is decoded once more likewise, and believed if it does so again. A partial of either kind is
        empty.
        """
        if request.speech_ms < self._settings.min_speech_ms or not samples.any():
            return Decoded(text="", flags=("silence",))
        frames = self._frames(len(samples) / _RATE_HZ, request)
        decoded, looped = self._pass(samples, frames, request)
        if not request.final:
            if looped or decoded.flags:
                return Decoded(text="", flags=("loop",))
        elif looped or (decoded.flags and frames < FULL_CONTEXT_FRAMES):
            warm = _LOOPED_TEMPERATURE if looped and frames >= FULL_CONTEXT_FRAMES else 0.0
            decoded, looped = self._pass(samples, FULL_CONTEXT_FRAMES, request, temperature=warm)
            if looped:
                decoded = _cut_loop(decoded)
        return self._gate(decoded, len(samples), request)

    def align(self, samples: npt.NDArray[np.float32], text: str) -> tuple[DecodedWord, ...]:
        """Time the words of a known text in one clip of at most 30 s, with the full context."""
        encoded = self._encode(samples, FULL_CONTEXT_FRAMES)
        tokens = self._tokenizer.encode(f" {text.strip()}")
        seconds = len(samples) / _RATE_HZ
        return self._align(encoded, tokens, FULL_CONTEXT_FRAMES, seconds)

    def _frames(self, seconds: float, request: Request) -> int:
        """Return the encoder context of a clip: its length and 2.56 s, within the bounds."""
        if self._settings.device != "cpu":
            return FULL_CONTEXT_FRAMES
        needed = math.ceil(seconds * 100)
        frames = math.ceil((100 * seconds + _MARGIN_FRAMES) / 100) * 100
        least = request.least_frames or self._settings.context_floor_frames
        frames = max(frames, least) + request.extra_frames
        if request.most_frames is not None:
            frames = min(frames, max(request.most_frames, needed))
        return min(FULL_CONTEXT_FRAMES, frames)

    def _encode(self, samples: npt.NDArray[np.float32], frames: int) -> Any:
        import ctranslate2

        padded = np.zeros(frames * _SAMPLES_PER_FRAME, dtype=np.float32)
        padded[: len(samples)] = samples[: len(padded)]
        mel = self._model.feature_extractor(padded, padding=0)[:, :frames]
        features = ctranslate2.StorageView.from_array(np.ascontiguousarray(mel[None, :, :]))
        return self._model.model.encode(features, to_cpu=False)

    def _prompt(self, request: Request) -> tuple[list[int], str]:
        """Return the prompt's tokens, and its words for the guard against reading them back."""
        limit = (
            self._settings.glossary_tokens_final
            if request.final
            else self._settings.glossary_tokens_partial
        )
        before: list[int] = []
        said = ""
        for count in range(len(request.hotwords), 0, -1):
            said = f"Glossary: {', '.join(request.hotwords[:count])}."
            tokens = self._tokenizer.encode(f" {said}")
            if len(tokens) <= limit:
                before = tokens
                break
        prompt = [*self._tokenizer.sot_sequence, self._tokenizer.no_timestamps]
        if before:
            prompt = [self._tokenizer.sot_prev, *before, *prompt]
        return prompt, said

    def _pass(
        self,
        samples: npt.NDArray[np.float32],
        frames: int,
        request: Request,
        *,
        temperature: float = 0.0,
    ) -> tuple[Decoded, bool]:
        import ctranslate2

        seconds = len(samples) / _RATE_HZ
        encoded = self._encode(samples, frames)
        prompt, _ = self._prompt(request)
        new_tokens = math.ceil((6.5 if request.final else 5.5) * seconds)
        new_tokens += 16 if request.final else 8
        warm = temperature > 0
        if warm:
            ctranslate2.set_random_seed(_SEED)
        result = self._model.model.generate(
            encoded,
            [prompt],
            beam_size=1 if warm or not request.final else request.beam or self._settings.beam_final,
            patience=1,
            max_length=min(_MOST_TOKENS, len(prompt) + new_tokens),
            sampling_topk=0 if warm else 1,
            sampling_temperature=temperature if warm else 1.0,
            return_scores=True,
            return_no_speech_prob=True,
            suppress_blank=True,
            suppress_tokens=[-1],
        )[0]
        tokens = [token for token in result.sequences_ids[0] if token < self._tokenizer.eot]
        text = self._tokenizer.decode(tokens).strip()
        looped = len(tokens) >= new_tokens or is_loop(
            text, request.speech_ms, self._settings.words_per_s_limit
        )
        echo = echoes(text)
        words: tuple[DecodedWord, ...] = ()
        if request.final and tokens and (request.align or request.words_from_s > 0):
            words = self._align(encoded, tokens, frames, seconds)
        if request.words_from_s > 0:
            from_s = request.words_from_s + _CONTEXT_SLACK_S
            words = tuple(w for w in words if (w.start_s + w.end_s) / 2 >= from_s)
            text = " ".join(word.text for word in words)
        decoded = Decoded(
            text=text,
            words=words,
            no_speech_probability=float(result.no_speech_prob),
            probability=math.exp(min(0.0, float(result.scores[0]))),
            flags=("echo",) if echo else (),
        )
        return decoded, looped

    def _align(
        self, encoded: Any, tokens: list[int], frames: int, seconds: float
    ) -> tuple[DecodedWord, ...]:
        alignment = self._model.model.align(
            encoded,
            self._tokenizer.sot_sequence,
            [tokens],
            [min(frames, math.ceil(seconds * 100))],
            median_filter_width=7,
        )[0]
        pieces, token_groups = self._tokenizer.split_to_word_tokens([*tokens, self._tokenizer.eot])
        text_indices = np.array([pair[0] for pair in alignment.alignments])
        time_indices = np.array([pair[1] for pair in alignment.alignments])
        jumps = np.pad(np.diff(text_indices), (1, 0), constant_values=1).astype(bool)
        jump_s = time_indices[jumps] / 50.0
        bounds = np.cumsum([0, *(len(group) for group in token_groups[:-1])])
        words = []
        for i, piece in enumerate(pieces[:-1]):
            first, last = int(bounds[i]), int(bounds[i + 1])
            if last > len(jump_s):
                break
            start_s = min(float(jump_s[first]), seconds)
            end_s = min(float(jump_s[last]) if last < len(jump_s) else seconds, seconds)
            probability = float(np.mean(alignment.text_token_probs[first:last]))
            words.append(
                DecodedWord(
                    text=piece.strip(),
                    start_s=start_s,
                    end_s=max(end_s, start_s),
                    probability=round(probability, 4),
                )
            )
        return _with_punctuation([word for word in words if word.text])

    def _gate(self, decoded: Decoded, samples: int, request: Request) -> Decoded:
        """Drop what Whisper says of silence or reads from its prompt."""
        reason = drop_reason(
            decoded.text,
            settings=self._settings,
            speech_ms=request.speech_ms,
            clip_ms=samples * 1000 // _RATE_HZ,
            no_speech=decoded.no_speech_probability,
            probability=decoded.probability,
            voice=request.voice,
            prompt=self._prompt(request)[1],
        )
        if reason is None:
            return decoded
        return Decoded(
            text="", no_speech_probability=decoded.no_speech_probability, flags=(reason,)
        )


def _with_punctuation(words: Sequence[DecodedWord]) -> tuple[DecodedWord, ...]:
    """Join marks that the tokenizer split off to the word before them, without their time."""
    joined: list[DecodedWord] = []
    for word in words:
        if joined and not any(c.isalnum() for c in word.text):
            joined[-1] = msgspec.structs.replace(joined[-1], text=joined[-1].text + word.text)
        else:
            joined.append(word)
    return tuple(joined)


def _cut_loop(decoded: Decoded) -> Decoded:
    """Keep the words up to the first repeated n-gram, once, and their own probability.

    Each repeat makes the next more probable: of a loop over six voices the tokens had 0.7, the
    three words that began it 0.17.
    """
    words = [word.text for word in decoded.words] or decoded.text.split()
    keep = words_before_loop(words)
    kept = decoded.words[:keep]
    return msgspec.structs.replace(
        decoded,
        text=" ".join(words[:keep]),
        words=kept,
        probability=(
            geometric_mean([max(word.probability, 1e-6) for word in kept])
            if kept
            else decoded.probability
        ),
        flags=(*decoded.flags, "loop"),
    )
