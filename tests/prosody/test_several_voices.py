"""From sound to "more than one person": what the gates of the pitch let through is enough."""

from __future__ import annotations

import numpy as np
import pytest

from conversation.events import Channel, LineDoubted, SpeechEnded, SpeechStarted
from conversation.interaction import Interaction
from conversation.settings import ConversationSettings
from tests.prosody.voices import frames, run, voice

SPOKEN_MS, TURN_MS = 4_000, 5_000
LATER = "LLHLLHLHLLHLLH"


def told(turns: str, tilt_db: float) -> list[LineDoubted]:
    """What is said where every `H` is ten semitones higher than `L`, and brighter by so much."""
    silence = np.random.default_rng(1).normal(0, 1e-3, 8 * (TURN_MS - SPOKEN_MS))
    parts = []
    for number, turn in enumerate(turns):
        raised = (0.0, 9.0) if turn == "H" else (0.0, 0.0)
        said = voice(SPOKEN_MS / 1000, raised=raised, semitones=10, tilt_db=tilt_db, seed=number)
        parts += [said, silence.astype(np.float32)]
    spans = [(i * TURN_MS, i * TURN_MS + SPOKEN_MS) for i in range(len(turns))]
    heard = frames(run(np.concatenate(parts), spans, chunks=(800,)))
    speech = [
        event
        for start, end in spans
        for event in (
            SpeechStarted(at_ms=start + 96, channel=Channel.CUSTOMER, start_ms=start),
            SpeechEnded(at_ms=end + 96, channel=Channel.CUSTOMER, start_ms=start, end_ms=end),
        )
    ]
    core = Interaction(ConversationSettings())
    found = []
    for event in sorted([*speech, *heard], key=lambda event: event.at_ms):
        found += [derived for derived in core.observe(event) if isinstance(derived, LineDoubted)]
    return found


@pytest.mark.model
def test_a_second_lower_voice_is_heard_in_the_sound_of_a_line() -> None:
    found = told("HHHHHH" + LATER, tilt_db=0)
    assert [(doubt.code, doubt.channel) for doubt in found] == [
        ("several_voices", Channel.CUSTOMER)
    ]
    assert 6 * TURN_MS <= found[0].begin_ms <= 9 * TURN_MS


@pytest.mark.model
@pytest.mark.parametrize("first", ["L", "H"])
def test_somebody_who_shouts_and_calms_down_again_is_one_person(first: str) -> None:
    assert told(first * 6 + LATER, tilt_db=9) == []
