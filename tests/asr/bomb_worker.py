"""A worker that some audio is too much for; the first sample says how.

1 kills it, 2 makes it hang, 3 eats some memory and 4 all of it.
"""

from __future__ import annotations

import os
import time

import numpy as np

from asr import worker
from asr.engine import Decoded, Engine, Request

_MIB = 1 << 20


class BombEngine(Engine):
    """Does what the audio says instead of decoding it; keeps what it ate."""

    eaten: list[np.ndarray] = []  # noqa: RUF012 - of this process, on purpose

    def load(self) -> None:
        """Load nothing."""

    def decode(self, samples: np.ndarray, request: Request) -> Decoded:
        """Obey the first sample."""
        order = round(float(samples[0]) * 32768)
        if order == 1:
            os._exit(1)
        if order == 2:
            time.sleep(3_600)
        if order == 3:
            self.eaten.append(np.ones(200 * _MIB, dtype=np.uint8))
        if order == 4:
            while True:
                self.eaten.append(np.ones(100 * _MIB, dtype=np.uint8))
                time.sleep(0.05)
        return Decoded(text=f"pid {os.getpid()} order {order}")


if __name__ == "__main__":
    vars(worker)["Engine"] = BombEngine
    worker.main()
