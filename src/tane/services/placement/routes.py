"""The placement API, line by line. Reference: https://docs.openstack.org/api-ref/placement/"""

from __future__ import annotations

from tane.services.placement.api import allocations, common, providers
from tane.web.routes import Handler, Route

PROVIDER = "/resource_providers/{provider_id}"


def _of_provider(path: str, handler: Handler, rule: str, since: str | None = None) -> Route:
    return Route("GET", f"{PROVIDER}{path}", handler, f"placement:resource_providers:{rule}", since=since)


ROUTES = (
    Route("GET", "", common.versions, None, summary="Versions"),
    Route("GET", "/", common.versions, None, summary="Versions"),
    Route("GET", "/resource_providers", providers.index, "placement:resource_providers:list"),
    _of_provider("", providers.show, "show"),
    _of_provider("/inventories", providers.inventories, "inventories:list"),
    _of_provider("/inventories/{resource_class}", providers.inventory, "inventories:show"),
    _of_provider("/usages", providers.usages, "usages"),
    _of_provider("/aggregates", providers.aggregates, "aggregates:list", since="1.1"),
    _of_provider("/traits", providers.traits, "traits:list", since="1.6"),
    _of_provider("/allocations", providers.allocations, "allocations:list"),
    Route("GET", "/allocations/{consumer_id}", allocations.show, "placement:allocations:list"),
    Route("GET", "/resource_classes", allocations.resource_classes, "placement:resource_classes:list", since="1.2"),
    Route(
        "GET", "/resource_classes/{name}", allocations.resource_class, "placement:resource_classes:show", since="1.2"
    ),
    Route("GET", "/traits", allocations.traits, "placement:traits:list", since="1.6"),
    Route("GET", "/traits/{name}", allocations.trait, "placement:traits:show", since="1.6", status=204),
)
