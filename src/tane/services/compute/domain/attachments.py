"""Ports and volumes of a server that exists (Compute API: "Port interfaces", "Servers with volume attachments")."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy.engine import Row

from tane.core import Core
from tane.db import Tx
from tane.services.compute.domain import block_devices as devices
from tane.services.compute.domain.actions import refuse_nowhere
from tane.services.compute.domain.common import new_id, queue, refuse_locked, require, require_state
from tane.services.compute.domain.states import OFFLOADED
from tane.services.compute.orders import (
    ATTACH_INTERFACE,
    ATTACH_VOLUME,
    DETACH_VOLUME,
    AttachInterface,
    AttachVolume,
    DetachVolume,
)
from tane.services.compute.store import block_devices, nic_tags
from tane.services.network import interface as network
from tane.services.volume import interface as volume
from tane.web.context import Context
from tane.web.errors import BadRequest, Conflict, NotFound

CHANGEABLE = ("active", "paused", "stopped")


def _volume_states(*, put_away: bool) -> tuple[str, ...]:
    """A server that is put away has its volumes in the rows alone: they are connected when it is unshelved."""
    return (*CHANGEABLE, "resized", OFFLOADED) if put_away else (*CHANGEABLE, "resized")


def _changeable(tx: Tx, ctx: Context, server_id: str, action: str, states: tuple[str, ...] = CHANGEABLE) -> Row[Any]:
    row = require(tx, ctx, server_id)
    refuse_locked(ctx, row)
    require_state(row, action, states)
    if row.vm_state != OFFLOADED:
        refuse_nowhere(row)
    return row


# ----------------------------------------------------------------------------------------------------------- ports


@dataclass(frozen=True)
class Nic:
    """A port of a server with its fixed addresses and the tag it was given there."""

    port: Row[Any]
    addresses: list[network.AddressInfo]
    tag: str | None


def ports(core: Core, ctx: Context, server_id: str) -> list[Nic]:
    """The server's ports in the order of its NICs."""
    with core.db.read() as tx:
        require(tx, ctx, server_id)
        return _ports(tx, server_id)


def _ports(tx: Tx, server_id: str) -> list[Nic]:
    by_port: dict[str, list[network.AddressInfo]] = {}
    for info in network.addresses(tx, [server_id]).get(server_id, []):
        if info.type == "fixed":
            by_port.setdefault(info.port_id, []).append(info)
    tags = nic_tags.of_server(tx, server_id)
    return [Nic(port, by_port.get(port.id, []), tags.get(port.id)) for port in network.server_ports(tx, server_id)]


def attach_port(core: Core, ctx: Context, server_id: str, spec: network.PortSpec) -> Nic:
    """Give the server another port; it is plugged in by a job."""
    with core.db.write() as tx:
        row = _changeable(tx, ctx, server_id, "attach_interface")
        if spec.network_id is None and spec.port_id is None:
            usable = network.usable_networks(tx, row.project_id)
            if len(usable) != 1:
                raise (
                    Conflict("Multiple possible networks found, use a Network ID to be more specific.")
                    if usable
                    else (BadRequest("No network is available to attach an interface to."))
                )
            spec = network.PortSpec(network_id=usable[0].id, port_id=None, fixed_ip=spec.fixed_ip, tag=spec.tag)
        assert row.host_id is not None
        [port_id] = network.claim_ports(
            tx,
            ctx,
            server_id=server_id,
            project_id=row.project_id,
            host_id=row.host_id,
            hostname=row.hostname,
            specs=[spec],
            security_groups=[],
        )
        nic_tags.put(tx, server_id, port_id, spec.tag)
        queue(tx, ctx, ATTACH_INTERFACE, AttachInterface(server_id, port_id=port_id), owner=row.project_id)
        return next(nic for nic in _ports(tx, server_id) if nic.port.id == port_id)


def detach_port(core: Core, ctx: Context, server_id: str, port_id: str) -> None:
    """:raises NotFound: the port is not the server's."""
    with core.db.write() as tx:
        row = _changeable(tx, ctx, server_id, "detach_interface")
        if port_id not in {port.id for port in network.server_ports(tx, server_id)}:
            raise NotFound(f"Port {port_id} not found on instance {server_id}")
        network.order_detach(tx, ctx, server_id, port_id, owner=row.project_id)


