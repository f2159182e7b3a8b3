"""What a source says of the people of a call when it starts, checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_NAME_CHARACTERS = 80
_SLOWEST_USUAL_WPM, _FASTEST_USUAL_WPM = 60.0, 300.0
"""A usual pace outside is a mistake of the source."""


def known_before(metadata: Mapping[str, str]) -> dict[str, Any]:
    """Return what a source said of the people, as fields of `CallStarted`."""
    known: dict[str, Any] = {}
    if metadata.get("customer_name", "").strip():
        known["customer_name"] = metadata["customer_name"].strip()[:_NAME_CHARACTERS]
    if metadata.get("loyal_customer") in ("true", "false"):
        known["loyal_customer"] = metadata["loyal_customer"] == "true"
    try:
        pace = float(metadata.get("usual_words_per_minute", ""))
    except ValueError:
        return known
    if _SLOWEST_USUAL_WPM <= pace <= _FASTEST_USUAL_WPM:
        known["usual_words_per_minute"] = pace
    return known
