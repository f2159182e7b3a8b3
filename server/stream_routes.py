"""Where telephony systems connect, how each is recognised, and what may be told of their calls."""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import hmac
import time
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlsplit

from litestar import Request, Response, WebSocket, post, websocket
from litestar.datastructures import State
from litestar.exceptions import (
    ClientException,
    NotFoundException,
    ServiceUnavailableException,
)
from litestar.params import FromPath, JSONBody

from conversation.events import RolesSwapped
from server.adapters.audiohook import AudioHookDecoder
from server.adapters.audiohook_signature import Nonces, SignatureError, verify
from server.adapters.chan_websocket import ChanWebsocketDecoder
from server.adapters.contract import PARTIES, Decoder, IngestError
from server.adapters.dialects import DIALECTS, Dialect
from server.adapters.l16 import L16_DIALECTS, L16Decoder
from server.adapters.media_json import MediaJsonDecoder
from server.adapters.settings import IngestSettings
from server.adapters.twilio_signature import is_signed
from server.auth import is_loopback_host
from server.calls import Calls
from server.expected import ExpectedStream
from server.ingest_socket import GONE, content, is_proxied
from server.people.roles import Action, Person
from server.stream_session import StreamSession

Socket = WebSocket[Any, Any, Any]
_ASTERISK_SUBPROTOCOL = "media"
_NONCES = Nonces()


class WebSocketPeer:
    """A telephony system's WebSocket."""

    def __init__(self, socket: Socket) -> None:
        self._socket = socket

    async def send(self, messages: Sequence[str | bytes]) -> None:
        """Send messages; a peer that is gone is no error."""
        with contextlib.suppress(*GONE):
            for message in messages:
                await self._socket.send_data(
                    message, "text" if isinstance(message, str) else "binary"
                )

    async def close(self, code: int, reason: str) -> None:
        """Close it; a peer that is gone is no error."""
        with contextlib.suppress(*GONE):
            await self._socket.close(code, reason)


async def _serve(
    socket: Socket, state: State, make: Callable[[], Decoder], subprotocol: str | None = None
) -> None:
    """Run one stream until its socket is gone."""
    offered = socket.scope["subprotocols"]
    await socket.accept(subprotocol if subprotocol in offered else None)
    peer = WebSocketPeer(socket)
    try:
        session = StreamSession(make(), state.calls, peer)
    except IngestError as error:
        await peer.close(error.close_code, error.code)
        return
    keeping_time = asyncio.ensure_future(session.keep_time())
    orderly = False
    try:
        while not session.over:
            message = await socket.receive()
            if message["type"] == "websocket.disconnect":
                orderly = message.get("code") in (1000, 1001)
                break
            await session.feed(content(message))
    finally:
        keeping_time.cancel()
        await session.lost(orderly=orderly)


async def _refuses(socket: Socket, state: State, *, secret: str) -> bool:
    """Whether a stream may not even connect: a web page, another name, or no secret is set.

    Without a secret only programs on this machine that call it by a loopback name may connect,
    and only while there are no users; what comes through a proxy needs one, whatever name the
    proxy gives us.
    """
    settings: IngestSettings = state.calls.ingest
    hosts = socket.headers.getall("host", [])
    if socket.headers.get("origin") is not None or len(hosts) != 1:
        return True
    host = hosts[0]
    if is_loopback_host(host):
        users = await asyncio.to_thread(state.access.accounts.any)
        return not secret and (users or is_proxied(socket))
    public = urlsplit(settings.public_url).netloc.lower()
    return not secret or host.lower().removesuffix(":443") != public.removesuffix(":443")


async def _turn_away(socket: Socket, state: State, code: int, reason: str) -> None:
    """Refuse a stream before it is accepted, and count it."""
    state.calls.metrics.auth_failures["stream"] += 1
    await socket.close(code, reason)


def _carries(socket: Socket, token: str) -> bool:
    """Whether the token is the upgrade's bearer, basic password, or last part of its path."""
    scheme, _, given = socket.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        with contextlib.suppress(binascii.Error, UnicodeDecodeError):
            given = base64.b64decode(given).decode().partition(":")[2]
    in_path = str(socket.path_params.get("token", ""))
    return any(
        hmac.compare_digest(candidate.encode(), token.encode()) for candidate in (given, in_path)
    )


def _media_json(dialect: Dialect) -> Any:
    @websocket(f"/v1/ingest/{dialect.name}", name=f"ingest_{dialect.name}", opt={"vendor": True})
    async def stream(socket: Socket, state: State) -> None:
        """Take one stream of this dialect."""
        settings: IngestSettings = state.calls.ingest
        secret = settings.twilio_auth_token if dialect.signed else ""
        if await _refuses(socket, state, secret=secret or settings.stream_token):
            await _turn_away(socket, state, 4403, "forbidden")
            return
        signature = socket.headers.get("x-twilio-signature", "")
        url = settings.public_url.rstrip("/") + socket.scope["path"]
        signed = bool(secret) and is_signed(signature, secret, url)
        if secret and not signed and not settings.stream_token:
            await _turn_away(socket, state, 4401, "unauthorized")
            return
        free = signed or _carries(socket, settings.stream_token)
        token = "" if free else settings.stream_token
        roles = settings.roles.get(dialect.name, "")
        await _serve(socket, state, lambda: MediaJsonDecoder(dialect, roles=roles, token=token))

    return stream


