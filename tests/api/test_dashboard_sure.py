"""The way back is offered where it is sure: it takes away nothing of others, and brings back all that was."""

from __future__ import annotations

import re
import time

import pytest

from tane.services.dashboard.domain.messages import Words
from tane.services.dashboard.domain.sentences import FORMS, sentence
from tane.services.dashboard.domain.undoing import Done, step
from tane.services.dashboard.resources import KINDS
from tests.api.compute_support import V, at, make_image
from tests.api.dashboard_support import D, Forms, N, Scene, admin, make_scene
from tests.api.test_dashboard_undo import after, undo
from tests.support import ApiCloud

LEFT_ALONE = "It is no longer, or not yet, as this left it"
FORM = 'action="/dashboard/undo"'


@pytest.fixture
def scene(cloud: ApiCloud) -> Scene:
    return make_scene(cloud)


def test_what_another_attached_or_moved_since_stays_where_it_is(scene: Scene) -> None:
    image, network = make_image(scene.api, "seed"), scene.make("networks", name="bed", cidr="10.1.0.0/24")
    one, other = [scene.make("servers", name=name, image=image, flavor="small", networks=network) for name in "ab"]
    volume = scene.make("volumes", name="data", size="1")
    page = after(scene, f"{D}/volumes/{volume}/attach", server=one)
    scene.api.delete(f"{V}/servers/{one}/os-volume_attachments/{volume}", 202)
    scene.cloud.run_jobs()
    wanted = {"volumeId": volume, "tag": "db", "delete_on_termination": True}
    where = f"{V}/servers/{other}/os-volume_attachments"
    scene.api.post(where, {"volumeAttachment": wanted}, 200, headers=at("2.96"))
    scene.cloud.run_jobs()
    told = undo(scene, page)
    assert told.status_code == 409 and LEFT_ALONE in told.text
    assert scene.volume(f"volumes/{volume}")["attachments"][0]["server_id"] == other
    assert FORM not in after(scene, f"{D}/volumes/{volume}/detach"), "the guest's tag would not come back"
    wanted = {"volumeId": volume, "device": "/dev/vdk", "delete_on_termination": True}
    scene.api.post(where, {"volumeAttachment": wanted}, 200, headers=at("2.96"))
    scene.cloud.run_jobs()
    assert undo(scene, after(scene, f"{D}/volumes/{volume}/detach")).status_code == 303
    [back] = scene.api.get(where, headers=at("2.96")).json()["volumeAttachments"]
    assert (back["device"], back["delete_on_termination"], back["tag"]) == ("/dev/vdk", True, None)


def test_an_address_that_another_moved_since_stays_there(scene: Scene) -> None:
    network, router = scene.make("networks", name="bed", cidr="10.1.0.0/24"), scene.make("routers", name="gate")
    [subnet] = scene.show(f"{N}/networks/{network}")["subnets"]
    scene.do("routers", router, "add-interface", subnet_id=subnet)
    address, ports = scene.make("floating-ips"), [scene.make("ports", network=network, name=name) for name in "ab"]
    [fixed] = scene.show(f"{N}/ports/{ports[0]}")["fixed_ips"]
    second = {"subnet_id": subnet, "ip_address": "10.1.0.77"}
    scene.api.put(f"{N}/ports/{ports[0]}", {"port": {"fixed_ips": [fixed, second]}}, 200)
    after(scene, f"{D}/floating-ips/{address}/associate", port_id=ports[0], fixed_ip_address="10.1.0.77")
    page = after(scene, f"{D}/floating-ips/{address}/associate", port_id=ports[1])
    assert undo(scene, page).status_code == 303
    assert scene.show(f"{N}/floatingips/{address}")["fixed_ip_address"] == "10.1.0.77"
    answer = scene.browser.fill(f"{D}/floating-ips/{address}", "/disassociate")
    scene.api.put(f"{N}/floatingips/{address}", {"floatingip": {"port_id": ports[1]}}, 200)
    assert undo(scene, scene.browser.get(answer.headers["location"])).status_code == 409
    assert scene.show(f"{N}/floatingips/{address}")["port_id"] == ports[1]
    route = {"destination": "192.0.2.0/24", "nexthop": "10.1.0.9"}
    page = after(scene, f"{D}/routers/{router}/add-route", **route)
    assert FORM not in after(scene, f"{D}/routers/{router}/add-route", **route), "it was there"
    assert undo(scene, page).status_code == 303 and scene.show(f"{N}/routers/{router}")["routes"] == []
    assert FORM not in after(scene, f"{D}/routers/{router}/remove-route", **route), "it was not there"


