"""Analyse 100 calls of 4 minutes: `python -m bench.batch` (QUICK=1: 6 calls).

MODE=timing runs without recognition alone, MODE=words with it alone; without MODE both run.

The calls are the sample call and, where HEARTLINE_DATA has them, real recordings, one after the
other on a ring, each call beginning 2.3 s later than the one before, so that no two are alike. One
more file is broken. A third of the way through the run is interrupted and started again. Speed is
seconds of audio (one call's length, not per channel) per second of wall time, and per second of
processor time, which other work on the machine does not change; memory is the resident size of
this process and all below it.
"""

from __future__ import annotations

import os
import resource
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import islice
from pathlib import Path

import numpy as np
import soundfile

from asr.settings import AsrSettings
from audio.sources import open_recording
from bench.results import Row, is_quick, write_results
from server.analyze import SAMPLE
from server.batch import Outcome, Task, analyze_many
from server.commands.analyze import find_calls
from server.hearing import HearingSettings

CALLS, QUICK_CALLS = 100, 6
MODES = {
    "timing": AsrSettings(enabled=False),
    "words": AsrSettings(partials_enabled=False),
}
CONDITIONS = {"timing": "timing_only", "words": "with_words"}
CALL_S = 240
_RATE_HZ = 8_000
_STEP_S = 2.3
_LOOK_S = 1.0
_REAL = ("calls/auto_repairs_40.flac", "calls/store_two_party_mulaw.wav")


def main() -> None:
    """Run the wanted conditions, print them and write `bench/out/batch.json`."""
    mode = os.environ.get("MODE")
    if mode is not None and mode not in MODES:
        raise SystemExit(f"MODE is {' or '.join(MODES)}, not '{mode}'.")
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        calls = Path(folder) / "calls"
        made = _make(calls, QUICK_CALLS if is_quick() else CALLS)
        for name in [mode] if mode else MODES:
            out = Path(folder) / name
            rows += _measure(CONDITIONS[name], calls, out, MODES[name], made)
    write_results("batch" if mode is None else f"batch-{mode}", rows)


def _make(folder: Path, count: int) -> int:
    folder.mkdir()
    parts = [_stereo(SAMPLE)]
    data = os.environ.get("HEARTLINE_DATA")
    if data:
        parts += [_stereo(path) for name in _REAL if (path := Path(data) / name).is_file()]
    ring = np.concatenate(parts)
    length = CALL_S * _RATE_HZ
    for number in range(count):
        begin = round(number * _STEP_S * _RATE_HZ)
        call = np.take(ring, np.arange(begin, begin + length), axis=0, mode="wrap")
        soundfile.write(folder / f"call{number:03d}.flac", call, _RATE_HZ)
    (folder / "broken.wav").write_bytes(b"RIFF")
    return count


def _stereo(path: Path) -> np.ndarray:
    recording = open_recording(path)
    assert recording.sample_rate_hz == _RATE_HZ  # noqa: S101 - all of them are telephone calls
    return np.stack([recording.samples(channel) for channel in recording.channels], axis=1)


def _measure(condition: str, calls: Path, out: Path, asr: AsrSettings, made: int) -> list[Row]:
    tasks = [
        Task(path=path, folder=out / name, call_id=name) for path, name in find_calls([calls], out)
    ]
    settings, processes = HearingSettings(asr=asr), os.cpu_count() or 1
    with _watched_memory() as sizes_mib:
        began_s, cpu_began_s = time.monotonic(), _children_cpu_s()
        first = list(_interrupted(tasks, settings, processes, after=len(tasks) // 3))
        outcomes = list(analyze_many(tasks, settings, processes=processes))
        took_s, cpu_s = time.monotonic() - began_s, _children_cpu_s() - cpu_began_s
    by_status = Counter(outcome.status for outcome in outcomes)
    figures = [
        ("times_real_time", made * CALL_S / took_s, "ratio", made),
        ("audio_s_per_cpu_s", made * CALL_S / cpu_s, "ratio", made),
        ("told_before_the_interruption", float(len(first)), "calls", made),
        ("not_done_again", float(by_status["skipped"]), "calls", made),
        ("analysed", float(by_status["done"] + by_status["skipped"]), "calls", made),
        ("reported_as_bad", float(by_status["failed"]), "calls", 1),
        ("peak_rss_mib", max(sizes_mib, default=None), "MiB", len(sizes_mib)),
        ("rss_growth_mib", _growth(sizes_mib), "MiB", len(sizes_mib)),
    ]
    return [Row("heartline", condition, *figure) for figure in figures]


def _interrupted(
    tasks: list[Task], settings: HearingSettings, processes: int, *, after: int
) -> Iterator[Outcome]:
    """Yield the first outcomes, then end the run with calls half done, as Ctrl+C does."""
    with closing(analyze_many(tasks, settings, processes=processes)) as run:
        yield from islice(run, after)


def _children_cpu_s() -> float:
    """Processor time of all processes of earlier runs, their recognisers included."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _growth(sizes_mib: list[float]) -> float | None:
    """Median of the last quarter minus that of the second; None in the first minute."""
    quarter = len(sizes_mib) // 4
    if quarter < 15:
        return None
    late, early = sizes_mib[-quarter:], sizes_mib[quarter : 2 * quarter]
    return float(np.median(late) - np.median(early))


@contextmanager
def _watched_memory() -> Iterator[list[float]]:
    """Look at the resident memory of all processes of this run, once a second."""
    sizes_mib: list[float] = []
    over = threading.Event()

    def watch() -> None:
        while not over.wait(_LOOK_S):
            size = _resident_mib(os.getpid())
            if size is not None:
                sizes_mib.append(size)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield sizes_mib
    finally:
        over.set()
        thread.join()


def _resident_mib(root: int) -> float | None:
    """Sum VmRSS of a process and its descendants; None where there is no /proc."""
    parents, sizes = {}, {}
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            fields = dict(
                line.split(":", 1) for line in status.read_text().splitlines() if ":" in line
            )
        except OSError:
            continue
        pid = int(status.parent.name)
        parents[pid] = int(fields["PPid"])
        sizes[pid] = int(fields.get("VmRSS", "0").split()[0]) / 1024
    if root not in sizes:
        return None
    family = {root}
    while more := {pid for pid, parent in parents.items() if parent in family} - family:
        family |= more
    return sum(sizes[pid] for pid in family)


if __name__ == "__main__":
    main()
