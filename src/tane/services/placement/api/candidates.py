"""Allocation candidates, and what a project holds (Placement API under these names)."""

from __future__ import annotations

from typing import Any

from tane.services.placement.api import queries
from tane.services.placement.api.common import TWICE, dated
from tane.services.placement.domain import candidates, providers
from tane.services.placement.domain.asked import Asked
from tane.services.placement.domain.providers import Provider
from tane.web.errors import BadRequest
from tane.web.request import Request


@dated
def index(request: Request) -> dict[str, Any]:
    """The compute hosts that could give what is asked for."""
    asked = queries.asked(request)
    found = candidates.find(request.core, asked)
    return {
        "allocation_requests": [_request(request, provider, asked) for provider in found],
        "provider_summaries": {provider.row.id: _summary(request, provider, asked) for provider in found},
    }


def _request(request: Request, provider: Provider, asked: Asked) -> dict[str, Any]:
    uuid, resources = provider.row.id, asked.resources
    if request.version < (1, 12):
        return {"allocations": [{"resource_provider": {"uuid": uuid}, "resources": resources}]}
    body: dict[str, Any] = {"allocations": {uuid: {"resources": resources}}}
    if request.version >= (1, 34):
        body["mappings"] = {suffix: [uuid] for suffix in asked.groups}
    return body


def _summary(request: Request, provider: Provider, asked: Asked) -> dict[str, Any]:
    body: dict[str, Any] = {
        "resources": {
            name: {"capacity": inventory.capacity, "used": provider.used.get(name, 0)}
            for name, inventory in provider.inventories.items()
            if request.version >= (1, 27) or name in asked.resources
        }
    }
    if request.version >= (1, 17):
        body["traits"] = list(provider.traits)
    if request.version >= (1, 29):
        body |= {"parent_provider_uuid": None, "root_provider_uuid": provider.row.id}
    return body


@dated
def usages(request: Request) -> dict[str, Any]:
    """What a project holds, or a user in it, by resource class; since 1.38 by the type of what holds it, too."""
    typed = request.version >= (1, 38)
    known = ("project_id", "user_id", *(("consumer_type",) if typed else ()))
    for name, _ in request.query:
        if name not in known:
            queries.refuse_unknown(request, name)
        if len(request.params(name)) > 1:
            raise BadRequest(f"Query parameter {name} is given twice.", type=TWICE)
    project_id, kind = request.param("project_id"), request.param("consumer_type")
    if not project_id:
        raise queries.wrong("'project_id' is a required property")
    found = providers.usages(request.core, project_id, request.param("user_id"))
    if typed and kind != "all":
        chosen = {name: entry for name, entry in found.items() if kind in (None, name)}
        return {"usages": {name: {**held, "consumer_count": count} for name, (count, held) in chosen.items()}}
    total: dict[str, int] = {}
    for _, held in found.values():
        for name, amount in held.items():
            total[name] = total.get(name, 0) + amount
    if typed:
        return {"usages": {"all": {**total, "consumer_count": sum(count for count, _ in found.values())}}}
    return {"usages": total}
