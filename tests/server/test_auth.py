"""One token, one browser; names that are this machine."""

from __future__ import annotations

import pytest

from server.auth import SingleUser, is_loopback_host

pytestmark = pytest.mark.unit


class Clock:
    """Seconds that a test moves."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_the_token_opens_one_session_and_no_second() -> None:
    user = SingleUser()
    session = user.exchange(user.token)
    assert session is not None
    assert user.is_signed_in(session)
    assert user.exchange(user.token) is None


def test_a_wrong_token_opens_nothing_and_uses_nothing_up() -> None:
    user = SingleUser()
    assert user.exchange("guess") is None
    assert user.exchange(user.token) is not None


def test_the_token_dies_after_ten_minutes() -> None:
    clock = Clock()
    user = SingleUser(clock)
    clock.now_s += 601
    assert user.exchange(user.token) is None


@pytest.mark.parametrize("session", [None, "", "guess"])
def test_nobody_else_is_signed_in(session: str | None) -> None:
    assert not SingleUser().is_signed_in(session)


@pytest.mark.parametrize(
    ("host", "ours"),
    [
        ("127.0.0.1:8787", True),
        ("localhost", True),
        ("[::1]:80", True),
        ("", False),
        ("evil.example:8787", False),
        ("127.0.0.1.evil.example", False),
        ("localhost:8787.evil.example", False),
    ],
)
def test_only_loopback_names_are_this_machine(host: str, ours: bool) -> None:
    assert is_loopback_host(host) is ours