# --------------------------------------------------------------------------------------------------------- volumes


def volumes(core: Core, ctx: Context, server_id: str) -> list[Row[Any]]:
    with core.db.read() as tx:
        require(tx, ctx, server_id)
        return block_devices.of_server(tx, server_id)


def volume_attachment(core: Core, ctx: Context, server_id: str, volume_id: str) -> Row[Any]:
    with core.db.read() as tx:
        require(tx, ctx, server_id)
        return _attachment(tx, server_id, volume_id)


def _attachment(tx: Tx, server_id: str, volume_id: str) -> Row[Any]:
    row = block_devices.get(tx, server_id, volume_id)
    if row is None:
        raise NotFound(f"Instance {server_id} is not attached to volume {volume_id}")
    return row


def attach_volume(
    core: Core,
    ctx: Context,
    server_id: str,
    volume_id: str,
    *,
    device: str | None,
    tag: str | None,
    delete_on_termination: bool,
    put_away: bool,
) -> Row[Any]:
    """Reserve the volume; a job connects it. A device name asked for is a wish, as upstream. ``put_away``: the server
    may be shelved.

    :raises NotFound: no such volume. :raises BadRequest: it is not available, or attached here already.
    """
    with core.db.write() as tx:
        row = _changeable(tx, ctx, server_id, "attach_volume", _volume_states(put_away=put_away))
        if block_devices.get(tx, server_id, volume_id) is not None:
            raise BadRequest(f"Invalid volume: volume {volume_id} is already attached to instance {server_id}")
        attachment_id = new_id()
        try:
            volume.reserve(
                tx, ctx, volume_id, server_id=server_id, attachment_id=attachment_id, host_name=row.host_name
            )
        except Conflict as error:
            raise BadRequest(f"Invalid volume: {error.message}") from None
        taken = devices.local_devices(
            row.image_id is not None, row.flavor["ephemeral"], row.flavor["swap"], row.root_device_name
        )
        taken |= {other.device for other in block_devices.of_server(tx, server_id)}
        wish = device if device is None or device.startswith("/dev/") else f"/dev/{device}"
        if wish is not None and wish in taken:
            raise Conflict(f"The supplied device path ({wish}) is in use.")
        block_devices.add(
            tx,
            attachment_id=attachment_id,
            server_id=server_id,
            position=block_devices.next_position(tx, server_id),
            volume_id=volume_id,
            device=wish
            if wish and wish.startswith(row.root_device_name[:-1])
            else devices.free_device(taken, row.root_device_name),
            boot_index=None,
            delete_on_termination=delete_on_termination,
            made_for_server=False,
            tag=tag,
        )
        queue(
            tx,
            ctx,
            ATTACH_VOLUME,
            AttachVolume(server_id, volume_id=volume_id, attachment_id=attachment_id),
            owner=row.project_id,
        )
        return _attachment(tx, server_id, volume_id)


def update_volume_attachment(
    core: Core, ctx: Context, server_id: str, volume_id: str, delete_on_termination: bool
) -> None:
    with core.db.write() as tx:
        require(tx, ctx, server_id)
        found = _attachment(tx, server_id, volume_id)
        block_devices.change(tx, found.attachment_id, delete_on_termination=delete_on_termination)


def detach_volume(core: Core, ctx: Context, server_id: str, volume_id: str, *, put_away: bool) -> None:
    """``put_away``: the server may be shelved.

    :raises Forbidden: the root volume stays. :raises BadRequest: the volume is not in use.
    """
    with core.db.write() as tx:
        row = _changeable(tx, ctx, server_id, "detach_volume", _volume_states(put_away=put_away))
        found = _attachment(tx, server_id, volume_id)
        if found.boot_index == 0:
            raise BadRequest("Cannot detach a root device volume")
        try:
            volume.begin_detach(tx, ctx, volume_id, server_id)
        except Conflict as error:
            raise BadRequest(error.message) from None
        params = DetachVolume(server_id, volume_id=volume_id, attachment_id=found.attachment_id)
        queue(tx, ctx, DETACH_VOLUME, params, owner=row.project_id)
