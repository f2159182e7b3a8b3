"""`report.html`: one self-contained file that reads without scripts and prints on A4."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from conversation.events import Channel, OverlapClass
from reports.model import InterruptionPart, Report, ScorePart
from reports.style import STYLE
from reports.summary import summary
from reports.timeline import close_up, whole_call

CLASS_WORDS = {
    OverlapClass.SUCCESSFUL: "took the floor",
    OverlapClass.TALK_OVER: "talked over",
    OverlapClass.BUTTING_IN: "tried to come in",
    OverlapClass.COOPERATIVE: "helped along",
    OverlapClass.TERMINAL_OVERLAP: "smooth change of turn",
    OverlapClass.BACKCHANNEL: "sign of listening",
    OverlapClass.COLLISION: "both started at once",
    OverlapClass.PAUSE_CUT_IN: "came in during a pause",
    OverlapClass.BLEED: "line noise between channels",
}
BEHAVIOUR_WORDS = {
    "let_finish": "Let them finish",
    "acknowledge": "Acknowledge the feeling",
    "realistic": "Commitments with a time",
    "wording": "Wording",
}
_INTERRUPTING = (
    OverlapClass.SUCCESSFUL,
    OverlapClass.TALK_OVER,
    OverlapClass.BUTTING_IN,
    OverlapClass.PAUSE_CUT_IN,
)


def clock(at_ms: int) -> str:
    """Format a stream time as `m:ss.t`, `83400` becoming `1:23.4`."""
    tenths = at_ms // 100
    return f"{tenths // 600}:{tenths // 10 % 60:02d}.{tenths % 10}"


def render_html(report: Report) -> str:
    """Render the report; callers' words are inserted as text, never as markup."""
    call = report.call
    who = f" · {escape(call.agent)}" if call.agent else ""
    return "\n".join(
        [
            "<!doctype html>",
            f'<html lang="{escape(call.language)}"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>Call report {escape(call.id)}</title>",
            f"<style>{STYLE}</style></head><body>",
            f"<header><h1>Call report</h1><p class='quiet'>{escape(call.started_at)}{who} · "
            f"{clock(call.duration_ms)} min · {escape(call.id)}</p></header><main>",
            _quality(report),
            f"<p class='summary'>{escape(summary(report))}</p>",
            "<section><h2>The whole call</h2>",
            whole_call(report),
            "</section>",
            _practise(report),
            _interruptions(report),
            _raised_voices(report),
            _scorecard(report.scorecard),
            _talk(report),
            _promises(report),
            _cues(report),
            _transcript(report),
            "</main><footer class='quiet'>Made by Heartline. Severity is unvalidated; a raised "
            "voice is effort against the speaker's own usual, not a feeling.</footer>",
            "</body></html>",
            "",
        ]
    )


def _practise(report: Report) -> str:
    if not report.practise:
        return ""
    rows = "".join(
        f"<li><b>{clock(part.at_ms)} · {escape(BEHAVIOUR_WORDS[part.behaviour])}</b> "
        + (f"<q>{escape(part.text)}</q> " if part.text else "")
        + f"{escape(part.drill)}</li>"
        for part in report.practise
    )
    return f"<section><h2>Three to practise</h2><ol class='practise'>{rows}</ol></section>"


