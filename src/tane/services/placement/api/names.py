"""Resource classes and traits (Placement API under these names)."""

from __future__ import annotations

from typing import Any

from tane.services.placement.api import queries
from tane.services.placement.api.common import dated
from tane.services.placement.domain import names
from tane.services.placement.schemas import Custom
from tane.web import codec
from tane.web.errors import BadRequest, Conflict, NotFound
from tane.web.request import Request, Response


def _path(kind: str, name: str) -> str:
    return f"/placement/{kind}/{name}"


def _custom(request: Request, what: str) -> str:
    try:
        return codec.convert(Custom, request.path["name"])
    except BadRequest:
        raise BadRequest(
            f"The {what} is invalid. A valid {what} must be no longer than 255 characters, start with the prefix "
            '"CUSTOM_" and use following characters: "A"-"Z", "0"-"9" and "_"'
        ) from None


@dated
def resource_classes(request: Request) -> dict[str, Any]:
    """List the resource classes that hosts have, and those that were added."""
    return {"resource_classes": [_resource_class(name) for name in names.classes(request.core)]}


def _resource_class(name: str) -> dict[str, Any]:
    return {"name": name, "links": [{"rel": "self", "href": _path("resource_classes", name)}]}


@dated
def resource_class(request: Request) -> dict[str, Any]:
    """Show a resource class."""
    names.require_class(request.core, request.path["name"])
    return _resource_class(request.path["name"])


def create_class(request: Request) -> Response:
    """Add a resource class."""
    name = request.body.name
    if not names.add_class(request.core, name):
        raise Conflict(f"Conflicting resource class already exists: {name}")
    return Response(status=201, headers={"Location": _path("resource_classes", name)})


def rename_class(request: Request) -> dict[str, Any]:
    """Give a resource class that is not in use another name."""
    names.rename_class(request.core, request.path["name"], request.body.name)
    return _resource_class(request.body.name)


def ensure_class(request: Request) -> Response:
    """Add a resource class when there is none of the name."""
    name = _custom(request, "resource class")
    status = 201 if names.add_class(request.core, name) else 204
    return Response(status=status, headers={"Location": _path("resource_classes", name)})


def remove_class(request: Request) -> None:
    """Remove a resource class of which nothing has any."""
    names.remove_class(request.core, request.path["name"])


@dated
def traits(request: Request) -> dict[str, Any]:
    """List the traits that hosts may have by themselves, and those that were added."""
    for name, _ in request.query:
        if name not in ("name", "associated"):
            queries.refuse_unknown(request, name)
    wanted, said = request.param("name"), request.param("associated")
    if said is not None and said.lower() not in ("true", "false"):
        raise BadRequest('The query parameter "associated" only accepts "true" or "false"')
    found = names.traits(request.core, associated=None if said is None else said.lower() == "true")
    if wanted is not None:
        kind, _, value = wanted.partition(":")
        if kind not in ("in", "startswith") or not value:
            raise BadRequest(
                "Badly formatted name parameter. Expected name query string parameter in form: "
                f'?name=[in|startswith]:[name1,name2|prefix]. Got: "{wanted}"'
            )
        listed = value.split(",")
        found = [name for name in found if (name in listed if kind == "in" else name.startswith(value))]
    return {"traits": found}


@dated
def trait(request: Request) -> None:
    """Whether there is such a trait."""
    if request.path["name"] not in names.traits(request.core, associated=None):
        raise NotFound(f"No such trait(s): {request.path['name']}.")


@dated
def ensure_trait(request: Request) -> Response:
    """Add a trait when there is none of the name."""
    name = _custom(request, "trait")
    status = 201 if names.add_trait(request.core, name) else 204
    return Response(status=status, headers={"Location": _path("traits", name)})


def remove_trait(request: Request) -> None:
    """Remove a trait that no host has."""
    names.remove_trait(request.core, request.path["name"])
