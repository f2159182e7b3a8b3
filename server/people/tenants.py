"""Tenants: centres that share a server and see nothing of each other; pure.

Calls of the tenant `default` have the ids that their sources chose. Those of another begin with its
name and `~`, which no source may write, so that no tenant can take, meet or guess another's id.
"""

from __future__ import annotations

import re

DEFAULT_TENANT = "default"
"""Whose everything is, as long as nobody names another."""
LONGEST_CALL_ID = 64
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
_MARK = "~"


def is_tenant(name: str) -> bool:
    """Whether this can be a tenant's name: 1 to 32 small letters, digits and hyphens."""
    return _NAME.fullmatch(name) is not None


def own_call_id(tenant: str, call_id: str) -> str:
    """Return the id under which a tenant's call is kept; one that is kept so already stays.

    Raises:
        ValueError: the id begins like another tenant's, or is too long.
    """
    prefix = "" if tenant == DEFAULT_TENANT else f"{tenant}{_MARK}"
    own = prefix + call_id.removeprefix(prefix)
    if _MARK in own.removeprefix(prefix):
        raise ValueError("This call_id is not one of yours.")
    if len(own) > LONGEST_CALL_ID:
        longest = LONGEST_CALL_ID - len(prefix)
        raise ValueError(f"Beside your tenant's name a call_id has at most {longest} characters.")
    return own
