"""What rule expressions may ask about the past."""

from __future__ import annotations

from typing import Protocol

import msgspec


class Window(msgspec.Struct, frozen=True):
    """A stretch of the past, in milliseconds or in turns of the speaker."""

    size: float
    turns: bool = False


class History(Protocol):
    """What was observed so far, as history functions see it. `None` is unknown.

    With `doubtful`, acts below the rule's confidence floor count as well: where a rule asks whether
    something is missing, a doubtful act is enough to keep it silent.
    """

    def count(
        self, kinds: tuple[str, ...], window: Window, floor: float, *, doubtful: bool
    ) -> int | None:
        """Count occurrences, or turns that hold one, inside the window."""

    def count_after(
        self, kinds: tuple[str, ...], after: tuple[str, ...], *, doubtful: bool
    ) -> int | None:
        """Count occurrences that began after the newest of `after`; none when it is missing."""

    def since(self, kinds: tuple[str, ...], *, doubtful: bool) -> float | None:
        """Return ms since the newest occurrence ended; infinity when there was none."""

    def turns_since(self, kinds: tuple[str, ...], *, doubtful: bool) -> float | None:
        """Return the speaker's turns begun since the newest occurrence; infinity when none."""

    def seen(
        self,
        kinds: tuple[str, ...],
        after: tuple[str, ...],
        within: Window | None,
        *,
        doubtful: bool,
    ) -> bool | None:
        """Tell whether one of `kinds` followed the newest (within a window: oldest) `after`."""

    def heard(self, kinds: tuple[str, ...]) -> bool:
        """Whether any of `kinds` has occurred, known or not."""


class NoHistory:
    """A history of which nothing is known."""

    def count(
        self, kinds: tuple[str, ...], window: Window, floor: float, *, doubtful: bool
    ) -> int | None:
        """Return unknown."""
        return None

    def count_after(
        self, kinds: tuple[str, ...], after: tuple[str, ...], *, doubtful: bool
    ) -> int | None:
        """Return unknown."""
        return None

    def since(self, kinds: tuple[str, ...], *, doubtful: bool) -> float | None:
        """Return unknown."""
        return None

    def turns_since(self, kinds: tuple[str, ...], *, doubtful: bool) -> float | None:
        """Return unknown."""
        return None

    def seen(
        self,
        kinds: tuple[str, ...],
        after: tuple[str, ...],
        within: Window | None,
        *,
        doubtful: bool,
    ) -> bool | None:
        """Return unknown."""
        return None

    def heard(self, kinds: tuple[str, ...]) -> bool:
        """Return that nothing was heard."""
        return False
