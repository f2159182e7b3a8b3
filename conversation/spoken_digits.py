"""Reads digits out of words: units, tens, "double", "hundred", typed groups; with all readings."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import product

import msgspec

MAX_READINGS = 256
"""Most readings kept of one ambiguous run."""

UNITS = {
    w: str(i) for i, w in enumerate("""zero one two three four five six seven eight nine""".split())
} | {"oh": "0", "o": "0", "nought": "0", "naught": "0", "nil": "0"}
TEENS = {
    w: str(i)
    for i, w in enumerate(
        """ten eleven twelve thirteen fourteen fifteen sixteen
        seventeen eighteen nineteen""".split(),
        10,
    )
}
TENS = {
    w: str(i)
    for i, w in enumerate("""twenty thirty forty fifty sixty seventy eighty ninety""".split(), 2)
} | {"fourty": "4"}
_REPEAT = {"double": 2, "triple": 3, "treble": 3, "quadruple": 4}
BRIDGE = frozenset(
    """um uh er erm hmm and then dash hyphen space sorry no wait okay ok
    yes yeah so next is""".split()
)
ORDINARY_AFTER = frozenset(
    """dollars dollar pounds pound euros euro percent pm am minutes minute hours hour days day
    weeks week months month years year people times items o'clock miles gigabytes
    megabits""".split()
)


class DigitRun(msgspec.Struct):
    """Digits that belong together: token span and every reading of them."""

    start: int
    end: int
    readings: list[str]
    tokens: int = 0

    @property
    def digits(self) -> int:
        """Digits of the longest reading."""
        return max(len(r) for r in self.readings)


def luhn(digits: str) -> bool:
    """Return True when the check digit of `digits` fits (ISO/IEC 7812-1)."""
    total = 0
    for index, char in enumerate(reversed(digits)):
        value = int(char) * (2 if index % 2 else 1)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def bare_word(word: str) -> str:
    """Return the word in lower case without the punctuation around it."""
    return word.lower().replace("\u2019", "'").strip(" \t.,;:!?\"'()[]")


def _parts(word: str) -> list[str]:
    """Split hyphenated number words; leave everything else whole."""
    bare = bare_word(word)
    pieces = bare.split("-")
    numbers = UNITS | TEENS | TENS
    return pieces if len(pieces) > 1 and all(p in numbers for p in pieces) else [bare]


def _typed(word: str, loose: bool) -> str | None:
    """Return the digits of a typed token, or None when it is no plain digit token."""
    bare = bare_word(word).lstrip("+")
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}", bare) and not loose:
        return None
    pattern = r"[\d\-./()]+" if loose else r"[\d\-()]+"
    if re.fullmatch(pattern, bare) and any(c.isdigit() for c in bare):
        return re.sub(r"\D", "", bare)
    if re.fullmatch(r"\d{4}([.,]\d{4}){2,}.*", bare):
        return re.sub(r"\D", "", bare)
    return None


def digit_runs(words: Sequence[str], loose: bool) -> list[DigitRun]:
    """Find the digit runs of a text with all readings of ambiguous groupings."""
    runs: list[DigitRun] = []
    options: list[list[str]] = []
    start = end = -1
    count = 0
    repeat = 1
    tens = False

    def close() -> None:
        nonlocal options, start, count, repeat, tens
        if options:
            while len(options) > 1 and _combinations(options) > MAX_READINGS:
                options = [[o[0]] for o in options]
            readings = list(dict.fromkeys("".join(p) for p in product(*options)))
            runs.append(DigitRun(start, end, readings, count))
        options, start, count, repeat, tens = [], -1, 0, 1, False

    for index, word in enumerate(words):
        matched = False
        for part in _parts(word):
            digits = UNITS.get(part) or TEENS.get(part) or _typed(part, loose)
            if digits is None and part in TENS:
                digits = TENS[part] + "0"
            if part in _REPEAT:
                repeat, matched = _REPEAT[part], True
                tens = False
                start = index if start < 0 else start
                continue
            if digits is None:
                if part == "hundred" and options:
                    last = options[-1]
                    options[-1] = [o + "00" for o in last]
                    matched, tens, end = True, False, index + 1
                    count += 1
                continue
            matched = True
            start = index if start < 0 else start
            end = index + 1
            count += 1
            if tens and part in UNITS and digits != "0":
                ten = options.pop()[0]
                options.append([ten[0] + digits, ten + digits])
            else:
                options.append([digits * repeat])
            repeat = 1
            tens = part in TENS
        if not matched and not (options and bare_word(word) in BRIDGE):
            close()
        elif not matched:
            tens = False
    close()
    return runs


def _combinations(options: Sequence[Sequence[str]]) -> int:
    total = 1
    for option in options:
        total *= len(option)
    return total
