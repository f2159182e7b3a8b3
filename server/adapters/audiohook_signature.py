"""The signature of an AudioHook upgrade: HTTP message signatures with HMAC-SHA256.

Only what AudioHook uses is read: one signature, string components without parameters.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping

REQUIRED = frozenset(
    {
        "@request-target",
        "@authority",
        "audiohook-organization-id",
        "audiohook-session-id",
        "audiohook-correlation-id",
        "x-api-key",
    }
)
"""Components that must be signed."""
_AHEAD_S = 3
_AGE_S = 10
_NONCE_CHARACTERS = 22
_NONCE_S = 60.0
_MAX_NONCES = 100_000
_INPUT = re.compile(r'([a-z*][a-z0-9_.*-]*)=((\("[^()]*"\))(?:;.*)?)')
_COMPONENT = re.compile(r'"([a-z0-9@_-]+)"')
_PARAMETER = re.compile(r';([a-z][a-z0-9_.*-]*)=(?:"((?:[^"\\]|\\.)*)"|(\d{1,15}))')


class SignatureError(Exception):
    """The upgrade is not from who it says; the message is for the log, never for the peer."""


class Nonces:
    """Values seen in the last 60 s."""

    def __init__(self) -> None:
        self._seen_s: dict[str, float] = {}

    def add(self, nonce: str, now_s: float) -> bool:
        """Remember a value; false when it is not new, or when too many came to be sure."""
        for old, seen_s in list(self._seen_s.items()):
            if now_s - seen_s <= _NONCE_S:
                break
            del self._seen_s[old]
        if nonce in self._seen_s or len(self._seen_s) >= _MAX_NONCES:
            return False
        self._seen_s[nonce] = now_s
        return True


def verify(
    headers: Mapping[str, str],
    target: str,
    authority: str,
    keys: Mapping[str, str],
    *,
    nonces: Nonces,
    wall_s: float | None,
) -> None:
    """Check an upgrade.

    Args:
        headers: request headers under lower-case names.
        target: path and query as sent.
        authority: host the client connected to, with its port unless that is the default one.
        keys: client secret in base64 for each API key; an empty secret lets unsigned ones pass.
        nonces: what was seen before.
        wall_s: time in seconds since 1970; None checks no age.

    Raises:
        SignatureError: the signature is missing, wrong, too old or used before.
    """
    secret = keys.get(headers.get("x-api-key", ""))
    if secret is None:
        raise SignatureError("unknown API key")
    if secret == "":
        return
    given = _INPUT.fullmatch(headers.get("signature-input", "").strip())
    if given is None:
        raise SignatureError("no Signature-Input")
    label, signed_parameters, listed = given[1], given[2], given[3]
    components = _COMPONENT.findall(listed)
    if listed != "(" + " ".join(f'"{name}"' for name in components) + ")":
        raise SignatureError("components are not plain names")
    if len(set(components)) != len(components) or not set(components) >= REQUIRED:
        raise SignatureError("a required component is not signed")
    parameters = _read_parameters(signed_parameters.removeprefix(listed))
    base = _signature_base(components, signed_parameters, headers, target, authority)
    signature = re.fullmatch(
        re.escape(label) + r"=:([A-Za-z0-9+/=]+):", headers.get("signature", "").strip()
    )
    if signature is None:
        raise SignatureError("no Signature")
    try:
        received = base64.b64decode(signature[1], validate=True)
        key = base64.b64decode(secret, validate=True)
    except binascii.Error as error:
        raise SignatureError("not base64") from error
    if not hmac.compare_digest(received, hmac.new(key, base, hashlib.sha256).digest()):
        raise SignatureError("wrong signature")
    _check_parameters(parameters, headers["x-api-key"], wall_s)
    if not nonces.add(str(parameters["nonce"]), wall_s or 0.0):
        raise SignatureError("nonce used before")


def sign(
    headers: Mapping[str, str], target: str, authority: str, secret: str, parameters: str
) -> tuple[str, str]:
    """Return `Signature-Input` and `Signature` of an upgrade, as a client would.

    Args:
        headers: request headers under lower-case names.
        target: path and query.
        authority: host.
        secret: client secret in base64.
        parameters: everything from the first `;` on.
    """
    components = [
        "@request-target",
        "@authority",
        *sorted(REQUIRED - {"@request-target", "@authority"}, key=_ORDER.index),
    ]
    stated = "(" + " ".join(f'"{name}"' for name in components) + ")" + parameters
    base = _signature_base(components, stated, headers, target, authority)
    digest = hmac.new(base64.b64decode(secret), base, hashlib.sha256).digest()
    return f"sig1={stated}", f"sig1=:{base64.b64encode(digest).decode()}:"


_ORDER = [
    "audiohook-organization-id",
    "audiohook-session-id",
    "audiohook-correlation-id",
    "x-api-key",
]


def _read_parameters(text: str) -> dict[str, str | int]:
    parameters: dict[str, str | int] = {}
    end = 0
    for match in _PARAMETER.finditer(text):
        if match.start() != end or match[1] in parameters:
            break
        end = match.end()
        parameters[match[1]] = int(match[3]) if match[3] is not None else match[2]
    if end != len(text):
        raise SignatureError("parameters cannot be read")
    return parameters


def _signature_base(
    components: list[str],
    signed_parameters: str,
    headers: Mapping[str, str],
    target: str,
    authority: str,
) -> bytes:
    lines = []
    for name in components:
        if name == "@request-target":
            value = target
        elif name == "@authority":
            value = authority.lower()
        elif name.startswith("@") or name not in headers:
            raise SignatureError("a signed component is missing")
        else:
            value = headers[name].strip()
        lines.append(f'"{name}": {value}')
    lines.append(f'"@signature-params": {signed_parameters}')
    return "\n".join(lines).encode()


def _check_parameters(
    parameters: Mapping[str, str | int], api_key: str, wall_s: float | None
) -> None:
    nonce, created, expires = (parameters.get(name) for name in ("nonce", "created", "expires"))
    if parameters.get("keyid") != api_key:
        raise SignatureError("keyid is not the API key")
    if parameters.get("alg", "hmac-sha256") != "hmac-sha256":
        raise SignatureError("another algorithm")
    if not isinstance(nonce, str) or len(nonce) < _NONCE_CHARACTERS:
        raise SignatureError("the nonce is too short")
    if not isinstance(created, int) or not isinstance(expires, int | None):
        raise SignatureError("created or expires is not a time")
    if wall_s is None:
        return
    if created > wall_s + _AHEAD_S or created < wall_s - _AGE_S:
        raise SignatureError("created too long ago, or in the future")
    if expires is not None and expires < wall_s:
        raise SignatureError("expired")