def test_what_another_administrator_gave_is_not_taken(scene: Scene) -> None:
    boss, api = Scene(scene.cloud, admin(scene.cloud), scene.cloud.admin), scene.cloud.admin
    project, user = scene.api.project_id, scene.api.user_id
    role = next(one["id"] for one in api.get("/identity/v3/roles").json()["roles"] if one["name"] == "reader")
    group = api.post("/identity/v3/groups", {"group": {"name": "diggers"}}, 201).json()["group"]["id"]
    for kind, resource, action, held, given in (
        ("projects", project, "grant", f"projects/{project}/users/{user}/roles/{role}", {"role_id": role}),
        ("groups", group, "add-user", f"groups/{group}/users/{user}", {}),
        ("users", user, "grant-system", f"system/users/{user}/roles/{role}", {"role_id": role}),
    ):
        form, given = f"{D}/{kind}/{resource}/{action}", {**given, **({} if kind == "users" else {"user_id": user})}
        assert undo(boss, after(boss, form, **given), boss.browser).status_code == 303
        api.get(f"/identity/v3/{held}", 404)
        api.put(f"/identity/v3/{held}", None, 204)
        assert FORM not in after(boss, form, **given)
        api.get(f"/identity/v3/{held}", 204)


def test_a_zone_comes_and_goes_by_the_form(scene: Scene) -> None:
    boss = Scene(scene.cloud, admin(scene.cloud), scene.cloud.admin)
    aggregate = boss.make("aggregates", name="row")
    [one] = [row["id"] for row in boss.api.get(f"{V}/os-aggregates").json()["aggregates"]]
    form = f"{D}/aggregates/{one}/edit"
    for zone, before in (("az1", None), ("", "az1")):
        page = after(boss, form, name="row", availability_zone=zone)
        assert boss.show(f"{V}/os-aggregates/{one}")["availability_zone"] == (zone or None), aggregate
        assert undo(boss, page, boss.browser).status_code == 303
        assert boss.show(f"{V}/os-aggregates/{one}")["availability_zone"] == before
        after(boss, form, name="row", availability_zone="az1")


def test_hosts_come_back_to_work_unless_another_has_a_reason(scene: Scene) -> None:
    boss = Scene(scene.cloud, admin(scene.cloud), scene.cloud.admin)
    host = boss.api.get("/hosts").json()["hosts"][0]
    form = f"{D}/hosts/{host['id']}"
    page = after(boss, f"{form}/disable", disabled_reason="new disks")
    assert undo(boss, page, boss.browser).status_code == 303
    assert boss.api.get(f"/hosts/{host['id']}").json()["host"]["enabled"]
    page = after(boss, f"{form}/disable", disabled_reason="new disks")
    boss.api.put(f"/hosts/{host['id']}", {"host": {"enabled": False, "disabled_reason": "smoke"}}, 200)
    assert undo(boss, page, boss.browser).status_code == 409
    answer = boss.browser.post(f"{form}/enable", [("csrf", boss.browser.csrf)])
    assert undo(boss, boss.browser.get(answer.headers["location"]), boss.browser).status_code == 303
    assert boss.api.get(f"/hosts/{host['id']}").json()["host"]["disabled_reason"] == "smoke"
    boss.make("aggregates", name="row")
    one = boss.api.get(f"{V}/os-aggregates").json()["aggregates"][0]["id"]
    page = after(boss, f"{D}/aggregates/{one}/add-host", host=host["name"])
    assert boss.show(f"{V}/os-aggregates/{one}")["hosts"] == [host["name"]]
    assert undo(boss, page, boss.browser).status_code == 303
    assert boss.show(f"{V}/os-aggregates/{one}")["hosts"] == []
    service = boss.api.get(f"{V}/os-services?binary=nova-compute", headers=at("2.96")).json()["services"][0]["id"]
    answer = boss.browser.post(f"{D}/services/{service}/enable", [("csrf", boss.browser.csrf)])
    assert FORM not in boss.browser.get(answer.headers["location"]), "the host's reason is not the form's"


def test_lines_and_lists_come_back_as_they_were(scene: Scene) -> None:
    image, network = make_image(scene.api, "seed"), scene.make("networks", name="bed", cidr="10.1.0.0/24")
    server = scene.make("servers", name="web", image=image, flavor="small", networks=network)
    here, volume = f"{D}/servers/{server}", scene.make("volumes", name="data", size="1")
    first = {"metadata": "b=1\r\na=2", "tags": "b,a"}
    for name, typed in first.items():
        after(scene, f"{here}/{name}", **{name: typed})
        assert undo(scene, after(scene, f"{here}/{name}", **{name: typed[:3]})).status_code == 303
    assert scene.server(server)["metadata"] == {"a": "2", "b": "1"} and set(scene.server(server)["tags"]) == {"a", "b"}
    scene.api.put(f"{V}/servers/{server}/metadata", {"metadata": {"note": "two\nlines"}}, 200)
    assert FORM not in after(scene, f"{here}/metadata", metadata="note=one"), "a form cannot say two lines"
    form = f"{D}/volumes/{volume}/read-only"
    for readonly in ("true", ""):
        assert undo(scene, after(scene, form, readonly=readonly)).status_code == 303
        assert (scene.volume(f"volumes/{volume}")["metadata"]["readonly"] == "True") == (not readonly)
        if readonly:
            after(scene, form, readonly="true")
    form = f"{D}/volumes/{volume}/metadata"
    assert "readonly" not in dict(Forms(scene.browser.get(form)).forms[-1]["fields"])["metadata"], (
        "that is no line of the user's"
    )
    assert undo(scene, after(scene, form, metadata="a=1")).status_code == 303
    assert scene.volume(f"volumes/{volume}")["metadata"] == {"readonly": "True"}


