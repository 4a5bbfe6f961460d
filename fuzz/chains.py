"""Chains of calls by two tenants: one makes or changes something, the other uses its id.

``a`` and ``b`` are members of two projects, on networks of their own, on one that everybody shares (``plaza``) and on
the external one. A step that says ``refused`` must not succeed, whatever went before. After each chain the cloud's
state must hold what no request may change (:func:`wrongs`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import msgspec
from sqlalchemy import select

from fuzz.questions import Question
from fuzz.world import Actor, World
from tane.app import SERVICES
from tane.db import Tx
from tane.services.compute.tables import server
from tane.services.network.tables import (
    GATEWAY,
    KEPT_OWNERS,
    ROUTER_INTERFACE,
    network,
    port,
    port_address,
    subnet,
)
from tane.web.routes import Route, Service
from tests.api.compute_support import make_flavor

N, V, I = "/network/v2.0", "/compute/v2.1", "/image/v2"  # noqa: E741
NOTHING = "6f1c5e9e-5bb2-4f33-9c33-7a1c14e8a333"
"""The id of what is gone."""
NEWEST = {"OpenStack-API-Version": "compute 2.96, volume 3.60"}
CLEARED: tuple[dict[str, Any], ...] = (
    {"device_id": ""},
    {"device_owner": ""},
    {"device_id": "", "device_owner": ""},
    {"device_owner": "compute:nova"},
    {"port_security_enabled": True},
)


@dataclass(frozen=True)
class Step:
    """One call. ``{name}`` in path and body stands for what an earlier step kept; ``keep`` names what this one made, at
    ``place`` of the answer (its id); ``refused`` says that it must be."""

    who: str
    method: str
    path: str
    body: Any = None
    keep: str = ""
    place: str = "*.id"
    refused: bool = False
    must: bool = True
    """Whether the chain makes sense only when this step succeeds."""


def make(who: str, single: str, keep: str = "", refused: bool = False, place: str = "*.id", **values: Any) -> Step:
    path = f"{N}/{single.replace('_', '-')}s"
    return Step(who, "POST", path, {single: values}, keep, place, refused)


def change(who: str, single: str, name: str, /, **values: Any) -> Step:
    path = f"{N}/{single.replace('_', '-')}s/{{{name}}}"
    return Step(who, "PUT", path, {single: values}, refused=True, must=False)


def drop(who: str, single: str, name: str) -> Step:
    return Step(who, "DELETE", f"{N}/{single.replace('_', '-')}s/{{{name}}}", refused=True)


def lead(who: str, name: str, refused: bool = True, **leg: str) -> Step:
    return Step(who, "PUT", f"{N}/routers/{{{name}}}/add_router_interface", leg, refused=refused)


def plug(who: str, refused: bool = True, **wanted: Any) -> Step:
    path = f"{V}/servers/{{{who}_server}}/os-interface"
    return Step(who, "POST", path, {"interfaceAttachment": wanted}, refused=refused, must=False)


def boot(who: str, image: str = "", **network: Any) -> Step:
    """A cloud that has no host for a server just now takes the request and looks at no network: then the rows tell."""
    wanted = {
        "name": f"{{{who}_mark}}",
        "flavorRef": "{flavor}",
        "imageRef": image or f"{{{who}_image}}",
        "networks": [network or {"uuid": f"{{{who}_network}}"}],
    }
    return Step(who, "POST", f"{V}/servers", {"server": wanted}, refused=bool(image), must=False)


def act(who: str, server: str, action: str, value: Any = None) -> Step:
    return Step(who, "POST", f"{V}/servers/{{{server}}}/action", {action: value}, refused=True)


def volume(who: str, path: str, body: Any, keep: str = "", refused: bool = True, method: str = "POST") -> Step:
    return Step(who, method, f"/volume/v3/{{{who}_project}}/{path}", body, keep, refused=refused)


def lan(who: str, cidr: str = "10.31.0.0/24") -> tuple[Step, Step]:
    """A network with a subnet of one's own, ``net`` and ``subnet``."""
    return (
        make(who, "network", "net", name=f"{{{who}_mark}}"),
        make(who, "subnet", "subnet", network_id="{net}", ip_version=4, cidr=cidr),
    )


def dhcp_of(who: str) -> Step:
    return Step(who, "GET", f"{N}/ports?network_id={{net}}&device_owner=network:dhcp", keep="dhcp", place="ports.0.id")


