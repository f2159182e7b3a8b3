"""Offline analysis: the live path on a virtual clock, then the post-call pass and the report."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from audio.sources import Recording
from conversation.conversation import Conversation
from conversation.events import (
    CallEnded,
    CallStarted,
    Channel,
    Event,
    EventLog,
    FinalTranscript,
    Observation,
    SpeechEnded,
    SpeechStarted,
    Word,
)
from conversation.redaction import Redactor
from reports.build import build_report
from reports.exports import export
from reports.html import render_html
from reports.model import PracticePart, Report, encode
from server.act_model import ActModel, CallScorer
from server.hearing import Hearing, HearingSettings
from server.opening import open_session
from server.rules_folder import RuleSource
from server.session import Clock

SAMPLE = Path(__file__).parent / "sample" / "call.flac"
"""The bundled call."""
_LOOK_AHEAD_MS = 30_000
"""How far hearing may run ahead of the recogniser, so that its workers always have work; two
utterances of the longest kind."""
Progress = Callable[[int, int], None]
"""Told the stream position and the length of the call in milliseconds, now and then."""


class TranscriptError(Exception):
    """A `*.transcript.json` file is not what its format says."""

    code = "bad_transcript"


def analyze_recording(
    recording: Recording,
    hearing: Hearing,
    *,
    call_id: str,
    started_at: str,
    agent: str | None = None,
    progress: Progress | None = None,
) -> list[Event]:
    """Return the journal of a recording, the same for the same audio, model and settings."""
    session = open_session(
        call_id=call_id,
        channels=recording.channels,
        sample_rate_hz=recording.sample_rate_hz,
        source="file",
        started_at=started_at,
        hearing=hearing,
        agent=agent,
        clock=Clock.VIRTUAL,
        look_ahead_ms=_LOOK_AHEAD_MS,
    )
    events = session.opening_events()
    for block in recording.blocks(100):
        events += session.push(block)
        if progress is not None:
            progress(session.position_ms, recording.duration_ms)
    events += session.finish()
    return events


class Turn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One turn of a transcript with times."""

    channel: Channel
    start_ms: int
    end_ms: int
    text: str


class _Transcript(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    turns: list[Turn]


def analyze_transcript(
    path: Path,
    settings: HearingSettings,
    *,
    call_id: str,
    started_at: str,
    act_model: ActModel | None = None,
) -> list[Event]:
    """Run the core over a transcript with times, words spread evenly over each turn.

    Without an act model, acts come from patterns alone.

    Raises:
        TranscriptError: the file is not `{turns: [{channel, start_ms, end_ms, text}]}`.
    """
    try:
        transcript = msgspec.json.decode(path.read_bytes(), type=_Transcript)
    except msgspec.MsgspecError as error:
        raise TranscriptError(
            f"{path.name} is not a transcript ({error}); expected "
            '{"turns": [{"channel", "start_ms", "end_ms", "text"}]}.'
        ) from error
    observations = sorted(
        (
            event
            for i, turn in enumerate(transcript.turns)
            for event in spoken_turn(i, turn, path.name)
        ),
        key=lambda event: (event.at_ms, getattr(event, "channel", "")),
    )
    end_ms = max((event.at_ms for event in observations), default=0)
    rules = RuleSource(settings.rules, settings.conversation.locale).current()
    started = CallStarted(
        at_ms=0,
        call_id=call_id,
        started_at=started_at,
        channels=(Channel.AGENT, Channel.CUSTOMER),
        source="transcript",
        settings=msgspec.to_builtins(settings.conversation),
        rules=rules.tables,
        language_overlay=rules.overlay,
        rules_sha256=rules.sha256,
    )
    core, redactor = Conversation.for_call(started), Redactor()
    scorer = None if act_model is None else CallScorer(act_model, timely=False)
    seen: list[Observation] = []
    events: list[Event] = []
    for observation in [started, *observations, CallEnded(at_ms=end_ms)]:
        if isinstance(observation, FinalTranscript):
            observation = redactor.redact(observation)
            scored = None if scorer is None else scorer.score(observation)
            if scored is not None:
                seen.append(scored)
                events += [scored, *core.receive(scored)]
        seen.append(observation)
        events += [observation, *core.receive(observation)]
    return events + list(core.final_pass(seen))


def spoken_turn(
    index: int, turn: Turn, name: str
) -> list[SpeechStarted | SpeechEnded | FinalTranscript]:
    """Return what would be heard of a turn, its words spread evenly over it.

    Raises:
        TranscriptError: it does not end after it begins.
    """
    if turn.end_ms <= turn.start_ms or turn.start_ms < 0:
        raise TranscriptError(
            f"{name}: turn {index} runs from {turn.start_ms} to {turn.end_ms} ms; "
            "end_ms must be larger than start_ms, and both at least 0."
        )
    texts = turn.text.split()
    step = (turn.end_ms - turn.start_ms) / max(1, len(texts))
    words = tuple(
        Word(
            text=text,
            start_ms=round(turn.start_ms + i * step),
            end_ms=round(turn.start_ms + (i + 1) * step),
            probability=1.0,
        )
        for i, text in enumerate(texts)
    )
    return [
        SpeechStarted(at_ms=turn.start_ms + 96, channel=turn.channel, start_ms=turn.start_ms),
        SpeechEnded(
            at_ms=turn.end_ms + 96,
            channel=turn.channel,
            start_ms=turn.start_ms,
            end_ms=turn.end_ms,
        ),
        FinalTranscript(
            at_ms=turn.end_ms + 750,
            channel=turn.channel,
            utterance_id=f"t-{index}",
            rev=1,
            start_ms=turn.start_ms,
            end_ms=turn.end_ms,
            text=turn.text,
            words=words,
        ),
    ]


def write_outputs(
    events: list[Event],
    folder: Path,
    exports: Sequence[str] = (),
    practice: PracticePart | None = None,
) -> Report:
    """Write `report.json`, `report.html` and `events.jsonl` into `folder` and return the report.

    Args:
        events: the journal of the call.
        folder: made where it is missing.
        exports: further formats, keys of `reports.exports.EXPORTS`.
        practice: what belongs to a practice run.
    """
    report = msgspec.structs.replace(build_report(events), practice=practice)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.json").write_bytes(encode(report))
    (folder / "report.html").write_text(render_html(report), encoding="utf-8")
    with (folder / "events.jsonl").open("wb") as log:
        log.writelines(EventLog.encode(event) + b"\n" for event in events)
    for name in exports:
        for file, content in export(name, report, events).items():
            (folder / file).write_bytes(content)
    return report
