"""The portal walked through in a real browser: what people make by its forms, and every page as both roles, in both
languages, in light and dark, on a desk and on a phone."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from conformance.chromium import Desk, chromium
from conformance.cloud import Cloud
from tane.cli.client import Client

PROJECT, USER = "garden", "mia"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBGtPEYZm8nCkbyEbOWGmTjhSdhmIvzbkLNSQTwcgKPQ mia@garden"
TEMPLATE = """heat_template_version: 2021-04-16
resources:
  bed:
    type: OS::Neutron::Net
  edge:
    type: OS::Neutron::Subnet
    properties: {network: {get_resource: bed}, cidr: 10.9.0.0/24}
  door:
    type: OS::Neutron::Port
    depends_on: edge
    properties: {network: {get_resource: bed}}
  fence:
    type: OS::Neutron::SecurityGroup
"""
PICTURED = (
    *("", "/servers", "/servers/{servers}", "/new/servers", "/servers/{servers}/charts", "/images", "/volumes"),
    *("/volumes/{volumes}", "/networks/{networks}", "/new/networks", "/routers/{routers}", "/topology"),
    *("/security-groups/{security-groups}", "/stacks/{stacks}", "/stacks/{stacks}/plan"),
    *("/stacks/{stacks}/graph", "/alarms/{alarms}", "/jobs", "/tasks", "/consoles", "/new/floating-ips"),
    *("/new/alarms", "/containers", "/objects?container=attic", "/bill", "/prices", "/happened", "/access"),
)
"""Pages of a member that are worth a picture."""
MADE_SECONDS = 60.0
"""What a form makes may take so long on a busy machine."""
PICTURED_OF_ADMIN = (
    *("/projects", "/users", "/hosts", "/all-servers", "/all-jobs", "/price-services", "/aggregates", "/new/flavors"),
)


@dataclass(frozen=True)
class Make:
    """Something that is made by a form. ``values``: ``{KIND}`` stands for the id of what was made before; ``seen``: the
    call that lists it, and the list's key; ``by``: the values of the row by which it is known."""

    kind: str
    form: str
    values: Mapping[str, str | Sequence[str]]
    seen: str
    items: str
    by: Mapping[str, Any]


MEMBERS = (
    Make("keypairs", "/new/keypairs", {"name": "key", "public_key": KEY}, "/compute/v2.1/os-keypairs", "keypairs", {}),
    Make(
        "networks",
        "/new/networks",
        {"name": "bed", "cidr": "10.1.0.0/24"},
        "/network/v2.0/networks?name=bed",
        "networks",
        {"name": "bed"},
    ),
    Make(
        "subnets",
        "/new/subnets",
        {"network": "{networks}", "name": "edge", "cidr": "10.2.0.0/24"},
        "/network/v2.0/subnets",
        "subnets",
        {"name": "edge", "cidr": "10.2.0.0/24"},
    ),
    Make(
        "routers",
        "/new/routers",
        {"name": "gate", "gateway": "public"},
        "/network/v2.0/routers",
        "routers",
        {"name": "gate"},
    ),
    Make(
        "interfaces",
        "/routers/{routers}/add-interface",
        {"subnet_id": "edge"},
        "/network/v2.0/ports?device_id={routers}&device_owner=network:router_interface",
        "ports",
        {},
    ),
    Make(
        "floating-ips",
        "/new/floating-ips",
        {"network": "public", "description": "door"},
        "/network/v2.0/floatingips",
        "floatingips",
        {"description": "door"},
    ),
    Make(
        "security-groups",
        "/new/security-groups",
        {"name": "doors"},
        "/network/v2.0/security-groups?name=doors",
        "security_groups",
        {"name": "doors"},
    ),
    Make(
        "rules",
        "/new/rules?in={security-groups}",
        {"named": "ssh"},
        "/network/v2.0/security-group-rules?security_group_id={security-groups}&direction=ingress",
        "security_group_rules",
        {"port_range_min": 22, "protocol": "tcp"},
    ),
    Make(
        "images",
        "/new/images",
        {"name": "seed", "disk_format": "raw", "file": "{file}"},
        "/image/v2/images?name=seed",
        "images",
        {"status": "active", "size": 200_000},
    ),
    Make(
        "servers",
        "/new/servers",
        {"name": "web", "networks": "{networks}", "key": "key"},
        "/compute/v2.1/servers/detail?name=web",
        "servers",
        {"name": "web", "status": "ACTIVE", "key_name": "key"},
    ),
    Make(
        "volumes",
        "/new/volumes",
        {"name": "data", "size": "1"},
        "/volume/v3/{project}/volumes/detail",
        "volumes",
        {"name": "data", "status": "available"},
    ),
    Make(
        "snapshots",
        "/volumes/{volumes}/snapshot",
        {"name": "before"},
        "/volume/v3/{project}/snapshots/detail",
        "snapshots",
        {"name": "before", "status": "available"},
    ),
    Make(
        "stacks",
        "/new/stacks",
        {"stack_name": "hill", "template": TEMPLATE},
        "/orchestration/v1/{project}/stacks",
        "stacks",
        {"stack_name": "hill", "stack_status": "CREATE_COMPLETE"},
    ),
    Make(
        "alarms",
        "/new/alarms",
        {"name": "busy", "metric": "cpu", "server": "web", "comparison_operator": "gt", "threshold": "80"},
        "/alarm/v2/alarms",
        "",
        {"name": "busy", "type": "gnocchi_resources_threshold"},
    ),
)
"""What a member makes, each by its form."""
ADMINISTRATORS = (
    Make("projects", "/new/projects", {"name": "orchard"}, "/identity/v3/projects", "projects", {"name": "orchard"}),
    Make(
        "users",
        "/new/users",
        {"name": "noa", "password": "noa-secret-1", "default_project_id": "orchard"},
        "/identity/v3/users",
        "users",
        {"name": "noa"},
    ),
    Make(
        "flavors",
        "/new/flavors",
        {"name": "tiny", "vcpus": "1", "ram": "96", "disk": "1"},
        "/compute/v2.1/flavors/detail",
        "flavors",
        {"name": "tiny", "ram": 96},
    ),
)
"""What an administrator makes."""


