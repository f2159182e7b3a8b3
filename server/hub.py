"""Hands events to dashboards: bounded queues, numbered messages, snapshots without a race."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec

from conversation.events import (
    ClockAdvanced,
    Event,
    FinalTranscript,
    PartialTranscript,
    ProsodyFrame,
)

QUEUE_MESSAGES = 256
"""Messages a dashboard may be behind; beyond it is disconnected and comes back (4408)."""
_UNSHOWN = (ClockAdvanced, ProsodyFrame)


class Subscriber:
    """One dashboard socket."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[bytes] = asyncio.Queue(QUEUE_MESSAGES)
        self.overrun = False

    def put(self, message: bytes, *, droppable: bool = False) -> None:
        """Queue a message; a full queue drops positions and marks the socket for closing."""
        try:
            self.queue.put_nowait(message)
        except asyncio.QueueFull:
            self.overrun = self.overrun or not droppable


class LiveCall:
    """What dashboards see of one call; used on the event loop only."""

    def __init__(self, call_id: str) -> None:
        self.call_id = call_id
        self.position_ms = 0
        self.seq = 0
        self.over = False
        self._shown: list[Event] = []
        self._subscribers: set[Subscriber] = set()

    def publish(self, events: Sequence[Event], position_ms: int) -> None:
        """Send committed events, and the position, to every dashboard."""
        for event in events:
            if isinstance(event, _UNSHOWN):
                continue
            self.seq += 1
            self._keep(event)
            message = msgspec.json.encode({"type": "event", "seq": self.seq, "event": event})
            for subscriber in self._subscribers:
                subscriber.put(message)
        if position_ms // 250 != self.position_ms // 250:
            message = msgspec.json.encode({"type": "position", "at_ms": position_ms})
            for subscriber in self._subscribers:
                subscriber.put(message, droppable=True)
        self.position_ms = position_ms

    def finish(self) -> None:
        """Tell every dashboard that the report is there."""
        self.over = True
        for subscriber in self._subscribers:
            subscriber.put(self.report_message())

    def report_message(self) -> bytes:
        """Return the message that carries the report's address."""
        url = f"/v1/calls/{self.call_id}/report.html"
        return msgspec.json.encode({"type": "report", "url": url})

    def subscribe(self) -> tuple[Subscriber, bytes]:
        """Return a subscriber and the snapshot that its first event follows."""
        subscriber = Subscriber()
        self._subscribers.add(subscriber)
        snapshot = {
            "type": "snapshot",
            "seq": self.seq,
            "call_id": self.call_id,
            "position_ms": self.position_ms,
            "events": self._shown,
        }
        return subscriber, msgspec.json.encode(snapshot)

    def unsubscribe(self, subscriber: Subscriber) -> None:
        """Forget a dashboard."""
        self._subscribers.discard(subscriber)

    def _keep(self, event: Event) -> None:
        if isinstance(event, PartialTranscript | FinalTranscript):
            self._shown = [
                e
                for e in self._shown
                if not (isinstance(e, PartialTranscript) and e.utterance_id == event.utterance_id)
            ]
        self._shown.append(event)