A_PORT = (*lan("a"), make("a", "port", "port", network_id="{net}", name="{a_mark}"))
ROUTER = make("b", "router", "router", name="{b_mark}")
OUTSIDE = {"network_id": "{external}"}
SHARED_PORT = make("b", "port", "port", network_id="{plaza}", name="{b_mark}")
HOP = "router.external_gateway_info.external_fixed_ips.0.ip_address"
ROUTED = (
    *lan("b"),
    ROUTER,
    make("b", "port", "port", network_id="{net}"),
    lead("b", "router", False, port_id="{port}"),
)
RULE = {"direction": "ingress"}

CHAINS: dict[str, tuple[Step, ...]] = {
    "a router into another's subnet": (*lan("a"), ROUTER, lead("b", "router", subnet_id="{subnet}")),
    "a router by another's port": (*A_PORT, ROUTER, lead("b", "router", port_id="{port}")),
    "another's router into one's own subnet": (
        make("a", "router", "router", name="{a_mark}"),
        *lan("b"),
        lead("b", "router", subnet_id="{subnet}"),
        change("b", "router", "router", external_gateway_info=OUTSIDE),
        drop("b", "router", "router"),
    ),
    "a router into a shared subnet": (ROUTER, lead("b", "router", subnet_id="{plaza_subnet}")),
    "a router by a port on a shared network, and on to a server": (
        ROUTER,
        SHARED_PORT,
        lead("b", "router", port_id="{port}"),
        change("b", "port", "port", device_owner="network:router_interface", device_id="{router}"),
        change("b", "port", "port", port_security_enabled=False),
        change("b", "port", "port", security_groups=[], port_security_enabled=False),
        change("b", "port", "port", allowed_address_pairs=[{"ip_address": "0.0.0.0/0"}]),
        change("b", "port", "port", mac_address="fa:16:3e:11:22:33"),
        change("b", "port", "port", fixed_ips=[{"ip_address": "10.30.0.1"}]),
        plug("b", False, port_id="{port}"),
    ),
    "a router into the external subnet": (ROUTER, lead("b", "router", subnet_id="{external_subnet}")),
    "a router by a port on the external network": (
        make("admin", "port", "port", network_id="{external}", project_id="{b_project}"),
        ROUTER,
        lead("b", "router", port_id="{port}"),
        plug("b", port_id="{port}"),
        boot("b", port="{port}"),
    ),
    "an administrator's router into the external subnet": (
        make("admin", "router", "router", name="adm"),
        lead("admin", "router", subnet_id="{external_subnet}"),
    ),
    "a routers port back to its owner and to a server": (
        *ROUTED,
        *(change("b", "port", "port", **values) for values in CLEARED),
        plug("b", port_id="{port}"),
        boot("b", port="{port}"),
        drop("b", "port", "port"),
    ),
    "the port of DHCP to its owner and to a server": (
        *lan("b"),
        dhcp_of("b"),
        *(change("b", "port", "dhcp", **values) for values in CLEARED),
        plug("b", port_id="{dhcp}"),
        make("b", "floatingip", refused=True, floating_network_id="{external}", port_id="{dhcp}"),
    ),
    "ports that say they are a service's": tuple(
        step
        for owner in KEPT_OWNERS
        for step in (
            make("b", "port", refused=True, network_id="{b_network}", device_owner=owner, device_id="{a_router}"),
            make("b", "port", refused=True, network_id="{plaza}", device_owner=owner),
        )
    ),
    "a floating IP to another's port": (
        *A_PORT,
        make("b", "floatingip", refused=True, floating_network_id="{external}", port_id="{port}"),
        make("b", "floatingip", "floating", floating_network_id="{external}"),
        change("b", "floatingip", "floating", port_id="{port}"),
    ),
    "another's floating IP to one's own port": (
        make("a", "floatingip", "floating", floating_network_id="{external}"),
        *lan("b"),
        make("b", "port", "port", network_id="{net}"),
        change("b", "floatingip", "floating", port_id="{port}"),
        change("b", "floatingip", "floating", port_id=None),
        drop("b", "floatingip", "floating"),
    ),
    "another's group in rules and ports": (
        make("a", "security_group", "theirs", name="{a_mark}"),
        make("b", "security_group", "mine", name="{b_mark}"),
        make("b", "security_group_rule", refused=True, security_group_id="{mine}", remote_group_id="{theirs}", **RULE),
        make("b", "security_group_rule", refused=True, security_group_id="{theirs}", **RULE),
        make("b", "port", refused=True, network_id="{b_network}", security_groups=["{theirs}"]),
        make("b", "port", "port", network_id="{b_network}"),
        change("b", "port", "port", security_groups=["{theirs}"]),
        act("b", "b_server", "addSecurityGroup", {"name": "{theirs}"}),
        change("b", "security_group", "theirs", name="{b_mark}"),
        drop("b", "security_group", "theirs"),
    ),
    "a gateway that is none": (
        ROUTER,
        change("b", "router", "router", external_gateway_info={"network_id": "{plaza}"}),
        change("b", "router", "router", external_gateway_info={"network_id": "{a_network}"}),
        change("b", "router", "router", external_gateway_info={"network_id": "{b_network}"}),
    ),
    "a route by another's router": (
        make("a", "router", "hop", place=HOP, name="{a_mark}", external_gateway_info=OUTSIDE),
        make("b", "router", "router", name="{b_mark}", external_gateway_info=OUTSIDE),
        change("b", "router", "router", routes=[{"destination": "10.31.0.0/24", "nexthop": "{hop}"}]),
        Step(
            "b",
            "PUT",
            f"{N}/routers/{{router}}/add_extraroutes",
            {"router": {"routes": [{"destination": "10.31.0.0/24", "nexthop": "{hop}"}]}},
            refused=True,
        ),
    ),
    "a choice of addresses on a shared network": tuple(
        step
        for address in ("10.30.0.1", "10.30.0.2", "10.30.0.99")
        for step in (
            make("b", "port", refused=True, network_id="{plaza}", fixed_ips=[{"ip_address": address}]),
            plug("b", net_id="{plaza}", fixed_ips=[{"ip_address": address}]),
            boot("b", uuid="{plaza}", fixed_ip=address),
        )
    ),
    "a port on the external network": (
        make("b", "port", refused=True, network_id="{external}"),
        plug("b", net_id="{external}"),
        boot("b", uuid="{external}"),
    ),
    "an unfiltered port on a shared network": (
        make("b", "port", refused=True, network_id="{plaza}", port_security_enabled=False),
        make("b", "port", refused=True, network_id="{plaza}", mac_address="fa:16:3e:11:22:34"),
        make("b", "port", refused=True, network_id="{plaza}", allowed_address_pairs=[{"ip_address": "10.30.0.1"}]),
    ),
    "another's port on a shared network": (
        make("a", "port", "port", network_id="{plaza}", name="{a_mark}"),
        change("b", "port", "port", name="{b_mark}"),
        change("b", "port", "port", admin_state_up=False),
        plug("b", port_id="{port}"),
        boot("b", port="{port}"),
        Step("b", "PUT", f"{N}/ports/{{port}}/tags/{{b_mark}}", refused=True),
        Step("b", "GET", f"{N}/ports/{{port}}", refused=True),
        drop("b", "port", "port"),
    ),
    "the networks of others": tuple(
        step
        for name in ("plaza", "external", "a_network")
        for step in (
            change("b", "network", name, name="{b_mark}"),
            change("b", "network", name, port_security_enabled=False),
            change("b", "network", name, shared=False),
            make("b", "subnet", refused=True, network_id=f"{{{name}}}", ip_version=4, cidr="10.32.0.0/24"),
            Step("b", "PUT", f"{N}/networks/{{{name}}}/tags/{{b_mark}}", refused=True),
            drop("b", "network", name),
        )
    ),
    "the subnets of others": tuple(
        step
        for name in ("plaza_subnet", "external_subnet", "a_subnet")
        for step in (
            change("b", "subnet", name, gateway_ip=None),
            change("b", "subnet", name, dns_nameservers=["192.0.2.66"]),
            change("b", "subnet", name, host_routes=[{"destination": "0.0.0.0/0", "nexthop": "10.30.0.66"}]),
            Step("b", "PUT", f"{N}/subnets/{{{name}}}/tags/{{b_mark}}", refused=True),
            drop("b", "subnet", name),
        )
    ),
    "things made in bulk for two": tuple(
        Step(
            "b",
            "POST",
            f"{N}/{plural}",
            {plural.replace("-", "_"): [mine, {**mine, "project_id": "{a_project}"}]},
            refused=True,
        )
        for plural, mine in (
            ("networks", {"name": "{b_mark}"}),
            ("ports", {"network_id": "{b_network}"}),
            ("subnets", {"network_id": "{b_network}", "ip_version": 4, "cidr": "10.33.0.0/24"}),
            ("security-groups", {"name": "{b_mark}"}),
        )
    ),
    "another's server": (
        act("b", "a_server", "os-stop"),
        act("b", "a_server", "createImage", {"name": "{b_mark}"}),
        act("b", "a_server", "addSecurityGroup", {"name": "default"}),
        Step(
            "b",
            "POST",
            f"{V}/servers/{{a_server}}/os-interface",
            {"interfaceAttachment": {"net_id": "{plaza}"}},
            refused=True,
        ),
        Step(
            "b",
            "POST",
            f"{V}/servers/{{a_server}}/remote-consoles",
            {"remote_console": {"protocol": "vnc", "type": "novnc"}},
            refused=True,
        ),
        Step("b", "GET", f"{V}/servers/{{a_server}}", refused=True),
        Step("b", "DELETE", f"{V}/servers/{{a_server}}", refused=True),
    ),
    "another's volume": (
        volume("a", "volumes", {"volume": {"size": 1, "name": "{a_mark}"}}, "volume", refused=False),
        volume("b", "volumes", {"volume": {"size": 1, "source_volid": "{volume}"}}),
        volume("b", "snapshots", {"snapshot": {"volume_id": "{volume}"}}),
        volume("b", "backups", {"backup": {"volume_id": "{volume}"}}),
        volume("b", "attachments", {"attachment": {"volume_uuid": "{volume}", "instance_uuid": "{b_server}"}}),
        volume("b", "volumes/{volume}/action", {"os-volume_upload_image": {"image_name": "{b_mark}"}}),
        volume("b", "volumes/{volume}/action", {"os-extend": {"new_size": 2}}),
        volume("b", "volumes/{volume}", None, method="DELETE"),
        Step(
            "b",
            "POST",
            f"{V}/servers/{{b_server}}/os-volume_attachments",
            {"volumeAttachment": {"volumeId": "{volume}"}},
            refused=True,
        ),
    ),
    "another's snapshot": (
        volume("b", "volumes", {"volume": {"size": 1, "snapshot_id": "{a_snapshot}"}}),
        volume("b", "snapshots/{a_snapshot}", {"snapshot": {"name": "{b_mark}"}}, method="PUT"),
        volume("b", "snapshots/{a_snapshot}", None, method="DELETE"),
    ),
    "another's backup": (
        volume("b", "backups", {"backup": {"volume_id": "{b_volume}", "snapshot_id": "{a_snapshot}"}}),
        volume("b", "volumes", {"volume": {"size": 1, "backup_id": "{a_backup}"}}),
        volume("b", "backups/{a_backup}/restore", {"restore": {}}),
        volume("b", "backups/{a_backup}", {"backup": {"name": "{b_mark}"}}, method="PUT"),
        volume("b", "backups/{a_backup}", None, method="DELETE"),
    ),
    "another's image": (
        Step(
            "a",
            "POST",
            f"{I}/images",
            {"name": "{a_mark}", "disk_format": "raw", "container_format": "bare"},
            "image",
            "id",
        ),
        boot("b", image="{image}"),
        volume("b", "volumes", {"volume": {"size": 1, "imageRef": "{image}"}}),
        Step("b", "POST", f"{I}/images/{{image}}/members", {"member": "{b_project}"}, refused=True),
        Step("b", "GET", f"{I}/images/{{image}}/file", refused=True),
        Step("b", "GET", f"{I}/images/{{image}}", refused=True),
        Step("b", "DELETE", f"{I}/images/{{image}}", refused=True),
    ),
}


