"""Rounds of the analysis thread: heard together, failing alone."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from functools import partial
from threading import Barrier, Event
from typing import Any, cast

import pytest

from server.analysis import MANY_CALLS, Analysis, Turn, Wakeups

pytestmark = pytest.mark.unit


def test_what_waits_is_accepted_scored_once_and_worked_on() -> None:
    done: list[str] = []
    scored: list[int] = []
    analysis = Analysis(lambda streams: scored.append(len(list(streams))), lambda: 1)
    free = Event()

    def turn(name: str, *, fails: bool = False) -> Turn:
        def accept() -> list[object]:
            done.append(f"accept {name}")
            if fails:
                raise ValueError(name)
            return [object(), object()]

        return Turn(
            name,
            lambda: done.append(f"work {name}"),
            lambda error: done.append(f"fail {error}"),
            accept,  # type: ignore[arg-type]
        )

    def hold() -> None:
        assert free.wait(5)

    analysis.put(Turn("held", hold, lambda error: None, None))
    for name in ("a", "b", "c"):
        analysis.put(turn(name, fails=name == "b"))
    free.set()
    analysis.close()
    assert [entry for entry in done if "b" in entry] == ["accept b", "fail b"]
    assert sorted(entry for entry in done if "work" in entry) == ["work a", "work c"]
    assert sum(scored) == 4


def test_half_of_many_calls_is_scored_while_the_other_half_is_worked_on() -> None:
    done: list[str] = []
    held, free, meet = Event(), Event(), Barrier(2)

    def score(streams: Iterable[str]) -> None:
        names = sorted(streams)
        if names == ["b", "d"]:
            meet.wait(5)
        done.append(f"score {names}")

    worked = partial(done.append, "worked")
    analysis = Analysis(cast(Any, score), lambda: MANY_CALLS, worked, lanes=2)

    def turn(name: str) -> Turn:
        def work() -> None:
            if name == "a":
                meet.wait(5)
            done.append(f"work {name}")

        accept = cast(Any, lambda: [name])
        return Turn(name, work, lambda error: done.append(repr(error)), accept)

    def hold() -> None:
        held.set()
        assert free.wait(5)

    analysis.put(Turn("held", hold, lambda error: None, None))
    assert held.wait(5)
    for name in "abcd":
        analysis.put(turn(name))
    free.set()
    analysis.close()
    assert not meet.broken
    assert done.index("score ['a', 'c']") < done.index("work a") < done.index("work c")
    assert done.index("score ['b', 'd']") < done.index("work b") < done.index("work d")
    begun = done.index("score ['a', 'c']")
    between = [entry for entry in done[begun:] if not entry.startswith("score")]
    assert between == ["work a", "work c", "worked", "work b", "work d", "worked"]


def test_calls_are_worked_on_side_by_side_and_each_in_order() -> None:
    done: list[str] = []
    analysis = Analysis(lambda streams: None, lambda: 2, lanes=2)
    free, meet = Event(), Barrier(2)

    def turn(call_id: str, name: str, *, meets: bool = False) -> Turn:
        def work() -> None:
            if meets:
                meet.wait(5)
            done.append(name)

        return Turn(call_id, work, lambda error: done.append(repr(error)), None)

    def hold() -> None:
        assert free.wait(5)

    analysis.put(Turn("held", hold, lambda error: None, None))
    for n in range(5):
        analysis.put(turn("a", f"a{n}", meets=n == 0))
        analysis.put(turn("b", f"b{n}", meets=n == 0))
    free.set()
    analysis.close()
    for call_id in "ab":
        assert [name for name in done if name[0] == call_id] == [f"{call_id}{n}" for n in range(5)]
    assert analysis.stuck_s() == 0.0


def test_results_of_other_threads_come_to_the_loop_in_order() -> None:
    async def run() -> list[int]:
        wakeups, seen = Wakeups(asyncio.get_running_loop()), list[int]()

        def post() -> None:
            for n in range(100):
                wakeups.post(partial(seen.append, n))

        await asyncio.to_thread(post)
        await asyncio.sleep(0.01)
        return seen

    assert asyncio.run(run()) == list(range(100))
