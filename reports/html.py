"""`report.html`: one self-contained file that reads without scripts and prints on A4."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from reports.audit_view import cue_audit
from reports.model import Report
from reports.page_assets import content_security_policy, script, style
from reports.practice import to_practise
from reports.scorecard_view import customer_words, scorecard
from reports.sections import (
    cues,
    interruptions,
    promises,
    raised_voices,
    talk,
    transcript,
)
from reports.summary import summary
from reports.timeline import DEFS, whole_call
from reports.usual_view import usual_table
from reports.wording import duration, short_clock

_LEGEND = (
    ('<rect class="both" width="16" height="12"/>', "both speak"),
    ('<path class="cut" d="M3 2h10L8 10z"/>', "cut in"),
    ('<rect class="lane-customer" y="1" width="16" height="10" rx="5"/>', "thick: raised voice"),
    ('<line class="silence" x1="0" x2="16" y1="6" y2="6"/>', "silence"),
    ('<circle class="cue" cx="8" cy="6" r="4.500"/>', "cue"),
    ('<line class="act" x1="8" x2="8" y1="0" y2="12"/>', "act of speech"),
    ('<line class="curve agent" x1="0" x2="16" y1="6" y2="6"/>', "agent's voice"),
    ('<line class="curve customer" x1="0" x2="16" y1="6" y2="6"/>', "customer's voice"),
)


_PLAYER = (
    "<div class='player' hidden><label class='button'><span>Play along with a recording</span>"
    "<input type='file' accept='audio/*'></label><audio controls hidden></audio>"
    "<p class='small soft' role='status' data-hint='Stays on this computer. Click any moment to "
    "hear it.' data-differs='This recording is not as long as the call. Is it the right one?' "
    "data-failed='This file cannot be played here.'></p></div>"
)
"""Shown by the script: whoever kept the recording plays it from their own disk."""


def render_html(
    report: Report,
    *,
    served: bool = False,
    disputed: Mapping[str, str] | None = None,
) -> str:
    """Render the report; callers' words are inserted as text, never as markup.

    Args:
        report: What is known of the call.
        served: The page comes from a Heartline server: it leads back to the calls, and its
            buttons take disputes. A file on disk has neither.
        disputed: Verdict on each disputed interruption, by its id.
    """
    policy = content_security_policy(served=served)
    return "\n".join(
        [
            "<!doctype html>",
            f'<html lang="{escape(report.call.language)}"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>Call report {escape(report.call.id)}</title>",
            f"<style>{style()}</style></head><body>",
            DEFS,
            _header(report, served=served),
            "<main>",
            _quality(report),
            f"<p class='summary'>{escape(summary(report))}</p>",
            _contents(report),
            _timeline(report),
            _practice(report),
            interruptions(report, served=served, disputed=disputed or {}),
            scorecard(report),
            customer_words(report.customer_words),
            talk(report),
            _usual(report),
            promises(report),
            raised_voices(report),
            cues(report),
            cue_audit(report),
            transcript(report),
            "</main><footer>Made by Heartline. Severity is unvalidated; a raised voice is effort "
            "against the speaker's own usual, not a feeling.</footer>",
            f"<script>{script()}</script></body></html>",
            "",
        ]
    )


def _header(report: Report, *, served: bool) -> str:
    call = report.call
    facts = [
        ("Agent", call.agent or "not named"),
        ("Started", call.started_at.replace("T", " ")[:16]),
        ("Length", duration(call.duration_ms)),
        ("Call", call.id),
    ]
    listed = "".join(f"<div><dt>{n}</dt><dd>{escape(v)}</dd></div>" for n, v in facts)
    home = "<a class='home' href='/#calls'>← Calls</a>" if served else ""
    return f"<header>{home}<h1>Call report</h1><dl>{listed}</dl></header>"


def _quality(report: Report) -> str:
    notes = [*report.quality.warnings]
    grades = {grade for grade in report.quality.bleed.values() if grade in ("B", "C")}
    if grades:
        notes.append(f"Channels leak: grade {max(g for g in grades if g)}")
    lost = sum(int(gap["end_ms"]) - int(gap["begin_ms"]) for gap in report.quality.gaps)
    if lost:
        notes.append(f"{lost / 1000:.1f} s of audio are missing and were not scored")
    if not notes:
        return ""
    return "<ul class='notes'>" + "".join(f"<li>{escape(n)}</li>" for n in notes) + "</ul>"


def _contents(report: Report) -> str:
    entries = [
        ("timeline", "Timeline", True),
        ("practise", "To practise", bool(to_practise(report))),
        ("interruptions", "Interruptions", report.quality.direction_known),
        ("empathy", "Empathy", bool(report.scorecard)),
        ("talk", "Talk", True),
        ("usual", "Own usual", bool(report.usual)),
        ("promises", "Promises", bool(report.promises)),
        ("cues", "Cues", bool(report.cues)),
        ("transcript", "Transcript", True),
    ]
    items = "".join(f"<li><a href='#{i}'>{name}</a></li>" for i, name, shown in entries if shown)
    return f"<nav aria-label='Contents'><ul>{items}</ul></nav>"


def _timeline(report: Report) -> str:
    zooms = "".join(
        f"<input type='radio' name='zoom' id='z{zoom}' value='{zoom}'"
        f"{' checked' if zoom == 1 else ''}><label for='z{zoom}'>{words}</label>"
        for zoom, words in ((1, "Whole call"), (4, "4×"), (16, "16×"))
    )
    legend = "".join(
        f"<span><svg viewBox='0 0 16 12' aria-hidden='true'>{shape}</svg>{words}</span>"
        for shape, words in _LEGEND
    )
    return (
        f"<section id='timeline'><h2>The whole call</h2><div class='timeline card' "
        f"data-duration='{report.call.duration_ms}'>{zooms}"
        f"{whole_call(report)}{_PLAYER}<p class='legend'>{legend}</p></div></section>"
    )


def _usual(report: Report) -> str:
    if not report.usual:
        return ""
    heading = "<h2>Beside the agent's own last 30 days</h2>"
    return f"<section id='usual'>{heading}{usual_table(report.usual)}</section>"


def _practice(report: Report) -> str:
    chosen = to_practise(report)
    if not chosen:
        return ""
    items = "".join(
        f"<li class='card'><h3>{escape(item.title)}</h3><p>{escape(item.advice)}</p>"
        f"<p class='small soft'>Missed {item.missed} of {item.opportunities}; look at "
        f"<a href='#at-{item.at_ms}'>{short_clock(item.at_ms)}</a></p></li>"
        for item in chosen
    )
    name = ("One thing", "Two things", "Three things")[len(chosen) - 1]
    listed = f"<ol class='practice'>{items}</ol>"
    return f"<section id='practise'><h2>{name} to practise</h2>{listed}</section>"
