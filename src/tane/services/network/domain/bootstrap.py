"""What a cloud has from its first start: an external network."""

from __future__ import annotations

from tane.core import Core
from tane.services.identity import interface as identity
from tane.services.network.domain.common import invalid
from tane.services.network.domain.convergence import changed
from tane.services.network.domain.networks import create_one as create_network
from tane.services.network.domain.subnet_rules import AddressRange
from tane.services.network.domain.subnets import create_all as create_subnets
from tane.services.network.store import rows
from tane.services.network.tables import network
from tane.web.context import Context
from tane.wire import grammar

NAME = "public"
PHYSICAL_NETWORK = "external"


def ensure_external_network(core: Core, cidr: str) -> None:
    """Make the external network ``public`` with the subnet ``public-subnet`` in the admin project, if there is no
    external network yet: gateway .1 (the gateway host's own leg), addresses .10 to .250, no DHCP.

    ``cidr`` is an IPv4 range of at least 256 addresses. :raises BadRequest: when it is not.
    """
    with core.db.write() as tx:
        if rows.find(tx, network, external=True):
            return
        outside = _range(cidr)
        project = identity.project_named(tx, "admin")
        ctx = Context(request_id="bootstrap", project_id=project.id, roles=("admin",))
        settings = {
            "name": NAME,
            "external": True,
            "is_default": True,
            "network_type": "flat",
            "physical_network": PHYSICAL_NETWORK,
        }
        network_id = create_network(tx, ctx, settings, core.config)
        first = outside.network_address
        subnet = {
            "network_id": network_id,
            "name": f"{NAME}-subnet",
            "ip_version": 4,
            "cidr": str(outside),
            "gateway_ip": str(first + 1),
            "allocation_pools": [AddressRange(start=str(first + 10), end=str(first + 250))],
            "enable_dhcp": False,
        }
        create_subnets(tx, ctx, [subnet])
        changed(tx, networks=[network_id])


def _range(cidr: str) -> grammar.Network:
    try:
        outside = grammar.network(cidr)
    except ValueError:
        raise invalid(f"the external range {cidr} is not an IP network") from None
    if outside.version != 4 or outside.prefixlen > 24:
        raise invalid(f"the external range {cidr} is not an IPv4 range of at least 256 addresses")
    return outside
