"""Floating IPs as another service leads them to a server's port."""

from __future__ import annotations

from typing import Any

from sqlalchemy.engine import Row

from tane.core import Core
from tane.db import Tx
from tane.services.network.domain import floating_ips
from tane.services.network.store import rows
from tane.services.network.tables import floating_ip
from tane.web.context import Context


def floating_ip_by_address(tx: Tx, ctx: Context, address: str) -> Row[Any] | None:
    """The caller's floating IP with this address."""
    found = rows.find(tx, floating_ip, floating_ip_address=address)
    return next((row for row in found if ctx.sees(row.project_id)), None)


def associate_floating_ip(
    core: Core, ctx: Context, floating_ip_id: str, port_id: str | None, fixed_address: str | None
) -> None:
    """To a port's address, or nowhere; raises what network's own API does."""
    values: dict[str, Any] = {"port_id": port_id}
    if fixed_address is not None:
        values["fixed_ip_address"] = fixed_address
    floating_ips.update(core, ctx, floating_ip_id, values)
