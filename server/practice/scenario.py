"""Scenarios: what a customer says, what it calls for, and where the talk goes from there.

A file is refused with the line at fault: every stage that is named exists and can be reached,
every act and behaviour is one that Heartline knows, and the talk can end.
"""

from __future__ import annotations

import re
import tomllib
from importlib import resources
from pathlib import Path
from typing import Any

import msgspec

AGENT_ACTS = frozenset(
    "greeting acknowledge_feeling apology paraphrase open_question probing_question ownership "
    "next_steps specific_time promise reassurance hold_notice appreciation positive_close "
    "anything_else".split()
)
"""Acts that a stage may want (`coaching.md` section 2.1); those to avoid are not among them."""
BEHAVIOURS = frozenset(
    "let_finish listening_signals acknowledge specific paraphrase probe ownership plan realistic "
    "steady_delivery wording responsive personal close promises".split()
)
"""Lines of the scorecard (`coaching.md` section 6)."""
MAX_WORDS = 60
"""Longest line of a customer; a longer one is a lecture, not a turn."""


class ScenarioError(Exception):
    """A scenario cannot be played."""

    code = "bad_scenario"


class Feeling(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the customer feels at a stage."""

    stage: str
    words: tuple[str, ...]
    """Each names one feeling; words that say the same stand in one, separated by `|`."""


class Stage(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One turn of the customer."""

    says: str
    audio: str | None = None
    """File with these words spoken; `<id>/<stage>.ogg` beside the scenario where there is one."""
    wants: tuple[str, ...] = ()
    """Acts of the agent, one of which is called for."""
    then: str | None = None
    """Stage that follows when one of them is heard."""
    otherwise: str | None = None
    """Stage that follows when none is."""
    model_reply: str | None = None
    """A good answer, which the program gives when the trainee plays the customer."""


class Scenario(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One case to practise."""

    id: str
    language: str
    title: str
    situation: str
    facts: tuple[str, ...]
    goals: tuple[str, ...]
    openings: tuple[str, ...]
    end_when: tuple[str, ...]
    feelings: tuple[Feeling, ...]
    stages: dict[str, Stage]
    voice: str | None = None
    """Voice that the lines were spoken with."""


def shipped() -> dict[str, Path]:
    """Return the shipped scenarios by id."""
    folder = Path(str(resources.files("server.practice"))) / "scenarios"
    return {path.stem: path for path in sorted(folder.glob("*.toml"))}


def load_scenario(name: str) -> tuple[Scenario, Path]:
    """Load a shipped scenario by id, or one's own by path; return it with its folder.

    Raises:
        ScenarioError: it is unknown, or has an error, with the line.
    """
    known = shipped()
    path = known.get(name, Path(name))
    if name not in known and not path.is_file():
        raise ScenarioError(
            f"There is no scenario '{name}'; give a file, or one of {', '.join(known)}."
        )
    return parse_scenario(path.read_text("utf-8"), path), path.parent


def parse_scenario(text: str, path: Path) -> Scenario:
    """Read a scenario and check it.

    Raises:
        ScenarioError: the file has an error, with the line.
    """
    source = _Source(text, path.name)
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ScenarioError(f"{path.name} is not TOML: {error}.") from error
    stages = table.get("stages", {})
    if not isinstance(stages, dict):
        raise source.error("'stages' must be tables, [stages.NAME]", "stages")
    table["stages"] = {
        name: _converted(stage, Stage, source, "stages", name) for name, stage in stages.items()
    }
    scenario: Scenario = _converted(table, Scenario, source)
    _check(scenario, source, path)
    return scenario


class _Source:
    """The text of a file, to name the line of what is wrong."""

    def __init__(self, text: str, name: str) -> None:
        self._lines = text.splitlines()
        self._name = name

    def error(self, what: str, *keys: str) -> ScenarioError:
        """Return an error that names the line of a key, such as `stages`, `opening`, `then`."""
        return ScenarioError(f"{self._name}, line {self._line(*keys)}: {what}.")

    def _line(self, *keys: str) -> int:
        at = 0
        if keys[:1] == ("stages",) and len(keys) > 1:
            header = re.compile(rf"\s*\[\s*stages\s*\.\s*[\"']?{re.escape(keys[1])}[\"']?\s*\]")
            at = next((i for i, line in enumerate(self._lines) if header.match(line)), 0)
            keys = keys[2:]
        for key in keys[-1:]:
            field = re.compile(
                rf"\s*[\"']?{re.escape(key)}[\"']?\s*=|\s*\[\[?\s*{re.escape(key)}\b"
            )
            found = (i for i in range(at, len(self._lines)) if field.match(self._lines[i]))
            at = next(found, at)
        return at + 1


def _converted(value: Any, kind: Any, source: _Source, *keys: str) -> Any:
    try:
        return msgspec.convert(value, type=kind)
    except msgspec.ValidationError as error:
        what, _, place = str(error).partition(" - at ")
        unknown = re.search(r"unknown field `(.+?)`", what)
        field = re.match(r"`?\$\.(\w+)", place)
        last = unknown[1] if unknown else field[1] if field else None
        raise source.error(what, *keys, *([last] if last else [])) from error


def _check(scenario: Scenario, source: _Source, path: Path) -> None:
    stages = scenario.stages
    if scenario.id != path.stem:
        raise source.error(f"the id must be the file's name, {path.stem!r}", "id")
    for goal in scenario.goals:
        if goal not in BEHAVIOURS:
            raise source.error(f"{goal!r} is no behaviour of the scorecard", "goals")
    for key, names in (("openings", scenario.openings), ("end_when", scenario.end_when)):
        if not names:
            raise source.error(f"'{key}' names no stage", key)
        if unknown := [name for name in names if name not in stages]:
            raise source.error(f"there is no stage {unknown[0]!r}", key)
    for feeling in scenario.feelings:
        if feeling.stage not in stages:
            raise source.error(f"there is no stage {feeling.stage!r}", "feelings")
    for name, stage in stages.items():
        _check_stage(scenario, name, stage, source, path)
    reached = _reached(scenario)
    if lost := [name for name in stages if name not in reached]:
        raise source.error(f"no stage leads to {lost[0]!r}", "stages", lost[0])
    if not reached & set(scenario.end_when):
        raise source.error("no stage of 'end_when' can be reached", "end_when")


def _check_stage(scenario: Scenario, name: str, stage: Stage, source: _Source, path: Path) -> None:
    words = len(stage.says.split())
    if not 1 <= words <= MAX_WORDS:
        raise source.error(f"{words} words; a line has 1 to {MAX_WORDS}", "stages", name, "says")
    for act in stage.wants:
        if act not in AGENT_ACTS:
            raise source.error(f"{act!r} is no act to want", "stages", name, "wants")
    if stage.audio is not None and not (path.parent / stage.audio).is_file():
        raise source.error(f"there is no file {stage.audio}", "stages", name, "audio")
    if name in scenario.end_when:
        if stage.wants or stage.then or stage.otherwise:
            raise source.error("the talk ends here, so nothing is wanted", "stages", name)
        return
    for key, following in (("then", stage.then), ("otherwise", stage.otherwise)):
        if following is None:
            raise source.error(f"'{key}' is missing, and the talk does not end", "stages", name)
        if following not in scenario.stages:
            raise source.error(f"there is no stage {following!r}", "stages", name, key)
    if not stage.wants:
        raise source.error("'wants' is missing, and the talk does not end", "stages", name)


def _reached(scenario: Scenario) -> set[str]:
    reached: set[str] = set()
    waiting = list(scenario.openings)
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            stage = scenario.stages[name]
            waiting += [n for n in (stage.then, stage.otherwise) if n is not None]
    return reached
