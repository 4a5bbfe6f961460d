"""What pages show of long lists, where they lead, and what they say where there is nothing."""

from __future__ import annotations

import pytest

from tane.services.dashboard.api.lists import PAGE, PANEL
from tane.services.dashboard.resources import ALL, KINDS
from tests.api.compute_support import make_image
from tests.api.dashboard_support import Browser, D, Forms, N, Scene, admin, make_scene
from tests.support import ApiCloud


@pytest.fixture
def scene(cloud: ApiCloud) -> Scene:
    return make_scene(cloud)


def with_ports(scene: Scene, count: int) -> str:
    """A network with so many ports, named p00 and so on."""
    network = scene.make("networks", name="bed", cidr="10.3.0.0/16")
    ports = [{"network_id": network, "name": f"p{number:02}"} for number in range(count)]
    scene.api.post(f"{N}/ports", {"ports": ports}, 201)
    return network


def test_a_panel_shows_a_page_and_leads_to_the_rest(scene: Scene) -> None:
    network = with_ports(scene, PAGE + 6)
    other = scene.make("networks", name="other", cidr="10.4.0.0/16")
    scene.make("ports", network=other, name="elsewhere")
    text = scene.browser.get(f"{D}/networks/{network}")
    panel = text.partition('data-kind="ports"')[2]
    assert panel.count("<tr data-id=") == PANEL and len(text.encode()) < 20_000
    where = f"/dashboard/ports?network_id={network}"
    assert where in text
    first = scene.browser.get(where)
    following = next(link for link in Forms(first).links + queries(first) if "marker=" in link)
    second = scene.browser.get(f"{D}/ports{following}")
    seen = [number for number in range(PAGE + 6) if f">p{number:02}</a>" in first + second]
    assert len(seen) == PAGE + 6 and "elsewhere" not in first + second
    assert "First page" in second and "First page" not in first
    assert f'name="network_id" value="{network}"' in first, "the filter stays within"


def queries(text: str) -> list[str]:
    """The links of a page to other parts of the same list."""
    return [part.partition('"')[0].replace("&amp;", "&") for part in text.split('href="') if part.startswith("?")]


def test_panels_of_what_has_no_list_of_its_own_lead_to_all_of_it(scene: Scene) -> None:
    group = scene.make("security-groups", name="web")
    scene.cloud.admin.put(f"{N}/quotas/{scene.api.project_id}", {"quota": {"security_group_rule": -1}}, 200)
    rule = {"security_group_id": group, "direction": "ingress", "protocol": "tcp", "ethertype": "IPv4"}
    for port in range(1, PAGE):
        scene.api.post(
            f"{N}/security-group-rules",
            {"security_group_rule": {**rule, "port_range_min": port, "port_range_max": port}},
            201,
        )
    text = scene.browser.get(f"{D}/security-groups/{group}")
    where = f"{D}/rules?security_group_id={group}&in={group}"
    assert where.replace("&", "&amp;") in text
    listed = scene.browser.get(where)
    assert f'href="{D}/security-groups/{group}"' in listed and "Next page" in listed


def test_every_panel_can_lead_to_its_list() -> None:
    for kind in ALL:
        for panel in kind.panels:
            inner = KINDS[panel.kind]
            known = {*inner.narrowed, *(field.to or field.name for field in inner.filters), "limit"}
            assert set(panel.query or {}) <= known, (kind.name, panel.kind)


def test_a_page_that_is_just_full_has_none_behind_it(scene: Scene) -> None:
    network = with_ports(scene, PAGE - 2)
    while len(scene.api.get(f"{N}/ports").json()["ports"]) < PAGE:
        scene.api.post(f"{N}/ports", {"port": {"network_id": network}}, 201)
    assert "Next page" not in scene.browser.get(f"{D}/ports")


