"""What the rules of every network resource share: ids, owners, quotas, refusals in Neutron's words."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Table, func, select
from sqlalchemy.engine import Row

from tane import quota
from tane.db import Tx
from tane.services.network.domain import revisions
from tane.services.network.store import rows
from tane.services.network.tables import floating_ip, network, port, router, subnet, subnet_pool
from tane.services.network.tables import security_group as group
from tane.services.network.tables import security_group_rule as rule
from tane.web.context import Context
from tane.web.errors import BadRequest, Conflict, Forbidden, NotFound

QUOTAS: Mapping[str, tuple[Table, int]] = {
    "network": (network, 100),
    "subnet": (subnet, 100),
    "port": (port, 500),
    "router": (router, 10),
    "floatingip": (floating_ip, 50),
    "subnetpool": (subnet_pool, 100),
    "security_group": (group, 10),
    "security_group_rule": (rule, 100),
}
"""Resource → its table and the limit of a project that has none of its own."""
DEFAULT_LIMITS = {name: limit for name, (_, limit) in QUOTAS.items()}
SERVICE = "network"
ZONE = "nova"
"""The one availability zone."""


def new_id() -> str:
    return str(uuid.uuid4())


def fresh(tx: Tx, project_id: str, **values: Any) -> dict[str, Any]:
    """A new row's values: those every resource has, and ``values``."""
    standard = {"id": new_id(), "project_id": project_id, "description": "", "revision_number": 1}
    return {**standard, "created_at": tx.now, "updated_at": tx.now, **values}


def owner(ctx: Context, values: dict[str, Any]) -> str:
    """Takes ``project_id``/``tenant_id`` out of a body: the project that will own the new resource.

    :raises BadRequest: a caller who is no administrator names another project than its own, or has none.
    """
    tenant, asked = values.pop("tenant_id", None), values.pop("project_id", None)
    if tenant and asked and tenant != asked:
        raise BadRequest("'project_id' and 'tenant_id' do not match", type="HTTPBadRequest")
    wanted = asked or tenant or ctx.project_id
    if wanted != ctx.project_id and not ctx.is_admin:
        raise BadRequest(
            "Specifying 'project_id' or 'tenant_id' other than the authenticated project in request requires "
            "admin privileges",
            type="HTTPBadRequest",
        )
    if not wanted:
        raise BadRequest("Running without keystone AuthN requires that tenant_id is specified", type="HTTPBadRequest")
    return str(wanted)


def check_quota(tx: Tx, project_id: str, resource: str, wanted: int) -> None:
    """:raises Conflict: (OverQuota) when ``wanted`` more of ``resource`` pass the project's limit."""
    table, _ = QUOTAS[resource]
    limit = quota.limits(tx, SERVICE, project_id, DEFAULT_LIMITS)[resource]
    if limit != quota.UNLIMITED and quota.exceeded(limit, used(tx, project_id, table), wanted):
        raise Conflict(f"Quota exceeded for resources: ['{resource}'].", type="OverQuota")


def check_room(tx: Tx, resource: str, project_ids: Iterable[str], each: int = 1) -> None:
    """Asked for all that a request makes before any of it is made: ``project_ids`` has the owner of each.

    :raises Conflict: (OverQuota) ``each`` of ``resource`` for every one pass the limit of a project.
    """
    for project_id, count in Counter(project_ids).items():
        check_quota(tx, project_id, resource, count * each)


def owners(ctx: Context, asked: Iterable[Mapping[str, Any]]) -> list[str]:
    """The projects that will own what the bodies ask for, see :func:`owner`."""
    return [owner(ctx, dict(values)) for values in asked]


def used(tx: Tx, project_id: str, table: Table) -> int:
    return int(tx.scalar(select(func.count()).select_from(table).where(table.c.project_id == project_id)))


def require_writable(ctx: Context, row: Row[Any] | None, missing: NotFound, rule: str) -> Row[Any]:
    """The row, for a caller who may change it. A row the caller may only see (shared, external) is Forbidden."""
    if row is None:
        raise missing
    if ctx.sees(row.project_id):
        revisions.check(row)
        return row
    if getattr(row, "shared", False) or getattr(row, "external", False):
        raise Forbidden(f"rule:{rule} is disallowed by policy", type="PolicyNotAuthorized")
    raise missing


def invalid(text: str, kind: str = "InvalidInput") -> BadRequest:
    """Bad input in the words of Neutron's InvalidInput."""
    return BadRequest(f"Invalid input for operation: {text}.", type=kind)


def check_zones(values: dict[str, Any]) -> None:
    """:raises NotFound: a hint names an availability zone this cloud does not have."""
    for zone in values.get("availability_zone_hints") or []:
        if zone != ZONE:
            raise NotFound(f"AvailabilityZone {zone} could not be found.", type="AvailabilityZoneNotFound")


def require(ctx: Context, row: Row[Any] | None, missing: NotFound) -> Row[Any]:
    """The row when it is the caller's own or the caller is an administrator."""
    if row is None or not ctx.sees(row.project_id):
        raise missing
    revisions.check(row)
    return row


SHOWN = 10
"""Of the resources that keep another from being deleted."""


def seen_of(ctx: Context, users: Sequence[Row[Any]]) -> str:
    """What keeps something from going, for a message: ids of what is the caller's own, and how many others there are.
    The owner of a shared network is not told what other projects have there."""
    own = [row.id for row in users if ctx.sees(row.project_id)][:SHOWN]
    others = len(users) - len(own)
    if not others:
        return ", ".join(own)
    return f"{', '.join(own)} and {others} more" if own else f"{others} that you may not see"


def no_network(network_id: str) -> NotFound:
    return NotFound(f"Network {network_id} could not be found.", type="NetworkNotFound")


def no_subnet(subnet_id: str) -> NotFound:
    return NotFound(f"Subnet {subnet_id} could not be found.", type="SubnetNotFound")


def no_subnet_pool(pool_id: str) -> NotFound:
    return NotFound(f"Subnet pool {pool_id} could not be found.", type="SubnetPoolNotFound")


def no_port(port_id: str) -> NotFound:
    return NotFound(f"Port {port_id} could not be found.", type="PortNotFound")


def no_router(router_id: str) -> NotFound:
    return NotFound(f"Router {router_id} could not be found.", type="RouterNotFound")


def no_floating_ip(floating_ip_id: str) -> NotFound:
    return NotFound(f"Floating IP {floating_ip_id} could not be found.", type="FloatingIPNotFound")


def no_group(group_id: str) -> NotFound:
    return NotFound(f"Security group {group_id} does not exist.", type="SecurityGroupNotFound")


def visible_network(tx: Tx, ctx: Context, network_id: str) -> Row[Any]:
    """A network the caller may see: its own, shared or external. :raises NotFound: otherwise."""
    row = rows.get(tx, network, network_id)
    if row is None or not (ctx.sees(row.project_id) or row.shared or row.external):
        raise no_network(network_id)
    return row


def tap_name(port_id: str) -> str:
    """The interface of a server's port on its host."""
    return f"tap{port_id[:11]}"
