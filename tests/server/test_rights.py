"""Whoever has a socket open is asked about once a second, in one step for all."""

from __future__ import annotations

import asyncio
import threading
from typing import Any, cast

import pytest

from server.access import SignIn
from server.people.roles import Person, Role
from server.rights import Rights

pytestmark = pytest.mark.unit


class _Access:
    def __init__(self) -> None:
        self.clock_s = 100.0
        self.shut_out: set[str] = set()
        self.asked: list[str] = []
        self.threads: set[int] = set()

    def now_s(self) -> float:
        return self.clock_s

    def is_current(self, sign_in: SignIn) -> bool:
        self.asked.append(sign_in.person.id)
        self.threads.add(threading.get_ident())
        return sign_in.person.id not in self.shut_out


def owner(name: str) -> SignIn:
    return SignIn(Person(id=name, name=name, role=Role.AGENT), session=name)


def test_all_owners_are_asked_about_at_once_and_those_shut_out_are_told() -> None:
    access = _Access()

    async def look() -> None:
        rights = Rights(cast(Any, access))
        ann, bo = owner("ann"), owner("bo")
        with rights.watching(ann), rights.watching(bo), rights.watching(bo):
            assert await asyncio.gather(*(rights.hold(o) for o in (ann, bo, bo, ann))) == [True] * 4
            assert sorted(access.asked) == ["ann", "bo"]
            access.shut_out.add("bo")
            access.clock_s += 0.9
            assert await rights.hold(bo)
            access.clock_s += 0.2
            assert [await rights.hold(o) for o in (ann, bo)] == [True, False]
            assert sorted(access.asked) == ["ann", "ann", "bo", "bo"]
        with rights.watching(ann):
            access.clock_s += 1.5
            assert await rights.hold(ann)
        assert access.asked[4:] == ["ann"]

    asyncio.run(look())
    assert threading.get_ident() not in access.threads
