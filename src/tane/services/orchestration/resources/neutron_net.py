"""``OS::Neutron::Net`` and ``OS::Neutron::ProviderNet``."""

from __future__ import annotations

from tane.services.orchestration.resources.declaring import flag, formed, listing, one_of, shown, specs, text
from tane.services.orchestration.resources.neutron import TAGS, Neutron

EMPTY = {"dns_domain": "", "port_security_enabled": True}


class Net(Neutron):
    name = "OS::Neutron::Net"
    description = "A resource for managing Neutron net."
    path, single = "/v2.0/networks", "network"
    empty = EMPTY
    apart = ("tags",)
    properties = {
        "name": text("A string specifying a symbolic name for the network.", update="in_place"),
        "value_specs": specs(),
        "admin_state_up": flag("The administrative status of the network.", default=True, update="in_place"),
        "tenant_id": text("The ID of the tenant which will own the network."),
        "shared": flag("Whether this network should be shared across all tenants.", default=False, update="in_place"),
        "port_security_enabled": flag("Flag to enable/disable port security on the network.", update="in_place"),
        "availability_zone_hints": listing("Availability zone candidates for the network."),
        "dns_domain": formed("dns_domain", "DNS domain associated with this network.", update="in_place"),
        "tags": TAGS,
    }
    attributes = shown(
        {
            "status": "string",
            "name": "string",
            "subnets": "list",
            "admin_state_up": "string",
            "tenant_id": "string",
            "port_security_enabled": "boolean",
            "mtu": "integer",
        }
    )


class ProviderNet(Neutron):
    name = "OS::Neutron::ProviderNet"
    description = "A resource for managing Neutron provider networks."
    path, single = "/v2.0/networks", "network"
    empty = EMPTY
    apart = ("tags",)
    renamed = {
        "network_type": "provider:network_type",
        "physical_network": "provider:physical_network",
        "segmentation_id": "provider:segmentation_id",
        "router_external": "router:external",
    }
    properties = {
        "name": Net.properties["name"],
        "value_specs": specs(),
        "admin_state_up": Net.properties["admin_state_up"],
        "network_type": one_of(
            "The type of provider network.", "local", "vlan", "vxlan", "gre", "geneve", "flat", required=True
        ),
        "physical_network": text("The physical network mapping for the network."),
        "segmentation_id": text("A segmentation ID on the physical network."),
        "router_external": flag("Whether the network is external.", default=False, update="in_place"),
        "shared": flag("Whether this network should be shared across all tenants.", default=True, update="in_place"),
        "port_security_enabled": Net.properties["port_security_enabled"],
        "tenant_id": Net.properties["tenant_id"],
        "availability_zone_hints": Net.properties["availability_zone_hints"],
        "dns_domain": Net.properties["dns_domain"],
        "tags": TAGS,
    }
    attributes = shown(["status", "subnets"])
