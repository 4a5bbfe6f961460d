"""What all calls of placement share: versions, the shape of errors."""

from __future__ import annotations

from typing import Any

from tane.web.errors import ApiError
from tane.web.request import Request
from tane.web.versions import Microversions

MICROVERSIONS = Microversions("placement", (1, 0), (1, 14))


def error_shape(error: ApiError) -> dict[str, object]:
    """``{"errors": [{"status", "title", "detail"}]}``, as the API guidelines have it."""
    return {"errors": [{"status": error.status, "title": error.title, "detail": error.message}]}


def versions(request: Request) -> dict[str, Any]:
    low, high = (".".join(map(str, found)) for found in (MICROVERSIONS.minimum, MICROVERSIONS.maximum))
    links = [{"rel": "self", "href": ""}]
    entry = {"id": "v1.0", "status": "CURRENT", "min_version": low, "max_version": high, "links": links}
    return {"versions": [entry]}
