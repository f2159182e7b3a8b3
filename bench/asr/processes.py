"""A server under test: its processes, their processor time and memory."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

_PROC = Path("/proc")
_TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100
_PAGE_MIB = (os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096) / 2**20
_SAMPLE_S = 1.0


class Tree:
    """A process and its descendants; figures are None where there is no /proc."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.peak_mib: float | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="memory")
        self._thread.start()

    def cpu_s(self) -> float | None:
        """Return user and system time so far, of ended children too."""
        if not _PROC.is_dir():
            return None
        ticks = 0
        for pid in self._pids():
            fields = _stat(pid)
            if fields:
                ticks += sum(int(field) for field in fields[11:15])
        return ticks / _TICKS

    def end(self) -> None:
        """End the process, its children, and the watch."""
        self._stop.set()
        self._thread.join()
        pids = self._pids()
        self.process.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(8)
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()

    def _watch(self) -> None:
        while not self._stop.wait(_SAMPLE_S):
            if _PROC.is_dir():
                used = sum(_resident_mib(pid) for pid in self._pids())
                self.peak_mib = max(self.peak_mib or 0.0, used)

    def _pids(self) -> list[int]:
        parents: dict[int, list[int]] = {}
        for entry in _PROC.glob("[0-9]*"):
            fields = _stat(int(entry.name))
            if fields:
                parents.setdefault(int(fields[1]), []).append(int(entry.name))
        found, queue = [], [self.process.pid]
        while queue:
            pid = queue.pop()
            found.append(pid)
            queue += parents.get(pid, [])
        return found


@contextlib.contextmanager
def started(
    command: Sequence[str], log: Path, environment: Mapping[str, str] | None = None
) -> Iterator[Tree]:
    """Run a server, what it says going to `log`, until the block ends."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w", encoding="utf-8") as file:
        process = subprocess.Popen(
            command,
            stdout=file,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, **(environment or {})},
        )
        tree = Tree(process)
        try:
            yield tree
        finally:
            tree.end()


def free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for_port(port: int, tree: Tree, timeout_s: float = 90.0) -> None:
    """Wait until something listens.

    Raises:
        TimeoutError: nothing does in time, or the process has ended.
    """
    until_s = time.monotonic() + timeout_s
    while time.monotonic() < until_s:
        if tree.process.poll() is not None:
            raise TimeoutError(f"it ended with code {tree.process.returncode} before it listened")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.5):
            return
        time.sleep(0.2)
    raise TimeoutError(f"nothing listened within {timeout_s:.0f} s")


def _stat(pid: int) -> list[str]:
    """Return the fields of /proc/PID/stat after the name."""
    try:
        text = (_PROC / str(pid) / "stat").read_text("utf-8", "replace")
    except OSError:
        return []
    return text.rpartition(")")[2].split()


def _resident_mib(pid: int) -> float:
    try:
        return int((_PROC / str(pid) / "statm").read_text("ascii").split()[1]) * _PAGE_MIB
    except (OSError, IndexError):
        return 0.0
