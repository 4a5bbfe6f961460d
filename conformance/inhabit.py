"""One of every ordinary resource, so that pages have something to show."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

from conformance.cloud import Cloud, Provisions
from tane.cli.client import Client

NETWORK, COMPUTE, IDENTITY = "/network/v2.0", "/compute/v2.1", "/identity/v3"
PASSWORD = "Inhabitant-1"
MARK = secrets.token_hex(3)
"""In the names of this run's things, so that a cloud can be inhabited again."""


@dataclass(frozen=True)
class Inhabitant:
    """A user with a project of things."""

    name: str
    password: str


def member(cloud: Cloud, provisions: Provisions) -> Inhabitant:
    """A user with the role ``member`` in a new project, and everything that a member makes."""
    admin = cloud.admin
    project = _made(admin, f"{IDENTITY}/projects", "project", name=f"house-{MARK}")
    fields = {
        "name": f"inhabitant-{MARK}",
        "password": PASSWORD,
        "default_project_id": project,
        "email": "in@house.test",
    }
    user = _made(admin, f"{IDENTITY}/users", "user", **fields)
    [role] = admin.call("GET", f"{IDENTITY}/roles?name=member")["roles"]
    admin.call("PUT", f"{IDENTITY}/projects/{project}/users/{user}/roles/{role['id']}")
    furnish(cloud.state.client(f"inhabitant-{MARK}", PASSWORD, f"house-{MARK}"), user, provisions)
    return Inhabitant(f"inhabitant-{MARK}", PASSWORD)


def administrator(cloud: Cloud, provisions: Provisions) -> Inhabitant:
    """The administrator, with what only administrators make, and the same things as everybody."""
    admin = cloud.admin
    _compute_of_the_cloud(admin, provisions)
    _types(admin)
    kinds = [{"name": kind} for kind in ("OS::Nova::Server", "OS::Glance::Image", "OS::Nova::Flavor")]
    namespace = {"namespace": f"OS::House::{MARK}", "display_name": "House", "visibility": "public"}
    admin.call("POST", "/image/v2/metadefs/namespaces", {**namespace, "resource_type_associations": kinds})
    domain = _made(admin, f"{IDENTITY}/domains", "domain", name=f"street-{MARK}")
    group = _made(admin, f"{IDENTITY}/groups", "group", name=f"neighbours-{MARK}", domain_id=domain)
    role = _made(admin, f"{IDENTITY}/roles", "role", name=f"gardener-{MARK}")
    admin.call("PUT", f"{IDENTITY}/domains/{domain}/groups/{group}/roles/{role}")
    [user] = admin.call("GET", f"{IDENTITY}/users?name=admin")["users"]
    furnish(admin, user["id"], provisions)
    return Inhabitant("admin", cloud.state.admin_password())


def furnish(client: Client, user: str, provisions: Provisions) -> None:
    """Everything that a member makes, in the project of ``client``."""
    network, port = _network(client, provisions)
    server = _server(client, provisions, network)
    _volumes(client, server, provisions)
    for more in ({}, {"port_id": port}):
        body = {"floating_network_id": provisions.public_network, **more}
        client.call("POST", f"{NETWORK}/floatingips", {"floatingip": body})
    _made(client, f"{IDENTITY}/users/{user}/application_credentials", "application_credential", name="robot")
    ec2 = {"tenant_id": client.project_id}
    client.call("POST", f"{IDENTITY}/users/{user}/credentials/OS-EC2", ec2)


def _compute_of_the_cloud(admin: Client, provisions: Provisions) -> None:
    aggregate = {"aggregate": {"name": f"shelf-{MARK}", "availability_zone": "nova"}}
    made = admin.call("POST", f"{COMPUTE}/os-aggregates", aggregate)["aggregate"]
    metadata = {"set_metadata": {"metadata": {"shelf": "top"}}}
    admin.call("POST", f"{COMPUTE}/os-aggregates/{made['id']}/action", metadata)
    specs = {"extra_specs": {"hw:cpu_sockets": "1"}}
    admin.call("POST", f"{COMPUTE}/flavors/{provisions.flavors[1]}/os-extra_specs", specs)


def _types(admin: Client) -> None:
    """A volume type with a specification of quality, and a type of groups."""
    volumes = f"/volume/v3/{admin.project_id}"
    kind = _made(admin, f"{volumes}/types", "volume_type", name=f"fast-{MARK}")
    admin.call("POST", f"{volumes}/types/{kind}/extra_specs", {"extra_specs": {"replication_enabled": "<is> False"}})
    qos = {"qos_specs": {"name": f"slow-{MARK}", "consumer": "front-end", "total_iops_sec": "500"}}
    made = admin.call("POST", f"{volumes}/qos-specs", qos)["qos_specs"]
    admin.call("GET", f"{volumes}/qos-specs/{made['id']}/associate?vol_type_id={kind}")
    _made(admin, f"{volumes}/group_types", "group_type", microversion="volume 3.11", name=f"bundle-{MARK}")


