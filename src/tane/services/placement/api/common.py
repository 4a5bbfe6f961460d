"""What all calls of placement share: versions, the shape of errors."""

from __future__ import annotations

from typing import Any

from tane.web.errors import ApiError, NotAcceptable, NotImplementedHere
from tane.web.request import Request
from tane.web.versions import Microversions

MICROVERSIONS = Microversions("placement", (1, 0), (1, 14))


def error_shape(error: ApiError) -> dict[str, object]:
    """``{"errors": [{"status", "title", "detail"}]}``, as the API guidelines have it; a version that is not spoken is
    answered with those that are, by which clients choose another."""
    told: dict[str, object] = {"status": error.status, "title": error.title, "detail": error.message}
    if isinstance(error, NotAcceptable):
        low, high = _range()
        told |= {"min_version": low, "max_version": high}
    return {"errors": [told]}


def not_built(request: Request) -> None:
    """:raises NotImplementedHere: always."""
    raise NotImplementedHere("Placement is for reading here: hosts tell what they have, and the cloud claims it.")


def _range() -> tuple[str, str]:
    low, high = (".".join(map(str, found)) for found in (MICROVERSIONS.minimum, MICROVERSIONS.maximum))
    return low, high


def versions(request: Request) -> dict[str, Any]:
    low, high = _range()
    links = [{"rel": "self", "href": ""}]
    entry = {"id": "v1.0", "status": "CURRENT", "min_version": low, "max_version": high, "links": links}
    return {"versions": [entry]}
