"""The tone coach over HTTP: stateless, it stores nothing and inserts nothing."""

from __future__ import annotations

import asyncio
from importlib import resources
from typing import Annotated

import msgspec
from litestar import MediaType, Response, Router, get, post
from litestar.exceptions import ValidationException
from litestar.params import JSONBody

from conversation.language import PackError
from conversation.tone import Said, Tone, check_tone
from server.people.roles import Action

MAX_CHARACTERS = 20_000
"""Longest reply, about ten pages."""
_MAX_MESSAGES = 20
_CSP = "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"

Text = Annotated[str, msgspec.Meta(max_length=MAX_CHARACTERS)]


class ToneRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A reply, and what it answers."""

    text: Text
    context: Annotated[list[Said], msgspec.Meta(max_length=_MAX_MESSAGES)] = []
    """Earlier messages, oldest first."""
    language: str = "en"


def tone_router() -> Router:
    """Return the route, and the page, which holds nothing and is public."""
    return Router(path="/", route_handlers=[check, page, style, script])


@post("/v1/tone", status_code=200, opt={"action": Action.WRITE_TONE})
async def check(data: JSONBody[ToneRequest]) -> Tone:
    """Find what in a written reply reads as a brush-off."""
    if any(len(said.text) > MAX_CHARACTERS for said in data.context):
        raise ValidationException(f"A message is longer than {MAX_CHARACTERS} characters.")
    try:
        return await asyncio.to_thread(check_tone, data.text, data.context, data.language)
    except PackError as error:
        raise ValidationException(str(error)) from error


@get("/tone", opt={"public": True}, media_type=MediaType.HTML, include_in_schema=False)
async def page() -> Response[str]:
    """Serve the page of the tone coach."""
    return Response(_file("tone.html"), headers={"Content-Security-Policy": _CSP})


@get("/tone.css", opt={"public": True}, media_type="text/css", include_in_schema=False)
async def style() -> Response[str]:
    """Serve the style of the page."""
    return Response(_file("tone.css"), media_type="text/css")


@get("/tone.js", opt={"public": True}, media_type="text/javascript", include_in_schema=False)
async def script() -> Response[str]:
    """Serve the script of the page."""
    return Response(_file("tone.js"), media_type="text/javascript")


def _file(name: str) -> str:
    return (resources.files("server.pages") / name).read_text("utf-8")
