"""The degradation ladder: what recognition sheds when there is not enough machine.

    rung  level  effect (each includes those above)
    0     L0     as specified
    1     L1     hop x2, finals with beam 1 and bounded context
    2     L1     hop x4, word times only where an overlap waits for words
    3     L2     partials off, those that an overlap asks for stay
    4     L2     those off too
    5     L3     neighbouring utterances merged into decodes of up to 15 s, `delayed`
    6     L3     finals only where an overlap waits for words; other spans are listed
    7     L3     no finals; all spans are listed and kept for the decode after the call

A level is entered after 2 s over its threshold, its further steps after 5 s more each, one rung
at a time and in this order; one rung is left after 10 s below 80 % of the rung's own threshold
and of all lower ones. While the analysis sheds too (`server.shed`) it is at rung 5 or above: words
go before voices. `streaming-asr.md` section 7, `reliability.md` section 5.
"""

from __future__ import annotations

import msgspec

from asr.settings import AsrSettings

LEVELS = (0, 1, 1, 2, 2, 3, 3, 3)
"""Level of each rung."""
_CALM = 0.8
_HOP_FACTORS = (1, 2, 4)


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """How busy recognition is; times in milliseconds."""

    busy_share: float
    """Share of worker time in use, mean over some 5 s, 0 to 1."""
    partial_age_ms: float
    """Age of the newest audio of a partial when it is answered, 95th percentile."""
    queue_age_ms: float
    """Age of the oldest final that waits."""
    analysis_sheds: bool = False
    """Whether what hears and cues is behind too, so that words go first."""


class Ladder:
    """Pure state; `update` is called a few times a second."""

    def __init__(self, settings: AsrSettings) -> None:
        self._settings = settings
        self._over_ms: int | None = None
        self._calm_ms: int | None = None
        self.rung = 0

    @property
    def level(self) -> int:
        """0 to 3."""
        return LEVELS[self.rung]

    @property
    def hop_factor(self) -> int:
        """By how much the hop is stretched."""
        return _HOP_FACTORS[min(self.rung, len(_HOP_FACTORS) - 1)]

    @property
    def bounds_finals(self) -> bool:
        """Whether finals have beam 1 and a bounded context."""
        return self.rung >= 1

    @property
    def aligns_all(self) -> bool:
        """Whether the words of all finals are timed, not only where an overlap waits for them."""
        return self.rung < 2

    @property
    def partials(self) -> bool:
        """Whether words are shown while they are spoken."""
        return self.rung < 3

    @property
    def hinted_partials(self) -> bool:
        """Whether those that an overlap asks for are."""
        return self.rung < 4

    @property
    def merges(self) -> bool:
        """Whether neighbouring utterances are decoded together."""
        return self.rung >= 5

    def decodes_final(self, hinted: bool) -> bool:
        """Whether a final is decoded during the call."""
        return self.rung < 6 or (self.rung == 6 and hinted)

    def update(self, load: Load, now_ms: int) -> bool:
        """Take the present load; return whether the rung changed."""
        if load.analysis_sheds and self.level < LEVELS[-1]:
            self.rung, self._over_ms, self._calm_ms = LEVELS.index(LEVELS[-1]), None, None
            return True
        if self._climbs(load, now_ms):
            self.rung += 1
        elif self._descends(load, now_ms):
            self.rung -= 1
        else:
            return False
        return True

    def _climbs(self, load: Load, now_ms: int) -> bool:
        if self.rung + 1 == len(LEVELS) or not self._due(load, LEVELS[self.rung + 1]):
            self._over_ms = None
            return False
        self._calm_ms = None
        if self._over_ms is None:
            self._over_ms = now_ms
        enters = LEVELS[self.rung + 1] > self.level
        needed_ms = self._settings.ladder_up_ms if enters else self._settings.ladder_further_ms
        if self._jumps(load):
            needed_ms = min(needed_ms, self._settings.ladder_up_ms)
        if now_ms - self._over_ms < needed_ms:
            return False
        # A threshold of a higher level needs no second wait: the rungs between follow at once.
        if not self._jumps(load):
            self._over_ms = now_ms
        return True

    def _jumps(self, load: Load) -> bool:
        """Whether a level above the next rung's is due."""
        return self._due(load, LEVELS[self.rung + 1] + 1)

    def _due(self, load: Load, level: int) -> bool:
        """Whether the threshold of a level, or of one above it, is passed."""
        return any(self._over(load, higher) for higher in range(level, LEVELS[-1] + 1))

    def _descends(self, load: Load, now_ms: int) -> bool:
        if (
            self.rung == 0
            or load.analysis_sheds
            or any(self._over(load, level, _CALM) for level in range(1, self.level + 1))
        ):
            self._calm_ms = None
            return False
        if self._calm_ms is None:
            self._calm_ms = now_ms
        if now_ms - self._calm_ms < self._settings.ladder_down_ms:
            return False
        self._calm_ms = now_ms
        return True

    def _over(self, load: Load, level: int, factor: float = 1.0) -> bool:
        settings = self._settings
        if level == 1:
            return (
                load.busy_share > factor * settings.ladder_busy_share
                or load.partial_age_ms > factor * settings.ladder_partial_age_ms
            )
        if level == 2:
            return load.partial_age_ms > factor * 2 * settings.ladder_partial_age_ms
        return load.queue_age_ms > factor * settings.ladder_queue_age_ms
