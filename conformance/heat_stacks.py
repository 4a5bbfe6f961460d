"""Stacks of OpenStack's collection of templates: each whose types we have is made in a cloud, and deleted again."""

from __future__ import annotations

import contextlib
import re
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from conformance.cloud import Cloud, provision
from conformance.heat_templates import FOLDERS
from tane.cli.client import CallError, Client
from tane.services.orchestration import resources
from tane.services.orchestration.template import Parameter, Template, TemplateError, parse

IMAGES = (
    *(f"F{number}-{bits}-cfntools" for number in (17, 18, 19, 20) for bits in ("i386", "x86_64")),
    "F17-x86_64-gold",
    "U10-x86_64-cfntools",
)
"""Names that templates ask for."""
WORDS = ("Abcdefgh1", "Abcdefgh1!", "Abcdef1", "abcdef1")
SECONDS = 60
NETWORK, COMPUTE = "/network/v2.0", "/compute/v2.1"


@dataclass(frozen=True)
class Made:
    """What became of one template. ``outcome``: made, waiting (for what guests tell, which simulated hosts have not),
    failed or refused. ``gone``: whether the stack could be deleted."""

    name: str
    outcome: str
    why: str = ""
    gone: bool = True


class Things:
    """What templates expect to be there, by what parameters call it."""

    def __init__(self, cloud: Cloud, folder: Path) -> None:
        provisions, admin = provision(cloud, folder), cloud.admin
        self.external, self.image = provisions.public_network, provisions.images[0]
        for name in IMAGES:
            body = {"name": name, "disk_format": "raw", "container_format": "bare"}
            image = admin.call("POST", "/image/v2/images", body)
            admin.upload(f"/image/v2/images/{image['id']}/file", provisions.image_file)
        flavor = {"name": "m1.small", "ram": 64, "vcpus": 1, "disk": 1}
        self.flavor = str(admin.call("POST", f"{COMPUTE}/flavors", {"flavor": flavor})["flavor"]["name"])
        admin.call("POST", f"{COMPUTE}/os-keypairs", {"keypair": {"name": "latch"}})
        self.network, self.subnet = self._network(admin)
        body = {"name": "old", "flavorRef": provisions.flavors[0], "imageRef": self.image}
        server = {"server": {**body, "networks": [{"uuid": self.network}]}}
        self.server = str(admin.call("POST", f"{COMPUTE}/servers", server)["server"]["id"])

    def _network(self, admin: Client) -> tuple[str, str]:
        network = admin.call("POST", f"{NETWORK}/networks", {"network": {"name": "lan"}})["network"]["id"]
        body = {"network_id": network, "ip_version": 4, "cidr": "10.60.0.0/24"}
        subnet = admin.call("POST", f"{NETWORK}/subnets", {"subnet": body})["subnet"]["id"]
        gateway = {"router": {"external_gateway_info": {"network_id": self.external}}}
        router = admin.call("POST", f"{NETWORK}/routers", gateway)["router"]["id"]
        admin.call("PUT", f"{NETWORK}/routers/{router}/add_router_interface", {"subnet_id": subnet})
        return str(network), str(subnet)

    def value(self, parameter: Parameter) -> Any:
        """What a user would give, guessed by the parameter's name; None to leave the default."""
        name, text = parameter.name.lower(), parameter.kind == "string"
        for words, given in (
            (("_start",), "10.77.0.10"),
            (("_end",), "10.77.0.20"),
            (("net_gateway",), "10.77.0.1"),
            (("cidr",), "10.77.0.0/24"),
            (("email",), "mia@example.org"),
            (("url",), "http://192.0.2.1/"),
            (("flavor", "instancetype", "instance_type"), self.flavor),
            (("keyname", "key_name"), "latch"),
            (("subnet",), self.subnet),
            (("public_net", "external_net", "publicnet", "externalnet"), self.external),
            (("instance_uuid", "server_id"), self.server),
        ):
            if text and any(word in name for word in words):
                return given
        if text and "image" in name:
            return first(parameter, self.image, *IMAGES)
        if text and "pass" in name:
            return first(parameter, *WORDS)
        if text and "net" in name and "name" not in name:
            return self.network
        if text and name.endswith("domain") and parameter.default is None:
            return "default"
        if parameter.default is not None:
            return None
        if name == "lengths":
            return "5,6"
        return {"number": "1", "list": "a", "map": "{}", "boolean": "true"}.get(
            parameter.kind, first(parameter, *WORDS)
        )


