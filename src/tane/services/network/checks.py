"""The doctor's checks of networks."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import String, cast, select

from tane.db import Tx
from tane.finding import Finding
from tane.services.network.store import gateway_hosts
from tane.services.network.tables import network, subnet


def without_dns(tx: Tx) -> Iterator[Finding]:
    """Names do not resolve in servers whose subnet hands out no DNS server."""
    silent = (
        select(subnet.c.id, subnet.c.name, subnet.c.cidr)
        .join(network, network.c.id == subnet.c.network_id)
        .where(subnet.c.enable_dhcp, ~network.c.external, cast(subnet.c.dns_nameservers, String) == "[]")
    )
    for row in tx.all(silent):
        yield Finding(
            "warning",
            f"Subnet {row.name or row.id} ({row.cidr}) has no DNS server.",
            "Its servers resolve each other's names only.",
            f"openstack subnet set --dns-nameserver 9.9.9.9 {row.id}",
        )


def without_way_out(tx: Tx) -> Iterator[Finding]:
    """Routers have no gateway where no host has the role for it."""
    found = gateway_hosts.hosts(tx)
    if found and not any("network" in row.roles for row in found):
        yield Finding(
            "warning",
            "No host has the role network.",
            "Servers reach nothing outside, and no floating IP is reached.",
            'tane host token --roles network, and tane join on a machine; or roles = ["network"] in tane.toml',
        )


CHECKS = (without_dns, without_way_out)