def _network(client: Client, provisions: Provisions) -> tuple[str, str]:
    """A network with a router to the outside, filters, and a port that a floating IP can point to."""
    network = _made(client, f"{NETWORK}/networks", "network", name="hall")
    fields = {"network_id": network, "name": "hall", "ip_version": 4, "cidr": "10.30.0.0/24"}
    subnet = _made(client, f"{NETWORK}/subnets", "subnet", **fields)
    gateway = {"network_id": provisions.public_network}
    router = _made(client, f"{NETWORK}/routers", "router", name="door", external_gateway_info=gateway)
    client.call("PUT", f"{NETWORK}/routers/{router}/add_router_interface", {"subnet_id": subnet})
    group = _made(client, f"{NETWORK}/security-groups", "security_group", name="bell")
    rule = {"security_group_id": group, "direction": "ingress", "protocol": "tcp", "port_range_min": 22}
    rule |= {"port_range_max": 22, "remote_ip_prefix": "0.0.0.0/0"}
    _made(client, f"{NETWORK}/security-group-rules", "security_group_rule", **rule)
    _made(client, f"{NETWORK}/subnetpools", "subnetpool", name="ground", prefixes=["10.31.0.0/16"])
    return network, _made(client, f"{NETWORK}/ports", "port", name="socket", network_id=network)


def _server(client: Client, provisions: Provisions, network: str) -> str:
    client.call("POST", f"{COMPUTE}/os-keypairs", {"keypair": {"name": f"latch-{MARK}"}})
    group = {"server_group": {"name": f"family-{MARK}", "policies": ["soft-affinity"]}}
    client.call("POST", f"{COMPUTE}/os-server-groups", group, microversion="compute 2.15")
    fields = {"name": "kettle", "flavorRef": provisions.flavors[0], "imageRef": provisions.images[0]}
    fields |= {"key_name": f"latch-{MARK}", "metadata": {"made": "of steel"}}
    server = _made(client, f"{COMPUTE}/servers", "server", **fields, networks=[{"uuid": network}])
    _until(client, f"{COMPUTE}/servers/{server}", "server", "ACTIVE")
    client.call("POST", f"{COMPUTE}/servers/{server}/action", {"createImage": {"name": "kettle as it was"}})
    return server


def _volumes(client: Client, server: str, provisions: Provisions) -> None:
    """Volumes: attached, bootable, offered to another project, in a group; snapshots of one and of the group."""
    volumes = f"/volume/v3/{client.project_id}"

    def volume(name: str, **more: Any) -> str:
        made = _made(client, f"{volumes}/volumes", "volume", name=name, size=1, **more)
        _until(client, f"{volumes}/volumes/{made}", "volume", "available")
        return made

    attached, offered = volume("chest"), volume("gift")
    volume("spare", imageRef=provisions.images[0])
    body = {"volumeAttachment": {"volumeId": attached}}
    client.call("POST", f"{COMPUTE}/servers/{server}/os-volume_attachments", body)
    _until(client, f"{volumes}/volumes/{attached}", "volume", "in-use")
    _made(client, f"{volumes}/os-volume-transfer", "transfer", name="birthday", volume_id=offered)
    _made(client, f"{volumes}/snapshots", "snapshot", name="chest of monday", volume_id=attached, force=True)
    kinds = client.call("GET", f"{volumes}/group_types", microversion="volume 3.11")["group_types"]
    bundle = next(kind for kind in kinds if kind["name"] == f"bundle-{MARK}")
    plain = client.call("GET", f"{volumes}/types/default")["volume_type"]
    fields = {"name": "set", "group_type": bundle["id"], "volume_types": [plain["id"]]}
    group = _made(client, f"{volumes}/groups", "group", microversion="volume 3.13", **fields)
    _until(client, f"{volumes}/groups/{group}", "group", "available", microversion="volume 3.13")
    volume("cup", group_id=group, volume_type=plain["id"], microversion="volume 3.13")
    fields = {"name": "set of monday", "group_id": group}
    _made(client, f"{volumes}/group_snapshots", "group_snapshot", microversion="volume 3.14", **fields)


def _made(client: Client, path: str, kind: str, microversion: str | None = None, **fields: Any) -> str:
    return str(client.call("POST", path, {kind: fields}, microversion=microversion)[kind]["id"])


def _until(client: Client, path: str, kind: str, status: str, microversion: str | None = None) -> None:
    """Wait for a resource's status. :raises CallError: when it went wrong, or after five minutes."""
    client.wait(
        path,
        lambda answer: answer[kind]["status"] == status,
        seconds=300,
        failed=lambda answer: "it is in error" if answer[kind]["status"].lower() == "error" else None,
        microversion=microversion,
    )
