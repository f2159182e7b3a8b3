"""G.711 µ-law and A-law by table (ITU-T G.711)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from audio.chunks import Samples


def _mulaw_table() -> npt.NDArray[np.int16]:
    code = ~np.arange(256, dtype=np.int32) & 0xFF
    magnitude = (((code & 0x0F) << 3) + 0x84 << ((code & 0x70) >> 4)) - 0x84
    return np.where(code & 0x80, -magnitude, magnitude).astype("<i2")


def _alaw_table() -> npt.NDArray[np.int16]:
    code = np.arange(256, dtype=np.int32) ^ 0x55
    exponent = (code & 0x70) >> 4
    mantissa = (code & 0x0F) << 4
    magnitude = np.where(
        exponent == 0, mantissa + 8, (mantissa + 0x108) << np.maximum(exponent - 1, 0)
    )
    return np.where(code & 0x80, magnitude, -magnitude).astype("<i2")


MULAW_TABLE = _mulaw_table()
"""int16 value of each µ-law byte, shape (256,)."""
ALAW_TABLE = _alaw_table()
"""int16 value of each A-law byte, shape (256,)."""


def decode(data: bytes, encoding: str) -> Samples:
    """Decode `pcm_s16le`, `mulaw` or `alaw` bytes to float32 samples in -1..1.

    Raises:
        KeyError: an unknown encoding.
        ValueError: an odd number of bytes of 16-bit samples.
    """
    if encoding == "pcm_s16le":
        values = np.frombuffer(data, dtype="<i2")
    else:
        table = {"mulaw": MULAW_TABLE, "alaw": ALAW_TABLE}[encoding]
        values = table[np.frombuffer(data, dtype=np.uint8)]
    return values.astype(np.float32) / np.float32(32768.0)


def encode_mulaw(samples: Samples) -> bytes:
    """Encode float32 samples in -1..1 as µ-law bytes, to the nearest table value."""
    order = np.argsort(MULAW_TABLE, kind="stable")
    values = MULAW_TABLE[order].astype(np.float32)
    edges = (values[1:] + values[:-1]) / 2
    index = np.searchsorted(edges, np.clip(samples, -1, 1) * np.float32(32768.0))
    return bytes(order[index].astype(np.uint8))
