"""One number for vocal effort: spectral tilt and pitch above the speaker's own usual."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from conversation.events import Channel
from prosody.pitch import GateLimits
from prosody.settings import ProsodySettings


class Load(StrEnum):
    """How much of the processor prosody may have."""

    FULL = "full"
    MANY = "many"
    """Many calls: pitch is rationed and the customer's alone; the agent is judged by tilt."""
    SHED = "shed"
    """No pitch; tilt on every second tick."""
    METER = "meter"
    """Level and balance are measured, nothing is judged."""


@dataclass(frozen=True, slots=True)
class Score:
    """Fused score of one window."""

    value: float | None
    """None while it cannot be known."""
    extra: float = 0.0
    """Added to the thresholds."""
    trust: float = 1.0
    """Factor on the confidence, 0 to 1."""
    both_parts: bool = True
    """Tilt, and pitch where it is used, are each above usual."""


UNKNOWN = Score(None)


def gate_limits(load: Load, channel: Channel, settings: ProsodySettings) -> GateLimits | None:
    """How freely the pitch gate of a channel opens; None when it stays shut."""
    if load is Load.FULL:
        return GateLimits(settings.gate_z_tilt)
    if load is Load.MANY and channel is not Channel.AGENT:
        return GateLimits(
            settings.many_gate_z_tilt,
            refresh=False,
            ticks=settings.many_warm_ticks,
            max_share=settings.many_pitch_share,
            feed_every=settings.many_feed_ticks,
        )
    return None


def fuse(
    z_tilt: float | None,
    z_f0: float | None,
    snr_db: float,
    settings: ProsodySettings,
    *,
    pitch_allowed: bool,
) -> Score:
    """Fuse tilt and pitch; noise takes the weight of the pitch, then everything."""
    if z_tilt is None or snr_db < settings.snr_abstain_db:
        return UNKNOWN
    tilt_raised = z_tilt >= settings.min_part_z
    if not pitch_allowed or snr_db < settings.snr_reduced_db:
        return Score(z_tilt, settings.tilt_only_extra, 0.8, tilt_raised)
    if z_f0 is None:
        return UNKNOWN
    both = tilt_raised and z_f0 >= settings.min_f0_z
    if snr_db < settings.snr_full_db:
        weight = settings.reduced_f0_weight
        value = (1 - weight) * z_tilt + weight * z_f0
        return Score(value, settings.reduced_extra, 0.8, both)
    return Score(0.5 * z_tilt + 0.5 * z_f0, both_parts=both)
