"""A roll-up as a page and as a table."""

from __future__ import annotations

from html import escape

from reports.exports.tables import table
from reports.model import UsualPart
from reports.rollup import Measure, RollUp
from reports.usual_view import usual_table
from reports.wording import measure, measure_words

_STYLE = """
:root { color-scheme: light dark; --ink: #1d2430; --paper: #fbfaf8; --quiet: #5d6675;
  --line: #dcd9d2; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8e6e1; --paper: #171a20; --quiet: #9aa3b2;
  --line: #343a45; } }
body { margin: 0 auto; max-width: 52rem; padding: 2rem 1.25rem; background: var(--paper);
  color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.6rem; } h2 { margin-top: 2rem; font-size: 1.15rem; }
.quiet { color: var(--quiet); font-size: .9rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .35rem .8rem .35rem 0; border-bottom: 1px solid var(--line);
  font-variant-numeric: tabular-nums; }
th { color: var(--quiet); font-weight: 500; }
@media print { body { max-width: none; padding: 0; } tr { break-inside: avoid; } }
"""
COLUMNS = ("measure", "value", "low", "high", "n", "unit")


def rollup_rows(rollup: RollUp) -> list[tuple[str, float | None, float | None, float | None, int,
                                              str]]:  # fmt: skip
    """Return one row per measure, in the order of `COLUMNS`."""
    return [(m.name, m.value, m.low, m.high, m.n, m.unit) for m in rollup.measures]


def rollup_csv(rollup: RollUp) -> bytes:
    """Write the measures as CSV."""
    return table(COLUMNS, rollup_rows(rollup))


def rollup_html(rollup: RollUp) -> str:
    """Render one self-contained page."""
    left_out = f" · left out: {escape(', '.join(rollup.left_out))}" if rollup.left_out else ""
    agents = f"{rollup.agents} agents · " if rollup.agents > 1 else ""
    return "\n".join(
        [
            "<!doctype html>",
            f'<html lang="en"><head><meta charset="utf-8"><title>{escape(rollup.title)}</title>',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<style>{_STYLE}</style></head><body>",
            f"<header><h1>{escape(rollup.title)}</h1><p class='quiet'>{escape(rollup.since)} to "
            f"{escape(rollup.until)} · {agents}{rollup.calls} calls · "
            f"{escape(rollup.language)}{left_out}</p></header><main>",
            _measures(rollup.measures),
            _newest(rollup.newest),
            "</main><footer class='quiet'>Made by Heartline. Figures carry 95 % intervals; where "
            "too little was heard nothing is said. There is no ranking, and these figures are "
            "not made for decisions about a person's employment.</footer></body></html>",
            "",
        ]
    )


def _measures(measures: tuple[Measure, ...]) -> str:
    rows = []
    for m in measures:
        name = escape(measure_words(m.name))
        if m.value is None or m.low is None or m.high is None:
            rows.append(f"<tr><td>{name}</td><td>too few</td><td></td><td>{m.n}</td></tr>")
            continue
        interval = f"{measure(m.low, m.unit)} – {measure(m.high, m.unit)}"
        rows.append(
            f"<tr><td>{name}</td><td>{measure(m.value, m.unit)}</td><td>{interval}</td>"
            f"<td>{m.n}</td></tr>"
        )
    head = "<tr><th>Measure</th><th>Value</th><th>95 % interval</th><th>n</th></tr>"
    return f"<section><h2>All calls</h2><table>{head}{''.join(rows)}</table></section>"


def _newest(parts: tuple[UsualPart, ...]) -> str:
    if not parts:
        return ""
    return (
        "<section><h2>The newest call beside the 30 days before it</h2>"
        f"{usual_table(parts)}</section>"
    )
