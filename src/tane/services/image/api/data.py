"""Image data (Image API v2: "Upload binary image data", "Download binary image data")."""

from __future__ import annotations

import re

from tane.services.image.domain import transfers
from tane.web.codec import whole
from tane.web.errors import BadRequest, RangeNotSatisfiable, UnsupportedMedia
from tane.web.request import FilePart, Request, Response


async def upload(request: Request) -> None:
    kind = request.headers.get("content-type", "application/octet-stream").split(";")[0].strip().lower()
    if kind != "application/octet-stream":
        raise UnsupportedMedia(f"Unsupported Content-Type {kind}: application/octet-stream is expected.")
    announced = request.headers.get("content-length", "")
    size = whole(announced)
    if announced and size is None:
        raise BadRequest("Content-Length must be a number.")
    assert request.stream is not None
    await transfers.upload(
        request.core,
        request.ctx,
        request.path["image_id"],
        aiter(request.stream),
        size,
    )


async def download(request: Request) -> Response:
    found = await request.core.in_thread(transfers.open_content, request.core, request.ctx, request.path["image_id"])
    if found is None:
        return Response(status=204)
    row, file = found
    start, end = 0, row.size
    headers = {"Content-MD5": row.checksum, "Accept-Ranges": "bytes"}
    wanted = request.headers.get("range", "")
    if wanted:
        try:
            start, end = _range(wanted, row.size)
        except RangeNotSatisfiable:
            file.close()
            raise
        headers = {"Content-Range": f"bytes {start}-{end - 1}/{row.size}", "Accept-Ranges": "bytes"}
    return Response(status=206 if wanted else 200, headers=headers, file=FilePart(file, start, end - start))


def _range(header: str, size: int) -> tuple[int, int]:
    """First byte and the byte after the last of a ``Range`` header. :raises RangeNotSatisfiable:"""
    match = re.fullmatch(r"bytes=(\d*)-(\d*)", header.strip())
    if match and match.group(1):
        start, end = int(match.group(1)), int(match.group(2)) + 1 if match.group(2) else size
    elif match and match.group(2):
        start, end = max(0, size - int(match.group(2))), size
    else:
        start = end = 0
    end = min(end, size)
    if start >= end:
        raise RangeNotSatisfiable(f"Invalid Range: {header}")
    return start, end
