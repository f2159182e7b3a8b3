"""A small language for writing down what a dashboard is told of a call."""

from __future__ import annotations

from conversation.events import (
    ActDetected,
    AlertRaised,
    CallStarted,
    Channel,
    CueCleared,
    CueRaised,
    Derived,
    Event,
    FinalTranscript,
    FloorState,
    MetricsUpdated,
    Observation,
    OverlapClass,
    OverlapEnded,
    OverlapStarted,
    OverlapUpdated,
    PartialTranscript,
    RaisedVoiceEnded,
    RaisedVoiceStarted,
    SpeechEnded,
    SpeechStarted,
)

A, C, M = Channel.AGENT, Channel.CUSTOMER, Channel.MIXED
_CUES = {
    "talk_over": ("Let them finish", 1, "hand"),
    "customer_upset": ("They're upset: acknowledge it", 1, "heart"),
    "dead_air": ("Say what you're doing", 2, "clock"),
    "nudge": ("", 1, None),
    "vulnerable": ("Slow down: safeguarding steps", 0, None),
}


class Script:
    """Collects the events of one conversation and puts them in order."""

    def __init__(
        self, name: str, agent: str | None, channels: tuple[Channel, ...] = (A, C)
    ) -> None:
        self._events: list[Event] = [
            CallStarted(
                at_ms=0,
                call_id=name,
                started_at="2026-01-05T09:00:00+00:00",
                channels=channels,
                source="ingest",
                agent=agent,
                model="tiny.en",
            )
        ]
        self._count = 0

    def add(self, *events: Event) -> None:
        """Add events as they are."""
        self._events.extend(events)

    def _id(self, kind: str) -> str:
        self._count += 1
        return f"{kind}-{self._count}"

    def say(
        self, channel: Channel, start_s: float, end_s: float, text: str, *acts: tuple[str, str]
    ) -> None:
        """Let somebody speak: onset, growing partial words, end, final words, acts."""
        utterance = self._id("u")
        start_ms, end_ms = round(start_s * 1000), round(end_s * 1000)
        words = text.split()
        self.add(SpeechStarted(at_ms=start_ms + 200, channel=channel, start_ms=start_ms))
        for rev, at_ms in enumerate(range(start_ms + 1_000, end_ms, 1_000)):
            heard = len(words) * (at_ms - start_ms) // (end_ms - start_ms)
            stable = max(0, heard - 2)
            self.add(
                PartialTranscript(
                    at_ms=at_ms + 300,
                    channel=channel,
                    utterance_id=utterance,
                    rev=rev,
                    start_ms=start_ms,
                    audio_end_ms=at_ms,
                    stable=" ".join(words[:stable]),
                    tail=" ".join(words[stable:heard]),
                    stable_words=stable,
                )
            )
        self.add(
            SpeechEnded(at_ms=end_ms + 300, channel=channel, start_ms=start_ms, end_ms=end_ms),
            FinalTranscript(
                at_ms=end_ms + 700,
                channel=channel,
                utterance_id=utterance,
                rev=99,
                start_ms=start_ms,
                end_ms=end_ms,
                text=text,
            ),
        )
        for kind, quote in acts:
            self.add(
                ActDetected(
                    at_ms=end_ms + 700,
                    id=self._id("act"),
                    channel=channel,
                    kind=kind,
                    start_ms=start_ms,
                    end_ms=end_ms,
                    text=quote,
                    confidence=0.9,
                    utterance_id=utterance,
                )
            )

    def overlap(self, by: Channel, begin_s: float, end_s: float, kind: OverlapClass) -> None:
        """Let one come in on the other."""
        name, begin_ms, end_ms = self._id("o"), round(begin_s * 1000), round(end_s * 1000)
        self.add(
            OverlapStarted(at_ms=begin_ms, id=name, by=by, over=by.other, begin_ms=begin_ms),
            OverlapUpdated(
                at_ms=min(begin_ms + 600, end_ms),
                id=name,
                by=by,
                over=by.other,
                begin_ms=begin_ms,
                overlap_class=kind,
                overlap_ms=600,
                p_backchannel=0.1,
                p_complete=0.2,
                confidence=0.8,
            ),
            OverlapEnded(
                at_ms=end_ms,
                id=name,
                by=by,
                over=by.other,
                overlap_class=kind,
                begin_ms=begin_ms,
                end_ms=end_ms,
                overlap_ms=end_ms - begin_ms,
                yield_ms=end_ms - begin_ms,
                severity=55,
                confidence=0.85,
                interrupted_text=None,
                interrupting_text=None,
                resumed=False,
                revision=0,
            ),
        )

    def cue(
        self, rule: str, at_s: float, until_s: float, outcome: str, line: str, text: str = ""
    ) -> str:
        """Show a cue and take it away again; return its id."""
        name, (own_text, priority, icon) = self._id("cue"), _CUES[rule]
        self.add(
            CueRaised(
                at_ms=round(at_s * 1000),
                id=name,
                rule=rule,
                text=text or own_text,
                priority=priority,
                evidence_line=line,
                ttl_ms=8_000,
                icon=icon,
            ),
            CueCleared(at_ms=round(until_s * 1000), id=name, rule=rule, outcome=outcome),
        )
        return name

    def raised(self, channel: Channel, begin_s: float, end_s: float) -> None:
        """Let a voice be raised."""
        name, begin_ms, end_ms = self._id("r"), round(begin_s * 1000), round(end_s * 1000)
        self.add(
            RaisedVoiceStarted(
                at_ms=begin_ms + 1_500,
                id=name,
                channel=channel,
                begin_ms=begin_ms,
                grade="raised",
                score=4.0,
                confidence=0.9,
                level_delta_db=5.0,
                f0_delta_st=4.0,
                alpha_delta_db=5.0,
            ),
            RaisedVoiceEnded(
                at_ms=end_ms + 300,
                id=name,
                channel=channel,
                begin_ms=begin_ms,
                end_ms=end_ms,
                peak_score=5.0,
                reason="off",
            ),
        )

    def alert(self, rule: str, at_s: float, reason: str, action: str) -> str:
        """Raise an alert; return its id."""
        name, at_ms = self._id("alert"), round(at_s * 1000)
        self.add(
            AlertRaised(at_ms=at_ms, id=name, rule=rule, reason=reason, suggested_action=action)
        )
        return name

    def metrics(self, until_s: int, share: float, cuts: int, wpm: float) -> None:
        """Report the running figures every 5 s; they are unknown for the first 10 s."""
        for at_s in range(5, until_s, 5):
            known = at_s >= 10
            self.add(
                MetricsUpdated(
                    at_ms=at_s * 1000,
                    talk_share_agent=share if known else None,
                    agent_ms=round(at_s * 1000 * share * 0.8),
                    customer_ms=round(at_s * 1000 * (1 - share) * 0.8),
                    overlap_ms=at_s * 20,
                    longest_silence_ms=min(at_s * 300, 3_200),
                    interruptions_agent=cuts if at_s > 30 else 0,
                    interruptions_customer=0,
                    words_per_minute_agent=wpm if known else None,
                    words_per_minute_customer=140.0 if known else None,
                    floor=FloorState.HELD,
                    floor_holder=C,
                )
            )

    def events(self) -> list[Observation | Derived]:
        """Return everything in the order of `at_ms`."""
        ordered = sorted(self._events, key=lambda event: event.at_ms)
        return [event for event in ordered if isinstance(event, Observation | Derived)]
