"""What the compute API's proxies show: floating IPs, security groups and networks of the caller's project."""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import or_, select
from sqlalchemy.engine import Row

from tane.db import Tx
from tane.services.network.domain.common import no_floating_ip, no_group, require
from tane.services.network.store import rows
from tane.services.network.tables import floating_ip, network, port, security_group
from tane.web.context import Context


class FloatingIpInfo(msgspec.Struct, kw_only=True):
    """``pool`` is the name of the external network, ``server_id`` the server that the address leads to."""

    id: str
    address: str
    pool: str
    fixed_ip: str | None
    server_id: str | None


def floating_ips(tx: Tx, ctx: Context) -> list[FloatingIpInfo]:
    """The floating IPs of the caller's project, oldest first."""
    return _infos(tx, rows.find(tx, floating_ip, project_id=ctx.project_id))


def floating_ip_info(tx: Tx, ctx: Context, floating_ip_id: str) -> FloatingIpInfo:
    """:raises NotFound: not there, or another project's."""
    row = require(ctx, rows.get(tx, floating_ip, floating_ip_id), no_floating_ip(floating_ip_id))
    return _infos(tx, [row])[0]


def _infos(tx: Tx, found: list[Row[Any]]) -> list[FloatingIpInfo]:
    pools = {row.id: row.name for row in rows.among(tx, network, "id", [row.floating_network_id for row in found])}
    port_ids = [row.fixed_port_id for row in found if row.fixed_port_id is not None]
    holders = {row.id: row.device_id for row in rows.among(tx, port, "id", port_ids)}
    return [
        FloatingIpInfo(
            id=row.id,
            address=row.floating_ip_address,
            pool=pools[row.floating_network_id],
            fixed_ip=row.fixed_ip_address,
            server_id=holders.get(row.fixed_port_id) or None,
        )
        for row in found
    ]


def external_networks(tx: Tx) -> list[Row[Any]]:
    """(id, name) of the networks that floating IPs are taken from: the default one first, then the oldest."""
    statement = select(network.c.id, network.c.name).where(network.c.external)
    return tx.all(statement.order_by(network.c.is_default.desc(), network.c.created_at, network.c.id))


def project_networks(tx: Tx, ctx: Context) -> list[Row[Any]]:
    """(id, name) of the networks of the caller's project and the shared ones, oldest first."""
    statement = select(network.c.id, network.c.name)
    statement = statement.where(or_(network.c.project_id == ctx.project_id, network.c.shared))
    return tx.all(statement.order_by(network.c.created_at, network.c.id))


def project_groups(tx: Tx, ctx: Context, *, all_projects: bool = False) -> list[Row[Any]]:
    """The security groups of the caller's project, or of all, oldest first."""
    return rows.find(tx, security_group, **({} if all_projects else {"project_id": ctx.project_id}))


def group_row(tx: Tx, ctx: Context, group_id: str) -> Row[Any]:
    """:raises NotFound: not there, or another project's."""
    return require(ctx, rows.get(tx, security_group, group_id), no_group(group_id))
