"""The sections of `report.html`, each a pure function of the report to markup.

Everything that callers said, or that comes from outside, passes through `escape`.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping
from html import escape
from operator import itemgetter

from conversation.events import Channel
from reports.audit_view import finer_talk, interrupters
from reports.markup import moment, spoken, table
from reports.model import ActPart, CuePart, InterruptionPart, Report, TranscriptPart
from reports.practice import to_practise
from reports.scorecard_view import moments
from reports.timeline import close_up
from reports.wording import (
    CHANNEL_WORDS,
    CLASS_WORDS,
    CUT_IN_WORDS,
    DISPUTE_WORDS,
    FEEDBACK_WORDS,
    OUTCOME_WORDS,
    PROMISE_OUTCOME_WORDS,
    PROMISE_WORDS,
    WHO_WORDS,
    act_words,
    clock,
    seconds,
    short_clock,
)

_SURE = 0.6
_NO_RATE = "<p class='small soft'>Too little speech in this call for a rate in ten minutes.</p>"


def interruptions(report: Report, *, served: bool, disputed: Mapping[str, str]) -> str:
    """Show each interruption close up, then the overlaps that are none."""
    if not report.quality.direction_known:
        return ""
    events = report.interruptions.events
    cut_ins = [event for event in events if event.overlap_class in CUT_IN_WORDS]
    others = [event for event in events if event.overlap_class not in CUT_IN_WORDS]
    parts = ["<section id='interruptions'><h2>Interruptions</h2>", _counts(report)]
    parts.append(interrupters(report))
    if not cut_ins:
        parts.append("<p>Nobody cut in on anybody.</p>")
    parts.extend(
        _interruption(report, event, served=served, verdict=disputed.get(event.id))
        for event in cut_ins
    )
    if others:
        rows = (
            (
                moment(report, e.begin_ms),
                CHANNEL_WORDS[e.by],
                escape(CLASS_WORDS[e.overlap_class]),
                seconds(e.overlap_ms),
            )
            for e in others
        )
        parts.append("<section><h3>Overlaps that are not interruptions</h3>")
        parts.append(table(("At", "Who", "What", "Overlap"), rows) + "</section>")
    return "".join([*parts, "</section>"])


def _counts(report: Report) -> str:
    def row(party: Channel) -> tuple[str, ...]:
        part = report.interruptions.by[party]
        counts = (part.successful, part.talk_over, part.butting_in, part.pause_cut_in)
        rate = "–" if part.per_10min is None else f"{part.per_10min:.1f}"
        numbers = ("–" if count is None else str(count) for count in (*counts, part.possible))
        return (CHANNEL_WORDS[party], *numbers, rate)

    head = (
        "By", "Took the floor", "Talked over", "Tried", "Into a pause", "Possible", "Per 10 min",
    )  # fmt: skip
    rates = [part.per_10min for part in report.interruptions.by.values()]
    why = "" if any(rate is not None for rate in rates) else _NO_RATE
    return table(head, (row(party) for party in (Channel.AGENT, Channel.CUSTOMER))) + why


def _interruption(
    report: Report, event: InterruptionPart, *, served: bool, verdict: str | None
) -> str:
    possible = "" if event.confidence >= _SURE else "<span class='chip'>possible</span>"
    yielded = (
        f"<b>{seconds(event.yield_ms)}</b> until they gave way"
        if event.yield_ms is not None
        else "they did not give way"
    )
    facts = [
        f"overlap <b>{seconds(event.overlap_ms)}</b>",
        yielded,
        f"severity <b>{event.severity}</b> of 100",
        f"confidence <b>{event.confidence:.0%}</b>",
        _resumed(event.resumed),
        _cue_shown(report, event),
    ]
    over = CHANNEL_WORDS[event.over].lower()
    words = ""
    if event.interrupted_text or event.interrupting_text:
        words = (
            f"<div class='words'><p class='{event.over}'><b>{CHANNEL_WORDS[event.over]}, cut "
            f"off</b><q>{spoken(event.interrupted_text or '…')}</q></p>"
            f"<p class='{event.by}'><b>{CHANNEL_WORDS[event.by]}</b>"
            f"<q>{spoken(event.interrupting_text or '…')}</q></p></div>"
        )
    kind = " disputed" if verdict else ""
    return (
        f"<article class='event card{kind}' id='{escape(event.id)}' "
        f"data-at='{event.begin_ms}'><header>"
        f"<h3><a href='#{escape(event.id)}'>{clock(event.begin_ms)}</a> {CHANNEL_WORDS[event.by]} "
        f"{CUT_IN_WORDS[event.overlap_class]} {over}</h3>{possible}</header>"
        f"{close_up(report, event)}{words}"
        f"<p class='facts'>{''.join(f'<span>{fact}</span>' for fact in facts if fact)}</p>"
        f"{_dispute(report.call.id, event.id, served=served, verdict=verdict)}</article>"
    )


def _resumed(resumed: bool | None) -> str:
    if resumed is None:
        return ""
    return "they came back to it" if resumed else "they did not come back to it"


def _cue_shown(report: Report, event: InterruptionPart) -> str:
    if event.live_cue_ms is None:
        return "no cue shown"
    cue = next((c for c in report.cues if c.raised_ms == event.live_cue_ms), None)
    helped = f", {OUTCOME_WORDS.get(cue.outcome, cue.outcome)}" if cue and cue.outcome else ""
    return f"cue shown at <b>{clock(event.live_cue_ms)}</b>{escape(helped)}"


def _dispute(call_id: str, span_id: str, *, served: bool, verdict: str | None) -> str:
    said = ""
    if verdict:
        words = escape(DISPUTE_WORDS.get(verdict, verdict))
        said = f"<span class='disputed-note'>Disputed: {words}. Not in the counts.</span>"
    if not served:
        return f"<p class='dispute'>{said}</p>" if said else ""
    place = f"data-call='{escape(call_id)}' data-span='{escape(span_id)}'"
    place += " data-failed='Not saved, try again'"
    choices = DISPUTE_WORDS if verdict is None else {"withdrawn": "Withdraw"}
    buttons = "".join(
        f"<button type='button' {place} data-verdict='{name}'>{words}</button>"
        for name, words in choices.items()
    )
    return f"<p class='dispute'>{said}{buttons}</p>"


def talk(report: Report) -> str:
    """Show shares, pace, reply times, monologues and silences."""
    part = report.talk
    share = part.talk_share_agent

    def percent(value: float | None) -> str:
        return "–" if value is None else f"{value:.0%}"

    def pace(party: Channel) -> str:
        value = part.words_per_minute[party]
        return "–" if value is None else f"{value:.0f} words/min"

    def count(value: int | None) -> str:
        return "–" if value is None else str(value)

    agent, customer = Channel.AGENT, Channel.CUSTOMER
    rows = (
        ("Talk", seconds(part.agent_ms), seconds(part.customer_ms)),
        ("Share", percent(share), percent(None if share is None else 1 - share)),
        ("Turns", count(part.turns[agent]), count(part.turns[customer])),
        (
            "Longest turn",
            seconds(part.longest_monologue_ms[agent]),
            seconds(part.longest_monologue_ms[customer]),
        ),
        ("Pace", pace(agent), pace(customer)),
        *(
            (
                f"Reply time, {name}",
                seconds(part.response_latency_ms[agent][key]),
                seconds(part.response_latency_ms[customer][key]),
            )
            for key, name in (("median", "median"), ("p90", "slowest tenth"))
        ),
        ("Signs of listening", count(part.backchannels[agent]), count(part.backchannels[customer])),
    )
    return (
        f"<section id='talk'><h2>Talk</h2>{table(('Measure', 'Agent', 'Customer'), rows)}"
        f"<p class='small soft'>Both at once {seconds(part.overlap_ms)} · silence "
        f"{seconds(part.silence_ms)} · scored {seconds(report.quality.scored_ms)}</p>"
        f"<section><h3>How turns changed hands</h3>{finer_talk(report)}"
        "</section></section>"
    )


def promises(report: Report) -> str:
    """List what must now be done, by whom and by when."""
    if not report.promises:
        return ""
    rows = (
        (
            moment(report, p.start_ms),
            escape(p.what),
            escape(WHO_WORDS.get(p.who, p.who)),
            escape((p.due_at or "").replace("T", " ")[:16] or p.due or "no time given"),
            escape(PROMISE_WORDS.get(p.status, p.status)),
            escape(PROMISE_OUTCOME_WORDS.get(p.outcome or "", "–")),
        )
        for p in report.promises
    )
    body = table(("At", "What", "Who", "By when", "Agent's word", "Kept"), rows)
    return f"<section id='promises'><h2>Promises</h2>{body}</section>"


def raised_voices(report: Report) -> str:
    """List passages in a raised voice."""
    events = report.raised_voice.events
    if not events:
        return ""
    rows = (
        (
            f"{moment(report, e.begin_ms)} – {short_clock(e.end_ms)}",
            CHANNEL_WORDS[e.channel],
            "–" if e.f0_delta_st is None else f"{e.f0_delta_st:+.1f} semitones",
            "–" if e.level_delta_db is None else f"{e.level_delta_db:+.1f} dB",
            f"{e.confidence:.0%}",
        )
        for e in events
    )
    head = ("When", "Who", "Pitch against usual", "Level against usual", "Confidence")
    return f"<section id='voices'><h2>Raised voice</h2>{table(head, rows)}</section>"


def cues(report: Report) -> str:
    """List the cues that were shown, and what became of them."""
    if not report.cues:
        return ""

    def row(cue: CuePart) -> tuple[str, ...]:
        outcome = OUTCOME_WORDS.get(cue.outcome or "", cue.outcome or "open")
        said = FEEDBACK_WORDS.get(cue.feedback or "", cue.feedback or "–")
        return (moment(report, cue.raised_ms), escape(cue.text), escape(outcome), escape(said))

    body = table(("At", "Cue", "What became of it", "Agent's word"), map(row, report.cues), "prose")
    return f"<section id='cues'><h2>Cues that were shown</h2>{body}</section>"


def transcript(report: Report) -> str:
    """Write down both speakers' words, with acts beside them and places to jump to."""
    wanted = sorted(
        {shown.at_ms for part in report.scorecard for shown in moments(report, part)}
        | {item.at_ms for item in to_practise(report)}
    )
    begins = sorted(part.start_ms for part in report.transcript)
    acts = {
        channel: sorted(
            (
                (act.start_ms, at, act)
                for at, act in enumerate(report.acts)
                if act.channel is channel
            )
        )
        for channel in Channel
    }
    rows = ""
    for number, part in enumerate(report.transcript):
        later = bisect_right(begins, part.start_ms)
        until_ms = begins[later] if later < len(begins) else report.call.duration_ms + 1
        first = 0 if number == 0 else bisect_left(wanted, part.start_ms)
        mine = acts[part.channel]
        begin = bisect_left(mine, part.start_ms, key=itemgetter(0))
        behind = bisect_left(mine, part.end_ms, key=itemgetter(0))
        rows += _line(
            part,
            [act for _, _, act in sorted(mine[begin:behind], key=itemgetter(1))],
            wanted[first : max(first, bisect_left(wanted, until_ms))],
        )
    return (
        f"<section id='transcript'><h2>Transcript</h2><ol class='transcript'>{rows}</ol></section>"
    )


def _line(part: TranscriptPart, acts: Iterable[ActPart], moments_ms: Iterable[int]) -> str:
    """Write an utterance with its acts and the moments in it that other places link to."""
    anchors = "".join(f"<i id='at-{at_ms}'></i>" for at_ms in moments_ms)
    chips = "".join(f"<span class='chip'>{escape(act_words(act.kind))}</span>" for act in acts)
    words = spoken(part.text) if part.text is not None else "(not transcribed)"
    return (
        f"<li id='t-{escape(part.id)}' class='{part.channel}' data-at='{part.start_ms}' "
        f"data-end='{part.end_ms}'><a class='when' href='#t-{escape(part.id)}'>"
        f"<time>{short_clock(part.start_ms)}</time></a>"
        f"<span class='who'>{CHANNEL_WORDS[part.channel]}</span>"
        f"<p dir='auto'>{anchors}{words}{chips}</p></li>"
    )
