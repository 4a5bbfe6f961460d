"""The placement API, line by line. Reference: https://docs.openstack.org/api-ref/placement/"""

from __future__ import annotations

import msgspec

from tane.services.placement import schemas
from tane.services.placement.api import allocations, candidates, common, names, providers
from tane.web.routes import Handler, Route

PROVIDER = "/resource_providers/{provider_id}"
INVENTORY = "/inventories/{resource_class}"
CLASS, TRAIT = "/resource_classes/{name}", "/traits/{name}"
UPDATE, DELETE = "inventories:update", "inventories:delete"


def _of_provider(path: str, handler: Handler, rule: str, since: str | None = None) -> Route:
    return Route("GET", f"{PROVIDER}{path}", handler, f"placement:resource_providers:{rule}", since=since)


def _change(
    method: str,
    path: str,
    handler: Handler,
    rule: str,
    *,
    body: type[msgspec.Struct] | None = None,
    status: int = 200,
    since: str | None = None,
    until: str | None = None,
) -> Route:
    return Route(method, path, handler, f"placement:{rule}", body=body, status=status, since=since, until=until)


def _of_provider_change(
    method: str,
    path: str,
    handler: Handler,
    rule: str,
    *,
    body: type[msgspec.Struct] | None = None,
    since: str | None = None,
) -> Route:
    status = 204 if body is None else 201 if method == "POST" else 200
    rule = f"resource_providers:{rule}"
    return _change(method, PROVIDER + path, handler, rule, body=body, status=status, since=since)


def _not_built(method: str, path: str, rule: str, since: str | None = None) -> Route:
    summary = "Not built: answers 501"
    return Route(method, path, common.not_built, f"placement:{rule}", status=204, since=since, summary=summary)


NOT_BUILT = (
    _not_built("POST", "/resource_providers", "resource_providers:create"),
    _not_built("PUT", PROVIDER, "resource_providers:update"),
    _not_built("DELETE", PROVIDER, "resource_providers:delete"),
    _not_built("PUT", "/allocations/{consumer_id}", "allocations:update"),
    _not_built("DELETE", "/allocations/{consumer_id}", "allocations:delete"),
    _not_built("POST", "/allocations", "allocations:manage", since="1.13"),
    _not_built("POST", "/reshaper", "reshaper:reshape", since="1.30"),
)
ROUTES = (
    Route("GET", "", common.versions, None, summary="Versions"),
    Route("GET", "/", common.versions, None, summary="Versions"),
    Route("GET", "/resource_providers", providers.index, "placement:resource_providers:list"),
    _of_provider("", providers.show, "show"),
    _of_provider("/inventories", providers.inventories, "inventories:list"),
    _of_provider_change("PUT", "/inventories", providers.set_inventories, UPDATE, body=schemas.InventoriesPut),
    _of_provider_change(
        "POST", "/inventories", providers.add_inventory, "inventories:create", body=schemas.InventoryPost
    ),
    _of_provider_change("DELETE", "/inventories", providers.remove_inventories, DELETE, since="1.5"),
    _of_provider(INVENTORY, providers.inventory, "inventories:show"),
    _of_provider_change("PUT", INVENTORY, providers.set_inventory, UPDATE, body=schemas.InventoryPut),
    _of_provider_change("DELETE", INVENTORY, providers.remove_inventory, DELETE),
    _of_provider("/usages", providers.usages, "usages"),
    _of_provider("/aggregates", providers.aggregates, "aggregates:list", since="1.1"),
    _of_provider_change(
        "PUT",
        "/aggregates",
        providers.set_aggregates,
        "aggregates:update",
        body=schemas.AggregatesPut,
        since="1.1",
    ),
    _of_provider("/traits", providers.traits, "traits:list", since="1.6"),
    _of_provider_change("PUT", "/traits", providers.set_traits, "traits:update", body=schemas.TraitsPut, since="1.6"),
    _of_provider_change("DELETE", "/traits", providers.remove_traits, "traits:delete", since="1.6"),
    _of_provider("/allocations", providers.allocations, "allocations:list"),
    Route("GET", "/allocations/{consumer_id}", allocations.show, "placement:allocations:list"),
    Route("GET", "/allocation_candidates", candidates.index, "placement:allocation_candidates:list", since="1.10"),
    Route("GET", "/usages", candidates.usages, "placement:usages", since="1.9"),
    Route("GET", "/resource_classes", names.resource_classes, "placement:resource_classes:list", since="1.2"),
    _change(
        "POST",
        "/resource_classes",
        names.create_class,
        "resource_classes:create",
        body=schemas.ResourceClassIn,
        status=201,
        since="1.2",
    ),
    Route("GET", CLASS, names.resource_class, "placement:resource_classes:show", since="1.2"),
    _change(
        "PUT",
        CLASS,
        names.rename_class,
        "resource_classes:update",
        body=schemas.ResourceClassIn,
        since="1.2",
        until="1.6",
    ),
    _change("PUT", CLASS, names.ensure_class, "resource_classes:update", status=201, since="1.7"),
    _change("DELETE", CLASS, names.remove_class, "resource_classes:delete", status=204, since="1.2"),
    Route("GET", "/traits", names.traits, "placement:traits:list", since="1.6"),
    Route("GET", TRAIT, names.trait, "placement:traits:show", since="1.6", status=204),
    _change("PUT", TRAIT, names.ensure_trait, "traits:update", status=201, since="1.6"),
    _change("DELETE", TRAIT, names.remove_trait, "traits:delete", status=204, since="1.6"),
    *NOT_BUILT,
)
