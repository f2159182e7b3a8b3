"""How fast audio and messages come: limits, and whether the stated sample rate is the real one.

Pure functions of the times they are told, milliseconds of a clock that never goes back.
"""

from __future__ import annotations

from collections import deque
from enum import Enum

from server.adapters.contract import IngestError

TEXTS_PER_S = 20
"""Text messages a source may send within a second (`protocols.md` section 3)."""
_SPEED = 1.5
"""Audio a source may send for each second that passes, averaged over 10 s."""
_BURST_MS = 5_000
"""Audio that may come at once."""
_WINDOW_MS = 10_000
"""Time over which a sample rate is measured."""
_TOLERANCE = 0.02
_FACTORS = (0.5, 2.0)
_FACTOR_TOLERANCE = 0.05
_STALL_MS = 1_000
"""After a longer silence of the source its rate is measured anew."""


class TextLimit:
    """Twenty text messages in any second."""

    def __init__(self) -> None:
        self._times_ms: deque[int] = deque(maxlen=TEXTS_PER_S)

    def add(self, now_ms: int) -> None:
        """Count a message.

        Raises:
            IngestError: `rate_limited`.
        """
        if len(self._times_ms) == TEXTS_PER_S and now_ms - self._times_ms[0] < 1_000:
            raise IngestError(
                "rate_limited",
                4429,
                f"More than {TEXTS_PER_S} text messages in a second.",
                retry_after_ms=1_000 - (now_ms - self._times_ms[0]),
            )
        self._times_ms.append(now_ms)


class AudioLimit:
    """One and a half times real time, with 5 s at once; counted in audio, not in messages."""

    def __init__(self, now_ms: int) -> None:
        self._allowed_ms = float(_BURST_MS)
        self._then_ms = now_ms

    def add(self, audio_ms: float, now_ms: int) -> None:
        """Charge new audio.

        Raises:
            IngestError: `rate_limited`.
        """
        refill = (now_ms - self._then_ms) * _SPEED
        self._allowed_ms = min(max(self._allowed_ms, _BURST_MS), self._allowed_ms + refill)
        self._then_ms = now_ms
        if audio_ms > self._allowed_ms:
            wait_ms = round((audio_ms - self._allowed_ms) / _SPEED)
            raise IngestError(
                "rate_limited",
                4429,
                f"Audio may come at {_SPEED} times real time, with 5 s at once.",
                retry_after_ms=max(1, wait_ms),
            )
        self._allowed_ms -= audio_ms

    def resumed(self, away_ms: int) -> None:
        """Allow what a source has recorded while its socket was lost."""
        self._allowed_ms += away_ms


def check_age(position_ms: int, age_ms: int) -> None:
    """Refuse a stream time that no call of this age can have reached, by gaps or otherwise.

    Raises:
        IngestError: `rate_limited`.
    """
    if position_ms > age_ms * _SPEED + _BURST_MS:
        raise IngestError(
            "rate_limited", 4429, "A gap reaches further than the call is long.", ends_call=True
        )


class Rate(Enum):
    """What the measured rate says."""

    RIGHT = "right"
    OFF = "off"
    """More than 2 % off."""
    WRONG = "wrong"
    """Half or twice what was stated."""


class RateCheck:
    """Compares stream time with the time that passes, over 10 s at a time."""

    def __init__(self) -> None:
        self._begin: tuple[int, int] | None = None
        self._last_ms = 0
        self.factor = 1.0
        """Last measured stream time per time."""

    def add(self, position_ms: int, now_ms: int) -> Rate:
        """Take the stream position after new audio."""
        if self._begin is None or now_ms - self._last_ms > _STALL_MS:
            self._begin = (position_ms, now_ms)
        self._last_ms = now_ms
        began_at_ms, began_ms = self._begin
        passed_ms = now_ms - began_ms
        if passed_ms < _WINDOW_MS:
            return Rate.RIGHT
        self._begin = (position_ms, now_ms)
        self.factor = (position_ms - began_at_ms) / passed_ms
        if any(abs(self.factor / factor - 1) <= _FACTOR_TOLERANCE for factor in _FACTORS):
            return Rate.WRONG
        return Rate.RIGHT if abs(self.factor - 1) <= _TOLERANCE else Rate.OFF
