"""A headset: the trainee's microphone, and the customer in their ears."""

from __future__ import annotations

from typing import Any

import numpy as np

from audio.chunks import Samples
from audio.errors import DeviceMissing
from server.practice.spoken_call import BLOCK_MS, RATE_HZ


class Headset:
    """Microphone and loudspeaker in blocks; use as a context manager."""

    def __init__(self, microphone: int | None) -> None:
        self._microphone = microphone
        """Index of the device; None for the system's own choice."""
        self._input: Any = None
        self._output: Any = None

    def __enter__(self) -> Headset:
        try:
            import sounddevice
        except OSError as error:
            raise DeviceMissing(
                "The PortAudio library is missing; install the system package libportaudio2, or "
                "practise with --text."
            ) from error
        shape = {"samplerate": RATE_HZ, "channels": 1, "dtype": "float32"}
        shape["blocksize"] = RATE_HZ * BLOCK_MS // 1000
        try:
            self._input = sounddevice.InputStream(device=self._microphone, **shape)
            self._output = sounddevice.OutputStream(**shape)
            self._input.start()
            self._output.start()
        except sounddevice.PortAudioError as error:
            self.__exit__()
            raise DeviceMissing(
                f"Microphone or loudspeaker cannot be opened ({error}); `heartline devices` lists "
                "what there is, and --text needs neither."
            ) from error
        return self

    def __exit__(self, *exc_info: object) -> None:
        for stream in (self._input, self._output):
            if stream is not None:
                stream.stop()
                stream.close()

    def read(self, count: int, *, quiet: bool) -> Samples:
        """Wait for the next `count` samples of the microphone."""
        block, _ = self._input.read(count)
        return np.array(block[:, 0], dtype=np.float32)

    def play(self, samples: Samples) -> None:
        """Let the customer be heard."""
        self._output.write(samples[:, None])
