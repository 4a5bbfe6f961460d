"""What the portal shows as a command is run by the ``openstack`` client as it stands, and does what the form does."""

from __future__ import annotations

import html
import os
import re
import secrets
import shlex
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import httpx
import pytest

from tane.cli.client import Client
from tests.api.dashboard_support import Browser, D
from tests.e2e.real import RealCloud, wait_for
from tests.e2e.shell import Shell
from tests.support import ApiCloud

pytestmark = [pytest.mark.nightly]

PASSWORD = "mia-secret-1"
OWN = re.compile(
    r"(^|_)(id|uuid|at|time|addr|address|addresses|ip|ips|links|number|fingerprint|mac|revision|updated|created|href|timestamp)$|^OS-"
)
"""Names of values that no two resources share."""
AN_ID = re.compile(r"[0-9a-f]{8}(-?[0-9a-f]{4}){3}-?[0-9a-f]{12}")


@dataclass
class Reached:
    """A cloud that the tests' browser reaches over the network."""

    url: str
    client: httpx.Client = field(default_factory=httpx.Client)

    def call(self, method: str, path: str, **more: Any) -> httpx.Response:
        return self.client.request(method, self.url + path, timeout=30, **more)

    def forget_cookies(self) -> None:
        self.client.cookies.clear()


@dataclass
class Person:
    """Somebody with a browser, a shell and a client."""

    browser: Browser
    shell: Shell
    client: Client
    folder: Path
    tokens: list[str] = field(default_factory=list)

    def lines(self, path: str, **values: Any) -> list[str]:
        """The commands that a form shows for what is typed: of the client, and of curl."""
        answer = self.browser.fill(path, path.partition("?")[0], show="command", **values)
        assert answer.status_code == 200, answer.text[-2000:]
        found = re.findall(r"<pre[^>]*><code>((?:openstack|printf|curl) .*?)</code>", answer.text, re.S)
        assert [one.split()[0] for one in found][1:] == ["curl"], answer.text[-2000:]
        return [html.unescape(one) for one in found]

    def run(self, line: str) -> None:
        """:raises AssertionError: it did not work."""
        if not line.startswith("curl "):
            self._run_lines(line.replace("portal-", f"{self.folder}/portal-"))
            return
        environment = {**os.environ, "OS_TOKEN": self.token()}
        asked = ["sh", "-c", f"{line} --silent --show-error --fail-with-body"]
        done = subprocess.run(asked, capture_output=True, text=True, env=environment, timeout=60, check=False)
        assert done.returncode == 0, f"{line}: {done.stdout}{done.stderr}"

    def _run_lines(self, text: str) -> None:
        """Commands of the client, and those that write what it reads; each begins a line."""
        for one in re.split(r"\n(?=openstack |printf %s )", text):
            if one.startswith("openstack "):
                self.shell.run(*shlex.split(one)[1:])
            else:
                subprocess.run(["sh", "-c", one], check=True, timeout=10)

    def token(self) -> str:
        """What ``openstack token issue`` gives, as the guide says to put it into OS_TOKEN."""
        if not self.tokens:
            self.tokens.append(self.shell.make("token", "issue"))
        return self.tokens[0]

    def send(self, path: str, **values: Any) -> None:
        answer = self.browser.fill(path, path.partition("?")[0], **values)
        assert answer.status_code == 303, answer.text[-2000:]

    def rows(self, path: str) -> list[dict[str, Any]]:
        """A list, once nothing of it is being made."""

        def settled() -> list[dict[str, Any]] | None:
            found = self.client.call("GET", path.replace("{project}", str(self.client.project_id)))
            rows = next(value for value in found.values() if isinstance(value, list))
            busy = (str(row.get("status", row.get("stack_status"))) for row in rows)
            return None if any(one == "creating" or one.endswith("IN_PROGRESS") for one in busy) else [{}, *rows]

        return list(wait_for(path, settled, 20)[1:])


