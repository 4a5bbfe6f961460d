"""Subnet pools: prefixes from which subnets are given their ranges, so that no two of a pool overlap."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.engine import Row

from tane.core import Core
from tane.db import Tx
from tane.services.network.domain import pool_rules as rules
from tane.services.network.domain.common import (
    check_room,
    fresh,
    invalid,
    no_subnet_pool,
    owner,
    owners,
    require_writable,
)
from tane.services.network.domain.subnet_rules import parse_cidr
from tane.services.network.store import rows
from tane.services.network.tables import subnet, subnet_pool
from tane.web.context import Context
from tane.web.errors import BadRequest, Conflict, NotImplementedHere
from tane.wire.grammar import Network
from tane.wire.grammar import network as read_network


def create(core: Core, ctx: Context, asked: Sequence[dict[str, Any]]) -> list[str]:
    """:raises BadRequest: prefixes or lengths that make no sense. :raises Conflict: over quota."""
    with core.db.write() as tx:
        check_room(tx, "subnetpool", owners(ctx, asked))
        return [_create_one(tx, ctx, values) for values in asked]


def _create_one(tx: Tx, ctx: Context, values: dict[str, Any]) -> str:
    project_id = owner(ctx, values)
    _refuse_scope(values)
    prefixes, version = rules.check_prefixes(values.pop("prefixes"))
    if values.get("is_default"):
        _only_default(tx, version)
    standard = {"name": "", "shared": False, "is_default": False, "default_quota": None}
    row = {**fresh(tx, project_id, **standard), **values, **rules.check_bounds(version, values)}
    rows.add(tx, subnet_pool, [{**row, "prefixes": prefixes, "ip_version": version}])
    return str(row["id"])


def _refuse_scope(values: dict[str, Any]) -> None:
    if values.pop("address_scope_id", None) is not None:
        raise NotImplementedHere("Address scopes are not implemented: leave address_scope_id out.")


def _only_default(tx: Tx, version: int) -> None:
    if rows.find(tx, subnet_pool, is_default=True, ip_version=version):
        raise invalid(
            "A default subnetpool for this IP family has already been set. Only one default may exist per IP family"
        )


def update(core: Core, ctx: Context, pool_id: str, values: dict[str, Any]) -> None:
    """Prefixes are only added to. :raises BadRequest: what the pool must not become."""
    with core.db.write() as tx:
        row = require_writable(ctx, rows.get(tx, subnet_pool, pool_id), no_subnet_pool(pool_id), "update_subnetpool")
        _refuse_scope(values)
        if "prefixes" in values:
            values["prefixes"] = _grown(row, values["prefixes"])
        if values.get("is_default") and not row.is_default:
            _only_default(tx, row.ip_version)
        lengths = {name: values.get(name, getattr(row, name)) for name in rules.BOUNDS}
        rows.change(tx, subnet_pool, pool_id, {**values, **rules.check_bounds(row.ip_version, lengths)})


def _grown(row: Row[Any], asked: Sequence[str]) -> list[str]:
    prefixes, version = rules.check_prefixes(asked)
    if version != row.ip_version or not rules.covers(prefixes, row.prefixes):
        raise BadRequest(
            "Illegal update to prefixes: Existing prefixes must be a subset of the new prefixes.",
            type="IllegalSubnetPoolPrefixUpdate",
        )
    return prefixes


def delete(core: Core, ctx: Context, pool_id: str) -> None:
    """:raises BadRequest: (SubnetPoolDeleteError) subnets have ranges of it."""
    with core.db.write() as tx:
        require_writable(ctx, rows.get(tx, subnet_pool, pool_id), no_subnet_pool(pool_id), "delete_subnetpool")
        if tx.first(select(subnet.c.id).where(subnet.c.subnetpool_id == pool_id).limit(1)) is not None:
            raise BadRequest(
                "Unable to delete subnet pool: Subnet pool has existing allocations.", type="SubnetPoolDeleteError"
            )
        rows.remove(tx, subnet_pool, [pool_id])


# ------------------------------------------------------------------------------------------------- subnets of pools


def range_for(tx: Tx, ctx: Context, project_id: str, values: dict[str, Any]) -> tuple[str | None, str, int]:
    """Takes what a new subnet's body says of its range: (pool or None, cidr, version of IP).

    :raises BadRequest: it says nothing or too much. :raises NotFound: the pool is not there for the caller. :raises
        Conflict: the pool has no room, or the project's share of it is used up.
    """
    cidr, length = values.pop("cidr", None), values.pop("prefixlen", None)
    version = values.pop("ip_version", None)
    pool = _pool(tx, ctx, values, version, cidr)
    if cidr is not None and length is not None:
        raise _bad("cidr and prefixlen must not be supplied together")
    if pool is None:
        _same_pool(tx, values["network_id"], None, version or 4)
        if cidr is None:
            raise _bad("a subnetpool must be specified in the absence of a cidr")
        return None, cidr, version or 4
    if version not in (None, pool.ip_version):
        raise _bad(f"Cannot allocate IPv{version} subnet from IPv{pool.ip_version} subnet pool")
    if cidr is None and values.get("allocation_pools") is not None:
        raise _bad("allocation_pools allowed only for specific subnet requests.")
    _same_pool(tx, values["network_id"], pool.id, pool.ip_version)
    return pool.id, str(_allocate(tx, pool, project_id, cidr, length)), pool.ip_version


def _bad(text: str) -> BadRequest:
    return BadRequest(f"Bad subnets request: {text}.".replace("..", "."), type="BadRequest")


def _pool(tx: Tx, ctx: Context, values: dict[str, Any], version: int | None, cidr: str | None) -> Row[Any] | None:
    pool_id, default = values.pop("subnetpool_id", None), values.pop("use_default_subnetpool", False)
    if pool_id and default:
        raise _bad("subnetpool_id and use_default_subnetpool cannot both be specified")
    if pool_id:
        row = rows.get(tx, subnet_pool, pool_id)
        if row is None or not _sees(ctx, row):
            raise no_subnet_pool(pool_id)
        return row
    if not default:
        return None
    wanted = (6 if ":" in cidr else 4) if cidr is not None else version
    if wanted is None:
        raise _bad("ip_version must be specified in the absence of cidr and subnetpool_id")
    found = [row for row in rows.find(tx, subnet_pool, is_default=True, ip_version=wanted) if _sees(ctx, row)]
    if not found:
        raise _bad(f"No default subnetpool found for IPv{wanted}")
    return found[0]


def _sees(ctx: Context, row: Row[Any]) -> bool:
    return bool(row.shared or ctx.sees(row.project_id))


def _same_pool(tx: Tx, network_id: str, pool_id: str | None, version: int) -> None:
    """:raises BadRequest: the network's other subnets of the version are of another pool, or of none."""
    of_network = select(subnet.c.id).where(subnet.c.network_id == network_id, subnet.c.ip_version == version)
    if tx.first(of_network.where(subnet.c.subnetpool_id.is_distinct_from(pool_id)).limit(1)) is not None:
        raise BadRequest(
            "Subnets hosted on the same network must be allocated from the same subnet pool.",
            type="NetworkSubnetPoolAffinityError",
        )


