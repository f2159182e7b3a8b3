"""Twilio's signature of a WebSocket upgrade: HMAC-SHA1 of the address as configured at Twilio."""

from __future__ import annotations

import base64
import hashlib
import hmac
from urllib.parse import urlsplit


def sign(token: str, url: str) -> str:
    """Return `X-Twilio-Signature` for an address."""
    digest = hmac.new(token.encode(), url.encode(), hashlib.sha1).digest()
    return base64.b64encode(digest).decode()


def is_signed(signature: str, token: str, url: str) -> bool:
    """Whether a signature is Twilio's for an address, with or without its default port.

    Args:
        signature: value of the header.
        token: the account's auth token.
        url: the public address of the socket, never one made from a `Host` header.
    """
    good = False
    for spelling in {url, _other_port(url)}:
        expected = sign(token, spelling)
        good |= hmac.compare_digest(signature.encode("utf-8", "replace"), expected.encode())
    return good


def _other_port(url: str) -> str:
    """Return the address with `:443` added, or without it."""
    parts = urlsplit(url)
    netloc = parts.netloc
    bare = netloc.removesuffix(":443")
    return parts._replace(netloc=bare if bare != netloc else f"{netloc}:443").geturl()
