"""Where a message may go: no address of this machine or of a private network, by whatever name.

A name is resolved once, every address that it has is judged, and the connection goes to the judged
address, so that a name that answers differently the next time gains nothing (`reliability.md` A39).
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Sequence
from urllib.parse import urlsplit

import msgspec

from server.webhooks.settings import WebhookSettings

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""Name and port to addresses; raises OSError where there are none."""
_RESOLVE_S = 5.0
_LONGEST_URL = 2_048
_CARRIERS = tuple(
    ipaddress.IPv6Network(text) for text in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16")
)
"""Addresses that carry an IPv4 address to a translator (RFC 6052, RFC 8215, RFC 3056)."""


class AddressRefused(Exception):
    """A message may not go there."""

    code = "webhook_address"


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """Where to connect, and under which name."""

    address: str
    host: str
    """As `Host` header and certificate name, without port."""
    port: int
    secure: bool
    path: str
    """Path and query."""

    @property
    def authority(self) -> str:
        """The `Host` header."""
        name = f"[{self.host}]" if ":" in self.host else self.host
        return name if self.port == (443 if self.secure else 80) else f"{name}:{self.port}"

    @property
    def url(self) -> str:
        """The address to connect to, with numbers for the name."""
        number = f"[{self.address}]" if ":" in self.address else self.address
        return f"{'https' if self.secure else 'http'}://{number}:{self.port}{self.path}"


def check_url(url: str, settings: WebhookSettings) -> tuple[str, int, bool, str]:
    """Return host, port, whether it is TLS, and path with query.

    Raises:
        AddressRefused: it is no web address, or its host is not on the list.
    """
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").rstrip("."), parts.port
    except ValueError as error:
        raise AddressRefused("The address is no web address.") from error
    plain = url.isascii() and url.isprintable() and " " not in url and len(url) <= _LONGEST_URL
    if parts.scheme not in ("http", "https") or not host or not plain or parts.fragment:
        raise AddressRefused("The address must be like https://crm.example.com/heartline.")
    if parts.username is not None or parts.password is not None:
        raise AddressRefused("An address with a password in it is refused; messages are signed.")
    if settings.hosts and host not in settings.hosts:
        raise AddressRefused(f"{host} is not in webhooks.hosts.")
    secure = parts.scheme == "https"
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return host, port or (443 if secure else 80), secure, path


async def resolve(host: str, port: int) -> Sequence[str]:
    """Ask the system's resolver."""
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(_RESOLVE_S):
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(entry[4][0]) for entry in found]


async def find_target(url: str, settings: WebhookSettings, resolve: Resolve = resolve) -> Target:
    """Resolve an address and judge every number it has.

    Raises:
        AddressRefused: it may not be sent to.
        OSError: the name has no address at present.
        TimeoutError: the resolver does not answer.
    """
    host, port, secure, path = check_url(url, settings)
    addresses = [ipaddress.ip_address(text.partition("%")[0]) for text in await resolve(host, port)]
    if not addresses:
        raise OSError("no address")
    for address in addresses:
        private = not is_public(address)
        if private and not any(address in network for network in settings.networks):
            raise AddressRefused(
                f"{host} is at {address}, which is not public; name its network in "
                "webhooks.private_networks if that is meant."
            )
        if not secure and not private:
            raise AddressRefused(f"{host} is public, so its address must begin with https://.")
    return Target(address=str(addresses[0]), host=host, port=port, secure=secure, path=path)


def is_public(address: IpAddress) -> bool:
    """Whether anybody on the internet could be meant."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return is_public(address.ipv4_mapped)
        if address.teredo is not None or any(address in network for network in _CARRIERS):
            return False
    return address.is_global and not address.is_multicast