def test_parts_of_names_are_found(scene: Scene) -> None:
    make_image(scene.api, "ubuntu-24.04")
    volume = scene.make("volumes", name="database", size="1")
    scene.do("volumes", volume, "snapshot", name="before-noon")
    for text, found in (
        ("ubuntu", "ubuntu-24.04"),
        ("24.04", "ubuntu-24.04"),
        ("tabas", "database"),
        ("noon", "before"),
    ):
        assert found in scene.browser.get(f"{D}/search?q={text}")
    assert "database" in scene.browser.get(f"{D}/volumes?q=tabas")


@pytest.mark.parametrize(
    ("kind", "action", "row", "values", "offered"),
    [
        ("servers", "lock", {"locked": True}, {}, False),
        ("servers", "lock", {"locked": False}, {}, True),
        ("servers", "shelve", {"status": "SHUTOFF"}, {}, False),
        ("servers", "shelve", {"status": "ACTIVE"}, {}, True),
        ("servers", "add-group", {}, {"name": "doors"}, False),
        ("hosts", "enable", {"enabled": True}, {}, False),
        ("hosts", "disable", {"enabled": False, "disabled_reason": "theirs"}, {}, False),
        ("services", "enable", {"status": "disabled", "disabled_reason": "theirs"}, {}, False),
        ("alarms", "enable", {"enabled": True}, {}, False),
        ("images", "reactivate", {"status": "active"}, {}, False),
        ("image-members", "remove", {"status": "accepted"}, {}, False),
        ("rules", "delete", {"security_group_id": "g", "project_id": "another's"}, {}, False),
        ("rules", "delete", {"security_group_id": "g", "project_id": "own"}, {}, True),
    ],
)
def test_what_is_not_sure_has_no_button(kind: str, action: str, row: dict, values: dict, offered: bool) -> None:  # type: ignore[type-arg]
    of = KINDS[kind].action(action)
    assert of is not None
    done = Done(KINDS[kind], of, "x", "in", {}, row, None, values=values, project="own")
    assert (step(done) is not None) == offered


def test_an_administrator_who_unlocks_has_no_way_back_to_the_owners_lock() -> None:
    of = KINDS["servers"].action("unlock")
    assert of is not None
    done = Done(KINDS["servers"], of, "x", "", {}, {"locked": True}, None, admin=True)
    assert step(done) is None


def test_sentences_are_told_in_japanese_at_once_whatever_is_in_them() -> None:
    words = Words("ja")
    told = sentence(words, "Transition to alarm due to 2 samples outside threshold, most recent: 9.0")
    assert "アラーム" in told and "しきい値の範囲外です" in told and "9.0" in told
    told = sentence(words, "Volume v1 status must be available or in-use, but current status is: error.")
    assert "利用可能または使用中" in told and "エラー" in told and "v1" in told
    assert "ホストがありません" in sentence(words, "No host has the role network.")
    assert "サイズ" in sentence(words, "size: a value is required.")
    for form in FORMS:
        text = re.sub(r"{(\w+)}", "x", form)
        assert sentence(words, text) != text, form
    assert sentence(words, "Instance  could not be found.") == "Instance  could not be found."
    hard = "Quota exceeded for x" + ": Requested y" * 12 + ", but already used z" * 8 + " of q" * 70
    began = time.process_time()
    for _ in range(10):
        sentence(words, hard[:1000])
        sentence(words, hard[:990] + ".")
    assert time.process_time() - began < 1


def test_a_sentence_names_fields_as_their_form_does() -> None:
    labels = {"template": "Template", "size": "Size", "key_name": "Key pair"}
    assert sentence(Words("en"), "template: a value is required.", labels) == "Template: a value is required."
    told = "Invalid input for field/attribute server.key_name. Expected `str` of length <= 255"
    assert sentence(Words("en"), told, labels) == told.replace("server.key_name", "Key pair")
    assert "キーペア" in sentence(Words("ja"), told, labels)
    assert sentence(Words("en"), "other: a value is required.", labels) == "other: a value is required."


def test_a_reason_within_a_sentence_and_what_a_quota_binds_are_in_the_language_too() -> None:
    words = Words("ja")
    told = sentence(words, "Invalid input received: Volume size '0' must be an integer and greater than 0")
    assert "Volume size" not in told and "0" in told
    assert "gigabytes" not in sentence(words, "Quota exceeded, too many gigabytes.")
    deep = "Invalid input received: " * 40
    assert sentence(words, deep), "however deep, it ends"
