"""Relabels a call's two sides when they turn out to have been mixed up."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import msgspec

from audio.chunks import AudioChunk
from conversation.events import AudioGap, Channel, RolesSwapped

Heard = AudioChunk | AudioGap


class RoleSwitch:
    """Passes a call's audio on under the right names.

    A swap counts from one stream time on both sides, the end of the audio that either has
    delivered. What comes later of one side waits for the other, so nothing is out of order.
    """

    def __init__(self, channels: Sequence[Channel], sample_rate_hz: int) -> None:
        self._rate_hz = sample_rate_hz
        self._next_ms = dict.fromkeys(channels, 0)
        """Stream time that each side of the source has reached."""
        self.swapped = False
        """Whether the two sides are exchanged now."""
        self._at_ms: int | None = None
        self._held: list[Heard] = []

    def swap(self) -> None:
        """Exchange the two sides from the next sample on; twice in a row changes nothing.

        Raises:
            ValueError: the call does not have both sides.
        """
        if set(self._next_ms) != {Channel.AGENT, Channel.CUSTOMER}:
            raise ValueError("Only a call with an agent's and a customer's side can be swapped.")
        self._at_ms = max(self._next_ms.values()) + 1 if self._at_ms is None else None

    def feed(self, items: Iterable[Heard]) -> list[Heard | RolesSwapped]:
        """Take audio under the source's names; return what is due under the right ones."""
        out: list[Heard | RolesSwapped] = []
        if self._at_ms is None and self._held:
            items, self._held = [*self._held, *items], []
        for item in items:
            self._next_ms[item.channel] = max(self._next_ms[item.channel], item.end_ms)
            before, after = self._split(item)
            out += [self._name(part) for part in before]
            self._held += after
        if self._at_ms is not None and min(self._next_ms.values()) >= self._at_ms:
            out.append(RolesSwapped(at_ms=self._at_ms))
            self.swapped, self._at_ms = not self.swapped, None
            out += [self._name(part) for part in self._held]
            self._held = []
        return out

    def _split(self, item: Heard) -> tuple[list[Heard], list[Heard]]:
        at_ms = self._at_ms
        if at_ms is None or item.end_ms <= at_ms:
            return [item], []
        if isinstance(item, AudioGap):
            if item.begin_ms >= at_ms:
                return [], [item]
            return [msgspec.structs.replace(item, at_ms=at_ms, end_ms=at_ms)], [
                msgspec.structs.replace(item, begin_ms=at_ms)
            ]
        cut = at_ms * self._rate_hz // 1000 - item.first_sample
        if cut <= 0:
            return [], [item]
        return [replace(item, samples=item.samples[:cut])], [
            replace(item, first_sample=item.first_sample + cut, samples=item.samples[cut:])
        ]

    def _name(self, item: Heard) -> Heard:
        if not self.swapped:
            return item
        if isinstance(item, AudioGap):
            return msgspec.structs.replace(item, channel=item.channel.other)
        return replace(item, channel=item.channel.other)
