"""Changes to cue rules from the dashboard: checked, then written to a file of their own.

The file holds only the keys that differ from the packaged rules. A rule that another file of the
site changes is that file's matter.
"""

from __future__ import annotations

import os
import tempfile
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import tomli_w

from conversation.rules import CueRule, RuleError, RuleSet, build_rules, packaged_rule_set
from server.rules_folder import RuleSource

FILE = "dashboard.toml"
EDITABLE = (
    "enabled",
    "priority",
    "confidence_floor",
    "hold_ms",
    "cooldown_ms",
    "ttl_ms",
    "max_per_call",
    "when",
    "clear_when",
)
Value = bool | int | float | str | None
Changes = dict[str, dict[str, Value]]
"""Rule, key and new value; None goes back to the packaged one."""


class Draft(msgspec.Struct, frozen=True):
    """Rules as they are, and as somebody would have them; both valid."""

    before: list[tuple[str, str]]
    after: list[tuple[str, str]]
    overlay: str
    text: str
    """What the dashboard's file would hold."""


def draft(source: RuleSource, changes: Mapping[str, Mapping[str, Value]]) -> Draft:
    """Put changes over the rules that are in force.

    Raises:
        RuleError: a rule or key cannot be changed here, or the result is no valid rule.
    """
    files, overlay = source.files()
    tables: dict[str, dict[str, Any]] = tomllib.loads(dict(files).get(FILE, ""))
    elsewhere = _elsewhere(files)
    packaged = {rule.id: rule for rule in packaged_rule_set().rules}
    for rule, keys in changes.items():
        if rule in elsewhere:
            raise RuleError(
                f"{elsewhere[rule]}: rule {rule!r} is kept in that file; change it there"
            )
        if rule not in packaged:
            raise RuleError(f"{FILE}: there is no rule {rule!r}")
        for key, value in keys.items():
            if key not in EDITABLE:
                raise RuleError(
                    f"{FILE}: rule {rule!r}, key {key!r} cannot be changed here; "
                    f"use one of {', '.join(EDITABLE)}"
                )
            table = tables.setdefault(rule, {})
            if value is None or value == getattr(packaged[rule], key):
                table.pop(key, None)
            else:
                table[key] = value
    text = tomli_w.dumps({rule: table for rule, table in tables.items() if table})
    others = [(name, content) for name, content in files if name != FILE]
    after = sorted([*others, (FILE, text)]) if text else others
    build_rules(after, overlay)
    return Draft(files, after, overlay, text)


def save(source: RuleSource, wanted: Draft) -> RuleSet:
    """Write the dashboard's file, whole or not at all; calls that start from now on use it.

    Raises:
        RuleError: it cannot be written.
    """
    folder = source.folder
    if folder is None:
        raise RuleError("this server keeps no rules; set [rules] folder in heartline.toml")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=folder, delete=False, encoding="utf-8") as file:
            file.write(wanted.text)
            file.flush()
            os.fsync(file.fileno())
        Path(file.name).replace(folder / FILE)
    except OSError as error:
        raise RuleError(f"{folder / FILE}: cannot be written: {error.strerror}") from error
    return source.load()


def described(source: RuleSource, disabled: frozenset[str]) -> list[dict[str, Any]]:
    """Return every rule with all keys, whether it is on, where it is kept, and what was changed."""
    rules = source.current()
    files, _ = source.files()
    elsewhere = _elsewhere(files)
    packaged = {rule.id: rule for rule in packaged_rule_set().rules}
    on = {rule.id for rule in rules.active(disabled)}
    return [
        {
            **msgspec.structs.asdict(rule),
            "enabled": rule.id in on,
            "file": elsewhere.get(rule.id),
            "packaged": _differences(rule, packaged.get(rule.id)),
        }
        for rule in rules.rules
    ]


def _differences(rule: CueRule, packaged: CueRule | None) -> dict[str, Value]:
    """Return the packaged value of each key that is another now."""
    if packaged is None:
        return {}
    return {
        key: getattr(packaged, key)
        for key in EDITABLE
        if getattr(packaged, key) != getattr(rule, key)
    }


def _elsewhere(files: list[tuple[str, str]]) -> dict[str, str]:
    """Return which rules the site's other files hold."""
    return {rule: name for name, text in files if name != FILE for rule in tomllib.loads(text)}
