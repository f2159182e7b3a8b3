"""Counts which words sentences end in, for the completeness of a clause.

python -m bench.floor.endings      # writes conversation/lexicon/en_endings.toml

The text is the project's own turns of service calls (`bench/coaching/data`), none of which is said
in the generated calls of this benchmark.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from bench.coaching.corpus import DATA
from conversation.floor_words import plain_words

TARGET = Path("conversation/lexicon/en_endings.toml")
_LEAST_COUNT, _PRIOR_COUNT = 8, 5.0
_STEP, _MOST = 0.5, 2.0
_HEADER = """\
# Which words sentences end in: log odds, in steps of 0.5 up to 2, that a sentence is finished after
# the word, from even odds. Counted by bench/floor/endings.py over {sentences} sentences of the
# project's own service calls; words that occur there less than {least} times are left out.

"""


def sentences() -> list[list[str]]:
    """Return the words of every sentence of the corpus that has an end."""
    found = []
    for path in sorted(DATA.rglob("*.txt")):
        for line in path.read_text("utf-8").splitlines():
            turn = re.match(r"[AC] \S+ (.*)", line)
            for sentence in re.split(r"(?<=[.?!])\s+", turn[1].strip()) if turn else ():
                if sentence.endswith((".", "?", "!")):
                    found.append(plain_words(sentence))
    return found


def ending_odds(said: Iterable[list[str]]) -> dict[str, float]:
    """Return log odds that a sentence is finished after a word, less those of any word."""
    every: Counter[str] = Counter()
    last: Counter[str] = Counter()
    for words in said:
        every.update(words[2:])  # the first words of a sentence do not end it, whatever they are
        last.update(words[2:][-1:])
    share = last.total() / every.total()
    odds = {}
    for word, count in every.items():
        if count >= _LEAST_COUNT:
            p = (last[word] + _PRIOR_COUNT * share) / (count + _PRIOR_COUNT)
            value = math.log(p / (1 - p)) - math.log(share / (1 - share))
            odds[word] = max(-_MOST, min(_MOST, round(value / _STEP) * _STEP))
    return odds


def main() -> None:
    """Count and write."""
    said = sentences()
    odds = ending_odds(said)
    lines = [_HEADER.format(sentences=len(said), least=_LEAST_COUNT), "endings = [\n"]
    for value in sorted(set(odds.values())):
        row = f"  [{value}, ["
        for word in sorted(w for w, v in odds.items() if v == value):
            if len(row) + len(word) + 4 > 100:
                lines.append(row.rstrip() + "\n")
                row = "    "
            row += f'"{word}", '
        lines.append(row.rstrip(", ") + "]],\n")
    TARGET.write_text("".join([*lines, "]\n"]), "utf-8")
    print(f"{len(odds)} words -> {TARGET}")


if __name__ == "__main__":
    main()
