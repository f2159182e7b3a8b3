"""Is one machine enough for a team? `python -m bench.capacity`, or `make bench-capacity`.

Without recognition, against a real server process over real sockets:

* 50 calls at real time for three minutes, an agent's dashboard on each and ten supervisors' walls:
  how late cues and other events come, counted from the moment that the last sample of their
  evidence was spoken (so it includes the 100 ms blocks that the source sends), and what processor
  and memory that takes; a call that is refused while they all begin comes back;
* one call of ten hours, as fast as the server takes it (`speed`), in blocks of a second, with
  pitch rationed as it is among many calls: how its memory grows an hour, by a straight line
  through its second half.

`QUICK=1`: 50 calls for 45 s, and two minutes of the long call. `CALLS` (0 leaves the first part
out), `HOURS` (most of the long call) and `MINUTES` (most time for it) set other numbers. Whole:
a quarter of an hour where the long call runs at fifty times real time; quick: four minutes.
"""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from bench.capacity.process import CpuMeter, resident_mib
from bench.kill.drill import Server, Source, Viewer, recording
from bench.results import Row, is_quick, write_results

_CALLS = int(os.environ.get("CALLS", "50"))
_SECONDS = 45 if is_quick() else 180
_WARM_UP_S = 10
_WALLS = 10
_HOURS = float(os.environ.get("HOURS", "10"))
_MINUTES = float(os.environ.get("MINUTES", "2" if is_quick() else "25"))
_FAST = 10_000.0
_LONG_BLOCK_MS = 1_000
"""Bigger blocks change no result, and cost the server less."""
_SAMPLES_PER_HOUR = 12
_LEAST_SAMPLES = 4
"""Fewer give no line."""
_AT_MOST = {
    "cue_latency_p95_ms": 300.0,
    "cue_latency_p99_ms": 500.0,
    "memory_growth_mib_per_h": 1.0,
}
"""What is promised (G4 and G7)."""
_ALONE_AS_MANY = {"HEARTLINE_INGEST__REPLAY": "true", "HEARTLINE_PROSODY__MANY_CALLS": "0"}
_CUES = frozenset({"cue_raised", "cue_cleared", "alert_raised"})
_OUT = Console(stderr=True)


class Timed(Viewer):
    """A dashboard that notes how late each event comes, and its call's clock."""

    def __init__(self, server: Server, source: Source) -> None:
        super().__init__(server, source.call_id)
        self.source = source
        self.delays_ms: list[tuple[str, float]] = []

    def take(self, seq: int, event: Any) -> None:
        """Note an event; nothing is kept of it."""
        self.seq = seq
        passed_ms = (time.monotonic() - self.source.began_s) * 1_000
        self.delays_ms.append((event["type"], passed_ms - event["at_ms"]))


def main() -> None:
    """Measure both and write the results."""
    rows = asyncio.run(_many_calls()) if _CALLS else []
    write_results("capacity", rows + asyncio.run(_long_call()))


