"""What every browser test starts from: a browser, a server of golden calls, and a page."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.e2e.browser import new_page, open_browser
from tests.e2e.stage import Stage, staged_server


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with open_browser() as opened:
        yield opened


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with staged_server(tmp_path / "heartline.db") as running:
        yield running


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page that has complained about nothing by the end of the test."""
    opened, complaints = new_page(browser, viewport={"width": 1280, "height": 860})
    yield opened
    opened.context.close()
    assert complaints == []