@dataclass
class Pair:
    """Two tenants of a world, the administrator, and what chains name."""

    here: World
    actors: dict[str, Actor]
    names: dict[str, str]


def prepare(here: World) -> dict[str, str]:
    """What chains share and nothing else of the hunt knows: a network that everybody shares, one that is external, each
    with its subnet, and a flavor."""
    admin, names = here.api.admin, {"flavor": make_flavor(here.api.admin, "chains")}
    for name, kind, cidr in (("plaza", "shared", "10.30.0.0/24"), ("external", "router:external", "203.0.115.0/24")):
        made = admin.post(f"{N}/networks", {"network": {"name": name, kind: True}}, 201).json()["network"]
        body = {"network_id": made["id"], "ip_version": 4, "cidr": cidr}
        found = admin.post(f"{N}/subnets", {"subnet": body}, 201).json()["subnet"]
        names |= {name: made["id"], f"{name}_subnet": found["id"]}
    return names


def pair(here: World, ground: dict[str, str]) -> Pair:
    """Who is ``a`` and who is ``b`` is thrown."""
    admin, red, _, blue, *_ = here.actors
    one, other = here.rng.sample((red, blue), 2)
    names = dict(ground)
    for letter, actor in (("a", one), ("b", other)):
        names[f"{letter}_project"], names[f"{letter}_mark"] = actor.caller.project_id, f"{actor.mark}chain"
        for name, kind in (
            ("server", "servers"),
            ("image", "images"),
            ("snapshot", "snapshots"),
            ("volume", "volumes"),
            ("backup", "backups"),
            ("network", "networks"),
            ("subnet", "subnets"),
            ("router", "routers"),
        ):
            own = [key for key, owner in here.known.get(kind, ()) if owner == actor.caller.project_id]
            names[f"{letter}_{name}"] = own[0] if own else NOTHING
    return Pair(here, {"a": one, "b": other, "admin": admin}, names)


