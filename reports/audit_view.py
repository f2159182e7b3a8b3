"""How right the live cues were, and the finer figures of the talk, as sections of `report.html`."""

from __future__ import annotations

from html import escape

from conversation.events import Channel
from reports.markup import table
from reports.model import CueAuditPart, InterrupterPart, Report, TimingPart
from reports.wording import CHANNEL_WORDS, seconds

_PARTIES = (Channel.AGENT, Channel.CUSTOMER)
FLAG_WORDS = {
    "agent_talks_most": "the agent talks most of the time",
    "agent_talks_little": "the agent talks little",
    "much_silence": "much silence",
    "much_overlap": "much talking at once",
    "slow_replies": "slow replies",
    "long_monologue": "a long monologue",
    "fast": "fast speech",
    "slow": "slow speech",
}
WITHHELD_WORDS = {
    "another_visible": "another cue was on screen",
    "budget": "enough cues in this call",
    "capture_paused": "capture was paused",
    "confidence": "not sure enough",
    "cooldown": "shown shortly before",
    "direction_unknown": "nobody can be told apart",
    "goodbye": "the goodbye",
    "hold": "on hold",
    "holdout": "a call without cues, for the experiment",
    "justified": "the agent had to come in",
    "line_check": "a check of the line",
    "max_per_call": "often enough in this call",
    "max_per_issue": "shown for this issue already",
    "mandatory_reading": "a text that must be read out",
    "muted": "muted by the agent",
    "noise": "too noisy",
    "opening": "the first seconds",
    "round_trip": "the line's delay",
    "several_voices": "several people on one channel",
    "snoozed": "snoozed",
    "spacing": "another cue just before",
    "stale": "its moment had passed",
    "uncleared": "shown in vain before",
}


def cue_audit(report: Report) -> str:
    """Say how many live cues the whole call bears out, and what was held back and why."""
    part = report.cue_audit
    if part is None or not (part.fired or part.missed or part.withheld):
        return ""
    rows = [
        ("Cues for cutting in", str(part.fired)),
        ("Borne out by the whole call", _borne_out(part)),
        ("Not borne out", str(part.false)),
        ("Interruptions by the agent without a cue", str(part.missed)),
        *_delays(report.timing),
    ]
    held = sorted(
        (escape(rule.replace("_", " ")), escape(WITHHELD_WORDS.get(why, why)), str(count))
        for rule, reasons in part.withheld.items()
        for why, count in reasons.items()
    )
    held_back = ""
    if held:
        inside = table(("Cue", "Why not", "Times"), held)
        held_back = f"<details><summary>Cues that were held back</summary>{inside}</details>"
    return (
        "<section id='audit'><h2>How right the cues were</h2>"
        f"{table(('About the live cues', 'In this call'), rows)}{held_back}"
        "<p class='small soft'>One call is little to judge by; budgets and cooldowns hold cues "
        "back on purpose.</p></section>"
    )


def _borne_out(part: CueAuditPart) -> str:
    if part.precision is None:
        return str(part.confirmed)
    text = f"{part.confirmed} ({part.precision:.0%}"
    if part.precision_interval is not None:
        low, high = part.precision_interval
        text += f", 95 % interval {low:.0%} – {high:.0%}"
    return text + ")"


def _delays(timing: TimingPart) -> list[tuple[str, str]]:
    rows = []
    cue, final = timing.cue_latency_ms.get("p50"), timing.final_latency_ms.get("p50")
    if cue is not None:
        rows.append(("From the overlap to its cue, median", seconds(cue)))
    if final is not None:
        rows.append(("From the end of speech to its words, median", seconds(final)))
    return rows


def interrupters(report: Report) -> str:
    """Show the finer figures of who came in on whom; nothing where nobody did."""
    parts = {party: report.interruptions.by[party] for party in _PARTIES}
    if not any(part.count for part in parts.values()):
        return ""

    def row(party: Channel, part: InterrupterPart) -> tuple[str, ...]:
        interval = part.per_10min_interval
        return (
            CHANNEL_WORDS[party],
            "–" if part.turns_interrupted is None else str(part.turns_interrupted),
            _percent(part.success_rate),
            seconds(part.yield_ms_median),
            _percent(part.taken_up_again),
            "–" if interval is None else f"{interval[0]:.1f} – {interval[1]:.1f}",
        )

    head = (
        "By", "Turns cut into", "Got the floor", "The other stopped after", "Gone on with later",
        "Per 10 min, 95 % interval",
    )  # fmt: skip
    return table(head, (row(party, part) for party, part in parts.items()))


def finer_talk(report: Report) -> str:
    """Show how turns changed hands and how listening was signalled."""
    part = report.talk

    def spread(party: Channel, name: str) -> str:
        return _percent(part.transfer_offset_ms.get(party, {}).get(name))

    def per_minute(party: Channel) -> str:
        value = part.backchannels_per_min.get(party)
        return "–" if value is None else f"{value:.1f}"

    rows = [
        (name, *(spread(party, key) for party in _PARTIES))
        for key, name in (
            ("smooth", "Took over within 0.2 s"),
            ("early", "Started before the other had ended"),
            ("late", "Took over after 2 s or more"),
        )
    ]
    rows.append(("Signs of listening a minute", *(per_minute(party) for party in _PARTIES)))
    patience = part.patience_ms
    notes = [f"silence that the agent leaves, median {seconds(patience)}"] if patience else []
    if part.switches_per_min is not None:
        notes.append(f"{part.switches_per_min:.1f} changes of turn a minute")
    notes += [FLAG_WORDS.get(flag, flag) for flag in part.flags]
    said = f"<p class='small soft'>{escape(' · '.join(notes))}</p>" if notes else ""
    return table(("Change of turn", "Agent", "Customer"), rows) + said


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.0%}"
