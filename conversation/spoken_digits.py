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
    """um uh er erm hmm and then dash hyphen slash stroke space sorry no wait
    okay ok yes yeah so next is""".split()
)
HOMOPHONES = {
    "won": "1", "to": "2", "too": "2", "tree": "3", "free": "3", "for": "4", "fore": "4",
    "fife": "5", "hive": "5", "sick": "6", "sicks": "6", "sex": "6", "ate": "8", "mine": "9",
    "nein": "9", "hero": "0", "owe": "0",
}  # fmt: skip
"""What a recogniser writes for a digit now and then."""
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


class _Run:
    """Collects one run of digits while the words are read."""

    def __init__(self) -> None:
        self.options: list[list[str]] = []
        self.start = self.end = -1
        self.tokens = 0
        self.repeat = 1
        self.tens = False

    def begin(self, index: int) -> None:
        self.start = index if self.start < 0 else self.start
        self.end = index + 1

    def repeated(self, index: int, times: int) -> None:
        """Take "double": the next digit counts that often."""
        self.begin(index)
        self.repeat, self.tens = times, False

    def hundred(self, index: int) -> None:
        self.options[-1] = [option + "00" for option in self.options[-1]]
        self.tens, self.end = False, index + 1
        self.tokens += 1

    def digits(self, index: int, digits: str, part: str) -> None:
        """Take digits; after "forty", "one" makes 41 or stays apart, as 401."""
        self.begin(index)
        self.tokens += 1
        if self.tens and part in UNITS and digits != "0":
            ten = self.options.pop()[0]
            self.options.append([ten[0] + digits, ten + digits])
        else:
            self.options.append([digits * self.repeat])
        self.repeat = 1
        self.tens = part in TENS

    def readings(self) -> list[str]:
        while len(self.options) > 1 and _combinations(self.options) > MAX_READINGS:
            self.options = [[option[0]] for option in self.options]
        return list(dict.fromkeys("".join(p) for p in product(*self.options)))


def digit_runs(words: Sequence[str], loose: bool) -> list[DigitRun]:
    """Find the digit runs of a text with all readings of ambiguous groupings.

    Args:
        words: whitespace-separated words.
        loose: card data is expected: words that sound like digits are digits beside others, and
            one strange word between digits is a recognition error.
    """
    runs: list[DigitRun] = []
    run = _Run()
    for index, word in enumerate(words):
        taken = False
        for part in _parts(word):
            taken = _take(run, index, part, loose) or taken
        if taken or _bridged(words, index, run, loose):
            continue
        if loose and run.options and bare_word(word) in HOMOPHONES and _digits_near(words, index):
            run.digits(index, HOMOPHONES[bare_word(word)], "")
            continue
        _close(run, runs)
        run = _Run()
    _close(run, runs)
    return runs


def _take(run: _Run, index: int, part: str, loose: bool) -> bool:
    if part in _REPEAT:
        run.repeated(index, _REPEAT[part])
        return True
    digits = UNITS.get(part) or TEENS.get(part) or _typed(part, loose)
    if digits is None and part in TENS:
        digits = TENS[part] + "0"
    if digits is not None:
        run.digits(index, digits, part)
        return True
    if part == "hundred" and run.options:
        run.hundred(index)
        return True
    return False


def _bridged(words: Sequence[str], index: int, run: _Run, loose: bool) -> bool:
    """Whether a word that is no digit leaves the run open."""
    if not run.options and run.repeat == 1:
        return False
    bare = bare_word(words[index])
    if bare in BRIDGE:
        run.tens = False
        return True
    strange = loose and bare not in HOMOPHONES and sum(len(o[0]) for o in run.options) >= 2
    if strange and _digits_near(words, index):
        run.tens = False
        return True
    return False


def _digits_near(words: Sequence[str], index: int) -> bool:
    """Whether the next word but fillers is a digit."""
    for word in words[index + 1 : index + 3]:
        bare = bare_word(word)
        if bare in UNITS or bare in TEENS or bare in TENS or bare in _REPEAT or _typed(word, True):
            return True
        if bare not in BRIDGE and bare not in HOMOPHONES:
            return False
    return False


def _close(run: _Run, runs: list[DigitRun]) -> None:
    if run.options:
        runs.append(DigitRun(run.start, run.end, run.readings(), run.tokens))


def _combinations(options: Sequence[Sequence[str]]) -> int:
    total = 1
    for option in options:
        total *= len(option)
    return total
