"""Genesys Cloud AudioHook, version 2, monitor sessions.

    open → opened   (audio | ping → pong | pause → paused | resume → resumed | discarded | update →
    updated | error)*   close → closed, then the client closes the socket

Each side numbers its messages from 1 and echoes the last number of the other. What breaks these
rules is answered with `disconnect`; the client then closes. The signature is checked before
(`audiohook_signature`); its failure is told 500 ms after `open`, however it failed.
"""

from __future__ import annotations

import logging
from collections import Counter
from enum import Enum
from typing import Any

import msgspec
import numpy as np

from audio.chunks import AudioChunk
from audio.g711 import decode
from conversation.events import CallEnded, CapturePaused, CaptureResumed, Channel
from server.adapters.audiohook_messages import (
    ENCODINGS,
    MAX_CHARACTERS,
    RATE_HZ,
    Envelope,
    Wrong,
    choose_media,
    read_envelope,
    samples_of,
)
from server.adapters.contract import BaseDecoder, CallOpened, Item, gap, read_roles

_UNAUTHORIZED_AFTER_MS = 500
_NULL_UUID = "00000000-0000-0000-0000-000000000000"
_ROLES = {"external": Channel.CUSTOMER, "internal": Channel.AGENT}
_ENDS = {"end": "ended", "error": "source_error", "disconnect": "disconnected"}
_LOG = logging.getLogger("heartline.audiohook")


class _State(Enum):
    WAITING = "waiting for open"
    REFUSED = "waiting to say that the client is unknown"
    OPEN = "open"
    CLOSING = "waiting for close"
    CLOSED = "closed"


