"""Two-lane pictures of a call as SVG: the whole of it, and close-ups of interruptions.

Positions across are percentages, so that a picture grows with its width and a zoom needs no
script: the style sheet widens the picture and its frame scrolls.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from conversation.events import Channel, OverlapClass
from reports.model import CurvePart, InterruptionPart, Report
from reports.spans import Span, intersect, subtract, union
from reports.wording import CHANNEL_WORDS, CLASS_WORDS, act_words, clock

_LANE_Y = {Channel.CUSTOMER: 22, Channel.AGENT: 58, Channel.MIXED: 40}
_LANE_HEIGHT = 26
_LANES_TOP, _LANES_END = 16, 92
_ROUND = 3
_INSET = 6
"""Thinner by this much above and below when the voice is not raised."""
_CLOSE_UP_MS = 5_000
_SILENCE_MS = 3_000
"""Silences of both from here on are drawn (a second is an ordinary pause)."""
_COUNTED = (OverlapClass.SUCCESSFUL, OverlapClass.TALK_OVER, OverlapClass.BUTTING_IN)
_TICK_STEPS_MS = (1_000, 2_000, 5_000, 10_000, 15_000, 30_000, 60_000, 300_000, 600_000)
_CURVE_HEIGHT = 44
_LEVEL_RANGE_DB = 12.0
_PITCH_RANGE_ST = 8.0
_GAP_MS = 4_100
"""A curve is broken where its speaker had nothing to measure for longer."""

DEFS = (
    '<svg class="defs" aria-hidden="true"><defs><pattern id="hatch" width="6" height="6" '
    'patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
    '<line class="hatch-line" x1="3" x2="3" y1="0" y2="6"/></pattern></defs></svg>'
)
"""The pattern of simultaneous speech, once per page."""


class _Frame:
    """A span of the call drawn across the whole width."""

    def __init__(self, begin_ms: int, end_ms: int) -> None:
        self.begin_ms = begin_ms
        self.end_ms = max(end_ms, begin_ms + 1)

    def x(self, at_ms: float) -> float:
        """Return a time as a percentage of the width, kept inside the picture."""
        inside = min(max(at_ms, self.begin_ms), self.end_ms)
        return round((inside - self.begin_ms) * 100 / (self.end_ms - self.begin_ms), 3)

    def holds(self, begin_ms: int, end_ms: int) -> bool:
        """Whether any of a span is in the picture."""
        return end_ms > self.begin_ms and begin_ms < self.end_ms

    def bar(self, kind: str, span: Span, y: float, height: float, inner: str = "") -> str:
        """Draw a span as a rounded bar, nothing when it is outside."""
        if not self.holds(*span):
            return ""
        left = self.x(span[0])
        width = max(0.05, round(self.x(span[1]) - left, 3))
        return (
            f'<rect class="{kind}" x="{left}%" y="{y}" width="{width}%" height="{height}" '
            f'rx="{min(_ROUND, height / 2):g}">{inner}</rect>'
        )


def whole_call(report: Report) -> str:
    """Draw both lanes, voices against their usual, cues and acts over the whole call."""
    frame = _Frame(0, report.call.duration_ms)
    parts = [_axis(frame, _LANES_END, 12), _lanes(report, frame, linked=True)]
    rows = [("", "")]
    y = _LANES_END + 24
    marks = _marks(report, frame, y)
    if marks:
        parts.append(marks)
        rows.append(("Cues, acts", f"{y + 8}"))
        y += 26
    for label, unit, top, name in (
        ("Loudness", "dB", _LEVEL_RANGE_DB, "level_delta_db"),
        ("Pitch", "semitones", _PITCH_RANGE_ST, "f0_delta_st"),
    ):
        drawn = "".join(_curve(frame, curve, name, top) for curve in report.curves)
        if drawn:
            parts.append(_curve_row(drawn, y, f"{label} against the speaker's usual, {unit}"))
            rows.append((label, f"{y + _CURVE_HEIGHT / 2 - 2}"))
            rows.append((f"±{top:.0f} {unit}", f"{y + _CURVE_HEIGHT / 2 + 12}"))
            y += _CURVE_HEIGHT + 8
    names = _lane_names(report) + "".join(
        f'<text x="0" y="{at}">{label}</text>' for label, at in rows if label
    )
    return (
        f'<div class="whole"><svg class="names" height="{y}" aria-hidden="true">{names}</svg>'
        f'<div class="scroll" tabindex="0" role="region" aria-label="Timeline of the whole call">'
        f'<svg height="{y}" role="group" aria-label="Timeline of the whole call">'
        + "".join(parts)
        + "</svg></div></div>"
    )


def close_up(report: Report, event: InterruptionPart) -> str:
    """Draw 5 s to each side of an interruption."""
    begin_ms = max(0, event.begin_ms - _CLOSE_UP_MS)
    frame = _Frame(begin_ms, min(report.call.duration_ms, event.begin_ms + _CLOSE_UP_MS))
    names = _lane_names(report)
    height = _LANES_END + 24
    return (
        f'<div class="whole picture"><svg class="names" height="{height}" aria-hidden="true">'
        f'{names}</svg><svg height="{height}" role="img" '
        f'aria-label="Five seconds before and after {clock(event.begin_ms)}">'
        f"{_axis(frame, _LANES_END, 10)}{_lanes(report, frame, linked=False)}</svg></div>"
    )


def _lane_names(report: Report) -> str:
    return "".join(
        f'<text x="0" y="{_LANE_Y[channel] + _LANE_HEIGHT / 2 + 4}">{CHANNEL_WORDS[channel]}</text>'
        for channel in report.call.channels
    )


def _lanes(report: Report, frame: _Frame, *, linked: bool) -> str:
    parts = [
        frame.bar(
            "hold",
            (hold.begin_ms, hold.end_ms),
            _LANES_TOP,
            _LANES_END - _LANES_TOP,
            f"<title>On hold {clock(hold.begin_ms)} – {clock(hold.end_ms)}</title>",
        )
        for hold in report.holds
    ]
    for channel in report.call.channels:
        middle = _LANE_Y[channel] + _LANE_HEIGHT / 2
        parts.append(f'<line class="base" x1="0" x2="100%" y1="{middle}" y2="{middle}"/>')
    raised = {
        channel: union(
            (e.begin_ms, e.end_ms) for e in report.raised_voice.events if e.channel is channel
        )
        for channel in Channel
    }
    for speech in report.speech:
        span = (speech.begin_ms, speech.end_ms)
        if not frame.holds(*span):
            continue
        y = _LANE_Y[speech.channel]
        bars = [
            frame.bar(f"lane-{speech.channel}", span, y + _INSET, _LANE_HEIGHT - 2 * _INSET),
            *(
                frame.bar(f"lane-{speech.channel}", s, y, _LANE_HEIGHT)
                for s in intersect([span], raised[speech.channel])
            ),
        ]
        parts.append(_linked(report, speech.channel, span, "".join(bars), linked))
    spoken = {
        channel: union((s.begin_ms, s.end_ms) for s in report.speech if s.channel is channel)
        for channel in Channel
    }
    for span in intersect(spoken[Channel.CUSTOMER], spoken[Channel.AGENT]):
        parts.append(frame.bar("both", span, _LANES_TOP + 2, _LANES_END - _LANES_TOP - 4))
    parts.append(_silences(report, frame, spoken.values()))
    parts.extend(_cut(frame, event, linked) for event in report.interruptions.events)
    return "".join(parts)


def _linked(report: Report, channel: Channel, span: Span, bars: str, linked: bool) -> str:
    """Give bars the words spoken as a tooltip, and a way to them in the transcript."""
    said = [
        part
        for part in report.transcript
        if part.channel is channel and part.start_ms < span[1] and part.end_ms > span[0]
    ]
    words = " ".join(part.text or "" for part in said)
    title = f"<title>{clock(span[0])} {CHANNEL_WORDS[channel]}: {escape(words)}</title>"
    if not linked or not said:
        return f"<g>{title}{bars}</g>"
    return f'<a href="#t-{escape(said[0].id)}" tabindex="-1">{title}{bars}</a>'


def _silences(report: Report, frame: _Frame, spoken: Iterable[list[Span]]) -> str:
    everyone = union(span for spans in spoken for span in spans)
    if not everyone:
        return ""
    held = union((hold.begin_ms, hold.end_ms) for hold in report.holds)
    silent = subtract(subtract([(everyone[0][0], everyone[-1][1])], everyone), held)
    y = (_LANES_TOP + _LANES_END) / 2
    return "".join(
        f'<line class="silence" x1="{frame.x(begin)}%" x2="{frame.x(end)}%" y1="{y}" y2="{y}">'
        f"<title>Nobody spoke for {(end - begin) / 1000:.1f} s</title></line>"
        for begin, end in silent
        if end - begin >= _SILENCE_MS and frame.holds(begin, end)
    )


def _cut(frame: _Frame, event: InterruptionPart, linked: bool) -> str:
    parts = ""
    if event.overlap_class in _COUNTED and frame.holds(event.begin_ms, event.end_ms + 1):
        said = f"{clock(event.begin_ms)} {event.by} {CLASS_WORDS[event.overlap_class]}"
        end_ms = max(event.end_ms, event.begin_ms + 1)
        span = (event.begin_ms, end_ms)
        box = frame.bar("interruption", span, _LANES_TOP, _LANES_END - _LANES_TOP)
        at = frame.x(event.begin_ms)
        arrow = (
            f'<svg x="{at}%" y="4" overflow="visible"><path class="cut" d="M-5 0H5L0 8z"/></svg>'
        )
        mark = f"<title>{said}</title>{box}{arrow}"
        where = f'href="#{escape(event.id)}" tabindex="-1"'
        parts = f"<a {where}>{mark}</a>" if linked else f"<g>{mark}</g>"
    if (
        not linked
        and event.live_cue_ms is not None
        and frame.holds(event.live_cue_ms, event.live_cue_ms + 1)
    ):
        parts += (
            f'<circle class="cue" cx="{frame.x(event.live_cue_ms)}%" cy="{_LANES_END}" r="4">'
            f"<title>Cue at {clock(event.live_cue_ms)}</title></circle>"
        )
    return parts


def _marks(report: Report, frame: _Frame, y: int) -> str:
    acts = (
        f'<line class="act" x1="{frame.x(a.start_ms)}%" x2="{frame.x(a.start_ms)}%" y1="{y}" '
        f'y2="{y + 12}"><title>{clock(a.start_ms)} {CHANNEL_WORDS[a.channel]}, '
        f"{escape(act_words(a.kind))}: {escape(a.text)}</title></line>"
        for a in report.acts
    )
    cues = (
        f'<circle class="cue" cx="{frame.x(c.raised_ms)}%" cy="{y + 6}" r="4.500">'
        f"<title>{clock(c.raised_ms)} cue: {escape(c.text)}</title></circle>"
        for c in report.cues
    )
    return "".join([*acts, *cues])


def _curve(frame: _Frame, curve: CurvePart, name: str, top: float) -> str:
    """Draw one party's curve, broken where there is nothing to measure."""
    values: tuple[float | None, ...] = getattr(curve, name)
    runs: list[list[str]] = [[]]
    last_ms = None
    for at_ms, value in zip(curve.at_ms, values, strict=True):
        if value is None:
            continue
        if last_ms is not None and at_ms - last_ms > _GAP_MS:
            runs.append([])
        last_ms = at_ms
        y = _CURVE_HEIGHT / 2 * (1 - min(max(value / top, -1.0), 1.0))
        runs[-1].append(f"{frame.x(at_ms) * 10:.1f},{y:.1f}")
    return "".join(
        f'<polyline class="curve {curve.channel}" points="{" ".join(run)}"/>'
        for run in runs
        if len(run) > 1
    )


