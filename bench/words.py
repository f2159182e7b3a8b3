"""Word error rate of a report's transcript against the script of the sample call."""

from __future__ import annotations

import re
from typing import Any

import jiwer
from whisper_normalizer.english import EnglishTextNormalizer

from reports.model import Report


def word_error_rate(truth: dict[str, Any], report: Report) -> tuple[float, int]:
    """Compare what was heard with what was said, channel by channel, in time order.

    The turn that reads out the card is left out on both sides: its digits are redacted. Both
    texts pass through Whisper's English normaliser ("£80" is "80 pounds").

    Returns:
        (errors per word said, words said)
    """
    normalise = EnglishTextNormalizer()
    card = [t for t in truth["turns"] if _digits(t["text"]) >= 8]
    said, heard = [], []
    for channel in truth["speech"]:
        turns = [t for t in truth["turns"] if t["channel"] == channel and t not in card]
        finals = [
            part
            for part in report.transcript
            if part.channel == channel
            and not any(
                t["channel"] == channel and t["begin_ms"] - 300 <= part.start_ms < t["end_ms"]
                for t in card
            )
        ]
        said.append(normalise(" ".join(turn["text"] for turn in turns)))
        heard.append(normalise(" ".join(part.text or "" for part in finals)))
    return float(jiwer.wer(said, heard)), sum(len(text.split()) for text in said)


def _digits(text: str) -> int:
    names = "zero|one|two|three|four|five|six|seven|eight|nine"
    return len(re.findall(rf"\b({names})\b", text.lower()))
