"""What other services may ask of network. ``tx`` is an open write transaction where something is changed."""

from __future__ import annotations

from tane.services.network.domain.bootstrap import ensure_external_network
from tane.services.network.domain.outside import meeting
from tane.services.network.domain.server_floating_ips import floating_ip_by_address, lead_floating_ip
from tane.services.network.domain.server_ports import (
    AddressInfo,
    PortSpec,
    addresses,
    claim_ports,
    network_details,
    nics,
    port_by_address,
    port_owner,
    ports_settled,
    rebind_ports,
    release_ports,
    security_group_rules,
    security_groups,
    server_ports,
    set_security_group,
    usable_networks,
)

__all__ = [
    "AddressInfo",
    "PortSpec",
    "addresses",
    "claim_ports",
    "ensure_external_network",
    "floating_ip_by_address",
    "lead_floating_ip",
    "meeting",
    "network_details",
    "nics",
    "port_by_address",
    "port_owner",
    "ports_settled",
    "rebind_ports",
    "release_ports",
    "security_group_rules",
    "security_groups",
    "server_ports",
    "set_security_group",
    "usable_networks",
]
