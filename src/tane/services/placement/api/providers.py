"""Resource providers (Placement API: "Resource providers", "Resource provider inventories", …)."""

from __future__ import annotations

import uuid
from typing import Any

import msgspec

from tane.hosts.offers import Inventory
from tane.services.placement.api import queries
from tane.services.placement.api.common import dated
from tane.services.placement.domain import candidates, providers, saying
from tane.services.placement.domain.asked import Asked, Group
from tane.services.placement.domain.providers import Provider
from tane.services.placement.schemas import InventoryIn
from tane.web.errors import BadRequest, NotFound
from tane.web.request import Request, Response

LINKS = (("aggregates", (1, 1)), ("traits", (1, 6)), ("allocations", (1, 11)))
FILTERS = {
    "name": (1, 0),
    "uuid": (1, 0),
    "member_of": (1, 3),
    "resources": (1, 4),
    "in_tree": (1, 14),
    "required": (1, 18),
}


def _provider(request: Request, provider: Provider) -> dict[str, Any]:
    path = f"/placement/resource_providers/{provider.row.id}"
    parts = ["inventories", "usages", *(name for name, since in LINKS if request.version >= since)]
    links = [{"rel": "self", "href": path}, *({"rel": name, "href": f"{path}/{name}"} for name in parts)]
    body = {"uuid": provider.row.id, "name": provider.row.name, "generation": provider.generation, "links": links}
    if request.version >= (1, 14):
        body |= {"parent_provider_uuid": None, "root_provider_uuid": provider.row.id}
    return body


@dated
def index(request: Request) -> dict[str, Any]:
    """List resource providers: the compute hosts."""
    for name, _ in request.query:
        if FILTERS.get(name, (99, 0)) > request.version:
            queries.refuse_unknown(request, name)
    amounts, tree = request.param("resources"), request.param("in_tree")
    required, forbidden = queries.traits(request, "required")
    member_of, not_member_of = queries.aggregates(request, "member_of")
    group = Group(
        resources={} if amounts is None else queries.resources(amounts),
        required=required,
        forbidden=forbidden,
        member_of=member_of,
        not_member_of=not_member_of,
        in_tree=None if tree is None else queries.in_tree(tree),
    )
    found = [
        provider
        for provider in candidates.find(request.core, Asked({"": group}))
        if request.param("name") in (None, provider.row.name) and request.param("uuid") in (None, provider.row.id)
    ]
    return {"resource_providers": [_provider(request, provider) for provider in found]}


def _asked(request: Request) -> Provider:
    return providers.show(request.core, _id(request))


def _id(request: Request) -> str:
    return request.path["provider_id"]


@dated
def show(request: Request) -> dict[str, Any]:
    """Show a resource provider."""
    return _provider(request, _asked(request))


# ------------------------------------------------------------------------------------------------------- inventories


def _inventories(provider: Provider) -> dict[str, Any]:
    found = {name: msgspec.structs.asdict(inventory) for name, inventory in provider.inventories.items()}
    return {"inventories": found, "resource_provider_generation": provider.generation}


def _inventory(provider: Provider, name: str) -> dict[str, Any]:
    shown = msgspec.structs.asdict(provider.inventories[name])
    return {**shown, "resource_provider_generation": provider.generation}


def _given(body: InventoryIn) -> Inventory:
    return Inventory(body.total, body.reserved, body.allocation_ratio, body.min_unit, body.max_unit, body.step_size)


def _may_reserve_all(request: Request) -> bool:
    return request.version >= (1, 26)


@dated
def inventories(request: Request) -> dict[str, Any]:
    """What a host has, by resource class."""
    return _inventories(_asked(request))


@dated
def inventory(request: Request) -> dict[str, Any]:
    """What a host has of one resource class."""
    name, provider = request.path["resource_class"], _asked(request)
    if name not in provider.inventories:
        raise NotFound(f"No inventory of class {name} for {provider.row.id}")
    return _inventory(provider, name)


