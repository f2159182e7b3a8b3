"""Calls with known effort: a speaker who is calm, then raised in every dose, with calm between."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt

from bench.prosody.effort import DOSES, SLIGHT, Effort, apply_effort
from bench.speech_bank import RATE_HZ, SpeechBank

Samples = npt.NDArray[np.float32]
Script = list[tuple[str, Effort | None]]
"""Dose and effort of every clip of a call."""
CACHE = Path(os.environ.get("HEARTLINE_SPEECH_BANK", "bench/out/speech"))

SENTENCES = (
    "I am calling about the order that I placed two weeks ago.",
    "The parcel was meant to arrive on Tuesday, and nobody has told me anything.",
    "My account number should be on the letter in front of you.",
    "I changed the address in May, and then the invoice went to the old flat.",
    "The engineer came in the morning, looked at the box and left again.",
    "Every month there is a small amount on the bill that I cannot explain.",
    "Could you look up what was agreed the last time we spoke?",
    "We have been with your company for more than eleven years now.",
    "The website shows a different price from the one in the shop.",
    "My daughter needs the connection for her lessons in the evening.",
    "I was told that the refund would take five working days.",
    "There was a notice on the door, but no number that I could ring.",
    "The second box has a dent on one side and the lid is broken.",
    "I would rather keep the old plan if that is still possible.",
    "They asked me to send the form again with a copy of the receipt.",
    "After the update the screen stays dark for about a minute.",
)


class Passage(msgspec.Struct, frozen=True):
    """A stretch of a call with raised effort."""

    begin_ms: int
    """First sample of the first raised word."""
    end_ms: int
    dose: str
    kind: str


class GeneratedCall(msgspec.Struct, frozen=True):
    """One speaker's side of a call at 16 kHz, before any telephone."""

    name: str
    voice: str
    samples: Samples
    passages: tuple[Passage, ...]
    speech: tuple[tuple[int, int], ...]
    """Sentences as (begin, end) in ms."""

    @property
    def calm_minutes(self) -> float:
        """Length of everything outside the raised passages."""
        raised = sum(p.end_ms - p.begin_ms for p in self.passages)
        return (len(self.samples) * 1000 / RATE_HZ - raised) / 60_000


def raised_call(bank: SpeechBank, voice: str, seed: int, *, slight: bool = False) -> GeneratedCall:
    """Eight calm sentences, then two raised ones of every transform and dose, two calm between."""
    rng = np.random.default_rng([seed, sum(voice.encode())])
    script = effort_script({"slight": SLIGHT} if slight else DOSES, rng)
    return build(f"{voice}-{seed}", voice, _sentences(bank, voice, rng), script, rng)


def calm_call(bank: SpeechBank, voice: str, seed: int, sentences: int = 32) -> GeneratedCall:
    """Return a call in which nothing is raised; every event in it is false."""
    rng = np.random.default_rng([seed, 7, sum(voice.encode())])
    script: Script = [("calm", None)] * sentences
    return build(f"{voice}-calm-{seed}", voice, _sentences(bank, voice, rng), script, rng)


def effort_script(doses: Mapping[str, tuple[Effort, ...]], rng: np.random.Generator) -> Script:
    """Eight calm clips, then two raised ones of every transform and dose, two calm between."""
    plan = [(name, effort) for name, efforts in doses.items() for effort in efforts]
    order = [plan[i] for i in rng.permutation(len(plan))]
    script: Script = [("calm", None)] * 8
    for name, effort in order:
        script += [(name, effort), (name, effort), ("calm", None), ("calm", None)]
    return script


def build(
    name: str, voice: str, clips: Iterator[Samples], script: Script, rng: np.random.Generator
) -> GeneratedCall:
    """Speak clips of 16 kHz as the script says, with the line's own noise between them."""
    parts: list[Samples] = [_noise(rng, 0.6)]
    at = len(parts[0])
    passages: list[Passage] = []
    speech: list[tuple[int, int]] = []
    last: Effort | None = None
    for dose, effort in script:
        clip = next(clips)
        if effort is not None:
            clip = apply_effort(clip, effort, CACHE)
        begin_ms, end_ms = at * 1000 // RATE_HZ, (at + len(clip)) * 1000 // RATE_HZ
        speech.append((begin_ms, end_ms))
        if effort is not None and effort is last:
            passages[-1] = msgspec.structs.replace(passages[-1], end_ms=end_ms)
        elif effort is not None:
            passages.append(Passage(begin_ms, end_ms, dose, effort.kind))
        last = effort
        pause = _noise(rng, float(rng.uniform(0.3, 0.9)))
        parts += [clip + _noise(rng, len(clip) / RATE_HZ)[: len(clip)], pause]
        at += len(clip) + len(pause)
    return GeneratedCall(
        name, voice, np.concatenate(parts).astype(np.float32), tuple(passages), tuple(speech)
    )


def _sentences(bank: SpeechBank, voice: str, rng: np.random.Generator) -> Iterator[Samples]:
    while True:
        yield from (bank.say(voice, SENTENCES[i]).samples for i in rng.permutation(len(SENTENCES)))


def _noise(rng: np.random.Generator, seconds: float) -> Samples:
    """Return the line's own noise, 60 dB below full scale."""
    return rng.normal(0, 1e-3, round(seconds * RATE_HZ)).astype(np.float32)