async def _many_calls() -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder), None, {})
        await server.start()
        pid = server.pid
        idle_mib = resident_mib(pid)
        pcm = await asyncio.to_thread(recording, 150)
        random = np.random.default_rng(5)
        sources = [
            Source(server, f"call-{n}", _shifted(pcm, int(random.integers(1_400))), 1.0)
            for n in range(_CALLS)
        ]
        viewers = [Timed(server, source) for source in sources]
        wall_messages: list[int] = []
        async with asyncio.TaskGroup() as group:
            for source in sources:
                group.create_task(source.run())
                await asyncio.sleep(float(random.uniform(0, 0.2)))
            for viewer in viewers:
                await viewer.source.started.wait()
                group.create_task(viewer.run())
            refused = sum(len(source.refused) for source in sources)
            walls = [group.create_task(_wall(server, wall_messages)) for _ in range(_WALLS)]
            await asyncio.sleep(_WARM_UP_S)
            for viewer in viewers:
                viewer.delays_ms.clear()
            meter, own = CpuMeter(pid), CpuMeter(os.getpid())
            for second in range(0, _SECONDS, 15):
                await asyncio.sleep(15)
                _OUT.print(f"{second + 15} of {_SECONDS} s")
            busy, sending, full_mib = meter.percent(), own.percent(), resident_mib(pid)
            delays = [delay for viewer in viewers for delay in viewer.delays_ms]
            for source in sources:
                source.stop()
            for wall in walls:
                wall.cancel()
        await server.stop()
    condition = f"{_CALLS} calls at real time, {_CALLS} dashboards, {_WALLS} walls, no words"
    cues = [ms for kind, ms in delays if kind in _CUES]
    others = [ms for kind, ms in delays if kind not in _CUES]
    figures: list[tuple[str, float | None, str, int]] = []
    for name, values in (("cue", cues), ("event", others)):
        for percent in (50, 95, 99):
            value = float(np.percentile(values, percent)) if values else None
            figures.append((f"{name}_latency_p{percent}_ms", value, "ms", len(values)))
    figures += [
        ("refused_at_first", float(refused), "calls", _CALLS),
        ("cpu_percent", busy, "% of a core", 1),
        ("cpu_ms_per_call_second", busy * 10 / _CALLS, "ms", _CALLS),
        ("clients_cpu_percent", sending, "% of a core", 1),
        ("memory_mib", full_mib, "MiB", 1),
        ("memory_per_call_mib", (full_mib - idle_mib) / _CALLS, "MiB", _CALLS),
        ("wall_messages_per_s", len(wall_messages) / (_SECONDS + _WARM_UP_S), "1/s", _WALLS),
    ]
    return _rows(condition, figures)


def _rows(condition: str, figures: Sequence[tuple[str, float | None, str, int]]) -> list[Row]:
    return [
        Row("heartline", condition, metric, value, unit, n, at_most=_AT_MOST.get(metric))
        for metric, value, unit, n in figures
    ]


def _shifted(pcm: bytes, blocks: int) -> bytes:
    at = blocks * 3_200 % len(pcm)
    return pcm[at:] + pcm[:at]


async def _wall(server: Server, messages: list[int]) -> None:
    url = f"ws://127.0.0.1:{server.port}/v1/live"
    ticket = await asyncio.to_thread(server.ticket)
    try:
        async with connect(url, compression=None, max_size=None) as socket:
            await socket.send(json.dumps({"type": "ticket", "ticket": ticket}))
            async for text in socket:
                messages.append(len(text))
    except ConnectionClosed:
        return


async def _long_call() -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder), None, _ALONE_AS_MANY)
        await server.start()
        pcm = await asyncio.to_thread(recording, 142)
        source = Source(server, "long", pcm, _FAST, _LONG_BLOCK_MS)
        viewer = Timed(server, source)
        began_s, points = time.monotonic(), []
        async with asyncio.TaskGroup() as group:
            running = group.create_task(source.run())
            await source.started.wait()
            group.create_task(viewer.run())
            for step in range(1, round(_HOURS * _SAMPLES_PER_HOUR) + 1):
                if step > _LEAST_SAMPLES and time.monotonic() - began_s > 60 * _MINUTES:
                    break
                while source.acked_ms < step * 3_600_000 // _SAMPLES_PER_HOUR:
                    if running.done():
                        raise RuntimeError("The call ended before its time.")
                    await asyncio.sleep(0.2)
                points.append((step / _SAMPLES_PER_HOUR, resident_mib(server.pid)))
                viewer.delays_ms.clear()
                hours, mib = points[-1]
                _OUT.print(f"{hours:.2f} h, {time.monotonic() - began_s:.0f} s: {mib:.1f} MiB")
            hours = points[-1][0]
            speed = hours * 3_600 / (time.monotonic() - began_s)
            ending_s = time.monotonic()
            source.stop()
        ended_s = time.monotonic() - ending_s
        await server.stop()
    later = points[len(points) // 2 :]
    slope = float(np.polyfit([h for h, _ in later], [m for _, m in later], 1)[0])
    condition = f"one call of {hours:.1f} h at {speed:.0f} times real time, no words, a dashboard"
    figures = [
        ("memory_growth_mib_per_h", slope, "MiB/h", len(later)),
        ("memory_first_mib", points[0][1], "MiB", 1),
        ("memory_last_mib", points[-1][1], "MiB", 1),
        ("speed", speed, "x real time", 1),
        ("report_after_stop_s", ended_s, "s", 1),
    ]
    return _rows(condition, figures)


if __name__ == "__main__":
    main()
