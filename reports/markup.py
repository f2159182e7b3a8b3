"""Small pieces of markup that the report's sections share."""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import escape

from reports.model import Report
from reports.wording import short_clock

_NARROW_COLUMNS = 4
"""More than fit beside each other at 360 px."""
_REDACTION = re.compile(r"\[([a-z][a-z_ -]*)\]")


def table(head: Iterable[str], rows: Iterable[Iterable[str]], kind: str = "") -> str:
    """Return a table; cells are markup, headings text. On a narrow page a wide one is stacked."""
    names = [escape(cell, quote=True) for cell in head]
    stacked = kind != "" or len(names) > _NARROW_COLUMNS
    classes = f"{kind} stack".strip() if stacked else ""
    header = "".join(f"<th scope='col'>{name}</th>" for name in names)
    cells = [f"<td data-label='{name}'>" if stacked else "<td>" for name in names]
    body = "".join(
        "<tr>" + "".join(f"{td}{c}</td>" for td, c in zip(cells, row, strict=True)) + "</tr>"
        for row in rows
    )
    return (
        f"<div class='wide'><table class='{classes}'><thead><tr>{header}</tr></thead>"
        f"<tbody>{body}</tbody></table></div>"
    )


def spoken(text: str) -> str:
    """Return what somebody said as markup: words as text, each redaction as a block."""
    return _REDACTION.sub(r"<span class='redacted' title='Hidden: \1'>▒▒▒▒</span>", escape(text))


def moment(report: Report, at_ms: int) -> str:
    """Return a link to the words at a time, or the time where nothing was transcribed then."""
    part = next((p for p in report.transcript if p.start_ms <= at_ms <= p.end_ms), None)
    if part is None:
        return f"<time>{short_clock(at_ms)}</time>"
    return f"<a href='#t-{escape(part.id)}'><time>{short_clock(at_ms)}</time></a>"
