"""What a guest learns of itself: the metadata service's trees and the files of the config drive, from one source.

Reference: "Metadata" in the compute user guide; the EC2 tree as in Amazon's instance metadata of 2009-04-04.
"""

from __future__ import annotations

import base64
import re
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
FILES_SINCE = {
    "password": "2013-04-04",
    "vendor_data.json": "2013-10-17",
    "network_data.json": "2015-10-15",
    "vendor_data2.json": "2016-10-06",
}
KEYS_SINCE = {
    "random_seed": "2013-04-04",
    "project_id": "2015-10-15",
    "devices": "2016-06-30",
    "dedicated_cpus": "2020-10-14",
}
"""Of the OpenStack tree's ``meta_data.json``; what stands in neither table is in every version."""
EC2_KEYS_SINCE = {
    "public-keys": "2007-01-19",
    "reservation-id": "2007-01-19",
    "security-groups": "2007-01-19",
    "public-hostname": "2007-01-19",
    "public-ipv4": "2007-01-19",
    "local-hostname": "2007-01-19",
    "local-ipv4": "2007-01-19",
    "instance-type": "2007-08-29",
    "block-device-mapping": "2007-12-15",
    "kernel-id": "2008-02-01",
    "ramdisk-id": "2008-02-01",
    "placement": "2008-02-01",
    "instance-action": "2008-09-01",
}

TAKES_PASSWORD = ("latest", *(version for version in OPENSTACK_VERSIONS if version >= FILES_SINCE["password"]))
LONGEST_PASSWORD = 1020
_PASSWORD = re.compile(r"/+openstack/+(?P<version>[^/?]+)/+password/?(\?.*)?\Z", re.S)

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


async def answer(
    core: Core, host_id: str, port_id: str, path: str, headers: Mapping[str, str]
) -> tuple[int, str, bytes]:
    """(status, content type, body) for a request that came in through ``port_id`` of a server on the host."""
    if headers.get(":method") == "POST" and (posted := _PASSWORD.match(path)) and posted["version"] in TAKES_PASSWORD:
        return await core.in_thread(_take_password, core, host_id, port_id, headers.get(":body", ""))
    found = await core.in_thread(_facts_of_port, core, host_id, port_id)
    if found is None:
        return 404, "text/plain", b"No server has this port.\n"
    return lookup(tree(found), path)


def _facts_of_port(core: Core, host_id: str, port_id: str) -> Facts | None:
    with core.db.read() as tx:
        owner = network.port_owner(tx, port_id)
        row = servers.get(tx, owner[0]) if owner is not None else None
        return facts(tx, row) if row is not None and row.host_id == host_id else None


def _take_password(core: Core, host_id: str, port_id: str, body: str) -> tuple[int, str, bytes]:
    """A guest tells its password, encrypted for its owner: once, until the owner clears it."""
    if not body or len(body) > LONGEST_PASSWORD or not body.isascii() or "\0" in body:
        return 400, "text/plain", b"A password is ASCII text of at most 1020 bytes.\n"
    with core.db.write() as tx:
        owner = network.port_owner(tx, port_id)
        row = servers.get(tx, owner[0]) if owner is not None else None
        if row is None or row.host_id != host_id:
            return 404, "text/plain", b"No server has this port.\n"
        if row.told_password:
            return 409, "text/plain", b"The password is told already.\n"
        servers.change(tx, row.id, told_password=body)
    return 200, "text/plain", b""


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
        if path.split("?")[0].strip("/") in ("", "openstack"):
            # The versions, and of the other tree not a word, as Nova has it.
            return 200, "text/plain", "\n".join(name for name in node if name != "openstack").encode()
        names = [f"{name}/" if isinstance(child, dict) and "=" not in name else name for name, child in node.items()]
        return 200, "text/plain", "\n".join(names).encode()
    return 200, "application/json" if path.rstrip("/").endswith(".json") else "text/plain", node


def tree(found: Facts) -> Tree:
    """Every path a guest may ask for."""
    ec2 = _ec2(found)
    return {
        **{version: _ec2_of(version, ec2) for version in EC2_VERSIONS},
        "latest": ec2,
        "openstack": _openstack_versions(found),
    }