@pytest.fixture(scope="module")
def people(simulated: RealCloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Person, Person]]:
    admin = simulated.admin()
    project = admin.call("POST", "/identity/v3/projects", {"project": {"name": "bazaar"}})["project"]
    user = admin.call("POST", "/identity/v3/users", {"user": {"name": "kim", "password": PASSWORD}})["user"]
    [role] = admin.call("GET", "/identity/v3/roles?name=member")["roles"]
    admin.call("PUT", f"/identity/v3/projects/{project['id']}/users/{user['id']}/roles/{role['id']}")
    admin.call("POST", "/compute/v2.1/flavors", {"flavor": {"name": "stall", "vcpus": 1, "ram": 64, "disk": 1}})
    found = []
    for name, password, place in (("kim", PASSWORD, "bazaar"), ("admin", simulated.password, "admin")):
        browser = Browser(cast(ApiCloud, Reached(simulated.url)))
        assert browser.login(name, password).status_code == 303
        shell = Shell(simulated, name, password, place)
        found.append(
            Person(browser, shell, Client(simulated.url, name, password, place), tmp_path_factory.mktemp(name))
        )
    yield found[0], found[1]
    for person in found:
        person.shell.close()
        cast(Reached, person.browser.cloud).client.close()


def plain(row: Any) -> Any:
    """What two resources that were made alike have in common."""
    if isinstance(row, list):
        return sorted((plain(one) for one in row), key=str)
    if isinstance(row, dict):
        return {name: plain(value) for name, value in row.items() if not OWN.search(name)}
    if isinstance(row, str):
        row = AN_ID.sub("an id", row)
    # The client says "from anywhere", a form nothing, which means the same.
    return None if row == "0.0.0.0/0" else row


