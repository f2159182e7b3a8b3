"""A thread that hangs is noticed, said where, and in the end cured by a new process."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from server.watchdog import EXIT_CODE, Busy, Watchdog, Watched, notify, watching

pytestmark = pytest.mark.unit


class Thing:
    stuck = 0.0

    def stuck_s(self) -> float:
        return self.stuck


def test_a_stall_is_counted_once_and_said_once_a_minute() -> None:
    thing, dumps, now = Thing(), [], [0.0]
    dog = Watchdog(
        [Watched("loop", thing.stuck_s, 0.25)],
        give_up=lambda: pytest.fail("nothing hangs"),
        dump=lambda: dumps.append(now[0]),
        now_s=lambda: now[0],
    )
    assert dog.check()
    for now[0] in (1.0, 2.0, 70.0):
        thing.stuck = 0.3
        assert not dog.check()
        thing.stuck = 5.0
        assert not dog.check()
        thing.stuck = 0.0
        assert dog.check()
    assert dog.stalls["loop"] == 3
    assert dumps == [1.0, 70.0]


def test_what_hangs_is_given_up() -> None:
    thing, ends = Thing(), []
    dog = Watchdog(
        [Watched("analysis", thing.stuck_s, 2.0, 10.0)],
        give_up=lambda: ends.append(True),
        dump=lambda: None,
    )
    for thing.stuck in (1.9, 9.9):
        dog.check()
    assert ends == []
    thing.stuck = 10.0
    dog.check()
    assert ends == [True]


def test_a_process_that_was_stopped_does_not_hang() -> None:
    now, began, ends = [0.0], [0.0], []
    dog = Watchdog(
        [Watched("analysis", lambda: now[0] - began[0], 2.0, 10.0)],
        give_up=lambda: ends.append(now[0]),
        dump=lambda: None,
        now_s=lambda: now[0],
    )

    def live(until_s: float) -> None:
        while now[0] < until_s and not ends:
            now[0] += 0.25
            dog.check()

    live(4.0)
    now[0] = 100.0
    live(105.0)
    assert ends == [], "9 s of work, and 96 s in which nothing ran"
    live(110.0)
    assert ends == [106.25]
    ends.clear()
    now[0] = began[0] = 200.0
    dog.check()
    live(210.0)
    assert ends == [210.0], "what was lost before the work began is not counted for it"


def test_work_that_is_done_is_not_stuck() -> None:
    busy = Busy()
    assert busy.stuck_s() == 0.0
    with busy:
        time.sleep(0.02)
        assert busy.stuck_s() >= 0.02
    assert busy.stuck_s() == 0.0


def test_a_loop_that_sleeps_is_seen() -> None:
    async def stall() -> int:
        async with watching(Busy().stuck_s, lambda: None) as dog:
            await asyncio.sleep(0.2)
            time.sleep(0.6)  # noqa: ASYNC251 - this is the stall
            await asyncio.sleep(0.2)
            return dog.stalls["event loop"]

    assert asyncio.run(stall()) >= 1


HANG = """
import asyncio, sys, time
import server.watchdog as w
w.ANALYSIS_STALL_S, w.ANALYSIS_HANG_S = 0.1, 0.3
busy = w.Busy()
async def main():
    async with w.watching(busy.stuck_s, lambda: print("flushed", flush=True)):
        with busy:
            await asyncio.sleep(20)
asyncio.run(main())
"""


def test_a_process_whose_analysis_hangs_flushes_and_ends() -> None:
    done = subprocess.run([sys.executable, "-c", HANG], capture_output=True, text=True, timeout=60)
    assert done.returncode == EXIT_CODE
    assert done.stdout == "flushed\n"
    assert "asyncio" in done.stderr


def test_the_service_manager_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(path))
        monkeypatch.setitem(os.environ, "NOTIFY_SOCKET", str(path))
        notify("READY=1")
        assert listener.recv(64) == b"READY=1"
