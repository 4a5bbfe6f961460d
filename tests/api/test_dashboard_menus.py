"""What the portal's menus hold beside the table of resources: hosts emptied, prices, what has happened."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest

from tane.hosts import store
from tane.services.dashboard.api import bills, draining, happened
from tane.services.dashboard.domain import forms
from tane.services.dashboard.resources import KINDS
from tane.services.event.store import events
from tane.services.rating.domain import quotes
from tests.api import rating_support
from tests.api.compute_support import V, at, make_image, make_network
from tests.api.dashboard_support import D, Scene, admin, make_scene
from tests.support import HOST_ID, OTHER_HOST_ID, ApiCloud, second_host


@pytest.fixture
def scene(cloud: ApiCloud) -> Scene:
    return make_scene(cloud)


@pytest.fixture
def boss(scene: Scene) -> Scene:
    return Scene(scene.cloud, admin(scene.cloud), scene.cloud.admin)


def launched(scene: Scene, name: str, **more: Any) -> str:
    body = {"name": name, "flavorRef": "small", "imageRef": make_image(scene.api, name), "networks": "none", **more}
    answer = scene.api.post(f"{V}/servers", {"server": body}, 202, headers=at("2.96"))
    scene.cloud.run_jobs()
    return str(answer.json()["server"]["id"])


def where(boss: Scene, *servers: str) -> list[tuple[str, str]]:
    return [(one["OS-EXT-SRV-ATTR:host"], one["status"]) for one in map(boss.server, servers)]


def test_a_host_is_emptied_by_a_button_and_its_page_tells_what_is_left(scene: Scene, boss: Scene) -> None:
    runs, off, broken = (launched(scene, name) for name in ("runs", "off", "broken"))
    scene.do("servers", off, "stop")
    boss.do("servers", broken, "reset-state", state="error")
    second_host(scene.cloud.core)
    path = f"{D}/hosts/{HOST_ID}"
    assert all(f"/all-servers/{one}" in boss.browser.get(path) for one in (runs, off, broken))
    told = boss.browser.fill(f"{path}/drain", how="live", disabled_reason="new disks").text
    scene.cloud.run_jobs()
    assert "It is in ERROR, from which only its owner brings it back." in told and told.count("accepted") == 2
    assert f'href="{path}"' in told
    assert where(boss, runs, off, broken) == [("host-2", "ACTIVE"), ("host-2", "VERIFY_RESIZE"), ("host-1", "ERROR")]
    shown = boss.browser.get(path)
    assert f"/all-servers/{broken}" in shown and "Move to another host while it runs" in shown
    host = boss.api.get(f"/hosts/{HOST_ID}").json()["host"]
    assert (host["enabled"], host["disabled_reason"]) == (False, "new disks")
    listed = boss.browser.get(f"{D}/all-servers?host=host-1")
    assert f"/all-servers/{broken}" in listed and f"/all-servers/{runs}" not in listed
    boss.browser.fill(f"{path}/drain", how="live")
    scene.cloud.run_jobs()
    assert where(boss, off) == [("host-2", "SHUTOFF")]
    assert scene.browser.send("GET", f"{path}/drain").status_code == 403


def test_a_second_order_tells_what_is_on_its_way_and_goes_on_behind_it(
    scene: Scene, boss: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(draining, "MOST", 1)
    monkeypatch.setattr(draining, "A_PAGE", 1)
    first, broken, last = (launched(scene, name) for name in ("first", "broken", "last"))
    boss.do("servers", broken, "reset-state", state="error")
    second_host(scene.cloud.core)
    path = f"{D}/hosts/{HOST_ID}"
    told = boss.browser.fill(f"{path}/drain", how="live").text
    assert told.count("accepted") == 1 and last in told and first not in told
    told = boss.browser.fill(f"{path}/drain", how="live").text
    assert "It is on its way to another host." in told and "It is in MIGRATING" not in told
    assert "It is in ERROR" in told and told.count("accepted") == 1 and first in told
    scene.cloud.run_jobs()
    assert where(boss, first, last) == [("host-2", "ACTIVE"), ("host-2", "ACTIVE")]


def test_a_dead_host_gives_its_servers_to_others_and_comes_back_enabled(scene: Scene, boss: Scene) -> None:
    server, core = launched(scene, "web"), scene.cloud.core
    second_host(core)
    core.hosts.remove(HOST_ID)
    with core.db.write() as tx:
        store.change(tx, HOST_ID, last_seen=tx.now - timedelta(hours=1))
    assert "confirm-dead" in boss.browser.get(f"{D}/hosts/{HOST_ID}/dead")
    assert "/dead" not in boss.browser.get(f"{D}/hosts/{OTHER_HOST_ID}")
    boss.browser.fill(f"{D}/hosts/{HOST_ID}/dead", evacuate="on")
    scene.cloud.run_jobs()
    assert where(boss, server) == [("host-2", "ACTIVE")]
    assert boss.api.get(f"/hosts/{HOST_ID}").json()["host"]["state"] == "dead"
    enable = KINDS["hosts"].action("enable")
    assert enable is not None
    assert forms.body(enable, {}, {"state": "up"}) == {"host": {"enabled": True}}
    boss.do("hosts", HOST_ID, "enable")
    assert boss.api.get(f"/hosts/{HOST_ID}").json()["host"]["state"] == "down"


def test_prices_stand_in_forms_and_in_a_list_as_the_project_would_pay_them(
    scene: Scene, boss: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "Nothing has a price" in scene.browser.get(f"{D}/prices")
    assert "a month." not in scene.browser.get(f"{D}/new/volumes")
    for service, cost in (("volume.size", "0.001"), ("ip.floating", "0.004"), ("image.size", "0.000001")):
        made = boss.make("price-services", name=service)
        boss.make("service-prices", made, cost=cost, type="flat")
    [kind] = scene.volume("types")
    told = f"1 GiB of a volume ({kind['name']}) costs about 0.73 EUR a month."
    assert told in scene.browser.get(f"{D}/new/servers") and told in scene.browser.get(f"{D}/new/volumes")
    assert "Floating IP costs about 2.92 EUR a month." in scene.browser.get(f"{D}/new/floating-ips")
    assert "costs about" not in scene.browser.get(f"{D}/new/routers")
    volume = scene.make("volumes", name="data", size="1")
    assert "costs about 0.73 EUR a month." in scene.browser.get(f"{D}/volumes/{volume}/extend")
    shown = scene.browser.get(f"{D}/prices")
    assert "0.004 EUR" in shown and "0.75 EUR" in shown and "Servers, while they run" not in shown
    assert f'href="{D}/prices"' in scene.browser.get(f"{D}/bill")
    asked, prices = [], quotes.prices
    monkeypatch.setattr(quotes, "prices", lambda *given: asked.append(given) or prices(*given))
    for page in ("new/servers", "new/volumes", "prices"):
        scene.browser.get(f"{D}/{page}")
    assert len(asked) == 3, "one quote a page, whatever it prices: each reads all rules"


def test_the_overview_tells_what_the_month_costs(scene: Scene, boss: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = scene.browser.get(D)
    assert "Cost of this month" in shown and f'hx-get="{D}/bill"' in shown
    rating_support.price(boss.api, "router", "2")
    scene.make("routers", name="door")
    rating_support.pass_(scene.cloud, minutes=30)
    asked: list[str] = []
    monkeypatch.setattr(bills, "_resources", lambda *given: asked.append("rows"))
    part = scene.browser.send("GET", f"{D}/bill", headers={"HX-Request": "true"}).text
    assert "1.00 EUR" in part and "<html" not in part and not asked
    assert scene.api.get("/rating/v2/bill?lines=0").json()["bill"]["lines"] == []


@pytest.mark.parametrize("looked_at", [2, 1000])
def test_what_has_happened_is_told_newest_first_whoever_else_was_busy(
    scene: Scene, boss: Scene, monkeypatch: pytest.MonkeyPatch, looked_at: int
) -> None:
    monkeypatch.setattr(happened, "MOST", looked_at)
    monkeypatch.setattr(events, "LOOKED_AT", looked_at)
    monkeypatch.setattr(happened, "NARROW", 2)
    monkeypatch.setattr(happened, "SHOWN", 3)
    router = scene.make("routers", name="<b>first</b>")
    scene.do("routers", router, "delete")
    for place in range(9):
        boss.make("projects", name=f"other-{place}")
    shown = scene.browser.get(f"{D}/happened")
    assert "&lt;b&gt;first" in shown and "other-" not in shown and "mia" in shown
    assert shown.index("Router · deleted") < shown.index("Router · made")
    assert "Router ·" not in scene.browser.get(f"{D}/happened?type=compute.server")
    answered: list[str] = []
    between = happened._between

    async def noted(*given: Any) -> Any:
        found = await between(*given)
        answered.extend(one["type"] for one in found or ())
        return found

    monkeypatch.setattr(happened, "_between", noted)
    page = boss.browser.get(f"{D}/happened?all=1&type=identity.project")
    seen: list[str] = []
    while True:
        seen += [word for word in page.replace("<", " ").replace(">", " ").split() if word.startswith("other-")]
        links = (part.partition('"')[0] for part in page.split('href="?')[1:])
        query = next((one.replace("&amp;", "&") for one in links if "before=" in one), "")
        if not query:
            break
        page = boss.browser.get(f"{D}/happened?{query}")
    assert list(dict.fromkeys(seen)) == [f"other-{place}" for place in reversed(range(9))]
    assert {name.rpartition(".")[0] for name in answered} == {"identity.project"}
    assert "other-" not in scene.browser.get(f"{D}/happened?all=1&type=identity.project")


def test_a_launch_offers_administrators_what_their_project_may_use_and_a_server_group(
    scene: Scene, boss: Scene
) -> None:
    make_image(scene.api, "private-of-mia", visibility="private")
    make_image(boss.api, "own-of-boss", visibility="private")
    make_image(boss.api, "for-everybody", visibility="public")
    shared, offered = (make_image(scene.api, name) for name in ("shared-with-boss", "offered-to-boss"))
    make_image(scene.api, "shared-with-nobody")
    for image in (shared, offered):
        scene.api.post(f"/image/v2/images/{image}/members", {"member": boss.api.project_id}, 200)
    boss.api.put(f"/image/v2/images/{shared}/members/{boss.api.project_id}", {"status": "accepted"}, 200)
    form = boss.browser.get(f"{D}/new/servers")
    assert "private-of-mia" not in form and "own-of-boss" in form and "for-everybody" in form
    assert "shared-with-boss" in form and "offered-to-boss" not in form and "shared-with-nobody" not in form
    assert "private-of-mia" in scene.browser.get(f"{D}/new/servers")
    make_network(scene.api)
    group = scene.make("server-groups", name="apart", policy="anti-affinity")
    image = make_image(scene.api, "seed")
    server = scene.make("servers", name="web", image=image, flavor="small", group=group)
    assert scene.show(f"{V}/os-server-groups/{group}")["members"] == [server]
    path = f"{D}/new/servers"
    told = scene.browser.fill(path, name="web", image=image, flavor="small", group=group, show="command").text
    assert f"--hint group={group}" in told or f"--server-group {group}" in told
    assert "scheduler_hints" in told


def test_lists_that_the_api_tells_whole_come_in_pages_too(boss: Scene) -> None:
    for place in range(20):
        boss.api.post(f"{V}/os-aggregates", {"aggregate": {"name": f"rack-{place:02}"}}, 200)
    page, seen = boss.browser.get(f"{D}/aggregates"), []
    for _ in range(3):
        assert len(page.encode()) < 20 << 10
        seen += re.findall(r">(rack-\d\d)<", page)
        following = re.search(r'href="\?(marker=[^"]+)"', page)
        if following is None:
            break
        page = boss.browser.get(f"{D}/aggregates?{following[1]}")
    assert seen == [f"rack-{place:02}" for place in range(20)]
    assert ">rack-00<" in boss.browser.get(f"{D}/aggregates?marker=gone")
