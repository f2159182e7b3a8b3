"""Two-channel calls built from a script: who says what when is known before anything is heard."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from bench.speech_bank import RATE_HZ, TEST_VOICES, SpeechBank

Samples = npt.NDArray[np.float32]
SIDES = ("agent", "customer")
_NOISE_DBFS = -66.0
_DOUBLE_TALK = 0.10
"""Share of turns that begin before the other's end."""

AGENT_LINES = (
    "Thank you for calling customer care, how can I help you this morning?",
    "Let me pull up the account and have a look at what happened.",
    "I can see the order left our warehouse on Tuesday afternoon.",
    "Could you tell me which button you pressed on the remote control?",
    "That should not have happened and I am going to put it right.",
    "I have sent a new confirmation to your email address.",
    "The engineer will come to your house on Friday before lunch.",
    "Would you like me to explain the difference between the plans?",
    "Please stay on the line while I check with the billing team.",
    "You will not be charged for the replacement or for the delivery.",
    "Is there anything else that I can do for you today?",
    "The refund usually takes about a week to reach your bank.",
)
CUSTOMER_LINES = (
    "My internet keeps dropping out every evening and nobody can tell me why.",
    "I bought a washing machine from your shop and it arrived broken.",
    "Somebody promised to call me back last week and never did.",
    "I have already tried turning it off and on again.",
    "Yes, that is the right address.",
    "No, I do not want another voucher, I want my money back.",
    "The light on the front is red and it makes a strange noise.",
    "I was told that the contract would end in the summer.",
    "Honestly I am thinking about moving to a different company.",
    "Alright, that sounds reasonable, thank you for checking.",
    "Wait, can you repeat the last part please?",
    "My daughter needs it for her school work on Monday.",
)


class GoldWord(msgspec.Struct, frozen=True):
    """One spoken word; seconds from the start of the call."""

    text: str
    begin_s: float
    end_s: float
    utterance: int


class BuiltCall(msgspec.Struct, frozen=True):
    """Audio and truth of one call."""

    samples: dict[str, Samples]
    """16 kHz, float32, one array of the same length per side."""
    words: dict[str, list[GoldWord]]
    tail_s: float = 3.0
    """Zeros that are played after the audio, before the end is told."""

    @property
    def seconds(self) -> float:
        """Length of the call."""
        return len(next(iter(self.samples.values()))) / RATE_HZ

    def text(self, side: str) -> str:
        """Everything that a side says."""
        return " ".join(word.text for word in self.words[side])


def build_call(bank: SpeechBank, index: int, seconds: float, seed: int) -> BuiltCall:
    """Let two voices of the test set talk for about `seconds`, in turns of one or two sentences.

    One turn in ten begins up to 1.2 s before the other side has ended.
    """
    random = np.random.default_rng([seed, index])
    voices = [TEST_VOICES[(2 * index + i) % len(TEST_VOICES)] for i in range(2)]
    lines = [_shuffled(AGENT_LINES, random), _shuffled(CUSTOMER_LINES, random)]
    total = round(seconds * RATE_HZ)
    samples = {side: _hiss(total, random) for side in SIDES}
    words: dict[str, list[GoldWord]] = {side: [] for side in SIDES}
    at_s, side, utterance = 0.8, 0, 0
    ends = [0.0, 0.0]
    while True:
        for _ in range(int(random.integers(1, 3))):
            clip = bank.say(voices[side], lines[side][utterance % len(lines[side])])
            if at_s + clip.seconds > seconds - 0.5:
                return BuiltCall(samples, words)
            first = round(at_s * RATE_HZ)
            samples[SIDES[side]][first : first + len(clip.samples)] += clip.samples
            words[SIDES[side]] += [
                GoldWord(w.text, at_s + w.begin_s, at_s + w.end_s, utterance) for w in clip.words
            ]
            ends[side] = at_s + clip.seconds
            at_s = ends[side] + float(random.uniform(0.25, 0.8))
            utterance += 1
        side = 1 - side
        over = random.random() < _DOUBLE_TALK
        gap_s = float(random.uniform(-1.2, -0.5) if over else random.uniform(0.2, 1.0))
        at_s = max(ends[side] + 0.3, ends[1 - side] + gap_s)