TEMPLATE = """heat_template_version: 2018-08-31
description: it's "quoted"
parameters: {length: {type: number}}
resources:
  leaf: {type: OS::Heat::RandomString, properties: {length: {get_param: length}}}
"""
CREATES: list[tuple[str, str, str, dict[str, Any]]] = [
    ("mia", "security-groups", "/network/v2.0/security-groups", {"name": "doors", "description": "of wood"}),
    (
        "mia",
        "rules?in={security-groups}",
        "/network/v2.0/security-group-rules?security_group_id={security-groups}&direction=ingress",
        {"named": "https"},
    ),
    ("mia", "routers", "/network/v2.0/routers", {"name": "gate", "gateway": "{public}"}),
    (
        "mia",
        "subnets",
        "/network/v2.0/subnets",
        {"network": "{bed}", "name": "edge", "cidr": "10.7.0.0/24", "dns_nameservers": "192.0.2.1, 192.0.2.2"},
    ),
    ("mia", "ports", "/network/v2.0/ports?name=socket", {"network": "{bed}", "name": "socket"}),
    (
        "mia",
        "subnets",
        "/network/v2.0/subnets",
        {"network": "{bed}", "cidr": "10.11.0.0/24", "no_gateway": "true", "pools": "10.11.0.9 - 10.11.0.20"},
    ),
    ("mia", "subnets", "/network/v2.0/subnets", {"network": "{bed}", "cidr": "fd00:7::/64"}),
    ("mia", "ports", "/network/v2.0/ports?network_id={bed}", {"network": "{bed}", "ip_address": "10.7.0.77"}),
    (
        "mia",
        "subnet-pools",
        "/network/v2.0/subnetpools",
        {"name": "shelf", "prefixes": "10.99.0.0/16", "default_prefixlen": "26", "max_prefixlen": "28"},
    ),
    (
        "mia",
        "stacks",
        "/orchestration/v1/{project}/stacks",
        {"stack_name": "tree", "template": TEMPLATE, "parameters": "length=9"},
    ),
    ("mia", "floating-ips", "/network/v2.0/floatingips", {"network": "{public}", "description": "door"}),
    ("mia", "server-groups", "/compute/v2.1/os-server-groups", {"name": "herd", "policy": "anti-affinity"}),
    ("mia", "volumes", "/volume/v3/{project}/volumes/detail", {"name": "data", "size": "2", "description": "of mine"}),
    (
        "admin",
        "flavors",
        "/compute/v2.1/flavors/detail",
        {"name": "tiny", "vcpus": "2", "ram": "96", "disk": "3", "swap": "4"},
    ),
    ("admin", "volume-types", "/volume/v3/{project}/types", {"name": "fast", "description": "of mine"}),
    ("admin", "projects", "/identity/v3/projects", {"name": "orchard", "description": "far"}),
    ("admin", "groups", "/identity/v3/groups", {"name": "gardeners", "description": "all"}),
    ("admin", "roles", "/identity/v3/roles", {"name": "weeder", "description": "pulls"}),
    ("admin", "domains", "/identity/v3/domains", {"name": "land", "description": "wide"}),
    ("admin", "aggregates", "/compute/v2.1/os-aggregates", {"name": "racks", "availability_zone": "north"}),
]
"""Who, the form, the list it is seen in, and what is typed: first run as the command shown, then sent by the form."""
ACTIONS: list[tuple[str, str, str, dict[str, Any]]] = [
    ("mia", "servers", "stop", {}),
    ("mia", "servers", "start", {}),
    ("mia", "servers", "pause", {}),
    ("mia", "servers", "unpause", {}),
    ("mia", "servers", "suspend", {}),
    ("mia", "servers", "resume", {}),
    ("mia", "servers", "lock", {"locked_reason": "mine"}),
    ("mia", "servers", "unlock", {}),
    ("mia", "servers", "edit", {"name": "shop", "description": "sells"}),
    ("mia", "servers", "edit", {"name": "shop", "description": ""}),
    ("mia", "servers", "metadata", {"metadata": "role=web\nside=left"}),
    ("mia", "servers", "metadata", {"metadata": "role=db"}),
    ("mia", "servers", "reboot", {"type": "HARD"}),
    ("mia", "volumes", "extend", {"new_size": "3"}),
    ("mia", "volumes", "edit", {"name": "kept", "description": "long"}),
    ("mia", "routers", "edit", {"name": "door"}),
    ("mia", "routers", "clear-gateway", {}),
    ("mia", "security-groups", "edit", {"name": "walls", "description": "of stone"}),
    ("mia", "security-groups", "tags", {"tags": "old, thick"}),
    ("mia", "security-groups", "edit", {"name": "walls", "description": ""}),
    ("mia", "servers", "tags", {"tags": "fruit, fresh"}),
    ("mia", "servers", "tags", {"tags": "fruit, dry"}),
    ("mia", "servers", "tags", {"tags": ""}),
    ("mia", "servers", "shelve", {}),
    ("mia", "servers", "unshelve", {}),
    ("mia", "volumes", "metadata", {"metadata": "kind=seed"}),
    ("mia", "volumes", "bootable", {"bootable": "true"}),
    ("mia", "images", "edit", {"name": "kernel", "min_disk": "2", "tags": "small"}),
    ("mia", "images", "edit", {"name": "kernel", "min_disk": "2", "tags": "large"}),
    ("mia", "networks", "edit", {"name": "row", "description": "of beds", "admin_state_up": []}),
    ("mia", "networks", "tags", {"tags": "south"}),
    ("mia", "networks", "subnet", {"name": "strip", "cidr": "10.9.0.0/24", "dns_nameservers": "192.0.2.3"}),
    ("mia", "subnets", "edit", {"name": "half", "enable_dhcp": [], "dns_nameservers": "192.0.2.7"}),
    ("mia", "ports", "edit", {"name": "plug", "description": "of brass"}),
    ("mia", "routers", "tags", {"tags": "east"}),
    ("mia", "floating-ips", "edit", {"description": "front"}),
    ("admin", "projects", "edit", {"description": "near", "enabled": []}),
    ("admin", "groups", "edit", {"description": "some"}),
    ("admin", "projects", "tags", {"tags": "wet, dry"}),
    ("admin", "projects", "tags", {"tags": "dry, hot"}),
    ("admin", "users", "factors", {"passcode": "true"}),
    ("admin", "users", "factors", {"passcode": []}),
    ("admin", "quotas", "quota-compute", {"instances": "3", "key_pairs": "4"}),
    ("admin", "quotas", "quota-network", {"network": "5", "security_group_rule": "60"}),
]
"""Done to one resource by the client's command, to another by curl's, to a third by the form; then they are alike."""
SHOWN = {
    "servers": "/compute/v2.1/servers/{id}",
    "images": "/image/v2/images/{id}",
    "volumes": "/volume/v3/{project}/volumes/{id}",
    "networks": "/network/v2.0/networks/{id}",
    "subnets": "/network/v2.0/subnets/{id}",
    "routers": "/network/v2.0/routers/{id}",
    "ports": "/network/v2.0/ports/{id}",
    "security-groups": "/network/v2.0/security-groups/{id}",
    "floating-ips": "/network/v2.0/floatingips/{id}",
    "projects": "/identity/v3/projects/{id}",
    "groups": "/identity/v3/groups/{id}",
    "users": "/identity/v3/users/{id}",
    "quotas": "/compute/v2.1/os-quota-sets/{id}",
}
ADMINISTERED = ("projects", "groups", "users", "quotas")
PAGES = {"quotas": "projects"}
"""Whose forms change what is seen elsewhere."""
LEAST = 30


