"""Allocations, resource classes and traits (Placement API under these names)."""

from __future__ import annotations

from typing import Any

from tane.services.placement.api.providers import GENERATION
from tane.services.placement.domain import providers
from tane.web.errors import NotFound
from tane.web.request import Request


def show(request: Request) -> dict[str, Any]:
    """What a server, or another consumer, claims of each host."""
    claimed = providers.claimed_by(request.core, request.path["consumer_id"])
    found = {host: {"generation": GENERATION, "resources": amounts} for host, amounts in claimed.items()}
    return {"allocations": found}


def resource_classes(request: Request) -> dict[str, Any]:
    """List the resource classes that hosts have."""
    return {"resource_classes": [_resource_class(name) for name in providers.CLASSES]}


def _resource_class(name: str) -> dict[str, Any]:
    return {"name": name, "links": [{"rel": "self", "href": f"/placement/resource_classes/{name}"}]}


def resource_class(request: Request) -> dict[str, Any]:
    """Show a resource class."""
    name = request.path["name"]
    if name not in providers.CLASSES:
        raise NotFound(f"No such resource class found: {name}")
    return _resource_class(name)


def traits(request: Request) -> dict[str, Any]:
    """List the traits that hosts have."""
    return {"traits": list(providers.TRAITS)}


def trait(request: Request) -> None:
    """Whether there is such a trait."""
    if request.path["name"] not in providers.TRAITS:
        raise NotFound(f"No such trait(s): {request.path['name']}.")
