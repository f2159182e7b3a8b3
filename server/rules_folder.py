"""A site's own cue rules: a folder of TOML files over the packaged ones, read at each call's start.

FOLDER/*.toml              rules: changed keys of packaged rules, or whole new rules
FOLDER/language/en.toml    additions to the language pack: acts' patterns, phrases of their own
"""

from __future__ import annotations

import logging
from pathlib import Path

import msgspec

from conversation.rules import RuleError, RuleSet, build_rules, packaged_rule_set

_LOG = logging.getLogger("heartline.rules")


class RulesSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the site's own rules are."""

    folder: str = ""
    """Folder of rule files; empty: the packaged rules alone."""


def read_rules(folder: Path | None, locale: str = "en") -> RuleSet:
    """Read a folder of rules over the packaged ones; None reads the packaged ones alone.

    Raises:
        RuleError: the folder is missing, or a file in it cannot be used.
    """
    if folder is None:
        return packaged_rule_set(locale)
    if not folder.is_dir():
        raise RuleError(f"{folder}: there is no such folder of rules; create it or name another")
    files = [(path.name, _text(path)) for path in sorted(folder.glob("*.toml"))]
    overlay = folder / "language" / f"{locale.split('-')[0]}.toml"
    return build_rules(files, _text(overlay) if overlay.is_file() else "", locale)


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RuleError(f"{path}: cannot be read as UTF-8 text: {error}") from error


class RuleSource:
    """Gives each new call the rules as they are now; calls in progress keep theirs."""

    def __init__(self, settings: RulesSettings, locale: str = "en") -> None:
        self._folder = Path(settings.folder) if settings.folder else None
        self._locale = locale
        self._last: RuleSet | None = None

    def load(self) -> RuleSet:
        """Read the rules.

        Raises:
            RuleError: they cannot be used.
        """
        self._last = read_rules(self._folder, self._locale)
        return self._last

    def current(self) -> RuleSet:
        """Return the rules for a call that starts now; a file that broke since is left aside.

        Raises:
            RuleError: they cannot be used, and never could.
        """
        try:
            return self.load()
        except RuleError as error:
            if self._last is None:
                raise
            _LOG.warning("the former cue rules go on: %s", error)
            return self._last
