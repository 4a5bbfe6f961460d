"""Resource providers (Placement API: "Resource providers", "Resource provider inventories", …)."""

from __future__ import annotations

from typing import Any

from tane.services.placement.domain import providers
from tane.services.placement.domain.providers import Inventory, Provider
from tane.web.codec import whole
from tane.web.errors import BadRequest, NotFound
from tane.web.request import Request

GENERATION = 1
"""Only the cloud itself changes what a host has, so no client can be overtaken by another."""
LINKS = (("aggregates", (1, 1)), ("traits", (1, 6)), ("allocations", (1, 11)))
FILTERS = {"name": (1, 0), "uuid": (1, 0), "member_of": (1, 3), "resources": (1, 4), "in_tree": (1, 14)}


def _provider(request: Request, provider: Provider) -> dict[str, Any]:
    path = f"/placement/resource_providers/{provider.row.id}"
    parts = ["inventories", "usages", *(name for name, since in LINKS if request.version >= since)]
    links = [{"rel": "self", "href": path}, *({"rel": name, "href": f"{path}/{name}"} for name in parts)]
    body = {"uuid": provider.row.id, "name": provider.row.name, "generation": GENERATION, "links": links}
    if request.version >= (1, 14):
        body |= {"parent_provider_uuid": None, "root_provider_uuid": provider.row.id}
    return body


def index(request: Request) -> dict[str, Any]:
    """List resource providers: the compute hosts."""
    for name, _ in request.query:
        if FILTERS.get(name, (99, 0)) > request.version:
            raise BadRequest(f"Invalid query string parameters: '{name}' is not one of them in this version.")
    found = [provider for provider in providers.index(request.core) if _matches(request, provider)]
    return {"resource_providers": [_provider(request, provider) for provider in found]}


def _matches(request: Request, provider: Provider) -> bool:
    named = request.param("name") in (None, provider.row.name)
    numbered = all(request.param(name) in (None, provider.row.id) for name in ("uuid", "in_tree"))
    member = request.param("member_of")
    inside = member is None or bool({*member.removeprefix("in:").split(",")} & {*provider.aggregates})
    return named and numbered and inside and provider.fits(_resources(request))


def _resources(request: Request) -> dict[str, int]:
    """``resources=VCPU:2,MEMORY_MB:64``. :raises BadRequest:"""
    wanted = {}
    for part in (request.param("resources") or "").split(","):
        name, _, amount = part.partition(":")
        if part and (not name or not whole(amount)):
            raise BadRequest("Badly formed resources parameter. Expected resources query string parameter in form: ")
        if part:
            wanted[name] = int(amount)
    if unknown := set(wanted) - set(providers.CLASSES):
        raise BadRequest(f"Invalid resource class in resources parameter: {', '.join(sorted(unknown))}")
    return wanted


def _asked(request: Request) -> Provider:
    return providers.show(request.core, request.path["provider_id"])


def show(request: Request) -> dict[str, Any]:
    """Show a resource provider."""
    return _provider(request, _asked(request))


def _inventory(inventory: Inventory) -> dict[str, Any]:
    return {
        "total": inventory.total,
        "reserved": inventory.reserved,
        "allocation_ratio": inventory.ratio,
        "min_unit": 1,
        "max_unit": inventory.total,
        "step_size": 1,
    }


def inventories(request: Request) -> dict[str, Any]:
    """What a host has, by resource class."""
    found = {name: _inventory(inventory) for name, inventory in _asked(request).inventories.items()}
    return {"inventories": found, "resource_provider_generation": GENERATION}


def inventory(request: Request) -> dict[str, Any]:
    """What a host has of one resource class."""
    name, provider = request.path["resource_class"], _asked(request)
    if name not in provider.inventories:
        raise NotFound(f"No inventory of class {name} found for resource provider {provider.row.id}")
    return {**_inventory(provider.inventories[name]), "resource_provider_generation": GENERATION}


def usages(request: Request) -> dict[str, Any]:
    """What is claimed of a host, by resource class."""
    provider = _asked(request)
    used = {name: provider.used.get(name, 0) for name in provider.inventories}
    return {"usages": used, "resource_provider_generation": GENERATION}


def aggregates(request: Request) -> dict[str, Any]:
    """The host aggregates that a host is in."""
    return {"aggregates": _asked(request).aggregates}


def traits(request: Request) -> dict[str, Any]:
    """A host's traits."""
    _asked(request)
    return {"traits": list(providers.TRAITS), "resource_provider_generation": GENERATION}


def allocations(request: Request) -> dict[str, Any]:
    """Who claims what of a host."""
    claims = providers.claims(request.core, request.path["provider_id"])
    found = {consumer: {"resources": amounts} for consumer, amounts in claims.items()}
    return {"allocations": found, "resource_provider_generation": GENERATION}
