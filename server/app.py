"""The ASGI application: ingest and event sockets, calls, reports and the panel."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from litestar import Litestar, MediaType, Request, Response, get
from litestar.datastructures import State
from litestar.openapi.datastructures import ResponseSpec
from litestar.static_files import create_static_files_router
from litestar.types import Message, Scope
from sqlalchemy.exc import SQLAlchemyError

from server.access import Access, may_do, reads_origin
from server.aside import Aside, AsideError, MakeFigures, database_of
from server.asyncapi import asyncapi_document
from server.call_routes import CALL_LIST_ROUTES
from server.calls import Calls
from server.contact_lens import analysis_segments_route
from server.event_socket import call_events, live_calls
from server.export_routes import export_router
from server.ingest_socket import ingest
from server.landing import landing
from server.learn import learn_router
from server.metrics import metrics_text
from server.oidc_routes import oidc_routes
from server.openapi import openapi_route
from server.own_data_routes import own_data_routes
from server.people.oidc import Oidc
from server.practice.desk import Desk
from server.practice_routes import PRACTICE_ROUTES
from server.problems import HANDLERS, HEADERS
from server.promise_routes import PROMISE_ROUTES
from server.rights import Rights
from server.rule_routes import RULE_ROUTES
from server.settings import Settings
from server.shed import RETRY_AFTER_MS
from server.sign_in import me, new_ticket, open_local_session, sign_in, sign_out, ways_in
from server.static_files import asset_route
from server.store.figures import calls_without_figures
from server.store.retention import RetentionSettings, expire
from server.store.tables import CALLS as TABLE_OF_CALLS
from server.store.tenancy import Job, for_job, for_tenant, tenants_of
from server.stream_routes import CALL_ROUTES, STREAM_SOCKETS
from server.tone_routes import tone_router
from server.trend_routes import TREND_ROUTES

_RETENTION_EVERY_S = 3_600.0
_DATABASE_S = 2.0
"""How long a database that is ready takes to say so."""
_FIGURES_EVERY_S = 300.0
_FIGURES_AT_ONCE = 100
_FIGURES_BACK = timedelta(days=120)
"""The longest trend, and the month before a call that its agent's usual comes from."""
STATIC = Path(__file__).parent / "static"
_LOG = logging.getLogger("heartline")
_CSP = "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"


@get(["/livez", "/healthz"], opt={"public": True}, media_type=MediaType.TEXT)
async def livez() -> str:
    """Answer while the event loop runs."""
    return "ok"


