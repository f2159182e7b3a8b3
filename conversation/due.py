"""When a promise falls due: words of time resolved against the call's clock and zone.

A relative time counts from when it was said. A day without a clock time is kept until the end of
that day; a range is kept until its later end; what is vague stays without a time.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from conversation.time_words import TimeWords

CLOSE_OF_BUSINESS = 17
"""Hour at which a business day ends, local time (our choice)."""
LATEST_MORNING_HOUR = 6
"""Hours up to this without am or pm are afternoon hours: nobody is rung at three at night."""


class Due(msgspec.Struct, frozen=True):
    """A due time: where it was said, the latest time that keeps it, and how exact it is."""

    start: int
    end: int
    """Span of the words that say it."""
    at: datetime | None
    precision: str
    """`minute`, `day`, `range` or `vague`."""


class DueReader:
    """Finds due times in words."""

    def __init__(self, lexicon: TimeWords) -> None:
        self._words = lexicon

    def find(self, words: Sequence[str], said_at: datetime) -> Due | None:
        """Return the due time in words, resolved against `said_at`; None when there is none.

        Of a day and a clock time that stand together the clock time of that day is taken; else
        the first time in the words.
        """
        tokens = [_bare(word) for word in words]
        found = _Found(self._words, tokens, said_at)
        return found.combined()


def _bare(word: str) -> str:
    return word.lower().replace("\u2019", "'").strip(" ,;:!?\"'()").rstrip(".")


class _Found:
    """One reading of one piece of text."""

    def __init__(self, lexicon: TimeWords, tokens: list[str], said_at: datetime) -> None:
        self._words = lexicon
        self._tokens = tokens
        self._said_at = said_at

    def combined(self) -> Due | None:
        day: Due | None = None
        clock: tuple[int, int, int, int] | None = None
        at = 0
        while at < len(self._tokens):
            if self._has(at, self._words.gone):
                at += 2  # and what it says the time of
                continue
            if self._tokens[at] in self._words.between:
                at += self._between(at)
            duration = self._duration(at)
            if duration is not None and day is None and clock is None:
                return duration
            found_clock = self._clock(at) if clock is None else None
            if found_clock is not None:
                clock = found_clock
                at = clock[1]
                continue
            found_day = self._day(at) if day is None else None
            if found_day is not None:
                day = found_day
                at = day.end
                continue
            at += 1
        return self._joined(day, clock) or self._vague()

    def _joined(self, day: Due | None, clock: tuple[int, int, int, int] | None) -> Due | None:
        if clock is None:
            return day
        begin, end, hour, minute = clock
        if hour < 12 and any(t in self._words.late_parts for t in self._tokens[end : end + 4]):
            hour += 12
        if day is None:
            at = self._at(self._said_at, hour, minute)
            if at <= self._said_at:
                at = self._at(self._said_at + timedelta(days=1), hour, minute)
            return Due(begin, end, at, "minute")
        assert day.at is not None  # noqa: S101 - a day that was found has a date
        at = self._at(day.at, hour, minute)
        between = any(token in self._words.between for token in self._tokens[:end])
        start = min(begin, day.start)
        return Due(start, max(end, day.end), at, "range" if between else "minute")

    def _between(self, at: int) -> int:
        """Return how many tokens to skip so that of "between eight and twelve" twelve is read."""
        first = self._clock_hour(at + 1)
        if first is None or first >= len(self._tokens):
            return 0
        return first - at if self._tokens[first] in self._words.to else 0

    def _clock_hour(self, at: int) -> int | None:
        number = self._number(at)
        return None if number is None else number[1]

    # ------------------------------------------------------------------ pieces

    def _at(self, day: datetime, hour: int, minute: int = 0) -> datetime:
        midnight = day.replace(hour=0, minute=0, second=0, microsecond=0)
        return midnight + timedelta(hours=hour, minutes=minute)

    def _end_of_day(self, day: datetime) -> datetime:
        return self._at(day, 23, 59)

    def _has(self, at: int, phrases: Sequence[str]) -> int:
        """Return how many tokens the longest phrase at `at` has, 0 for none."""
        best = 0
        for phrase in phrases:
            parts = phrase.split()
            if self._tokens[at : at + len(parts)] == parts:
                best = max(best, len(parts))
        return best

    def _number(self, at: int) -> tuple[int, int] | None:
        """Return a number and the token after it."""
        if at >= len(self._tokens):
            return None
        token = self._tokens[at]
        if re.fullmatch(r"\d{1,3}", token):
            return int(token), at + 1
        parts = token.split("-")
        values = [self._words.numbers.get(part) for part in parts]
        if any(value is None for value in values):
            return None
        total, end = sum(v for v in values if v is not None), at + 1
        if total % 10 == 0 and total >= 20 and end < len(self._tokens):
            unit = self._words.numbers.get(self._tokens[end], 0)
            if 0 < unit < 10 and self._tokens[end] not in self._words.article_one:
                return total + unit, end + 1
        return total, end

    def _duration(self, begin: int) -> Due | None:
        """Read "within two hours", "in three to five working days", "half an hour from now"."""
        at = begin
        opened = self._has(at, self._words.inside)
        if opened:
            at += opened
            skipped = (*self._words.article, *self._words.roughly, *self._words.next)
            while at < len(self._tokens) and self._tokens[at] in skipped:
                at += 1
        half = at < len(self._tokens) and self._tokens[at] in self._words.half
        first = self._number(at + 1 if half else at)
        if first is None:
            return None
        low, at = first
        high = low
        if at < len(self._tokens) and self._tokens[at] in self._words.to:
            second = self._number(at + 1)
            if second is not None:
                high, at = second
        business = at < len(self._tokens) and self._tokens[at] in self._words.business
        at += business
        unit = self._words.units.get(self._tokens[at]) if at < len(self._tokens) else None
        if unit is None:
            return None
        at += 1
        closed = self._has(at, self._words.from_now) if at < len(self._tokens) else 0
        if (not opened and not closed) or self._goes_back(at):
            return None
        amount = 0.5 * high if half else float(high)
        if self._tokens[at : at + 3] in (
            [w, a, h]
            for w in self._words.to
            for a in self._words.article_one
            for h in self._words.half
        ):
            amount, at = amount + 0.5, at + 3
        due_at = self._after(amount, unit, business=business)
        exact = "minute" if unit in ("minute", "hour") else "day"
        return Due(begin, at + closed, due_at, "range" if high != low else exact)

    def _goes_back(self, at: int) -> bool:
        return at < len(self._tokens) and self._has(at, self._words.gone) > 0

    def _after(self, amount: float, unit: str, *, business: bool) -> datetime:
        said = self._said_at
        if unit in ("minute", "hour"):
            minutes = amount * (60 if unit == "hour" else 1)
            return said.replace(microsecond=0) + timedelta(minutes=minutes)
        if unit == "month":
            return self._end_of_day(_add_months(said, round(amount)))
        days = round(amount * {"day": 1, "week": 7, "fortnight": 14}[unit])
        if not business:
            return self._end_of_day(said + timedelta(days=days))
        day = said
        for _ in range(days):
            day += timedelta(days=1)
            while day.weekday() >= 5:
                day += timedelta(days=1)
        return self._end_of_day(day)

    def _clock(self, begin: int) -> tuple[int, int, int, int] | None:
        """Read a clock time; returns first token, token after it, hour and minute."""
        words, at = self._words, begin
        introduced = self._has(at, words.by) > 0
        if at > 0 and self._tokens[at] in words.to and self._clock_hour(at + 1) is not None:
            introduced, at = (
                any(t in words.between for t in self._tokens[max(0, at - 4) : at]),
                at + 1,
            )
        while at < len(self._tokens) and (
            self._has(at, words.by) or self._tokens[at] in (*words.roughly, *words.article)
        ):
            at += 1
        if at >= len(self._tokens):
            return None
        token = self._tokens[at]
        minute = 0
        if token in words.clock_parts:
            return begin, at + 1, words.parts[token], 0
        if token in (*words.half, *words.quarter) and at + 2 < len(self._tokens):
            offset = 30 if token in words.half else 15
            before = self._tokens[at + 1] in words.before_hour
            if not before and self._tokens[at + 1] not in words.past:
                return None
            minute, at, introduced = -offset if before else offset, at + 2, True
        hour: int | None
        typed = re.fullmatch(r"(\d{1,2})(?:[:.](\d{2}))?(am|pm|a\.m|p\.m)?", self._tokens[at])
        marked = ""
        if typed:
            hour, minute = int(typed[1]), minute + int(typed[2] or 0)
            introduced = introduced or typed[2] is not None
            marked, at = typed[3] or "", at + 1
        else:
            number = self._number(at)
            if number is None or self._tokens[at] in words.article_one:
                return None
            minutes_to = self._minutes_to(number)
            if minutes_to is not None and introduced:
                return (begin, *minutes_to)
            if self._ordinal(at) is not None:
                return None
            hour, at = number
            extra = self._number(at)
            if extra is not None and extra[0] in (15, 30, 45) and introduced:
                minute, at = minute + extra[0], extra[1]
        if at < len(self._tokens) and self._tokens[at] in words.oclock:
            introduced, at = True, at + 1
        if at < len(self._tokens) and self._tokens[at] in (
            *words.morning_mark, *words.evening_mark,
        ):  # fmt: skip
            marked, at = self._tokens[at], at + 1
        marked_any = bool(marked)
        unit = self._tokens[at] if at < len(self._tokens) else ""
        if not (introduced or marked_any) or unit in self._words.units or hour > 23:
            return None
        if at < len(self._tokens) and self._tokens[at] in words.business:
            return None
        hour = self._hour(hour, marked)
        total = hour * 60 + minute
        return begin, at, total // 60, total % 60

    def _minutes_to(self, number: tuple[int, int]) -> tuple[int, int, int] | None:
        """Read "ten to four", "twenty past two"; returns the token after it, hour and minute."""
        minutes, at = number
        token = self._tokens[at] if at < len(self._tokens) else ""
        before = token in self._words.before_hour
        if minutes not in (5, 10, 15, 20, 25) or not (before or token in self._words.past):
            return None
        hour = self._number(at + 1)
        if hour is None or not 1 <= hour[0] <= 12:
            return None
        total = self._hour(hour[0], "") * 60 + (-minutes if before else minutes)
        return hour[1], total // 60, total % 60

    def _hour(self, hour: int, marked: str) -> int:
        if marked in self._words.evening_mark:
            return hour if hour >= 12 else hour + 12
        if marked in self._words.morning_mark:
            return 0 if hour == 12 else hour
        return hour + 12 if 1 <= hour <= LATEST_MORNING_HOUR else hour

    def _day(self, begin: int) -> Due | None:
        """Read a day: a weekday, today, tomorrow, a date, the end of something."""
        at = begin
        words = self._words
        while at < len(self._tokens) and self._tokens[at] in (*words.by, *words.on):
            at += 1
        if (
            at < len(self._tokens)
            and self._tokens[at] in words.article
            and not self._has(at + 1, words.end_of)
        ):
            at += 1
        if at >= len(self._tokens):
            return None
        found = self._end_of(at) or self._named_day(at) or self._date(at)
        if found is None:
            return None
        day, end, precision = found
        part = self._part(end)
        if part is not None:
            return Due(begin, part[1], self._at(day, part[0]), "range")
        at_time = day if precision in ("range", "minute") else self._end_of_day(day)
        return Due(begin, end, at_time, precision)

    def _part(self, at: int) -> tuple[int, int] | None:
        words = self._words
        while at < len(self._tokens) and self._tokens[at] in (*words.on, *words.article):
            at += 1
        if at < len(self._tokens) and self._tokens[at] in self._words.parts:
            return self._words.parts[self._tokens[at]], at + 1
        return None

    def _end_of(self, at: int) -> tuple[datetime, int, str] | None:
        said, words = self._said_at, self._words
        skipped = int(self._tokens[at] in words.article)
        length = self._has(at + skipped, words.end_of) if at + skipped < len(self._tokens) else 0
        if not length:
            return None
        at += skipped + length
        following = at < len(self._tokens) and self._tokens[at] in words.next
        at += following
        name = self._tokens[at] if at < len(self._tokens) else ""
        if name in (*words.day, *words.today):
            return self._at(said, CLOSE_OF_BUSINESS), at + 1, "minute"
        if name in words.tomorrow:
            return self._at(said + timedelta(days=1), CLOSE_OF_BUSINESS), at + 1, "minute"
        if words.units.get(name) == "week":
            friday = said + timedelta(days=(4 - said.weekday()) % 7 + (7 if following else 0))
            return friday, at + 1, "day"
        if words.units.get(name) == "month":
            month = _add_months(said.replace(day=1), 2 if following else 1)
            return month - timedelta(days=1), at + 1, "day"
        return None

    def _named_day(self, at: int) -> tuple[datetime, int, str] | None:
        said, words = self._said_at, self._words
        length = self._has(at, words.day_after)
        if length:
            return said + timedelta(days=2), at + length, "day"
        token = self._tokens[at]
        if token in words.today:
            return said, at + 1, "day"
        if token in words.tonight:
            return self._at(said, words.parts["tonight"]), at + 1, "range"
        if token in words.tomorrow:
            return said + timedelta(days=1), at + 1, "day"
        following, this = token in words.next, token in words.this
        at += following or this
        name = self._tokens[at] if at < len(self._tokens) else ""
        plain = name.rstrip("s")
        if name in words.weekdays or plain in words.weekdays:
            wanted = words.weekdays.index(name if name in words.weekdays else plain)
            ahead = (wanted - said.weekday()) % 7 or (0 if this else 7)
            if following and ahead + said.weekday() < 7:
                ahead += 7
            return said + timedelta(days=ahead), at + 1, "day"
        if name in words.weekend:
            sunday = said + timedelta(days=(6 - said.weekday()) % 7 + (7 if following else 0))
            return self._end_of_day(sunday), at + 1, "range"
        if (following or this) and words.units.get(name) == "week":
            friday = said + timedelta(days=4 - said.weekday() + (7 if following else 0))
            return self._end_of_day(friday), at + 1, "range"
        if (following or this) and words.units.get(name) == "month":
            month = _add_months(said.replace(day=1), 2 if following else 1)
            return self._end_of_day(month - timedelta(days=1)), at + 1, "range"
        if this and name in words.parts:
            return self._at(said, words.parts[name]), at + 1, "range"
        return None

    def _date(self, at: int) -> tuple[datetime, int, str] | None:
        """Read "the fifth of March", "March 5th", "the 12th"."""
        months = self._words.months
        token = self._tokens[at]
        if token in months and at + 1 < len(self._tokens):
            day = self._ordinal(at + 1)
            if day is None:
                return None
            return self._next_date(day[0], months.index(token) + 1, day[1])
        day = self._ordinal(at)
        if day is None:
            return None
        number, end = day
        of = end < len(self._tokens) and self._tokens[end] in self._words.of
        after = end + int(of)
        if after < len(self._tokens) and self._tokens[after] in months:
            return self._next_date(number, months.index(self._tokens[after]) + 1, after + 1)
        typed = bool(re.fullmatch(r"\d{1,2}(st|nd|rd|th)", token))
        introduced = at > 0 and self._tokens[at - 1] in self._words.article
        unit = self._tokens[end] if end < len(self._tokens) else ""
        alone = unit in ("", *self._words.after_date)
        return self._next_date(number, None, end) if (typed or introduced) and alone else None

    def _ordinal(self, at: int) -> tuple[int, int] | None:
        token = self._tokens[at]
        typed = re.fullmatch(r"(\d{1,2})(st|nd|rd|th)?", token)
        if typed and 1 <= int(typed[1]) <= 31:
            return int(typed[1]), at + 1
        ordinals = self._words.ordinals
        if token in ordinals:
            return ordinals[token], at + 1
        parts = token.split("-") if "-" in token else self._tokens[at : at + 2]
        tens = self._words.numbers.get(parts[0], 0)
        unit = ordinals.get(parts[1], 99) if len(parts) == 2 else 99
        if tens in (20, 30) and unit < 10:
            return tens + unit, at + (1 if "-" in token else 2)
        return None

    def _next_date(self, day: int, month: int | None, end: int) -> tuple[datetime, int, str] | None:
        said = self._said_at
        for ahead in range(13):
            base = _add_months(said.replace(day=1), ahead)
            if month is not None and base.month != month:
                continue
            try:
                candidate = base.replace(day=day)
            except ValueError:
                continue
            if candidate.date() >= said.date():
                return candidate, end, "day"
        return None

    def _vague(self) -> Due | None:
        for at in range(len(self._tokens)):
            length = self._has(at, self._words.vague)
            if length:
                return Due(at, at + length, None, "vague")
        return None


def _add_months(day: datetime, months: int) -> datetime:
    month = day.month - 1 + months
    year = day.year + month // 12
    for last in (day.day, 30, 29, 28):
        try:
            return day.replace(year=year, month=month % 12 + 1, day=last)
        except ValueError:
            continue
    return day
