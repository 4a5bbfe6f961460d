"""What network tells of: every change of these rows is an event."""

from tane.db.recording import Part, Recorded, Source
from tane.services.network.tables import (
    floating_ip,
    network,
    network_agent,
    port,
    port_address,
    port_security_group,
    resource_tag,
    router,
    security_group,
    security_group_rule,
    subnet,
    subnet_pool,
)

NETWORK = Source(network, "network.network")
SUBNET = Source(subnet, "network.subnet", shows=("name", "network_id"))
SUBNET_POOL = Source(subnet_pool, "network.subnet_pool")
PORT = Source(port, "network.port", shows=("name", "status", "device_id", "network_id"))
ROUTER = Source(router, "network.router")
FLOATING_IP = Source(floating_ip, "network.floating_ip", shows=("status", "floating_ip_address", "floating_port_id"))
SECURITY_GROUP = Source(security_group, "network.security_group")
TAGGED = (NETWORK, SUBNET, SUBNET_POOL, PORT, ROUTER, FLOATING_IP, SECURITY_GROUP)

EVENTS: tuple[Recorded, ...] = (
    *TAGGED,
    *(Part(resource_tag, "resource_id", tagged) for tagged in TAGGED),
    Part(port_address, "port_id", PORT),
    Part(port_security_group, "port_id", PORT),
    Source(security_group_rule, "network.security_group_rule", shows=("security_group_id",)),
    Source(network_agent, "network.agent", id=("host_id",)),
)
