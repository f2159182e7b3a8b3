"""The facts that cue rules may read, at one moment; None is unknown.

There are sixty and more of them, and an evaluation reads a dozen, so each is worked out when it is
asked for, and again whenever it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from conversation.completeness import CLAUSE, lexical_completeness
from conversation.events import Channel, OverlapClass
from conversation.floor import PARTIES, Floor
from conversation.metrics import Pace, talk_share_agent
from conversation.overlap_evidence import Candidate
from conversation.overlaps import OverlapTracker
from conversation.ports import FactValue
from conversation.speech import PartySpeech

_EVER_MS = 86_400_000
"""Stands for "never in this call"."""
_UNCLEAR_MS = 500
"""Who stops sooner after somebody came in may have been finishing (section 14 of
`interruptions.md` scores nothing there): of 152 turns that stopped after 400 to 470 ms, 82 were
over (generated calls), and a cue that is wrong costs more than one that is left out."""


class Facts(Mapping[str, FactValue]):
    """Every fact by its dotted name at the newest time that `at` was told."""

    def __init__(
        self,
        parties: dict[Channel, PartySpeech],
        floor: Floor,
        overlaps: OverlapTracker,
        paces: dict[Channel, Pace],
        *,
        confirm_ms: int,
    ) -> None:
        self.parties = parties
        self.floor = floor
        self.overlaps = overlaps
        self.paces = paces
        self._confirm_ms = confirm_ms
        self._told: dict[str, FactValue] = {}

    def at(
        self,
        now_ms: int,
        *,
        hold_since_ms: int | None,
        words_seen_ms: int | None,
        direction_known: bool,
    ) -> Facts:
        """Go to the grid time `now_ms`; nothing may change until the facts of it were read."""
        self.now_ms = now_ms
        self.known_ms = now_ms - self._confirm_ms
        """Up to here speech is confirmed."""
        overlapping = [c for c in self.overlaps.open if not c.pause]
        self.overlap: Candidate | None = max(overlapping, key=_onset_ms, default=None)
        self._told = {
            "call.ms": now_ms,
            "direction_known": direction_known,
            "hold": hold_since_ms is not None,
            "hold_ms": None if hold_since_ms is None else now_ms - hold_since_ms,
            "asr.available": words_seen_ms is not None,
        }
        return self

    def __getitem__(self, name: str) -> FactValue:
        ask = _ASKED.get(name)
        return self._told[name] if ask is None else ask(self)

    def get(self, name: str, default: Any = None) -> Any:
        """Return a fact, or the default when it is none of these."""
        ask = _ASKED.get(name)
        return self._told.get(name, default) if ask is None else ask(self)

    def __iter__(self) -> Iterator[str]:
        return iter({**self._told, **_ASKED})

    def __len__(self) -> int:
        return len(self._told) + len(_ASKED)


def _onset_ms(candidate: Candidate) -> int:
    return candidate.onset_ms


# ---------------------------------------------------------------------- both parties


def _speech_ms_180s(at: Facts) -> FactValue:
    return sum(at.parties[p].speech_ms(at.now_ms - 180_000, at.now_ms) for p in PARTIES)


def _talk_share_agent_180s(at: Facts) -> FactValue:
    return talk_share_agent(at.parties, at.now_ms - 180_000, at.now_ms)


def _mutual_ms(at: Facts) -> int:
    agent, customer = (at.parties[p] for p in PARTIES)
    return min(agent.silent_ms(at.now_ms), customer.silent_ms(at.now_ms))


def _owed_by(at: Facts) -> FactValue:
    agent, customer = (at.parties[p] for p in PARTIES)
    if _mutual_ms(at) <= 0 or not (agent.spans or customer.spans):
        return None
    last = Channel.AGENT if agent.last_end_ms >= customer.last_end_ms else Channel.CUSTOMER
    return last.other.value


def _interruptions(at: Facts, by: Channel, window_ms: int) -> FactValue:
    return at.overlaps.evidence.interruptions(by, at.now_ms, window_ms)


def _pause_cut_ins(at: Facts) -> FactValue:
    kinds = (OverlapClass.PAUSE_CUT_IN,)
    return at.overlaps.evidence.interruptions(Channel.AGENT, at.now_ms, 120_000, kinds)


# ---------------------------------------------------------------------- the floor taken last


def _taken_severity(at: Facts) -> FactValue:
    taken = at.overlaps.evidence.taken.get(Channel.AGENT)
    return None if taken is None else taken.severity


def _taken_ago_ms(at: Facts) -> FactValue:
    taken = at.overlaps.evidence.taken.get(Channel.AGENT)
    return None if taken is None else at.now_ms - taken.end_ms


def _taken_customer_ms(at: Facts) -> FactValue:
    taken = at.overlaps.evidence.taken.get(Channel.AGENT)
    if taken is None:
        return None
    return at.parties[Channel.CUSTOMER].speech_ms(taken.end_ms, at.now_ms)


# ---------------------------------------------------------------------- the present overlap


def _overlap_onset_ago_ms(at: Facts) -> FactValue:
    return None if at.overlap is None else at.now_ms - at.overlap.onset_ms


def _overlap_confidence(at: Facts) -> FactValue:
    return None if at.overlap is None else at.overlaps.confidence(at.overlap)


# ---------------------------------------------------------------------- each party


def _utterance_ms(at: Facts, party: Channel) -> FactValue:
    speech, overlap = at.parties[party], at.overlap
    if not speech.speaking:
        return 0
    if overlap is not None and overlap.by is party:
        return overlap.length_ms  # "No, … wait" is one thing said
    return speech.utterance_length_ms(at.known_ms)


def _asked_to_wait_ago_ms(at: Facts, party: Channel) -> FactValue:
    asked_ms = at.parties[party].asked_to_wait_ms
    return _EVER_MS if asked_ms is None else at.now_ms - asked_ms


def _voiced_ago_ms(at: Facts, party: Channel) -> int:
    speech = at.parties[party]
    return 0 if speech.speaking else max(0, at.known_ms - speech.last_end_ms)


def _holds_floor(at: Facts, party: Channel) -> bool:
    over = at.overlap is not None and at.overlap.over is party and at.overlap.held
    return over or at.floor.holder is party


def _p_complete(at: Facts, party: Channel) -> float | None:
    overlap = at.overlap
    if overlap is not None and overlap.over is party:
        unclear = overlap.stop_ms is not None and overlap.stop_ms - overlap.onset_ms < _UNCLEAR_MS
        return max(overlap.p_complete, CLAUSE) if unclear else overlap.p_complete
    words = at.parties[party].words
    return lexical_completeness(" ".join(w.text for w in words[-8:])) if words else None


def _stopped_incomplete_ms(at: Facts, party: Channel) -> FactValue:
    speech = at.parties[party]
    if speech.speaking:
        return None
    p_complete = at[f"{party.value}.p_complete"]
    if not isinstance(p_complete, int | float) or p_complete > 0.5:
        return None
    return max(0, at.known_ms - speech.last_end_ms)


def _turn_start_ms(at: Facts, party: Channel) -> int | None:
    return at.floor.turn_start_ms if at.floor.holder is party else None


def _turn_ms(at: Facts, party: Channel) -> FactValue:
    start_ms = _turn_start_ms(at, party)
    return None if start_ms is None else at.known_ms - start_ms


def _turn_words(at: Facts, party: Channel) -> FactValue:
    start_ms = _turn_start_ms(at, party)
    return None if start_ms is None else at.parties[party].words_since(start_ms)


_OF_PARTY: dict[str, Callable[[Facts, Channel], FactValue]] = {
    "speaking": lambda at, party: at.parties[party].speaking,
    "utterance_ms": _utterance_ms,
    "reply_offset_ms": lambda at, party: at.parties[party].reply_offset_ms,
    "asked_to_wait_ago_ms": _asked_to_wait_ago_ms,
    "silent_ms": lambda at, party: at.parties[party].silent_ms(at.now_ms),
    "voiced_ago_ms": _voiced_ago_ms,
    "holds_floor": _holds_floor,
    "p_complete": _p_complete,
    "stopped_incomplete_ms": _stopped_incomplete_ms,
    "turn_ms": _turn_ms,
    "turn_words": _turn_words,
    "voice_raised": lambda at, party: at.parties[party].voice_raised,
    "several_voices": lambda at, party: at.overlaps.line.several(party, at.now_ms),
    "wpm_15s": lambda at, party: at.paces[party].words_per_minute(),
}


def _of(party: Channel, ask: Callable[[Facts, Channel], FactValue]) -> Callable[[Facts], FactValue]:
    return lambda at: ask(at, party)


_ASKED: dict[str, Callable[[Facts], FactValue]] = {
    "bleed": lambda at: at.overlaps.line.grade,
    "rtt_ms": lambda at: at.overlaps.line.longest_rtt_ms,
    "speech_ms_180s": _speech_ms_180s,
    "talk_share_agent_180s": _talk_share_agent_180s,
    "silence.mutual_ms": _mutual_ms,
    "silence.owed_by": _owed_by,
    "interruptions.agent_60s": lambda at: _interruptions(at, Channel.AGENT, 60_000),
    "interruptions.agent_180s": lambda at: _interruptions(at, Channel.AGENT, 180_000),
    "interruptions.customer_120s": lambda at: _interruptions(at, Channel.CUSTOMER, 120_000),
    "pause_cut_ins.agent_120s": _pause_cut_ins,
    "taken_floor.severity": _taken_severity,
    "taken_floor.ago_ms": _taken_ago_ms,
    "taken_floor.customer_ms": _taken_customer_ms,
    "overlap.by": lambda at: None if at.overlap is None else at.overlap.by.value,
    "overlap.raw_ms": lambda at: None if at.overlap is None else at.overlap.raw_ms,
    "overlap.p_backchannel": lambda at: None if at.overlap is None else at.overlap.p_backchannel,
    "overlap.collision": lambda at: None if at.overlap is None else at.overlap.collision,
    "overlap.onset_ago_ms": _overlap_onset_ago_ms,
    "overlap.confidence": _overlap_confidence,
    **{
        f"{party.value}.{name}": _of(party, ask)
        for party in PARTIES
        for name, ask in _OF_PARTY.items()
    },
}
"""How each fact is worked out that `at` is not told."""
