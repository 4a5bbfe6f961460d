"""What is done seldom, by its page: accounts and keys, roles of groups, shares of images, types, pools, routes."""

from __future__ import annotations

import asyncio
import html
import re
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import replace

from tane.db import database
from tane.services.dashboard.api import objects, sharing
from tests.api.compute_support import V, make_image, make_network
from tests.api.dashboard_support import Browser, D, N, Scene, admin, make_scene
from tests.support import ApiCloud


@pytest.fixture
def scene(cloud: ApiCloud) -> Scene:
    return make_scene(cloud)


def test_a_launch_offers_what_boots_and_what_is_of_the_project(scene: Scene) -> None:
    boss = Scene(scene.cloud, admin(scene.cloud), scene.cloud.admin)
    image = make_image(boss.api, "seed", visibility="public")
    kernels = [
        make_image(boss.api, kind, disk_format=kind, container_format=kind, visibility="public")
        for kind in ("aki", "ari")
    ]
    theirs, mine = make_network(scene.api, "bed"), make_network(boss.api, "hall", "10.2.0.0/24")
    shared = make_network(boss.api, "street", "10.3.0.0/24")
    boss.api.put(f"{N}/networks/{shared}", {"network": {"shared": True}}, 200)
    port = scene.api.post(f"{N}/ports", {"port": {"network_id": theirs}}, 201).json()["port"]["id"]
    doors = [
        caller.post(f"{N}/security-groups", {"security_group": {"name": "doors"}}, 201).json()["security_group"]["id"]
        for caller in (scene.api, boss.api)
    ]
    page = boss.browser.get(f"{D}/new/servers")
    for name, there in ((mine, 1), (shared, 1), (doors[1], 1), (theirs, 0), (doors[0], 0), (port, 0)):
        assert page.count(f'"{name}"') == there, name
    page = scene.browser.get(f"{D}/new/servers")
    for name, there in ((theirs, 1), (shared, 1), (doors[0], 1), (port, 1), (mine, 0), (doors[1], 0)):
        assert page.count(f'"{name}"') == there, name
    for path in ("servers", "volumes"):
        page = scene.browser.get(f"{D}/new/{path}")
        assert f'"{image}"' in page and not any(f'"{one}"' in page for one in kernels)


def test_one_changes_ones_own_password_and_logs_in_with_it(scene: Scene) -> None:
    me = scene.api.user_id
    assert f"{D}/account/{me}/password" in scene.browser.get(D)
    wrong = scene.do("account", me, "password", expect=401, original_password="no", password="new-secret")
    assert "new-secret" not in wrong
    scene.do("account", me, "password", original_password="mia-secret", password="new-secret")
    answer = scene.browser.send("GET", f"{D}/account")
    assert answer.status_code == 303 and answer.headers["location"].startswith(f"{D}/login")
    assert Browser(scene.cloud).login("mia", "mia-secret").status_code == 401
    assert Browser(scene.cloud).login("mia", "new-secret").status_code == 303


def test_keys_of_ec2_and_passcodes_are_shown_once(scene: Scene) -> None:
    me = scene.api.user_id
    path = f"/identity/v3/users/{me}/credentials/OS-EC2"
    shown = scene.browser.fill(f"{D}/new/ec2-keys").text
    [key] = scene.api.get(path).json()["credentials"]
    assert key["access"] in shown and key["secret"] in shown and key["tenant_id"] == scene.api.project_id
    listed = scene.browser.get(f"{D}/ec2-keys")
    assert key["access"] in listed and key["secret"] not in listed
    scene.do("ec2-keys", key["access"], "delete")
    assert scene.api.get(path).json()["credentials"] == []
    shown = scene.browser.fill(f"{D}/new/passcodes").text
    [seed] = re.findall(r"otpauth://totp/Tane%3Amia\?secret=([A-Z2-7]{32})<", shown)
    [code] = scene.api.get("/identity/v3/credentials?type=totp").json()["credentials"]
    assert code["blob"] == seed and seed not in scene.browser.get(f"{D}/passcodes")
    scene.do("passcodes", code["id"], "delete")
    assert scene.api.get("/identity/v3/credentials?type=totp").json()["credentials"] == []


