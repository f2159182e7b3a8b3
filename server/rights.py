"""Whether the owners of open sockets may still look: asked once a second, for all at once."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from server.access import Access, SignIn

CHECK_EVERY_S = 1.0
"""How often it is asked; a step in another thread for each socket would cost as much as events."""


class Rights:
    """The owners of all open event sockets; used on one event loop."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._open: Counter[SignIn] = Counter()
        self._asked_s = 0.0
        self._lost: asyncio.Future[frozenset[SignIn]] | None = None
        """Those who could no longer look when it was last asked, or once that is known."""

    @contextmanager
    def watching(self, owner: SignIn) -> Iterator[None]:
        """Ask about somebody, too, while the block runs; they were let in just now."""
        self._open[owner] += 1
        try:
            yield
        finally:
            self._open[owner] -= 1
            if not self._open[owner]:
                del self._open[owner]

    async def hold(self, owner: SignIn) -> bool:
        """Whether somebody who is watched may still look, as of a second ago at most."""
        now_s = self._access.now_s()
        if self._lost is None or (self._lost.done() and now_s - self._asked_s >= CHECK_EVERY_S):
            self._asked_s = now_s
            self._lost = asyncio.ensure_future(asyncio.to_thread(self._ask, tuple(self._open)))
        return owner not in await asyncio.shield(self._lost)

    def _ask(self, owners: Sequence[SignIn]) -> frozenset[SignIn]:
        return frozenset(owner for owner in owners if not self._access.is_current(owner))
