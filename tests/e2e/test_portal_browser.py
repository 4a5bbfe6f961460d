"""The portal in a real browser: what is made by its forms is there for the API, and every page of the menu, as both
roles and in both languages, fits its screen, is accessible, and gives the browser nothing to complain of."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from conformance.chromium import Desk, chromium
from conformance.portal import ADMINISTRATORS, MEMBERS, Garden
from tane.linux import programs
from tests.e2e.real import RealCloud, wait_for


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if programs.find("chromium") is None:
        reason = "not installed: chromium"
        pytest.fail(reason) if os.environ.get("TANE_REQUIRE_ALL") else pytest.skip(reason)
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def garden(simulated: RealCloud, tmp_path_factory: pytest.TempPathFactory) -> Garden:
    found = Garden(simulated.url, simulated.admin(), simulated.password)
    found.plant(tmp_path_factory.mktemp("garden") / "seed.img")
    return found


@pytest.fixture(scope="module")
def planted(browser: Any, garden: Garden) -> list[str]:
    """A member makes one of each by the forms; what the browser complains of meanwhile."""
    desk, client = Desk(browser, garden.url), garden.member()
    garden.log_in(desk)
    for one in MEMBERS:
        garden.make(desk, client, one)
    garden.keep_files(desk, client, Path(garden.made["file"]))
    desk.context.close()
    return desk.complaints


def test_what_a_member_makes_by_forms_is_there(planted: list[str], garden: Garden) -> None:
    assert {one.kind for one in MEMBERS} <= set(garden.made)
    assert planted == []


def test_what_an_administrator_makes_by_forms_is_there(browser: Any, garden: Garden) -> None:
    desk = Desk(browser, garden.url, "ja")
    garden.log_in(desk, admin=True)
    for one in ADMINISTRATORS:
        garden.make(desk, garden.admin, one)
    assert desk.complaints == []
    desk.context.close()


@pytest.mark.parametrize(
    ("language", "theme", "width", "admin"),
    [
        ("en", "light", 1440, False),
        ("ja", "dark", 390, False),
        ("ja", "light", 390, True),
        ("en", "dark", 390, True),
    ],
)
def test_every_page_of_the_menu_is_as_pages_are_to_be(
    browser: Any, garden: Garden, planted: list[str], language: str, theme: str, width: int, admin: bool
) -> None:
    desk = Desk(browser, garden.url, language, theme, width)
    desk.open("/login")
    desk.look()
    garden.log_in(desk, admin)
    menu = desk.menu()
    assert len(menu) > (40 if admin else 20)
    # Members' pages are the same for administrators, which a member's walks have looked at.
    for path in [one for one in menu if not admin or one in menu[menu.index("/external-networks") :]]:
        desk.open(path)
        desk.look(axe=language == "ja")
    assert desk.complaints == []
    desk.context.close()


def test_one_types_into_serial_consoles_in_several_tabs(browser: Any, garden: Garden, planted: list[str]) -> None:
    desk = Desk(browser, garden.url, theme="dark")
    garden.log_in(desk)
    other = desk.new_page()
    for page, word in ((desk.page, "hello"), (other, "again")):
        page.goto(garden.at(f"{garden.url}/dashboard/servers/{{servers}}/serial"))
        page.wait_for_selector(".xterm-rows:has-text('simulated console of instance')")
        page.keyboard.type(word + " \N{RUNNER}")
        page.keyboard.press("Enter")
        page.wait_for_selector(f".xterm-rows:has-text('{word}')")
    desk.look()
    assert desk.complaints == []
    desk.context.close()


def test_consoles_in_one_page_stay_connected_while_another_is_seen(
    browser: Any, garden: Garden, planted: list[str]
) -> None:
    client = garden.member()
    [first] = client.call("GET", "/compute/v2.1/servers/detail?name=^web$")["servers"]
    [port] = client.call("GET", f"/network/v2.0/ports?device_id={first['id']}")["ports"]
    body = {"name": "shop", "flavorRef": first["flavor"]["id"], "imageRef": first["image"]["id"]}
    body["networks"] = [{"uuid": port["network_id"]}]
    second = client.call("POST", "/compute/v2.1/servers", {"server": body})["server"]["id"]
    path = f"/compute/v2.1/servers/{second}"
    wait_for("it runs", lambda: client.call("GET", path)["server"]["status"] == "ACTIVE", 30)
    desk = Desk(browser, garden.url)
    garden.log_in(desk)
    page = desk.page
    sockets: list[Any] = []
    page.on("websocket", lambda socket: sockets.append(socket))
    desk.open(f"/consoles?server={second}")
    for server, word in ((second, "pears"), (first["id"], "plums")):
        page.select_option("#console-server", server)
        page.click("button:has-text('Open the serial console')")
        page.wait_for_selector(".xterm-rows:visible:has-text('simulated console')")
        page.keyboard.type(word)
        page.wait_for_selector(f".xterm-rows:visible:has-text('{word}')")
    page.keyboard.press("Shift+Tab")
    page.click("[role=tab]:has-text('shop')")
    page.wait_for_selector(".xterm-rows:visible:has-text('pears')")
    page.keyboard.type(" and more")
    page.wait_for_selector(".xterm-rows:visible:has-text('pears and more')")
    page.focus("[role=tab][aria-selected=true]")
    page.keyboard.press("ArrowRight")
    page.wait_for_selector(".xterm-rows:visible:has-text('plums')")
    assert len(sockets) == 2 and not any(one.is_closed() for one in sockets)
    desk.look()
    page.reload()
    page.wait_for_selector("[role=tab]:nth-of-type(2)")
    page.wait_for_selector("[role=tabpanel]:visible p.help:has-text('Connected.')")
    page.click("[role=tabpanel]:visible button:has-text('Close')")
    page.wait_for_selector("[role=tab]:nth-of-type(2)", state="detached")
    assert desk.complaints == []
    desk.context.close()
    client.call("DELETE", path)


def test_a_page_stays_of_use_while_things_happen(browser: Any, garden: Garden, planted: list[str]) -> None:
    desk, client = Desk(browser, garden.url), garden.member()
    garden.log_in(desk)
    page = desk.page
    desk.open("/new/keypairs")
    page.fill("#i-name", "fresh")
    page.click("main .send button")
    with page.expect_download() as kept:
        page.click("main a[download]")
    assert kept.value.suggested_filename == "fresh.pem"
    assert Path(kept.value.path()).read_bytes().startswith(b"-----BEGIN")
    desk.open(garden.at("/images/{images}"))
    for _ in range(2):
        page.wait_for_selector("form[data-file]:not([data-sent])", state="attached")
        with page.expect_download():
            page.locator("form[data-file] button").evaluate("one => one.click()")
    [web] = client.call("GET", "/compute/v2.1/servers/detail?name=^web$")["servers"]
    desk.open("/servers")
    page.wait_for_selector("#open-tasks:not([hidden])")
    page.focus(f"tr[data-id='{web['id']}'] th a")
    for action, state in (("os-stop", "Off"), ("os-start", "Active")):
        client.call("POST", f"/compute/v2.1/servers/{web['id']}/action", {action: None})
        page.wait_for_selector(f"#said:text-is('web: {state}')", state="attached")
        page.wait_for_selector("tr.changed th a:focus:text-is('web')")
    desk.open(garden.at("/networks/{networks}"))
    page.wait_for_selector("#open-tasks:not([hidden])")
    port = {"network_id": garden.made["networks"], "name": "late"}
    made = client.call("POST", "/network/v2.0/ports", {"port": port})["port"]["id"]
    page.wait_for_selector("#panels [data-holds='network.port'] th a:text-is('late')")
    client.call("DELETE", f"/network/v2.0/ports/{made}")
    desk.open("/servers")
    page.click("#open-tasks")
    assert page.evaluate("document.activeElement.id") == "tasks"
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.id") == "open-tasks" and page.locator("#tasks").is_hidden()
    assert desk.complaints == []
    other = desk.new_page()
    other.goto(f"{garden.url}/dashboard")
    other.click("details.me summary")
    with other.expect_navigation():
        other.click("form[action$='/logout'] button")
    page.evaluate("dispatchEvent(new Event('pagehide')); document.dispatchEvent(new Event('visibilitychange'))")
    page.click("main .note a:has-text('Your session has ended')")
    page.wait_for_url("**/dashboard/login?next=%2Fdashboard%2Fservers")
    assert all(": 401 " in one or "401 (Unauthorized)" in one for one in desk.complaints), desk.complaints
    desk.context.close()


def test_a_server_is_launched_by_the_keyboard_alone(browser: Any, garden: Garden, planted: list[str]) -> None:
    desk = Desk(browser, garden.url)
    garden.log_in(desk)
    desk.open("/new/servers")
    reached, keys = [], desk.page.keyboard
    for _ in range(60):
        keys.press("Tab")
        reached.append(str(desk.page.evaluate("document.activeElement.name || document.activeElement.className")))
        if reached[-1] == "name":
            keys.type("typed")
        if reached[-1] == "first":
            break
    order = [one for one in reached if one in ("name", "image", "flavor", "networks", "key", "groups", "first")]
    assert list(dict.fromkeys(order)) == ["name", "image", "flavor", "networks", "key", "groups", "first"]
    with desk.page.expect_navigation():
        keys.press("Enter")
    assert "done=create" in desk.page.url, desk.page.locator("main").inner_text()
    assert [one["name"] for one in garden.member().call("GET", "/compute/v2.1/servers?name=typed")["servers"]]
    assert desk.complaints == []
    desk.context.close()


def test_without_scripts_one_reads_and_makes_and_deletes(browser: Any, garden: Garden, planted: list[str]) -> None:
    context = browser.new_context(java_script_enabled=False)
    page, client = context.new_page(), garden.member()
    page.goto(f"{garden.url}/dashboard/login")
    page.fill("#user", "mia")
    page.fill("#password", garden.password)
    page.click("main button.first")
    assert page.url == f"{garden.url}/dashboard"
    for path in ("/servers", "/topology", "/volumes", "/search?q=web"):
        page.goto(f"{garden.url}/dashboard{path}")
        assert page.locator("main a").count() > 0, path
    page.goto(f"{garden.url}/dashboard/new/networks")
    page.fill("#i-name", "quiet")
    page.click("main .send button")
    [made] = client.call("GET", "/network/v2.0/networks?name=quiet")["networks"]
    page.goto(f"{garden.url}/dashboard/networks")
    page.check(f"input[value='{made['id']}']")
    page.click("button[name='action'][value='delete']")
    page.click("main .send button")
    assert client.call("GET", "/network/v2.0/networks?name=quiet")["networks"] == []
    context.close()


@pytest.mark.nightly
def test_an_open_page_says_that_the_cloud_is_away_and_goes_on_when_it_is_back(
    browser: Any, garden: Garden, planted: list[str], simulated: RealCloud
) -> None:
    desk = Desk(browser, garden.url)
    garden.log_in(desk)
    desk.open("/networks")
    desk.page.wait_for_selector("#open-tasks:not([hidden])")
    simulated.kill()
    desk.page.wait_for_selector("#said:has-text('is lost')", state="attached", timeout=30_000)
    simulated.tane("up", "--mode", "simulated", "--port", str(simulated.port))
    desk.page.wait_for_selector("#said:has-text('Connected again')", state="attached", timeout=60_000)
    garden.member().call("POST", "/network/v2.0/networks", {"network": {"name": "after"}})
    desk.page.wait_for_selector("tbody tr:has-text('after')", timeout=20_000)
    desk.context.close()