def _curve_row(drawn: str, y: int, label: str) -> str:
    middle = _CURVE_HEIGHT / 2
    return (
        f'<svg y="{y}" height="{_CURVE_HEIGHT}" viewBox="0 0 1000 {_CURVE_HEIGHT}" '
        f'preserveAspectRatio="none" role="img" aria-label="{label}"><title>{label}</title>'
        f'<line class="zero" x1="0" x2="1000" y1="{middle}" y2="{middle}"/>{drawn}</svg>'
    )


def _axis(frame: _Frame, bottom: int, most: int) -> str:
    span_ms = frame.end_ms - frame.begin_ms
    step = next((s for s in _TICK_STEPS_MS if span_ms / s <= most), 1_800_000)
    parts = []
    first_ms = -(-frame.begin_ms // step) * step
    for n, at_ms in enumerate(range(first_ms, frame.end_ms + 1, step)):
        at, seconds = frame.x(at_ms), at_ms // 1000
        anchor = "start" if at < 3 else "end" if at > 97 else "middle"
        parts.append(
            f'<line class="grid" x1="{at}%" x2="{at}%" y1="{_LANES_TOP}" y2="{bottom}"/>'
            f'<text class="tick-{n % 3}" x="{at}%" y="{bottom + 15}" text-anchor="{anchor}">'
            f"{seconds // 60}:{seconds % 60:02d}</text>"
        )
    return "".join(parts)