def first(parameter: Parameter, *values: str) -> str:
    """The first value that keeps the parameter's rules."""
    for value in values:
        with contextlib.suppress(TemplateError):
            parameter.value(value)
            return value
    return values[0]


def run(cloud: Cloud, root: Path, folder: Path) -> list[Made]:
    """Make and delete a stack of every template whose types we have, one after another."""
    things = Things(cloud, folder)
    found = []
    for number, (name, path, template) in enumerate(usable(root)):
        one = make(cloud.admin, things, name, path, template, f"stack-{number}")
        print(line(one), flush=True)
        found.append(one)
    return found


def usable(root: Path) -> Iterator[tuple[str, Path, Template]]:
    for folder in FOLDERS:
        for path in sorted((root / folder).rglob("*")):
            if path.suffix not in (".yaml", ".template") or not path.is_file():
                continue
            try:
                template = parse(path.read_text(errors="replace"))
            except TemplateError:
                continue
            types = {one.type for one in template.resources.values()}
            if types and all(one.endswith((".yaml", ".template")) or resources.find(one) for one in types):
                yield str(path.relative_to(root)), path, template


def make(admin: Client, things: Things, name: str, path: Path, template: Template, stack: str) -> Made:
    values = {one.name: things.value(one) for one in template.parameters.values()}
    body = {
        "stack_name": stack,
        "template": template.document,
        "files": files_of(path, template.document),
        "parameters": {key: value for key, value in values.items() if value is not None},
    }
    stacks = f"/orchestration/v1/{admin.project_id}/stacks"
    try:
        stack_id = admin.call("POST", stacks, body)["stack"]["id"]
    except CallError as error:
        said = re.search(r'"message":"((?:[^"\\]|\\.)*)"', str(error))
        return Made(name, "refused", said[1] if said else str(error))
    here = f"{stacks}/{stack}/{stack_id}"
    shown = settled(admin, here)
    status, why = shown["stack_status"], shown["stack_status_reason"]
    outcome = {"CREATE_COMPLETE": "made", "CREATE_FAILED": "failed"}.get(status, "waiting")
    admin.call("DELETE", here)
    return Made(name, outcome, why if outcome == "failed" else "", gone=is_gone(admin, here))


def settled(admin: Client, path: str) -> Any:
    """The stack once it is made or failed, or once nothing has changed for some seconds."""
    until, last, since = time.monotonic() + SECONDS, None, time.monotonic()
    while True:
        shown = admin.call("GET", path)["stack"]
        listed = admin.call("GET", f"{path}/resources")["resources"]
        now = [(one["resource_name"], one["resource_status"]) for one in listed]
        if now != last:
            last, since = now, time.monotonic()
        done = not shown["stack_status"].endswith("IN_PROGRESS") or time.monotonic() - since > 5
        if done or time.monotonic() > until:
            return shown
        time.sleep(0.3)


def is_gone(admin: Client, path: str) -> bool:
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        status = admin.call("GET", path)["stack"]["stack_status"]
        if status != "DELETE_IN_PROGRESS":
            return bool(status == "DELETE_COMPLETE")
        time.sleep(0.2)
    return False


def files_of(path: Path, document: Any) -> dict[str, str]:
    """What the standard client sends along: files that the template names, and those that these name."""
    found: dict[str, str] = {}
    waiting = list(named(document))
    while waiting:
        name = waiting.pop()
        file = path.parent / name
        if name in found or not file.is_file():
            continue
        found[name] = file.read_text(errors="replace")
        with contextlib.suppress(TemplateError):
            waiting += named(parse(found[name]).document)
    return found


def named(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, item in value.items():
            if isinstance(item, str) and (key == "get_file" or (key == "type" and item.endswith(".yaml"))):
                yield item
            yield from named(item)
    elif isinstance(value, list):
        for item in value:
            yield from named(item)


def line(one: Made) -> str:
    left = "" if one.gone else " (could not be deleted)"
    return f"{one.outcome:8} {one.name}{left}" + (f": {one.why}" if one.why else "")


def last_line(found: list[Made]) -> str:
    count = Counter(one.outcome for one in found)
    gone = sum(one.gone for one in found if one.outcome != "refused")
    return (
        f"heat-templates: made {count['made']}, waiting for guests {count['waiting']}, failed {count['failed']}, "
        f"refused {count['refused']} of {len(found)}; {gone} deleted"
    )