@dated
def set_inventories(request: Request) -> dict[str, Any]:
    """Say how much there is of all classes; of VCPU, MEMORY_MB and DISK_GB all but the total."""
    body = request.body
    wanted = {name: _given(entry) for name, entry in body.inventories.items()}
    generation, may = body.resource_provider_generation, _may_reserve_all(request)
    return _inventories(saying.set_inventories(request.core, _id(request), generation, wanted, may_reserve_all=may))


@dated
def set_inventory(request: Request) -> dict[str, Any]:
    """Say how much there is of one class."""
    name, generation = request.path["resource_class"], request.body.resource_provider_generation
    given, may = _given(request.body), _may_reserve_all(request)
    found = saying.set_inventory(request.core, _id(request), generation, name, given, may_reserve_all=may)
    return _inventory(found, name)


@dated
def add_inventory(request: Request) -> Response:
    """Say that there is something of a class."""
    name, given, may = request.body.resource_class, _given(request.body), _may_reserve_all(request)
    found = saying.set_inventory(request.core, _id(request), None, name, given, may_reserve_all=may, new=True)
    place = f"/placement/resource_providers/{_id(request)}/inventories/{name}"
    return Response(body=_inventory(found, name), status=201, headers={"Location": place})


def remove_inventories(request: Request) -> None:
    """Take back all that was said of amounts."""
    saying.remove_inventories(request.core, _id(request))


def remove_inventory(request: Request) -> None:
    """Take back that there is something of a class."""
    saying.remove_inventory(request.core, _id(request), request.path["resource_class"])


@dated
def usages(request: Request) -> dict[str, Any]:
    """What is claimed of a host, by resource class."""
    provider = _asked(request)
    used = {name: provider.used.get(name, 0) for name in provider.inventories}
    return {"usages": used, "resource_provider_generation": provider.generation}


# --------------------------------------------------------------------------------------------- aggregates and traits


def _aggregates(request: Request, provider: Provider) -> dict[str, Any]:
    body: dict[str, Any] = {"aggregates": provider.aggregates}
    if request.version >= (1, 19):
        body["resource_provider_generation"] = provider.generation
    return body


@dated
def aggregates(request: Request) -> dict[str, Any]:
    """The aggregates that a host is in: compute's, and those that were set here."""
    return _aggregates(request, _asked(request))


@dated
def set_aggregates(request: Request) -> dict[str, Any]:
    """Put a host into aggregates; it stays in those of compute."""
    generation, generations = request.body.resource_provider_generation, request.version >= (1, 19)
    if generations and generation is None:
        raise BadRequest("Invalid input: 'resource_provider_generation' is a required property.")
    wanted = [str(uuid.UUID(one)) for one in request.body.aggregates]
    found = saying.set_aggregates(request.core, _id(request), generation if generations else None, wanted)
    return _aggregates(request, found)


def _traits(provider: Provider) -> dict[str, Any]:
    return {"traits": list(provider.traits), "resource_provider_generation": provider.generation}


@dated
def traits(request: Request) -> dict[str, Any]:
    """A host's traits."""
    return _traits(_asked(request))


@dated
def set_traits(request: Request) -> dict[str, Any]:
    """Give a host traits; it keeps those that it has by itself."""
    generation, wanted = request.body.resource_provider_generation, request.body.traits
    return _traits(saying.set_traits(request.core, _id(request), generation, wanted))


def remove_traits(request: Request) -> None:
    """Take the traits from a host that it was given."""
    saying.set_traits(request.core, _id(request), None, [])


@dated
def allocations(request: Request) -> dict[str, Any]:
    """Who claims what of a host."""
    provider, claims = providers.claims(request.core, _id(request))
    found: dict[str, dict[str, Any]] = {}
    for consumer, held in claims.items():
        found[consumer] = {"resources": held[provider.row.id]}
        if request.version >= (1, 28):
            found[consumer]["consumer_generation"] = providers.generation(held)
    return {"allocations": found, "resource_provider_generation": provider.generation}
