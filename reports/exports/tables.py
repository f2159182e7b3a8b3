"""CSV tables (RFC 4180, UTF-8) that a spreadsheet opens without running what callers said."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

from conversation.events import Evidence
from reports.model import Report

Cell = str | int | float | bool | None
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\0", "\r")
"""A cell that begins so may be run as a formula (OWASP, CSV injection)."""


def csv_files(report: Report) -> dict[str, bytes]:
    """Return one table each of interruptions, cues, promises and scorecard."""
    return {
        "interruptions.csv": _interruptions(report),
        "cues.csv": _cues(report),
        "promises.csv": _promises(report),
        "scorecard.csv": _scorecard(report),
    }


def table(head: Sequence[str], rows: Iterable[Sequence[Cell]]) -> bytes:
    """Write a table; None is an empty cell, numbers stay numbers, text is made harmless."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(head)
    writer.writerows([safe(cell) for cell in row] for row in rows)
    return text.getvalue().encode("utf-8")


def safe(cell: Cell) -> Cell:
    """Return a cell that no spreadsheet takes for a formula: an apostrophe goes in front of it.

    NUL is dropped elsewhere in the text, since readers end the cell or the file there.
    """
    if not isinstance(cell, str):
        return cell
    guarded = "'" + cell if cell.startswith(_FORMULA_STARTS) else cell
    return guarded.replace("\0", "")


def _interruptions(report: Report) -> bytes:
    return table(
        (
            "id by over class begin_ms end_ms overlap_ms yield_ms severity confidence resumed "
            "live_cue_ms interrupted_text interrupting_text"
        ).split(),
        (
            (
                e.id, e.by, e.over, e.overlap_class, e.begin_ms, e.end_ms, e.overlap_ms,
                e.yield_ms, e.severity, e.confidence, e.resumed, e.live_cue_ms,
                e.interrupted_text, e.interrupting_text,
            )
            for e in report.interruptions.events
        ),
    )  # fmt: skip


def _cues(report: Report) -> bytes:
    return table(
        "id rule text raised_ms cleared_ms outcome feedback evidence".split(),
        (
            (c.id, c.rule, c.text, c.raised_ms, c.cleared_ms, c.outcome, c.feedback,
             _evidence(c.evidence))
            for c in report.cues
        ),
    )  # fmt: skip


def _promises(report: Report) -> bytes:
    return table(
        "id what due confidence start_ms text".split(),
        ((p.id, p.what, p.due, p.confidence, p.start_ms, p.text) for p in report.promises),
    )


def _scorecard(report: Report) -> bytes:
    return table(
        "behaviour opportunities delivered score evidence".split(),
        (
            (s.behaviour, s.opportunities, s.delivered, s.score, _evidence(s.evidence))
            for s in report.scorecard
        ),
    )


def _evidence(evidence: Iterable[Evidence]) -> str:
    return "; ".join(f"{e.kind} at {e.at_ms} ms: {e.value}" for e in evidence)
