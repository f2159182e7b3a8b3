"""Captions: WebVTT with speakers and notes of interruptions, and SubRip."""

from __future__ import annotations

from conversation.events import Channel
from reports.exports.facts import INTERRUPTING, counted
from reports.model import Report, TranscriptPart

SPEAKERS = {Channel.AGENT: "Agent", Channel.CUSTOMER: "Customer", Channel.MIXED: "Call"}


def webvtt(report: Report) -> bytes:
    """Write WebVTT: cue id = utterance id, a voice span per cue, a NOTE per interruption."""
    notes = [
        (
            event.begin_ms,
            f"NOTE\nThe {event.by} came in on the {event.over} at {_time(event.begin_ms, '.')} "
            f"({event.overlap_class})",
        )
        for event in counted(report)
        if event.overlap_class in INTERRUPTING
    ]
    cues = [
        (
            part.start_ms,
            f"{_one_line(part.id)}\n{_span(part, '.')}\n"
            f"<v {SPEAKERS[part.channel]}>{_escape(_one_line(part.text or ''))}",
        )
        for part in _spoken(report)
    ]
    blocks = sorted([*notes, *cues], key=lambda block: block[0])
    return "\n\n".join(["WEBVTT", *(text for _, text in blocks)]).encode("utf-8") + b"\n"


def srt(report: Report) -> bytes:
    """Write SubRip: numbered cues, comma milliseconds, the speaker in front of the words."""
    cues = [
        f"{number}\n{_span(part, ',')}\n{SPEAKERS[part.channel]}: {_one_line(part.text or '')}\n"
        for number, part in enumerate(_spoken(report), 1)
    ]
    return "\n".join(cues).encode("utf-8")


def _spoken(report: Report) -> list[TranscriptPart]:
    """Utterances with words; a cue must end after it begins."""
    return [part for part in report.transcript if part.text and part.end_ms > part.start_ms]


def _span(part: TranscriptPart, mark: str) -> str:
    return f"{_time(part.start_ms, mark)} --> {_time(part.end_ms, mark)}"


def _time(at_ms: int, mark: str) -> str:
    seconds, ms = divmod(at_ms, 1000)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}{mark}{ms:03d}"


def _one_line(text: str) -> str:
    """Fold white space: an empty line would end the cue."""
    return " ".join(text.split())


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
