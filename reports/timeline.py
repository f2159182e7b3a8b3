"""Two-lane pictures of a call as SVG: the whole of it, and close-ups of interruptions."""

from __future__ import annotations

from conversation.events import Channel, OverlapClass
from reports.model import InterruptionPart, Report

_WIDTH = 1000
_LANE_Y = {Channel.CUSTOMER: 8, Channel.AGENT: 44, Channel.MIXED: 26}
_LANE_HEIGHT = 26
_HEIGHT = 100
_CLOSE_UP_MS = 5_000
_COUNTED = (OverlapClass.SUCCESSFUL, OverlapClass.TALK_OVER, OverlapClass.BUTTING_IN)
_TICK_STEPS_MS = (1_000, 2_000, 5_000, 10_000, 15_000, 30_000, 60_000, 300_000, 600_000)


def whole_call(report: Report) -> str:
    """Draw both lanes over the whole call, customer above, agent below."""
    return _picture(report, 0, max(report.call.duration_ms, 1), "Timeline of the whole call")


def close_up(report: Report, event: InterruptionPart) -> str:
    """Draw 5 s to each side of an interruption."""
    begin_ms = max(0, event.begin_ms - _CLOSE_UP_MS)
    end_ms = min(report.call.duration_ms, event.begin_ms + _CLOSE_UP_MS)
    return _picture(report, begin_ms, max(end_ms, begin_ms + 1), "Close-up of the interruption")


def _picture(report: Report, begin_ms: int, end_ms: int, label: str) -> str:
    scale = _WIDTH / (end_ms - begin_ms)

    def x(at_ms: float) -> float:
        return round((min(max(at_ms, begin_ms), end_ms) - begin_ms) * scale, 2)

    def bar(kind: str, begin: int, end: int, y: float, height: float) -> str:
        if end <= begin_ms or begin >= end_ms:
            return ""
        width = max(1.0, round(x(end) - x(begin), 2))
        place = f'x="{x(begin)}" y="{y}" width="{width}" height="{height}"'
        return f'<rect class="{kind}" {place} rx="3"/>'

    raised = [(e.channel, e.begin_ms, e.end_ms) for e in report.raised_voice.events]
    parts = [_axis(begin_ms, end_ms, scale)]
    for speech in report.speech:
        thick = any(
            channel is speech.channel and begin < speech.end_ms and speech.begin_ms < end
            for channel, begin, end in raised
        )
        inset = 0 if thick else 5
        parts.append(
            bar(
                f"lane-{speech.channel}",
                speech.begin_ms,
                speech.end_ms,
                _LANE_Y[speech.channel] + inset,
                _LANE_HEIGHT - 2 * inset,
            )
        )
    for event in report.interruptions.events:
        if event.overlap_class in _COUNTED:
            parts.append(
                bar("interruption", event.begin_ms, max(event.end_ms, event.begin_ms + 1), 3, 72)
            )
        if event.live_cue_ms is not None and begin_ms <= event.live_cue_ms < end_ms:
            parts.append(f'<circle class="cue" cx="{x(event.live_cue_ms)}" cy="77" r="4"/>')
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{label}">'
        + "".join(parts)
        + "</svg>"
    )


def _axis(begin_ms: int, end_ms: int, scale: float) -> str:
    step = next((s for s in _TICK_STEPS_MS if (end_ms - begin_ms) / s <= 12), 1_800_000)
    parts = []
    for at_ms in range(-(-begin_ms // step) * step, end_ms + 1, step):
        at_x = round((at_ms - begin_ms) * scale, 2)
        seconds = at_ms // 1000
        parts.append(f'<line class="axis" x1="{at_x}" x2="{at_x}" y1="4" y2="82"/>')
        parts.append(f'<text x="{at_x + 3}" y="96">{seconds // 60}:{seconds % 60:02d}</text>')
    return "".join(parts)
