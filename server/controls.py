"""What may be said about a call while it goes on."""

from __future__ import annotations

from conversation.events import (
    AlertAcknowledged,
    CapturePaused,
    CaptureResumed,
    CueFeedback,
    HandRaised,
    HoldEnded,
    HoldStarted,
    NudgeSent,
    PromiseReviewed,
    SourceNotice,
)

Control = (
    HoldStarted
    | HoldEnded
    | CapturePaused
    | CaptureResumed
    | CueFeedback
    | PromiseReviewed
    | NudgeSent
    | HandRaised
    | AlertAcknowledged
    | SourceNotice
)
"""What a source, an agent or a supervisor may say about the call while it goes on."""
