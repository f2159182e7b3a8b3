"""Time labels for speech tools: RTTM, Praat's TextGrid and Audacity's label track."""

from __future__ import annotations

import re
from collections.abc import Iterable

from conversation.events import Channel
from reports.exports.facts import INTERRUPTING
from reports.model import Report
from reports.spans import Span, subtract, union

_Labelled = tuple[int, int, str]
"""Begin, end, both in milliseconds, and text."""


def rttm(report: Report) -> bytes:
    """Write one `SPEAKER` line of ten fields per stretch of speech, by onset."""
    call = re.sub(r"\s+", "_", report.call.id) or "call"
    lines = [
        f"SPEAKER {call} 1 {s.begin_ms / 1000:.3f} {(s.end_ms - s.begin_ms) / 1000:.3f} "
        f"<NA> <NA> {s.channel} <NA> <NA>\n"
        for s in sorted(report.speech, key=lambda s: (s.begin_ms, s.channel))
    ]
    return "".join(lines).encode("utf-8")


def audacity(report: Report) -> bytes:
    """Write a label track: begin, end, text, separated by tabs, in seconds."""
    labels: list[_Labelled] = [
        *((p.start_ms, p.end_ms, f"{p.channel}: {p.text}") for p in report.transcript if p.text),
        *(
            (e.begin_ms, e.end_ms, f"{e.by} over {e.over}: {e.overlap_class}")
            for e in report.interruptions.events
            if e.overlap_class in INTERRUPTING
        ),
        *((c.raised_ms, c.raised_ms, f"cue: {c.text}") for c in report.cues),
    ]
    lines = [
        f"{begin / 1000:.6f}\t{end / 1000:.6f}\t{' '.join(text.split())}\n"
        for begin, end, text in sorted(labels)
    ]
    return "".join(lines).encode("utf-8")


def textgrid(report: Report) -> bytes:
    """Write a long TextGrid with one interval tier each for both sides and for overlaps.

    The intervals of a tier tile the whole call; an utterance that runs into the next one of its
    tier ends where that begins.
    """
    end_ms = max(
        [report.call.duration_ms, 1, *(p.end_ms for p in report.transcript)]
        + [s.end_ms for s in report.speech]
        + [e.end_ms for e in report.interruptions.events]
    )
    sides = report.call.channels if report.quality.direction_known else (Channel.MIXED,)
    tiers = [(str(side), _tile(_words(report, side), end_ms)) for side in sides]
    overlaps = [(e.begin_ms, e.end_ms, str(e.overlap_class)) for e in report.interruptions.events]
    tiers.append(("overlaps", _tile(overlaps, end_ms)))
    head = (
        'File type = "ooTextFile"\nObject class = "TextGrid"\n\n'
        f"xmin = 0 \nxmax = {end_ms / 1000} \ntiers? <exists> \nsize = {len(tiers)} \nitem []: \n"
    )
    body = "".join(_tier(i, name, tiles, end_ms) for i, (name, tiles) in enumerate(tiers, 1))
    return (head + body).encode("utf-8")


def _words(report: Report, side: Channel) -> list[_Labelled]:
    """Utterances of a side, and as `[speech]` what was heard without words."""
    said = [
        (p.start_ms, p.end_ms, p.text) for p in report.transcript if p.channel is side and p.text
    ]
    heard: list[Span] = union((s.begin_ms, s.end_ms) for s in report.speech if s.channel is side)
    wordless = subtract(heard, union((begin, end) for begin, end, _ in said)) if not said else []
    return [*said, *((begin, end, "[speech]") for begin, end in wordless)]


def _tile(labels: Iterable[_Labelled], end_ms: int) -> list[_Labelled]:
    ordered = sorted(label for label in labels if label[1] > label[0])
    tiles: list[_Labelled] = []
    at_ms = 0
    for index, (begin, end, text) in enumerate(ordered):
        begin = max(begin, at_ms)
        following = ordered[index + 1][0] if index + 1 < len(ordered) else end_ms
        end = min(end, max(following, begin), end_ms)
        if end <= begin:
            continue
        if begin > at_ms:
            tiles.append((at_ms, begin, ""))
        tiles.append((begin, end, text))
        at_ms = end
    if at_ms < end_ms:
        tiles.append((at_ms, end_ms, ""))
    return tiles


def _tier(index: int, name: str, tiles: list[_Labelled], end_ms: int) -> str:
    lines = [
        f"    item [{index}]:\n"
        '        class = "IntervalTier" \n'
        f'        name = "{name}" \n'
        "        xmin = 0 \n"
        f"        xmax = {end_ms / 1000} \n"
        f"        intervals: size = {len(tiles)} \n"
    ]
    for number, (begin, end, text) in enumerate(tiles, 1):
        quoted = " ".join(text.split()).replace('"', '""')
        lines.append(
            f"        intervals [{number}]:\n"
            f"            xmin = {begin / 1000} \n"
            f"            xmax = {end / 1000} \n"
            f'            text = "{quoted}" \n'
        )
    return "".join(lines)
