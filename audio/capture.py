"""Two sound devices as the two channels of a call."""

from __future__ import annotations

import contextlib
import queue
import time
from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np

from audio.chunks import AudioChunk, Samples
from audio.errors import DeviceMissing
from conversation.events import AudioGap, Channel

_BLOCK_MS = 20
_QUEUE_BLOCKS = 250
"""Blocks that may wait, 5 s; beyond that audio becomes an `overrun` gap, never silence."""
_SILENT_DEVICE_S = 5.0
"""A device that delivers nothing for so long is taken for unplugged."""
_LOOK_S = 0.5


class DeviceInfo(msgspec.Struct, frozen=True, kw_only=True):
    """One input device."""

    index: int
    name: str
    channels: int
    default_rate_hz: int


def list_devices() -> list[DeviceInfo]:
    """Return all input devices.

    Raises:
        DeviceMissing: the PortAudio library is missing, or it finds no input device.
    """
    sounddevice = _sounddevice()
    devices = [
        DeviceInfo(
            index=index,
            name=str(device["name"]),
            channels=int(device["max_input_channels"]),
            default_rate_hz=int(device["default_samplerate"]),
        )
        for index, device in enumerate(sounddevice.query_devices())
        if device["max_input_channels"] > 0
    ]
    if not devices:
        raise DeviceMissing(
            "No sound input device was found; plug one in or start the sound server."
        )
    return devices


def find_device(wanted: str) -> DeviceInfo:
    """Return the device with this index, or the only one whose name contains these words.

    Raises:
        DeviceMissing: none fits, or several do.
    """
    devices = list_devices()
    if wanted.isdigit():
        fitting = [device for device in devices if device.index == int(wanted)]
    else:
        fitting = [device for device in devices if wanted.lower() in device.name.lower()]
    if len(fitting) != 1:
        known = ", ".join(f"{device.index} {device.name}" for device in fitting or devices)
        problem = "fits several devices" if fitting else "is not a sound input device"
        raise DeviceMissing(f"'{wanted}' {problem}: {known}.")
    return fitting[0]


class MicrophonePair:
    """Captures the agent's microphone and the far end; use as a context manager."""

    def __init__(self, agent_device: int, customer_device: int, sample_rate_hz: int) -> None:
        self.sample_rate_hz = sample_rate_hz
        self._devices = {Channel.AGENT: agent_device, Channel.CUSTOMER: customer_device}
        self._queue: queue.Queue[tuple[Channel, int, Samples]] = queue.Queue(_QUEUE_BLOCKS)
        self._captured = dict.fromkeys(self._devices, 0)
        self._next = dict.fromkeys(self._devices, 0)
        self._streams: list[Any] = []

    def __enter__(self) -> MicrophonePair:
        sounddevice = _sounddevice()
        for channel, device in self._devices.items():
            try:
                stream = sounddevice.InputStream(
                    device=device,
                    samplerate=self.sample_rate_hz,
                    channels=1,
                    dtype="float32",
                    blocksize=self.sample_rate_hz * _BLOCK_MS // 1000,
                    callback=self._callback(channel),
                )
                self._streams.append(stream)
                stream.start()
            except sounddevice.PortAudioError as error:
                self.__exit__()
                raise DeviceMissing(
                    f"Device {device} cannot be opened at {self.sample_rate_hz} Hz ({error}); "
                    "`heartline devices` lists what there is."
                ) from error
        return self

    def __exit__(self, *exc_info: object) -> None:
        for stream in self._streams:
            stream.stop()
            stream.close()
        self._streams = []

    def _callback(self, channel: Channel) -> Any:
        expected_s: float | None = None

        def receive(block: Samples, frames: int, clock: Any, status: Any) -> None:
            nonlocal expected_s
            if status and status.input_overflow and expected_s is not None:
                lost = round((clock.inputBufferAdcTime - expected_s) * self.sample_rate_hz)
                self._captured[channel] += max(0, lost)
            if clock is not None:
                expected_s = clock.inputBufferAdcTime + frames / self.sample_rate_hz
            first = self._captured[channel]
            self._captured[channel] += frames
            # A block that finds the queue full shows as a jump of `first`, which `items` reports.
            with contextlib.suppress(queue.Full):
                self._queue.put_nowait((channel, first, np.array(block[:, 0], dtype=np.float32)))

        return receive

    def items(self) -> Iterator[AudioChunk | AudioGap]:
        """Yield chunks, and gaps where audio was lost, until the caller stops.

        Raises:
            DeviceMissing: a device stopped delivering, as when it is unplugged.
        """
        heard_s = dict.fromkeys(self._devices, time.monotonic())
        while True:
            for channel, last_s in heard_s.items():
                if time.monotonic() - last_s > _SILENT_DEVICE_S:
                    raise DeviceMissing(
                        f"The {channel} device {self._devices[channel]} stopped delivering audio; "
                        "plug it in again and start anew."
                    )
            try:
                channel, first, block = self._queue.get(timeout=_LOOK_S)
            except queue.Empty:
                continue
            heard_s[channel] = time.monotonic()
            begin, self._next[channel] = self._next[channel], first
            if first > begin:
                yield AudioGap(
                    at_ms=first * 1000 // self.sample_rate_hz,
                    channel=channel,
                    begin_ms=begin * 1000 // self.sample_rate_hz,
                    end_ms=first * 1000 // self.sample_rate_hz,
                    reason="overrun",
                )
            yield AudioChunk(
                channel=channel,
                first_sample=self._next[channel],
                samples=block,
                sample_rate_hz=self.sample_rate_hz,
            )
            self._next[channel] += len(block)


def _sounddevice() -> Any:
    try:
        import sounddevice
    except OSError as error:
        raise DeviceMissing(
            "The PortAudio library is missing; install the system package libportaudio2."
        ) from error
    return sounddevice
