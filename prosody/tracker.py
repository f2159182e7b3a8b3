"""One channel's prosody: judges ticks of 240 ms against the speaker's own usual voice.

A tick is judged once `lag_ms` of stream time has passed after its end, with exactly the events and
the audio known by then; `prosody.stage` drives the channels of a call in step.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from statistics import median

import numpy as np
import numpy.typing as npt

from audio.chunks import AudioChunk
from conversation.events import (
    AudioGap,
    CapturePaused,
    CaptureResumed,
    Channel,
    HoldEnded,
    HoldStarted,
    ProsodyFrame,
    RaisedVoiceEnded,
    RaisedVoiceStarted,
    SpeechEnded,
    SpeechStarted,
)
from prosody.baseline import COLD, READY, WARM, Baseline, WindowValues
from prosody.buffer import SampleBuffer
from prosody.features import HOP_MS, HOPS_PER_TICK, TICK_MS, SpectralBank, TickFeatures
from prosody.guards import Envelope, GainGuard, LineGuard, likeness
from prosody.pitch import Need, PitchCascade
from prosody.raised import RaisedVoice, ScoredTick, rounded
from prosody.score import Load, Score, fuse, gate_limits
from prosody.settings import ProsodySettings
from prosody.usable import LevelHistory, Mask, UsableFrames, summary

ProsodyEvent = ProsodyFrame | RaisedVoiceStarted | RaisedVoiceEnded
Suspension = HoldStarted | HoldEnded | CapturePaused | CaptureResumed
Heard = SpeechStarted | SpeechEnded | AudioGap | Suspension
Samples = npt.NDArray[np.float32]

_BUFFER_S = 4
_OWN_LEVELS = 20_000 // HOP_MS
"""Frames of whose level the channel's own median is taken (20 s)."""
_ROUNDING_DB = 1e-6
EVERY_FRAME: Mask = np.ones(HOPS_PER_TICK, np.bool_)
NO_FRAME: Mask = np.zeros(HOPS_PER_TICK, np.bool_)
EVERY_FRAME.flags.writeable = NO_FRAME.flags.writeable = False


