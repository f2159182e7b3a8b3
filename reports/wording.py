"""The words of the report, in one place, ready for translation."""

from __future__ import annotations

from conversation.events import Channel, OverlapClass

CHANNEL_WORDS = {Channel.AGENT: "Agent", Channel.CUSTOMER: "Customer", Channel.MIXED: "Call"}
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
CUT_IN_WORDS = {
    OverlapClass.SUCCESSFUL: "took the floor from the",
    OverlapClass.TALK_OVER: "talked over the",
    OverlapClass.BUTTING_IN: "tried to come in on the",
    OverlapClass.PAUSE_CUT_IN: "came in during a pause of the",
}
"""The classes in which one cut in on the other, as a sentence goes on."""
BEHAVIOUR_WORDS = {
    "let_finish": ("Let them finish", "Wait for two beats after they stop before you speak."),
    "listening_signals": ("Signs of listening", "A short “mm-hm” while they explain at length."),
    "acknowledge": ("Acknowledge the feeling", "Name what it did to them before the next step."),
    "specific": ("Specific, not scripted", "Use a word of theirs when you acknowledge."),
    "paraphrase": ("Restate the concern", "Say their concern back in one sentence."),
    "probe": ("Ask to understand", "One open question before you offer a solution."),
    "ownership": ("Take ownership", "Say that you will see it through: “leave it with me”."),
    "plan": ("A plan with owner and time", "Say what happens, who does it, and by when."),
    "realistic": ("Commitments with a time", "Give a day or a time you are sure of."),
    "steady_delivery": ("Steady pace and voice", "Keep to your usual pace when it gets tense."),
    "wording": ("Wording", "Say what is possible, and why."),
    "responsive": ("Prompt answers", "Announce a wait, and say how long."),
    "personal": ("Personal", "Use their name once, and what you know of them."),
    "close": ("A good close", "Recap, thank them, and name the next step."),
    "promises": ("Promises kept", "Write down what you promised, with its time."),
}
"""Name of each line of the scorecard, and what to try."""
MEASURE_WORDS = {
    "interruptions_by_agent": "Interruptions by the agent",
    "interruptions_by_customer": "Interruptions by the customer",
    "talk_share_agent": "Agent's share of the talk",
    "reply_time_median": "Reply time, median",
    "pace": "Pace",
    "longest_monologue": "Longest turn",
    "cues_cleared": "Cues that were followed",
    "promises_with_a_time": "Promises with a time",
}
"""Names of what is measured over many calls; lines of the scorecard keep theirs."""
OUTCOME_WORDS = {
    "cleared": "followed",
    "expired": "time was up",
    "dismissed": "dismissed",
    "superseded": "gave way to another",
}
FEEDBACK_WORDS = {
    "up": "helpful",
    "down": "not helpful",
    "justified": "I had to",
    "dismiss": "dismissed",
    "snooze_5min": "snoozed",
    "snooze_call": "snoozed for the call",
}
WHO_WORDS = {"me": "agent", "team": "team", "company": "company"}
PROMISE_WORDS = {
    "draft": "not confirmed",
    "confirmed": "confirmed",
    "edited": "confirmed, edited",
    "rejected": "not a promise",
}
PROMISE_OUTCOME_WORDS = {
    "open": "open",
    "kept": "kept",
    "late": "late",
    "cancelled": "cancelled",
}
DISPUTE_WORDS = {
    "not_an_interruption": "Not an interruption",
    "was_needed": "Was needed",
}
"""What somebody may say of a judged interruption; both take it out of the counts."""


def clock(at_ms: int) -> str:
    """Format a stream time as `m:ss.t`, `83400` becoming `1:23.4`."""
    tenths = at_ms // 100
    return f"{tenths // 600}:{tenths // 10 % 60:02d}.{tenths % 10}"


def short_clock(at_ms: int) -> str:
    """Format a stream time as `m:ss`."""
    seconds = at_ms // 1000
    return f"{seconds // 60}:{seconds % 60:02d}"


def duration(ms: int) -> str:
    """Format a length as `4 min 05 s`."""
    seconds = round(ms / 1000)
    return f"{seconds // 60} min {seconds % 60:02d} s" if seconds >= 60 else f"{seconds} s"


def seconds(ms: float | None) -> str:
    """Format a length in seconds; unknown is a dash."""
    return "–" if ms is None else f"{ms / 1000:.1f} s"


def times(count: int) -> str:
    """Say how often."""
    return {0: "not at all", 1: "once", 2: "twice"}.get(count, f"{count} times")


def measure_words(name: str) -> str:
    """Name a measure over many calls."""
    if name in BEHAVIOUR_WORDS:
        return BEHAVIOUR_WORDS[name][0]
    return MEASURE_WORDS.get(name, name.replace("_", " ").capitalize())


def measure(value: float, unit: str) -> str:
    """Format a value with its unit: a share in per cent, milliseconds as seconds."""
    if unit == "share":
        return f"{value:.0%}"
    return f"{value / 1000:.1f} s" if unit == "ms" else f"{value:.1f} {unit}"


ACT_WORDS = {
    "acknowledge_feeling": "feeling acknowledged",
    "apology": "apology",
    "ownership": "took ownership",
    "next_steps": "next step",
    "specific_time": "time given",
    "vague_time": "vague time",
    "promise": "promise",
    "open_question": "open question",
    "hold_notice": "wait announced",
    "appreciation": "thanks",
    "anything_else": "offered more help",
    "positive_close": "warm goodbye",
    "greeting": "greeting",
    "avoid_phrase": "phrase to avoid",
    "paraphrase": "concern restated",
    "probing_question": "asked for detail",
    "over_promise": "promised too much",
    "reassurance": "reassurance",
    "frustration": "frustration",
    "anger": "strong words",
    "repeat_contact": "called before",
    "urgency": "urgent",
    "escalation_request": "asked for a manager",
    "churn_threat": "may leave",
    "gratitude": "thanks",
    "question": "question",
    "satisfaction": "satisfied",
    "floor_protest": "asked to finish",
    "problem_statement": "problem",
    "confusion": "confused",
    "vulnerability": "needs care",
}
"""What somebody does with words; `dashboard/src/strings.ts` says the same."""


def act_words(kind: str) -> str:
    """Name an act, or a class of overlap."""
    return ACT_WORDS.get(kind) or _CLASS_NAMES.get(kind, kind.replace("_", " "))


_CLASS_NAMES = {str(kind): words for kind, words in CLASS_WORDS.items()}


def figure(name: str, value: float) -> str:
    """Say a figure of the scorecard with its unit."""
    if name.endswith("_ms"):
        return f"{seconds(value)} {_FIGURES[name]}"
    if name == "resumed":
        return f"{value:.0%} {_FIGURES[name]}"
    return f"{value:.1f}".removesuffix(".0") + f" {_FIGURES[name]}"


_FIGURES = {
    "per_10_customer_turns": "in 10 of their turns",
    "per_10min": "in 10 minutes",
    "overlap_ms": "of talking over them",
    "resumed": "of what was cut off was taken up again",
    "per_minute_of_speech": "in a minute of their speech",
    "median_delay_ms": "until it came, median",
    "questions_per_issue": "asked for each issue",
    "partial": "had a part of it",
    "reply_p90_ms": "before the slowest tenth of replies",
    "unexplained_ms": "of silence without a word",
    "name_used": "times by name",
    "confirmed": "confirmed",
    "drafts": "not looked at",
}
