"""The placement API, line by line. Reference: https://docs.openstack.org/api-ref/placement/"""

from __future__ import annotations

from tane.services.placement.api import allocations, common, providers
from tane.web.routes import Handler, Route

PROVIDER = "/resource_providers/{provider_id}"


def _of_provider(path: str, handler: Handler, rule: str, since: str | None = None) -> Route:
    return Route("GET", f"{PROVIDER}{path}", handler, f"placement:resource_providers:{rule}", since=since)


def _not_built(method: str, path: str, rule: str) -> Route:
    return Route(method, path, common.not_built, f"placement:{rule}", status=204, summary="Not built: answers 501")


NOT_BUILT = (
    _not_built("POST", "/resource_providers", "resource_providers:create"),
    _not_built("PUT", PROVIDER, "resource_providers:update"),
    _not_built("DELETE", PROVIDER, "resource_providers:delete"),
    _not_built("PUT", f"{PROVIDER}/inventories", "resource_providers:inventories:update"),
    _not_built("DELETE", f"{PROVIDER}/inventories", "resource_providers:inventories:delete"),
    _not_built("PUT", f"{PROVIDER}/aggregates", "resource_providers:aggregates:update"),
    _not_built("PUT", f"{PROVIDER}/traits", "resource_providers:traits:update"),
    _not_built("DELETE", f"{PROVIDER}/traits", "resource_providers:traits:delete"),
    _not_built("PUT", "/allocations/{consumer_id}", "allocations:update"),
    _not_built("DELETE", "/allocations/{consumer_id}", "allocations:delete"),
    _not_built("POST", "/allocations", "allocations:manage"),
    _not_built("GET", "/allocation_candidates", "allocation_candidates:list"),
    _not_built("GET", "/usages", "usages"),
    _not_built("POST", "/resource_classes", "resource_classes:create"),
    _not_built("PUT", "/resource_classes/{name}", "resource_classes:update"),
    _not_built("DELETE", "/resource_classes/{name}", "resource_classes:delete"),
    _not_built("PUT", "/traits/{name}", "traits:update"),
    _not_built("DELETE", "/traits/{name}", "traits:delete"),
)
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
    *NOT_BUILT,
)
