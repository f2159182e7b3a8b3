"""One channel's prosody: audio and speech spans in, frames and raised-voice events out.

A tick of 240 ms is judged once `lag_ms` of stream time has passed after its end, with exactly the
events and the audio known by then. Neither chunk sizes nor how often `advance` is called can
change a result.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

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
from prosody import pitch as pitch_module
from prosody.baseline import COLD, READY, WARM, Baseline, WindowValues
from prosody.features import HOP_MS, HOPS_PER_TICK, TICK_MS, SpectralBank, TickFeatures
from prosody.pitch import PitchTrack
from prosody.raised import RaisedVoice, ScoredTick, rounded
from prosody.settings import ProsodySettings

ProsodyEvent = ProsodyFrame | RaisedVoiceStarted | RaisedVoiceEnded
Suspension = HoldStarted | HoldEnded | CapturePaused | CaptureResumed
Heard = SpeechStarted | SpeechEnded | AudioGap | Suspension
OpenPitch = Callable[[int], PitchTrack]
"""Opens a pitch stream whose first frame is centred on the given absolute hop."""


@dataclass(slots=True)
class _Frame:
    hop: int
    """Absolute hop on which the frame is centred."""
    alpha_db: float
    slope_db_oct: float
    level_db: float


class ProsodyTracker:
    """Features, baseline and raised-voice detector of one channel of one call."""

    def __init__(
        self,
        channel: Channel,
        sample_rate_hz: int,
        settings: ProsodySettings,
        pitch: OpenPitch | None = None,
    ) -> None:
        self._channel = channel
        self._settings = settings
        self._bank = SpectralBank(sample_rate_hz)
        self._rate = sample_rate_hz
        self._open_pitch = pitch or self._default_pitch
        self._base = 0
        self._samples: npt.NDArray[np.float32] = np.zeros(0, np.float32)
        self._known: npt.NDArray[np.bool_] = np.zeros(0, np.bool_)
        self._events: list[Heard] = []
        self._spans: deque[tuple[int, int | None]] = deque()
        self._suspended: set[str] = set()
        self._tick = 0
        self._window: deque[_Frame] = deque()
        self._clipped: deque[tuple[int, bool]] = deque()
        self._speech_db: deque[float] = deque(maxlen=settings.level_history_frames)
        self._noise_db: deque[float] = deque(maxlen=settings.level_history_frames)
        self._track: PitchTrack | None = None
        self._fed = 0
        self._f0: dict[int, float] = {}
        self._last_f0: tuple[int, float, float] | None = None
        self._since_f0 = 0
        self._idle = 0
        self._baseline = Baseline(settings)
        self._raised = RaisedVoice(channel, settings)

    def push_audio(self, chunk: AudioChunk) -> None:
        """Take in the next samples; positions that were skipped count as missing.

        Raises:
            ValueError: the chunk has another rate than this tracker.
        """
        if chunk.sample_rate_hz != self._rate:
            msg = (
                f"Prosody of the {self._channel.value} channel runs at {self._rate} Hz but got a "
                f"chunk at {chunk.sample_rate_hz} Hz; pass chunks of one rate."
            )
            raise ValueError(msg)
        self._extend_to(chunk.first_sample)
        late = self._base + len(self._samples) - chunk.first_sample
        fresh = chunk.samples[late:] if late > 0 else chunk.samples
        self._samples = np.concatenate([self._samples, np.asarray(fresh, np.float32)])
        self._known = np.concatenate([self._known, np.ones(len(fresh), np.bool_)])

    def observe(self, event: Heard) -> None:
        """Take in speech spans, gaps, hold and pause, in the order of `at_ms`."""
        if getattr(event, "channel", self._channel) == self._channel:
            self._events.append(event)

    def advance(self, watermark_ms: int) -> list[ProsodyEvent]:
        """Judge every tick that is due at `watermark_ms` and whose audio has arrived."""
        out: list[ProsodyEvent] = []
        while True:
            due_ms = (self._tick + 1) * TICK_MS + self._settings.lag_ms
            if due_ms > watermark_ms:
                return out
            out += self._apply(due_ms)
            if self._base + len(self._samples) < due_ms * self._rate // 1000:
                return out
            out += self._judge(due_ms)

    def finish(self, at_ms: int) -> list[ProsodyEvent]:
        """Judge the whole ticks that are left and end an open event with the call."""
        out = self.advance(at_ms)
        while (self._tick + 1) * TICK_MS <= at_ms:
            due_ms = min((self._tick + 1) * TICK_MS + self._settings.lag_ms, at_ms)
            self._extend_to((due_ms + TICK_MS + self._settings.lag_ms) * self._rate // 1000)
            out += self._apply(due_ms)
            out += self._judge(due_ms)
        return out + list(self._raised.end(at_ms, None, "call_ended"))

    def _default_pitch(self, first_hop: int) -> PitchTrack:
        settings = self._settings
        return PitchTrack(
            first_hop, self._rate, fmin_hz=settings.f0_min_hz, fmax_hz=settings.f0_max_hz
        )

    def _extend_to(self, position: int) -> None:
        missing = position - self._base - len(self._samples)
        if missing > 0:
            self._samples = np.concatenate([self._samples, np.zeros(missing, np.float32)])
            self._known = np.concatenate([self._known, np.zeros(missing, np.bool_)])

    def _apply(self, until_ms: int) -> list[ProsodyEvent]:
        out: list[ProsodyEvent] = []
        while self._events and self._events[0].at_ms <= until_ms:
            event = self._events.pop(0)
            if isinstance(event, SpeechStarted):
                self._spans.append((event.start_ms, None))
            elif isinstance(event, SpeechEnded):
                if self._spans and self._spans[-1][1] is None:
                    self._spans.pop()
                self._spans.append((event.start_ms, event.end_ms))
            elif isinstance(event, AudioGap):
                self._extend_to(event.end_ms * self._rate // 1000)
                if event.end_ms - event.begin_ms > self._settings.gap_reset_ms:
                    self._close_pitch()
            elif isinstance(event, HoldStarted | CapturePaused):
                hold = isinstance(event, HoldStarted)
                self._suspended.add("hold" if hold else "pause")
                self._close_pitch()
                self._window.clear()
                out += self._raised.end(until_ms, None, "hold" if hold else "reset")
            else:
                self._suspended.discard("hold" if isinstance(event, HoldEnded) else "pause")
                self._baseline.reset_to_warm()
        return out

    def _judge(self, due_ms: int) -> list[ProsodyEvent]:
        begin_ms, end_ms = self._tick * TICK_MS, (self._tick + 1) * TICK_MS
        first = self._tick * self._bank.tick - (self._bank.frame - self._bank.hop)
        lead = max(0, -first)
        stop = (self._tick + 1) * self._bank.tick - self._base
        part = slice(max(first, 0) - self._base, stop)
        block = np.concatenate([np.zeros(lead, np.float32), self._samples[part]])
        known = np.concatenate([np.zeros(lead, np.bool_), self._known[part]])
        out: list[ProsodyEvent] = []
        if not self._suspended:
            usable = self._select(block, known)
            if usable >= self._settings.min_tick_frames:
                out += self._score(due_ms, begin_ms, end_ms, usable * HOP_MS)
            else:
                out += self._raised.silence(due_ms, end_ms)
        self._tick += 1
        self._trim()
        return out

    def _select(self, block: npt.NDArray[np.float32], known: npt.NDArray[np.bool_]) -> int:
        """Measure one tick, keep its usable frames in the window and return their number."""
        settings, hop = self._settings, self._bank.hop
        measured: TickFeatures = self._bank.measure(block, settings.clip_level)
        whole = np.logical_and.reduceat(known, np.arange(0, len(known), hop))
        loud: list[int] = []
        for i in range(HOPS_PER_TICK):
            centre = self._tick * HOPS_PER_TICK + i
            if not (whole[i] and whole[i + 1]):
                continue
            level = float(measured.level_db[i])
            if self._is_speech(centre * HOP_MS):
                self._speech_db.append(level)
                clipped = bool(measured.clipped[i] >= settings.clip_samples)
                self._clipped.append((centre, clipped))
                if not clipped:
                    loud.append(i)
            else:
                self._noise_db.append(level)
        if not loud:
            return 0
        least = float(np.percentile(self._speech_db, 95)) - settings.level_range_db
        floor = self._floor()
        if floor is not None:
            least = max(least, floor + settings.floor_margin_db)
        before = len(self._window)
        for i in loud:
            if measured.level_db[i] >= least:
                self._window.append(
                    _Frame(
                        self._tick * HOPS_PER_TICK + i,
                        float(measured.alpha_db[i]),
                        float(measured.slope_db_oct[i]),
                        float(measured.level_db[i]),
                    )
                )
        return len(self._window) - before

    def _score(self, due_ms: int, begin_ms: int, end_ms: int, usable_ms: int) -> list[ProsodyEvent]:
        settings, baseline = self._settings, self._baseline
        oldest = (end_ms - settings.window_ms) // HOP_MS
        while self._window and self._window[0].hop < oldest:
            self._window.popleft()
        while self._clipped and self._clipped[0][0] < oldest:
            self._clipped.popleft()
        flags: list[str] = []
        overdriven = sum(c for _, c in self._clipped) > settings.overdriven_share * len(
            self._clipped
        )
        if overdriven:
            flags.append("overdriven")
        table = np.array([(f.alpha_db, f.slope_db_oct, f.level_db) for f in self._window])
        alpha, slope, level = (float(x) for x in np.median(table, axis=0))
        enough = len(self._window) >= settings.min_window_frames
        z_alpha, z_slope = baseline.z("alpha_db", alpha), baseline.z("slope_db_oct", slope)
        z_tilt: float | None = None
        if enough and z_alpha is not None and z_slope is not None:
            z_tilt = (min(z_alpha, 2.0) + z_slope) / 2 if overdriven else (z_alpha + z_slope) / 2
        level_delta = baseline.delta("level_db", level)
        f0 = self._pitch(begin_ms, end_ms, z_tilt, level_delta, flags)
        values = WindowValues(alpha, slope, level, f0)
        z_f0 = baseline.z("f0_st", f0)
        floor = self._floor()
        snr = settings.snr_full_db if floor is None else level - floor
        score, extra, trust = self._fuse(z_tilt, z_f0, snr, flags)
        state = baseline.state
        if state == COLD:
            flags.append("baseline_cold")
        elif state == WARM:
            extra, trust = extra + settings.warm_extra, trust * 0.8
        tick = ScoredTick(
            at_ms=due_ms,
            begin_ms=begin_ms,
            end_ms=end_ms,
            usable_ms=usable_ms,
            score=score,
            extra=extra,
            trust=trust,
            level_delta_db=level_delta,
            f0_delta_st=baseline.delta("f0_st", f0),
            alpha_delta_db=baseline.delta("alpha_db", alpha),
        )
        frame = ProsodyFrame(
            at_ms=due_ms,
            channel=self._channel,
            begin_ms=begin_ms,
            end_ms=end_ms,
            usable_ms=usable_ms,
            level_db=round(level, 3),
            level_delta_db=rounded(level_delta),
            alpha_db=round(alpha, 3),
            slope_db_oct=round(slope, 3),
            f0_st=rounded(f0),
            f0_delta_st=rounded(tick.f0_delta_st),
            z_tilt=rounded(z_tilt),
            score=rounded(score),
            state=state,
            flags=tuple(flags),
        )
        events = self._raised.hear(tick)
        calm = ((z_tilt or 0.0) if score is None else score) < settings.score_off
        if enough and not self._raised.busy and (calm or state == COLD):
            self._baseline.learn(values, usable_ms)
        return [frame, *events]

    def _fuse(
        self, z_tilt: float | None, z_f0: float | None, snr: float, flags: list[str]
    ) -> tuple[float | None, float, float]:
        """Score, addition to the thresholds and factor on the confidence."""
        settings = self._settings
        if snr < settings.snr_abstain_db:
            flags.append("low_snr")
            return None, 0.0, 0.0
        if z_tilt is None:
            return None, 0.0, 1.0
        if snr < settings.snr_reduced_db:
            flags.append("low_snr")
            return z_tilt, 1.0, 0.8
        if z_f0 is None:
            return None, 0.0, 1.0
        if snr < settings.snr_full_db:
            return 0.7 * z_tilt + 0.3 * z_f0, 0.5, 0.8
        return 0.5 * z_tilt + 0.5 * z_f0, 0.0, 1.0

    def _pitch(
        self,
        begin_ms: int,
        end_ms: int,
        z_tilt: float | None,
        level_delta: float | None,
        flags: list[str],
    ) -> float | None:
        """Median pitch of the window, or None while the gate is shut or pitch is unsure."""
        settings = self._settings
        self._since_f0 += 1
        reason = (
            settings.f0_always_on
            or self._baseline.state != READY
            or (z_tilt is not None and z_tilt >= settings.gate_z_tilt)
            or (level_delta is not None and level_delta >= settings.gate_level_db)
            or self._raised.active
            or self._since_f0 >= settings.gate_refresh_ticks
        )
        self._idle = 0 if reason else self._idle + 1
        if self._idle > settings.gate_close_ticks or (self._track is None and not reason):
            self._close_pitch()
            return None
        self._since_f0 = 0
        hop = self._bank.hop
        earliest = max(0, (begin_ms - settings.window_ms) // HOP_MS)
        if self._track is None or self._fed < earliest * hop:
            self._close_pitch()
            self._track = self._open_pitch(earliest)
            self._fed = earliest * hop
        stop = min((end_ms + settings.lag_ms) * self._rate // 1000, self._base + len(self._samples))
        for at, semitones, confidence in self._track.push(
            self._samples[self._fed - self._base : stop - self._base]
        ):
            if confidence >= settings.voiced_confidence:
                self._f0[at] = semitones
        self._fed = stop
        voiced = [self._f0[f.hop] for f in self._window if f.hop in self._f0]
        if len(voiced) < settings.min_voiced_frames:
            return None
        f0, tilt = float(np.median(voiced)), z_tilt or 0.0
        last = self._last_f0
        if (
            last is not None
            and end_ms - last[0] < settings.silence_ms
            and abs(f0 - last[1]) > settings.octave_jump_st
            and abs(tilt - last[2]) < 1.0
        ):
            flags.append("octave_error")
            return None
        self._last_f0 = (end_ms, f0, tilt)
        return f0

    def _close_pitch(self) -> None:
        self._track = None
        self._f0.clear()

    def _floor(self) -> float | None:
        """10th percentile of frames without speech, or None before there are any."""
        if len(self._noise_db) < HOPS_PER_TICK:
            return None
        return float(np.percentile(self._noise_db, 10))

    def _is_speech(self, at_ms: int) -> bool:
        return any(start <= at_ms and (end is None or at_ms < end) for start, end in self._spans)

    def _trim(self) -> None:
        keep_ms = self._tick * TICK_MS - self._settings.window_ms - 2 * TICK_MS
        drop = max(0, keep_ms) * self._rate // 1000 - self._base
        if drop > 0:
            self._samples, self._known = self._samples[drop:], self._known[drop:]
            self._base += drop
        while self._spans and (end := self._spans[0][1]) is not None and end < keep_ms:
            self._spans.popleft()
        for hop in [h for h in self._f0 if h * HOP_MS < keep_ms]:
            del self._f0[hop]


def warm_up() -> None:
    """Pay for imports and models before the first call: one tick at each rate, one pitch block."""
    for rate in (8_000, 16_000):
        bank = SpectralBank(rate)
        bank.measure(np.zeros(bank.block, np.float32))
    pitch_module.warm_up()
