"""Downloads of a finished call in other formats, the same bytes as `heartline analyze --export`."""

from __future__ import annotations

import asyncio
import io
import zipfile
from typing import Any

from litestar import Request, Response, Router, get
from litestar.datastructures import State
from litestar.exceptions import NotFoundException
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from reports.build import build_report
from reports.exports import EXPORTS, export
from server.call_routes import may_read
from server.people.roles import Action
from server.store import Journal

PLACES = {
    "/transcript.vtt": "vtt",
    "/transcript.srt": "srt",
    "/labels.rttm": "rttm",
    "/labels.TextGrid": "textgrid",
    "/labels.audacity.txt": "audacity",
    "/vcon": "vcon",
    "/contact-lens": "contact-lens",
}
"""Path below a call to name of the export."""
_EPOCH = (1980, 1, 1, 0, 0, 0)
"""Time of every file in an archive, so that the same call is the same bytes."""


def export_router() -> Router:
    """Return the download routes."""
    return Router(
        path="/v1/calls/{call_id:str}",
        route_handlers=[report_csv, *(_download(path, name) for path, name in PLACES.items())],
        opt={"action": Action.READ_CONTENT},
    )


@get("/report.csv", media_type="application/zip")
async def report_csv(
    call_id: FromPath[str], state: State, request: Request[Any, Any, Any]
) -> Response[bytes]:
    """Return the tables of a call: interruptions, cues, promises and scorecard, zipped."""
    await may_read(call_id, state, request)
    files = await asyncio.to_thread(_files, request.state["journal"], call_id, "csv")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), content)
    return Response(packed.getvalue(), media_type="application/zip")


def _download(path: str, name: str) -> HTTPRouteHandler:
    media_type = EXPORTS[name].media_type

    @get(path, name=f"export-{name}", summary=EXPORTS[name].about, media_type=media_type)
    async def download(
        call_id: FromPath[str], state: State, request: Request[Any, Any, Any]
    ) -> Response[bytes]:
        """Return the call in this format."""
        await may_read(call_id, state, request)
        files = await asyncio.to_thread(_files, request.state["journal"], call_id, name)
        (content,) = files.values()
        return Response(content, media_type=media_type)

    return download


def _files(journal: Journal, call_id: str, name: str) -> dict[str, bytes]:
    events = journal.events(call_id)
    if not events:
        raise NotFoundException("There is no such call.")
    return export(name, build_report(events), events)
