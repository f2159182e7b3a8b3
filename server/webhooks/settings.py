"""Settings of what is sent to other systems."""

from __future__ import annotations

import ipaddress

import msgspec


class WebhookSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[webhooks]`: where messages may go. The receivers themselves: `heartline webhooks`."""

    hosts: tuple[str, ...] = ()
    """Names of machines that messages may go to; empty: any public one that was added."""
    private_networks: tuple[str, ...] = ()
    """Networks that are not public and may be sent to all the same, such as `10.20.0.0/16`; only
    there may an address begin with `http://`."""
    ca_certificates: str | None = None
    """File with the certificates of a private authority that receivers have theirs from."""
    timeout_s: float = 15.0
    """How long a receiver may take to answer."""
    max_waiting: int = 100_000
    """Messages that may wait; what comes when so many do is not sent, counted and logged."""

    @property
    def networks(self) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
        """The private networks, read.

        Raises:
            ValueError: one of them is no network.
        """
        return tuple(ipaddress.ip_network(text) for text in self.private_networks)
