"""Answers and errors as documents: XML as Amazon's programs read it, or JSON where that is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tane.services.orchestration.api.cfn.errors import CfnError, known
from tane.web import codec
from tane.web.errors import ApiError
from tane.web.markup import Markup, element
from tane.web.request import Response
from tane.web.routes import Told

XML, JSON = "text/xml", "application/json"
AS_JSON = ("TemplateBody", "Metadata", "ResourceProperties")
"""Elements whose text is JSON."""


def answer(action: str, result: Mapping[str, Any], *, json: bool) -> Response:
    """``{action}Response`` with ``{action}Result`` in it; what is None is left out."""
    kept = _without_none(result)
    if json:
        return Response({f"{action}Response": {f"{action}Result": kept}}, 200, content_type=JSON)
    inside = element(f"{action}Result", *_elements(kept))
    return Response(element(f"{action}Response", inside).encode(), 200, content_type=XML)


def refused(error: ApiError, *, json: bool) -> Response:
    """An error of a call that said how it wants its answer."""
    found = known(error)
    document = _error(found)
    body: Any = document if json else element("ErrorResponse", *_elements(document["ErrorResponse"])).encode()
    return Response(body, found.status, dict(found.headers), content_type=JSON if json else XML)


def error_document(error: ApiError, told: Told) -> tuple[bytes, str]:
    """What is refused before it is known what is asked."""
    return element("ErrorResponse", *_elements(_error(known(error))["ErrorResponse"])).encode(), XML


def _error(error: ApiError) -> dict[str, Any]:
    kind = error.kind if isinstance(error, CfnError) else "Server"
    return {"ErrorResponse": {"Error": {"Type": kind, "Code": error.type, "Message": error.message}}}


def _without_none(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {
            str(key): item if key in AS_JSON else _without_none(item) for key, item in value.items() if item is not None
        }
    return [_without_none(item) for item in value] if isinstance(value, list) else value


def _elements(value: Mapping[str, Any]) -> list[Markup]:
    return [element(key, *_content(key, item)) for key, item in value.items()]


def _content(key: str, value: Any) -> list[str]:
    if key in AS_JSON and not isinstance(value, str):
        return [codec.encode(value).decode()]
    if isinstance(value, Mapping):
        return list(_elements(value))
    if isinstance(value, list):
        return [element("member", *_content("member", item)) for item in value]
    return [str(value).lower() if isinstance(value, bool) else str(value)]
