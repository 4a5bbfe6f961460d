"""The network API, line by line. Reference: https://docs.openstack.org/api-ref/network/v2/"""

from __future__ import annotations

from collections.abc import Iterable
from types import ModuleType

import msgspec

from tane.services.network import schemas
from tane.services.network.api import (
    agents,
    floating_ips,
    ip_availability,
    networks,
    ports,
    quotas,
    routers,
    security_groups,
    subnet_pools,
    subnets,
    tags,
    versions,
)
from tane.web.routes import Route


def _resource(
    path: str, single: str, module: ModuleType, create: type[msgspec.Struct], update: type[msgspec.Struct]
) -> Iterable[Route]:
    """The five routes of a resource; ``path`` names its collection."""
    one = f"{path}/{{{single}_id}}"
    return (
        Route("GET", path, module.index, f"get_{single}"),
        Route("POST", path, module.create, f"create_{single}", create, status=201),
        Route("GET", one, module.show, f"get_{single}"),
        Route("PUT", one, module.update, f"update_{single}", update),
        Route("DELETE", one, module.delete, f"delete_{single}", status=204),
    )


def _tags(collection: str) -> Iterable[Route]:
    single = collection.removesuffix("s").replace("-", "_")
    path = f"/v2.0/{collection}/{{{single}_id}}/tags"
    return (
        Route("GET", path, tags.index, "get_tags"),
        Route("PUT", path, tags.replace, "update_tags", schemas.Tags),
        Route("POST", path, tags.add, "update_tags", schemas.Tags, status=201),
        Route("DELETE", path, tags.remove_all, "delete_tags", status=204),
        Route("GET", f"{path}/{{tag}}", tags.show, "get_tags", status=204),
        Route("PUT", f"{path}/{{tag}}", tags.add_one, "update_tags", status=201),
        Route("DELETE", f"{path}/{{tag}}", tags.remove, "delete_tags", status=204),
    )


ROUTES = (
    Route("GET", "", versions.index, None),
    Route("GET", "/v2.0", versions.show, None),
    Route("GET", "/v2.0/extensions", versions.extensions, "get_extension"),
    Route("GET", "/v2.0/extensions/{alias}", versions.extension, "get_extension"),
    *_resource("/v2.0/networks", "network", networks, schemas.Network, schemas.NetworkChange),
    *_resource("/v2.0/subnets", "subnet", subnets, schemas.Subnet, schemas.SubnetChange),
    *_resource("/v2.0/subnetpools", "subnetpool", subnet_pools, schemas.SubnetPool, schemas.SubnetPoolChange),
    *_resource("/v2.0/ports", "port", ports, schemas.Port, schemas.PortChange),
    *_resource("/v2.0/routers", "router", routers, schemas.Router, schemas.RouterChange),
    Route(
        "PUT",
        "/v2.0/routers/{router_id}/add_router_interface",
        routers.add_interface,
        "add_router_interface",
        schemas.RouterInterface,
    ),
    Route(
        "PUT",
        "/v2.0/routers/{router_id}/remove_router_interface",
        routers.remove_interface,
        "remove_router_interface",
        schemas.RouterInterface,
    ),
    Route(
        "PUT",
        "/v2.0/routers/{router_id}/add_extraroutes",
        routers.add_extraroutes,
        "add_extraroutes",
        schemas.ExtraRoutes,
    ),
    Route(
        "PUT",
        "/v2.0/routers/{router_id}/remove_extraroutes",
        routers.remove_extraroutes,
        "remove_extraroutes",
        schemas.ExtraRoutes,
    ),
    *_resource("/v2.0/floatingips", "floatingip", floating_ips, schemas.FloatingIp, schemas.FloatingIpChange),
    *_resource(
        "/v2.0/security-groups",
        "security_group",
        security_groups,
        schemas.SecurityGroup,
        schemas.SecurityGroupChange,
    ),
    Route("GET", "/v2.0/security-group-rules", security_groups.rule_index, "get_security_group_rule"),
    Route(
        "POST",
        "/v2.0/security-group-rules",
        security_groups.rule_create,
        "create_security_group_rule",
        schemas.Rule,
        status=201,
    ),
    Route(
        "GET",
        "/v2.0/security-group-rules/{security_group_rule_id}",
        security_groups.rule_show,
        "get_security_group_rule",
    ),
    Route(
        "DELETE",
        "/v2.0/security-group-rules/{security_group_rule_id}",
        security_groups.rule_delete,
        "delete_security_group_rule",
        status=204,
    ),
    *(
        route
        for collection in ("networks", "subnets", "subnetpools", "ports", "routers", "floatingips", "security-groups")
        for route in _tags(collection)
    ),
    Route("GET", "/v2.0/quotas", quotas.index, "get_quotas"),
    Route("GET", "/v2.0/quotas/tenant", quotas.own_project, "get_quota"),
    Route("GET", "/v2.0/quotas/project", quotas.own_project, "get_quota"),
    Route("GET", "/v2.0/quotas/{project_id}", quotas.show, "get_quota"),
    Route("PUT", "/v2.0/quotas/{project_id}", quotas.update, "update_quota", schemas.Quota),
    Route("DELETE", "/v2.0/quotas/{project_id}", quotas.delete, "delete_quota", status=204),
    Route("GET", "/v2.0/quotas/{project_id}/default", quotas.default, "get_quota"),
    Route("GET", "/v2.0/quotas/{project_id}/details", quotas.details, "get_quota"),
    Route("GET", "/v2.0/quotas/{project_id}/details.json", quotas.details, "get_quota"),
    Route("GET", "/v2.0/agents", agents.index, "regular_user"),
    Route("GET", "/v2.0/agents/{agent_id}", agents.show, "regular_user"),
    Route("PUT", "/v2.0/agents/{agent_id}", agents.update, "update_agent", schemas.AgentChange),
    Route("DELETE", "/v2.0/agents/{agent_id}", agents.delete, "delete_agent", status=204),
    Route("GET", "/v2.0/service-providers", agents.providers, "get_service_provider"),
    Route("GET", "/v2.0/availability_zones", agents.zones, "get_availability_zone"),
    Route("GET", "/v2.0/network-ip-availabilities", ip_availability.index, "regular_user"),
    Route("GET", "/v2.0/network-ip-availabilities/{network_id}", ip_availability.show, "regular_user"),
)
