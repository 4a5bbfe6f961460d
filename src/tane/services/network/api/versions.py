"""Version documents and extensions (Networking API: "API versions", "Extensions")."""

from __future__ import annotations

from typing import Any

from tane.web.errors import NotFound
from tane.web.request import Request

RESOURCES = ("network", "subnet", "subnetpool", "port", "router", "floatingip", "security_group", "security_group_rule")

EXTENSIONS = {
    "agent": ("agent", "The agent management extension."),
    "allowed-address-pairs": ("Allowed Address Pairs", "Provides allowed address pairs."),
    "availability_zone": ("Availability Zone", "The availability zone extension."),
    "binding": ("Port Binding", "Expose port bindings of a virtual port to external application."),
    "dns-domain-ports": ("dns_domain for ports", "Allows the DNS domain to be specified for a network port."),
    "dns-integration": ("DNS Integration", "Provides integration with DNS."),
    "default-subnetpools": ("Default Subnetpools", "Provides ability to mark and use a subnetpool as the default."),
    "dvr": ("Distributed Virtual Router", "Enables configuration of Distributed Virtual Routers."),
    "external-net": ("Neutron external network", "Adds external network attribute to network resource."),
    "ext-gw-mode": ("Neutron L3 Configurable external gateway mode", "Extension of the router abstraction for SNAT."),
    "extraroute": ("Neutron Extra Route", "Extra routes configuration for L3 router."),
    "extraroute-atomic": ("Atomically add/remove extra routes", "Edit extra routes of a router on server side."),
    "fip-port-details": ("Floating IP Port Details Extension", "Add port_details attribute to Floating IP resource."),
    "ip-substring-filtering": ("IP address substring filtering", "Provides IP address substring filtering of ports."),
    "net-mtu": ("Network MTU", "Provides MTU attribute for a network resource."),
    "net-mtu-writable": ("Network MTU (writable)", "Provides a writable MTU attribute for a network resource."),
    "network-ip-availability": ("Network IP Availability", "Provides IP availability data for each network."),
    "network_availability_zone": ("Network Availability Zone", "Availability zone support for network."),
    "pagination": ("Pagination support", "Extension that indicates that pagination is enabled."),
    "port-security": ("Port Security", "Provides port security."),
    "project-id": ("project_id field enabled", "Extension that indicates that project_id field is enabled."),
    "provider": ("Provider Network", "Expose mapping of virtual networks to physical networks."),
    "quota-check-limit": ("Quota engine limit check", "Checks the usage before a new limit is applied."),
    "quota-check-limit-default": ("Quota engine limit check by default", "Checks the usage by default."),
    "quota_details": ("Quota details management support", "Expose functions for quotas usage statistics."),
    "quotas": ("Quota management support", "Expose functions for quotas management per project."),
    "revision-if-match": ("If-Match constraints based on revision_number", "Constrains changes by revision numbers."),
    "router": ("Neutron L3 Router", "Router abstraction for basic L3 forwarding between L2 Neutron networks."),
    "router_availability_zone": ("Router Availability Zone", "Availability zone support for router."),
    "security-group": ("security-group", "The security groups extension."),
    "security-groups-normalized-cidr": ("Normalized CIDR field", "Add normalized_cidr field to rules."),
    "service-type": ("Neutron Service Type Management", "API for retrieving service providers."),
    "sorting": ("Sorting support", "Extension that indicates that sorting is enabled."),
    "standard-attr-description": ("standard-attr-description", "Extension to add descriptions to resources."),
    "standard-attr-revisions": ("Resource revision numbers", "Exposes the revision_number of each resource."),
    "standard-attr-tag": ("Tag support for resources with standard attribute", "Enables to set tag on resources."),
    "standard-attr-timestamp": ("Resource timestamps", "Adds created_at and updated_at fields to resources."),
    "subnet_allocation": ("Subnet Allocation", "Enables allocation of subnets from a subnet pool."),
    "subnet-service-types": ("Subnet service types", "Provides ability to set the subnet service_types field."),
}
"""Alias → name and description, of what is implemented and nothing else."""
UPDATED = "2026-01-01T00:00:00-00:00"


def _version(request: Request) -> dict[str, Any]:
    return {
        "id": "v2.0",
        "status": "CURRENT",
        "links": [{"rel": "self", "href": request.base_url + "/network/v2.0/"}],
    }


def index(request: Request) -> dict[str, Any]:
    return {"versions": [_version(request)]}


def show(request: Request) -> dict[str, Any]:
    base = f"{request.base_url}/network/v2.0"
    return {
        "resources": [
            {
                "name": name,
                "collection": f"{name}s",
                "links": [{"rel": "self", "href": f"{base}/{name.replace('_', '-')}s"}],
            }
            for name in RESOURCES
        ]
    }


def _extension(alias: str) -> dict[str, Any]:
    name, description = EXTENSIONS[alias]
    return {"alias": alias, "name": name, "description": description, "updated": UPDATED, "links": []}


def extensions(request: Request) -> dict[str, Any]:
    return {"extensions": [_extension(alias) for alias in EXTENSIONS]}


def extension(request: Request) -> dict[str, Any]:
    alias = request.path["alias"]
    if alias not in EXTENSIONS:
        raise NotFound(f"Extension with alias {alias} does not exist", type="HTTPNotFound")
    return {"extension": _extension(alias)}