def _quality(report: Report) -> str:
    notes = [*report.quality.warnings]
    lost = sum(int(gap["end_ms"]) - int(gap["begin_ms"]) for gap in report.quality.gaps)
    if lost:
        notes.append(f"{lost / 1000:.1f} s of audio are missing and were not scored")
    if not notes:
        return ""
    return "<ul class='notes'>" + "".join(f"<li>{escape(n)}</li>" for n in notes) + "</ul>"


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    header = "".join(f"<th scope='col'>{escape(cell)}</th>" for cell in head)
    body = "".join("<tr>" + "".join(f"<td>{c}</td>" for c in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{header}</tr></thead><tbody>{body}</tbody></table>"


def _seconds(ms: float | None) -> str:
    return "–" if ms is None else f"{ms / 1000:.1f} s"


def _interruptions(report: Report) -> str:
    if not report.quality.direction_known:
        return ""
    events = report.interruptions.events
    cut_ins = [event for event in events if event.overlap_class in _INTERRUPTING]
    others = [event for event in events if event.overlap_class not in _INTERRUPTING]
    parts = ["<section><h2>Interruptions</h2>"]
    if not cut_ins:
        parts.append("<p>None.</p>")
    parts.extend(_interruption(report, event) for event in cut_ins)
    if others:
        parts.append("<h3>Overlaps that are not interruptions</h3>")
        parts.append(
            _table(
                ("At", "Who", "What", "Overlap"),
                (
                    (
                        clock(e.begin_ms),
                        e.by,
                        escape(CLASS_WORDS[e.overlap_class]),
                        _seconds(e.overlap_ms),
                    )
                    for e in others
                ),
            )
        )
    return "".join([*parts, "</section>"])


def _interruption(report: Report, event: InterruptionPart) -> str:
    possible = "" if event.confidence >= 0.6 else " (possible)"
    facts = [
        f"overlap {_seconds(event.overlap_ms)}",
        f"gave way after {_seconds(event.yield_ms)}"
        if event.yield_ms is not None
        else "did not give way",
        f"severity {event.severity}",
        f"confidence {event.confidence:.0%}",
        (
            f"cue shown at {clock(event.live_cue_ms)}"
            if event.live_cue_ms is not None
            else "no cue shown"
        ),
    ]
    words = ""
    if event.interrupted_text or event.interrupting_text:
        words = (
            f"<p><q>{escape(event.interrupted_text or '…')}</q> <b class='cut'>cut by</b> "
            f"<q>{escape(event.interrupting_text or '…')}</q></p>"
        )
    return (
        f"<article class='event' id='{escape(event.id)}'><h3>{clock(event.begin_ms)} · "
        f"{event.by} {escape(CLASS_WORDS[event.overlap_class])}{possible}</h3>"
        f"{close_up(report, event)}{words}"
        f"<p class='quiet'>{escape(' · '.join(facts))}</p></article>"
    )


def _raised_voices(report: Report) -> str:
    events = report.raised_voice.events
    if not events:
        return ""
    rows = (
        (
            f"{clock(e.begin_ms)} – {clock(e.end_ms)}",
            e.channel,
            "–" if e.f0_delta_st is None else f"{e.f0_delta_st:+.1f} semitones",
            "–" if e.level_delta_db is None else f"{e.level_delta_db:+.1f} dB",
            f"{e.confidence:.0%}",
        )
        for e in events
    )
    head = ("When", "Who", "Pitch against usual", "Level against usual", "Confidence")
    return f"<section><h2>Raised voice</h2>{_table(head, rows)}</section>"


def _scorecard(parts: tuple[ScorePart, ...]) -> str:
    rows = []
    for part in parts:
        quotes = "".join(
            f"<li>{clock(e.at_ms)} {escape(str(e.value or e.kind))}</li>" for e in part.evidence
        )
        given = (
            "not applicable"
            if part.opportunities == 0
            else f"needed {part.opportunities}, given {part.delivered}"
        )
        name = BEHAVIOUR_WORDS.get(part.behaviour, part.behaviour)
        rows.append((escape(name), given, f"<ul class='quotes'>{quotes}</ul>" if quotes else ""))
    if not rows:
        return ""
    table = _table(("Behaviour", "In this call", "Where"), rows)
    return f"<section><h2>Empathy in this call</h2>{table}</section>"


def _talk(report: Report) -> str:
    talk = report.talk
    share = "–" if talk.talk_share_agent is None else f"{talk.talk_share_agent:.0%}"

    def pace(party: Channel) -> str:
        value = talk.words_per_minute[party]
        return "–" if value is None else f"{value:.0f} words/min"

    def monologue(party: Channel) -> str:
        return _seconds(talk.longest_monologue_ms[party])

    rows = (
        ("Talk", _seconds(talk.agent_ms), _seconds(talk.customer_ms)),
        ("Longest turn", monologue(Channel.AGENT), monologue(Channel.CUSTOMER)),
        ("Pace", pace(Channel.AGENT), pace(Channel.CUSTOMER)),
        (
            "Reply time, median",
            _seconds(talk.response_latency_ms[Channel.AGENT]["median"]),
            _seconds(talk.response_latency_ms[Channel.CUSTOMER]["median"]),
        ),
    )
    return (
        f"<section><h2>Talk</h2>{_table(('', 'Agent', 'Customer'), rows)}"
        f"<p class='quiet'>Agent's share {share} · overlap {_seconds(talk.overlap_ms)} · "
        f"silence {_seconds(talk.silence_ms)}</p></section>"
    )


def _promises(report: Report) -> str:
    if not report.promises:
        return ""
    rows = (
        (clock(p.start_ms), escape(p.what), escape(p.due or "no time given"))
        for p in report.promises
    )
    return f"<section><h2>Promises</h2>{_table(('At', 'What', 'By when'), rows)}</section>"


def _cues(report: Report) -> str:
    if not report.cues:
        return ""
    rows = (
        (clock(c.raised_ms), escape(c.text), escape(c.outcome or "open"), escape(c.feedback or ""))
        for c in report.cues
    )
    table = _table(("At", "Cue", "Outcome", "Agent's word"), rows)
    return f"<section><h2>Cues that were shown</h2>{table}</section>"


def _transcript(report: Report) -> str:
    rows = "".join(
        f"<li class='{part.channel}'><span class='at'>{clock(part.start_ms)}</span> "
        f"<span class='who'>{part.channel}</span> "
        f"<span>{escape(part.text) if part.text is not None else '(not transcribed)'}</span></li>"
        for part in report.transcript
    )
    return f"<section><h2>Transcript</h2><ol class='transcript'>{rows}</ol></section>"
