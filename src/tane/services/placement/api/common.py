"""What all calls of placement share: versions, the shape of errors, the headers of what must not be kept."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from email.utils import format_datetime
from typing import Any

from tane.web.errors import ApiError, NotAcceptable, NotImplementedHere
from tane.web.request import CURRENT, Request, Response
from tane.web.versions import Microversions, Version

CODES_SINCE, DATED_SINCE = (1, 23), (1, 15)
MISSING, BAD, TWICE = (f"placement.query.{name}" for name in ("missing_value", "bad_value", "duplicate_key"))
"""Codes of errors in queries."""


class Versions(Microversions):
    """With the sentence of the real service for a version that is not spoken."""

    def negotiate(self, headers: Mapping[str, str]) -> Version:
        try:
            return super().negotiate(headers)
        except NotAcceptable:
            asked = headers.get("openstack-api-version", "").split()[-1]
            raise NotAcceptable(f"Invalid microversion: Unacceptable version header: {asked}") from None


MICROVERSIONS = Versions("placement", (1, 0), (1, 39))


def error_shape(error: ApiError) -> dict[str, object]:
    """``{"errors": [{"status", "title", "detail"}]}``, as the API guidelines have it, with a ``code`` since 1.23; a
    version that is not spoken is answered with those that are, by which clients choose another."""
    told: dict[str, object] = {"status": error.status, "title": error.title, "detail": error.message}
    request = CURRENT.get()
    if isinstance(error, NotAcceptable):
        low, high = _range()
        told |= {"min_version": low, "max_version": high}
    elif request is not None and request.version >= CODES_SINCE:
        told["code"] = error.type if error.type.startswith("placement.") else "placement.undefined_code"
    return {"errors": [told]}


def dated(handler: Callable[[Request], Any]) -> Callable[[Request], Any]:
    """A handler whose answer says since 1.15 that it is of this moment, and is not to be kept."""

    @functools.wraps(handler)
    def answer(request: Request) -> Any:
        found = handler(request)
        if request.version < DATED_SINCE:
            return found
        response = found if isinstance(found, Response) else Response(body=found)
        moment = format_datetime(request.core.clock.now()).replace("-0000", "GMT")
        response.headers |= {"Last-Modified": moment, "Cache-Control": "no-cache"}
        return response

    return answer


def not_built(request: Request) -> None:
    """:raises NotImplementedHere: always."""
    raise NotImplementedHere(
        "Providers are the compute hosts, which come and go by `tane host`, and what is claimed of them is held by the "
        "servers that are there: neither is written by this API (docs/decisions/0034-placement-writes.md)."
    )


def _range() -> tuple[str, str]:
    low, high = (".".join(map(str, found)) for found in (MICROVERSIONS.minimum, MICROVERSIONS.maximum))
    return low, high


@dated
def versions(request: Request) -> dict[str, Any]:
    low, high = _range()
    links = [{"rel": "self", "href": ""}]
    entry = {"id": "v1.0", "status": "CURRENT", "min_version": low, "max_version": high, "links": links}
    return {"versions": [entry]}
