"""How the scorecard reads: "needed 3, given 2", with the moments and the words."""

from __future__ import annotations

from html import escape

import msgspec

from conversation.events import Channel
from conversation.language import PackError, load_pack
from reports.markup import spoken, table
from reports.model import CustomerWordsPart, OpportunityPart, Report, ScorePart
from reports.wording import BEHAVIOUR_WORDS, act_words, figure, short_clock

_MISSED_SHOWN, _GIVEN_SHOWN = 6, 3
"""Moments listed for a line; the missed ones are what a coach looks for."""
_SNIPPET_WORDS = 10


class Moment(msgspec.Struct, frozen=True):
    """One moment that a line rests on."""

    at_ms: int
    label: str
    """`missed`, `given`, or the kind of what was said."""
    words: str | None


def moments(report: Report, part: ScorePart) -> list[Moment]:
    """Return the moments shown for a line in order of time, the missed ones before others."""
    if not part.spans:
        return [
            Moment(e.at_ms, act_words(e.kind), None if e.value is None else str(e.value))
            for e in part.evidence
        ]
    missed = [span for span in part.spans if span.verdict == "missed"][:_MISSED_SHOWN]
    given = [span for span in part.spans if span.verdict != "missed"][:_GIVEN_SHOWN]
    return [
        Moment(
            span.start_ms,
            "missed" if span.verdict == "missed" else "given",
            _words(report, span),
        )
        for span in (*missed, *given)
    ]


def _words(report: Report, span: OpportunityPart) -> str | None:
    """Return the words of the acts that an opportunity rests on, or the first ones said then."""
    acts = [act.text for act in report.acts if act.id in span.acts]
    if acts:
        return " … ".join(acts)
    said = next(
        (
            part.text
            for part in report.transcript
            if part.channel is span.channel
            and part.start_ms < span.end_ms
            and part.end_ms > span.start_ms
        ),
        None,
    )
    if not said:
        return None
    words = said.split()
    return " ".join(words[:_SNIPPET_WORDS]) + (" …" if len(words) > _SNIPPET_WORDS else "")


def scorecard(report: Report) -> str:
    """Show what was needed and what was given, with the words; no blended number."""
    parts = report.scorecard
    if not parts:
        return ""
    shown = [part for part in parts if part.opportunities or part.evidence]
    silent = [part for part in parts if not (part.opportunities or part.evidence)]
    rows = ((f"<b>{escape(_name(p))}</b>", _given(report, p), _quotes(report, p)) for p in shown)
    body = table(("Behaviour", "In this call", "Where"), rows, "score") if shown else ""
    rest = ""
    if silent:
        names = ", ".join(_name(part).lower() for part in silent)
        rest = f"<p class='small soft'>Not applicable, no opportunity: {escape(names)}.</p>"
    return f"<section id='empathy'><h2>Empathy in this call</h2>{body}{rest}</section>"


def _name(part: ScorePart) -> str:
    return BEHAVIOUR_WORDS.get(part.behaviour, (act_words(part.behaviour), ""))[0]


def _given(report: Report, part: ScorePart) -> str:
    if part.opportunities == 0:
        return "not applicable"
    rated = report.interruptions.by[Channel.AGENT].per_10min is not None
    notes = []
    if part.score is not None:
        notes.append(f"{part.score:.0%}")
    if part.note:
        notes.append(f"not scored: {part.note}")
    notes += [
        figure(name, value)
        for name, value in part.figures.items()
        if (value or (value == 0 and name == "resumed")) and (rated or name != "per_10min")
    ]
    small = "".join(f"<small>{escape(note)}</small>" for note in notes)
    return f"needed {part.opportunities}, given {part.delivered}{small}"


def _quotes(report: Report, part: ScorePart) -> str:
    found = moments(report, part)
    items = "".join(
        f"<li><a href='#at-{shown.at_ms}'><time>{short_clock(shown.at_ms)}</time></a><span>"
        f"{'' if shown.words is None else f'<q>{spoken(shown.words)}</q> '}"
        f"<span class='chip{' strong' if shown.label == 'missed' else ''}'>"
        f"{escape(shown.label)}</span>{_better(report, part, shown)}</span></li>"
        for shown in found
    )
    more = max(0, len(part.spans) - len(found))
    if more:
        items += f"<li><span></span><span class='small soft'>and {more} more</span></li>"
    return f"<ul class='quotes'>{items}</ul>" if items else ""


def _better(report: Report, part: ScorePart, shown: Moment) -> str:
    """What to say instead of a phrase to avoid."""
    if part.behaviour != "wording" or shown.label == "given" or shown.words is None:
        return ""
    try:
        better = load_pack(report.call.language).better_wording(shown.words)
    except PackError:
        return ""
    return "" if better is None else f"<span class='better'>Better: “{escape(better)}”</span>"


def customer_words(part: CustomerWordsPart | None) -> str:
    """Show what the customer's words said of their state; nothing here is from their voice."""
    if part is None or not part.acts_by_third:
        return ""
    rows = (
        (escape(act_words(kind)), *(str(count) if count else "–" for count in counts))
        for kind, counts in part.acts_by_third.items()
    )
    trend = {
        "better": "Their words grew warmer towards the end.",
        "worse": "Their words grew cooler towards the end.",
        "steady": "Their words stayed much the same.",
    }.get(part.trend or "", "")
    body = table(("In words", "First third", "Second", "Last"), rows)
    who = Channel.CUSTOMER
    return (
        f"<section id='{who}'><h2>The customer in words</h2>{body}"
        f"<p class='small soft'>{trend}</p></section>"
    )