class ChannelTracker:
    """Features, guards, baseline and raised-voice detector of one channel of one call."""

    def __init__(self, channel: Channel, bank: SpectralBank, settings: ProsodySettings) -> None:
        self.channel = channel
        self.buffer = SampleBuffer(_BUFFER_S * bank.sample_rate_hz)
        self._bank = bank
        self._rate = bank.sample_rate_hz
        self._settings = settings
        self._events: deque[Heard] = deque()
        self._spans: deque[tuple[int, int | None]] = deque()
        self._suspended: set[str] = set()
        self._usable = UsableFrames(settings)
        self._levels = LevelHistory(_OWN_LEVELS)
        self._envelope = Envelope(settings)
        self._gain = GainGuard(settings)
        self._line = LineGuard(settings)
        self._pitch = PitchCascade(self._rate, settings)
        self._baseline = Baseline(settings)
        self._raised = RaisedVoice(channel, settings)
        self._event_ms = 0
        self.usable_ticks = 0
        """Ticks with usable speech since the beginning."""

    @property
    def pitch_ticks(self) -> int:
        """Ticks for which pitch was computed since the beginning."""
        return self._pitch.ticks

    @property
    def suspended(self) -> bool:
        """True during a hold or a pause: nothing is measured."""
        return bool(self._suspended)

    def push_audio(self, chunk: AudioChunk) -> None:
        """Take in the next samples; positions that were skipped count as missing.

        Raises:
            ValueError: the chunk has another rate than this tracker.
        """
        if chunk.sample_rate_hz != self._rate:
            msg = (
                f"Prosody of the {self.channel.value} channel runs at {self._rate} Hz but got a "
                f"chunk at {chunk.sample_rate_hz} Hz; pass chunks of one rate."
            )
            raise ValueError(msg)
        self.buffer.push(chunk.first_sample, chunk.samples)

    def observe(self, event: Heard) -> None:
        """Take in speech spans, gaps, hold and pause, in the order of `at_ms`."""
        self._events.append(event)

    def recall(self, frame: ProsodyFrame) -> None:
        """Learn the usual voice from a tick that was judged before, in another process."""
        calm = frame.score is None or frame.score < self._settings.score_off
        if calm and "music" not in frame.flags:
            values = WindowValues(frame.alpha_db, frame.slope_db_oct, frame.level_db, frame.f0_st)
            self._baseline.learn(values, frame.usable_ms)

    def apply(self, until_ms: int) -> list[ProsodyEvent]:
        """Let the events up to `until_ms` count."""
        out: list[ProsodyEvent] = []
        while self._events and self._events[0].at_ms <= until_ms:
            event = self._events.popleft()
            if isinstance(event, SpeechStarted):
                self._spans.append((event.start_ms, None))
            elif isinstance(event, SpeechEnded):
                if self._spans and self._spans[-1][1] is None:
                    self._spans.pop()
                self._spans.append((event.start_ms, event.end_ms))
            elif isinstance(event, AudioGap):
                self.buffer.extend_to(event.end_ms * self._rate // 1000)
                if event.end_ms - event.begin_ms > self._settings.gap_reset_ms:
                    self._pitch.close()
            elif isinstance(event, HoldStarted | CapturePaused):
                hold = isinstance(event, HoldStarted)
                self._suspended.add("hold" if hold else "pause")
                self._pitch.close()
                self._usable.clear()
                out += self._raised.end(until_ms, None, "hold" if hold else "reset")
            elif isinstance(event, HoldEnded | CaptureResumed):
                self._suspended.discard("hold" if isinstance(event, HoldEnded) else "pause")
                self._baseline.reset_to_warm()
        return out

    def block(self, tick: int) -> tuple[Samples, Mask]:
        """Return the samples of a tick with the tail before it, and which frames are whole."""
        end = (tick + 1) * self._bank.tick
        begin = end - self._bank.block
        samples = self.buffer.read(begin, end)
        if self.buffer.is_whole(begin, end):
            return samples, EVERY_FRAME
        known = self.buffer.known(begin, end).reshape(-1, self._bank.hop)
        hops: Mask = np.logical_and.reduce(known, axis=1)
        return samples, hops[:-1] & hops[1:]

    def speech(self, tick: int) -> Mask:
        """Return which frames of a tick have their centre in speech."""
        first = tick * HOPS_PER_TICK
        speech: Mask = NO_FRAME
        for start_ms, end_ms in self._spans:
            begin = max(0, -(-start_ms // HOP_MS) - first)
            end = HOPS_PER_TICK if end_ms is None else -(-end_ms // HOP_MS) - first
            if begin < min(end, HOPS_PER_TICK):
                speech = speech.copy()
                speech[begin : max(0, end)] = True
        return speech

    def leaks_from(
        self, other: ChannelTracker, tick: int, theirs: TickFeatures, speech: Mask
    ) -> Mask:
        """Return the frames of a tick in which the other channel is loud and heard here too.

        Args:
            other: the other channel's tracker.
            tick: number of the tick.
            theirs: what was measured of the other channel.
            speech: frames of this channel that are speech and not missing.
        """
        settings, levels = self._settings, other._levels
        if levels.count < HOPS_PER_TICK or not np.count_nonzero(speech):
            return NO_FRAME
        loudest_db = max(theirs.level_db.tolist())
        if not levels.is_below(50, loudest_db - settings.cross_talk_level_db + _ROUNDING_DB):
            return NO_FRAME
        loud = theirs.level_db > levels.percentile(50) + settings.cross_talk_level_db
        if not np.count_nonzero(loud):
            return NO_FRAME
        reach = settings.cross_talk_reach_ms * self._rate // 1000
        begin, end = tick * self._bank.tick, (tick + 1) * self._bank.tick
        own = self.buffer.read(begin, end)
        around = other.buffer.read(begin - reach, end + reach)
        if likeness(own, around, reach) < settings.cross_talk_likeness:
            return NO_FRAME
        wide = -(-settings.cross_talk_reach_ms // HOP_MS)
        return np.convolve(loud, np.ones(2 * wide + 1), "same") > 0

    def judge(
        self,
        tick: int,
        due_ms: int,
        measured: TickFeatures,
        known: Mask,
        speech: Mask,
        masked: Mask,
        load: Load,
    ) -> list[ProsodyEvent]:
        """Judge one tick that is measured; `masked` frames hold the other party's voice."""
        end_ms = (tick + 1) * TICK_MS
        levels = self._usable.add(tick, measured, known, speech, masked)
        if known is EVERY_FRAME:
            self._levels.push(measured.level_db)
            self._envelope.hear(measured.level_db)
        else:
            self._levels.push(measured.level_db[known])
            self._envelope.hear(np.where(known, measured.level_db, -np.inf))
        enough = len(levels) >= self._settings.min_tick_frames
        speech_db = median(levels.tolist()) if enough else None
        skipped = load is Load.SHED and tick % 2 == 1
        out: list[ProsodyEvent] = []
        values: WindowValues | None = None
        if enough and not skipped:
            flags = ["cross_talk"] if np.count_nonzero(masked) else []
            values, out = self._score(tick, due_ms, len(levels) * HOP_MS, load, flags)
        elif not enough:
            out += self._raised.silence(due_ms, end_ms)
        step_db = self._gain.hear(
            end_ms,
            speech_db,
            self._usable.noise_db,
            values.alpha_db if values else None,
            values.f0_st if values else None,
        )
        if step_db:
            self._usable.shift_level(step_db)
            self._baseline.shift_level(step_db)
        self._trim(tick)
        return out

    def end(self, at_ms: int, reason: str) -> list[RaisedVoiceStarted | RaisedVoiceEnded]:
        """End an open event."""
        return self._raised.end(at_ms, None, reason)

    def _score(
        self, tick: int, due_ms: int, usable_ms: int, load: Load, flags: list[str]
    ) -> tuple[WindowValues, list[ProsodyEvent]]:
        settings, baseline, end_ms = self._settings, self._baseline, (tick + 1) * TICK_MS
        self.usable_ticks += 1
        hops, window = self._usable.window(tick)
        alpha, slope, level = summary(window)
        enough = len(hops) >= settings.min_window_frames
        z_tilt = self._tilt(alpha, slope, flags) if enough else None
        level_delta = baseline.delta("level_db", level)
        f0 = self._f0(tick, due_ms, hops, z_tilt, load, flags)
        values = WindowValues(alpha, slope, level, f0)
        floor_db = self._usable.floor_db
        snr_db = settings.snr_full_db if floor_db is None else level - floor_db
        if snr_db < settings.snr_reduced_db:
            flags.append("low_snr")
        pitch_allowed = gate_limits(load, self.channel, settings) is not None
        if load is Load.MANY and (self._pitch.denied or not baseline.knows("f0_st")):
            pitch_allowed = False
        score = fuse(z_tilt, baseline.z("f0_st", f0), snr_db, settings, pitch_allowed=pitch_allowed)
        score = self._adjust(score, level_delta, end_ms, load, flags)
        scored = ScoredTick(
            at_ms=due_ms,
            begin_ms=end_ms - TICK_MS,
            end_ms=end_ms,
            usable_ms=usable_ms,
            score=score.value,
            extra=score.extra,
            trust=score.trust,
            eligible=self._may_start(score, tick, flags),
            level_delta_db=level_delta,
            f0_delta_st=baseline.delta("f0_st", f0),
            alpha_delta_db=baseline.delta("alpha_db", alpha),
        )
        events: list[ProsodyEvent] = [
            ProsodyFrame(
                at_ms=due_ms,
                channel=self.channel,
                begin_ms=scored.begin_ms,
                end_ms=end_ms,
                usable_ms=usable_ms,
                level_db=round(level, 3),
                level_delta_db=rounded(level_delta),
                alpha_db=round(alpha, 3),
                slope_db_oct=round(slope, 3),
                f0_st=rounded(f0),
                f0_delta_st=rounded(scored.f0_delta_st),
                z_tilt=rounded(z_tilt),
                score=rounded(score.value),
                state=baseline.state,
                flags=tuple(flags),
            )
        ]
        events += self._raised.hear(scored)
        if enough:
            events += self._learn(values, scored, z_tilt, music="music" in flags)
        return values, events

    def _tilt(self, alpha: float, slope: float, flags: list[str]) -> float | None:
        z_alpha = self._baseline.z("alpha_db", alpha)
        z_slope = self._baseline.z("slope_db_oct", slope)
        if z_alpha is None or z_slope is None:
            return None
        if self._usable.overdriven:
            flags.append("overdriven")
            z_alpha = min(z_alpha, 2.0)
        return (z_alpha + z_slope) / 2

    def _f0(
        self,
        tick: int,
        due_ms: int,
        hops: npt.NDArray[np.int64],
        z_tilt: float | None,
        load: Load,
        flags: list[str],
    ) -> float | None:
        """High pitch of the window, or None while the gate is shut or pitch is unsure."""
        limits = gate_limits(load, self.channel, self._settings)
        need = Need(self._baseline.state == READY, z_tilt, active=self._raised.active)
        if limits is None or not self._pitch.wanted(need, limits):
            return None
        position = due_ms * self._rate // 1000
        first = int(hops[0]) if len(hops) else (tick + 1) * HOPS_PER_TICK
        self._pitch.feed(
            first,
            position,
            self.buffer.read,
            every=limits.feed_every,
        )
        f0, octave_error = self._pitch.high(hops, (tick + 1) * TICK_MS, z_tilt)
        if octave_error:
            flags.append("octave_error")
        return f0

    def _adjust(
        self, score: Score, level_delta: float | None, end_ms: int, load: Load, flags: list[str]
    ) -> Score:
        """Let level, gain, load and an unfinished baseline count."""
        settings, state = self._settings, self._baseline.state
        gain_flags = self._gain.flags(end_ms)
        flags += gain_flags
        value, extra, trust = score.value, score.extra, score.trust
        if value is not None and level_delta is not None and self._gain.fixed:
            thirds = min(3.0, max(-1.0, level_delta / 3.0))
            value += min(settings.level_limit, settings.level_weight * thirds)
        if gain_flags and gain_flags != ["noise_rise"]:
            trust *= 0.9
        if load in (Load.SHED, Load.METER):
            flags.append("degraded")
            value = None if load is Load.METER else value
        if state == COLD:
            flags.append("baseline_cold")
        elif state == WARM:
            extra, trust = extra + settings.warm_extra, trust * 0.8
        return replace(score, value=value, extra=extra, trust=trust)

    def _may_start(self, score: Score, tick: int, flags: list[str]) -> bool:
        """Whether a tick above the threshold may count towards a new event."""
        settings = self._settings
        if score.value is None or score.value < settings.score_on + score.extra:
            return True
        if self._raised.active:
            return True
        if self._envelope.is_burst_train():
            flags.append("laughter")
        oldest = ((tick + 1) * TICK_MS - settings.window_ms) // HOP_MS
        steady = self._pitch.steadiness(oldest)
        held = steady is not None and steady >= settings.steady_share
        if held or self._envelope.has_no_gaps():
            flags.append("music")
        return score.both_parts and not {"laughter", "music", "noise_rise"} & set(flags)

    def _learn(
        self, values: WindowValues, scored: ScoredTick, z_tilt: float | None, *, music: bool
    ) -> list[RaisedVoiceStarted | RaisedVoiceEnded]:
        """Adapt the baseline to calm speech, and start it anew when the line has changed."""
        settings, baseline = self._settings, self._baseline
        self._event_ms = self._event_ms + scored.usable_ms if self._raised.active else 0
        changed = False
        if scored.alpha_delta_db is not None:
            changed = self._line.hear(
                values, scored.usable_ms, scored.alpha_delta_db, scored.f0_delta_st
            )
            changed |= self._event_ms > settings.event_max_ms
        if changed:
            baseline.replace(self._line.recent())
            self._line.clear()
            self._event_ms = 0
            return self._raised.end(scored.at_ms, scored.end_ms, "reset")
        calm = ((z_tilt or 0.0) if scored.score is None else scored.score) < settings.score_off
        if not self._raised.busy and not music and (calm or baseline.state == COLD):
            baseline.learn(values, scored.usable_ms)
        return []

    def _trim(self, tick: int) -> None:
        keep_ms = (tick + 1) * TICK_MS - self._settings.window_ms - 2 * TICK_MS
        self.buffer.drop_before(max(0, keep_ms) * self._rate // 1000)
        while self._spans and (end := self._spans[0][1]) is not None and end < keep_ms:
            self._spans.popleft()
