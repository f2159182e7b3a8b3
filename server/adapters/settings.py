"""Settings of everything that brings calls in."""

from __future__ import annotations

import msgspec


class IngestSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[ingest]`: who may bring calls and how they are read.

    Secrets come from the settings file or the environment; no option of a command takes one.
    """

    max_calls: int = 200
    """Calls at a time; a further one is refused with `overloaded`."""
    anonymous: bool = True
    """Whether the native protocol needs no key from programs on this machine."""
    replay: bool = True
    """Whether native sources may send faster than real time, as `heartline stream --speed` does."""
    public_url: str = ""
    """Address by which telephony systems reach this server, such as `wss://heartline.example`;
    needed for signatures, and for calls through a proxy."""
    stream_token: str = ""
    """Secret that streams without a signature must carry."""
    twilio_auth_token: str = ""
    """Secret that Twilio and SignalWire sign with."""
    audiohook_keys: dict[str, str] = {}
    """Genesys API keys, each with its client secret in base64; empty: unsigned sessions pass."""
    roles: dict[str, str] = {}
    """By source, who is heard on its tracks: `{ twilio = "inbound=agent" }`."""
    audiosocket_port: int = 0
    """TCP port for Asterisk's AudioSocket, usually 9092; 0 is off, -1 any free one."""
    audiosocket_host: str = "127.0.0.1"
    """Address that AudioSocket listens on; it knows no passwords, so keep it private."""
    audiosocket_kind_11_hz: int = 0
    """Rate of frames of kind 0x11: 12000 or 16000; 0 tells by the length of the first frame."""

    def __repr__(self) -> str:
        """Leave the secrets out."""
        return f"IngestSettings(max_calls={self.max_calls}, public_url={self.public_url!r})"
