"""The catalogue of facts that a cue rule may read.

A fact is one flat, dotted name with one value at one stream time. `None` is *unknown*, which is not
zero and not false: a comparison with an unknown fact is unknown and never raises a cue. Names that
are not in this catalogue are rejected when rules are loaded.
"""

from __future__ import annotations

import msgspec

FactValue = float | int | str | bool | None
"""Value of a fact; `None` while unknown."""


class FactName(msgspec.Struct, frozen=True):
    """What a fact is called, what type it has and what it means."""

    name: str
    type: str
    """`number`, `boolean` or `symbol`."""
    doc: str
    symbols: tuple[str, ...] = ()
    """The values that a `symbol` fact can take."""


_PARTIES = ("agent", "customer")

_CALL = (
    FactName("call.ms", "number", "Stream time since the start of the call, ms."),
    FactName("direction_known", "boolean", "Each party has a channel of their own."),
    FactName("bleed", "symbol", "Grade of acoustic bleed between channels.", ("A", "B", "C")),
    FactName("rtt_ms", "number", "Longer round trip of both legs, ms."),
    FactName("hold", "boolean", "The customer is on hold."),
    FactName("hold_ms", "number", "Time on hold, ms; unknown while not on hold."),
    FactName("asr.available", "boolean", "Words are recognised and no more than 2 s behind."),
    FactName("speech_ms_180s", "number", "Speech of both parties in the last 180 s, ms."),
    FactName("talk_share_agent_180s", "number", "Agent's share of speech over 180 s, 0 to 1."),
    FactName("silence.mutual_ms", "number", "Time since anyone spoke, ms; 0 while someone does."),
    FactName("silence.owed_by", "symbol", "Who is expected to speak next.", _PARTIES),
    FactName("interruptions.agent_60s", "number", "Settled interruptions by the agent in 60 s."),
    FactName("interruptions.agent_180s", "number", "The same in 180 s."),
    FactName("interruptions.customer_120s", "number", "Those by the customer in 120 s."),
    FactName("pause_cut_ins.agent_120s", "number", "Cut-ins into customer pauses in 120 s."),
    FactName("taken_floor.severity", "number", "Severity of the agent's last success, 0 to 100."),
    FactName("taken_floor.ago_ms", "number", "Time since the customer stopped for it, ms."),
    FactName("taken_floor.customer_ms", "number", "Customer speech since then, ms."),
    FactName("overlap.by", "symbol", "Who came in over the other; unknown without one.", _PARTIES),
    FactName("overlap.raw_ms", "number", "Simultaneous speech of the present overlap, ms."),
    FactName("overlap.p_backchannel", "number", "Likelihood of a listening signal, 0 to 1."),
    FactName("overlap.collision", "boolean", "Both started at the same moment."),
    FactName("overlap.onset_ago_ms", "number", "Time since the true onset of the overlap, ms."),
    FactName("overlap.confidence", "number", "Confidence of the candidate, 0 to 1; optional."),
)

_STAGES = ("opening", "discovery", "resolution", "closing")

_TALK = (
    FactName("issue.open", "boolean", "The customer has stated a problem that is not settled."),
    FactName("issue.ms", "number", "Time since the open issue was stated, ms."),
    FactName("issue.demanding", "boolean", "It holds a feeling, urgency, confusion, a long story."),
    FactName("issue.felt_ms", "number", "Time since the first feeling worded in it, ms."),
    FactName("issue.any_demanding", "boolean", "Some issue of the call was demanding."),
    FactName("stage", "symbol", "How far the call has come.", _STAGES),
    FactName("stage.ms", "number", "Time in this stage, ms."),
    FactName("agent.usual_known", "boolean", "The agent's own usual pace is known."),
    FactName("agent.pace_vs_usual", "number", "Agent's pace over their own usual pace."),
    FactName("agent.since_first_speech_ms", "number", "Time since the agent first spoke, ms."),
    FactName("agent.hand_raised", "boolean", "The agent has asked for help."),
    FactName("agent.name_used", "boolean", "The agent has used the customer's name."),
    FactName("customer.name_known", "boolean", "The source told the customer's name."),
    FactName("customer.loyal", "boolean", "The source calls them a long-standing customer."),
    FactName("customer.audio_missing_ms", "number", "How long their audio has been missing, ms."),
    FactName("holds.count", "number", "Holds so far, the present one included."),
    FactName("holds.longest_ms", "number", "Longest hold so far, the present one included, ms."),
    FactName("promises.made", "number", "Promises heard so far."),
    FactName("promises.unreviewed", "number", "Promises the agent has not looked at yet."),
    FactName("consent.required", "boolean", "A recording notice is required by setting."),
    FactName("capture.auto_paused", "boolean", "Capture was paused because of card data."),
    FactName("words.known", "boolean", "What was said is known up to now; never unknown itself."),
    FactName("words.lag_ms", "number", "How long speech has been waiting for its words, ms."),
)