@websocket("/v1/ingest/audiohook", opt={"vendor": True})
async def audiohook(socket: Socket, state: State) -> None:
    """Take one AudioHook session."""
    settings: IngestSettings = state.calls.ingest
    if await _refuses(socket, state, secret="any" if settings.audiohook_keys else ""):
        await _turn_away(socket, state, 4403, "forbidden")
        return
    headers = {name.lower(): value for name, value in socket.headers.items()}
    known = bool(headers.get("audiohook-session-id"))
    authorized = known and not settings.audiohook_keys
    if settings.audiohook_keys:
        scope = socket.scope
        query = scope["query_string"].decode("latin-1")
        target = scope.get("raw_path", b"").decode("latin-1") + (f"?{query}" if query else "")
        authority = urlsplit(settings.public_url).netloc or headers.get("host", "")
        with contextlib.suppress(SignatureError):
            verify(
                headers,
                target,
                authority.lower().removesuffix(":443"),
                settings.audiohook_keys,
                nonces=_NONCES,
                wall_s=time.time(),  # noqa: TID251 - the client's wall time is what is judged
            )
            authorized = known
    await _serve(
        socket,
        state,
        lambda: AudioHookDecoder(
            headers.get("audiohook-session-id", ""),
            headers.get("audiohook-organization-id", ""),
            authorized=authorized,
            roles=settings.roles.get("audiohook", ""),
        ),
    )


@websocket(["/v1/ingest/asterisk", "/v1/ingest/asterisk/{token:str}"], opt={"vendor": True})
async def asterisk(socket: Socket, state: State) -> None:
    """Take one channel of Asterisk's chan_websocket."""
    settings: IngestSettings = state.calls.ingest
    token = settings.stream_token
    if await _refuses(socket, state, secret=token) or (token and not _carries(socket, token)):
        await _turn_away(socket, state, 4401, "unauthorized")
        return
    query = {key: str(value) for key, value in socket.query_params.items()}
    await _serve(socket, state, lambda: ChanWebsocketDecoder(query), _ASTERISK_SUBPROTOCOL)


@websocket(
    ["/v1/ingest/l16/{dialect:str}", "/v1/ingest/l16/{dialect:str}/{token:str}"],
    opt={"vendor": True},
)
async def l16(socket: Socket, dialect: FromPath[str], state: State) -> None:
    """Take one stream of the text-then-binary family."""
    settings: IngestSettings = state.calls.ingest
    spoken = L16_DIALECTS.get(dialect)
    if spoken is None or await _refuses(socket, state, secret=settings.stream_token):
        await _turn_away(socket, state, 4404, "no such dialect, or forbidden")
        return
    token = settings.stream_token
    token = "" if token and _carries(socket, token) else token
    query = {key: str(value) for key, value in socket.query_params.items()}
    roles = settings.roles.get(dialect, "")
    await _serve(
        socket,
        state,
        lambda: L16Decoder(spoken, query, roles=roles, token=token),
        spoken.subprotocol,
    )


@post(
    "/v1/calls/expected",
    status_code=204,
    opt={"action": Action.ANNOUNCE_CALLS, "problems": (503,)},
)
async def expect_stream(data: JSONBody[ExpectedStream], state: State) -> None:
    """Announce a stream that can say no more than an id, such as AudioSocket's."""
    try:
        state.calls.expected.add(data)
    except OverflowError as error:
        raise ServiceUnavailableException(str(error)) from error


@post("/v1/calls/{call_id:str}/swap", status_code=202, opt={"action": Action.SWAP_ROLES})
async def swap_roles(
    call_id: FromPath[str], state: State, request: Request[Any, Any, Any]
) -> Response[dict[str, str]]:
    """Exchange the agent's and the customer's side of a running call, from the next sample on."""
    calls: Calls = state.calls
    call = calls.running.get(call_id)
    row = await asyncio.to_thread(request.state["journal"].call, call_id)
    person: Person = request.state["sign_in"].person
    reached = row is not None and person.may_with(Action.SWAP_ROLES, row.whose)
    if call is None or call.over or not reached:
        raise NotFoundException("There is no such call going on.")
    if set(call.channels) != set(PARTIES):
        raise ClientException("Only a call with an agent's and a customer's side can be swapped.")
    try:
        await call.put([RolesSwapped(at_ms=0)])
    except IngestError as error:
        raise NotFoundException("There is no such call going on.") from error
    return Response({"status": "swapped"}, status_code=202)


STREAM_SOCKETS: list[Any] = [
    *(_media_json(dialect) for dialect in DIALECTS.values()),
    audiohook,
    asterisk,
    l16,
]
"""Sockets of telephony systems; each checks for itself who connects."""
CALL_ROUTES: list[Any] = [expect_stream, swap_roles]
"""What people may tell of calls."""
