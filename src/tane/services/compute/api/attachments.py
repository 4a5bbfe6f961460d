"""Ports and volumes of a server (Compute API: "Port interfaces", "Servers with volume attachments")."""

from __future__ import annotations

from typing import Any

from sqlalchemy.engine import Row

from tane.services.compute.domain import attachments
from tane.services.network.interface import PortSpec
from tane.web.errors import BadRequest, Forbidden, NotFound
from tane.web.request import Request

OF_SHELVED = (2, 20)
"""From here on volumes of shelved servers come and go (microversion history, 2.20)."""


def _interface_view(request: Request, nic: attachments.Nic) -> dict[str, Any]:
    port = nic.port
    body: dict[str, Any] = {
        "port_id": port.id,
        "net_id": port.network_id,
        "mac_addr": port.mac_address,
        "port_state": port.status,
        "fixed_ips": [{"subnet_id": info.subnet_id, "ip_address": info.address} for info in nic.addresses],
    }
    if request.version >= (2, 70):
        body["tag"] = nic.tag
    return body


def interfaces(request: Request) -> dict[str, Any]:
    nics = attachments.ports(request.core, request.ctx, request.path["server_id"])
    return {"interfaceAttachments": [_interface_view(request, nic) for nic in nics]}


def interface(request: Request) -> dict[str, Any]:
    nics = attachments.ports(request.core, request.ctx, request.path["server_id"])
    port_id = request.path["port_id"]
    for nic in nics:
        if nic.port.id == port_id:
            return {"interfaceAttachment": _interface_view(request, nic)}
    raise NotFound(f"Instance {request.path['server_id']} does not have port {port_id}")


def create_interface(request: Request) -> dict[str, Any]:
    wanted = request.body.interfaceAttachment
    fixed_ip = wanted.fixed_ips[0].ip_address if wanted.fixed_ips else None
    if wanted.net_id and wanted.port_id:
        raise BadRequest("Must not input both network_id and port_id")
    if fixed_ip and not wanted.net_id:
        raise BadRequest("Must input network_id when request IP address")
    if not wanted.port_id and not request.allows("create_port"):
        raise Forbidden("Policy doesn't allow create_port to be performed.")
    spec = PortSpec(network_id=wanted.net_id, port_id=wanted.port_id, fixed_ip=fixed_ip, tag=wanted.tag)
    nic = attachments.attach_port(request.core, request.ctx, request.path["server_id"], spec)
    return {"interfaceAttachment": _interface_view(request, nic)}


def delete_interface(request: Request) -> None:
    attachments.detach_port(request.core, request.ctx, request.path["server_id"], request.path["port_id"])


# --------------------------------------------------------------------------------------------------------- volumes


def _volume_view(request: Request, device: Row[Any]) -> dict[str, Any]:
    body: dict[str, Any] = {"serverId": device.server_id, "volumeId": device.volume_id, "device": device.device}
    if request.version < (2, 89):
        body["id"] = device.volume_id
    else:
        body["attachment_id"] = device.attachment_id
        body["bdm_uuid"] = device.attachment_id
    if request.version >= (2, 70):
        body["tag"] = device.tag
    if request.version >= (2, 79):
        body["delete_on_termination"] = device.delete_on_termination
    return body


def volumes(request: Request) -> dict[str, Any]:
    found = attachments.volumes(request.core, request.ctx, request.path["server_id"])
    offset, limit = request.number("offset", 0) or 0, request.number("limit")
    chosen = found[offset:] if limit is None else found[offset : offset + limit]
    return {"volumeAttachments": [_volume_view(request, device) for device in chosen]}


def volume(request: Request) -> dict[str, Any]:
    server_id, volume_id = request.path["server_id"], request.path["volume_id"]
    device = attachments.volume_attachment(request.core, request.ctx, server_id, volume_id)
    return {"volumeAttachment": _volume_view(request, device)}


def attach_volume(request: Request) -> dict[str, Any]:
    wanted = request.body.volumeAttachment
    device = attachments.attach_volume(
        request.core,
        request.ctx,
        request.path["server_id"],
        wanted.volumeId,
        device=wanted.device,
        tag=wanted.tag,
        put_away=request.version >= OF_SHELVED,
        delete_on_termination=wanted.delete_on_termination,
    )
    body = _volume_view(request, device)
    for name in ("attachment_id", "bdm_uuid"):
        body.pop(name, None)
    return {"volumeAttachment": {**body, "id": device.volume_id}}


def update_volume(request: Request) -> None:
    """Only ``delete_on_termination`` changes; swapping volumes is not done here."""
    wanted, volume_id = request.body.volumeAttachment, request.path["volume_id"]
    attachments.volume_attachment(request.core, request.ctx, request.path["server_id"], volume_id)
    if wanted.volumeId != volume_id or request.version < (2, 85):
        raise BadRequest("Swapping volumes is not supported; only 'delete_on_termination' can be updated (2.85).")
    if wanted.delete_on_termination is None:
        raise BadRequest("Invalid input: 'delete_on_termination' is a required property")
    attachments.update_volume_attachment(
        request.core, request.ctx, request.path["server_id"], volume_id, wanted.delete_on_termination
    )


def detach_volume(request: Request) -> None:
    server_id, volume_id = request.path["server_id"], request.path["volume_id"]
    put_away = request.version >= OF_SHELVED
    attachments.detach_volume(request.core, request.ctx, server_id, volume_id, put_away=put_away)
