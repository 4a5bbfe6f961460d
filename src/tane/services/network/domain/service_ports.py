"""Ports that belong to this service: of routers, DHCP, floating IPs, and the gateways of external networks.

What such a port is follows from ``device_owner``, which only the service writes for these (:data:`KEPT_OWNERS`): nobody
gives a port one of them and nobody takes it away, the port's owner and administrators included. So no port that went
unfiltered for a router is ever somebody's own again.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy.engine import Row

from tane.db import Tx
from tane.services.network.domain.common import invalid
from tane.services.network.domain.legs import refuse_needed, refuse_overlap
from tane.services.network.store import addresses, rows
from tane.services.network.tables import KEPT_OWNERS, ROUTER_INTERFACE, router, subnet
from tane.web.context import Context
from tane.web.errors import BadRequest, Conflict

LABELS = frozenset(("name", "description"))
"""What an owner may change of any port: it reaches no host."""


def is_kept(row: Row[Any]) -> bool:
    return row.device_owner in KEPT_OWNERS


def is_filtered(row: Row[Any]) -> bool:
    """Whether a port is held to its addresses and security groups: a service's port never, another as it was told."""
    return bool(row.port_security_enabled and not is_kept(row))


def refuse_owner(values: dict[str, Any], present: str = "") -> None:
    """:raises BadRequest: a body makes a port one of the service's own, which makes them itself."""
    wanted = values.get("device_owner") or ""
    if wanted in KEPT_OWNERS and wanted != present:
        raise invalid(f"device_owner {wanted} is set by the network service alone, with what such a port belongs to")


def refuse_use(row: Row[Any], purpose: str) -> None:
    """:raises BadRequest: the port cannot be given to ``purpose`` (floatingip, …): it is the service's own."""
    if is_kept(row):
        raise BadRequest(
            f"Bad {purpose} request: Port {row.id} belongs to {row.device_owner} and cannot be used.", type="BadRequest"
        )


def check_change(ctx: Context, row: Row[Any], network_owner: str, values: dict[str, Any]) -> None:
    """What may be changed of a service's port directly: its name and description; of a router's interface also its
    switch and, on a network of the caller's, its addresses.

    :raises Conflict: anything else.
    """
    asked = {name for name, value in values.items() if not _same(row, name, value)}
    if row.device_owner == ROUTER_INTERFACE:
        asked.discard("admin_state_up")
        if ctx.sees(network_owner):
            asked.discard("fixed_ips")
    if asked - LABELS:
        raise Conflict(
            f"Operation update of {', '.join(sorted(asked - LABELS))} is not supported for device_owner "
            f"{row.device_owner} on port {row.id}.",
            type="UnsupportedPortDeviceOwner",
        )


def _same(row: Row[Any], name: str, value: Any) -> bool:
    """Whether a body says of the port what it is: clients send back what they were shown."""
    if name == "port_security_enabled":
        return value is False
    if name in ("security_groups", "allowed_address_pairs"):
        return not value
    return bool((value if value is not None else "") == getattr(row, name, None))


def check_leg(tx: Tx, row: Row[Any], before: set[str]) -> None:
    """After its addresses changed a router's interface must still be one that could have been added.

    ``before``: the subnets it was in. :raises BadRequest: it has no address left, or a range meets another of the
    router's. :raises Conflict: a floating IP or a route needs what went.
    """
    after = {held.subnet_id for held in addresses.of_ports(tx, [row.id]).get(row.id, [])}
    if not after:
        raise BadRequest("Bad router request: Router port must have at least one fixed IP.", type="BadRequest")
    owner = rows.get(tx, router, row.device_id)
    assert owner is not None
    for gone in rows.among(tx, subnet, "id", sorted(before - after)):
        refuse_needed(tx, owner, gone)
    for added in rows.among(tx, subnet, "id", sorted(after - before)):
        refuse_overlap(tx, owner.id, added, but=row.id)