def question(this: Pair, step: Step, content: bytes | None) -> Question:
    """The step as the hunt sends and judges questions."""
    path = _filled(step.path, this.names)
    service, route = _route(step.method, path, step.body)
    actor = this.actors[step.who]
    headers = {"X-Auth-Token": actor.caller.token, "Content-Type": "application/json"}
    if service.name in ("compute", "volume"):
        headers |= NEWEST
    bare, _, query = path.partition("?")
    pairs = [(part.partition("=")[0], part.partition("=")[2]) for part in query.split("&") if part]
    return Question(service, route, actor, actor.caller.project_id, headers, bare, content, pairs)


def body_of(this: Pair, step: Step) -> Any:
    """The step's body, its names filled in."""
    return None if step.body is None else json.loads(_filled(json.dumps(step.body), this.names))


def _filled(text: str, names: dict[str, str]) -> str:
    return re.sub(r"\{(\w+)\}", lambda match: names.get(match[1], match[0]), text)


def _route(method: str, path: str, body: Any) -> tuple[Service, Route]:
    bare = path.partition("?")[0]
    for service in SERVICES:
        for route in service.routes:
            pattern = re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(service.prefix + route.path))
            fits = route.action is None or (isinstance(body, dict) and route.action in body)
            if route.method == method and fits and re.fullmatch(pattern, bare):
                return service, route
    raise LookupError(f"no route is {method} {path}")


