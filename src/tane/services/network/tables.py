"""Tables of the network service."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
)

from tane.db.schema import created_at, metadata, project_id, updated_at

# What a port belongs to: the values of ``device_owner``.
ROUTER_INTERFACE = "network:router_interface"
ROUTER_GATEWAY = "network:router_gateway"
FLOATING_IP = "network:floatingip"
DHCP = "network:dhcp"
GATEWAY = "network:external_gateway"
"""Holds the gateway addresses of an external network, which are the provider's (or the gateway host's own leg)."""
COMPUTE = "compute:nova"
ROUTER_OWNERS = (ROUTER_INTERFACE, ROUTER_GATEWAY)
SERVICE_OWNERS = (*ROUTER_OWNERS, FLOATING_IP, GATEWAY)
"""Owners of ports that are deleted with what they belong to, never by themselves."""
KEPT_OWNERS = (*SERVICE_OWNERS, DHCP)
"""Owners that only this service writes: nobody gives a port one of these or takes it away."""
FOLLOWING = (DHCP, GATEWAY)
"""Owners of ports that go with their network or subnet and keep nobody from deleting it."""


def _common() -> list[Column[Any]]:
    """What every resource of the API has."""
    return [
        Column("id", String(36), primary_key=True),
        project_id(),
        Column("name", String(255), nullable=False),
        Column("description", String(255), nullable=False),
        Column("revision_number", Integer, nullable=False),
        created_at(),
        updated_at(),
    ]


def _cascade(name: str, target: str, **kwargs: Any) -> Column[Any]:
    return Column(name, String(36), ForeignKey(target, ondelete="CASCADE"), nullable=False, **kwargs)


network = Table(
    "network",
    metadata,
    *_common(),
    Column("admin_state_up", Boolean, nullable=False),
    Column("status", String(16), nullable=False),
    Column("fault", Text),
    Column("shared", Boolean, nullable=False),
    Column("external", Boolean, nullable=False),
    Column("is_default", Boolean, nullable=False),
    Column("mtu", Integer, nullable=False),
    Column("port_security_enabled", Boolean, nullable=False),
    Column("network_type", String(16), nullable=False),
    Column("physical_network", String(64)),
    Column("segment_id", Integer, nullable=False, unique=True),
    Column("bridged", Boolean, nullable=False, server_default=false()),
    Column("dns_domain", String(255), nullable=False),
    Column("availability_zone_hints", JSON, nullable=False),
)
"""``segment_id`` is the VXLAN id and unique in the cloud, also for networks of other types; ``bridged``:
hosts reach it by bridges of their own."""

subnet_pool = Table(
    "subnet_pool",
    metadata,
    *_common(),
    Column("prefixes", JSON, nullable=False),
    Column("ip_version", Integer, nullable=False),
    Column("min_prefixlen", Integer, nullable=False),
    Column("max_prefixlen", Integer, nullable=False),
    Column("default_prefixlen", Integer, nullable=False),
    Column("default_quota", Integer),
    Column("shared", Boolean, nullable=False),
    Column("is_default", Boolean, nullable=False),
)

subnet = Table(
    "subnet",
    metadata,
    *_common(),
    Column("network_id", String(36), ForeignKey("network.id"), nullable=False, index=True),
    Column("subnetpool_id", String(36), ForeignKey("subnet_pool.id"), index=True),
    Column("ip_version", Integer, nullable=False),
    Column("cidr", String(64), nullable=False),
    Column("gateway_ip", String(64)),
    Column("enable_dhcp", Boolean, nullable=False),
    Column("ipv6_ra_mode", String(16)),
    Column("ipv6_address_mode", String(16)),
    Column("dns_nameservers", JSON, nullable=False),
    Column("host_routes", JSON, nullable=False),
    Column("service_types", JSON, nullable=False),
    Column("allocation_pools", JSON, nullable=False),
)

port = Table(
    "port",
    metadata,
    *_common(),
    Column("network_id", String(36), ForeignKey("network.id"), nullable=False),
    Column("mac_address", String(32), nullable=False),
    Column("admin_state_up", Boolean, nullable=False),
    Column("status", String(16), nullable=False),
    Column("fault", Text),
    Column("device_id", String(255), nullable=False, index=True),
    Column("device_owner", String(255), nullable=False),
    Column("device_order", Integer, nullable=False),
    Column("made_for_server", Boolean, nullable=False),
    Column("host_id", String(36), index=True),
    Column("binding_host", String(255), nullable=False),
    Column("binding_profile", JSON, nullable=False),
    Column("vnic_type", String(64), nullable=False),
    Column("port_security_enabled", Boolean, nullable=False),
    Column("allowed_address_pairs", JSON, nullable=False),
    Column("dns_name", String(255), nullable=False),
    Column("dns_domain", String(255), nullable=False),
    UniqueConstraint("network_id", "mac_address"),
    Index("ix_port_network_id_host_id", "network_id", "host_id"),
    Index("ix_port_network_id_device_owner", "network_id", "device_owner"),
)
"""``host_id`` is the id of the host in the registry, ``binding_host`` the name the API shows; ``device_order`` the
place among the NICs of a server, from 1 (0: no server has claimed it); ``made_for_server`` ports go when their server
goes."""

port_address = Table(
    "port_address",
    metadata,
    Column("id", Integer, primary_key=True),
    _cascade("port_id", "port.id", index=True),
    Column("subnet_id", String(36), ForeignKey("subnet.id"), nullable=False),
    Column("ip_address", String(64), nullable=False),
    Column("position", BigInteger),
    UniqueConstraint("subnet_id", "ip_address"),
)
"""``position`` is the distance from the subnet's first address; NULL where 63 bits do not hold it (IPv6)."""
Index("ix_port_address_position", port_address.c.subnet_id, port_address.c.position)
Index("ix_port_address_ip", port_address.c.ip_address)