def test_thirty_actions_are_looked_at() -> None:
    assert (
        len({(kind, "create") for _, kind, _, _ in CREATES} | {(kind, name) for _, kind, name, _ in ACTIONS}) >= LEAST
    )


def test_the_commands_of_forms_make_what_the_forms_make(people: tuple[Person, Person]) -> None:
    mia, _ = people
    bed = mia.client.call("POST", "/network/v2.0/networks", {"network": {"name": "bed"}})["network"]["id"]
    [public] = mia.client.call("GET", "/network/v2.0/networks?name=public")["networks"]
    made, wrong = {"bed": bed, "public": public["id"]}, []
    for who, kind, listing, given in CREATES:
        person = people[who == "admin"]
        kind, listing = (_filled(text, made) for text in (kind, listing))
        values = {name: _filled(value, made) for name, value in given.items()}
        before = [id_of(row) for row in person.rows(listing)]
        lines = person.lines(f"{D}/new/{kind}", **values)
        firsts = [(line, _first(person, line, listing, before, wrong)) for line in lines]
        person.send(f"{D}/new/{kind}", **values)
        [second] = [row for row in person.rows(listing) if id_of(row) not in before]
        wrong += [
            f"{line}: {plain(first)}, the form: {plain(second)}"
            for line, first in firsts
            if first and plain(first) != plain(second)
        ]
        made[kind.partition("?")[0]] = id_of(second)
    assert not wrong, "\n".join(wrong)


def _first(person: Person, line: str, listing: str, before: list[str], wrong: list[str]) -> dict[str, Any]:
    """What the command makes, which is gone again afterwards."""
    try:
        person.run(line)
    except AssertionError as error:
        wrong.append(str(error))
        return {}
    [first] = [row for row in person.rows(listing) if id_of(row) not in before]
    remove(person, listing, id_of(first))
    return first


def test_the_commands_of_actions_do_what_the_buttons_do(people: tuple[Person, Person], tmp_path: Path) -> None:
    file = tmp_path / "seed.raw"
    file.write_bytes(b"disk" * 1000)
    wrong = []
    alike_ones = {kind: [make(people[kind in ADMINISTERED], kind, file) for _ in range(3)] for kind in SHOWN}
    for who, kind, action, values in ACTIONS:
        person = people[who == "admin"]
        path = f"{D}/{PAGES.get(kind, kind)}/{{}}/{action}"
        try:
            for place, one in enumerate(alike_ones[kind][:2]):
                person.run(person.lines(path.format(one), **values)[place])
        except AssertionError as error:
            wrong.append(str(error))
            continue
        person.send(path.format(alike_ones[kind][2]), **values)

        def alike() -> bool:
            shown = [plain(document(person, kind, each)) for each in alike_ones[kind]]  # noqa: B023
            busy = any(row.get("OS-EXT-STS:task_state") for row in shown)
            return shown[0] == shown[1] == shown[2] and not busy

        try:
            wait_for(f"{kind} {action}: alike", alike, 10)
        except AssertionError:
            wrong.append(f"{kind} {action}: {[plain(document(person, kind, each)) for each in alike_ones[kind]]}")
    assert not wrong, "\n".join(wrong)


