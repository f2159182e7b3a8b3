"""A report without its words: what roll-ups and trends are made of."""

from __future__ import annotations

from msgspec.structs import replace

from reports.model import Report


def figures_of(report: Report) -> Report:
    """Return the numbers of a report; nothing that anybody said is left in it."""
    run = report.practice
    return replace(
        report,
        practice=None if run is None else replace(run, reflection={}, attempts=()),
        summary=None,
        practise=(),
        customer_words=None,
        cue_audit=None,
        quality=replace(report.quality, warnings=(), gaps=()),
        interruptions=replace(report.interruptions, events=()),
        raised_voice=replace(report.raised_voice, events=()),
        speech=(),
        holds=(),
        curves=(),
        transcript=(),
        acts=(),
        cues=tuple(replace(cue, text="", evidence=(), values={}) for cue in report.cues),
        promises=tuple(replace(promise, text="", what="") for promise in report.promises),
        scorecard=tuple(
            replace(part, evidence=(), spans=(), note=None) for part in report.scorecard
        ),
    )