def test_roles_of_groups_domains_and_the_whole_cloud(scene: Scene) -> None:
    boss = Scene(scene.cloud, admin(scene.cloud), scene.cloud.admin)
    make, do, api = boss.make, boss.do, boss.api
    project, group, user = (
        make("projects", name="yard"),
        make("groups", name="team"),
        make("users", name="ole", password="x"),
    )
    domain, role = make("domains", name="west", enabled="true"), make("roles", name="helper")

    def roles(query: str) -> list[str]:
        return [
            one["role"]["id"] for one in api.get(f"/identity/v3/role_assignments?{query}").json()["role_assignments"]
        ]

    for kind, where, scope in (("projects", project, "project"), ("domains", domain, "domain")):
        for who, held, grant, take in (("group", group, "grant-group", "take-group"), ("user", user, "grant", "take")):
            do(kind, where, grant, **{f"{who}_id": held, "role_id": role})
            assert roles(f"scope.{scope}.id={where}&{who}.id={held}") == [role]
            assert "helper" in boss.browser.get(f"{D}/{kind}/{where}")
            do(kind, where, take, **{f"{who}_id": held, "role_id": role})
            assert roles(f"scope.{scope}.id={where}") == []
    for kind, held in (("users", user), ("groups", group)):
        do(kind, held, "grant-system", role_id=role)
        assert roles(f"scope.system=all&{kind[:-1]}.id={held}") == [role]
        do(kind, held, "take-system", role_id=role)
    do("projects", project, "tags", tags="green, wide")
    assert sorted(boss.show(f"/identity/v3/projects/{project}")["tags"]) == ["green", "wide"]
    do("projects", project, "tags", tags="")
    assert boss.show(f"/identity/v3/projects/{project}")["tags"] == []
    other = make("roles", name="hand")
    boss.browser.fill(f"{D}/new/implied-roles?in={role}", f"{D}/new/implied-roles", role_id=other)
    assert "hand" in boss.browser.get(f"{D}/roles/{role}")
    do("implied-roles", other, "delete", role)
    assert api.get(f"/identity/v3/roles/{role}/implies").json()["role_inference"]["implies"] == []
    do("users", user, "factors", passcode="true")
    assert boss.show(f"/identity/v3/users/{user}")["options"]["multi_factor_auth_rules"] == [["password", "totp"]]


def test_flavors_types_and_aggregates_are_given_and_taken(scene: Scene) -> None:
    boss = Scene(scene.cloud, admin(scene.cloud), scene.cloud.admin)
    make, do, show, mine = boss.make, boss.do, boss.show, scene.api.project_id
    flavor = make("flavors", name="own", vcpus="1", ram="64", disk="1", public=[])
    do("flavors", flavor, "grant", tenant=mine)
    assert "garden" in boss.browser.get(f"{D}/flavors/{flavor}")
    do("flavor-access", mine, "remove", flavor)
    assert show(f"{V}/flavors/{flavor}/os-flavor-access") == []
    do("flavors", flavor, "extra", specs="hw:cpu_policy=shared")
    assert "hw:cpu_policy = shared" in boss.browser.get(f"{D}/flavors/{flavor}")
    do("flavors", flavor, "unset-extra", key="hw:cpu_policy")
    do("flavors", flavor, "edit", description="for tests")
    assert "for tests" in boss.browser.get(f"{D}/flavors/{flavor}")
    types = f"/volume/v3/{boss.api.project_id}/types"
    kind = make("volume-types", name="own", public=[])
    do("volume-types", kind, "grant", project=mine)
    assert "garden" in boss.browser.get(f"{D}/volume-types/{kind}")
    do("volume-type-access", mine, "remove", kind)
    assert show(f"{types}/{kind}/os-volume-type-access") == []
    do("volume-types", kind, "extra", specs="color=red")
    assert show(f"{types}/{kind}")["extra_specs"] == {"color": "red"}
    do("volume-types", kind, "unset-extra", key="color")
    assert show(f"{types}/{kind}")["extra_specs"] == {}
    do("volume-types", kind, "default", target=mine)
    found = boss.api.get(
        f"/volume/v3/{boss.api.project_id}/default-types/{mine}", headers={"OpenStack-API-Version": "volume 3.62"}
    )
    assert found.json()["default_type"]["volume_type_id"] == kind
    aggregate = make("aggregates", name="rack")
    do("aggregates", aggregate, "edit", name="row", availability_zone="left")
    assert show(f"{V}/os-aggregates/{aggregate}")["name"] == "row"


