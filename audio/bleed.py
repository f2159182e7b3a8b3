"""Is it this party, or the other one leaking in? The gate before voice activity.

Both channels share one gate. It keeps their levels in steps of 8 ms (four to a voice-activity
window) and looks, per direction and at fixed stream times, for the *source*'s envelope in the
*target*: where the source speaks, levels of the target that follow it at some lag are leakage.
A window of the target is then its own only where it is louder than the leak can be. Until enough of
the source was heard to say whether there is a leak, what is much quieter than the source is taken
for one; and a leak that is hidden by the target's own speech is not forgotten.

    leak      correlation of the log envelopes >= 0.6 over >= 0.5 s at a lag of 0 to 800 ms, taken
              where the target is above its noise and 6 dB or more below the source: its own speech
              would hide the leak otherwise
    gain      median of target - source at that lag; echo return loss is its negative
    own       target > source(t - lag) + gain + margin, margin = 3 median deviations in 3..15 dB,
              and 5 dB above its noise until 0.5 s after the leak
    grade     A: no leak, or a loss above 35 dB; B: 20 to 35 dB; C: less, and no blame is assigned
    same      correlation >= 0.95 and levels within 3 dB: one signal on both channels

The rule of the correlation is call-ai-metrics' (published); lags reach 800 ms because a mobile echo
takes a full round trip; grades and margins are our choice (`interruptions.md` section 5).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeVar

import msgspec
import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from audio.settings import BleedSettings
from conversation.events import Channel, ChannelQuality

STEP_MS = 8
_KEPT_STEPS = 8_192
"""About 65 s of levels: the 30 s of an estimate, the longest lag, and slack between channels."""
_EVER = 1 << 60
_LEAST_SPREAD = 1e-2
"""Product of standard deviations, dB squared, below which two levels do not move together."""
Levels = npt.NDArray[np.float32]
_Any = TypeVar("_Any", bound=np.generic)


class Leak(msgspec.Struct, frozen=True):
    """How the source is heard in the target."""

    lag_steps: int
    gain_db: float
    margin_db: float
    correlation: float


class BleedGate:
    """Levels of both channels of a call, and what of each is its own."""

    def __init__(self, settings: BleedSettings) -> None:
        self._settings = settings
        self._levels = {
            party: np.full(_KEPT_STEPS, np.nan, dtype=np.float32)
            for party in (Channel.AGENT, Channel.CUSTOMER)
        }
        self._known_ms = dict.fromkeys(self._levels, 0)
        self._due_ms = dict.fromkeys(self._levels, settings.first_estimate_ms)
        self._leaks: dict[Channel, Leak | None] = dict.fromkeys(self._levels)
        self._settled = dict.fromkeys(self._levels, False)
        """Whether enough of the source was heard to say that there is, or is no, leak."""
        self._floor_db = dict.fromkeys(self._levels, -120.0)
        self._own_ms = dict.fromkeys(self._levels, -settings.unknown_dip_ms - 1)
        """When a channel was last louder than any leak, before its estimate."""
        self._least_db = dict.fromkeys(self._levels, math.inf)

    def hear(
        self, channel: Channel, begin_ms: int, levels: Sequence[float] | npt.NDArray[np.float64]
    ) -> None:
        """Take the levels (dB) of the steps that begin at `begin_ms`, of at most a minute."""
        kept, first = self._levels[channel], begin_ms // STEP_MS
        last = self._known_ms[channel] // STEP_MS
        if first > last:
            missing = np.arange(max(last, first - _KEPT_STEPS), first) % _KEPT_STEPS
            kept[missing] = np.nan
        at = first % _KEPT_STEPS
        if at + len(levels) <= _KEPT_STEPS:
            kept[at : at + len(levels)] = levels
        else:
            kept[(first + np.arange(len(levels))) % _KEPT_STEPS] = levels
        self._known_ms[channel] = begin_ms + len(levels) * STEP_MS

    def skip(self, channel: Channel, until_ms: int) -> None:
        """Say that the channel is unknown up to `until_ms`."""
        first = self._known_ms[channel] // STEP_MS
        last = until_ms // STEP_MS
        steps = np.arange(max(first, last - _KEPT_STEPS), last) % _KEPT_STEPS
        self._levels[channel][steps] = np.nan
        self._known_ms[channel] = max(self._known_ms[channel], until_ms)

    def end(self, channel: Channel) -> None:
        """Say that nothing more comes on the channel."""
        self._known_ms[channel] = _EVER

    def ready(self, channel: Channel, end_ms: int) -> bool:
        """Whether the other channel is known as far as a window that ends at `end_ms` needs."""
        return self._known_ms[channel.other] >= end_ms

    def due(self, channel: Channel, begin_ms: int, at_ms: int) -> list[ChannelQuality]:
        """Estimate the leak into `channel` when that is due before the window at `begin_ms`.

        Returns:
            What was found, to become known at `at_ms`; empty when no estimate was due.
        """
        due_ms = self._due_ms[channel]
        if begin_ms < due_ms:
            return []
        settled = begin_ms >= self._settings.every_ms and self._settled[channel]
        step_ms = self._settings.every_ms if settled else self._settings.first_estimate_ms
        self._due_ms[channel] = (begin_ms // step_ms + 1) * step_ms
        return [self._estimate(channel, begin_ms, at_ms)]

    def own(self, channel: Channel, begin_ms: int, levels: Sequence[float]) -> bool:
        """Whether the window of `channel` holds more than what leaks in from the other one.

        Before the first estimate any leak is possible: what is much quieter than the other channel
        was within the longest lag is taken for one, but for the dips of a voice that was its own.
        Noise is not own speech, neither beside a leak nor in its pauses, where voice activity
        lingers.
        """
        leak = self._leaks[channel]
        first = begin_ms // STEP_MS
        source = self._levels[channel.other]
        if leak is None:
            if self._settled[channel]:
                return True
            lags = self._settings.longest_lag_ms // STEP_MS
            recent = _steps(source, max(0, first - lags), first + len(levels))
            loudest_db = float(np.fmax.reduce(recent, initial=-120.0))
            self._least_db[channel] = min(self._least_db[channel], max(levels))
            quiet_db = max(self._floor_db[channel], self._least_db[channel])
            spoken_db = quiet_db + self._settings.source_above_floor_db
            if max(levels) > loudest_db - self._settings.unknown_loss_db:
                if max(levels) > spoken_db:
                    self._own_ms[channel] = begin_ms
                return True
            return begin_ms - self._own_ms[channel] <= self._settings.unknown_dip_ms
        first -= leak.lag_steps
        before = self._settings.unknown_dip_ms // STEP_MS
        near = _steps(source, first - before, first + len(levels) + 1)
        near = np.where(np.isnan(near), -120.0, near)
        spoken_db = self._floor_db[channel.other] + self._settings.source_above_floor_db
        noise_db = self._floor_db[channel] + self._settings.own_above_noise_db
        lately = near.max() >= spoken_db
        near = near[before - 1 :]
        ceiling = np.maximum(np.maximum(near[:-2], near[1:-1]), near[2:])
        leaked_db = np.maximum(ceiling + leak.gain_db + leak.margin_db, noise_db)
        silent = ceiling < spoken_db
        limit_db = np.where(silent, noise_db if lately else -np.inf, leaked_db)
        return bool(np.any(np.asarray(levels) > limit_db))

    # ------------------------------------------------------------------ estimates

    def _window(self, channel: Channel, begin_ms: int, extra_steps: int = 0) -> Levels:
        last = begin_ms // STEP_MS
        first = max(0, last - self._settings.window_ms // STEP_MS) - extra_steps
        levels = _steps(self._levels[channel], first, last).copy()
        levels[: max(0, -first)] = np.nan
        return levels

    def _estimate(self, channel: Channel, begin_ms: int, at_ms: int) -> ChannelQuality:
        settings = self._settings
        lags = settings.longest_lag_ms // STEP_MS
        target = self._window(channel, begin_ms)
        source = self._window(channel.other, begin_ms, extra_steps=lags)
        self._floor_db[channel.other] = _percentiles(source, 10)[0]
        quality = ChannelQuality(at_ms=at_ms, channel=channel, snr_db=_snr_db(target))
        active = source >= self._floor_db[channel.other] + settings.source_above_floor_db
        active &= self._no_echo(channel.other, begin_ms, source, lags)
        heard = np.count_nonzero(active & ~np.isnan(source))
        if heard < settings.least_steps:
            return quality
        noise_db = _percentiles(target, 10)[0]
        leak = _strongest(source, target, active, lags, noise_db, settings)
        known = self._leaks[channel]
        if (
            leak is None
            and known is not None
            and not _gone(known, source, target, active, settings)
        ):
            leak = known
        if leak is None and heard < settings.settled_steps:
            return quality
        self._settled[channel] = True
        self._leaks[channel] = leak
        if leak is None:
            return msgspec.structs.replace(quality, bleed_grade="A")
        loss_db = -leak.gain_db
        same = leak.correlation >= settings.same_correlation and abs(loss_db) <= settings.same_db
        grade = "A" if loss_db > settings.grade_a_db else "B"
        if loss_db < settings.grade_c_db:
            grade = "C"
        return msgspec.structs.replace(
            quality,
            bleed_grade=grade,
            echo_return_loss_db=round(loss_db, 1),
            lag_ms=leak.lag_steps * STEP_MS,
            flags=("same_signal",) if same else (),
        )

    def _no_echo(
        self, source: Channel, begin_ms: int, levels: Levels, lags: int
    ) -> npt.NDArray[np.bool_]:
        """Tell which steps of a source are more than the other channel leaking into it.

        An echo says nothing of how its own source leaks: where both directions leak, the first
        speaker's echo would pass for the other's speech, and prove that nothing comes back.
        """
        leak = self._leaks[source]
        if leak is None and self._settled[source]:
            return np.ones(len(levels), dtype=np.bool_)
        before = self._window(source.other, begin_ms, extra_steps=2 * lags)
        before = np.where(np.isnan(before), -120.0, before)
        if leak is None:
            loudest = sliding_window_view(before, lags + 1).max(axis=1)
            return np.asarray(levels > loudest - self._settings.unknown_loss_db)
        first = lags - leak.lag_steps
        late = before[first : first + len(levels)]
        return np.asarray(levels > late + leak.gain_db + leak.margin_db)


def _steps(kept: Levels, first: int, last: int) -> Levels:
    """Return the levels of [first, last) from a ring of them, a view or a copy."""
    at = first % _KEPT_STEPS
    if at + last - first <= _KEPT_STEPS:
        return kept[at : at + last - first]
    return kept[np.arange(first, last) % _KEPT_STEPS]


def _strongest(
    source: Levels,
    target: Levels,
    active: npt.NDArray[np.bool_],
    lags: int,
    noise_db: float,
    settings: BleedSettings,
) -> Leak | None:
    """Return the leak at the lag of the highest correlation, None when there is none.

    All lags are looked at together; a row of each array is a lag.
    """
    sounds, known = active & ~np.isnan(source), ~np.isnan(target)
    loud = np.flatnonzero(target >= noise_db + settings.above_noise_db)
    chosen = _at_lags(sounds, loud, len(target))
    spoken = np.correlate(sounds.astype(np.float32), known.astype(np.float32))[::-1]
    least = np.maximum(settings.least_steps, settings.least_share * spoken)
    heard = np.flatnonzero(np.count_nonzero(chosen, axis=1) >= least)
    if not len(heard):
        return None
    chosen, least = chosen[heard], least[heard]
    x = _at_lags(np.nan_to_num(source, nan=-120.0), loud, len(target))[heard]
    y = target[loud]
    correlation = _correlations(x, y, chosen)
    hidden = correlation < settings.same_correlation
    chosen &= (y <= x - settings.below_source_db) | ~hidden[:, None]
    correlation = np.where(hidden, _correlations(x, y, chosen), correlation)
    correlation[np.count_nonzero(chosen, axis=1) < least] = 0.0
    best = int(np.argmax(correlation))
    if correlation[best] < settings.least_correlation:
        return None
    difference = y[chosen[best]] - x[best, chosen[best]]
    gain_db = float(np.median(difference))
    deviation_db = float(np.median(np.abs(difference - gain_db)))
    margin_db = min(settings.widest_margin_db, max(settings.least_margin_db, 3 * deviation_db))
    return Leak(int(heard[best]), gain_db, margin_db, float(correlation[best]))


def _gone(
    leak: Leak,
    source: Levels,
    target: Levels,
    active: npt.NDArray[np.bool_],
    settings: BleedSettings,
) -> bool:
    """Whether the target is quieter than the leak would be, too often for it to be there still.

    A speaker who talks over the leak hides it, and proves nothing.
    """
    begin = settings.longest_lag_ms // STEP_MS - leak.lag_steps
    shifted = source[begin : begin + len(target)]
    spoken = active[begin : begin + len(target)] & ~np.isnan(target) & ~np.isnan(shifted)
    if np.count_nonzero(spoken) < settings.least_steps:
        return False
    quieter = target[spoken] < shifted[spoken] + leak.gain_db - leak.margin_db
    return bool(np.mean(quieter) > settings.least_share)


def _at_lags(
    source: npt.NDArray[_Any], steps: npt.NDArray[np.int64], length: int
) -> npt.NDArray[_Any]:
    """Return what the source was at some steps of a target of that length, a row for each lag."""
    return sliding_window_view(source, length)[::-1][:, steps]


def _correlations(x: Levels, y: Levels, chosen: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """Return Pearson's correlation of the chosen steps of each row, 0 where it is not defined.

    Args:
        x: levels, shape (rows, n).
        y: levels, shape (n,).
        chosen: steps that count, shape (rows, n).
    """
    weight, there = chosen.astype(np.float32), y - y.mean()
    here = (x - x.mean()) * weight
    ones = np.ones_like(there)
    sums = weight @ np.stack([ones, there, np.square(there)], axis=1)
    count, sum_y, sum_yy = sums.T.astype(np.float64)
    sum_x, sum_xy = (here @ np.stack([ones, there], axis=1)).T.astype(np.float64)
    sum_xx = np.einsum("ij,ij->i", here, here).astype(np.float64)
    count = np.maximum(count, 1.0)
    variance_x = np.maximum(sum_xx / count - np.square(sum_x / count), 0.0)
    variance_y = np.maximum(sum_yy / count - np.square(sum_y / count), 0.0)
    spread = np.sqrt(variance_x * variance_y)
    covariance = sum_xy / count - sum_x * sum_y / np.square(count)
    return np.where(spread > _LEAST_SPREAD, covariance / np.maximum(spread, _LEAST_SPREAD), 0.0)


def _percentiles(levels: Levels, *percents: float) -> list[float]:
    """Return percentiles of the known levels, interpolated, -120 when there are none."""
    ordered = np.sort(levels)
    count = len(ordered) - int(np.count_nonzero(np.isnan(ordered)))
    if not count:
        return [-120.0] * len(percents)
    ats = [percent / 100 * (count - 1) for percent in percents]
    pairs = [(at, float(ordered[int(at)]), float(ordered[math.ceil(at)])) for at in ats]
    return [low + (high - low) * (at - int(at)) for at, low, high in pairs]


def _snr_db(levels: Levels) -> float | None:
    """Return how far speech (95th percentile) stands above the floor (10th)."""
    if np.count_nonzero(~np.isnan(levels)) < 250:
        return None
    low, high = _percentiles(levels, 10, 95)
    value = high - low
    return round(value, 1) if math.isfinite(value) else None
