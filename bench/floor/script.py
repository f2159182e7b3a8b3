"""Writes generated calls: who says what when, which overlaps are planted, and what they are.

The script comes first and is the truth; no detector has a part in it. Distributions are those of
`interruptions.md` sections 11 and 14: 30 % of the changes of turn overlap (median 205 ms), yields
have a median of 700 ms inside 0.3 to 2 s, backchannels are 3.5 dB quieter. Half of the calls are
free of interruptions. Hard negatives are backchannels, overlapped turn ends and collisions. In the
first second after an overlapped turn end, backchannels are as frequent as later; they are no going
on.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import msgspec
import numpy as np

from bench.floor.bank import clips, voices
from bench.floor.said import HOLE_MS, Said, Span, cut, spoken, talks, talks_on, word_ends
from bench.speech_bank import Clip, SpeechBank

PARTIES = ("agent", "customer")
POSITIVES = ("successful", "talk_over", "butting_in")
_TRIES = 6
"""Attempts to find a place for an interruption in a sentence."""
_LEAD_MS = 1_000
"""Speech that gives the floor, before an interruption is planted (VAP events)."""
_BACKCHANNEL_DB = -3.5
_CLEAR_MS = 500
"""Overlaps of less than 500 ms in which it is unclear whether the speaker was done are no part of
the truth (section 14): whoever is interrupted makes no pause for breath before."""


class Planted(msgspec.Struct, frozen=True):
    """An overlap and what it is."""

    by: str
    label: str
    begin_ms: int
    end_ms: int
    """When the overlap is over."""

    @property
    def positive(self) -> bool:
        """Whether it is an interruption that counts."""
        return self.label in POSITIVES


class Script(msgspec.Struct):
    """A whole call."""

    seed: int
    null: bool
    said: list[Said]
    planted: list[Planted]
    duration_ms: int
    rtt_ms: int
    """Extra round trip of the customer's leg."""

    def speech(self, party: str) -> list[Span]:
        """Return true speech of `party`: 10 ms steps within 35 dB of the clip's loudest."""
        spans = sorted(span for item in self.said if item.party == party for span in spoken(item))
        joined: list[Span] = []
        for begin, end in spans:
            if joined and begin - joined[-1][1] <= HOLE_MS:
                joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
            else:
                joined.append((begin, end))
        return joined


