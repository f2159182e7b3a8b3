"""The clips of the generated calls: who speaks what, cut to true speech, with word times.

python -m bench.floor.bank      # speak everything once; later runs read the cache
"""

from __future__ import annotations

import tomllib
from pathlib import Path

from bench.speech_bank import Clip, SpeechBank

TEXTS = tomllib.loads(Path(__file__).with_name("texts.toml").read_text("utf-8"))
AGENTS = {
    "development": ("alpha", "bertram"),
    "seen": ("nezumi", "kumo", "theo"),
    "retired": ("milla", "oskar", "vera"),
    "spent": ("silke", "anton", "greta"),
    "known": ("lukas", "marta", "rosa"),
    "test": ("bruno", "clara", "ilse"),
}
CUSTOMERS = {
    "development": ("gongitsune", "ada"),
    "seen": ("tebukuro", "konrad", "nora"),
    "retired": ("ruben", "thea", "judith"),
    "spent": ("emil", "paula", "hanna"),
    "known": ("jonas", "frieda", "otto"),
    "test": ("felix", "tilda", "wanda"),
}
SPEED = 1.05
KINDS = ("turns", "cuts_in", "backchannels")


def texts(split: str, party: str, kind: str) -> list[str]:
    """Return the texts that `party` says in `split`, by `kind` of `KINDS`."""
    if kind == "backchannels":
        return list(TEXTS["backchannels"])
    return list(TEXTS[split][party if kind == "turns" else f"{party}_cuts_in"])


def voices(split: str, party: str) -> tuple[str, ...]:
    """Return the voices of `party`; those of the splits are disjoint."""
    return (AGENTS if party == "agent" else CUSTOMERS)[split]


def clips(bank: SpeechBank, voice: str, split: str, party: str) -> dict[str, list[Clip]]:
    """Return every clip of `voice` in the role of `party`, by kind."""
    return {
        kind: [bank.say(voice, text, SPEED) for text in texts(split, party, kind)] for kind in KINDS
    }


def main() -> None:
    """Speak every clip of all splits, with progress."""
    bank = SpeechBank()
    for split in AGENTS:
        for party in ("agent", "customer"):
            for voice in voices(split, party):
                seconds = sum(
                    clip.seconds
                    for made in clips(bank, voice, split, party).values()
                    for clip in made
                )
                print(f"{split} {party} {voice}: {seconds:.0f} s of speech", flush=True)


if __name__ == "__main__":
    main()