def pauseless_call(bank: SpeechBank, seconds: float, seed: int) -> BuiltCall:
    """Let both sides talk all the time, whatever the other says."""
    random = np.random.default_rng(seed)
    total = round(seconds * RATE_HZ)
    samples = {side: _hiss(total, random) for side in SIDES}
    words: dict[str, list[GoldWord]] = {side: [] for side in SIDES}
    for side, voice, lines in zip(
        SIDES, TEST_VOICES[:2], (AGENT_LINES, CUSTOMER_LINES), strict=True
    ):
        at_s, utterance = 0.5, 0
        while True:
            clip = bank.say(voice, lines[utterance % len(lines)])
            if at_s + clip.seconds > seconds - 0.3:
                break
            first = round(at_s * RATE_HZ)
            samples[side][first : first + len(clip.samples)] += clip.samples
            words[side] += [
                GoldWord(w.text, at_s + w.begin_s, at_s + w.end_s, utterance) for w in clip.words
            ]
            at_s += clip.seconds + 0.15
            utterance += 1
    return BuiltCall(samples, words)


def beginning(call: BuiltCall, seconds: float) -> BuiltCall:
    """Return the beginning of a call, up to the last utterance that ends in time."""
    count = round(seconds * RATE_HZ)
    samples = {side: call.samples[side][:count].copy() for side in SIDES}
    words = {}
    for side in SIDES:
        ends: dict[int, float] = {}
        for word in call.words[side]:
            ends[word.utterance] = word.end_s
        kept = {u for u, end_s in ends.items() if end_s <= seconds - 0.2}
        words[side] = [w for w in call.words[side] if w.utterance in kept]
        spoken_s = max((w.end_s for w in words[side]), default=0.0)
        samples[side][round((spoken_s + 0.1) * RATE_HZ) :] *= 0.01
    return BuiltCall(samples, words)


def hung_up(call: BuiltCall) -> BuiltCall:
    """Return the call ended with its last word: the line is cut with no silence after it.

    The other side is cut in the middle of what it says; a word that it had not finished does not
    count.
    """
    end_s = max(call.words[side][-1].end_s for side in SIDES) + 0.02
    samples = {side: call.samples[side][: round(end_s * RATE_HZ)] for side in SIDES}
    words = {side: [w for w in call.words[side] if w.end_s <= end_s] for side in SIDES}
    return BuiltCall(samples, words, tail_s=0.0)


def with_noise(call: BuiltCall, snr_db: float, seed: int) -> BuiltCall:
    """Add white noise below the level of the speech."""
    random = np.random.default_rng(seed)
    noisy = {}
    for side, samples in call.samples.items():
        spoken = samples[np.abs(samples) > 0.01]
        level = float(np.sqrt(np.mean(np.square(spoken)))) * 10 ** (-snr_db / 20)
        noisy[side] = samples + random.normal(0, level, len(samples)).astype(np.float32)
    return BuiltCall(noisy, call.words)


def through_mulaw(call: BuiltCall) -> BuiltCall:
    """Send the call through an 8 kHz mu-law line and back to 16 kHz."""
    import soxr

    from audio.g711 import decode, encode_mulaw

    heard = {}
    for side, samples in call.samples.items():
        narrow = soxr.resample(samples, RATE_HZ, 8_000)
        line = decode(encode_mulaw(narrow), "mulaw")
        wide: Any = soxr.resample(line, 8_000, RATE_HZ)
        heard[side] = np.resize(wide, len(samples)).astype(np.float32)
    return BuiltCall(heard, call.words)


def _shuffled(lines: Sequence[str], random: np.random.Generator) -> list[str]:
    return [lines[i] for i in random.permutation(len(lines))]


def _hiss(total: int, random: np.random.Generator) -> Samples:
    return random.normal(0, 10 ** (_NOISE_DBFS / 20), total).astype(np.float32)
