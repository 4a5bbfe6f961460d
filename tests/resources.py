"""One resource of every kind that belongs to a project, made over the API as a member makes it."""

from __future__ import annotations

from typing import Any

from tests.api.compute_support import V, at, make_image
from tests.support import ApiCloud, Caller

N = "/network/v2.0"
OLD_NAMES = {
    "os-volumes_boot": "servers",
    "os-floating-ips": "floatingips",
    "os-security-groups": "security-groups",
    "os-security-group-rules": "security-group-rules",
    "os-networks": "networks",
    "os-tenant-networks": "networks",
    "os-volumes": "volumes",
    "os-snapshots": "snapshots",
}
"""Collections of the compute API that show what another collection holds."""


def one_of_each(cloud: ApiCloud, user: Caller, *, name: str, flavor_id: str, external_id: str) -> dict[str, str]:
    """Make them, all named ``name``, and run their jobs.

    Returns the id under the path segment that comes before it in the API (``servers``, ``os-interface``, …).
    """
    volumes = f"/volume/v3/{user.project_id}"
    made: dict[str, str] = {"v3": user.project_id, "v1": user.project_id}

    def make(kind: str, path: str, body: dict[str, Any], expect: int, **more: Any) -> str:
        [found] = user.post(path, body, expect, **more).json().values()
        made[kind] = str(found.get("id") or found.get("port_id") or found.get("name"))
        return made[kind]

    group = make("security-groups", f"{N}/security-groups", {"security_group": {"name": name}}, 201)
    rule = {"security_group_id": group, "direction": "ingress", "description": name}
    make("security-group-rules", f"{N}/security-group-rules", {"security_group_rule": rule}, 201)
    network = make("networks", f"{N}/networks", {"network": {"name": name}}, 201)
    subnet_body = {"network_id": network, "name": name, "ip_version": 4, "cidr": "10.1.0.0/24"}
    subnet = make("subnets", f"{N}/subnets", {"subnet": subnet_body}, 201)
    make("subnetpools", f"{N}/subnetpools", {"subnetpool": {"name": name, "prefixes": ["10.3.0.0/16"]}}, 201)
    gateway = {"network_id": external_id}
    router = make("routers", f"{N}/routers", {"router": {"name": name, "external_gateway_info": gateway}}, 201)
    user.put(f"{N}/routers/{router}/add_router_interface", {"subnet_id": subnet}, 200)
    address = {"floating_network_id": external_id, "description": name}
    make("floatingips", f"{N}/floatingips", {"floatingip": address}, 201)
    for collection in ("networks", "subnets", "subnetpools", "routers", "security-groups", "floatingips"):
        user.put(f"{N}/{collection}/{made[collection]}/tags", {"tags": [name]}, 200)

    made["images"] = make_image(user, name, visibility="shared")
    user.put(f"/image/v2/images/{made['images']}/tags/{name}", expect=204)

    make("os-keypairs", f"{V}/os-keypairs", {"keypair": {"name": name}}, 200)
    affinity = {"server_group": {"name": name, "policies": ["affinity"]}}
    make("os-server-groups", f"{V}/os-server-groups", affinity, 200)
    wanted: dict[str, Any] = {
        "name": name,
        "flavorRef": flavor_id,
        "imageRef": made["images"],
        "networks": [{"uuid": network}],
    }
    wanted |= {"metadata": {name: name}, "tags": [name]}
    server = make("servers", f"{V}/servers", {"server": wanted}, 202, headers=at("2.96"))
    source = {"size": 1, "name": name, "metadata": {name: name}}
    attached = make("volumes", f"{volumes}/volumes", {"volume": source}, 202)
    cloud.run_jobs()
    make("os-volume_attachments", f"{V}/servers/{server}/os-volume_attachments", attachment(attached), 200)
    made["os-volume_attachments"] = attached
    make("os-interface", f"{V}/servers/{server}/os-interface", {"interfaceAttachment": {"net_id": network}}, 200)
    offered = make("volumes", f"{volumes}/volumes", {"volume": source}, 202)
    make("volumes", f"{volumes}/volumes", {"volume": source}, 202)
    cloud.run_jobs()
    transfer = {"volume_id": offered, "name": name}
    make("os-volume-transfer", f"{volumes}/os-volume-transfer", {"transfer": transfer}, 202)
    made["volume-transfers"] = made["os-volume-transfer"]
    snapshot = {"volume_id": made["volumes"], "name": name, "metadata": {name: name}}
    make("snapshots", f"{volumes}/snapshots", {"snapshot": snapshot}, 202)
    backup = {"volume_id": attached, "name": name, "force": True}
    make("backups", f"{volumes}/backups", {"backup": backup}, 202)
    port = {"network_id": network, "name": name}
    make("ports", f"{N}/ports", {"port": port}, 201)
    user.put(f"{N}/ports/{made['ports']}/tags", {"tags": [name]}, 200)
    [link] = user.get(f"{volumes}/attachments", headers={"OpenStack-API-Version": "volume 3.60"}).json()["attachments"]
    made["attachments"] = link["id"]
    [event] = user.get(f"{V}/servers/{server}/os-instance-actions").json()["instanceActions"][-1:]
    made |= {"os-instance-actions": event["request_id"], "metadata": name, "tags": name, "ips": name}
    make_stack(cloud, user, name, made)
    make_alarm(user, name, made)
    made |= {old: made[kind] for old, kind in OLD_NAMES.items()}
    cloud.run_jobs()
    return made


def make_stack(cloud: ApiCloud, user: Caller, name: str, made: dict[str, str]) -> None:
    """A stack, which its name and its id lead to, and a software configuration."""
    orchestration = f"/orchestration/v1/{user.project_id}"
    template = {"heat_template_version": "2021-04-16", "resources": {"one": {"type": "OS::Heat::TestResource"}}}
    body = {"stack_name": name, "template": template, "tags": name}
    stack = user.post(f"{orchestration}/stacks", body, 201).json()["stack"]
    made |= {"stacks": name, "{stack_name}": stack["id"], "resources": "one"}
    config = user.post(f"{orchestration}/software_configs", {"name": name, "config": name}, 200).json()
    made["software_configs"] = config["software_config"]["id"]


def make_alarm(user: Caller, name: str, made: dict[str, str]) -> None:
    """An alarm on an event that never comes."""
    body = {"name": name, "type": "event", "event_rule": {"event_type": "never"}}
    made["alarms"] = user.post("/alarm/v2/alarms", body, 201).json()["alarm_id"]


def attachment(volume_id: str) -> dict[str, Any]:
    return {"volumeAttachment": {"volumeId": volume_id}}
