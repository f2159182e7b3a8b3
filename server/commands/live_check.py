"""`heartline live --check`: what is heard on which side, before it matters."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
import numpy as np

from audio.chunks import ANALYSIS_RATE_HZ, AudioChunk, Samples
from audio.resample import StreamingResampler
from audio.vad import STEPS, WINDOW_SAMPLES, SpeechProbability
from conversation.events import AudioGap, Channel

CHECK_S = 6
"""How long each of the two steps listens."""
_SPEECH = 0.5
"""A window of voice activity above this is speech, as in `audio.settings`."""
_ENOUGH_MS = 500
"""So much speech shows that somebody was heard (our choice)."""
_QUIET_DB, _LOUD_DB = -45.0, -6.0
"""Speech below or above this, dB of full scale, asks to turn it up or down (our choice)."""
_SAME = 0.98
"""Both sides carry one signal (`protocols.md` section 2)."""
_LEAK = 0.3
"""Likeness of one side to the other, at some delay, that shows an echo (our choice)."""
_LONGEST_ECHO_MS = 300


class Side(msgspec.Struct, frozen=True):
    """What one device brought during one step."""

    speech_ms: int
    level_db: float | None
    """Of the speech, dB of full scale; None without any."""
    heard_ms: int


class Check(msgspec.Struct, frozen=True):
    """What both devices brought while one party spoke."""

    agent: Side
    customer: Side
    likeness: float
    """Of the two signals, 0 to 1, at the delay where they are most alike."""
    together: float
    """The same without any delay."""


def listen(
    items: Iterable[AudioChunk | AudioGap], vads: dict[Channel, SpeechProbability], length_ms: int
) -> Check:
    """Listen to both devices until each has brought `length_ms`."""
    audio: dict[Channel, list[Samples]] = {channel: [] for channel in vads}
    resamplers: dict[Channel, StreamingResampler] = {}
    for item in items:
        if isinstance(item, AudioChunk):
            known = resamplers.setdefault(item.channel, StreamingResampler(item.sample_rate_hz))
            audio[item.channel].append(known.push(item.samples))
        if min(_length_ms(parts) for parts in audio.values()) >= length_ms:
            break
    whole = {c: np.concatenate([*parts, np.zeros(0, np.float32)]) for c, parts in audio.items()}
    agent, customer = (_side(whole[c], vads[c]) for c in (Channel.AGENT, Channel.CUSTOMER))
    likeness, together = _likeness(whole[Channel.AGENT], whole[Channel.CUSTOMER])
    return Check(agent, customer, likeness, together)


def verdict(speaking: Channel, check: Check) -> list[str]:
    """Say in sentences what was heard while one party was to speak."""
    sides = {Channel.AGENT: check.agent, Channel.CUSTOMER: check.customer}
    names = {Channel.AGENT: "your microphone", Channel.CUSTOMER: "the far end"}
    own, other = sides[speaking], sides[speaking.other]
    here, there = names[speaking], names[speaking.other]
    if check.together >= _SAME:
        return [f"Both devices bring one and the same signal; choose another one for {there}."]
    if own.speech_ms < _ENOUGH_MS and other.speech_ms >= _ENOUGH_MS:
        return [f"Speech came from {there} and not from {here}: swap the two devices."]
    if own.speech_ms < _ENOUGH_MS or own.level_db is None:
        return [f"No speech came from {here}; check that it is the right device and not muted."]
    said = [f"Speech comes from {here} at {own.level_db:.0f} dB."]
    if own.level_db < _QUIET_DB:
        said.append(f"That is faint: turn {here} up.")
    elif own.level_db > _LOUD_DB:
        said.append(f"That is too loud to be clean: turn {here} down.")
    if check.likeness >= _LEAK:
        said.append(f"It is heard on {there} too: wear a headset, or both sides seem to talk.")
    return said


def _length_ms(parts: list[Samples]) -> int:
    return sum(len(part) for part in parts) * 1_000 // ANALYSIS_RATE_HZ


def _side(samples: Samples, vad: SpeechProbability) -> Side:
    vad.feed(samples)
    speech = np.array(vad.take()).reshape(-1, STEPS).mean(axis=1) >= _SPEECH
    windows = samples[: len(speech) * WINDOW_SAMPLES].reshape(-1, WINDOW_SAMPLES)
    spoken = windows[speech]
    level_db = None
    if len(spoken):
        level_db = float(10 * np.log10(np.mean(np.square(spoken, dtype=np.float64)) + 1e-12))
    window_ms = WINDOW_SAMPLES * 1_000 // ANALYSIS_RATE_HZ
    return Side(int(speech.sum()) * window_ms, level_db, _length_ms([samples]))


def _likeness(left: Samples, right: Samples) -> tuple[float, float]:
    """Return the largest normalised correlation at any delay of an echo, and that at none."""
    count = min(len(left), len(right))
    energy = float(np.linalg.norm(left[:count]) * np.linalg.norm(right[:count]))
    if count == 0 or energy < 1e-9:
        return 0.0, 0.0
    size = 2 * count
    spectrum = np.fft.rfft(left[:count], size) * np.conj(np.fft.rfft(right[:count], size))
    alike = np.abs(np.fft.irfft(spectrum, size)) / energy
    reach = _LONGEST_ECHO_MS * ANALYSIS_RATE_HZ // 1_000
    return float(max(alike[:reach].max(), alike[-reach:].max())), float(alike[0])
