"""How surely several people on one channel are told from one: `python -m bench.prosody.several`.

Calls of three minutes on one channel. *Pairs*: one person says twelve sentences, then another one
joins and they take turns of one to three. *Alone*: one person says all of it; *raised*: in every
dose of `bench.prosody.calls`; *shouted*: ten calm sentences, then two shouted and two calm ones in
turn, which is what a second, higher voice looks like. Only pairs have something to find. Prints how
many calls were said to have several voices, and how long the second one had spoken by then, and
writes `bench/out/several_voices.json`. Thresholds were set on `--development`; `QUICK=1` takes one
line.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from itertools import repeat
from statistics import median

import msgspec
import numpy as np
import numpy.typing as npt

from bench.prosody.calls import CACHE, SENTENCES, GeneratedCall, Script, build, effort_script
from bench.prosody.detection import babble_for
from bench.prosody.effort import DOSES, lowered
from bench.prosody.line import on_the_line
from bench.prosody.listen import Listener
from bench.results import Row, is_quick, write_results
from bench.speech_bank import DEVELOPMENT_VOICES, TEST_VOICES, SpeechBank
from conversation.events import Channel, LineDoubted
from conversation.interaction import Interaction
from conversation.settings import ConversationSettings

Samples = npt.NDArray[np.float32]
_OWN = Channel.CUSTOMER
_FIRST, _SENTENCES = 12, 44
_LINES = ("mulaw_agc", "babble_15db")
_MEN = {"gongitsune": (-9.0, 0.87), "alpha": (-11.0, 0.85), "ada": (-8.0, 0.9)}
"""Semitones and scale of the formants that make men of three development voices."""
_DEVELOPMENT_PAIRS = {
    "unlike": (
        ("alpha", "gongitsune low"), ("gongitsune low", "alpha"), ("ada", "alpha low"),
        ("alpha low", "gongitsune"), ("gongitsune low", "ada"), ("gongitsune", "ada low"),
        ("ada low", "alpha"), ("bertram", "alpha"),
    ),
    "alike": (
        ("alpha", "ada"), ("gongitsune", "alpha"), ("bertram", "gongitsune low"),
        ("alpha low", "ada low"),
    ),
}  # fmt: skip
_TEST_PAIRS = {
    "unlike": (
        ("nezumi", "kumo"), ("kumo", "nezumi"), ("tebukuro", "konrad"), ("konrad", "tebukuro"),
        ("nora", "kumo"), ("konrad", "nora"),
    ),
    "alike": (("nezumi", "nora"), ("tebukuro", "nezumi"), ("kumo", "konrad"), ("konrad", "theo")),
}  # fmt: skip


class Case(msgspec.Struct, frozen=True):
    """One call, and when its second person speaks."""

    kind: str
    call: GeneratedCall
    second: tuple[tuple[int, int], ...] = ()
    """Their sentences, ms."""


class Calls:
    """Writes the calls of a split."""

    def __init__(self, bank: SpeechBank, seed: int) -> None:
        self._bank = bank
        self._seed = seed
        self._clips: dict[str, list[Samples]] = {}

    def alone(self, kind: str, voice: str) -> Case:
        """One person, calm or with outbursts."""
        rng = self._rng(kind, voice)
        script: Script = [("calm", None)] * _SENTENCES
        if kind == "raised":
            script = effort_script(DOSES, rng)
        elif kind == "shouted":
            script = script[:10]
            for turn in range(9):
                effort = DOSES["shouted"][turn % 2]
                script += [("shouted", effort)] * 2 + [("calm", None)] * 2
        return Case(kind, build(f"{kind}-{voice}", voice, self._said(voice, rng), script, rng))

    def pair(self, kind: str, first: str, second: str) -> Case:
        """One person, then both in turns."""
        rng = self._rng(first, second)
        who = [first] * _FIRST
        while len(who) < _SENTENCES:
            speaker = first if who[-1] == second else second
            who += [speaker] * int(rng.integers(1, 4))
        said = {voice: self._said(voice, rng) for voice in (first, second)}
        clips = (next(said[voice]) for voice in who)
        script: Script = [("calm", None) for _ in who]
        call = build(f"{first}+{second}", first, clips, script, rng)
        spans = tuple(s for s, voice in zip(call.speech, who, strict=True) if voice == second)
        return Case(kind, call, spans)

    def _rng(self, *names: str) -> np.random.Generator:
        return np.random.default_rng([self._seed, 19, sum("".join(names).encode())])

    def _said(self, name: str, rng: np.random.Generator) -> Iterator[Samples]:
        if name not in self._clips:
            voice, _, low = name.partition(" ")
            clips = [self._bank.say(voice, text).samples for text in SENTENCES]
            if low:
                clips = [lowered(clip, *_MEN[voice], CACHE) for clip in clips]
            self._clips[name] = clips
        for _ in repeat(None):
            order = rng.permutation(len(SENTENCES))
            yield from (self._clips[name][i] for i in order)


def told(case: Case, condition: str, babble: Samples, listener: Listener) -> LineDoubted | None:
    """Return what the core says of the voices of a call."""
    line = on_the_line(case.call, condition, babble)
    speech = listener.speech(_OWN, line)
    frames, _ = listener.prosody({_OWN: line}, {_OWN: speech})
    core = Interaction(ConversationSettings())
    for event in sorted([*speech, *frames], key=lambda event: event.at_ms):
        for derived in core.observe(event):
            if isinstance(derived, LineDoubted):
                return derived
    return None


def _cases(calls: Calls, development: bool) -> Iterator[Case]:
    pairs = _DEVELOPMENT_PAIRS if development else _TEST_PAIRS
    voices = list(DEVELOPMENT_VOICES if development else TEST_VOICES)
    if development:
        voices += ["gongitsune low", "alpha low"]
    for kind in ("alone", "raised", "shouted"):
        for voice in voices:
            yield calls.alone(kind, voice)
    for kind, named in pairs.items():
        for first, second in named:
            yield calls.pair(kind, first, second)


def main() -> None:
    """Run every call over every line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--development", action="store_true", help="the voices of the thresholds")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    bank, listener = SpeechBank(), Listener()
    voices = DEVELOPMENT_VOICES if arguments.development else TEST_VOICES
    babble = babble_for(bank, "", voices)
    counts: dict[tuple[str, str], list[float | None]] = {}
    minutes: dict[tuple[str, str], float] = {}
    for case in _cases(Calls(bank, arguments.seed), arguments.development):
        for condition in _LINES[:1] if is_quick() else _LINES:
            found = told(case, condition, babble, listener)
            heard = None
            if found is not None:
                spans = ((b, min(e, found.at_ms)) for b, e in case.second if b < found.at_ms)
                heard = sum(end - begin for begin, end in spans) / 1000
                print(f"{case.kind} {condition} {case.call.name}: told, {heard:.0f} s", flush=True)
            key = (case.kind, condition)
            counts.setdefault(key, []).append(heard)
            minutes[key] = minutes.get(key, 0.0) + case.call.speech[-1][1] / 60_000
    rows = []
    for (kind, condition), values in counts.items():
        known = [value for value in values if value is not None]
        name = f"{kind}_{condition}"
        rows.append(Row("heartline", name, "told", len(known), "calls", len(values)))
        rows.append(Row("heartline", name, "minutes", minutes[kind, condition], "min", len(values)))
        if known and kind in _TEST_PAIRS:
            rows.append(Row("heartline", name, "second_voice_s", median(known), "s", len(known)))
    write_results("several_voices", rows, seed=arguments.seed)


if __name__ == "__main__":
    main()