security_group = Table(
    "security_group",
    metadata,
    *_common(),
    Column("is_default", Boolean, nullable=False),
)

security_group_rule = Table(
    "security_group_rule",
    metadata,
    Column("id", String(36), primary_key=True),
    project_id(),
    Column("description", String(255), nullable=False),
    Column("revision_number", Integer, nullable=False),
    created_at(),
    updated_at(),
    _cascade("security_group_id", "security_group.id", index=True),
    Column("direction", String(8), nullable=False),
    Column("ethertype", String(8), nullable=False),
    Column("protocol", String(32)),
    Column("port_range_min", Integer),
    Column("port_range_max", Integer),
    Column("remote_ip_prefix", String(64)),
    Column("remote_group_id", String(36), ForeignKey("security_group.id", ondelete="CASCADE"), index=True),
)

port_binding = Table(
    "port_binding",
    metadata,
    _cascade("port_id", "port.id", primary_key=True),
    Column("host_id", String(36), primary_key=True, index=True),
)
"""Where a port will be, beside where it is: an INACTIVE binding, as Neutron calls it. Its host has all that the port
needs, and sends nothing there yet."""

port_security_group = Table(
    "port_security_group",
    metadata,
    _cascade("port_id", "port.id", primary_key=True),
    Column("security_group_id", String(36), ForeignKey("security_group.id"), primary_key=True, index=True),
)

router = Table(
    "router",
    metadata,
    *_common(),
    Column("admin_state_up", Boolean, nullable=False),
    Column("status", String(16), nullable=False),
    Column("fault", Text),
    Column("gateway_port_id", String(36), ForeignKey("port.id"), index=True),
    Column("enable_snat", Boolean, nullable=False),
    Column("routes", JSON, nullable=False),
    Column("availability_zone_hints", JSON, nullable=False),
    Column("transit_segment", Integer, unique=True),
)
"""``transit_segment``: of a distributed router the VXLAN id of the network between its parts, else None."""

floating_ip = Table(
    "floating_ip",
    metadata,
    Column("id", String(36), primary_key=True),
    project_id(),
    Column("description", String(255), nullable=False),
    Column("revision_number", Integer, nullable=False),
    created_at(),
    updated_at(),
    Column("floating_network_id", String(36), ForeignKey("network.id"), nullable=False),
    Column("floating_ip_address", String(64), nullable=False, index=True),
    Column("floating_port_id", String(36), ForeignKey("port.id"), nullable=False),
    Column("fixed_port_id", String(36), ForeignKey("port.id"), index=True),
    Column("fixed_ip_address", String(64)),
    Column("router_id", String(36), ForeignKey("router.id"), index=True),
    Column("status", String(16), nullable=False),
    Column("fault", Text),
    Column("forwarded", String(64)),
    Column("dns_name", String(255), nullable=False),
    Column("dns_domain", String(255), nullable=False),
    UniqueConstraint("floating_network_id", "fixed_port_id", "fixed_ip_address", name="uq_floating_ip_fixed"),
)

resource_tag = Table(
    "resource_tag",
    metadata,
    Column("resource_id", String(36), primary_key=True),
    Column("tag", String(255), primary_key=True),
)

network_revision = Table(
    "network_revision",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("number", Integer, nullable=False),
    Column("forgotten", Integer, nullable=False),
)
"""One row: ``number`` grows with every change of what any host should hold; of those up to ``forgotten`` no
``network_change`` is kept."""

network_host = Table(
    "network_host",
    metadata,
    Column("host_id", String(36), primary_key=True),
    Column("wanted", Integer, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("summary", Text, nullable=False),
    Column("applied_at", DateTime),
)
"""``wanted``: the revision of the last change that concerns the host. The others are what it last reported as applied;
``applied_at`` is NULL while it has reported nothing."""

network_interest = Table(
    "network_interest",
    metadata,
    Column("host_id", String(36), primary_key=True),
    Column("resource", String(64), primary_key=True),
)
"""What the document of each host is made of (``store/convergence.py`` says how a resource is written): a change of one
of these concerns the host."""
Index("ix_network_interest_resource", network_interest.c.resource, network_interest.c.host_id)

network_change = Table(
    "network_change",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("revision", Integer, nullable=False, index=True),
    Column("resource", String(64), nullable=False),
    Column("port_id", String(36)),
    Column("network_id", String(36)),
)
"""The changes of the last minutes. With a ``port_id`` only that port (of ``network_id``) came, went or changed within
the resource; without, everything of the resource may have."""

network_gateway = Table(
    "network_gateway",
    metadata,
    Column("resource_id", String(36), primary_key=True),
    Column("host_id", String(36), nullable=False, index=True),
)
"""The gateway host of each external network and of each router."""

network_agent = Table(
    "network_agent",
    metadata,
    Column("host_id", String(36), primary_key=True),
    Column("admin_state_up", Boolean, nullable=False),
    Column("description", String(255)),
    Column("deleted_at", DateTime),
)
"""What administrators said of an agent; ``deleted_at``: until its host is seen after that, it is not there."""
