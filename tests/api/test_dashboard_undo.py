"""What was just done is taken back by one button, while nothing else has changed it."""

from __future__ import annotations

import re

import httpx
import pytest

from tane.services.dashboard.api import undoing as api
from tane.services.dashboard.domain.undoing import REVERSES
from tane.services.dashboard.resources import KINDS
from tests.api.compute_support import make_image
from tests.api.dashboard_support import Browser, D, N, Scene, make_scene
from tests.support import ApiCloud


@pytest.fixture
def scene(cloud: ApiCloud) -> Scene:
    return make_scene(cloud)


def after(scene: Scene, path: str, **values: str | list[str]) -> str:
    """Do something by its form; returns the page that comes after."""
    answer = scene.browser.fill(path, path.partition("?")[0], **values)
    assert answer.status_code == 303, answer.text[-2000:]
    scene.cloud.run_jobs()
    return scene.browser.get(answer.headers["location"])


def press(scene: Scene, server: str, action: str) -> str:
    """A button of a server's page."""
    answer = scene.browser.fill(f"{D}/servers/{server}", f"/servers/{server}/{action}")
    scene.cloud.run_jobs()
    return scene.browser.get(answer.headers["location"])


def undo(scene: Scene, page: str, browser: Browser | None = None) -> httpx.Response:
    """Press the button that takes back."""
    [name] = re.findall(r'name="undo" value="([^"]+)"', page)
    browser = browser or scene.browser
    answer = browser.post(f"{D}/undo", [("csrf", browser.csrf), ("undo", name)])
    scene.cloud.run_jobs()
    return answer


def test_a_server_is_started_unlocked_named_and_attached_again(scene: Scene) -> None:
    image, network = make_image(scene.api, "seed"), scene.make("networks", name="bed", cidr="10.1.0.0/24")
    server = scene.make("servers", name="web", image=image, flavor="small", networks=network)
    volume, here = scene.make("volumes", name="data", size="1"), f"{D}/servers/{server}"
    for action, between in (("stop", "SHUTOFF"), ("pause", "PAUSED"), ("lock", "ACTIVE")):
        page = after(scene, f"{here}/lock") if action == "lock" else press(scene, server, action)
        assert scene.server(server)["status"] == between
        answer = undo(scene, page)
        assert answer.status_code == 303 and "It is undone." in scene.browser.get(answer.headers["location"])
        assert (scene.server(server)["status"], scene.server(server)["locked"]) == ("ACTIVE", False)
    page = after(scene, f"{here}/edit", name="shop", description="sells")
    assert undo(scene, page).status_code == 303
    assert (scene.server(server)["name"], scene.server(server)["description"] or "") == ("web", "")
    within = f"{D}/new/server-volumes?in={server}"
    page = after(scene, within, volumeId=volume)
    assert undo(scene, page).status_code == 303 and scene.volume(f"volumes/{volume}")["attachments"] == []
    after(scene, within, volumeId=volume)
    page = after(scene, f"{D}/server-volumes/{volume}/detach?in={server}")
    assert undo(scene, page).status_code == 303
    assert scene.volume(f"volumes/{volume}")["attachments"][0]["server_id"] == server
    page = after(scene, f"{D}/volumes/{volume}/detach")
    assert undo(scene, page).status_code == 303 and scene.volume(f"volumes/{volume}")["status"] == "in-use"
    page = after(scene, f"{here}/delete")
    assert "/undo" not in page


def test_addresses_and_rules_come_back(scene: Scene) -> None:
    network = scene.make("networks", name="bed", cidr="10.1.0.0/24")
    router = scene.make("routers", name="gate")
    [subnet] = scene.show(f"{N}/networks/{network}")["subnets"]
    page = after(scene, f"{D}/routers/{router}/add-interface", subnet_id=subnet)
    assert undo(scene, page).status_code == 303
    assert scene.api.get(f"{N}/ports?device_id={router}&device_owner=network:router_interface").json()["ports"] == []
    scene.do("routers", router, "add-interface", subnet_id=subnet)
    address, ports = scene.make("floating-ips"), [scene.make("ports", network=network, name=name) for name in "ab"]
    for port in ports:
        page = after(scene, f"{D}/floating-ips/{address}/associate", port_id=port)
    assert undo(scene, page).status_code == 303
    assert scene.show(f"{N}/floatingips/{address}")["port_id"] == ports[0]
    answer = scene.browser.fill(f"{D}/floating-ips/{address}", "/disassociate")
    assert undo(scene, scene.browser.get(answer.headers["location"])).status_code == 303
    assert scene.show(f"{N}/floatingips/{address}")["port_id"] == ports[0]
    group = scene.make("security-groups", name="doors")
    form = f"{D}/new/rules?in={group}"
    page = after(scene, form, named="ssh", remote_ip_prefix="192.0.2.0/24")
    rules = f"{N}/security-group-rules?security_group_id={group}&direction=ingress"
    assert undo(scene, page).status_code == 303 and scene.api.get(rules).json()["security_group_rules"] == []
    after(scene, form, named="ssh", remote_ip_prefix="192.0.2.0/24")
    [rule] = scene.api.get(rules).json()["security_group_rules"]
    page = after(scene, f"{D}/rules/{rule['id']}/delete?in={group}")
    assert undo(scene, page).status_code == 303
    [back] = scene.api.get(rules).json()["security_group_rules"]
    kept = ("direction", "ethertype", "protocol", "port_range_min", "port_range_max", "remote_ip_prefix")
    assert {name: back[name] for name in kept} == {name: rule[name] for name in kept}


