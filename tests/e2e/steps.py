"""What a person does in several browser tests."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page

from tests.e2e.stage import Stage

PASSWORD = "a long enough password"
WAS_SIGNED_IN = "localStorage.setItem('heartline-signed-in', 'yes')"
"""Run before a page's own script, it makes the page ask for a name and a password at once."""
FOCUSED = """(() => {
  let node = document.activeElement;
  while (node?.shadowRoot?.activeElement) node = node.shadowRoot.activeElement;
  if (!node || node === document.body) return "";
  const label = node.labels?.[0]?.textContent ?? node.getAttribute("aria-label");
  return (label ?? node.textContent).trim();
})()"""


def go(page: Page, stage: Stage, screen: str) -> None:
    """Open another screen in a page that has signed in."""
    page.goto(f"http://127.0.0.1:{stage.port}/#{screen}")


def sign_in(
    page: Page, stage: Stage, name: str, screen: str = "calls", password: str = PASSWORD
) -> None:
    """Sign in by name and password on the way to a screen."""
    go(page, stage, screen)
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


def tab_to(page: Page, name: str, key: str = "Tab") -> None:
    """Press Tab until something of that name has the focus."""
    for _ in range(80):
        page.keyboard.press(key)
        if page.evaluate(FOCUSED).startswith(name):
            return
    pytest.fail(f"{name} cannot be reached with {key}")