def test_images_are_shared_and_answered(scene: Scene) -> None:
    noa = scene.cloud.new_user("noa", "orchard")
    image = make_image(scene.api, "seed")
    scene.do("images", image, "edit", name="seed", visibility="shared", tags="old, small")
    assert scene.api.get(f"/image/v2/images/{image}").json()["tags"] == ["old", "small"]
    scene.do("images", image, "share", member=noa.project_id)
    assert noa.project_id in scene.browser.get(f"{D}/images/{image}")
    theirs = Browser(scene.cloud)
    theirs.login("noa", "noa-secret")
    assert image not in theirs.get(f"{D}/images") and image in theirs.get(f"{D}/images?member_status=pending")
    Scene(scene.cloud, theirs, noa).do("images", image, "answer", status="accepted")
    assert image in theirs.get(f"{D}/images")
    scene.do("image-members", noa.project_id, "remove", image)
    assert image not in theirs.get(f"{D}/images")


def test_volumes_say_what_failed_and_are_read_only(scene: Scene) -> None:
    image, volume = make_image(scene.api, "seed"), scene.make("volumes", name="data", size="1")
    scene.do("volumes", volume, "metadata", metadata="color=red\nsize=big")
    assert "color=red\nsize=big" in scene.browser.get(f"{D}/volumes/{volume}/metadata")
    scene.do("volumes", volume, "read-only", readonly="true")
    assert scene.volume(f"volumes/{volume}")["metadata"]["readonly"] == "True"
    scene.do("volumes", volume, "read-only", readonly=[])
    scene.do("volumes", volume, "reimage", image_id=image)
    assert scene.volume(f"volumes/{volume}")["status"] == "available"
    assert "Nothing failed." in scene.browser.get(f"{D}/volume-messages")


def test_pools_routes_and_tags_of_networks(scene: Scene) -> None:
    pool = scene.make("subnet-pools", name="pond", prefixes="10.64.0.0/16", default_prefixlen="24")
    scene.do("subnet-pools", pool, "edit", name="lake", prefixes="10.64.0.0/16", description="wide")
    assert scene.show(f"{N}/subnetpools/{pool}")["name"] == "lake"
    network = scene.make("networks", name="bed", cidr="")
    subnet = scene.make("subnets", network=network, subnetpool_id=pool, prefixlen="26", cidr="", gateway_ip="")
    assert scene.show(f"{N}/subnets/{subnet}")["cidr"] == "10.64.0.0/26"
    router = scene.make("routers", name="gate", gateway="")
    scene.do("routers", router, "add-interface", subnet_id=subnet)
    way = {"destination": "192.0.2.0/24", "nexthop": "10.64.0.9"}
    scene.do("routers", router, "add-route", **way)
    assert "192.0.2.0/24 → 10.64.0.9" in scene.browser.get(f"{D}/routers/{router}")
    scene.do("routers", router, "remove-route", **way)
    assert scene.show(f"{N}/routers/{router}")["routes"] == []
    [address] = [
        scene.make("floating-ips", network=scene.api.get(f"{N}/networks?name=outside").json()["networks"][0]["id"])
    ]
    scene.do("floating-ips", address, "edit", description="front door")
    group = scene.make("security-groups", name="doors")
    [port] = scene.api.get(f"{N}/ports?device_id={router}").json()["ports"]
    for kind, one in (
        ("routers", router),
        ("subnets", subnet),
        ("ports", port["id"]),
        ("floating-ips", address),
        ("security-groups", group),
    ):
        scene.do(kind, one, "tags", tags="green")
        assert "green" in scene.browser.get(f"{D}/{kind}/{one}"), kind
    scene.do("security-groups", group, "delete")


