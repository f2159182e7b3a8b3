"""How much of the memory that a service may use is in use, by Linux control groups (version 2)."""

from __future__ import annotations

from pathlib import Path

_ROOT = Path("/sys/fs/cgroup")


def memory_share(root: Path = _ROOT, own: Path = Path("/proc/self/cgroup")) -> float:
    """Return the share in use of the tightest limit on this process; 0 where there is none.

    Files that the kernel may drop from its cache do not count.
    """
    try:
        lines = own.read_text("ascii").splitlines()
    except OSError:
        return 0.0
    group = next((line[4:] for line in lines if line.startswith("0::/")), None)
    if group is None:
        return 0.0
    folder = root / group
    return max(_share(at) for at in (folder, *folder.parents) if at == root or root in at.parents)


def _share(folder: Path) -> float:
    try:
        limit = (folder / "memory.max").read_text("ascii").strip()
        if limit == "max":
            return 0.0
        used = int((folder / "memory.current").read_text("ascii"))
        facts = (folder / "memory.stat").read_text("ascii").split()
    except OSError:
        return 0.0
    cached = int(facts[facts.index("inactive_file") + 1]) if "inactive_file" in facts else 0
    return max(0, used - cached) / int(limit)
