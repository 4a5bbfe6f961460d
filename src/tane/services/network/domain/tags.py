"""Tags of networks, subnets, ports, routers, floating IPs and security groups."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Table, delete

from tane.core import Core
from tane.db import Tx
from tane.services.network.domain.common import require_writable
from tane.services.network.store import rows
from tane.services.network.tables import resource_tag
from tane.web.context import Context
from tane.web.errors import BadRequest, NotFound

MOST = 50


def of(core: Core, ctx: Context, table: Table, row_id: str, missing: NotFound) -> list[str]:
    with core.db.read() as tx:
        _require(tx, ctx, table, row_id, missing, "get")
        return rows.tags(tx, [row_id]).get(row_id, [])


def replace(core: Core, ctx: Context, table: Table, row_id: str, missing: NotFound, names: Iterable[str]) -> list[str]:
    with core.db.write() as tx:
        _require(tx, ctx, table, row_id, missing, "update")
        _write(tx, table, row_id, set(names))
        return rows.tags(tx, [row_id]).get(row_id, [])


def add(core: Core, ctx: Context, table: Table, row_id: str, missing: NotFound, names: Iterable[str]) -> list[str]:
    with core.db.write() as tx:
        _require(tx, ctx, table, row_id, missing, "update")
        _write(tx, table, row_id, {*rows.tags(tx, [row_id]).get(row_id, []), *names})
        return rows.tags(tx, [row_id]).get(row_id, [])


def remove(core: Core, ctx: Context, table: Table, row_id: str, missing: NotFound, name: str) -> None:
    with core.db.write() as tx:
        _require(tx, ctx, table, row_id, missing, "update")
        require_tag(rows.tags(tx, [row_id]).get(row_id, []), name)
        _write(tx, table, row_id, set(rows.tags(tx, [row_id])[row_id]) - {name})


def require_tag(present: Iterable[str], name: str) -> None:
    if name not in present:
        raise NotFound(f"Tag {name} could not be found.", type="TagNotFound")


def _require(tx: Tx, ctx: Context, table: Table, row_id: str, missing: NotFound, verb: str) -> None:
    row = rows.get(tx, table, row_id)
    if verb == "get" and row is not None and (getattr(row, "shared", False) or getattr(row, "external", False)):
        return
    require_writable(ctx, row, missing, f"{verb}_{table.name}s_tags")


def _write(tx: Tx, table: Table, row_id: str, names: set[str]) -> None:
    if len(names) > MOST:
        raise BadRequest(f"The number of tags exceed the per-resource limit of {MOST}", type="BadRequest")
    tx.execute(delete(resource_tag).where(resource_tag.c.resource_id == row_id))
    rows.add(tx, resource_tag, [{"resource_id": row_id, "tag": name} for name in sorted(names)])
    rows.change(tx, table, row_id, {})
