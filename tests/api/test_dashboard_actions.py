"""Each action of the portal's table ends in what the API then shows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from sqlalchemy import select

from tane.agent.compute.drivers.fake import FakeCompute
from tane.services.compute.tables import console_token
from tane.services.dashboard.resources import ALL, KINDS
from tane.services.orchestration.template import effort
from tests.api.compute_support import V, at, make_image
from tests.api.dashboard_support import Browser, D, Forms, N, Scene, admin, make_scene
from tests.support import ApiCloud, second_host

LEFT_OUT = {
    ("servers", "password"): "simulated guests have no agent that sets one",
    ("servers", "alarm"): "leads to the form of alarms",
    ("images", "launch"): "leads to the form of servers",
    ("volumes", "launch"): "leads to the form of servers",
    ("volumes", "retype"): "there is one type",
    ("all-servers", "*"): "the actions of servers",
    ("external-networks", "*"): "the actions of networks",
    ("hosts", "delete"): "the only hosts of the test",
    ("hosts", "drain"): "tried in test_dashboard_menus",
    ("hosts", "dead"): "tried in test_dashboard_menus",
    ("hypervisors", "*"): "read only",
    ("server-interfaces", "*"): "tried with servers",
    ("server-volumes", "*"): "tried with servers",
    ("server-migrations", "*"): "simulated guests move at once",
    ("volume-messages", "*"): "nothing fails here",
}
"""What no test here does, and why."""
DONE: set[tuple[str, str]] = set()
"""What is done without the helpers of a scene."""


@pytest.fixture
def scene(cloud: ApiCloud) -> Scene:
    return make_scene(cloud)


def test_servers_do_what_the_portal_orders(scene: Scene) -> None:
    image = make_image(scene.api, "seed")
    network = scene.make("networks", name="bed", cidr="10.1.0.0/24")
    server = scene.make("servers", name="web", image=image, flavor="small", networks=network)
    assert scene.server(server)["status"] == "ACTIVE"
    volume = scene.make("volumes", name="data", size="1")
    scene.make("server-volumes", server, volumeId=volume)
    assert scene.volume(f"volumes/{volume}")["status"] == "in-use"
    scene.do("server-volumes", volume, "detach", server)
    assert scene.volume(f"volumes/{volume}")["status"] == "available"
    second_host(scene.cloud.core)
    for action, values, status in (
        ("stop", {}, "SHUTOFF"),
        ("start", {}, "ACTIVE"),
        ("reboot", {"type": "HARD"}, "ACTIVE"),
        ("pause", {}, "PAUSED"),
        ("unpause", {}, "ACTIVE"),
        ("suspend", {}, "SUSPENDED"),
        ("resume", {}, "ACTIVE"),
        ("rescue", {}, "RESCUE"),
        ("unrescue", {}, "ACTIVE"),
        ("rebuild", {"imageRef": image}, "ACTIVE"),
        ("resize", {"flavorRef": "large"}, "VERIFY_RESIZE"),
        ("revert", {}, "ACTIVE"),
        ("resize", {"flavorRef": "large"}, "VERIFY_RESIZE"),
        ("confirm", {}, "ACTIVE"),
        ("shelve", {}, "SHELVED_OFFLOADED"),
        ("unshelve", {}, "ACTIVE"),
    ):
        scene.do("servers", server, action, **values)
        assert scene.server(server)["status"] == status, action
    assert scene.server(server)["flavor"]["original_name"] == "large"
    scene.do("servers", server, "snapshot", name="copy")
    assert [one["name"] for one in scene.api.get("/image/v2/images?name=copy").json()["images"]] == ["copy"]
    scene.do("servers", server, "edit", name="shop", description="sells")
    scene.do("servers", server, "tags", tags="red, green")
    scene.do("servers", server, "metadata", metadata="role=web")
    scene.do("servers", server, "lock", locked_reason="mine")
    found = scene.server(server)
    assert (found["name"], found["description"], sorted(found["tags"])) == ("shop", "sells", ["green", "red"])
    assert (found["metadata"], found["locked_reason"]) == ({"role": "web"}, "mine")
    scene.do("servers", server, "unlock")
    group = scene.make("security-groups", name="doors")
    scene.do("servers", server, "add-group", name=group)
    assert "doors" in [one["name"] for one in scene.server(server)["security_groups"]]
    scene.do("servers", server, "remove-group", name="doors")
    assert "doors" not in [one["name"] for one in scene.server(server)["security_groups"]]
    port = scene.make("ports", network=network, name="second")
    assert scene.make("server-interfaces", server, port_id=port, net_id="") == server
    assert len(scene.show(f"{V}/servers/{server}/os-interface")) == 2
    scene.do("server-interfaces", port, "detach", server)
    assert len(scene.show(f"{V}/servers/{server}/os-interface")) == 1
    wanted = {"remote_console": {"protocol": "vnc", "type": "novnc"}}
    told = scene.api.post(f"{V}/servers/{server}/remote-consoles", wanted, headers=at("2.96"))
    answer = scene.browser.fill(f"{D}/servers/{server}", "/console")
    DONE.add(("servers", "console"))
    # Simulated guests have no screen: the page says what the API says.
    assert answer.status_code == told.status_code and told.json()["badRequest"]["message"] in answer.text
    assert scene.browser.get(f"{D}/servers/{server}/log")
    assert "reboot" in scene.browser.get(f"{D}/servers/{server}")
    scene.do("servers", server, "delete")
    scene.api.get(f"{V}/servers/{server}", 404)


def test_a_server_is_launched_on_a_volume_with_user_data_and_several_at_once(scene: Scene) -> None:
    image = make_image(scene.api, "seed")
    network = scene.make("networks", name="bed", cidr="10.1.0.0/24")
    server = scene.make(
        "servers",
        name="db",
        image=image,
        flavor="small",
        networks=network,
        volume_size="1",
        user_data="#!/bin/sh",
        tags="a,b",
    )
    [disk] = scene.show(f"{V}/servers/{server}/os-volume_attachments")
    assert scene.volume(f"volumes/{disk['volumeId']}")["bootable"] == "true"
    scene.make("servers", name="many", image=image, flavor="small", networks=network, count="3")
    names = {one["name"] for one in scene.api.get(f"{V}/servers").json()["servers"]}
    assert names == {"db", "many-1", "many-2", "many-3"}


def test_images_are_brought_changed_and_taken_away(scene: Scene) -> None:
    page = scene.browser
    parts = {
        "csrf": page.csrf,
        "name": "seed",
        "disk_format": "raw",
        "visibility": "shared",
        "min_disk": "",
        "protected": "true",
    }
    answer = page.send("POST", f"{D}/new/images", data=parts, files={"file": ("seed.raw", b"\0" * 70_000)})
    assert answer.status_code == 303, answer.text
    DONE.add(("images", "create"))
    image = answer.headers["location"].partition("?")[0].rpartition("/")[2]
    show: Callable[[], Any] = lambda: scene.api.get(f"/image/v2/images/{image}").json()  # noqa: E731
    assert (show()["status"], show()["size"], show()["protected"]) == ("active", 70_000, True)
    answer = page.fill(f"{D}/images/{image}", "/download")
    DONE.add(("images", "download"))
    assert answer.content == b"\0" * 70_000
    assert (
        answer.headers["content-disposition"].startswith("attachment")
        and "sandbox" in answer.headers["content-security-policy"]
    )
    scene.do("images", image, "edit", name="tree", protected=[], visibility="shared", min_disk="1", min_ram="0")
    assert (show()["name"], show()["protected"], show()["min_disk"]) == ("tree", False, 1)
    scene.do("images", image, "share", member="p" * 32)
    assert scene.api.get(f"/image/v2/images/{image}/members").json()["members"][0]["member_id"] == "p" * 32
    scene.do("images", image, "volume", name="disk", size="1")
    assert [one["name"] for one in scene.volume("volumes")] == ["disk"]
    boss = Scene(scene.cloud, admin(scene.cloud), scene.cloud.admin)
    boss.do("images", image, "deactivate")
    assert show()["status"] == "deactivated"
    boss.do("images", image, "reactivate")
    assert show()["status"] == "active"
    assert page.fill(f"{D}/images/{image}", "/launch").headers["location"] == f"{D}/new/servers?image={image}"
    scene.do("images", image, "delete")
    scene.api.get(f"/image/v2/images/{image}", 404)


def test_volumes_and_snapshots(scene: Scene) -> None:
    volume = scene.make("volumes", name="data", size="1")
    scene.do("volumes", volume, "extend", new_size="2")
    scene.do("volumes", volume, "edit", name="box", description="of things")
    scene.do("volumes", volume, "bootable", bootable="true")
    found = scene.volume(f"volumes/{volume}")
    assert (found["size"], found["name"], found["description"], found["bootable"]) == (2, "box", "of things", "true")
    scene.do("volumes", volume, "snapshot", name="then")
    [snapshot] = scene.volume("snapshots")
    scene.do("snapshots", snapshot["id"], "edit", name="once", description="")
    scene.do("snapshots", snapshot["id"], "volume", name="again", size="2")
    assert {one["name"] for one in scene.volume("volumes")} == {"box", "again"}
    scene.do("volumes", volume, "upload", image_name="picture", disk_format="raw")
    assert scene.api.get("/image/v2/images?name=picture").json()["images"][0]["status"] == "active"
    image = make_image(scene.api, "seed")
    network = scene.make("networks", name="bed", cidr="10.1.0.0/24")
    server = scene.make("servers", name="web", image=image, flavor="small", networks=network)
    scene.do("volumes", volume, "attach", server=server)
    assert scene.volume(f"volumes/{volume}")["status"] == "in-use"
    scene.do("volumes", volume, "detach")
    assert scene.volume(f"volumes/{volume}")["status"] == "available"
    scene.do("snapshots", snapshot["id"], "delete")
    scene.do("volumes", volume, "backup", name="kept")
    [backup] = scene.volume("backups")
    scene.do("backups", backup["id"], "edit", name="well kept", description="")
    scene.do("backups", backup["id"], "restore")
    assert {one["name"] for one in scene.volume("volumes")} == {"box", "again", f"restore_backup_{backup['id']}"}
    scene.do("backups", backup["id"], "delete")
    assert scene.volume("backups") == []
    shown = scene.do("volumes", volume, "transfer", expect=200, name="gift")
    [transfer] = scene.volume("os-volume-transfer")
    key = shown.partition("Key</dt><dd><code>")[2].partition("<")[0]
    other = scene.cloud.new_user("noa", "orchard")
    theirs = Browser(scene.cloud)
    theirs.login("noa", "noa-secret")
    answer = theirs.fill(f"{D}/new/transfers", transfer=transfer["id"], auth_key=key)
    DONE.add(("transfers", "create"))
    assert answer.status_code == 303, answer.text
    assert other.get(f"/volume/v3/{other.project_id}/volumes/{volume}").json()["volume"]["name"] == "box"
    second = scene.make("volumes", name="mine", size="1")
    scene.do("volumes", second, "transfer", expect=200)
    [transfer] = scene.volume("os-volume-transfer")
    scene.do("transfers", transfer["id"], "delete")
    boss = Scene(scene.cloud, admin(scene.cloud), scene.cloud.admin)
    boss.do("volumes", second, "reset-state", status="error")
    assert scene.volume(f"volumes/{second}")["status"] == "error"
    scene.do("volumes", second, "delete")
    scene.api.get(f"/volume/v3/{scene.api.project_id}/volumes/{second}", 404)


def test_networks_routers_and_addresses(scene: Scene) -> None:
    outside = scene.show(f"{N}/networks?name=outside")[0]["id"]
    router = scene.make("routers", name="edge", gateway=outside)
    network = scene.make("networks", name="bed", cidr="10.1.0.0/24", dns="192.0.2.53", router=router)
    [subnet] = scene.show(f"{N}/subnets?network_id={network}")
    assert (subnet["cidr"], subnet["dns_nameservers"]) == ("10.1.0.0/24", ["192.0.2.53"])
    assert scene.show(f"{N}/ports?network_id={network}&device_id={router}")
    scene.do("networks", network, "edit", name="bank", description="", admin_state_up="true")
    scene.do("networks", network, "tags", tags="green")
    assert (scene.show(f"{N}/networks/{network}")["name"], scene.show(f"{N}/networks/{network}")["tags"]) == (
        "bank",
        ["green"],
    )
    scene.do("networks", network, "subnet", name="more", cidr="10.2.0.0/24")
    more = scene.show(f"{N}/subnets?name=more")[0]["id"]
    scene.do("subnets", more, "edit", name="much", description="", dns_nameservers="192.0.2.1, 192.0.2.2")
    assert scene.show(f"{N}/subnets/{more}")["dns_nameservers"] == ["192.0.2.1", "192.0.2.2"]
    third = scene.make("subnets", network=network, name="third", cidr="10.3.0.0/24", pools="10.3.0.10 - 10.3.0.20")
    assert scene.show(f"{N}/subnets/{third}")["allocation_pools"] == [{"start": "10.3.0.10", "end": "10.3.0.20"}]
    scene.do("routers", router, "add-interface", subnet_id=more)
    scene.do("routers", router, "remove-interface", subnet_id=more)
    scene.do("routers", router, "edit", name="rim", description="round")
    assert scene.show(f"{N}/routers/{router}")["name"] == "rim"
    port = scene.make("ports", network=network, name="leg", subnet_id=subnet["id"], ip_address="10.1.0.77")
    assert scene.show(f"{N}/ports/{port}")["fixed_ips"][0]["ip_address"] == "10.1.0.77"
    scene.do("ports", port, "edit", name="arm", description="")
    address = scene.make("floating-ips", network=outside)
    scene.do("floating-ips", address, "associate", port_id=port)
    assert scene.show(f"{N}/floatingips/{address}")["port_id"] == port
    scene.do("floating-ips", address, "disassociate")
    assert scene.show(f"{N}/floatingips/{address}")["port_id"] is None
    scene.do("floating-ips", address, "delete")
    scene.do("ports", port, "delete")
    scene.do("routers", router, "clear-gateway")
    assert scene.show(f"{N}/routers/{router}")["external_gateway_info"] is None
    scene.do("routers", router, "set-gateway", network=outside)
    assert scene.show(f"{N}/routers/{router}")["external_gateway_info"]["network_id"] == outside
    scene.do("subnets", third, "delete")
    scene.do("routers", router, "remove-interface", subnet_id=subnet["id"])
    scene.do("routers", router, "delete")
    scene.do("networks", network, "delete")
    assert [one["name"] for one in scene.show(f"{N}/networks")] == ["outside"]


def test_what_a_network_was_made_with_goes_when_the_rest_is_refused(scene: Scene) -> None:
    answer = scene.browser.fill(f"{D}/new/networks", name="bed", cidr="10.1.0.0/33")
    assert answer.status_code == 400 and "10.1.0.0/33" in answer.text and 'value="bed"' in answer.text
    assert [one["name"] for one in scene.show(f"{N}/networks")] == ["outside"]


def test_security_groups_have_rules_by_name(scene: Scene) -> None:
    group = scene.make("security-groups", name="doors", description="")
    scene.do("security-groups", group, "edit", name="gates", description="wide")
    scene.make("rules", group, group=group, named="ssh")
    scene.make(
        "rules", group, group=group, named="own", protocol="udp", port_range_min="5000", remote_ip_prefix="192.0.2.0/24"
    )
    rules = [
        one
        for one in scene.show(f"{N}/security-group-rules?security_group_id={group}")
        if one["direction"] == "ingress"
    ]
    assert {
        (one["protocol"], one["port_range_min"], one["port_range_max"], one["remote_ip_prefix"]) for one in rules
    } == {
        ("tcp", 22, 22, None),
        ("udp", 5000, 5000, "192.0.2.0/24"),
    }
    scene.do("rules", rules[0]["id"], "delete", group)
    assert len(scene.show(f"{N}/security-group-rules?security_group_id={group}")) == 3
    scene.do("security-groups", group, "delete")
    assert [one["name"] for one in scene.show(f"{N}/security-groups")] == ["default"]


def test_keys_groups_credentials(scene: Scene) -> None:
    answer = scene.browser.fill(f"{D}/new/keypairs", name="laptop")
    DONE.add(("keypairs", "create"))
    assert "-----BEGIN" in answer.text and 'download="laptop.pem"' in answer.text
    public = scene.api.get(f"{V}/os-keypairs/laptop").json()["keypair"]["public_key"]
    scene.make("keypairs", name="other", public_key=public)
    scene.do("keypairs", "laptop", "delete")
    assert [one["keypair"]["name"] for one in scene.api.get(f"{V}/os-keypairs").json()["keypairs"]] == ["other"]
    group = scene.make("server-groups", name="apart", policy="anti-affinity")
    assert (
        scene.api.get(f"{V}/os-server-groups/{group}", headers=at("2.96")).json()["server_group"]["policy"]
        == "anti-affinity"
    )
    scene.do("server-groups", group, "delete")
    shown = scene.browser.fill(f"{D}/new/credentials", name="robot").text
    DONE.add(("credentials", "create"))
    secret = shown.partition("Secret</dt><dd><code>")[2].partition("<")[0]
    [credential] = scene.api.get(f"/identity/v3/users/{scene.api.user_id}/application_credentials").json()[
        "application_credentials"
    ]
    robot = Browser(scene.cloud)
    page = robot.get(f"{D}/login")
    before = page.partition('name="csrf" value="')[2].partition('"')[0]
    fields = [("csrf", before), ("way", "credential"), ("credential", credential["id"]), ("secret", secret)]
    assert robot.post(f"{D}/login", fields).status_code == 303
    assert "garden" in robot.get(D)
    scene.do("credentials", credential["id"], "delete")
    assert robot.send("GET", D).status_code == 303, "who came in by it is out"


def test_stacks(scene: Scene) -> None:
    template = "heat_template_version: 2021-04-16\nparameters: {n: {type: string}}\n"
    template += "resources:\n  one: {type: OS::Heat::TestResource}\n"
    stack = scene.make("stacks", stack_name="bed", template=template, parameters="n=1")
    name, _, stack_id = stack.replace("%3A", ":").partition(":")
    path = f"/orchestration/v1/{scene.api.project_id}/stacks/{name}/{stack_id}"
    assert (name, scene.show(path)["stack_status"]) == ("bed", "CREATE_COMPLETE")
    assert "OS::Heat::TestResource" in scene.browser.get(f"{D}/stacks/{stack}")
    assert "OS::Heat::TestResource" in scene.browser.get(f"{D}/stacks/{stack}/template")
    for action, values, status in (
        ("check", {}, "CHECK_COMPLETE"),
        ("suspend", {}, "SUSPEND_COMPLETE"),
        ("resume", {}, "RESUME_COMPLETE"),
        ("update", {"template": template, "parameters": "n=2"}, "UPDATE_COMPLETE"),
    ):
        scene.do("stacks", stack, action, **values)
        assert scene.show(path)["stack_status"] == status, scene.show(path)
    before, wanted = scene.show(path), template.replace("one: {", "two: {")
    told = scene.do("stacks", stack, "plan", expect=200, template=wanted, parameters="n=3")
    assert "The template has it no more." in told and "The template has it anew." in told
    assert scene.show(path)["updated_time"] == before["updated_time"], "a plan changes nothing"
    form = next(one for one in Forms(told).forms if one["action"].endswith("/update"))
    assert scene.browser.post(form["action"], form["fields"]).status_code == 303
    scene.cloud.run_jobs()
    assert [one["resource_name"] for one in scene.show(f"{path}/resources")] == ["two"]
    scene.do("stacks", stack, "delete")
    assert scene.api.get(f"/orchestration/v1/{scene.api.project_id}/stacks").json()["stacks"] == []


def test_a_plan_says_why_a_resource_changes(scene: Scene) -> None:
    one = "OS::Heat::RandomString"
    template = "heat_template_version: 2021-04-16\nresources:\n  key: {type: TYPE, properties: {length: 8}}\n"
    template = template.replace("TYPE", one)
    stack = scene.make("stacks", stack_name="bed", template=template)
    told = scene.do("stacks", stack, "plan", expect=200, template=template.replace("length: 8", "length: 9"))
    assert "Replaced" in told and "Changed: length" in told
    assert "Nothing would change." in scene.do("stacks", stack, "plan", expect=200, template=template)
    hostile = template.replace("key:", "'</textarea><script>alert(1)</script>':")
    page = scene.browser.fill(f"{D}/stacks/{stack}/plan", f"/stacks/{stack}/plan", template=hostile)
    assert "<script>alert" not in page.text
    wrong = scene.browser.fill(f"{D}/stacks/{stack}/plan", f"/stacks/{stack}/plan", template="nonsense")
    assert wrong.status_code == 400 and "nonsense" in wrong.text


def test_a_plan_says_what_the_update_would_refuse(scene: Scene) -> None:
    nets = [
        scene.api.post("/network/v2.0/networks", {"network": {"name": name}}, 201).json()["network"]["id"]
        for name in ("beds", "weeds")
    ]
    first, second = (
        f"heat_template_version: 2021-04-16\nresources:\n  net: {{type: OS::Neutron::Net, external_id: {net}}}\n"
        for net in nets
    )
    stack = scene.make("stacks", stack_name="bed", template=first)
    told = scene.do("stacks", stack, "plan", expect=200, template=second)
    assert "The update refuses it: Update to property external_id is not supported." in told


def test_the_drift_of_a_stack_is_shown_in_both_languages(scene: Scene) -> None:
    template = "heat_template_version: 2021-04-16\nresources:\n"
    template += "  net: {type: OS::Neutron::Net, properties: {name: soil}}\n"
    stack = scene.make("stacks", stack_name="bed", template=template)
    page = f"{D}/stacks/{stack}/drift"
    assert "Nothing has changed behind the stack" in scene.browser.get(page)
    [network] = scene.api.get("/network/v2.0/networks?name=soil").json()["networks"]
    hostile = {"network": {"name": "<script>alert(1)</script>"}}
    scene.api.put(f"/network/v2.0/networks/{network['id']}", hostile, 200)
    told = scene.browser.get(page)
    assert "name: set to soil, is &lt;script&gt;" in told and "It is changed in place." in told
    assert "openstack stack update --existing --converge bed" in told
    scene.browser.fill(f"{D}/stacks", "/prefer", language="ja")
    assert "外部で変更された" in scene.browser.get(page)


def test_what_takes_long_of_stacks_is_done_in_its_turn(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(effort, "little", lambda: effort.Effort(0.0, 0, 0, 0, 0.0, last=False))
    template = "heat_template_version: 2021-04-16\nresources:\n  one: {type: OS::Heat::TestResource}\n"
    stack = scene.make("stacks", stack_name="bed", template=template)
    assert "Nothing has changed behind the stack" in scene.browser.get(f"{D}/stacks/{stack}/drift")
    assert "Nothing would change." in scene.do("stacks", stack, "plan", expect=200, template=template)


def test_administration(scene: Scene) -> None:
    second_host(scene.cloud.core)
    boss = Scene(scene.cloud, admin(scene.cloud), scene.cloud.admin)
    make, do, show = boss.make, boss.do, boss.show
    project = make("projects", name="yard", description="", enabled="true")
    user = make("users", name="ole", password="ole-secret", enabled="true", default_project_id=project)
    role = boss.api.get("/identity/v3/roles?name=member").json()["roles"][0]
    do("projects", project, "grant", user_id=user, role_id=role["id"])
    assert Browser(scene.cloud).login("ole", "ole-secret").headers["location"] == D
    do("projects", project, "take", user_id=user, role_id=role["id"])
    assert boss.api.get(f"/identity/v3/role_assignments?user.id={user}").json()["role_assignments"] == []
    for kind, path, values in (
        ("compute", f"{V}/os-quota-sets/{project}", {"instances": "3"}),
        ("volume", f"/volume/v3/{boss.api.project_id}/os-quota-sets/{project}", {"volumes": "3"}),
        ("network", f"{N}/quotas/{project}", {"network": "3"}),
    ):
        do("projects", project, f"quota-{kind}", **values)
        assert next(iter(values)) and show(path)[next(iter(values))] == 3
    do("projects", project, "edit", name="court", description="", enabled="true")
    assert show(f"/identity/v3/projects/{project}")["name"] == "court"
    do("users", user, "edit", name="olaf", description="", enabled="true", password="new-secret")
    assert show(f"/identity/v3/users/{user}")["name"] == "olaf"
    group = make("groups", name="team")
    do("groups", group, "edit", name="crew")
    do("groups", group, "add-user", user_id=user)
    assert user in boss.browser.get(f"{D}/groups/{group}")
    do("group-members", user, "remove", group)
    assert boss.api.get(f"/identity/v3/groups/{group}/users").json()["users"] == []
    do("groups", group, "add-user", user_id=user)
    assert [one["name"] for one in boss.api.get(f"/identity/v3/groups/{group}/users").json()["users"]] == ["olaf"]
    do("groups", group, "delete")
    helper = make("roles", name="helper")
    do("roles", helper, "edit", name="hand")
    do("roles", helper, "delete")
    domain = make("domains", name="west", enabled="true")
    do("domains", domain, "edit", name="east", enabled=[])
    assert show(f"/identity/v3/domains/{domain}")["enabled"] is False
    do("domains", domain, "delete")
    do("users", user, "delete")
    flavor = make("flavors", name="huge", vcpus="8", ram="4096", disk="20", public=[])
    do("flavors", flavor, "grant", tenant=project)
    assert show(f"{V}/flavors/{flavor}/os-flavor-access")[0]["tenant_id"] == project
    do("flavors", flavor, "extra", specs="hw:cpu_policy=shared")
    assert show(f"{V}/flavors/{flavor}/os-extra_specs") == {"hw:cpu_policy": "shared"}
    do("flavors", flavor, "delete")
    do("projects", project, "delete")
    network = make("external-networks", name="wide", shared="true")
    assert show(f"{N}/networks/{network}")["shared"] is True
    kind = make("volume-types", name="fast", public="true")
    do("volume-types", kind, "edit", name="swift", description="")
    do("volume-types", kind, "delete")
    aggregate = make("aggregates", name="rack", availability_zone="left")
    do("aggregates", aggregate, "add-host", host="host-2")
    do("aggregates", aggregate, "metadata", metadata="ssd=true")
    found = show(f"{V}/os-aggregates/{aggregate}")
    assert (found["hosts"], found["metadata"]["ssd"]) == (["host-2"], "true")
    do("aggregates", aggregate, "remove-host", host="host-2")
    do("aggregates", aggregate, "delete")


def test_hosts_and_everybodys_servers(scene: Scene) -> None:
    boss = Scene(scene.cloud, admin(scene.cloud), scene.cloud.admin)
    image = make_image(scene.api, "seed")
    network = scene.make("networks", name="bed", cidr="10.1.0.0/24")
    server = scene.make("servers", name="web", image=image, flavor="small", networks=network)
    assert "web" in boss.browser.get(f"{D}/all-servers")
    second_host(scene.cloud.core)
    before = boss.server(server)["OS-EXT-SRV-ATTR:host"]
    boss.do("servers", server, "migrate")
    assert (boss.server(server)["status"], boss.server(server)["OS-EXT-SRV-ATTR:host"] == before) == (
        "VERIFY_RESIZE",
        False,
    )
    boss.do("servers", server, "confirm")
    boss.do("servers", server, "live-migrate")
    assert boss.server(server)["OS-EXT-SRV-ATTR:host"] == before
    boss.do("servers", server, "reset-state", state="error")
    assert boss.server(server)["status"] == "ERROR"
    [first, _] = boss.api.get("/hosts").json()["hosts"]
    boss.do("hosts", first["id"], "disable", disabled_reason="repair")
    assert boss.api.get(f"/hosts/{first['id']}").json()["host"]["disabled_reason"] == "repair"
    boss.do("hosts", first["id"], "enable")
    assert boss.api.get(f"/hosts/{first['id']}").json()["host"]["enabled"] is True
    told = boss.api.post("/hosts/tokens", {"token": {"roles": ["compute"], "name": "rack-1", "hours": 2}})
    answer = boss.browser.fill(f"{D}/new/host-tokens", roles="compute", name="rack-1", hours="2")
    DONE.add(("host-tokens", "create"))
    assert answer.status_code == told.status_code, (told.text, answer.text)
    services = boss.api.get(f"{V}/os-services?binary=nova-compute", headers=at("2.96")).json()["services"]
    boss.do("services", services[0]["id"], "disable")
    boss.do("services", services[0]["id"], "enable")


def test_several_go_at_once_and_who_is_refused_is_told(scene: Scene) -> None:
    volumes = [scene.make("volumes", name=f"v{number}", size="1") for number in range(3)]
    page = scene.browser
    fields = [("csrf", page.csrf), ("action", "delete"), *(("id", one) for one in volumes[:2])]
    asked = page.post(f"{D}/bulk/volumes", fields)
    assert asked.status_code == 200 and "v0" in asked.text and len(scene.volume("volumes")) == 3, "asked for once more"
    assert page.post(f"{D}/bulk/volumes", [*fields, ("sure", "yes")]).status_code == 303
    scene.cloud.run_jobs()
    assert [one["name"] for one in scene.volume("volumes")] == ["v2"]
    gone = [("csrf", page.csrf), ("action", "delete"), ("sure", "yes"), ("id", volumes[0]), ("id", volumes[2])]
    told = page.post(f"{D}/bulk/volumes", gone)
    assert told.status_code == 200 and f"Volume {volumes[0]} could not be found." in told.text


def test_every_action_of_the_table_is_tried() -> None:
    """By name: a new action of the table needs a test, or its reason in LEFT_OUT."""
    here = Path(__file__).parent.glob("test_dashboard*.py")
    text = "".join(file.read_text(encoding="utf-8") for file in here)
    missing = []
    for kind in ALL:
        names = [action.name for action in kind.actions] + (["create"] if kind.create else [])
        for name in names:
            if (kind.name, name) in LEFT_OUT or (kind.name, "*") in LEFT_OUT:
                continue
            tried = f'"{kind.name}"' in text and (f'"{name}"' in text or name == "create" or name.startswith("quota-"))
            if not tried:
                missing.append((kind.name, name))
    assert missing == []
    assert all(kind in KINDS for kind, _ in LEFT_OUT)


def test_the_console_opens_where_the_portal_was_reached(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    image = make_image(scene.api, "seed")
    network = scene.make("networks", name="bed", cidr="10.1.0.0/24")
    server = scene.make("servers", name="web", image=image, flavor="small", networks=network)

    async def has_screen(self: FakeCompute, guest_id: str) -> None:
        return None

    monkeypatch.setattr(FakeCompute, "has_screen", has_screen)
    answer = scene.browser.fill(f"{D}/servers/{server}", "/console")
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/compute/console/vnc_lite.html?path=compute%2Fconsole%2Fwebsockify")


def test_one_finds_by_name_address_and_id(scene: Scene) -> None:
    image, network = make_image(scene.api, "seed"), scene.make("networks", name="bed", cidr="10.1.0.0/24")
    server = scene.make("servers", name="web", image=image, flavor="small", networks=network)
    [port] = scene.api.get(f"{N}/ports?device_id={server}").json()["ports"]
    address = port["fixed_ips"][0]["ip_address"]
    for text, links in (
        ("web", {f"servers/{server}"}),
        (address, {f"servers/{server}", f"ports/{port['id']}"}),
        (port["mac_address"], {f"ports/{port['id']}"}),
        (server[:13], {f"servers/{server}"}),
        ("10.1.0.0/24", {"subnets/"}),
        (network, {f"networks/{network}"}),
    ):
        found = scene.browser.get(f"{D}/search?q={quote(text, safe='')}", headers={"HX-Request": "true"})
        assert all(f"{D}/{link}" in found for link in links), (text, found)


def test_a_server_takes_a_port_that_was_made_before(scene: Scene) -> None:
    image = make_image(scene.api, "seed")
    network = scene.make("networks", name="bed", cidr="10.1.0.0/24")
    port = scene.make("ports", network=network, name="stem-7")
    assert "stem-7" in scene.browser.get(f"{D}/new/servers")
    server = scene.make("servers", name="web", image=image, flavor="small", ports=port, networks=[])
    assert scene.show(f"{N}/ports/{port}")["device_id"] == server
    assert "stem-7" not in scene.browser.get(f"{D}/new/servers"), "it is taken"


def test_a_console_s_token_is_made_for_its_page_and_not_by_a_link(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = scene.make("networks", name="bed", cidr="10.1.0.0/24")
    server = scene.make("servers", name="web", image=make_image(scene.api, "seed"), flavor="small", networks=network)
    path = f"{D}/servers/{server}/serial"

    def tokens() -> int:
        with scene.cloud.core.db.read() as tx:
            return len(tx.execute(select(console_token)).all())

    assert "token" not in scene.browser.get(path) and tokens() == 0
    assert scene.browser.post(path, []).status_code == 403
    csrf = {"X-CSRF-Token": scene.browser.csrf}
    assert scene.browser.post(path, [], headers={**csrf, "Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert tokens() == 0
    answer = scene.browser.post(path, [], headers=csrf)
    assert answer.status_code == 200 and answer.json()["socket"].startswith("/compute/") and tokens() == 1
    path = path.replace("/serial", "/vnc")
    refused = scene.browser.post(path, [], headers=csrf)
    assert refused.status_code == 400, "simulated servers have no screen"
    assert refused.json() == {"error": {"message": "Unavailable console type novnc."}}
    monkeypatch.setattr(FakeCompute, "has_screen", FakeCompute.has_serial)
    assert scene.browser.post(path, []).status_code == 403 and tokens() == 1
    answer = scene.browser.post(path, [], headers=csrf)
    assert answer.json()["socket"].startswith("/compute/console/websockify?token=") and tokens() == 2
    page = scene.browser.get(f"{D}/consoles?server={server}")
    assert f'<option value="{server}" selected>web</option>' in page and tokens() == 2
