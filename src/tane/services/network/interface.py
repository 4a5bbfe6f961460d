"""What other services may ask of network. ``tx`` is an open write transaction where something is changed."""

from __future__ import annotations

from tane.services.network.domain.bootstrap import ensure_external_network
from tane.services.network.domain.common import visible_network
from tane.services.network.domain.convergence import host_removed
from tane.services.network.domain.floating_ips import create as create_floating_ip
from tane.services.network.domain.floating_ips import delete as delete_floating_ip
from tane.services.network.domain.outside import meeting
from tane.services.network.domain.ports import order_detach
from tane.services.network.domain.proxied import (
    FloatingIpInfo,
    external_networks,
    floating_ip_info,
    floating_ips,
    group_row,
    project_groups,
    project_networks,
)
from tane.services.network.domain.security_groups import create as create_security_groups
from tane.services.network.domain.security_groups import create_rules as create_security_group_rules
from tane.services.network.domain.security_groups import delete as delete_security_group
from tane.services.network.domain.security_groups import delete_rule as delete_security_group_rule
from tane.services.network.domain.security_groups import ensure_default as ensure_default_group
from tane.services.network.domain.security_groups import update as update_security_group
from tane.services.network.domain.server_floating_ips import associate_floating_ip, floating_ip_by_address
from tane.services.network.domain.server_ports import (
    AddressInfo,
    PortSpec,
    addresses,
    bind_inactive,
    claim_ports,
    network_details,
    nics,
    port_by_address,
    port_owner,
    ports_of,
    ports_settled,
    rebind_ports,
    release_ports,
    security_group_rules,
    security_groups,
    server_ports,
    set_security_group,
    unbind_inactive,
    usable_networks,
)
from tane.services.network.orders import DETACH_INTERFACE, DetachInterface
from tane.services.network.store.addresses import floating_measured

__all__ = [
    "DETACH_INTERFACE",
    "AddressInfo",
    "DetachInterface",
    "FloatingIpInfo",
    "PortSpec",
    "addresses",
    "associate_floating_ip",
    "bind_inactive",
    "claim_ports",
    "create_floating_ip",
    "create_security_group_rules",
    "create_security_groups",
    "delete_floating_ip",
    "delete_security_group",
    "delete_security_group_rule",
    "ensure_default_group",
    "ensure_external_network",
    "external_networks",
    "floating_ip_by_address",
    "floating_ip_info",
    "floating_ips",
    "floating_measured",
    "group_row",
    "host_removed",
    "meeting",
    "network_details",
    "nics",
    "order_detach",
    "port_by_address",
    "port_owner",
    "ports_of",
    "ports_settled",
    "project_groups",
    "project_networks",
    "rebind_ports",
    "release_ports",
    "security_group_rules",
    "security_groups",
    "server_ports",
    "set_security_group",
    "unbind_inactive",
    "update_security_group",
    "usable_networks",
    "visible_network",
]
