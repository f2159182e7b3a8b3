"""How often signing in may be tried (`reliability.md` section 2)."""

from __future__ import annotations

from collections import deque

ACCOUNT_PER_MINUTE = 5
ADDRESS_PER_MINUTE = 20
_WINDOW_S = 60.0
_MOST_NAMES = 10_000
"""Names and addresses remembered; when full, the oldest attempt is forgotten first."""


class AttemptLimiter:
    """Counts failed attempts by account and by address; seconds come from the caller."""

    def __init__(self) -> None:
        self._failures: dict[str, deque[float]] = {}

    def wait_s(self, account: str, address: str, now_s: float) -> float:
        """Return how long to wait before the next attempt; 0 when it may be made now."""
        return max(
            self._wait_s(f"account {account}", ACCOUNT_PER_MINUTE, now_s),
            self._wait_s(f"address {address}", ADDRESS_PER_MINUTE, now_s),
        )

    def failed(self, account: str, address: str, now_s: float) -> None:
        """Count a failed attempt."""
        for name in (f"account {account}", f"address {address}"):
            failures = self._failures.pop(name, deque(maxlen=ADDRESS_PER_MINUTE))
            failures.append(now_s)
            self._failures[name] = failures
        while len(self._failures) > _MOST_NAMES:
            self._failures.pop(next(iter(self._failures)))

    def _wait_s(self, name: str, limit: int, now_s: float) -> float:
        recent = [at_s for at_s in self._failures.get(name, ()) if now_s - at_s < _WINDOW_S]
        return recent[-limit] + _WINDOW_S - now_s if len(recent) >= limit else 0.0
