"""What a guest learns of itself: the metadata service's trees and the files of the config drive, from one source.

Reference: "Metadata" in the compute user guide; the EC2 tree as in Amazon's instance metadata of 2009-04-04.
"""

from __future__ import annotations

import base64
import secrets
import string
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy.engine import Row

from tane.core import Core
from tane.db import Tx
from tane.services.compute.domain import scheduler
from tane.services.compute.store import block_devices, nic_tags, servers
from tane.services.network import interface as network

EC2_VERSIONS = (
    "1.0",
    "2007-01-19",
    "2007-03-01",
    "2007-08-29",
    "2007-10-10",
    "2007-12-15",
    "2008-02-01",
    "2008-09-01",
    "2009-04-04",
)
OPENSTACK_VERSIONS = (
    "2012-08-10",
    "2013-04-04",
    "2013-10-17",
    "2015-10-15",
    "2016-06-30",
    "2016-10-06",
    "2017-02-22",
    "2018-08-27",
    "2020-10-14",
)
DOMAIN = "novalocal"

Tree = dict[str, "Tree | bytes"]
"""A folder: names → contents or folders. A name ``0=key`` lists so and is looked up as ``0``."""


@dataclass(frozen=True)
class Facts:
    """What the metadata of one server is made from."""

    server: Row[Any]
    addresses: list[network.AddressInfo]
    security_groups: list[str]
    devices: list[Row[Any]]
    network: dict[str, Any]
    zone: str
    tagged_nics: list[tuple[str, str]]
    """(MAC, tag) of the NICs that were given one."""


def facts(tx: Tx, row: Row[Any]) -> Facts:
    zone = scheduler.zones(tx).get(row.host_name or "", scheduler.DEFAULT_ZONE)
    return Facts(
        server=row,
        addresses=network.addresses(tx, [row.id]).get(row.id, []),
        security_groups=[group.name for group in network.security_groups(tx, [row.id]).get(row.id, [])],
        devices=block_devices.of_server(tx, row.id),
        network=network.network_details(tx, row.id),
        zone=zone,
        tagged_nics=_tagged_nics(tx, row.id),
    )


def _tagged_nics(tx: Tx, server_id: str) -> list[tuple[str, str]]:
    tags = nic_tags.of_server(tx, server_id)
    if not tags:
        return []
    return [(port.mac_address, tags[port.id]) for port in network.server_ports(tx, server_id) if port.id in tags]


async def answer(core: Core, port_id: str, path: str, headers: Mapping[str, str]) -> tuple[int, str, bytes]:
    """(status, content type, body) for a request that came in through ``port_id``."""
    found = await core.in_thread(_facts_of_port, core, port_id)
    if found is None:
        return 404, "text/plain", b"No server has this port.\n"
    return lookup(tree(found), path)


def _facts_of_port(core: Core, port_id: str) -> Facts | None:
    with core.db.read() as tx:
        owner = network.port_owner(tx, port_id)
        row = servers.get(tx, owner[0]) if owner is not None else None
        return facts(tx, row) if row is not None else None


def lookup(root: Tree, path: str) -> tuple[int, str, bytes]:
    """A leaf's content or a folder's listing."""
    node: Tree | bytes = root
    for part in path.split("?")[0].split("/"):
        if part == "":
            continue
        if not isinstance(node, dict):
            return 404, "text/plain", b"Not Found\n"
        named = next((name for name in node if name.split("=")[0] == part), None)
        if named is None:
            return 404, "text/plain", b"Not Found\n"
        node = node[named]
    if isinstance(node, dict):
        names = [f"{name}/" if isinstance(child, dict) and "=" not in name else name for name, child in node.items()]
        return 200, "text/plain", "\n".join(names).encode()
    return 200, "application/json" if path.rstrip("/").endswith(".json") else "text/plain", node


def tree(found: Facts) -> Tree:
    """Every path a guest may ask for."""
    ec2 = _ec2(found)
    openstack = _openstack(found)
    return {
        **dict.fromkeys(EC2_VERSIONS, ec2),
        "latest": ec2,
        "openstack": {**dict.fromkeys(OPENSTACK_VERSIONS, openstack), "latest": openstack},
    }


def config_drive(tx: Tx, row: Row[Any]) -> dict[str, bytes]:
    """Path on the drive → content. The password is told here and nowhere else, as upstream does."""
    found = facts(tx, row)
    openstack = _openstack(found, admin_pass=row.admin_pass)
    files = {
        f"openstack/{version}/{name}": content
        for version in (*OPENSTACK_VERSIONS, "latest")
        for name, content in openstack.items()
        if isinstance(content, bytes) and name != "password"
    }
    user_data = _user_data(row)
    meta = {name: content.decode() for name, content in _flat(_ec2_meta(found)).items()}
    for version in ("2009-04-04", "latest"):
        files[f"ec2/{version}/meta-data.json"] = msgspec.json.encode(meta)
        if user_data is not None:
            files[f"ec2/{version}/user-data"] = user_data
    return files


