"""The dashboard's generated event types match the Python structs."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from conversation import events
from server import typescript

pytestmark = pytest.mark.unit


def test_the_committed_types_are_not_stale() -> None:
    assert typescript.main(["--check"]) == 0, "run `python -m server.typescript`"


def test_every_event_has_an_interface_with_its_wire_tag() -> None:
    text = typescript.render()
    for cls in (*get_args(events.Observation), *get_args(events.Derived)):
        tag = cls.__struct_config__.tag
        assert f'export interface {cls.__name__} {{\n  readonly type: "{tag}";' in text


def test_a_field_that_can_be_unknown_is_nullable() -> None:
    assert "readonly talk_share_agent: number | null;" in typescript.render()


def test_writing_then_checking_agrees_and_a_change_is_noticed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "types" / "events.gen.ts"
    assert typescript.main([], target) == 0
    assert typescript.main(["--check"], target) == 0
    target.write_text("// old", encoding="utf-8")
    assert typescript.main(["--check"], target) == 1
    assert "stale" in capsys.readouterr().err