def config_drive(tx: Tx, row: Row[Any]) -> dict[str, bytes]:
    """Path on the drive → content. The password is told here and nowhere else, as upstream does."""
    found = facts(tx, row)
    files = {
        f"openstack/{version}/{name}": content
        for version, folder in _openstack_versions(found, admin_pass=row.admin_pass).items()
        if isinstance(folder, dict)
        for name, content in folder.items()
        if isinstance(content, bytes) and name != "password"
    }
    user_data = _user_data(row)
    meta = _plain(_ec2_meta(found))
    for version in ("2009-04-04", "latest"):
        files[f"ec2/{version}/meta-data.json"] = msgspec.json.encode(meta)
        if user_data is not None:
            files[f"ec2/{version}/user-data"] = user_data
    return files


def _plain(node: Tree) -> dict[str, Any]:
    """For JSON."""
    return {
        name.split("=")[0]: _plain(child) if isinstance(child, dict) else child.decode() for name, child in node.items()
    }


def _user_data(row: Row[Any]) -> bytes | None:
    return base64.b64decode(row.user_data) if row.user_data else None


def full_hostname(row: Row[Any]) -> str:
    return row.hostname if "." in row.hostname else f"{row.hostname}.{DOMAIN}"


# -------------------------------------------------------------------------------------------------------- EC2 tree


def _ec2(found: Facts) -> Tree:
    user_data = _user_data(found.server)
    return {"meta-data": _ec2_meta(found), **({"user-data": user_data} if user_data is not None else {})}


def _ec2_of(version: str, whole: Tree) -> Tree:
    meta = whole["meta-data"]
    assert isinstance(meta, dict)
    known: Tree = {name: node for name, node in meta.items() if EC2_KEYS_SINCE.get(name, "") <= version}
    return {**whole, "meta-data": known}


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
            devices[name] = f"{row.root_device_name[:-1]}{next(local)}".encode()
    devices.update({f"ebs{i}": device.device.encode() for i, device in enumerate(found.devices)})
    meta: Tree = {
        "ami-id": _ec2_id("ami", zlib.crc32((row.image_id or row.image_ref or "").encode())),
        "ami-launch-index": str(row.launch_index).encode(),
        # Nova's own word: there are no manifests.
        "ami-manifest-path": b"FIXME",
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
    for name, kind, image_id in (("kernel-id", "aki", "kernel_id"), ("ramdisk-id", "ari", "ramdisk_id")):
        if image_id in row.image_properties:
            meta[name] = _ec2_id(kind, zlib.crc32(row.image_properties[image_id].encode()))
    if row.public_key:
        meta["public-keys"] = {f"0={row.key_name}": {"openssh-key": row.public_key.encode()}}
    return meta


def _ec2_id(kind: str, number: int) -> bytes:
    return f"{kind}-{number:08x}".encode()


# -------------------------------------------------------------------------------------------------- OpenStack tree


def _openstack_versions(found: Facts, *, admin_pass: str | None = None) -> Tree:
    meta, files = _openstack(found, admin_pass)

    def of(version: str) -> Tree:
        known = {name: value for name, value in meta.items() if KEYS_SINCE.get(name, "") <= version}
        rest = {name: content for name, content in files.items() if FILES_SINCE.get(name, "") <= version}
        return {"meta_data.json": msgspec.json.encode(known), **rest}

    versions: Tree = {version: of(version) for version in OPENSTACK_VERSIONS}
    return {**versions, "latest": versions[OPENSTACK_VERSIONS[-1]]}


def _openstack(found: Facts, admin_pass: str | None) -> tuple[dict[str, Any], dict[str, bytes]]:
    """``meta_data.json``, and the other files, of the newest version."""
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
        {"type": "disk", "bus": _bus(row), "serial": device.volume_id, "path": device.device, "tags": [device.tag]}
        for device in found.devices
        if device.tag
    ]
    files: dict[str, bytes] = {}
    user_data = _user_data(row)
    if user_data is not None:
        files["user_data"] = user_data
    files["password"] = (row.told_password or "").encode()
    files["vendor_data.json"] = b"{}"
    files["network_data.json"] = msgspec.json.encode(found.network)
    files["vendor_data2.json"] = b'{"static":{}}'
    return meta, files


def _bus(row: Row[Any]) -> str:
    return "virtio" if row.root_device_name.startswith("/dev/vd") else "scsi"
