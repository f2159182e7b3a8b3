"""Speaks the customer's lines of the shipped scenarios: `python -m bench.practice_lines`.

Writes `server/practice/scenarios/<id>/<stage>.ogg`. Needs the extra `sample`.
"""

from __future__ import annotations

import soundfile

from bench.speech_bank import RATE_HZ, SpeechBank
from server.practice.scenario import load_scenario, shipped


def main() -> None:
    """Write one file per line."""
    bank = SpeechBank()
    for name in shipped():
        scenario, folder = load_scenario(name)
        (folder / name).mkdir(exist_ok=True)
        for stage, line in scenario.stages.items():
            clip = bank.say(scenario.voice or "alpha", line.says)
            path = folder / name / f"{stage}.ogg"
            soundfile.write(path, clip.samples, RATE_HZ, format="OGG", subtype="OPUS")


if __name__ == "__main__":
    main()