def test_what_somebody_changed_since_is_left_alone(scene: Scene) -> None:
    network, path = scene.make("networks", name="bed", cidr=""), f"{N}/networks/"
    page = after(scene, f"{D}/networks/{network}/edit", name="bank", admin_state_up="true")
    scene.api.put(path + network, {"network": {"name": "shore"}}, 200)
    told = undo(scene, page)
    assert told.status_code == 409 and "It is no longer, or not yet, as this left it" in told.text
    assert scene.show(path + network)["name"] == "shore"


def test_the_button_stays_while_what_it_takes_back_is_under_way(scene: Scene) -> None:
    image, network = make_image(scene.api, "seed"), scene.make("networks", name="bed", cidr="10.1.0.0/24")
    form = {"image": image, "flavor": "small", "networks": network}
    servers = [scene.make("servers", name=name, **form) for name in ("one", "two")]
    volume, here = scene.make("volumes", name="data", size="1"), f"{D}/servers/{servers[0]}"
    stopped = scene.browser.fill(here, f"/servers/{servers[0]}/stop")
    button = r'name="undo" value="([^"]+)"'
    [name] = re.findall(button, scene.browser.get(stopped.headers["location"]))
    early = scene.browser.post(f"{D}/undo", [("csrf", scene.browser.csrf), ("undo", name)])
    assert early.status_code == 303 and early.headers["location"].startswith(here)
    page = scene.browser.get(early.headers["location"])
    assert "“Stop” is not done yet: try again in a moment." in page and re.findall(button, page) == [name]
    scene.cloud.run_jobs()
    assert undo(scene, page).headers["location"] == f"{here}?undone=1"
    assert scene.server(servers[0])["status"] == "ACTIVE"
    within = f"{D}/new/server-volumes?in={servers[0]}"
    attached = scene.browser.fill(within, within.partition("?")[0], volumeId=volume)
    [name] = re.findall(button, scene.browser.get(attached.headers["location"]))
    early = scene.browser.post(f"{D}/undo", [("csrf", scene.browser.csrf), ("undo", name)])
    scene.cloud.run_jobs()
    assert undo(scene, scene.browser.get(early.headers["location"])).status_code == 303
    assert scene.volume(f"volumes/{volume}")["attachments"] == []
    fields = [("csrf", scene.browser.csrf), ("action", "stop"), *(("id", one) for one in servers)]
    many = scene.browser.post(f"{D}/bulk/servers", fields)
    [name] = re.findall(button, scene.browser.get(many.headers["location"]))
    early = scene.browser.post(f"{D}/undo", [("csrf", scene.browser.csrf), ("undo", name)])
    assert early.text.count(">refused<") == 2
    scene.cloud.run_jobs()
    undo(scene, early.text)
    assert [scene.server(one)["status"] for one in servers] == ["ACTIVE"] * 2


def test_nobody_elses_and_nothing_old_is_undone(scene: Scene) -> None:
    network = scene.make("networks", name="bed", cidr="")
    page = after(scene, f"{D}/networks/{network}/edit", name="bank", admin_state_up="true")
    other = Browser(scene.cloud)
    other.login("mia", "mia-secret")
    assert undo(scene, page, other).status_code == 404
    [name] = re.findall(r'name="undo" value="([^"]+)"', page)
    assert scene.browser.post(f"{D}/undo", [("csrf", "x"), ("undo", name)]).status_code == 403
    assert 'action="/dashboard/undo"' not in other.get(f"{D}/networks/{network}?undo={name}")
    for number in range(api.MOST_OF_ONE + 3):
        after(scene, f"{D}/networks/{network}/edit", name=f"n{number}", admin_state_up="true")
    assert len(scene.cloud.core.memory[api.MEMORY]) == api.MOST_OF_ONE
    assert undo(scene, page).status_code == 404
    page = after(scene, f"{D}/networks/{network}/edit", name="last", admin_state_up="true")
    scene.cloud.advance(api.LASTS.total_seconds())
    assert undo(scene, page).status_code == 404


def together(scene: Scene, kind: str, action: str, ids: list[str], **more: str) -> httpx.Response:
    """One action on several rows."""
    fields = [("csrf", scene.browser.csrf), ("action", action), *(("id", one) for one in ids)]
    answer = scene.browser.post(f"{D}/bulk/{kind}", [*fields, *more.items()])
    scene.cloud.run_jobs()
    return answer


