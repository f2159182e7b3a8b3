"""Whose floor it is.

| state     | entered when                                  | left when                    |
|-----------|-----------------------------------------------|------------------------------|
| FREE      | start, or 3.0 s of mutual silence             | someone gathers 1.0 s        |
| HELD(x)   | x gathers 1.0 s while the other is not in the | the other gathers 1.0 s      |
|           | way: silent for 300 ms, or without the floor  | while x is silent for 300 ms |
| CONTESTED | both at once for 2.0 s                        | one is silent for 300 ms     |
| SUSPENDED | hold, pause, gap                              | it ends; then FREE           |

A run is what one party has said since the other last had the floor; the other's listening
signals do not break it. A run that gets the floor becomes a turn.
"""

from __future__ import annotations

from array import array
from itertools import product

import msgspec

from conversation.events import Channel, FloorState, TurnEnded, TurnStarted
from conversation.settings import FloorSettings
from conversation.speech import PartySpeech, longest_stretch_ms, overlap_spans

PARTIES = (Channel.AGENT, Channel.CUSTOMER)
_FLOORS = tuple(product(FloorState, (None, *PARTIES)))


class Floor:
    """Pure state, advanced on the core's grid."""

    def __init__(self, parties: dict[Channel, PartySpeech], settings: FloorSettings) -> None:
        self._parties = parties
        self._settings = settings
        self.state = FloorState.FREE
        self.holder: Channel | None = None
        self._suspended = False
        self._run_ms = dict.fromkeys(PARTIES, 0)
        self._turn: TurnStarted | None = None
        self._turns = 0
        self._last_turn_end_ms: int | None = None
        self._changes_ms = array("q", [0])
        self._changes = bytearray([_FLOORS.index((FloorState.FREE, None))])
        """Every change, from when and to which of `_FLOORS`: a call may last all day."""

    def spans(self, end_ms: int) -> list[tuple[int, int, FloorState, Channel | None]]:
        """Return the floor as spans that cover [0, `end_ms`) without gap or overlap."""
        ends = [*self._changes_ms[1:], end_ms]
        return [
            (begin, min(end, end_ms), *_FLOORS[floor])
            for begin, floor, end in zip(self._changes_ms, self._changes, ends, strict=True)
            if begin < min(end, end_ms)
        ]

    def _note(self, now_ms: int) -> None:
        """Write down what the floor is from `now_ms` on, when that is new."""
        if _FLOORS[self._changes[-1]] == (self.state, self.holder):
            return
        floor = _FLOORS.index((self.state, self.holder))
        at_ms = max(now_ms, self._changes_ms[-1])
        if at_ms == self._changes_ms[-1]:
            self._changes_ms.pop()
            self._changes.pop()
        self._changes_ms.append(at_ms)
        self._changes.append(floor)

    @property
    def turn_start_ms(self) -> int | None:
        """Start of the present turn, None while nobody holds the floor."""
        return None if self._turn is None else self._turn.start_ms

    def suspend(self, now_ms: int) -> list[TurnStarted | TurnEnded]:
        """Stop: time is unknown from here."""
        ended = self._end_turn(now_ms)
        self._suspended = True
        self.state = FloorState.SUSPENDED
        self._note(now_ms)
        return ended

    def resume(self, now_ms: int) -> None:
        """Go on with a free floor."""
        self._suspended = False
        self.state = FloorState.FREE
        self._run_ms = dict.fromkeys(PARTIES, now_ms)
        self._note(now_ms)

    def advance(self, now_ms: int, at_ms: int | None = None) -> list[TurnStarted | TurnEnded]:
        """Bring the floor up to `now_ms` of confirmed time; `at_ms` is when that is known."""
        events = [] if self._suspended else self._advance(now_ms)
        self._note(now_ms)
        known_ms = now_ms if at_ms is None else at_ms
        return [msgspec.structs.replace(event, at_ms=known_ms) for event in events]

    def _advance(self, now_ms: int) -> list[TurnStarted | TurnEnded]:
        events: list[TurnStarted | TurnEnded] = []
        agent, customer = (self._parties[p] for p in PARTIES)
        mutual_ms = min(agent.silent_ms(now_ms), customer.silent_ms(now_ms))
        if mutual_ms >= self._settings.free_after_ms:
            events += self._end_turn(now_ms)
            self.state = FloorState.FREE
            self._run_ms = dict.fromkeys(PARTIES, now_ms)
            return events
        for party in PARTIES:
            events += self._try_take(party, now_ms)
        if self.holder is not None:
            self.state = FloorState.CONTESTED if self._contested(now_ms) else FloorState.HELD
        return events

    def finish(self, now_ms: int) -> list[TurnStarted | TurnEnded]:
        """End the call."""
        events = self._end_turn(now_ms)
        self.state = FloorState.SUSPENDED if self._suspended else FloorState.FREE
        self._note(now_ms)
        return events

    def _contested(self, now_ms: int) -> bool:
        agent, customer = (self._parties[p] for p in PARTIES)
        silent_ms = max(agent.silent_ms(now_ms), customer.silent_ms(now_ms))
        if silent_ms >= self._settings.release_silence_ms:
            return False
        begin_ms = now_ms - 2 * self._settings.contested_ms
        both = overlap_spans(
            agent.spans_between(begin_ms, now_ms), customer.spans_between(begin_ms, now_ms)
        )
        return longest_stretch_ms(both, 200) >= self._settings.contested_ms

    def _try_take(self, party: Channel, now_ms: int) -> list[TurnStarted | TurnEnded]:
        if self.holder is party:
            return []
        speech, other = self._parties[party], self._parties[party.other]
        run_ms = self._run_ms[party]
        if speech.silent_ms(now_ms) > 1_500 and other.speaking:
            self._run_ms[party] = now_ms
            return []
        if speech.speech_ms(run_ms, now_ms) < self._settings.hold_speech_ms:
            return []
        if self.holder is not None and other.silent_ms(now_ms) < self._settings.release_silence_ms:
            return []
        spans = speech.spans_between(run_ms, now_ms)
        ended = self._end_turn(now_ms)
        self._turns += 1
        start_ms = spans[0][0]
        offset_ms = None if self._last_turn_end_ms is None else start_ms - self._last_turn_end_ms
        self._turn = TurnStarted(
            at_ms=now_ms,
            id=f"turn-{self._turns}",
            channel=party,
            start_ms=start_ms,
            floor_transfer_offset_ms=offset_ms,
        )
        self.holder = party
        self.state = FloorState.HELD
        self._run_ms[party.other] = now_ms
        return [*ended, self._turn]

    def _end_turn(self, now_ms: int) -> list[TurnStarted | TurnEnded]:
        turn, self._turn = self._turn, None
        self.holder = None
        if turn is None:
            return []
        speech = self._parties[turn.channel]
        end_ms = now_ms if speech.speaking else max(turn.start_ms, speech.last_end_ms)
        self._last_turn_end_ms = end_ms
        self._run_ms[turn.channel] = now_ms
        return [
            TurnEnded(
                at_ms=now_ms,
                id=turn.id,
                channel=turn.channel,
                start_ms=turn.start_ms,
                end_ms=end_ms,
                speech_ms=speech.speech_ms(turn.start_ms, end_ms),
            )
        ]
