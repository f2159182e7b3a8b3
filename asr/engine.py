"""Whisper on CTranslate2, called below `transcribe()`: the encoder sees 10 s, not 30.

The waveform is zero-padded to the context and only then turned into mel frames; word times come
from attention alignment and are clamped into the clip. `streaming-asr.md` sections 1, 3 and 4.
"""

from __future__ import annotations

import math
import zlib
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from asr.errors import ModelCorrupt
from asr.models import resolve_model, verify_model
from asr.settings import AsrSettings

_FULL_CONTEXT_FRAMES = 3000
_SAMPLES_PER_FRAME = 160
_RATE_HZ = 16_000
_STOCK_PHRASES = frozenset(
    line.strip()
    for line in (Path(__file__).parent / "stock_phrases_en.txt").read_text("utf-8").splitlines()
    if line.strip() and not line.startswith("#")
)


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
    flags: tuple[str, ...] = ()


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

        try:
            self._model = WhisperModel(
                str(files.folder),
                device="cpu",
                compute_type=self._settings.compute_type,
                cpu_threads=1,
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

    def decode(self, samples: npt.NDArray[np.float32], *, speech_ms: int, final: bool) -> Decoded:
        """Decode one clip: float32 at 16 kHz, shape (n,), -1..1, at most 30 s.

        A loop is decoded once more with the full context, then cut at its first repeat.
        """
        seconds = len(samples) / _RATE_HZ
        frames = math.ceil((100 * seconds + 256) / 100) * 100
        frames = min(_FULL_CONTEXT_FRAMES, max(self._settings.context_floor_frames, frames))
        decoded, looped = self._pass(samples, frames, final=final)
        if looped and final and frames < _FULL_CONTEXT_FRAMES:
            decoded, looped = self._pass(samples, _FULL_CONTEXT_FRAMES, final=final)
        if looped:
            if not final:
                return Decoded(text="", flags=("loop",))
            decoded = _cut_loop(decoded)
        return self._gate(decoded, speech_ms / max(1.0, seconds * 1000), speech_ms)

    def align(self, samples: npt.NDArray[np.float32], text: str) -> tuple[DecodedWord, ...]:
        """Time the words of a known text in one clip of at most 30 s, with the full context."""
        encoded = self._encode(samples, _FULL_CONTEXT_FRAMES)
        tokens = self._tokenizer.encode(f" {text.strip()}")
        seconds = len(samples) / _RATE_HZ
        return self._align(encoded, tokens, _FULL_CONTEXT_FRAMES, seconds)

    def _encode(self, samples: npt.NDArray[np.float32], frames: int) -> Any:
        import ctranslate2

        padded = np.zeros(frames * _SAMPLES_PER_FRAME, dtype=np.float32)
        padded[: len(samples)] = samples[: len(padded)]
        mel = self._model.feature_extractor(padded, padding=0)[:, :frames]
        features = ctranslate2.StorageView.from_array(np.ascontiguousarray(mel[None, :, :]))
        return self._model.model.encode(features, to_cpu=False)

    def _pass(
        self, samples: npt.NDArray[np.float32], frames: int, *, final: bool
    ) -> tuple[Decoded, bool]:
        seconds = len(samples) / _RATE_HZ
        encoded = self._encode(samples, frames)
        prompt = [*self._tokenizer.sot_sequence, self._tokenizer.no_timestamps]
        new_tokens = math.ceil((6.5 if final else 5.5) * seconds) + (16 if final else 8)
        result = self._model.model.generate(
            encoded,
            [prompt],
            beam_size=self._settings.beam_final if final else 1,
            patience=1,
            max_length=min(448, len(prompt) + new_tokens),
            return_scores=True,
            return_no_speech_prob=True,
            suppress_blank=True,
            suppress_tokens=[-1],
        )[0]
        tokens = [token for token in result.sequences_ids[0] if token < self._tokenizer.eot]
        text = self._tokenizer.decode(tokens).strip()
        looped = len(tokens) >= new_tokens or is_loop(text)
        words: tuple[DecodedWord, ...] = ()
        if final and tokens:
            words = self._align(encoded, tokens, frames, seconds)
        decoded = Decoded(
            text=text, words=words, no_speech_probability=float(result.no_speech_prob)
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

    def _gate(self, decoded: Decoded, speech_share: float, speech_ms: int) -> Decoded:
        """Drop what Whisper says of silence; average log-probability is no judge of that."""
        unsure = decoded.no_speech_probability > self._settings.no_speech_limit
        plain = decoded.text.lower().strip(" .!?,")
        if speech_ms < self._settings.min_speech_ms or (unsure and speech_share < 0.3):
            return Decoded(text="", flags=("silence",))
        if unsure and plain in _STOCK_PHRASES:
            return Decoded(text="", flags=("stock_phrase",))
        return decoded


def _with_punctuation(words: list[DecodedWord]) -> tuple[DecodedWord, ...]:
    """Join marks that the tokenizer split off to the word before them, without their time."""
    joined: list[DecodedWord] = []
    for word in words:
        if joined and not any(c.isalnum() for c in word.text):
            joined[-1] = msgspec.structs.replace(joined[-1], text=joined[-1].text + word.text)
        else:
            joined.append(word)
    return tuple(joined)


def is_loop(text: str) -> bool:
    """Whether a 1- to 4-gram repeats four times in a row, or long text compresses too well."""
    words = text.lower().split()
    for size in range(1, 5):
        for start in range(len(words) - 4 * size + 1):
            gram = words[start : start + size]
            if all(words[start + k * size : start + (k + 1) * size] == gram for k in range(1, 4)):
                return True
    encoded = text.encode()
    return len(encoded) >= 40 and len(encoded) / len(zlib.compress(encoded)) > 2.4


def _cut_loop(decoded: Decoded) -> Decoded:
    """Keep the words before the first repeated n-gram repeats."""
    words = [word.text for word in decoded.words] or decoded.text.split()
    lowered = [word.lower() for word in words]
    keep = len(words)
    for size in range(4, 0, -1):
        for start in range(len(words) - 2 * size + 1):
            if lowered[start : start + size] == lowered[start + size : start + 2 * size]:
                keep = min(keep, start + size)
                break
    return Decoded(
        text=" ".join(words[:keep]),
        words=decoded.words[:keep],
        no_speech_probability=decoded.no_speech_probability,
        flags=(*decoded.flags, "loop"),
    )
