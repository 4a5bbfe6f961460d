"""Tags of networks, subnets, ports, routers, floating IPs and security groups."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from sqlalchemy import Table, delete

from tane.core import Core
from tane.db import Tx
from tane.services.network.domain.common import (
    no_floating_ip,
    no_group,
    no_network,
    no_port,
    no_router,
    no_subnet,
    no_subnet_pool,
    require_writable,
)
from tane.services.network.store import rows
from tane.services.network.tables import (
    floating_ip,
    network,
    port,
    resource_tag,
    router,
    security_group,
    subnet,
    subnet_pool,
)
from tane.web.context import Context
from tane.web.errors import BadRequest, NotFound

MOST = 50
TAGGED: dict[str, tuple[Table, Callable[[str], NotFound]]] = {
    "networks": (network, no_network),
    "subnets": (subnet, no_subnet),
    "subnetpools": (subnet_pool, no_subnet_pool),
    "ports": (port, no_port),
    "routers": (router, no_router),
    "floatingips": (floating_ip, no_floating_ip),
    "security-groups": (security_group, no_group),
}
"""Collection in the path → its table and what is said when the resource is not there."""


def of(core: Core, ctx: Context, collection: str, row_id: str) -> list[str]:
    with core.db.read() as tx:
        _require(tx, ctx, collection, row_id, "get")
        return rows.tags(tx, [row_id]).get(row_id, [])


def replace(core: Core, ctx: Context, collection: str, row_id: str, names: Iterable[str]) -> list[str]:
    with core.db.write() as tx:
        table = _require(tx, ctx, collection, row_id, "update")
        _write(tx, table, row_id, set(names))
        return rows.tags(tx, [row_id]).get(row_id, [])


def add(core: Core, ctx: Context, collection: str, row_id: str, names: Iterable[str]) -> list[str]:
    with core.db.write() as tx:
        table = _require(tx, ctx, collection, row_id, "update")
        _write(tx, table, row_id, {*rows.tags(tx, [row_id]).get(row_id, []), *names})
        return rows.tags(tx, [row_id]).get(row_id, [])


def remove(core: Core, ctx: Context, collection: str, row_id: str, name: str) -> None:
    with core.db.write() as tx:
        table = _require(tx, ctx, collection, row_id, "update")
        require_tag(rows.tags(tx, [row_id]).get(row_id, []), name)
        _write(tx, table, row_id, set(rows.tags(tx, [row_id])[row_id]) - {name})


def require_tag(present: Iterable[str], name: str) -> None:
    if name not in present:
        raise NotFound(f"Tag {name} could not be found.", type="TagNotFound")


def _require(tx: Tx, ctx: Context, collection: str, row_id: str, verb: str) -> Table:
    """The table of a collection, after a look whether the caller may do this to the resource."""
    table, missing = TAGGED[collection]
    row = rows.get(tx, table, row_id)
    if verb != "get" or row is None or not (getattr(row, "shared", False) or getattr(row, "external", False)):
        require_writable(ctx, row, missing(row_id), f"{verb}_{collection}_tags")
    return table


def _write(tx: Tx, table: Table, row_id: str, names: set[str]) -> None:
    if len(names) > MOST:
        raise BadRequest(f"The number of tags exceed the per-resource limit of {MOST}", type="BadRequest")
    tx.execute(delete(resource_tag).where(resource_tag.c.resource_id == row_id))
    rows.add(tx, resource_tag, [{"resource_id": row_id, "tag": name} for name in sorted(names)])
    rows.change(tx, table, row_id, {})
