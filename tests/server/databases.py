"""A SQLite file and a real PostgreSQL, so that the store is tested on both."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_FOLDERS = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)


def postgres_programs() -> Path | None:
    """Return the folder of PostgreSQL's programs, where there is one."""
    for folder in _FOLDERS:
        if (folder / "initdb").is_file():
            return folder
    found = shutil.which("initdb")
    return Path(found).parent if found else None


@contextmanager
def running_postgres(programs: Path) -> Iterator[str]:
    """Start a fresh cluster on a socket of its own and give its URL without a database name."""
    # PostgreSQL refuses to run as root; its package makes a user for it.
    owner = pwd.getpwnam("postgres" if os.getuid() == 0 else pwd.getpwuid(os.getuid()).pw_name)
    with tempfile.TemporaryDirectory(prefix="heartline-pg-") as name:
        folder = Path(name)
        os.chown(folder, owner.pw_uid, owner.pw_gid)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]

        def run(program: str, *arguments: str) -> None:
            subprocess.run(
                [programs / program, *arguments],
                user=owner.pw_uid if os.getuid() == 0 else None,
                group=owner.pw_gid if os.getuid() == 0 else None,
                check=True,
                capture_output=True,
                cwd=folder,
            )

        data = str(folder / "data")
        run("initdb", "-D", data, "-U", "heartline", "-A", "trust", "--no-sync")
        options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder}"
        log = str(folder / "log")
        run("pg_ctl", "-D", data, "-w", "-l", log, "-o", options, "start")
        try:
            yield f"postgresql+psycopg://heartline@127.0.0.1:{port}"
        finally:
            run("pg_ctl", "-D", data, "-w", "-m", "immediate", "stop")
