"""Settings of the core; every number by its name in `interruptions.md`, with its source."""

from __future__ import annotations

import msgspec

from conversation.events import Channel


class RoundTrips(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Round trip of each party's leg, milliseconds."""

    agent: int = 80
    """Of the agent's leg, milliseconds."""
    customer: int = 120
    """Of the customer's leg, milliseconds."""

    def of(self, channel: Channel) -> int:
        """Return the round trip of one party."""
        return self.agent if channel is Channel.AGENT else self.customer


class InterruptionSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Numbers of overlap and interruption; P published, S simulated, C our choice."""

    confirm_ms: int = 96
    """Speech is confirmed this late, so live sums end this long ago (C)."""
    join_ms: int = 180
    """Gaps up to this belong to one utterance (P, Levinson & Torreira 2015)."""
    bridge_ms: int = 200
    """Holes in simultaneous speech up to this are bridged (C)."""
    onset_after_silence_ms: int = 300
    """A candidate needs this much silence of the newcomer before (C)."""
    collision_ms: int = 200
    """Two onsets this close are a collision, at least (C)."""
    reaction_ms: int = 150
    """Reaction time added to the round trip for collisions (C)."""
    rtt_ms: RoundTrips = RoundTrips()
    """Round trip of each leg when nothing was measured (C)."""
    min_age_ms: int = 300
    """The other's utterance must be older than this to be come in on (C)."""
    commit_ms: int = 900
    """A newcomer's utterance this long gets a provisional class. On development calls 700 ms call
    5 % of the listening signals interruptions, 900 ms none, at the same recall (measured)."""
    worded_commit_ms: int = 700
    """The same when its words leave no doubt that it is no listening signal (S)."""
    worded_backchannel: float = 0.1
    """Backchannel score up to which there is no doubt (C)."""
    overlap_commit_ms: int = 400
    """While both talk, that much overlap before anything is said of it (C)."""
    stated_backchannel: float = 0.5
    """While the call goes on, an interruption is less likely a listening signal than this (C)."""
    stated_complete: float = 0.88
    """While the call goes on, who stopped and was no more complete than this was cut off: recall
    0.97 and 0.99 at false-positive rates of 0.06 and 0.05 on 280 generated calls over a clean line
    and over one that is late (measured)."""
    sure_complete: float = 0.35
    """More complete than this, who stopped is only said to be cut off once their last words are
    known (C)."""
    words_wait_ms: int = 1_200
    """Length of the newcomer's utterance up to which such words are waited for (C)."""
    backchannel_max_ms: int = 1_000
    """A listening signal is at most this long (P, VAP events)."""
    talk_over_ms: int = 2_000
    """Simultaneous speech this long is talking over (P, no-yield window)."""
    terminal_ms: int = 250
    """Overlap up to this is no interruption when the other goes on (P, TurnBench tolerance)."""
    keep_ms: int = 1_000
    """The newcomer keeps the floor this long for success; the other goes on this long (P, VAP)."""
    settle_ms: int = 1_000
    """An overlap is settled this long after it ended (C)."""
    stop_ms: int = 700
    """Silence that makes a speaker's end a stop, not a pause for breath (C)."""
    candidate_join_ms: int = 1_000
    """Candidates by one party closer than this belong to one event, unless the first was a sign
    of listening (C)."""
    newcomer_join_ms: int = 700
    """Pauses of the newcomer up to this are bridged: "No, ... wait" is one thing said (C)."""
    pause_ms: int = 1_000
    """Coming in after this much of the holder's silence is an ordinary switch (C)."""
    pause_complete: float = 0.3
    """A pause cut-in needs a clause no more complete than this (C)."""
    cooperative_ms: int = 1_000
    """Coming in to help overlaps for less than this (C)."""
    loud_db: float = 3.0
    """Louder than usual, against the speaker's own level (C)."""
    high_st: float = 2.0
    """Higher than usual, semitones against the speaker's own median (C)."""
    decide_at_end: bool = False
    """Settle nothing before the call is over: the post-call pass."""


class VoicesSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Numbers of how several people on one channel are told from one; D set on development voices.

    Of one lively talker (utterances normal or heavy-tailed, spread 3 semitones, as of a recorded
    customer) 1 in 100 runs of 60 utterances or fewer is taken for two (S).
    """

    apart_st: float = 7.0
    """Two voices are this far apart at least, semitones; men and women differ by about 10 (P,
    Traunmueller & Eriksson 1995), and who raises theirs goes up by 2 to 9 (P, `prosody.md`)."""
    apart_spreads: float = 4.0
    """And this many times the spread within either (S)."""
    empty_share: float = 0.6
    """Share of what they are apart in which nobody is heard (S)."""
    raised_score: float = 2.75
    """An utterance that prosody scores so high is in a raised voice, and is no second person's (D,
    `score_on` of the prosody settings)."""
    effort_db: float = 2.0
    """Brighter than this, dB, the higher voice may be a raised one (D)."""
    effort_st: float = 12.0
    """But not this far up: acted anger goes up by 9.4 on the telephone (P, `prosody.md`)."""
    least_utterances: int = 4
    """Of each voice; with 3, five times as many talkers are taken for two (S)."""
    least_ms: int = 5_000
    """Of each voice, in those utterances (C)."""
    least_changes: int = 2
    """From one voice to the other: it must come back (C)."""
    least_ticks: int = 1
    """Ticks with pitch that an utterance needs; pitch is measured where it is needed, often in one
    tick of an utterance, and that is the pitch of 1.5 s (C)."""
    lead_ms: int = 900
    """Ticks earlier in an utterance are mostly of what was said before (C)."""
    echo_ms: int = 800
    """Longest lag of an echo (C)."""
    beside_share: float = 0.2
    """An utterance beside more speech of the other party than this may be an echo of it (C)."""
    kept_utterances: int = 60
    """Newest utterances that are looked at (C)."""
    lately_ms: int = 120_000
    """A voice that was not heard for this long is no longer there (C)."""


class FloorSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Numbers of the floor table."""

    hold_speech_ms: int = 1_000
    """Speech that gives the floor (P, VAP events)."""
    release_silence_ms: int = 300
    """Silence of the holder that lets the other have it (C)."""
    free_after_ms: int = 3_000
    """Mutual silence that frees the floor (C)."""
    contested_ms: int = 2_000
    """Simultaneous speech that contests the floor (P)."""
    silence_event_ms: int = 1_000
    """Mutual silence from this long on is an event (C)."""


class ConversationSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything the core may be told."""

    locale: str = "en"
    """Language of what agents and customers say, and of the cues."""
    interruptions: InterruptionSettings = InterruptionSettings()
    floor: FloorSettings = FloorSettings()
    voices: VoicesSettings = VoicesSettings()
    disabled_rules: tuple[str, ...] = ()
    """Cue rules that are switched off."""
    consent_notice_required: bool = False
    """The agent must say that the call is recorded (rules consent_notice, sup_consent)."""
    time_zone: str = ""
    """IANA name of the zone that due times are meant in; empty: that of the call's start."""

    def final(self) -> ConversationSettings:
        """Return the settings of the post-call pass, which decides with everything known."""
        return msgspec.structs.replace(
            self, interruptions=msgspec.structs.replace(self.interruptions, decide_at_end=True)
        )