class _Writer:
    """Draws one call."""

    def __init__(self, bank: SpeechBank, split: str, seed: int, *, null: bool, rtt_ms: int) -> None:
        self.random = np.random.default_rng([seed, 7])
        self.null = null
        self.rtt_ms = rtt_ms
        self.said: list[Said] = []
        self.planted: list[Planted] = []
        self.clips: dict[str, dict[str, list[Clip]]] = {}
        self._decks: dict[tuple[str, str], list[Clip]] = {}
        for party in PARTIES:
            voice = str(self.random.choice(voices(split, party)))
            self.clips[party] = clips(bank, voice, split, party)
        # How each call is: warm listeners give more signals, some agents cut in often.
        self.signals_per_min = float(self.random.choice([3.0, 5.0, 9.0]))
        self.cut_share = 0.0 if null else float(self.random.choice([0.25, 0.45]))
        self.now_ms = 500
        self.overlapped_end_ms: int | None = None
        """End of the last turn, when the present one came in on it."""

    def draw(self, party: str, kind: str, fits: Callable[[Clip], bool] | None = None) -> Clip:
        deck = self._decks.setdefault((party, kind), [])
        for _ in range(2):
            for i, clip in enumerate(deck):
                if fits is None or fits(clip):
                    return deck.pop(i)
            order = self.random.permutation(len(self.clips[party][kind]))
            deck[:] = [self.clips[party][kind][i] for i in order]
        return deck.pop(0)

    def lognormal(self, median: float, sigma: float, low: float, high: float) -> int:
        value = median * math.exp(sigma * float(self.random.standard_normal()))
        return round(min(high, max(low, value)))

    def say(self, party: str, clip: Clip, begin_ms: int, role: str = "turn") -> Said:
        gain = 0.0
        if role == "backchannel":
            gain = _BACKCHANNEL_DB + 2 * float(self.random.standard_normal())
        elif role != "turn":
            gain = 1.5 + 2 * float(self.random.standard_normal())
        item = Said(party, begin_ms, clip.samples.copy(), clip.words, role, gain)
        self.said.append(item)
        return item

    def free(self, party: str, begin_ms: int, end_ms: int, margin_ms: int) -> bool:
        return all(
            item.end_ms + margin_ms <= begin_ms or end_ms + margin_ms <= item.begin_ms
            for item in self.said
            if item.party == party
        )

    def heard_ms(self, by: str) -> int:
        """How long somebody must have talked so that `by` comes in on it: else both just began.

        Nobody can react to what is younger than the own round trip and 150 ms (section 6).
        """
        return max(500, self.rtt_ms + 200) if by == "customer" else 500

    # ------------------------------------------------------------------ one turn

    def turn(self, party: str) -> tuple[str, int]:
        """Say a turn; return who speaks next and from when, the switch still to be drawn."""
        other = "customer" if party == "agent" else "agent"
        sentences = int(self.random.choice([1, 2] if party == "agent" else [1, 2, 3, 4]))
        cuts = self.random.random() < self.cut_share
        turn: list[Said] = []
        for i in range(sentences):
            last = i == sentences - 1
            clip = self.draw(
                party, "turns", (lambda c: c.seconds >= 3.6) if last and cuts else None
            )
            item = self.say(party, clip, self.now_ms)
            turn.append(item)
            self.now_ms = item.end_ms
            if not last:
                self.now_ms += self.lognormal(330, 0.4, 150, 900)
        begin_ms, end_ms = turn[0].begin_ms, turn[-1].end_ms
        if self.overlapped_end_ms is not None and self.random.random() < self.signals_per_min / 60:
            self._assent(other, turn, self.overlapped_end_ms)
        after = self._interrupt(other, turn[-1], begin_ms) if cuts else None
        limit_ms = min([p.begin_ms for p in self.planted[-1:] if p.begin_ms > begin_ms] or [end_ms])
        self._listen(other, turn, limit_ms - 1_300)
        if after is not None:
            return after
        return other, end_ms

    def _interrupt(self, by: str, item: Said, turn_ms: int) -> tuple[str, int] | None:
        """Plant one of the kinds where there is room for it, another kind where there is not."""
        kinds = {
            "successful": self._cut_off,
            "talk_over": self._talk_over,
            "butting_in": self._butt_in,
        }
        labels = [str(label) for label in self.random.permutation(list(kinds))]
        if self.random.random() < 0.4:
            labels.insert(0, "successful")
        for label in labels:
            for _ in range(_TRIES):
                planted = len(self.planted)
                after = kinds[label](by, item, turn_ms)
                if len(self.planted) > planted:
                    return after
        return None

    def _cut_off(self, by: str, item: Said, turn_ms: int) -> tuple[str, int] | None:
        """The speaker stops in mid-clause; the newcomer keeps the floor for 1 s or more."""
        yield_ms = self.lognormal(700, 0.45, 300, 2_000)
        if item.party == "customer":
            yield_ms += self.rtt_ms
        words = [w for w in item.words[:-2] if w.text and w.text[-1] not in ".,?!"]
        stops = [
            end
            for end in word_ends(words, item.samples)
            if end - yield_ms >= 700
            and talks(item, item.begin_ms + end - yield_ms, self.heard_ms(by))
            and talks_on(item, item.begin_ms + end - yield_ms, min(_CLEAR_MS, yield_ms))
            and item.begin_ms + end - yield_ms - turn_ms >= _LEAD_MS + 300
            and item.end_ms - item.begin_ms - end >= 500
        ]
        if not stops:
            return None
        stop_ms = int(self.random.choice(stops))
        onset_ms = item.begin_ms + stop_ms - yield_ms
        if not self.free(by, onset_ms, onset_ms + 4_000, 1_300):
            return None
        cut(item, stop_ms)
        newcomer = self.say(by, self.draw(by, "cuts_in"), onset_ms, "successful")
        self.planted.append(Planted(by, "successful", onset_ms, item.end_ms))
        end_ms = newcomer.end_ms
        if newcomer.end_ms - item.end_ms < 1_100:
            more = self.say(by, self.draw(by, "turns"), newcomer.end_ms + 180, "turn")
            end_ms = more.end_ms
        return item.party, end_ms

    def _talk_over(self, by: str, item: Said, turn_ms: int) -> tuple[str, int] | None:
        """Both go on for 2 s or more."""
        room_ms = item.end_ms - 2_300 - max(turn_ms + _LEAD_MS + 300, item.begin_ms + 700)
        if room_ms <= 0:
            return None
        onset_ms = item.end_ms - 2_300 - int(self.random.integers(0, room_ms))
        if not talks(item, onset_ms, self.heard_ms(by)) or not talks_on(item, onset_ms, _CLEAR_MS):
            return None
        if not self.free(by, onset_ms, onset_ms + 4_000, 1_300):
            return None
        clip = self.draw(by, "turns", lambda c: c.seconds >= 3.0)
        newcomer = self.say(by, clip, onset_ms, "talk_over")
        self.planted.append(Planted(by, "talk_over", onset_ms, min(item.end_ms, newcomer.end_ms)))
        return item.party, max(item.end_ms, newcomer.end_ms)

    def _butt_in(self, by: str, item: Said, turn_ms: int) -> tuple[str, int] | None:
        """The newcomer gives up after 1.1 to 1.9 s; the speaker goes on for 1.2 s or more."""
        clip = self.draw(by, "cuts_in")
        ends = [end for end in word_ends(clip.words, clip.samples) if 1_100 <= end <= 1_900]
        if not ends:
            return None
        length_ms = int(self.random.choice(ends))
        low_ms = max(turn_ms + _LEAD_MS + 300, item.begin_ms + 700)
        room_ms = item.end_ms - 1_200 - length_ms - low_ms
        if room_ms <= 0:
            return None
        onset_ms = low_ms + int(self.random.integers(0, room_ms))
        if not talks(item, onset_ms, self.heard_ms(by)) or not talks_on(item, onset_ms, _CLEAR_MS):
            return None
        if not self.free(by, onset_ms, onset_ms + length_ms, 1_300):
            return None
        newcomer = self.say(by, clip, onset_ms, "butting_in")
        cut(newcomer, length_ms)
        self.planted.append(Planted(by, "butting_in", onset_ms, newcomer.end_ms))
        return None

    def _listen(self, by: str, turn: list[Said], limit_ms: int) -> None:
        """Give listening signals inside the other's turn."""
        late_ms = self.rtt_ms if by == "customer" else 0
        at_ms = turn[0].begin_ms + 1_000 + late_ms
        while True:
            at_ms += self.lognormal(30_000 / self.signals_per_min, 0.6, 1_000, 20_000)
            clip = self.draw(by, "backchannels")
            end_ms = at_ms + round(clip.seconds * 1000)
            if end_ms > min(turn[-1].end_ms - 300, limit_ms):
                return
            if self.free(by, at_ms, end_ms, 1_300):
                self.say(by, clip, at_ms, "backchannel")
                over = next((i for i in turn if i.begin_ms <= at_ms < i.end_ms), None)
                if over is not None and talks(over, at_ms, before_ms=100):
                    self.planted.append(Planted(by, "backchannel", at_ms, min(end_ms, over.end_ms)))

    def _assent(self, by: str, turn: list[Said], end_ms: int) -> None:
        """Let who was overlapped at the end of a turn give a listening signal to the next one."""
        late_ms = self.rtt_ms if by == "customer" else 0
        begin_ms = end_ms + int(self.random.integers(200, 900)) + late_ms
        clip = self.draw(by, "backchannels")
        until_ms = begin_ms + round(clip.seconds * 1000)
        if until_ms > turn[-1].end_ms - 300 or not self.free(by, begin_ms, until_ms, 100):
            return
        self.say(by, clip, begin_ms, "backchannel")
        self.planted.append(Planted(by, "backchannel", begin_ms, until_ms))

    # ------------------------------------------------------------------ the switch

    def switch(self, party: str, from_ms: int, speaker: str) -> None:
        """Draw when `party` takes its turn after the other's last word at `from_ms`."""
        late_ms = self.rtt_ms if party == "customer" else 0
        self.overlapped_end_ms = None
        if party != speaker and self.random.random() < 0.3 and late_ms == 0:
            early_ms = self.lognormal(205, 0.5, 60, 450)
            last = max((s for s in self.said if s.party != party), key=lambda s: s.end_ms)
            whole = last.role == "turn" and last.end_ms == from_ms
            if whole and self.free(party, from_ms - early_ms, from_ms, 1_300):
                self.now_ms = from_ms - early_ms
                self.planted.append(Planted(party, "terminal_overlap", self.now_ms, from_ms))
                self.overlapped_end_ms = from_ms
                return
        self.now_ms = from_ms + self.lognormal(320, 0.8, 60, 2_500) + late_ms
        if self.random.random() < 0.12:
            self._collide("customer" if party == "agent" else "agent", party)

    def _collide(self, by: str, party: str) -> None:
        """Both start at once after a pause; one gives way after a few words."""
        apart_ms = int(self.random.integers(-150, 150))
        if self.rtt_ms:
            apart_ms = int(self.random.integers(0, self.rtt_ms)) * (1 if by == "customer" else -1)
        onset_ms = self.now_ms + max(apart_ms, -self.now_ms + 100)
        clip = self.draw(by, "cuts_in")
        ends = [end for end in word_ends(clip.words, clip.samples) if 400 <= end <= 1_200]
        if not ends or not self.free(by, onset_ms, onset_ms + 1_200, 500):
            return
        newcomer = self.say(by, clip, onset_ms, "collision")
        cut(newcomer, int(self.random.choice(ends)))
        later = by if apart_ms >= 0 else party
        self.planted.append(
            Planted(later, "collision", max(onset_ms, self.now_ms), newcomer.end_ms)
        )


def write_script(
    bank: SpeechBank, split: str, seed: int, *, null: bool, seconds: float, rtt_ms: int = 0
) -> Script:
    """Write one call; the same arguments give the same call.

    Args:
        bank: the spoken clips.
        split: `development` or `test`; voices and texts are disjoint.
        seed: of everything drawn.
        null: no interruptions.
        seconds: least length of the call.
        rtt_ms: extra round trip of the customer's leg: their replies, listening signals and
            yields come this much later, and more turns collide.
    """
    writer = _Writer(bank, split, seed, null=null, rtt_ms=rtt_ms)
    party = "agent"
    while writer.now_ms < seconds * 1000:
        following, from_ms = writer.turn(party)
        writer.switch(following, from_ms, party)
        party = following
    said = sorted(writer.said, key=lambda item: item.begin_ms)
    return Script(
        seed=seed,
        null=null,
        said=said,
        planted=sorted(writer.planted, key=lambda planted: planted.begin_ms),
        duration_ms=max(item.end_ms for item in said) + 1_500,
        rtt_ms=rtt_ms,
    )