def test_a_name_that_is_not_there_is_not_told_as_an_empty_list(scene: Scene) -> None:
    scene.make("networks", name="web-net")
    text = scene.browser.get(f"{D}/networks?q=web")
    assert "Nothing matches." in text and "No networks yet" not in text and "Whole name</label>" in text
    boss = admin(scene.cloud)
    text = boss.get(f"{D}/users?q=MIA")
    assert ">mia</a>" in text and ">admin</a>" not in text and "Whole name" not in text


def test_a_name_is_a_text_in_the_list_of_backups(scene: Scene) -> None:
    assert KINDS["backups"].finds_parts and not KINDS["ports"].finds_parts


def test_one_comes_back_to_the_very_page_after_the_login(scene: Scene) -> None:
    stranger = Browser(scene.cloud)
    for path in ("/objects?container=box&prefix=a%2F..%2Fb+c", "/networks?q=web", "/containers"):
        answer = stranger.send("GET", f"{D}{path}")
        login = stranger.fill(answer.headers["location"], f"{D}/login", user="mia", password="mia-secret")
        assert login.headers["location"].replace("%2F", "/") == f"{D}{path}".replace("%2F", "/")
        stranger.cookies.clear()


def test_nobody_is_led_out_of_the_portal(scene: Scene) -> None:
    for path in (
        "//evil.example/dashboard",
        "/dashboard/..//evil.example",
        "/dashboard/%2e%2E/%2e%2e/compute",
        "/dashboard\\evil",
        "/dashboardx",
        "/dashboard?a=\\b",
        "https://evil.example/dashboard",
        "/dashboard/networks?q=a\r\nSet-Cookie: a=b",
    ):
        browser = Browser(scene.cloud)
        answer = browser.fill(f"{D}/login", f"{D}/login", user="mia", password="mia-secret", next=path)
        assert (answer.status_code, answer.headers["location"]) == (303, D), path


def test_the_language_is_changed_where_one_is(scene: Scene) -> None:
    def after(text: str) -> str:
        form = next(one for one in Forms(text).forms if one["action"] == f"{D}/prefer")
        return str(scene.browser.post(form["action"], [*form["fields"], ("language", "en")]).headers["location"])

    scene.api.put(f"/v1/AUTH_{scene.api.project_id}/box", expect=201)
    where = f"{D}/objects?container=box"
    assert after(scene.browser.get(where)) == where
    group = scene.make("security-groups", name="web")
    chosen = [("csrf", scene.browser.csrf), ("action", "delete"), ("id", group)]
    sure = scene.browser.post(f"{D}/bulk/security-groups", chosen)
    assert after(sure.text) == f"{D}/security-groups"
    wrong = scene.browser.fill(f"{D}/new/networks", name="x", cidr="nonsense")
    assert wrong.status_code == 400 and after(wrong.text) == f"{D}/new/networks"
    scene.browser.get(after(wrong.text))


def test_cancel_leads_back_to_what_the_rows_are_a_part_of(scene: Scene) -> None:
    boss = admin(scene.cloud)
    api = scene.cloud.admin
    group = api.post("/identity/v3/groups", {"group": {"name": "diggers"}}, 201).json()["group"]["id"]
    api.put(f"/identity/v3/groups/{group}/users/{scene.api.user_id}", expect=204)
    chosen = [("csrf", boss.csrf), ("action", "remove"), ("id", scene.api.user_id)]
    sure = boss.post(f"{D}/bulk/group-members?in={group}", chosen)
    assert f'href="{D}/groups/{group}">Cancel' in sure.text
    boss.get(f"{D}/groups/{group}")
    report = boss.post(f"{D}/bulk/group-members?in={group}", [*chosen[:2], ("id", "nobody"), ("sure", "yes")])
    assert f'href="{D}/groups/{group}">Back' in report.text


def test_panels_come_by_themselves(scene: Scene) -> None:
    network = with_ports(scene, 1)
    text = scene.browser.get(f"{D}/networks/{network}")
    assert f'data-panels="{D}/networks/{network}?panels=1"' in text
    part = scene.browser.send("GET", f"{D}/networks/{network}?panels=1", headers={"HX-Request": "true"}).text
    assert ">p00</a>" in part and "<html" not in part


