"""`/learn`: why and how, for new colleagues; techniques with the sample call to listen to.

The text is one Markdown file. Times in it lead into the recording, and the names of cues to what
is shown, with the reason that the rule itself gives.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from html import escape
from importlib import resources
from typing import Any

from litestar import MediaType, Request, Response, Router, get
from litestar.datastructures import State
from markdown_it import MarkdownIt

from server.analyze import SAMPLE
from server.rule_edits import described

CALL = "/learn/sample-call.flac"
_CSP = "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
_CLOCK = re.compile(r"(?<![\d:])(\d):([0-5]\d)(?![\d:])")
_RANGE = re.compile(r"bytes=(\d{1,9})-(\d{0,9})")
_CUE = re.compile(r"<code>([a-z_]+)</code>")
_ANCHOR = re.compile(r"<(h[23])>(.*?) \{#([a-z]+)\}</\1>")


def learn_router() -> Router:
    """Return the page and what belongs to it; it says nothing of anybody, and is public."""
    return Router(path="/", route_handlers=[page, style, script, sample_call])


@get("/learn", opt={"public": True}, media_type=MediaType.HTML)
async def page(state: State) -> Response[str]:
    """Serve the page for new colleagues, with the cues as they are set here."""
    calls = state.calls
    rules = await asyncio.to_thread(described, calls.rule_source, calls.disabled_rules)
    return Response(learn_page(rules), headers={"Content-Security-Policy": _CSP})


@get("/learn.css", opt={"public": True}, media_type="text/css")
async def style() -> Response[str]:
    """Serve the style of the page."""
    return Response(_file("tone.css") + _file("learn.css"), media_type="text/css")


@get("/learn.js", opt={"public": True}, media_type="text/javascript")
async def script() -> Response[str]:
    """Serve the script of the page."""
    return Response(_file("learn.js"), media_type="text/javascript")


@get(CALL, opt={"public": True}, media_type="audio/flac")
async def sample_call(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Serve the bundled sample call, whole or from where a player jumps to."""
    whole = await asyncio.to_thread(SAMPLE.read_bytes)
    headers = {"Accept-Ranges": "bytes"}
    wanted = _RANGE.fullmatch(request.headers.get("range", ""))
    first = int(wanted[1]) if wanted else 0
    if wanted is None or first >= len(whole):
        return Response(whole, media_type="audio/flac", headers=headers)
    last = min(int(wanted[2] or len(whole)), len(whole) - 1)
    headers["Content-Range"] = f"bytes {first}-{last}/{len(whole)}"
    part = whole[first : last + 1]
    return Response(part, status_code=206, media_type="audio/flac", headers=headers)


def learn_page(rules: Sequence[dict[str, Any]]) -> str:
    """Render the page.

    Args:
        rules: the cue rules with all their keys, switched-off ones included.
    """
    shown = {rule["id"]: rule for rule in rules if rule["audience"] == "agent"}
    body = MarkdownIt("commonmark").enable("table").render(_file("learn.md"))
    anchored = _ANCHOR.sub(r'<\1 id="\3">\2</\1>', body)
    timed = _CLOCK.sub(_moment, anchored)
    linked: list[str] = []

    def cue(match: re.Match[str]) -> str:
        rule = shown.get(match[1])
        if rule is None:
            return match[0]
        linked.append(match[1])
        return f'<a class="cue" href="#cue-{match[1]}">{escape(rule["text"])}</a>'

    text = _CUE.sub(cue, timed)
    entries = "".join(_entry(shown[name]) for name in dict.fromkeys(linked))
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<title>Why and how · Heartline</title>\n<link rel="icon" href="/favicon.svg">\n'
        '<link rel="stylesheet" href="/learn.css">\n'
        '<script type="module" src="/learn.js"></script>\n</head>\n<body>\n'
        '<nav aria-label="Heartline"><a href="/">To Heartline</a></nav>\n'
        f'<div id="player" role="region" aria-label="The sample call"><audio controls '
        f'preload="none" src="{CALL}"></audio></div>\n'
        f'<main>\n{text}<h2 id="cues">The cues, and why</h2>\n<dl>{entries}</dl>\n</main>\n'
        "</body>\n</html>\n"
    )


def _moment(match: re.Match[str]) -> str:
    at_s = int(match[1]) * 60 + int(match[2])
    return f'<a href="{CALL}#t={at_s}" data-at="{at_s}">{match[0]}</a>'


def _entry(rule: dict[str, Any]) -> str:
    off = "" if rule["enabled"] else " (switched off here)"
    return (
        f'<dt id="cue-{rule["id"]}">{escape(rule["text"])}{off}</dt><dd>{escape(rule["why"])}</dd>'
    )


def _file(name: str) -> str:
    return (resources.files("server.pages") / name).read_text("utf-8")