class AudioHookDecoder(BaseDecoder):
    """One session, which is one socket."""

    def __init__(
        self, session_id: str, organization_id: str, *, authorized: bool, roles: str = ""
    ) -> None:
        """Decode one session.

        Args:
            session_id: `Audiohook-Session-Id` of the upgrade.
            organization_id: `Audiohook-Organization-Id` of the upgrade.
            authorized: whether the upgrade was signed by who it says.
            roles: who is on which channel, such as `external=agent`; empty: external is the
                customer.
        """
        super().__init__()
        self._session_id = session_id
        self._organization_id = organization_id
        self._authorized = authorized
        self._roles = read_roles(roles, _ROLES)
        self._state = _State.WAITING
        self._seq = 0
        self._client_seq = 0
        self._refuse_at_ms = 0
        self._quiet_until_ms = 0
        """The client asked to be left alone until then."""
        self._channels: tuple[Channel, ...] = ()
        self._encoding, self._width = "mulaw", 1
        self._recorded = False
        self._next = 0
        """Sample that the next audio begins with, of the client's own count."""
        self._paused = False
        self.errors: Counter[int] = Counter()
        """Errors that the client reported, by code."""

    def tick(self, now_ms: int) -> None:
        """Learn the time; the refusal of an unknown client is due at one moment only."""
        super().tick(now_ms)
        if self._state is _State.REFUSED and now_ms >= self._refuse_at_ms:
            self._disconnect("unauthorized")

    def pause(self, paused: bool) -> None:
        """Ask the client to stop sending, or to go on."""
        if self._state is _State.OPEN and self._now_ms >= self._quiet_until_ms:
            self._send("pause" if paused else "resume", {})

    @property
    def idle(self) -> bool:
        """Whether the session is a probe, or one without audio."""
        return self._state is _State.OPEN and not self._recorded

    def drain(self) -> None:
        """Ask the client to connect again."""
        if self._state is _State.OPEN:
            self._send("reconnect", {"info": "This server is being restarted."})

    def feed(self, message: str | bytes) -> list[Item]:
        """Take a text message or audio; what is wrong with it is answered, never raised."""
        try:
            if isinstance(message, bytes):
                return self._audio(message)
            return self._text(message)
        except Wrong as error:
            _LOG.warning("session ends: %s", error)
            return self._disconnect("error", str(error))

    # ------------------------------------------------------------------ audio

    def _audio(self, data: bytes) -> list[Item]:
        if self._state is not _State.OPEN:
            return []
        if not self._channels:
            raise Wrong("audio although none was chosen")
        if len(data) > MAX_CHARACTERS or len(data) % (self._width * len(self._channels)):
            raise Wrong("audio that is not whole samples")
        samples = decode(data, self._encoding).reshape(-1, len(self._channels))
        first, self._next = self._next, self._next + len(samples)
        if not self._recorded:
            return []
        return [
            AudioChunk(
                channel=channel,
                first_sample=first,
                samples=np.ascontiguousarray(samples[:, i]),
                sample_rate_hz=RATE_HZ,
            )
            for i, channel in enumerate(self._channels)
        ]

    # ------------------------------------------------------------------ messages

    def _text(self, text: str) -> list[Item]:
        if self._state is _State.CLOSED:
            return []
        envelope = self._envelope(text)
        kind, parameters = envelope.type, envelope.parameters
        if kind == "close":
            return self._close(str(parameters.get("reason")))
        if self._state in (_State.CLOSING, _State.REFUSED):
            return []
        if kind == "open":
            return self._open(envelope)
        if self._state is _State.WAITING:
            raise Wrong("the first message is not open")
        if kind == "ping":
            self._send("pong", {})
        elif kind == "paused":
            return self._pause()
        elif kind == "resumed":
            return self._resume(parameters)
        elif kind == "discarded":
            return self._lost(parameters, "discard")
        elif kind == "update":
            self._send("updated", {})
        elif kind == "error":
            self._note_error(parameters)
        else:
            raise Wrong("a message of unknown type")
        return []

    def _envelope(self, text: str) -> Envelope:
        envelope = read_envelope(text)
        if envelope.id != self._session_id:
            raise Wrong("another session id")
        if envelope.seq != self._client_seq + 1:
            raise Wrong(f"seq {envelope.seq} after {self._client_seq}")
        if not 0 <= envelope.serverseq <= self._seq:
            raise Wrong(f"serverseq {envelope.serverseq}, but {self._seq} were sent")
        self._client_seq = envelope.seq
        return envelope

    def _open(self, envelope: Envelope) -> list[Item]:
        if self._state is not _State.WAITING:
            raise Wrong("a second open")
        parameters = envelope.parameters
        organization_id = parameters.get("organizationId")
        if not self._authorized or organization_id != self._organization_id:
            self._state = _State.REFUSED
            self._refuse_at_ms = self._now_ms + _UNAUTHORIZED_AFTER_MS
            return []
        offer = choose_media(parameters.get("media"))
        if offer is not None:
            self._encoding, self._width = ENCODINGS[offer["format"]]
            self._channels = tuple(self._roles[name] for name in offer["channels"])
        self._state = _State.OPEN
        self._send("opened", {"startPaused": False, "media": [] if offer is None else [offer]})
        conversation_id = str(parameters.get("conversationId"))
        if conversation_id == _NULL_UUID or offer is None:
            return []
        self._recorded = True
        self._next = samples_of(envelope.position)
        continued = parameters.get("continuedSessions")
        earlier = [
            str(session.get("id"))
            for session in (continued if isinstance(continued, list) else [])
            if isinstance(session, dict)
        ]
        return [
            CallOpened(
                source="audiohook",
                channels=self._channels,
                sample_rate_hz=RATE_HZ,
                vendor_id=self._session_id,
                continues=tuple(earlier),
                first_sample=self._next,
                metadata={"vendor_id": conversation_id[:64]},
                roles={name: role for name, role in self._roles.items() if role in self._channels},
            )
        ]

    # ------------------------------------------------------------------ pause and loss

    def _pause(self) -> list[Item]:
        if self._paused:
            return []
        self._paused = True
        return [CapturePaused(at_ms=0, mode="manual")] if self._recorded else []

    def _resume(self, parameters: dict[str, Any]) -> list[Item]:
        items = self._lost(parameters, "pause")
        if self._paused and self._recorded:
            items.append(CaptureResumed(at_ms=0))
        self._paused = False
        return items

    def _lost(self, parameters: dict[str, Any], reason: str) -> list[Item]:
        """Move over [start, start + discarded); the next sample lies at its end."""
        start = samples_of(parameters.get("start"))
        end = start + samples_of(parameters.get("discarded"))
        items: list[Item] = []
        for begin, until, why in (
            (self._next, start, "loss"),
            (max(self._next, start), end, reason),
        ):
            if until > begin and self._recorded:
                items += [gap(channel, begin, until, RATE_HZ, why) for channel in self._channels]
        self._next = max(self._next, end)
        return items

    # ------------------------------------------------------------------ ends

    def _note_error(self, parameters: dict[str, Any]) -> None:
        code = parameters.get("code")
        self.errors[code if isinstance(code, int) else 0] += 1
        _LOG.warning("the client reports error %d", code if isinstance(code, int) else 0)
        if "retryAfter" in parameters:
            wait_ms = samples_of(parameters["retryAfter"]) * 1000 // RATE_HZ
            self._quiet_until_ms = self._now_ms + wait_ms

    def _close(self, reason: str) -> list[Item]:
        self._state = _State.CLOSED
        self._send("closed", {})
        if not self._recorded or reason == "reconnect":
            return []
        return [CallEnded(at_ms=0, reason=_ENDS.get(reason, "ended"))]

    def _disconnect(self, reason: str, info: str | None = None) -> list[Item]:
        if self._state in (_State.CLOSING, _State.CLOSED):
            return []
        self._state = _State.CLOSING
        self._send("disconnect", {"reason": reason, **({"info": info} if info else {})})
        return []

    def _send(self, kind: str, parameters: dict[str, Any]) -> None:
        self._seq += 1
        message = {
            "version": "2",
            "id": self._session_id,
            "type": kind,
            "seq": self._seq,
            "clientseq": self._client_seq,
            "parameters": parameters,
        }
        self._replies.append(msgspec.json.encode(message).decode())
