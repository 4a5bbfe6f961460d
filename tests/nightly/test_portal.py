"""The portal in a real browser: log in, launch, list, delete, in both languages, in light and dark, at the width of a
desk and of a phone; nothing in the browser's console, no script or style refused by the page's own policy."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from conformance.chromium import Desk, chromium
from tane.linux import programs
from tests.e2e.real import RealCloud

pytestmark = [pytest.mark.nightly]

PASSWORD = "mia-secret-1"
PICTURES = "TANE_TEST_PICTURES"
"""Names a folder in which pictures of the pages are kept, to be looked at."""
WORDS = {
    "en": {"menu": "Servers", "more": "More", "delete": "Delete", "active": "Active", "found": "Servers"},
    "ja": {"menu": "サーバー", "more": "その他", "delete": "削除", "active": "稼働中", "found": "サーバー"},
}
PAGES = ("", "/servers", "/new/servers", "/images", "/volumes", "/networks", "/security-groups", "/topology", "/access")


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealCloud]:
    """A cloud with simulated hosts, and a member with an image, a flavor and a network."""
    if programs.find("chromium") is None:
        reason = "not installed: chromium"
        pytest.fail(reason) if os.environ.get("TANE_REQUIRE_ALL") else pytest.skip(reason)
    made = RealCloud(tmp_path_factory.mktemp("portal"))
    made.tane("up", "--mode", "simulated", "--port", str(made.port))
    try:
        admin = made.admin()
        project = admin.call("POST", "/identity/v3/projects", {"project": {"name": "garden"}})["project"]
        user = admin.call("POST", "/identity/v3/users", {"user": {"name": "mia", "password": PASSWORD}})["user"]
        [role] = admin.call("GET", "/identity/v3/roles?name=member")["roles"]
        admin.call("PUT", f"/identity/v3/projects/{project['id']}/users/{user['id']}/roles/{role['id']}")
        admin.call("POST", "/compute/v2.1/flavors", {"flavor": {"name": "small", "vcpus": 1, "ram": 64, "disk": 1}})
        yield made
    finally:
        made.tane("down", "--purge")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as found:
        yield found


def keep(desk: Desk, path: str) -> None:
    if folder := os.environ.get(PICTURES):
        desk.picture(Path(folder), path)


@pytest.mark.parametrize("language", sorted(WORDS))
def test_a_server_is_launched_seen_and_deleted(browser: Any, cloud: RealCloud, language: str, tmp_path: Path) -> None:
    words, desk = WORDS[language], Desk(browser, cloud.url, language)
    page, name = desk.page, f"shop-{language}"
    desk.login("mia", PASSWORD)
    if language == "en":
        image = tmp_path / "seed.raw"
        image.write_bytes(bytes(200_000))
        page.goto(f"{desk.url}/dashboard/new/images")
        page.fill("#i-name", "seed")
        page.select_option("#i-disk_format", "raw")
        page.set_input_files("#i-file", str(image))
        page.click("main button.first")
        page.wait_for_url("**/images/*?done=create")
        page.goto(f"{desk.url}/dashboard/new/networks")
        page.fill("#i-name", "bed")
        page.keyboard.press("Enter")
        page.wait_for_url("**/networks/*?done=create")
    other = desk.new_page()
    other.goto(f"{desk.url}/dashboard/servers")
    page.goto(f"{desk.url}/dashboard/new/servers")
    page.fill("#i-name", name)
    page.keyboard.press("Enter")
    page.wait_for_url("**/servers/*?done=create")
    page.wait_for_selector(f"#detail .state.good:has-text('{words['active']}')")
    other.wait_for_selector(f"tr:has-text('{name}') .state.good")
    other.keyboard.press("/")
    other.keyboard.type(name)
    other.wait_for_selector(f"#found h2:has-text('{words['found']}')")
    other.keyboard.press("Escape")
    page.click(f"summary:has-text('{words['more']}')")
    page.click(f".sheet a.danger:has-text('{words['delete']}')")
    page.click("main button.danger")
    page.wait_for_url("**/servers?done=delete")
    other.wait_for_selector(f"tr:has-text('{name}')", state="detached")
    assert desk.complaints == []


@pytest.mark.parametrize("width", [390, 1440])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_pages_fit_and_the_browser_complains_of_nothing(browser: Any, cloud: RealCloud, theme: str, width: int) -> None:
    desk = Desk(browser, cloud.url, "ja" if theme == "dark" else "en", theme, width)
    desk.login("mia", PASSWORD)
    for path in PAGES:
        desk.open(path)
        desk.look()
        keep(desk, path)
    assert desk.complaints == []


def test_without_scripts_one_reads_and_sends_forms(browser: Any, cloud: RealCloud) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{cloud.url}/dashboard/login")
    page.fill("#user", "mia")
    page.fill("#password", PASSWORD)
    page.click("form .first")
    page.goto(f"{cloud.url}/dashboard/new/security-groups")
    page.fill("#i-name", "doors")
    page.click("main button.first")
    page.wait_for_url("**/security-groups/*?done=create")
    page.goto(f"{cloud.url}/dashboard/security-groups")
    assert page.is_visible("text=doors")
