"""Recordings: files of any common kind, pairs of files, folders, and arrays in memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt

from audio.chunks import AudioChunk, Samples
from audio.errors import (
    AudioError,
    BadSamples,
    EmptyAudio,
    TruncatedAudio,
    UnreadableAudio,
    UnsupportedFormat,
)
from audio.truncation import flac_frames, refuse_truncated
from conversation.events import AudioGap, Channel

AUDIO_SUFFIXES = frozenset(
    {".wav", ".flac", ".mp3", ".ogg", ".m4a", ".aac", ".opus", ".au", ".aiff"}
)
_LOWEST_RATE_HZ, _HIGHEST_RATE_HZ = 8_000, 192_000
_SAME_SIGNAL_CORRELATION = 0.98
"""Two channels above this are one signal (`protocols.md` section 2)."""


class Recording:
    """A call recording in memory: one array per channel, on one clock."""

    def __init__(self, samples: Mapping[Channel, Samples], sample_rate_hz: int, name: str) -> None:
        if not _LOWEST_RATE_HZ <= sample_rate_hz <= _HIGHEST_RATE_HZ:
            raise UnsupportedFormat(
                f"{name} has {sample_rate_hz} Hz; rates from {_LOWEST_RATE_HZ} to "
                f"{_HIGHEST_RATE_HZ} Hz can be used."
            )
        longest = max((len(channel) for channel in samples.values()), default=0)
        if longest == 0:
            raise EmptyAudio(f"{name} holds no audio; check that the recording finished.")
        for channel in samples.values():
            if not np.isfinite(channel).all():
                raise BadSamples(
                    f"{name} has samples that are not finite numbers; export it again as PCM."
                )
        self.name = name
        self.sample_rate_hz = sample_rate_hz
        self._samples = {channel: values.astype(np.float32) for channel, values in samples.items()}
        self._length = longest

    @property
    def channels(self) -> tuple[Channel, ...]:
        """Who is heard, in channel order."""
        return tuple(self._samples)

    @property
    def duration_ms(self) -> int:
        """Length of the recording."""
        return self._length * 1000 // self.sample_rate_hz

    def samples(self, channel: Channel) -> Samples:
        """All samples of a channel, float32, shape (n,), -1..1."""
        return self._samples[channel]

    def blocks(self, block_ms: int = 100) -> Iterator[list[AudioChunk | AudioGap]]:
        """Yield the recording in blocks of at most `block_ms`, one chunk per channel.

        Where one channel is shorter, a block ends with it; the next holds a gap for the rest of
        that channel, and from there on the other goes alone.
        """
        step = max(1, self.sample_rate_hz * block_ms // 1000)
        ends = {len(values) for values in self._samples.values()}
        edges = sorted({*range(0, self._length, step), *ends})
        for first, last in pairwise(edges):
            yield [*self._ended_at(first), *self._chunks(first, last)]

    def _chunks(self, first: int, last: int) -> Iterator[AudioChunk]:
        for channel, values in self._samples.items():
            if len(values) > first:
                yield AudioChunk(
                    channel=channel,
                    first_sample=first,
                    samples=values[first:last],
                    sample_rate_hz=self.sample_rate_hz,
                )

    def _ended_at(self, sample: int) -> Iterator[AudioGap]:
        for channel, values in self._samples.items():
            if len(values) == sample:
                yield AudioGap(
                    at_ms=self.duration_ms,
                    channel=channel,
                    begin_ms=sample * 1000 // self.sample_rate_hz,
                    end_ms=self.duration_ms,
                    reason="loss",
                )


def open_recording(
    path: Path, *, customer_path: Path | None = None, agent_channel: int = 0
) -> Recording:
    """Read a call: stereo as agent and customer, mono as both mixed, or one file for each.

    Raises:
        UnreadableAudio: missing, or not audio.
        TruncatedAudio: less audio than the header promises.
        EmptyAudio, BadSamples, UnsupportedFormat: as their names say.
    """
    if agent_channel not in (0, 1):
        raise UnsupportedFormat(f"The agent's channel is 0 or 1, not {agent_channel}.")
    values, rate_hz = read_audio(path)
    if customer_path is not None:
        other, other_rate_hz = read_audio(customer_path)
        if values.shape[1] != 1 or other.shape[1] != 1 or rate_hz != other_rate_hz:
            raise UnsupportedFormat(
                f"{path.name} and {customer_path.name} must both be mono and of one rate; they are "
                f"{values.shape[1]} x {rate_hz} Hz and {other.shape[1]} x {other_rate_hz} Hz."
            )
        if _is_one_signal(values[:, 0], other[:, 0]):
            return Recording({Channel.MIXED: values[:, 0]}, rate_hz, path.name)
        return Recording(
            {Channel.AGENT: values[:, 0], Channel.CUSTOMER: other[:, 0]}, rate_hz, path.name
        )
    if values.shape[1] == 1:
        return Recording({Channel.MIXED: values[:, 0]}, rate_hz, path.name)
    if values.shape[1] > 2:
        raise UnsupportedFormat(
            f"{path.name} has {values.shape[1]} channels; a call has one or two."
        )
    if _is_one_signal(values[:, 0], values[:, 1]):
        return Recording({Channel.MIXED: values[:, 0]}, rate_hz, path.name)
    agent, customer = values[:, agent_channel], values[:, 1 - agent_channel]
    return Recording({Channel.AGENT: agent, Channel.CUSTOMER: customer}, rate_hz, path.name)


def list_recordings(folder: Path) -> list[Path]:
    """Return the audio files of a folder, sorted by name.

    Raises:
        EmptyAudio: there are none.
    """
    found = sorted(p for p in folder.iterdir() if p.suffix.lower() in AUDIO_SUFFIXES)
    if not found:
        raise EmptyAudio(f"The folder {folder} holds no audio files.")
    return found


def read_audio(path: Path) -> tuple[npt.NDArray[np.float32], int]:
    """Read a whole file as float32, shape (n, channels), and its rate in Hz.

    Raises:
        AudioError: one of its kinds, naming the file and the reason.
    """
    if not path.is_file():
        raise UnreadableAudio(f"There is no audio file at {path}; check the path.")
    if path.stat().st_size == 0:
        raise EmptyAudio(f"{path.name} is empty (0 bytes); check that the recording finished.")
    refuse_truncated(path)
    import soundfile

    try:
        values, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
    except soundfile.LibsndfileError:
        values, rate_hz = _read_compressed(path)
    promised = flac_frames(path)
    if promised is not None and len(values) < promised:
        raise TruncatedAudio(
            f"{path.name} is cut short: its header promises {promised} samples and {len(values)} "
            "can be read; copy the recording again."
        )
    if len(values) == 0:
        raise EmptyAudio(f"{path.name} holds no audio; check that the recording finished.")
    return values, int(rate_hz)


def _read_compressed(path: Path) -> tuple[npt.NDArray[np.float32], int]:
    import av

    try:
        with av.open(str(path)) as container:
            stream = container.streams.audio[0]
            rate_hz = stream.rate
            resampler = av.AudioResampler(format="fltp", rate=rate_hz)
            parts = [
                converted.to_ndarray()
                for frame in container.decode(stream)
                for converted in resampler.resample(frame)
            ]
    except (av.FFmpegError, IndexError, ValueError) as error:
        if flac_frames(path) is not None:
            raise TruncatedAudio(
                f"{path.name} is a FLAC file that is cut short or damaged; copy the recording "
                "again."
            ) from error
        raise UnreadableAudio(
            f"{path.name} cannot be read as audio; expected WAV, FLAC, MP3, Ogg or M4A."
        ) from error
    if not parts:
        raise EmptyAudio(f"{path.name} holds no audio; check that the recording finished.")
    return np.concatenate(parts, axis=1).T.astype(np.float32), int(rate_hz)


def _is_one_signal(one: npt.NDArray[np.float32], other: npt.NDArray[np.float32]) -> bool:
    both = min(len(one), len(other))
    left, right = one[:both].astype(np.float64), other[:both].astype(np.float64)
    energy = float(np.dot(left, left) * np.dot(right, right))
    if energy == 0.0 or not np.isfinite(energy):
        return False
    return bool(float(np.dot(left, right)) >= _SAME_SIGNAL_CORRELATION * energy**0.5)


__all__ = [
    "AUDIO_SUFFIXES",
    "AudioError",
    "Recording",
    "list_recordings",
    "open_recording",
    "read_audio",
]
