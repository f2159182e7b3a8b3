"""The control arm: in a share of calls cues are journalled and not shown, to learn what they do.

Off until enabled. The arm is a keyed hash of the call within its agent, so it is the same however
often it is asked for, and nobody can choose it. Priority 0 is shown in both arms.
"""

from __future__ import annotations

import hmac

import msgspec

SILENT, SHOWN = "silent", "shown"
_BUCKETS = 10_000


class ExperimentSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whether cues are tried against silence; tell the agents before it is switched on."""

    enabled: bool = False
    """Whether cues are withheld in a share of calls, to learn what they do."""
    silent_share: float = 0.1
    """Share of calls in the silent arm, 0 to 1."""
    key: str = ""
    """Secret of the assignment, needed when enabled; a new one deals the arms anew."""

    def __post_init__(self) -> None:
        if self.enabled and not self.key:
            raise ValueError("an experiment needs experiment.key, any secret text")
        if not 0 <= self.silent_share <= 1:
            raise ValueError("experiment.silent_share is a share, 0 to 1")


def arm_of(settings: ExperimentSettings, call_id: str, agent: str | None) -> str:
    """Return `shown` or `silent` for a call."""
    if not settings.enabled:
        return SHOWN
    text = f"{agent or ''}\n{call_id}".encode()
    digest = hmac.digest(settings.key.encode(), text, "sha256")
    bucket = int.from_bytes(digest[:8], "big") % _BUCKETS
    return SILENT if bucket < settings.silent_share * _BUCKETS else SHOWN
