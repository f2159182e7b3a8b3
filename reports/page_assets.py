"""The style and the script of the report, one text each, and the policy that allows no other."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib import resources


@cache
def style() -> str:
    """Return the style sheet: the palette that the dashboards share, then the report's own."""
    folder = resources.files("reports") / "assets"
    return "".join((folder / name).read_text("utf-8") for name in ("tokens.css", "report.css"))


@cache
def script() -> str:
    """Return the script, without which the report also reads."""
    return (resources.files("reports") / "assets" / "report.js").read_text("utf-8")


@cache
def content_security_policy(*, served: bool) -> str:
    """Return a policy that allows this style and this script, and no request.

    `blob:` is a recording that the reader has chosen from their own disk.

    Args:
        served: The page comes from a Heartline server, which it may tell of disputes.
    """
    connect = "'self'" if served else "'none'"
    return (
        f"default-src 'none'; style-src '{_hash(style())}'; script-src '{_hash(script())}'; "
        f"connect-src {connect}; media-src blob:; base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
