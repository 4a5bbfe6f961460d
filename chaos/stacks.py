"""Stacks come, change, are kept and go; in the end each can be deleted, and with it goes all that it made."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from chaos.caller import Caller, Refused

if TYPE_CHECKING:
    from chaos.workload import Load

NAME = "passing-stack"
MOST = 2
"""Stacks of a tenant at a time."""
BETWEEN = "IN_PROGRESS"


def template(load: Load) -> dict[str, Any]:
    """A network, a volume and a group of its own; some of it is another each time: in place, by another, or not at
    all."""
    dice = load.dice
    net = f"10.{dice.randrange(1, 250)}.{dice.randrange(250)}.0/24"
    resources: dict[str, Any] = {
        "net": {"type": "OS::Neutron::Net", "properties": {"admin_state_up": dice.random() < 0.8}},
        "subnet": {"type": "OS::Neutron::Subnet", "properties": {"network": {"get_resource": "net"}, "cidr": net}},
        "word": {"type": "OS::Heat::RandomString", "properties": {"length": dice.randrange(4, 8)}},
        "group": {
            "type": "OS::Heat::ResourceGroup",
            "properties": {"count": dice.randrange(3), "resource_def": {"type": "OS::Neutron::SecurityGroup"}},
        },
    }
    if dice.random() < 0.7:
        said = {"size": 1, "metadata": {"word": {"get_resource": "word"}}}
        resources["disk"] = {"type": "OS::Cinder::Volume", "properties": said}
    return {"heat_template_version": "2021-04-16", "resources": resources}


def create_stack(load: Load) -> None:
    if len(load.of("stack")) < MOST:
        path = f"/orchestration/v1/{load.caller.project_id}/stacks"
        name = f"{NAME}-{load.dice.randrange(1 << 40):x}"
        body = {"stack_name": name, "template": template(load), "disable_rollback": load.dice.random() < 0.5}
        made = load.caller.call("POST", path, body)["stack"]
        load.alive[f"{path}/{name}/{made['id']}"] = "stack"


def update_stack(load: Load) -> None:
    if path := load.pick("stack"):
        load.caller.call("PUT", path, {"template": template(load), "converge": load.dice.random() < 0.5})


def delete_stack(load: Load) -> None:
    if path := load.pick("stack"):
        load.delete(path)


def keep_stack(load: Load) -> None:
    """Take a snapshot, go back to one, or delete one."""
    if path := load.pick("stack"):
        there = [one["id"] for one in load.caller.call("GET", f"{path}/snapshots")["snapshots"]]
        if not there:
            load.caller.call("POST", f"{path}/snapshots", {})
        elif load.dice.random() < 0.5:
            load.caller.call("POST", f"{path}/snapshots/{load.dice.choice(there)}/restore")
        else:
            load.caller.call("DELETE", f"{path}/snapshots/{load.dice.choice(there)}")


ACTIONS = (create_stack, update_stack, delete_stack, keep_stack)


def listed(admin: Caller) -> list[dict[str, Any]]:
    """All stacks of all projects."""
    path = f"/orchestration/v1/{admin.project_id}/stacks?global_tenant=True&show_nested=True"
    found: list[dict[str, Any]] = admin.patiently("GET", path)["stacks"]
    return found


def under_way(rows: dict[str, dict[str, Any]]) -> list[str]:
    return [
        f"stack {key} is {row['stack_status']}: {row['stack_status_reason']}"
        for key, row in rows.items()
        if row["stack_status"].endswith(BETWEEN)
    ]


def all_go(admin: Caller, loads: list[Load], seconds: float) -> list[str]:
    """Delete every stack as an administrator; what could not be."""
    until = time.monotonic() + seconds
    asked: set[str] = set()
    for load in loads:
        for path in load.of("stack"):
            del load.alive[path]
    while True:
        rows = {row["id"]: row for row in listed(admin) if row["parent"] is None}
        if not rows:
            return []
        for key, row in rows.items():
            if key not in asked or row["stack_status"] == "DELETE_FAILED":
                asked.add(key)
                path = f"/orchestration/v1/{row['stack_user_project_id']}/stacks/{row['stack_name']}/{key}"
                try:
                    admin.patiently("DELETE", path)
                except Refused as error:
                    if error.status != 404:
                        raise
        if time.monotonic() > until:
            return [f"stack {key} is {row['stack_status']}: {row['stack_status_reason']}" for key, row in rows.items()]
        time.sleep(1.0)


def left(admin: Caller) -> list[str]:
    """What stacks have made and left, when there are none any more."""
    found = [("network", row) for row in admin.patiently("GET", "/network/v2.0/networks")["networks"]]
    found += [("group", row) for row in admin.patiently("GET", "/network/v2.0/security-groups")["security_groups"]]
    volumes = f"/volume/v3/{admin.project_id}"
    for kind in ("volumes", "backups"):
        listed = admin.patiently("GET", f"{volumes}/{kind}/detail?all_tenants=1")[kind]
        found += [(kind[:-1], row) for row in listed]
    return [
        f"{kind} {row['id']} ({row['name']}) of a stack" for kind, row in found if (row["name"] or "").startswith(NAME)
    ]
