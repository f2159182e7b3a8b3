"""Every setting is documented with the default that the program has."""

from __future__ import annotations

import tomllib
from pathlib import Path

import msgspec
import pytest

from server import settings_page
from server.settings import Settings
from server.settings_page import settings_of

pytestmark = pytest.mark.unit
DOCS = Path(__file__).parents[2] / "docs"


def test_the_page_is_not_stale(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert settings_page.main(["--check"]) == 0, "run `python -m server.settings_page`"
    copy = tmp_path / "settings.md"
    assert settings_page.main([], copy) == 0
    copy.write_text("old", "utf-8")
    assert settings_page.main(["--check"], copy) == 1
    assert "stale" in capsys.readouterr().err


def test_every_setting_says_what_it_is() -> None:
    settings = list(settings_of(Settings()))
    assert len(settings) > 150
    assert [setting.key for setting in settings if not setting.about.endswith((".", ")"))] == []
    assert len({setting.key for setting in settings}) == len(settings)


def test_the_page_names_every_setting_of_the_program() -> None:
    page = (DOCS / "settings.md").read_text("utf-8")
    for setting in settings_of(Settings()):
        section, _, name = setting.key.rpartition(".")
        part = page.partition(f"## [{section}]" if section else "## Tables")[2].partition("\n## ")[
            0
        ]
        assert f"| `{name}` | " in part, setting.key


def test_the_sections_that_most_people_need_are_shown_whole() -> None:
    page = (DOCS / "configuration.md").read_text("utf-8")
    shown = tomllib.loads(page.partition("```toml\n")[2].partition("```")[0])
    for section in ("retention", "ingest", "webhooks", "log", "oidc", "contact_lens"):
        default = getattr(Settings(), section)
        assert msgspec.convert(shown[section], type(default)) == default
        values = {name: getattr(default, name) for name in default.__struct_fields__}
        assert set(shown[section]) == {name for name, value in values.items() if value is not None}