def test_an_administrators_own_lists_are_of_the_project(scene: Scene) -> None:
    boss = admin(scene.cloud)
    network = scene.make("networks", name="theirs", cidr="10.3.0.0/16")
    scene.make("routers", name="wicket")
    scene.make("security-groups", name="doors")
    for kind, name in (
        ("networks", "theirs"),
        ("routers", "wicket"),
        ("security-groups", "doors"),
        ("topology", "wicket"),
    ):
        assert name not in boss.get(f"{D}/{kind}"), kind
    assert "theirs" in boss.get(f"{D}/external-networks")
    text = boss.get(f"{D}/networks")
    project = scene.cloud.admin.project_id
    assert f"openstack network list --project {project}" in text and f"networks?project_id={project}" in text
    assert f'data-id="{network}"' not in text and "wicket</option>" not in boss.get(f"{D}/new/networks")
    assert "outside</option>" in boss.get(f"{D}/new/floating-ips"), "what is everybody's is offered to all"
    assert ">10.3." in boss.get(f"{D}/networks/{network}"), "the page of another's network shows its own"


def test_what_was_unticked_stays_so(scene: Scene) -> None:
    scene.make("networks", name="bed", cidr="10.1.0.0/24")
    fresh = next(one for one in Forms(scene.browser.get(f"{D}/new/servers")).forms if one["action"].endswith("servers"))
    assert dict(fresh["fields"])["networks"]
    typed = [pair for pair in fresh["fields"] if pair[0] not in ("networks", "name")] + [("name", "x")]
    shown = Forms(scene.browser.post(f"{D}/new/servers", [*typed, ("show", "command")]).text)
    form = next(one for one in shown.forms if one["action"].endswith("servers"))
    assert "networks" not in dict(form["fields"]) and dict(form["fields"])["name"] == "x"


def test_forms_offer_first_what_is_likely(scene: Scene) -> None:
    def chosen(path: str) -> dict[str, str]:
        return dict(next(one for one in Forms(scene.browser.get(path)).forms if path in one["action"])["fields"])

    network, image = scene.make("networks", name="bed", cidr="10.1.0.0/24"), make_image(scene.api, "seed")
    assert chosen(f"{D}/new/servers")["flavor"] == "small"
    server = scene.make("servers", name="web", image=image, flavor="small", networks=network)
    make_image(scene.api, "newer")
    assert chosen(f"{D}/servers/{server}/rebuild")["imageRef"] == image
    assert chosen(f"{D}/servers/{server}/resize")["flavorRef"] == "large"
    assert 'value="small"' not in scene.browser.get(f"{D}/servers/{server}/resize")
    text = scene.browser.get(f"{D}/servers/{server}")
    assert f'href="{D}/jobs?resource=server:{server}"' in text
    assert server in scene.browser.get(f"{D}/jobs?resource=server:{server}")


def test_who_may_only_read_is_shown_no_button(scene: Scene) -> None:
    scene.api.put(f"/v1/AUTH_{scene.api.project_id}/box", expect=201)
    scene.api.put(f"/v1/AUTH_{scene.api.project_id}/box/a", expect=201)
    scene.cloud.new_user("rea", "garden", role="reader")
    reader = Browser(scene.cloud)
    reader.login("rea", "rea-secret")
    for path in ("/containers", "/objects?container=box", "/topology", "/consoles", "/new/networks", "/new/servers"):
        forms = [one for one in Forms(reader.get(f"{D}{path}")).forms if one["method"] == "post"]
        assert not [one for one in forms if "/objects" in one["action"] and "what" in dict(one["fields"])], path
        assert "/new/" not in "".join(Forms(reader.get(f"{D}{path}")).links), path
    assert "may not do this" in reader.get(f"{D}/new/networks") and "may not" not in scene.browser.get(
        f"{D}/new/networks"
    )
    assert ">Delete</button>" not in reader.get(f"{D}/objects?container=box")
    assert ">Delete</button>" in scene.browser.get(f"{D}/objects?container=box")


