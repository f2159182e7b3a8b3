"""Words of time of a language pack, for due times."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib import resources

import msgspec


class TimeWords(msgspec.Struct, forbid_unknown_fields=True):
    """The lists of `times.toml`; phrases are tokens with spaces between."""

    weekdays: list[str]
    months: list[str]
    inside: list[str]
    business: list[str]
    to: list[str]
    from_now: list[str]
    next: list[str]
    this: list[str]
    today: list[str]
    tonight: list[str]
    tomorrow: list[str]
    day_after: list[str]
    end_of: list[str]
    weekend: list[str]
    article: list[str]
    on: list[str]
    of: list[str]
    roughly: list[str]
    article_one: list[str]
    day: list[str]
    clock_parts: list[str]
    after_date: list[str]
    by: list[str]
    late_parts: list[str]
    between: list[str]
    half: list[str]
    quarter: list[str]
    past: list[str]
    before_hour: list[str]
    oclock: list[str]
    morning_mark: list[str]
    evening_mark: list[str]
    vague: list[str]
    gone: list[str]
    numbers: dict[str, int]
    ordinals: dict[str, int]
    units: dict[str, str]
    parts: dict[str, int]
    actors: dict[str, str]
    promise: dict[str, list[str]]


@cache
def load_time_words(locale: str = "en") -> TimeWords | None:
    """Return the words of time of a language, or None when its pack has none."""
    file = resources.files("conversation.language") / locale.split("-")[0] / "times.toml"
    if not file.is_file():
        return None
    return msgspec.convert(tomllib.loads(file.read_text("utf-8")), TimeWords)
