"""A real Chromium for the browser tests."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

OUT = Path(__file__).parent / "out"
AXE = Path(__file__).parents[2] / "dashboard" / "node_modules" / "axe-core" / "axe.min.js"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
NEEDS_CHROMIUM = pytest.mark.skipif(
    CHROMIUM is None, reason="no Chromium on the PATH; .ci/run installs it"
)
_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
_AXE_TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@contextmanager
def open_browser(*flags: str) -> Iterator[Browser]:
    """Start Chromium."""
    OUT.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*_FLAGS, *flags])
        yield browser
        browser.close()


def new_page(browser: Browser, **options: Any) -> tuple[Page, list[str]]:
    """Open a page in a context of its own, and the list of what it complains about."""
    size = {"width": 1000, "height": 760}
    page = browser.new_context(**{"viewport": size, **options}).new_page()
    errors: list[str] = []
    page.on("console", lambda m: errors.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("response", lambda r: errors.append(r.url) if r.status >= 400 else None)
    return page, errors


@contextmanager
def open_page(**options: Any) -> Iterator[tuple[Page, list[str]]]:
    """Give a page and the list of everything that its console or network complains about."""
    with open_browser() as browser:
        yield new_page(browser, **options)


def axe_violations(page: Page, *ignored: str) -> list[str]:
    """Return what axe-core finds wrong with the page, shadow trees included."""
    page.evaluate(AXE.read_text("utf-8"))
    result = page.evaluate("tags => axe.run(document, {runOnly: tags})", _AXE_TAGS)
    return [
        f"{violation['id']}: {json.dumps(node['target'])} {node.get('failureSummary', '')}"
        for violation in result["violations"]
        if violation["id"] not in ignored
        for node in violation["nodes"]
    ]