@dataclass
class Garden:
    """A cloud with a project and its member, and what is made in it. ``made``: ids, by kind."""

    url: str
    admin: Client
    admin_password: str
    password: str = field(default_factory=lambda: secrets.token_urlsafe(12))
    made: dict[str, str] = field(default_factory=dict)

    def plant(self, file: Path) -> None:
        """The project, its member, a flavor, and a file to upload."""
        call = self.admin.call
        project = call("POST", "/identity/v3/projects", {"project": {"name": PROJECT}})["project"]["id"]
        user = call("POST", "/identity/v3/users", {"user": {"name": USER, "password": self.password}})["user"]["id"]
        [role] = call("GET", "/identity/v3/roles?name=member")["roles"]
        call("PUT", f"/identity/v3/projects/{project}/users/{user}/roles/{role['id']}")
        call("POST", "/compute/v2.1/flavors", {"flavor": {"name": "small", "vcpus": 1, "ram": 64, "disk": 1}})
        file.write_bytes(b"disk" * 50_000)
        self.made |= {"project": project, "file": str(file)}

    def member(self) -> Client:
        return Client(self.url, USER, self.password, PROJECT)

    def log_in(self, desk: Desk, admin: bool = False) -> None:
        desk.login(*(("admin", self.admin_password) if admin else (USER, self.password)))

    def at(self, text: str) -> str:
        """A text with the ids of what was made."""
        for name, value in self.made.items():
            text = text.replace(f"{{{name}}}", value)
        return text

    def make(self, desk: Desk, client: Client, one: Make) -> dict[str, Any]:
        """Fill in the form and send it; returns the row by which the API shows it. :raises AssertionError: it does
        not."""
        given = {name: self.at(value) if isinstance(value, str) else value for name, value in one.values.items()}
        desk.open(self.at(one.form))
        for name, value in given.items():
            field = desk.page.locator(f"main form select[name='{name}']")
            chosen = desk.page.locator(f"main form select[name='{name}'] option", has_text=str(value))
            # A name is as good as what it stands for.
            if field.count() and not field.locator(f"option[value='{value}']").count():
                value = str(chosen.first.get_attribute("value"))
            desk.put(name, value)
        where = desk.send()
        until = time.monotonic() + MADE_SECONDS
        while time.monotonic() < until:
            found = client.call("GET", self.at(one.seen))
            rows = found[one.items] if one.items else found
            rows = [row.get("keypair", row) for row in rows]
            row = next((row for row in rows if all(row.get(key) == value for key, value in one.by.items())), None)
            if row is not None:
                shown = where.partition("?")[0].rpartition("/")[2]
                named = str(row.get("id") or row.get("alarm_id") or row.get("name"))
                self.made[one.kind] = shown if named in shown else named
                return dict(row)
            time.sleep(0.05)
        said = desk.page.locator("main .note").all_inner_texts()
        raise AssertionError(f"{one.form}: the API shows none with {dict(one.by)}; the page says {said}")

    def keep_files(self, desk: Desk, client: Client, file: Path) -> None:
        """A container with an object, by the pages of containers. :raises AssertionError: the API has none."""
        desk.open("/containers")
        desk.page.fill("#container", "attic")
        desk.send("main form .first")
        desk.open("/objects?container=attic")
        desk.page.set_input_files("#file", str(file))
        desk.send("main form[data-upload] .first")
        found = client.call("GET", f"/v1/AUTH_{self.made['project']}/attic?format=json")
        assert [(one["name"], one["bytes"]) for one in found] == [(file.name, file.stat().st_size)], found