def make(person: Person, kind: str, file: Path) -> str:
    """A resource to act on."""
    made = kind
    call, project = person.client.call, person.client.project_id
    if kind == "servers":
        image = call("POST", "/image/v2/images", {"name": "seed", "disk_format": "raw", "container_format": "bare"})
        person.client.upload(f"/image/v2/images/{image['id']}/file", file)
        [flavor] = [one for one in call("GET", "/compute/v2.1/flavors")["flavors"] if one["name"] == "stall"]
        body = {"name": "web", "flavorRef": flavor["id"], "imageRef": image["id"]}
        found = call("POST", "/compute/v2.1/servers", {"server": body})["server"]["id"]
    elif kind == "volumes":
        found = call("POST", f"/volume/v3/{project}/volumes", {"volume": {"size": 1, "name": "data"}})["volume"]["id"]
    elif kind == "images":
        body = {"name": "seed", "disk_format": "raw", "container_format": "bare"}
        found = call("POST", "/image/v2/images", body)["id"]
    elif kind in ADMINISTERED:
        kind = PAGES.get(kind, kind)
        key = kind.removesuffix("s")
        found = call("POST", f"/identity/v3/{kind}", {key: {"name": secrets.token_hex(16)}})[key]["id"]
    else:
        found = make_in_network(person, kind)
    wait_for(made, lambda: document(person, made, found).get("status") not in ("BUILD", "creating"), 20)
    return str(found)


def make_in_network(person: Person, kind: str) -> str:
    call = person.client.call
    key = {"routers": "router", "security-groups": "security_group", "floating-ips": "floatingip"}.get(kind, kind[:-1])
    body: dict[str, Any] = {"name": "one"}
    if kind in ("subnets", "ports"):
        body["network_id"] = make_in_network(person, "networks")
    if kind == "subnets":
        body |= {"cidr": "10.8.0.0/24", "ip_version": 4}
    if kind == "floating-ips":
        [public] = call("GET", "/network/v2.0/networks?name=public")["networks"]
        body = {"floating_network_id": public["id"]}
    return str(call("POST", f"/network/v2.0/{kind.replace('-ips', 'ips')}", {key: body})[key]["id"])


def document(person: Person, kind: str, resource_id: str) -> dict[str, Any]:
    path = SHOWN[kind].replace("{id}", resource_id).replace("{project}", str(person.client.project_id))
    answer = person.client.call("GET", path, microversion="compute 2.96" if kind == "servers" else None)
    return dict(answer if kind == "images" else next(iter(answer.values())))


def id_of(row: Mapping[str, Any]) -> str:
    return str(row.get("id") or row.get("alarm_id") or row["name"])


def remove(person: Person, listing: str, resource_id: str) -> None:
    path = listing.partition("?")[0].removesuffix("/detail").replace("{project}", str(person.client.project_id))
    if "/domains" in path:
        person.client.call("PATCH", f"{path}/{resource_id}", {"domain": {"enabled": False}})
    if "/stacks" in path:
        [name] = [row["stack_name"] for row in person.rows(listing) if id_of(row) == resource_id]
        path += f"/{name}"
    person.client.call("DELETE", f"{path}/{resource_id}")
    wait_for("it is gone", lambda: resource_id not in [id_of(row) for row in person.rows(listing)], 20)


def _filled(text: Any, made: Mapping[str, str]) -> Any:
    return re.sub(r"{([\w-]+)}", lambda match: made.get(match[1], match[0]), text) if isinstance(text, str) else text
