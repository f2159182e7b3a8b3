"""A call beside the agent's own usual, as a table."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from reports.markup import table
from reports.model import UsualPart
from reports.wording import measure, measure_words

_PLACES = {"usual": "as usual", "above": "above the usual", "below": "below the usual"}


def usual_table(parts: Iterable[UsualPart]) -> str:
    """Show each measure with the median of the 30 days before, and where most calls lie."""
    rows = (
        (
            escape(measure_words(part.name)),
            escape(measure(part.value, part.unit)),
            escape(
                f"{measure(part.median, part.unit)} "
                f"({measure(part.median_interval[0], part.unit)} – "
                f"{measure(part.median_interval[1], part.unit)})"
            ),
            escape(f"{measure(part.low, part.unit)} – {measure(part.high, part.unit)}"),
            _PLACES[part.place],
            str(part.n),
        )
        for part in parts
    )
    head = (
        "Measure", "This call", "Median (95 % interval)", "8 of 10 calls", "", "Earlier calls",
    )  # fmt: skip
    return table(head, rows)
