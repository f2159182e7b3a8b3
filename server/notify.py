"""Tells the service manager that the server is up, alive and stopping (systemd's `sd_notify`)."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Mapping


def _send(address: str, message: str) -> None:
    if address.startswith("@"):
        address = "\0" + address[1:]
    with (
        contextlib.suppress(OSError),  # a manager that is gone needs to know nothing
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager,
    ):
        manager.connect(address)
        manager.sendall(message.encode())


async def notify(environment: Mapping[str, str] = os.environ) -> None:
    """Say READY, then WATCHDOG in half the time asked for, and STOPPING when cancelled.

    The watchdog is fed by the event loop: one that hangs is restarted.
    """
    address = environment.get("NOTIFY_SOCKET")
    if not address:
        return
    every_s = int(environment.get("WATCHDOG_USEC", "0")) / 2_000_000
    _send(address, "READY=1")
    try:
        while every_s > 0:
            await asyncio.sleep(every_s)
            _send(address, "WATCHDOG=1")
        await asyncio.Event().wait()
    finally:
        _send(address, "STOPPING=1")
