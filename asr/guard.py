"""Tells speech from what Whisper invents: loops, stock phrases, the prompt read back.

Average log-probability alone is no judge of either: a 30-token loop over digital zeros scored -0.11
(`streaming-asr.md` section 4). It counts only where the model also doubts that anybody spoke.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence

from asr.languages import language_words
from asr.settings import AsrSettings

_LONGEST_GRAM_WORDS = 4
_REPEATS = 4
_COMPRESSION_LIMIT = 2.4
_COMPRESSION_BYTES = 40
_LEAKED_WORDS = 3
_ECHO_WORDS = 4
_ECHO_SHORT = 2
_SLACK_WORDS = 3
"""Words that any clip may have on top of its rate: 300 ms of voice can be "yes it is"."""


def is_loop(text: str, speech_ms: int | None = None, words_per_s: float = 7.0) -> bool:
    """Whether the text repeats itself, or has more words than the voice can have said.

    A 1- to 4-gram four times in a row; a zlib ratio above 2.4 on 40 bytes or more; more than
    `words_per_s` words per second of voice activity, where `speech_ms` says how much there is.
    """
    words = [plain(word) for word in text.split()]
    if _repeat_at(words, _REPEATS) is not None:
        return True
    if speech_ms is not None and len(words) > _SLACK_WORDS + words_per_s * speech_ms / 1000:
        return True
    encoded = text.encode()
    ratio = len(encoded) / len(zlib.compress(encoded)) if encoded else 0.0
    return len(encoded) >= _COMPRESSION_BYTES and ratio > _COMPRESSION_LIMIT


def echoes(text: str) -> bool:
    """Whether four or more words come twice in a row, the second time perhaps two words short.

    Short clips come back so with little context, at good probability; callers say "no, no" but
    seldom half a sentence twice.
    """
    words = [plain(word) for word in text.split()]
    for begin in range(len(words)):
        for size in range(_ECHO_WORDS, (len(words) - begin) // 2 + _ECHO_SHORT + 1):
            again = words[begin + size : begin + 2 * size]
            heard = len(again)
            if (
                heard >= max(_ECHO_WORDS, size - _ECHO_SHORT)
                and again == (words[begin : begin + heard])
            ):
                return True
    return False


def words_before_loop(words: Sequence[str]) -> int:
    """Count the words up to the end of the first occurrence of the first repeated n-gram."""
    plain_words = [plain(word) for word in words]
    found = _repeat_at(plain_words, _REPEATS) or _repeat_at(plain_words, _REPEATS - 1)
    return len(words) if found is None else sum(found)


def drop_reason(
    text: str,
    *,
    settings: AsrSettings,
    speech_ms: int,
    clip_ms: int,
    no_speech: float,
    probability: float,
    voice: float | None,
    prompt: str = "",
) -> str | None:
    """Why the output of a decode is not speech; None when it is.

    Args:
        text: what was decoded.
        settings: the limits.
        speech_ms: voice activity in the clip.
        clip_ms: length of the clip.
        no_speech: Whisper's no-speech probability.
        probability: geometric mean of the tokens' probabilities.
        voice: mean voice-activity probability over the speech; None when it is not known.
        prompt: the glossary that the model was given.
    """
    unsure = no_speech > settings.no_speech_limit
    if speech_ms < settings.min_speech_ms:
        return "silence"
    if unsure and speech_ms < settings.thin_speech_share * max(1, clip_ms):
        return "silence"
    if unsure and probability < settings.doubtful_probability:
        return "doubtful"
    words = [plain(word) for word in text.split()]
    stock = " ".join(words) in language_words(settings.language).stock_phrases
    if stock and (unsure or (voice is not None and voice < settings.stock_voice_limit)):
        return "stock_phrase"
    faint = voice is not None and voice < settings.leak_voice_limit
    if faint and len(words) >= _LEAKED_WORDS and _contains(prompt, words):
        return "prompt"
    return None


def plain(word: str) -> str:
    """Return a word in lower case without punctuation."""
    return "".join(c for c in word.lower() if c.isalnum() or c == "'")


def _repeat_at(words: Sequence[str], repeats: int) -> tuple[int, int] | None:
    """Return begin and length of the first n-gram that occurs `repeats` times in a row."""
    for begin in range(len(words)):
        for size in range(1, _LONGEST_GRAM_WORDS + 1):
            gram = words[begin : begin + size]
            if begin + repeats * size <= len(words) and all(
                words[begin + k * size : begin + (k + 1) * size] == gram for k in range(1, repeats)
            ):
                return begin, size
    return None


def _contains(prompt: str, words: list[str]) -> bool:
    spoken = [plain(word) for word in prompt.split()]
    return any(spoken[i : i + len(words)] == words for i in range(len(spoken) - len(words) + 1))