def kept(step: Step, response: httpx.Response) -> str | None:
    """What the step made, at its place of the answer."""
    value: Any = msgspec.json.decode(response.content)
    for part in step.place.split("."):
        if isinstance(value, list):
            value = value[int(part)] if len(value) > int(part) else None
        elif isinstance(value, dict):
            value = next(iter(value.values())) if part == "*" else value.get(part)
    return value if isinstance(value, str) else None


def wrongs(tx: Tx, plaza: str, external: str) -> Iterator[str]:
    """What no chain of requests may bring about, said of the rows."""
    legs = (
        port.select()
        .with_only_columns(port.c.network_id, network.c.external)
        .join(network, network.c.id == port.c.network_id)
        .where(port.c.device_owner == ROUTER_INTERFACE)
    )
    for leg in tx.all(legs):
        if leg.external:
            yield "a router's interface is in an external network"
        elif leg.network_id == plaza:
            yield "a router's interface is in a network of somebody else's"
    owners = {row.id: row.project_id for row in tx.all(select(server.c.id, server.c.project_id))}
    for row in tx.all(port.select().where(port.c.device_order > 0)):
        if row.device_owner in KEPT_OWNERS:
            yield f"a server has a port of {row.device_owner}"
        if row.network_id == external:
            yield "a server is on the external network"
        if row.network_id == plaza and row.project_id != owners.get(row.device_id):
            yield "a server has somebody else's port"
        if row.network_id == plaza and (not row.port_security_enabled or row.allowed_address_pairs):
            yield "a server has an unfiltered port on somebody else's network"
    held = (
        port_address.select()
        .with_only_columns(port.c.device_owner, port_address.c.ip_address)
        .join(port, port.c.id == port_address.c.port_id)
        .join(subnet, subnet.c.id == port_address.c.subnet_id)
        .join(network, network.c.id == subnet.c.network_id)
        .where(network.c.external | (network.c.id == plaza), port_address.c.ip_address == subnet.c.gateway_ip)
    )
    for row in tx.all(held):
        if row.device_owner != GATEWAY:
            yield f"the gateway's address is a port's of {row.device_owner!r}"