def test_a_servers_backups_rotate_and_its_metadata_is_kept_in_the_form(scene: Scene) -> None:
    image, network = make_image(scene.api, "seed"), scene.make("networks", name="bed", cidr="10.1.0.0/24")
    server = scene.make("servers", name="web", image=image, flavor="small", networks=network, metadata="role=web")
    assert "role=web" in scene.browser.get(f"{D}/servers/{server}/metadata")
    for name in ("monday", "tuesday"):
        scene.do("servers", server, "backup", name=name, backup_type="daily", rotation="1")
    names = {one["name"] for one in scene.api.get("/image/v2/images").json()["images"]}
    assert "tuesday" in names and "monday" not in names
    shown = scene.browser.get(f"{D}/servers/{server}")
    assert "Launch a server" in shown and "createBackup" not in shown
    boss = Scene(scene.cloud, admin(scene.cloud), scene.cloud.admin)
    told = boss.do("servers", server, "evacuate", expect=400)
    assert "is still in use" in told or "is up" in told, told


def test_a_stack_goes_back_to_its_snapshot(scene: Scene) -> None:
    template = "heat_template_version: 2021-04-16\nresources:\n  bed: {type: OS::Heat::Value, properties: {value: a}}\n"
    stack = scene.make("stacks", stack_name="hill", template=template)
    name = stack.replace("%3A", ":")
    path = f"/orchestration/v1/{scene.api.project_id}/stacks/{name.replace(':', '/')}/snapshots"
    scene.make("stack-snapshots", name, name="before")
    [made] = scene.api.get(path).json()["snapshots"]
    assert "before" in scene.browser.get(f"{D}/stacks/{stack}")
    scene.do("stack-snapshots", made["id"], "restore", name)
    scene.do("stack-snapshots", made["id"], "delete", name)
    assert scene.api.get(path).json()["snapshots"] == []


def test_what_is_refused_is_told_in_the_language_of_the_page(scene: Scene) -> None:
    browser = Browser(scene.cloud, "ja")
    browser.login("mia", "mia-secret")
    network = scene.make("networks", name="bed", cidr="")
    for path, values, sentence in (
        ("/new/networks", {"name": ""}, "名前: 値が必要です。"),
        ("/new/volumes", {"size": "much"}, "サイズ (GiB): 「much」は整数ではありません。"),
        ("/new/volumes", {"size": "100000"}, "を超えています"),
        (f"/networks/{network}/edit", {"name": "x" * 300}, "フィールド「名前」は 255 文字以内にしてください。"),
        ("/new/subnets", {"network": network, "cidr": "wrong"}, "wrong"),
    ):
        answer = browser.fill(D + path, **values)
        assert answer.status_code >= 400 and sentence in answer.text, (
            path,
            re.findall(r'alert">(.*?)</p>', answer.text),
        )
    answer = browser.send("GET", f"{D}/servers/none")
    assert answer.status_code == 404 and "サーバー none が見つかりません。" in answer.text


def test_a_change_can_empty_a_field(scene: Scene) -> None:
    network = scene.make("networks", name="bed", cidr="", description="for plants")
    scene.do("networks", network, "edit", name="bed", description="", admin_state_up="true")
    assert scene.show(f"{N}/networks/{network}")["description"] == ""
    port = scene.make("ports", network=network, name="door")
    assert scene.show(f"{N}/ports/{port}")["security_groups"] != []
    scene.do("ports", port, "edit", name="door", security_groups=[], admin_state_up="true")
    assert scene.show(f"{N}/ports/{port}")["security_groups"] == []


