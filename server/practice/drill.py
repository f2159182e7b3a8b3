"""A drill out of one's own call: the moment of an interruption, once more."""

from __future__ import annotations

import numpy as np

from audio.chunks import Samples
from audio.sources import Recording
from conversation.events import Channel, OverlapClass
from reports.model import InterruptionPart, Report, TranscriptPart
from server.practice.scenario import MAX_WORDS, Feeling, Scenario, ScenarioError, Stage
from server.practice.spoken_call import RATE_HZ

_DRILLED = (
    OverlapClass.SUCCESSFUL,
    OverlapClass.TALK_OVER,
    OverlapClass.BUTTING_IN,
    OverlapClass.PAUSE_CUT_IN,
)
_AFTER_MS = 8_000
"""How long after the cut the customer may take up what they were saying."""
_MARGIN_MS = 200
_ANSWERS = ("paraphrase", "acknowledge_feeling", "open_question", "apology")


def drill(report: Report, event_id: str) -> tuple[Scenario, tuple[int, int]]:
    """Make a scenario of one interruption by the agent.

    Returns:
        The scenario, and from when to when the customer's own words are in the recording.

    Raises:
        ScenarioError: there is no such interruption, or it has no words.
    """
    event = _event(report, event_id)
    said = [
        part
        for part in report.transcript
        if part.channel is Channel.CUSTOMER
        and part.text
        and part.end_ms > event.begin_ms - 1_000
        and part.start_ms < event.begin_ms + _AFTER_MS
    ]
    before = [part for part in said if part.start_ms <= event.begin_ms]
    if not before:
        raise ScenarioError(
            f"What the customer said at the interruption {event_id} was not transcribed, so there "
            "is nothing to practise with; choose another event."
        )
    chosen = [before[-1], *(part for part in said if part.start_ms > event.begin_ms)]
    line = Stage(
        says=_words(chosen),
        wants=_ANSWERS,
        then="heard",
        otherwise="again",
        model_reply="Let them end, count two, then say what you understood.",
    )
    scenario = Scenario(
        id=f"{report.call.id}-{event_id}",
        language=report.call.language,
        title="The moment when you came in",
        situation="In your own call you came in before the customer had ended. Here they are "
        "once more: let them end, wait two beats, and say in one sentence what you understood.",
        facts=(),
        goals=("let_finish", "paraphrase"),
        openings=("line",),
        end_when=("heard", "again"),
        feelings=(Feeling(stage="line", words=("interrupted|cut off|not heard|unheard",)),),
        stages={
            "line": line,
            "heard": Stage(says="Yes, exactly."),
            "again": Stage(says="That is not quite what I said."),
        },
    )
    return scenario, (chosen[0].start_ms, chosen[-1].end_ms)


def drill_lines(recording: Recording, span_ms: tuple[int, int]) -> dict[str, Samples]:
    """Cut the customer's own words out of the recording; the closing lines are silence.

    Raises:
        ScenarioError: the recording does not hold the customer alone.
    """
    import soxr

    if Channel.CUSTOMER not in recording.channels:
        raise ScenarioError("The recording has both sides on one channel; practise with --text.")
    samples, rate_hz = recording.samples(Channel.CUSTOMER), recording.sample_rate_hz
    begin, end = ((ms * rate_hz) // 1000 for ms in (
        max(0, span_ms[0] - _MARGIN_MS), span_ms[1] + _MARGIN_MS
    ))  # fmt: skip
    line: Samples = soxr.resample(samples[begin:end], rate_hz, RATE_HZ).astype(np.float32)
    quiet = np.zeros(RATE_HZ // 2, np.float32)
    return {"line": line, "heard": quiet, "again": quiet}


def _event(report: Report, event_id: str) -> InterruptionPart:
    own = [
        event
        for event in report.interruptions.events
        if event.by is Channel.AGENT and event.overlap_class in _DRILLED
    ]
    for event in own:
        if event.id == event_id:
            return event
    known = ", ".join(event.id for event in own) or "none"
    raise ScenarioError(
        f"There is no interruption '{event_id}' by the agent in this report; there is: {known}."
    )


def _words(parts: list[TranscriptPart]) -> str:
    words = " ".join(part.text or "" for part in parts).split()
    return " ".join(words[:MAX_WORDS])