@get(
    "/readyz",
    opt={"public": True},
    media_type=MediaType.TEXT,
    responses={503: ResponseSpec(str, media_type=MediaType.TEXT, description="not ready")},
)
async def readyz(state: State) -> Response[str]:
    """Answer whether calls can be taken now: a recogniser alive, a database that can be written."""
    calls: Calls = state.calls
    if calls.overloaded:
        headers = {"Retry-After": str(RETRY_AFTER_MS // 1_000)}
        said = "not ready: the analysis is too far behind for another call"
        return Response(said, status_code=503, headers=headers)
    if not calls.ready:
        return Response("not ready: draining, or no recogniser is there", status_code=503)
    try:
        async with asyncio.timeout(_DATABASE_S):
            await asyncio.to_thread(_write_nothing, calls.journal.database)
    except (SQLAlchemyError, TimeoutError):
        return Response("not ready: the database cannot be written", status_code=503)
    return Response("ready", status_code=200)


def _write_nothing(database: sa.Engine) -> None:
    """Do what a write needs, on no row."""
    with for_job(database, Job.READINESS).begin() as connection:
        connection.execute(sa.update(TABLE_OF_CALLS).where(sa.false()).values(live=False))


@get("/", opt={"public": True}, media_type=MediaType.HTML, include_in_schema=False)
async def panel() -> Response[str]:
    """Serve the panel."""
    index = STATIC / "index.html"
    if not index.is_file():
        return Response("The dashboard is not built; run `make dashboard`.", status_code=503)
    return Response(index.read_text("utf-8"), headers={"Content-Security-Policy": _CSP})


async def _expire_hourly(calls: Calls, retention: RetentionSettings) -> None:
    while True:
        database, now = calls.journal.database, datetime.now(UTC)
        try:
            done = await asyncio.to_thread(expire, database, retention, now=now)
        except SQLAlchemyError as error:
            _LOG.error("retention could not run: %s", type(error).__name__)
        else:
            for one in done:
                _LOG.info("retention deleted %d calls, %d events", one.calls, one.events)
        await asyncio.sleep(_RETENTION_EVERY_S)


async def _work_out_figures(calls: Calls, aside: Aside) -> None:
    """Have the figures of finished calls ready before somebody asks for their trend."""
    database = calls.journal.database
    while True:
        await asyncio.sleep(_FIGURES_EVERY_S)
        since_ms = round((datetime.now(UTC) - _FIGURES_BACK).timestamp() * 1000)
        try:
            for tenant in await asyncio.to_thread(tenants_of, database):
                waiting = await asyncio.to_thread(
                    calls_without_figures, for_tenant(database, tenant), since_ms, _FIGURES_AT_ONCE
                )
                if waiting:
                    await aside.run(MakeFigures(database_of(database), tenant, waiting))
        except (SQLAlchemyError, AsideError) as error:
            _LOG.error("figures could not be worked out: %s", type(error).__name__)


def _add_headers(response: Response[Any]) -> Response[Any]:
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    return response


def create_app(
    calls: Calls,
    access: Access,
    settings: Settings,
    *,
    lasting: Sequence[Callable[[], Coroutine[Any, Any, None]]] = (),
) -> Litestar:
    """Build the application; `lasting` is work that goes on as long as it serves."""
    aside = Aside()

    @contextlib.asynccontextmanager
    async def lifespan(_: Litestar) -> AsyncIterator[None]:
        await calls.take_up()
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(_expire_hourly(calls, settings.retention)),
                group.create_task(_work_out_figures(calls, aside)),
                group.create_task(calls.metrics.watch_loop()),
                group.create_task(calls.watch_load()),
                *(group.create_task(work()) for work in lasting),
            ]
            yield
            await calls.stop()
            for task in tasks:
                task.cancel()

    async def forbid_clear_text(message: Message, _: Scope) -> None:
        if message["type"] == "http.response.start":
            message.setdefault("headers", [])
            header = (b"strict-transport-security", b"max-age=31536000")
            message["headers"] = [*message["headers"], header]

    handlers: list[Any] = [
        open_local_session, ways_in, sign_in, sign_out, me, new_ticket, landing, *CALL_LIST_ROUTES,
        *CALL_ROUTES, *RULE_ROUTES, *TREND_ROUTES, *own_data_routes(settings.retention),
        export_router(), tone_router(), livez, readyz, panel, ingest, call_events,
        live_calls, *STREAM_SOCKETS, asyncapi_document, metrics_text, *PROMISE_ROUTES,
        *PRACTICE_ROUTES, learn_router(),
    ]  # fmt: skip
    if settings.contact_lens.enabled:
        handlers.append(analysis_segments_route(settings.contact_lens))
    if settings.oidc.enabled:
        handlers += oidc_routes(Oidc(settings.oidc), settings.server.origins)
    handlers.append(openapi_route(tuple(handlers)))
    if (STATIC / "assets").is_dir():
        handlers.append(asset_route(STATIC / "assets"))
        handlers.append(
            create_static_files_router(path="/", directories=[STATIC], opt={"public": True})
        )
    return Litestar(
        route_handlers=handlers,
        guards=[reads_origin, may_do],
        state=State(
            {
                "calls": calls,
                "access": access,
                "rights": Rights(access),
                "metrics": calls.metrics,
                "desk": Desk(calls.journal),
                "aside": aside,
                "provider": settings.oidc.enabled,
            }
        ),
        after_request=_add_headers,
        before_send=[forbid_clear_text] if settings.server.tls_certificate else [],
        lifespan=[lifespan],
        exception_handlers=HANDLERS,
        logging_config=None,
        openapi_config=None,
        debug=False,
    )


__all__ = ["Request", "create_app"]
