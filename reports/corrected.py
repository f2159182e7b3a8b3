"""Rebuilds the log of a call whose two sides were mixed up until somebody noticed.

What was observed before a swap is given to the other party, and the core judges the whole call
again. It is a pure function of the journalled events, like every report.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from typing import Any

import msgspec

from conversation.conversation import Conversation
from conversation.events import (
    CallStarted,
    Channel,
    Event,
    FinalTranscript,
    Observation,
    PartialTranscript,
    RolesSwapped,
    UtteranceScored,
)
from conversation.settings import ConversationSettings


def corrected(events: Iterable[Event]) -> list[Event]:
    """Return the log with the roles that hold at the end of the call; unswapped logs unchanged."""
    log = list(events)
    swaps = sorted(event.at_ms for event in log if isinstance(event, RolesSwapped))
    if not swaps:
        return log
    started = log[0]
    stated = started.settings if isinstance(started, CallStarted) else {}
    core = Conversation.create(msgspec.convert(stated, ConversationSettings))
    spoken = {
        event.utterance_id: event.start_ms
        for event in log
        if isinstance(event, FinalTranscript | PartialTranscript)
    }
    observations = [_under_the_right_name(e, swaps, spoken) for e in log if _is_observed(e)]
    rebuilt: list[Event] = []
    for observation in observations:
        rebuilt.append(observation)
        rebuilt += core.receive(observation)
    rebuilt += core.final_pass(observations)
    return rebuilt


def _is_observed(event: Event) -> bool:
    return isinstance(event, Observation)


def _under_the_right_name(event: Any, swaps: list[int], spoken: dict[str, int]) -> Any:
    """Flip the party of what happened before an odd number of swaps."""
    if isinstance(event, CallStarted):
        if len(swaps) % 2 == 0:
            return event
        roles = {track: party.other for track, party in event.roles.items()}
        return msgspec.structs.replace(event, roles=roles)
    channel = getattr(event, "channel", None)
    if not isinstance(channel, Channel):
        return event
    happened_ms = getattr(event, "start_ms", getattr(event, "begin_ms", event.at_ms))
    if isinstance(event, UtteranceScored):
        happened_ms = spoken.get(event.utterance_id, event.at_ms)
    later = len(swaps) - bisect_right(swaps, happened_ms)
    return msgspec.structs.replace(event, channel=channel.other) if later % 2 else event
