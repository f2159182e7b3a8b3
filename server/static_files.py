"""The built dashboard's files: names with a hash in them are kept by browsers for good."""

from __future__ import annotations

import mimetypes
from pathlib import Path
from typing import Any

from litestar import Request, Response, get
from litestar.exceptions import NotFoundException
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

_FOREVER = "public, max-age=31536000, immutable"


def asset_route(folder: Path) -> HTTPRouteHandler:
    """Return the route of what `npm run build` puts into `assets`, read once.

    What has a compressed copy beside it goes out as that to browsers that take it.
    """
    files = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}

    @get("/assets/{name:str}", opt={"public": True})
    async def asset(name: FromPath[str], request: Request[Any, Any, Any]) -> Response[bytes]:
        """Serve one file."""
        content = files.get(name)
        if content is None:
            raise NotFoundException("There is no such file.")
        headers = {"Cache-Control": _FOREVER, "Vary": "Accept-Encoding"}
        packed = files.get(f"{name}.gz")
        if packed is not None and "gzip" in request.headers.get("accept-encoding", ""):
            headers["Content-Encoding"] = "gzip"
            content = packed
        kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
        return Response(content, media_type=kind, headers=headers)

    return asset
