"""Puts the last full run into docs/benchmarks.md: `python -m bench.asr.publish`.

The tables go between the markers of the section; the chart becomes docs/benchmark-asr.svg.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from bench.asr.acceptance import lines, markdown
from bench.asr.chart import draw
from bench.results import OUT, Row

_DOCS = Path("docs/benchmarks.md")
_CHART = Path("docs/benchmark-asr.svg")
_BEGIN, _END = "<!-- bench-asr -->\n", "<!-- /bench-asr -->\n"
_COLUMNS = (
    ("first_seen_p50_s", "first seen p50"),
    ("first_seen_p95_s", "p95"),
    ("committed_p50_s", "committed p50"),
    ("final_after_end_p50_s", "final p50"),
    ("final_after_end_p95_s", "p95"),
    ("wer", "WER"),
    ("cpu_s_per_audio_s", "cores"),
    ("peak_rss_mib", "MiB"),
)
_LEVELS = (
    ("partial_age_p50_s", "partials p50"),
    ("partial_age_p95_s", "p95"),
    ("final_after_speech_p50_s", "finals p50"),
    ("final_after_speech_p95_s", "p95"),
)


def main() -> None:
    """Rewrite the section of the document and the chart."""
    path = OUT / "asr.json"
    if not path.is_file():
        raise SystemExit(f"{path} is not there; run `make bench-asr` first.")
    run = json.loads(path.read_text("utf-8"))
    rows = [msgspec.convert(row, Row) for row in run["rows"]]
    text = _DOCS.read_text("utf-8")
    before, _, rest = text.partition(_BEGIN)
    _, found, after = rest.partition(_END)
    if not found:
        raise SystemExit(f"{_DOCS} lacks the lines {_BEGIN.strip()} and {_END.strip()}.")
    _DOCS.write_text(f"{before}{_BEGIN}{_section(run, rows)}{_END}{after}", "utf-8")
    draw(rows, _CHART)
    print(f"{_DOCS}, {_CHART}")


def _section(run: dict[str, Any], rows: Sequence[Row]) -> str:
    versions = ", ".join(
        f"{name} {version}" for name, version in run["versions"].items() if version
    )
    systems = [r.system for r in rows if r.condition == "one_call" and r.metric == _COLUMNS[0][0]]
    levels = [
        r.condition for r in rows if r.metric == _LEVELS[-1][0] and r.condition[-3:-1] == "_l"
    ]
    one_call = _table(rows, "system", [(s, s, "one_call") for s in systems], _COLUMNS)
    ladder = _table(rows, "calls and level", [(c, "heartline", c) for c in levels], _LEVELS)
    return (
        f"\n{run['machine']}; {versions}.\n\n{markdown(lines(rows))}\n"
        f"One call, seconds from the end of the word:\n\n{one_call}\n"
        f"![Delays and processor time]({_CHART.name})\n\n"
        f"Delays by ladder level, seconds from the end of the audio that a transcript covers:\n\n"
        f"{ladder}\n"
    )


def _table(
    rows: Sequence[Row],
    first: str,
    entries: Sequence[tuple[str, str, str]],
    columns: Sequence[tuple[str, str]],
) -> str:
    values = {(r.system, r.condition, r.metric): r for r in rows}

    def cells(system: str, condition: str) -> Iterator[str]:
        for metric, _ in columns:
            row = values.get((system, condition, metric))
            if row is None or row.n == 0:
                yield "–"
            else:
                yield (
                    "never"
                    if row.value is None
                    else f"{row.value:.{0 if row.value >= 100 else 2}f}"
                )

    head = " | ".join(name for _, name in columns)
    body = "".join(
        f"| {name} | {' | '.join(cells(system, condition))} |\n"
        for name, system, condition in dict.fromkeys(entries)
    )
    return f"| {first} | {head} |\n|---|{'---|' * len(columns)}\n{body}"


if __name__ == "__main__":
    main()