_PER_PARTY = (
    ("speaking", "boolean", "Is speaking now."),
    ("utterance_ms", "number", "Length of the present utterance, ms; of who came in, with pauses."),
    ("reply_offset_ms", "number", "Last start after the other's end, ms; negative is overlap."),
    ("asked_to_wait_ago_ms", "number", "Time since asking for a moment, ms; a day if never."),
    ("silent_ms", "number", "Time since the end of the last utterance, ms; 0 while speaking."),
    ("voiced_ago_ms", "number", "Time since the last voiced frame, ms."),
    ("holds_floor", "boolean", "Holds the floor."),
    ("p_complete", "number", "Likelihood that the last clause was complete, 0 to 1."),
    ("stopped_incomplete_ms", "number", "Time since stopping in mid-clause, ms."),
    ("turn_ms", "number", "Length of the present turn, ms."),
    ("turn_words", "number", "Words in the present turn."),
    ("voice_raised", "boolean", "Voice is raised above its own usual effort."),
    ("several_voices", "boolean", "More than one person was heard there in the last two minutes."),
    ("wpm_15s", "number", "Words per minute over the last 15 s of own speech."),
)

FACTS: dict[str, FactName] = {
    fact.name: fact
    for fact in (
        *_CALL,
        *_TALK,
        *(
            FactName(f"{party}.{name}", kind, f"{party.capitalize()}: {doc}")
            for party in _PARTIES
            for name, kind, doc in _PER_PARTY
        ),
    )
}
"""Every fact by name."""

AGENT_ACTS = frozenset(
    {
        "acknowledge_feeling", "apology", "ownership", "next_steps", "specific_time", "vague_time",
        "promise", "open_question", "hold_notice", "appreciation", "anything_else",
        "positive_close", "greeting", "avoid_phrase", "paraphrase", "probing_question",
        "over_promise", "reassurance",
    }
)  # fmt: skip
"""Kinds of language act that an agent can perform."""

CUSTOMER_ACTS = frozenset(
    {
        "frustration", "anger", "repeat_contact", "urgency", "escalation_request", "churn_threat",
        "gratitude", "question", "satisfaction", "floor_protest", "problem_statement", "confusion",
        "vulnerability",
    }
)  # fmt: skip
"""Kinds of language act that a customer can perform."""

EVENT_KINDS = frozenset(
    {"overlap_ended", "turn_started", "turn_ended", "speech_started", "speech_ended"}
)
"""Event kinds that history functions may count, prefixed by a party: `agent.turn_ended`."""

MARKS = {
    "agent.substantial_turn": "A turn of the agent of at least 8 words.",
    "agent.repeated_ack": "An acknowledgement in the words of an earlier one.",
    "agent.generic_ack": "An acknowledgement without a word of what the customer said.",
    "agent.specific_ack": "An acknowledgement that takes up what the customer said.",
    "agent.digits_read": "Digits or letters were read out.",
    "customer.card_data": "They were reading out card data.",
    "customer.issue_opened": "A problem was stated for the first time.",
    "customer.narrative": "A story of at least 25 s or 60 words came to its end.",
    "customer.repeats": "They say again what they said half a minute or longer ago.",
    "customer.new_vulnerability": "A vulnerability of a kind not heard before in the call.",
    "customer.danger": "A vulnerability that is about self-harm or present danger.",
    "customer.directed_abuse": "Anger with profanity that is said to somebody.",
}
"""Kinds that follow from what was said (`discourse.py`), with their meaning."""

HISTORY_KINDS: frozenset[str] = frozenset(
    {f"agent.{kind}" for kind in AGENT_ACTS | EVENT_KINDS}
    | {f"customer.{kind}" for kind in CUSTOMER_ACTS | EVENT_KINDS}
    | set(MARKS)
)
"""Every kind that `count`, `since`, `turns_since` and `seen` accept, beside a pack's phrases."""


def needs_words(kind: str) -> bool:
    """Return True when the history of `kind` is only known while speech is being recognised."""
    return kind.partition(".")[2] not in EVENT_KINDS
