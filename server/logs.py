"""The log: JSON lines without anything that somebody said or typed.

What a line says is ours: names of things, ids of calls, kinds of error. The text of an exception
can hold what a caller said, so an exception is told by its kind and by where it happened.
"""

from __future__ import annotations

import logging
import sys
import traceback
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Literal, TextIO

import msgspec

_FRAMES = 12
"""Innermost places of an exception that are told."""


class LogSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[log]`: what `heartline serve` writes to its standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """The least severity that is written."""
    form: Literal["auto", "json", "text"] = "auto"
    """JSON lines or plain ones; `auto` is plain on a terminal."""


class Line(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line."""

    at: str
    """ISO 8601, UTC."""
    level: str
    logger: str
    message: str
    error: str | None = None
    """Kind of the exception."""
    where: list[str] | None = None
    """File, line and function, innermost last."""


def line_of(record: logging.LogRecord) -> Line:
    """Return what is told of a record."""
    kind, _, trace = record.exc_info or (None, None, None)
    return Line(
        at=datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
        level=record.levelname.lower(),
        logger=record.name,
        message=record.getMessage(),
        error=None if kind is None else kind.__name__,
        where=None if trace is None else _places(trace),
    )


def _places(trace: TracebackType) -> list[str]:
    frames = traceback.extract_tb(trace)[-_FRAMES:]
    return [f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames]


class JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        return msgspec.json.encode(line_of(record)).decode()


class TextFormatter(logging.Formatter):
    """The same for people."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line = line_of(record)
        where = "" if line.where is None else f" ({line.error} at {line.where[-1]})"
        return f"{line.at[11:19]} {line.level:7} {line.message}{where}"


def set_up_log(settings: LogSettings, stream: TextIO | None = None) -> logging.Handler:
    """Write all logs of this process to a stream, by default standard error."""
    stream = stream or sys.stderr
    plain = settings.form == "text" or (settings.form == "auto" and stream.isatty())
    handler = logging.StreamHandler(stream)
    handler.setFormatter(TextFormatter() if plain else JsonFormatter())
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(settings.level.upper())
    for chatty in ("httpx", "httpcore", "websockets", "alembic", "asyncio"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    return handler