def test_objects_and_containers_go_after_a_question(scene: Scene) -> None:
    account, browser = f"/v1/AUTH_{scene.api.project_id}", scene.browser
    scene.api.put(f"{account}/box", expect=201)
    scene.api.put(f"{account}/box/a <b>", expect=201)
    sent = [("csrf", browser.csrf), ("what", "delete"), ("container", "box"), ("prefix", ""), ("name", "a <b>")]
    asked = browser.post(f"{D}/objects", sent)
    assert asked.status_code == 200 and "This cannot be undone." in asked.text and "a &lt;b&gt;" in asked.text
    assert scene.api.get(f"{account}/box?format=json").json()
    form = next(one for one in Forms(asked.text).forms if one["action"] == f"{D}/objects")
    assert browser.post(form["action"], form["fields"]).status_code == 303
    assert scene.api.get(f"{account}/box?format=json").json() == []
    asked = browser.fill(f"{D}/objects?container=box", f"{D}/objects", what="remove")
    form = next(one for one in Forms(asked.text).forms if one["action"] == f"{D}/objects")
    assert browser.post(form["action"], form["fields"]).headers["location"] == f"{D}/containers"


def test_a_refused_container_or_folder_is_still_typed(scene: Scene) -> None:
    answer = scene.browser.fill(f"{D}/containers", f"{D}/objects", container="a/b")
    assert answer.status_code == 400 and 'value="a/b" aria-invalid="true"' in answer.text
    scene.api.put(f"/v1/AUTH_{scene.api.project_id}/box", expect=201)
    sent = [
        ("csrf", scene.browser.csrf),
        ("what", "folder"),
        ("container", "box"),
        ("prefix", ""),
        ("name", "x" * 1100),
    ]
    answer = scene.browser.post(f"{D}/objects", sent)
    assert answer.status_code == 400 and f'value="{"x" * 1100}" aria-invalid' in answer.text


def test_lists_of_objects_are_no_larger_than_others(scene: Scene) -> None:
    account = f"/v1/AUTH_{scene.api.project_id}"
    scene.api.put(f"{account}/box", expect=201)
    names = [f"photo-{number:02}.jpeg" for number in range(25)]
    for name in names:
        scene.api.put(f"{account}/box/{name}", expect=201)
    first = scene.browser.get(f"{D}/objects?container=box")
    following = next(link for link in Forms(first).links if "marker=" in link)
    second = scene.browser.get(following.replace("&amp;", "&"))
    assert len(first.encode()) < 20_000 and "Next page" not in second
    assert all((f">{name}</a>" in first) != (f">{name}</a>" in second) for name in names)


def test_the_field_that_is_wrong_is_marked(scene: Scene) -> None:
    answer = scene.browser.fill(f"{D}/new/volumes", name="v", size="many")
    [size] = [line for line in answer.text.split("<") if line.startswith("input") and 'id="i-size"' in line]
    assert 'aria-invalid="true"' in size and 'aria-describedby="problem' in size and 'id="problem"' in answer.text
    assert answer.text.count("aria-invalid") == 1
    assert "aria-invalid" not in scene.browser.get(f"{D}/new/volumes")


def test_a_private_key_is_shown_with_what_comes_next(scene: Scene) -> None:
    answer = scene.browser.fill(f"{D}/new/keypairs", name="my key")
    assert answer.status_code == 200 and "-----BEGIN" in answer.text
    assert 'download="my_key.pem"' in answer.text and 'href="data:application/x-pem-file;base64,' in answer.text
    assert "first steps are done. Next:" in answer.text and answer.headers["cache-control"] == "no-store"


def test_without_scripts_one_reaches_the_bill_and_what_is_done(scene: Scene) -> None:
    text = scene.browser.get(D)
    assert f'class="no-js" href="{D}/tasks"' in text and f'<p class="no-js"><a href="{D}/bill">' in text