def test_several_are_taken_back_together_but_those_that_changed(scene: Scene) -> None:
    image, network = make_image(scene.api, "seed"), scene.make("networks", name="bed", cidr="10.1.0.0/24")
    form = {"image": image, "flavor": "small", "networks": network}
    servers = [scene.make("servers", name=name, **form) for name in ("one", "two", "three")]
    answer = together(scene, "servers", "stop", servers)
    page = scene.browser.get(answer.headers["location"])
    assert "accepted for 3." in page
    assert undo(scene, page).headers["location"] == f"{D}/servers?undone=1"
    assert [scene.server(one)["status"] for one in servers] == ["ACTIVE"] * 3
    answer = together(scene, "servers", "stop", servers)
    page = scene.browser.get(answer.headers["location"])
    scene.do("servers", servers[1], "start")
    told = undo(scene, page)
    assert told.status_code == 200 and told.text.count(">accepted<") == 2 and "nothing was undone" in told.text
    assert [scene.server(one)["status"] for one in servers] == ["ACTIVE"] * 3
    again = undo(scene, page)
    assert again.status_code == 409, "what went back is not done twice"
    scene.do("servers", servers[0], "stop")
    report = together(scene, "servers", "stop", servers).text
    assert ">refused<" in report and "accepted for 2." in report
    [name] = re.findall(r'name="undo" value="([^"]+)"', report)
    assert scene.browser.post(f"{D}/undo", [("csrf", scene.browser.csrf), ("undo", name)]).status_code == 303
    scene.cloud.run_jobs()
    assert [scene.server(one)["status"] for one in servers] == ["SHUTOFF", "ACTIVE", "ACTIVE"]


def test_rules_come_back_together_and_what_leaves_a_trace_has_no_button(scene: Scene) -> None:
    group = scene.make("security-groups", name="doors")
    rules = f"{N}/security-group-rules?security_group_id={group}&direction=ingress"
    for name in ("ssh", "https"):
        after(scene, f"{D}/new/rules?in={group}", named=name)

    def ports() -> list[int]:
        return sorted(one["port_range_min"] for one in scene.api.get(rules).json()["security_group_rules"])

    ids = [one["id"] for one in scene.api.get(rules).json()["security_group_rules"]]
    fields = [("csrf", scene.browser.csrf), ("action", "delete"), *(("id", one) for one in ids)]
    asked = scene.browser.post(f"{D}/bulk/rules?in={group}", fields)
    assert "Are you sure?" in asked.text and "cannot be undone" not in asked.text
    answer = scene.browser.post(f"{D}/bulk/rules?in={group}", [*fields, ("sure", "yes")])
    assert ports() == []
    assert undo(scene, scene.browser.get(answer.headers["location"])).status_code == 303 and ports() == [22, 443]
    networks = [scene.make("networks", name=name, cidr="") for name in "ab"]
    answer = together(scene, "networks", "delete", networks, sure="yes")
    assert "undo=" not in answer.headers["location"]


@pytest.mark.parametrize(("bound", "sessions"), [("MOST", 1), ("MOST_OF_USER", 1), ("MOST_OF_USER", 2)])
def test_what_is_remembered_is_bounded_by_its_size_also_of_many_sessions_of_one_user(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, bound: str, sessions: int
) -> None:
    network = scene.make("networks", name="bed", cidr="")
    after(scene, f"{D}/networks/{network}/edit", name="n", admin_state_up="true")
    kept = scene.cloud.core.memory[api.MEMORY]
    [one] = kept.values()
    monkeypatch.setattr(api, bound, 3 * one.size)
    for number in range(4):
        if sessions > 1:
            scene.browser = Browser(scene.cloud)
            scene.browser.login("mia", "mia-secret")
        after(scene, f"{D}/networks/{network}/edit", name=f"n{number}", admin_state_up="true")
    assert 0 < sum(one.size for one in kept.values()) <= 3 * one.size


def test_what_is_too_late_to_be_undone_is_forgotten(scene: Scene) -> None:
    network = scene.make("networks", name="bed", cidr="")
    after(scene, f"{D}/networks/{network}/edit", name="n", admin_state_up="true")
    [first] = scene.cloud.core.memory[api.MEMORY]
    scene.cloud.advance(api.LASTS.total_seconds() + 1)
    after(scene, f"{D}/networks/{network}/edit", name="m", admin_state_up="true")
    [second] = scene.cloud.core.memory[api.MEMORY]
    assert second != first


def test_each_way_back_is_an_action_of_the_table() -> None:
    for kind, ways in REVERSES.items():
        known = {one.name for one in KINDS[kind].actions} | ({"create"} if KINDS[kind].create else set())
        assert set(ways) <= known, (kind, set(ways) - known)
