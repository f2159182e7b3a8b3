"""Voice activity: what is scored together gets the same bits as what is scored alone."""

from __future__ import annotations

import numpy as np
import pytest

from audio.sources import open_recording
from audio.vad import SileroVad, VadStream
from server.analyze import SAMPLE

pytestmark = pytest.mark.model
_STREAMS = 12


def test_streams_scored_together_get_what_each_gets_alone() -> None:
    model = SileroVad()
    model.load()
    call = open_recording(SAMPLE)
    whole = np.repeat(call.samples(call.channels[0]), 2)
    parts = [whole[n * 5_000 : n * 5_000 + 60_000 + 512 * n] for n in range(_STREAMS)]
    alone = []
    for part in parts:
        stream = VadStream(model)
        stream.feed(part)
        alone.append(stream.take())
    together = [VadStream(model) for _ in parts]
    found: list[list[float]] = [[] for _ in parts]
    for begin in range(0, len(parts[-1]), 1_600):
        for stream, part in zip(together, parts, strict=True):
            stream.feed(part[begin : begin + 1_600])
        model.score(together)
        for stream, probabilities in zip(together, found, strict=True):
            probabilities += stream.take()
    assert found == alone
    assert max(alone[0]) > 0.9 > 0.1 > min(alone[0])
