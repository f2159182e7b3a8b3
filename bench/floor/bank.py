"""The clips of the generated calls: who speaks what, cut to true speech, with word times.

python -m bench.floor.bank      # speak everything once; later runs read the cache
"""

from __future__ import annotations

import tomllib
from pathlib import Path

from bench.speech_bank import DEVELOPMENT_VOICES, TEST_VOICES, Clip, SpeechBank

TEXTS = tomllib.loads(Path(__file__).with_name("texts.toml").read_text("utf-8"))
AGENTS = {"development": ("alpha", "bertram"), "test": ("nezumi", "kumo", "theo")}
CUSTOMERS = {"development": ("gongitsune", "ada"), "test": ("tebukuro", "konrad", "nora")}
SPEED = 1.05
KINDS = ("turns", "cuts_in", "backchannels")


def texts(split: str, party: str, kind: str) -> list[str]:
    """Return the texts that `party` says in `split`, by `kind` of `KINDS`."""
    if kind == "backchannels":
        return list(TEXTS["backchannels"])
    return list(TEXTS[split][party if kind == "turns" else f"{party}_cuts_in"])


def voices(split: str, party: str) -> tuple[str, ...]:
    """Return the voices of `party`; those of the two splits are disjoint."""
    chosen = (AGENTS if party == "agent" else CUSTOMERS)[split]
    allowed = DEVELOPMENT_VOICES if split == "development" else TEST_VOICES
    if not set(chosen) <= set(allowed):
        raise ValueError(f"{chosen} are not all {split} voices; choose from {allowed}.")
    return chosen


def clips(bank: SpeechBank, voice: str, split: str, party: str) -> dict[str, list[Clip]]:
    """Return every clip of `voice` in the role of `party`, by kind."""
    return {
        kind: [bank.say(voice, text, SPEED) for text in texts(split, party, kind)] for kind in KINDS
    }


def main() -> None:
    """Speak every clip of both splits, with progress."""
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