def test_the_first_steps_lead_to_a_running_server(scene: Scene) -> None:
    browser = scene.browser
    answer = browser.fill(f"{D}/new/networks", name="bed", cidr="10.1.0.0/24")
    page = browser.get(answer.headers["location"])
    assert "1 of 4 first steps are done. Next:" in page and f'href="{D}/new/keypairs">' in page
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBGtPEYZm8nCkbyEbOWGmTjhSdhmIvzbkLNSQTwcgKPQ mia@garden"
    answer = browser.fill(f"{D}/new/keypairs", name="key", public_key=key)
    assert f'href="{D}/new/images">' in browser.get(answer.headers["location"])
    make_image(scene.api, "seed")
    answer = browser.fill(f"{D}/new/servers", name="web")
    page = browser.get(answer.headers["location"])
    [link] = re.findall(rf'href="{D}/servers/([^/]+)/serial">Serial console</a></p>', page)
    assert "your first server starts now" in page
    scene.cloud.run_jobs()
    assert scene.server(link)["status"] == "ACTIVE" and "First steps" not in browser.get(D)


def test_an_administrator_looks_at_another_projects_bill_and_a_member_does_not(scene: Scene) -> None:
    boss, other = admin(scene.cloud), scene.cloud.new_user("noa", "orchard").project_id
    page = boss.get(f"{D}/bill?project_id={scene.api.project_id}")
    assert f'<option value="{scene.api.project_id}" selected>garden</option>' in page
    assert f"project_id={scene.api.project_id}" in page
    assert 'name="project_id"' not in scene.browser.get(f"{D}/bill?project_id={other}")


def test_earlier_versions_go_on_and_deletions_are_told(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objects, "PAGE", 2)
    browser, path = scene.browser, f"/v1/AUTH_{scene.api.project_id}/attic"
    scene.api.put(path, None, 201, headers={"X-Versions-Enabled": "true"})
    for text in (b"1", b"2", b"3"):
        scene.api.request("PUT", f"{path}/note", expect=201, content=text)
    scene.api.delete(f"{path}/note", 204)
    where, seen = f"{D}/objects?container=attic&versions=1", ""
    for _ in range(3):
        page = browser.get(where)
        seen += page
        following = re.search(r'class="pages"><a class="button" href="([^"]+)"', page)
        if following is None:
            break
        where = html.unescape(following[1])
    assert (seen.count('name="version" value='), seen.count(">Deleted<")) == (3, 1)
    assert seen.count("version-id=") == 3, "a deletion is no file to load"


