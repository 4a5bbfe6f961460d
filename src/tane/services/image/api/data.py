"""Image data (Image API v2: "Upload binary image data", "Download binary image data", "Stage binary image data")."""

from __future__ import annotations

import re

from tane.services.image.domain import stores, transfers
from tane.web.codec import whole
from tane.web.errors import BadRequest, NotFound, RangeNotSatisfiable, UnsupportedMedia
from tane.web.request import FilePart, Request, Response


def _announced(request: Request) -> int | None:
    """The size the client tells. :raises UnsupportedMedia: :raises BadRequest: no number."""
    kind = request.headers.get("content-type", "application/octet-stream").split(";")[0].strip().lower()
    if kind != "application/octet-stream":
        raise UnsupportedMedia(f"Unsupported Content-Type {kind}: application/octet-stream is expected.")
    told = request.headers.get("x-openstack-image-size") or request.headers.get("content-length", "")
    size = whole(told)
    if told and size is None:
        raise BadRequest("Invalid or missing image size in request headers.")
    return size


async def upload(request: Request) -> None:
    size = _announced(request)
    assert request.stream is not None
    store = request.headers.get("x-image-meta-store")
    await transfers.upload(request.core, request.ctx, request.path["image_id"], request.stream, size, store)


async def stage(request: Request) -> None:
    if "glance-direct" not in request.core.config.image.import_methods:
        raise NotFound("'glance-direct' method is not available at this site.")
    size = _announced(request)
    assert request.stream is not None
    await transfers.stage(request.core, request.ctx, request.path["image_id"], request.stream, size)


async def download(request: Request) -> Response:
    core, image_id = request.core, request.path["image_id"]
    prefer = [name.strip() for name in (request.param("prefer") or "").split(",") if name.strip()]
    found = await core.in_thread(transfers.open_content, core, request.ctx, image_id, prefer)
    if found is None:
        return Response(status=204)
    row, file = found
    headers = {"Content-MD5": row.checksum} if row.checksum else {}
    start, end = 0, row.size
    wanted = request.headers.get("range", "")
    if isinstance(file, str) and not stores.all_stores(core)[file].seekable:
        wanted = ""
    else:
        headers["Accept-Ranges"] = "bytes"
    if wanted:
        try:
            start, end = _range(wanted, row.size)
        except BaseException:
            if not isinstance(file, str):
                file.close()
            raise
        headers = {"Content-Range": f"bytes {start}-{end - 1}/{row.size}", "Accept-Ranges": "bytes"}
    if isinstance(file, str):
        data = transfers.read(core, image_id, request.ctx.project_id, file, (start, end - start))
        return Response(status=206 if wanted else 200, headers=headers, stream=data, length=end - start)
    return Response(status=206 if wanted else 200, headers=headers, file=FilePart(file, start, end - start))


def _range(header: str, size: int) -> tuple[int, int]:
    """First byte and the byte after the last of a ``Range`` header. :raises RangeNotSatisfiable:"""
    match = re.fullmatch(r"bytes=([0-9]{0,19})-([0-9]{0,19})", header.strip())
    if match and match.group(1):
        start, end = int(match.group(1)), int(match.group(2)) + 1 if match.group(2) else size
    elif match and match.group(2):
        start, end = max(0, size - int(match.group(2))), size
    else:
        start = end = 0
    end = min(end, size)
    if start >= end:
        raise RangeNotSatisfiable(f"Invalid Range: {header[:100]}")
    return start, end
