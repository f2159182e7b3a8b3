"""Signing in at an OpenID Connect provider: there, and back with a code."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from litestar import Request, get
from litestar.datastructures import Cookie, State
from litestar.exceptions import NotAuthorizedException, ServiceUnavailableException
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromQuery, QueryParameter
from litestar.response import Redirect

from server.access import Access
from server.people.oidc import LIFETIME_S, Oidc, OidcError
from server.sign_in import session_cookie

CALLBACK = "/v1/oidc/callback"
_COOKIE = "heartline_oidc"


def oidc_routes(oidc: Oidc, origins: tuple[str, ...]) -> list[HTTPRouteHandler]:
    """Return the two routes; the provider sends browsers back to the first of the origins."""

    def came_back_to(request: Request[Any, Any, Any]) -> str:
        origin = origins[0] if origins else f"{request.url.scheme}://{request.headers['host']}"
        return f"{origin}{CALLBACK}"

    @get("/v1/oidc/start", status_code=302, opt={"public": True, "problems": (503,)})
    async def start_at_provider(request: Request[Any, Any, Any]) -> Redirect:
        """Send the browser to the provider."""
        try:
            address, browser = await oidc.begin(came_back_to(request))
        except OidcError as error:
            raise ServiceUnavailableException(str(error)) from error
        cookie = Cookie(
            key=_COOKIE,
            value=browser,
            httponly=True,
            # Strict would keep it back, as it is the provider that sends the browser here again.
            samesite="lax",
            path="/v1/oidc",
            max_age=int(LIFETIME_S),
            secure=came_back_to(request).startswith("https"),
        )
        return Redirect(address, status_code=302, cookies=[cookie])

    @get(CALLBACK, status_code=302, opt={"public": True, "problems": (401,)})
    async def come_back(
        request: Request[Any, Any, Any],
        state: State,
        given_state: Annotated[str, QueryParameter(name="state")] = "",
        code: FromQuery[str] = "",
    ) -> Redirect:
        """Open a session for whoever the provider vouches for."""
        access: Access = state.access
        try:
            name = await oidc.finish(given_state, code, request.cookies.get(_COOKIE, ""))
        except OidcError as error:
            state.metrics.auth_failures["oidc"] += 1
            raise NotAuthorizedException(str(error)) from error
        person = await asyncio.to_thread(access.accounts.named, name)
        if person is None:
            state.metrics.auth_failures["oidc"] += 1
            raise NotAuthorizedException("This person is no user here; ask your administrator.")
        session = await asyncio.to_thread(access.sessions.open, person)
        add = access.audit.add
        await asyncio.to_thread(add, person, "sign_in", person.name, access.now(), "oidc")
        answer = Redirect("/", status_code=302, cookies=[session_cookie(access, request, session)])
        answer.delete_cookie(_COOKIE, path="/v1/oidc")
        return answer

    return [start_at_provider, come_back]