def _allocate(tx: Tx, pool: Row[Any], project_id: str, cidr: str | None, length: int | None) -> Network:
    wanted = None if cidr is None else parse_cidr(cidr, pool.ip_version)
    size = wanted.prefixlen if wanted is not None else (pool.default_prefixlen if length is None else length)
    _check_size(pool, size)
    taken = tx.all(select(subnet.c.cidr, subnet.c.project_id).where(subnet.c.subnetpool_id == pool.id))
    if pool.default_quota:
        own = sum(
            rules.units(pool.ip_version, read_network(row.cidr).prefixlen)
            for row in taken
            if row.project_id == project_id
        )
        if own + rules.units(pool.ip_version, size) > pool.default_quota:
            raise Conflict("Per-project subnet pool prefix quota exceeded.", type="SubnetPoolQuotaExceeded")
    for piece in rules.free(pool.prefixes, [row.cidr for row in taken]):
        if wanted is None and size >= piece.prefixlen:
            return rules.first_of(piece, size)
        if wanted is not None and rules.inside(wanted, piece):
            return wanted
    reason = f"Insufficient prefix space to allocate subnet size /{size}"
    if wanted is not None:
        reason = "Cannot allocate requested subnet from the available set of prefixes"
    raise Conflict(f"Failed to allocate subnet: {reason}.", type="SubnetAllocationError")


def _check_size(pool: Row[Any], size: int) -> None:
    text = f"Unable to allocate subnet with prefix length {size},"
    if size > pool.max_prefixlen:
        raise BadRequest(
            f"{text} maximum allowed prefix is {pool.max_prefixlen}.", type="MaxPrefixSubnetAllocationError"
        )
    if size < pool.min_prefixlen:
        raise BadRequest(
            f"{text} minimum allowed prefix is {pool.min_prefixlen}.", type="MinPrefixSubnetAllocationError"
        )