def _flat(node: Tree, prefix: str = "") -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for name, child in node.items():
        path = f"{prefix}{name.split('=')[0]}"
        found.update(_flat(child, f"{path}/") if isinstance(child, dict) else {path: child})
    return found


def _user_data(row: Row[Any]) -> bytes | None:
    return base64.b64decode(row.user_data) if row.user_data else None


def full_hostname(row: Row[Any]) -> str:
    return row.hostname if "." in row.hostname else f"{row.hostname}.{DOMAIN}"


# -------------------------------------------------------------------------------------------------------- EC2 tree


def _ec2(found: Facts) -> Tree:
    user_data = _user_data(found.server)
    return {"meta-data": _ec2_meta(found), **({"user-data": user_data} if user_data is not None else {})}


def _ec2_meta(found: Facts) -> Tree:
    row = found.server
    fixed = [info for info in found.addresses if info.type == "fixed" and info.version == 4]
    floating = [info for info in found.addresses if info.type == "floating"]
    hostname = full_hostname(row)
    devices: Tree = {"ami": row.root_device_name.removeprefix("/dev/").encode(), "root": row.root_device_name.encode()}
    # In the order the guest sees them: behind the root disk, when that one is local, and before the volumes.
    local = iter(string.ascii_lowercase[int(row.image_id is not None) :])
    for name, wanted in (("ephemeral0", row.flavor["ephemeral"]), ("swap", row.flavor["swap"])):
        if wanted:
            devices[name] = f"/dev/vd{next(local)}".encode()
    devices.update({f"ebs{i}": device.device.encode() for i, device in enumerate(found.devices)})
    meta: Tree = {
        "ami-id": _ec2_id("ami", zlib.crc32((row.image_id or "").encode())),
        "ami-launch-index": str(row.launch_index).encode(),
        "block-device-mapping": devices,
        "hostname": hostname.encode(),
        "instance-action": b"none",
        "instance-id": _ec2_id("i", row.number),
        "instance-type": row.flavor["original_name"].encode(),
        "local-hostname": hostname.encode(),
        "local-ipv4": fixed[0].address.encode() if fixed else b"",
        "placement": {"availability-zone": found.zone.encode()},
        "public-hostname": hostname.encode(),
        "public-ipv4": floating[0].address.encode() if floating else b"",
        "reservation-id": row.reservation_id.encode(),
        "security-groups": "\n".join(found.security_groups).encode(),
    }
    if row.public_key:
        meta["public-keys"] = {f"0={row.key_name}": {"openssh-key": row.public_key.encode()}}
    return meta


def _ec2_id(kind: str, number: int) -> bytes:
    return f"{kind}-{number:08x}".encode()


# -------------------------------------------------------------------------------------------------- OpenStack tree


def _openstack(found: Facts, *, admin_pass: str | None = None) -> Tree:
    row = found.server
    meta: dict[str, Any] = {
        "uuid": row.id,
        "name": row.name,
        "hostname": full_hostname(row),
        "launch_index": row.launch_index,
        "availability_zone": found.zone,
        "project_id": row.project_id,
        "meta": row.metadata,
        "random_seed": base64.b64encode(secrets.token_bytes(512)).decode(),
        "devices": [],
        "dedicated_cpus": [],
    }
    if admin_pass is not None:
        meta["admin_pass"] = admin_pass
    if row.public_key:
        meta["public_keys"] = {row.key_name: row.public_key}
        meta["keys"] = [{"name": row.key_name, "type": "ssh", "data": row.public_key}]
    meta["devices"] = [
        {"type": "nic", "bus": "none", "address": "none", "mac": mac, "tags": [tag]} for mac, tag in found.tagged_nics
    ]
    meta["devices"] += [
        {"type": "disk", "bus": "virtio", "serial": device.volume_id, "path": device.device, "tags": [device.tag]}
        for device in found.devices
        if device.tag
    ]
    files: Tree = {"meta_data.json": msgspec.json.encode(meta)}
    user_data = _user_data(row)
    if user_data is not None:
        files["user_data"] = user_data
    files["password"] = b""
    files["vendor_data.json"] = b"{}"
    files["network_data.json"] = msgspec.json.encode(found.network)
    files["vendor_data2.json"] = b"{}"
    return files
