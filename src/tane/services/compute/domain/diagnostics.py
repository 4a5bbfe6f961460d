"""Whose diagnostics a host is asked for, and what the database knows of the devices."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy.engine import Row

from tane.core import Core
from tane.services.compute.domain import servers
from tane.services.compute.store import block_devices
from tane.services.network import interface as network
from tane.web.context import Context
from tane.web.errors import Conflict


@dataclass(frozen=True)
class Known:
    """``devices``: name of a disk at its host → its name in the guest (``vda``); ``macs``: port id → address."""

    server: Row[Any]
    host_id: str
    devices: Mapping[str, str]
    macs: Mapping[str, str]


def known(core: Core, ctx: Context, server_id: str) -> Known:
    """:raises Conflict: the server does not run."""
    row = servers.row(core, ctx, server_id)
    if row.host_id is None:
        raise Conflict(f"Instance {server_id} is not ready")
    if row.vm_state != "active":
        raise Conflict(f"Cannot 'get_diagnostics' instance {server_id} while it is in vm_state {row.vm_state}")
    with core.db.read() as tx:
        devices = {device.volume_id: device.device for device in block_devices.of_server(tx, server_id)}
        macs = {nic.port_id: nic.mac_address for nic in network.nics(tx, server_id)}
    if row.image_id is not None:
        devices["root"] = row.root_device_name
    named = {name: (device or "").removeprefix("/dev/") for name, device in devices.items()}
    return Known(row, row.host_id, {name: device for name, device in named.items() if device}, macs)
