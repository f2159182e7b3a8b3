"""The vocabulary of a call: everything that is observed, and everything that follows from it.

Two unions. An *Observation* enters the core (`Conversation.receive`); a *Derived* event leaves it.
Both are journalled, and replaying the observations reproduces the derived events byte for byte.

Rules:
    * Times are integer milliseconds of *stream* time, from sample counters. No event reads a clock.
    * `at_ms` is the stream position at which the event became known; observations enter the core
      in the order of `at_ms`. `start_ms`, `begin_ms`, `end_ms` say when the thing itself happened.
    * Events are immutable, carry no defaults that depend on the environment, and are tagged by
      `type` on the wire.
    * A field that can be unknown is `None` when it is; zero is a measurement.
"""

from __future__ import annotations

from typing import ClassVar

import msgspec

from conversation.derived import (
    ActDetected,
    AlertCleared,
    AlertRaised,
    CueCleared,
    CueRaised,
    CueWithheld,
    Derived,
    LineDoubted,
    MetricsUpdated,
    NoticeCleared,
    NoticeShown,
    OverlapEnded,
    OverlapStarted,
    OverlapUpdated,
    PromiseMade,
    SilenceEnded,
    SilenceStarted,
    TurnEnded,
    TurnStarted,
)
from conversation.event_base import (
    SCHEMA_VERSION,
    Channel,
    Event,
    Evidence,
    FloorState,
    OverlapClass,
    Word,
)
from conversation.observations import (
    AlertAcknowledged,
    AnalysisChanged,
    AudioGap,
    CallEnded,
    CallStarted,
    CapturePaused,
    CaptureResumed,
    ChannelQuality,
    ClockAdvanced,
    CueFeedback,
    FinalTranscript,
    HandRaised,
    HoldEnded,
    HoldStarted,
    NudgeSent,
    Observation,
    PaceMeasured,
    PartialTranscript,
    PromiseReviewed,
    ProsodyFrame,
    RaisedVoiceEnded,
    RaisedVoiceStarted,
    RecognitionChanged,
    RolesSwapped,
    SourceNotice,
    SpeechEnded,
    SpeechStarted,
    UtteranceScored,
)

__all__ = [
    "SCHEMA_VERSION",
    "ActDetected",
    "AlertAcknowledged",
    "AlertCleared",
    "AlertRaised",
    "AnalysisChanged",
    "AudioGap",
    "CallEnded",
    "CallStarted",
    "CapturePaused",
    "CaptureResumed",
    "Channel",
    "ChannelQuality",
    "ClockAdvanced",
    "CueCleared",
    "CueFeedback",
    "CueRaised",
    "CueWithheld",
    "Derived",
    "Event",
    "EventLog",
    "Evidence",
    "FinalTranscript",
    "FloorState",
    "HandRaised",
    "HoldEnded",
    "HoldStarted",
    "LineDoubted",
    "MetricsUpdated",
    "NoticeCleared",
    "NoticeShown",
    "NudgeSent",
    "Observation",
    "OverlapClass",
    "OverlapEnded",
    "OverlapStarted",
    "OverlapUpdated",
    "PaceMeasured",
    "PartialTranscript",
    "PromiseMade",
    "PromiseReviewed",
    "ProsodyFrame",
    "RaisedVoiceEnded",
    "RaisedVoiceStarted",
    "RecognitionChanged",
    "RolesSwapped",
    "SilenceEnded",
    "SilenceStarted",
    "SourceNotice",
    "SpeechEnded",
    "SpeechStarted",
    "TurnEnded",
    "TurnStarted",
    "UtteranceScored",
    "Word",
    "is_observation",
]


class EventLog:
    """Encodes and decodes events as JSON lines, deterministically."""

    _encoder: ClassVar[msgspec.json.Encoder] = msgspec.json.Encoder(order="deterministic")
    _decoder: ClassVar[msgspec.json.Decoder[Observation | Derived]] = msgspec.json.Decoder(
        Observation | Derived
    )

    @classmethod
    def encode(cls, event: Event) -> bytes:
        """Encode one event as compact JSON with sorted keys, without a newline."""
        return cls._encoder.encode(event)

    @classmethod
    def decode(cls, line: bytes | str) -> Observation | Derived:
        """Decode one event.

        Raises:
            msgspec.ValidationError: the line is not an event of this schema.
        """
        return cls._decoder.decode(line)


def is_observation(event: Event) -> bool:
    """Return True for events that enter the core, False for those that leave it."""
    return isinstance(event, Observation)
