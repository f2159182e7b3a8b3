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
    files, overlay = site_files(folder, locale)
    return build_rules(files, overlay, locale)


def site_files(folder: Path | None, locale: str = "en") -> tuple[list[tuple[str, str]], str]:
    """Return name and text of each rule file of a folder, and its overlay.

    Raises:
        RuleError: the folder is missing, or a file in it cannot be read.
    """
    if folder is None:
        return [], ""
    if not folder.is_dir():
        raise RuleError(f"{folder}: there is no such folder of rules; create it or name another")
    files = [(path.name, _text(path)) for path in sorted(folder.glob("*.toml"))]
    overlay = folder / "language" / f"{locale.split('-')[0]}.toml"
    return files, _text(overlay) if overlay.is_file() else ""


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RuleError(f"{path}: cannot be read as UTF-8 text: {error}") from error


class RuleSource:
    """Gives each new call the rules as they are now; calls in progress keep theirs."""

    def __init__(self, settings: RulesSettings, locale: str = "en") -> None:
        self._folder = Path(settings.folder) if settings.folder else None
        self._own: Path | None = None
        self._locale = locale
        self._last: RuleSet | None = None

    @property
    def folder(self) -> Path | None:
        """Where the site's rules are: as configured, or the server's own folder."""
        return self._folder or self._own

    def adopt(self, folder: Path) -> None:
        """Take rules from the server's own folder, where the settings name none."""
        self._own = folder

    def files(self) -> tuple[list[tuple[str, str]], str]:
        """Return name and text of each of the site's rule files, and the overlay.

        Raises:
            RuleError: one cannot be read.
        """
        return site_files(self._present(), self._locale)

    def _present(self) -> Path | None:
        """Return the folder to read; the server's own need not be there."""
        if self._folder is None and self._own is not None and not self._own.is_dir():
            return None
        return self.folder

    def load(self) -> RuleSet:
        """Read the rules.

        Raises:
            RuleError: they cannot be used.
        """
        self._last = read_rules(self._present(), self._locale)
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