LOOKS = (
    *(("ja", "dark", 390), ("en", "light", 1440), ("ja", "light", 1440), ("en", "dark", 390)),
    *(("en", "dark", 1440), ("ja", "light", 390), ("en", "light", 390), ("ja", "dark", 1440)),
)
"""The first four have each language, theme and width with each other's half; axe looks at those."""


def run(cloud: Cloud, folder: Path, pictures: Path | None) -> list[str]:
    """Make everything by forms and cross all pages in all looks; returns what there is to complain of."""
    garden = Garden(cloud.url, cloud.admin, cloud.state.admin_password())
    garden.plant(folder / "seed.img")
    complaints = []
    with chromium() as browser:
        desk, boss = Desk(browser, cloud.url), Desk(browser, cloud.url)
        garden.log_in(desk)
        garden.log_in(boss, admin=True)
        client = garden.member()
        for one in MEMBERS:
            garden.make(desk, client, one)
        garden.keep_files(desk, client, folder / "seed.img")
        for one in ADMINISTRATORS:
            garden.make(boss, cloud.admin, one)
        complaints += desk.complaints + boss.complaints
        print(f"made by forms: {len(complaints)} complaints", *complaints, sep="\n  ", flush=True)
        for language, theme, width in LOOKS:
            for admin in (False, True):
                found = list(cross(browser, garden, (language, theme, width), admin, pictures))
                role = "administrator" if admin else "member"
                print(f"{language} {theme} {width}, {role}: {len(found)} complaints", *found, sep="\n  ", flush=True)
                complaints += found
    return complaints


def cross(
    browser: Any, garden: Garden, look: tuple[str, str, int], admin: bool, pictures: Path | None
) -> Iterator[str]:
    """Open each page there is for a role in one look."""
    desk, axe = Desk(browser, garden.url, *look), look in LOOKS[:4]
    desk.open("/login")
    desk.look(axe)
    garden.log_in(desk, admin)
    pictured = [garden.at(one) for one in (PICTURED_OF_ADMIN if admin else PICTURED)]
    for path in pages(desk, pictured):
        desk.open(path)
        desk.look(axe)
        if pictures is not None and path in pictured:
            desk.picture(pictures, path.partition("?")[0] if len(path) < 60 else path.split("/")[1] + "-one")
    yield from desk.complaints
    desk.context.close()


def pages(desk: Desk, more: Sequence[str]) -> list[str]:
    """The addresses of the menu's pages, of the form and the first resource of each, and of the resource's forms."""
    found = list(dict.fromkeys(["", *desk.menu(), *more]))
    for path in list(found):
        desk.open(path)
        links = desk.page.eval_on_selector_all(
            "main .head a.first, main tbody tr:first-child th a", "all => all.map(one => one.getAttribute('href'))"
        )
        found += [str(one).removeprefix("/dashboard") for one in links if "/object?" not in one]
    for path in list(found):
        if path.count("/") == 2 and not path.startswith("/new/"):
            desk.open(path)
            links = desk.page.eval_on_selector_all("main .actions a", "all => all.map(one => one.getAttribute('href'))")
            found += [str(one).removeprefix("/dashboard") for one in links]
    return list(dict.fromkeys(found))