def test_two_first_links_at_once_are_both_good(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = ""

    async def header(visit: object, container: str, name: str) -> str:
        found = kept
        await asyncio.sleep(0)
        return found

    async def ask(visit: object, method: str, container: str, *, headers: dict[str, str]) -> None:
        nonlocal kept
        await asyncio.sleep(0)
        kept = next(iter(headers.values()))

    monkeypatch.setattr(sharing, "_header", header)
    monkeypatch.setattr(sharing.objects, "ask", ask)
    visit: Any = SimpleNamespace(core=SimpleNamespace(memory={}), ctx=SimpleNamespace(project_id="p"))

    async def both() -> list[str]:
        return await asyncio.gather(sharing._key(visit, "attic"), sharing._key(visit, "attic"))

    assert asyncio.run(both()) == [kept, kept]


def test_objects_are_shared_by_a_link_and_come_back_as_they_were(scene: Scene) -> None:
    browser, name = scene.browser, "庭 & <b>.txt"
    base = [("csrf", browser.csrf), ("container", "attic"), ("prefix", "")]
    browser.post(f"{D}/objects", [*base, ("what", "make")])
    assert browser.post(f"{D}/objects", [*base, ("what", "versions"), ("keep", "yes")]).status_code == 303
    for text in (b"first", b"second"):
        browser.send(
            "POST", f"{D}/objects", data=dict([*base, ("what", "upload")]), files={"file": (name, text, "text/plain")}
        )
    page = browser.get(f"{D}/objects?container=attic&versions=1")
    [version] = re.findall(r'name="version" value="([^"]+)"', page)
    [old] = [html.unescape(one) for one in re.findall(r'href="([^"]+version-id=[^"]+)"', page) if version in one]
    assert browser.send("GET", old).content == b"first"
    answer = browser.post(f"{D}/objects", [*base, ("what", "restore"), ("name", name), ("version", version)])
    assert answer.status_code == 303
    shared = browser.post(f"{D}/objects", [*base, ("what", "share"), ("name", name), ("hours", "24")])
    [link] = [html.unescape(one) for one in re.findall(r"<code>(http[^<]+temp_url_sig[^<]+)</code>", shared.text)]
    assert scene.cloud.call("GET", link.removeprefix("http://cloud.test")).content == b"first"
    assert scene.cloud.call("GET", link.removeprefix("http://cloud.test").replace("sig=", "sig=0")).status_code == 401
    scene.cloud.advance(24 * 3600 + 1)
    assert scene.cloud.call("GET", link.removeprefix("http://cloud.test")).status_code == 401
    for hours in ("", "9999"):
        refused = Browser(scene.cloud)
        refused.login("mia", "mia-secret")
        told = refused.post(
            f"{D}/objects", [("csrf", refused.csrf), *base[1:], ("what", "share"), ("name", name), ("hours", hours)]
        )
        assert told.status_code == 400


def test_an_administrator_sees_what_the_doctor_finds(scene: Scene) -> None:
    scene.make("networks", name="bed", cidr="10.1.0.0/24", dns="")
    found = scene.cloud.admin.get("/hosts/findings").json()["findings"]
    assert any("has no DNS server" in one["what"] and "dns-nameserver" in one["mend"] for one in found)
    scene.api.get("/hosts/findings", 403)
    for language, sentence in (("en", "Its servers resolve each other"), ("ja", "DNS サーバーがありません")):
        boss = admin(scene.cloud, language)
        assert sentence in boss.get(D) and sentence in boss.get(f"{D}/findings")
    assert "DNS server" not in scene.browser.get(D)
    assert scene.browser.send("GET", f"{D}/findings").status_code == 403


def test_jobs_are_told_step_by_step_and_one_that_pauses_is_tried_now(scene: Scene) -> None:
    from tests.api.test_jobs import write

    scene.make("servers", name="web", image=make_image(scene.api), flavor="small", networks=make_network(scene.api))
    page = scene.browser.get(f"{D}/jobs")
    assert "Launch a server" in page and "/dashboard/servers/" in page
    number = scene.api.get("/jobs").json()["jobs"][0]["id"]
    shown = scene.browser.get(f"{D}/jobs/{number}")
    assert "choose a host" in shown and "Complete" in shown and "Try it now" not in shown
    fragment = scene.browser.get(f"{D}/tasks", headers={"HX-Request": "true"})
    assert "Launch a server" in fragment and "<html" not in fragment
    later = scene.cloud.core.clock.now() + timedelta(hours=1)
    own = scene.api.project_id
    paused = write(scene.cloud, "server:x", own, run_after=later, attempt=2, step="start", begun=["start"])
    assert "start it" in scene.browser.get(f"{D}/tasks") and "Waiting" in scene.browser.get(f"{D}/tasks")
    boss = Scene(scene.cloud, admin(scene.cloud), scene.cloud.admin)
    assert "Try it now" in boss.browser.get(f"{D}/all-jobs/{paused}")
    boss.do("all-jobs", str(paused), "try")
    told = boss.browser.get(f"{D}/all-jobs/{paused}")
    assert "this release does not know the operation" in told and "Failed" in told and "Try it now" not in told
    assert "this release" not in scene.browser.get(f"{D}/jobs/{paused}"), "reasons are for administrators"
    own = write(scene.cloud, "server:y", boss.api.project_id, run_after=later)
    boss.do("jobs", str(own), "try")
    assert boss.show(f"/jobs/{own}")["state"] == "failed"
    scene.browser.get(f"{D}/all-jobs", 403)


def test_administrators_see_the_settings_and_no_password_of_them(scene: Scene) -> None:
    core = scene.cloud.core
    core.config = replace(
        core.config, database_url="postgresql+psycopg://tane:hush@db.example/tane?password=quiet", region="North"
    )
    told = {one["name"]: one for one in scene.cloud.admin.get("/hosts/settings").json()["settings"]}
    assert told["region"] == {"id": "region", "name": "region", "value": "North", "usual": "RegionOne", "set": True}
    assert told["database_url"]["value"] == "postgresql+psycopg of db.example"
    assert told["image.free_percent"]["set"] is False and "limits.headers" in told
    names = [one["name"] for one in scene.cloud.admin.get("/hosts/settings?marker=image&limit=2").json()["settings"]]
    assert names == sorted(names) and len(names) == 2 and names[0].startswith("image.")
    boss = admin(scene.cloud)
    page = boss.get(f"{D}/settings?marker=r") + boss.get(f"{D}/settings?marker=console_token_ttl")
    assert "North" in page and "of db.example" in page and "hush" not in page and "quiet" not in page
    scene.api.get("/hosts/settings", 403)
    scene.browser.get(f"{D}/settings", 403)


def test_what_would_take_too_long_is_told_in_its_form_and_nothing_typed_is_lost(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = f"{D}/new/routers"
    scene.browser.get(path)
    sent = scene.browser.csrf
    monkeypatch.setattr(database, "MOST_SECONDS", 0.0)
    answer = scene.browser.post(path, [("csrf", sent), ("name", "typed <b>")])
    assert answer.status_code == 413 and answer.headers["content-type"].startswith("text/html")
    assert "Ask for less at once." in answer.text and 'value="typed &lt;b&gt;"' in answer.text
    monkeypatch.setattr(database, "MOST_SECONDS", 5.0)
    assert scene.api.get(f"{N}/routers").json()["routers"] == []


def test_long_lists_of_a_form_are_searched_without_losing_what_is_typed(scene: Scene) -> None:
    boss = scene.cloud.admin
    for place in range(60):
        body = {"name": f"size-{place:02}", "vcpus": 1, "ram": 64, "disk": 1, "id": f"s{place}"}
        boss.post(f"{V}/flavors", {"flavor": body}, 200)
    path = f"{D}/new/servers"
    page = scene.browser.get(path)
    assert page.count('<option value="s') == 50 and page.count('name="find-flavor"') == 1
    assert 'name="find-image"' not in page
    found = scene.browser.fill(path, name="web", flavor="large", **{"find-flavor": "SIZE-5"}).text
    assert 'value="large" selected>large' in found
    assert found.count("size-5") == 10 and "These have “SIZE-5” in their name." in found and 'value="web"' in found
    assert scene.api.get(f"{V}/servers").json()["servers"] == []
    told = scene.browser.fill(path, name="web", flavor="s59", show="command").text
    assert "--flavor s59" in told and 'value="s59" selected>size-59' in told


@pytest.mark.parametrize("action", ["start", "unpause", "resume", "confirm"])
def test_what_is_refused_by_a_button_without_a_form_says_why(scene: Scene, action: str) -> None:
    make_image(scene.api, "seed")
    scene.make("networks", name="bed", cidr="10.1.0.0/24")
    told = scene.do("servers", scene.make("servers", name="web"), action, expect=409)
    assert "Cannot &#39;" in told
