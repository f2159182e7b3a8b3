"""What another process uses, as the kernel counts it."""

from __future__ import annotations

import os
import time
from pathlib import Path

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def cpu_s(pid: int) -> float:
    """Return the processor time that a process has used, all its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


def resident_mib(pid: int) -> float:
    """Return the memory that a process holds."""
    for line in Path(f"/proc/{pid}/status").read_text("ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise OSError(f"Process {pid} has no memory; has it ended?")


class CpuMeter:
    """Share of one core that a process uses from here on."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._began_s = time.monotonic()
        self._used_s = cpu_s(pid)

    def percent(self) -> float:
        """Return it in percent; 200 is all of two cores."""
        return 100 * (cpu_s(self._pid) - self._used_s) / (time.monotonic() - self._began_s)
