"""Writers of a report in other people's formats, each a pure function of report and event log.

    files = export("vtt", report, events)   # {"transcript.vtt": b"WEBVTT ..."}

What is unknown is left out or written as null or an empty cell, never as zero.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from conversation.events import Event
from reports.exports.contact_lens import post_call, real_time
from reports.exports.labels import audacity, rttm, textgrid
from reports.exports.subtitles import srt, webvtt
from reports.exports.tables import csv_files
from reports.exports.vcon import vcon
from reports.model import Report

Files = dict[str, bytes]
"""File name to content."""


class ExportError(ValueError):
    """There is no export of this name."""

    code = "unknown_export"


class Export(msgspec.Struct, frozen=True, kw_only=True):
    """One format."""

    write: Callable[[Report, Sequence[Event]], Files]
    media_type: str
    about: str
    """What it is for, in a few words."""


EXPORTS: dict[str, Export] = {
    "csv": Export(
        write=lambda report, _: csv_files(report),
        media_type="text/csv; charset=utf-8",
        about="interruptions, cues, promises and scorecard for a spreadsheet",
    ),
    "vtt": Export(
        write=lambda report, _: {"transcript.vtt": webvtt(report)},
        media_type="text/vtt; charset=utf-8",
        about="transcript as WebVTT captions",
    ),
    "srt": Export(
        write=lambda report, _: {"transcript.srt": srt(report)},
        media_type="application/x-subrip; charset=utf-8",
        about="transcript as SubRip captions",
    ),
    "rttm": Export(
        write=lambda report, _: {"labels.rttm": rttm(report)},
        media_type="text/plain; charset=utf-8",
        about="who spoke when, for diarisation tools",
    ),
    "textgrid": Export(
        write=lambda report, _: {"labels.TextGrid": textgrid(report)},
        media_type="text/plain; charset=utf-8",
        about="tiers for Praat",
    ),
    "audacity": Export(
        write=lambda report, _: {"labels.audacity.txt": audacity(report)},
        media_type="text/plain; charset=utf-8",
        about="label track for Audacity",
    ),
    "vcon": Export(
        write=lambda report, events: {"call.vcon.json": vcon(report, events)},
        media_type="application/vcon",
        about="the call as a vCon (core-04, CC extension)",
    ),
    "contact-lens": Export(
        write=lambda report, _: {"contact-lens.json": post_call(report)},
        media_type="application/json",
        about="post-call file as Amazon Connect Contact Lens writes it",
    ),
    "contact-lens-realtime": Export(
        write=lambda report, _: {"contact-lens-realtime.json": real_time(report)},
        media_type="application/json",
        about="segments as the real-time Contact Lens API answers",
    ),
}


def export(name: str, report: Report, events: Sequence[Event]) -> Files:
    """Write a report in the format `name`, a key of `EXPORTS`.

    Raises:
        ExportError: there is no such format.
    """
    if name not in EXPORTS:
        raise ExportError(f"There is no export '{name}'; choose from {', '.join(EXPORTS)}.")
    return EXPORTS[name].write(report, events)
