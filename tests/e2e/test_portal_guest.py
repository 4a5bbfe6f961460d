"""A real guest by the portal alone: launched, its screen and its serial console seen, typed into, and deleted."""

from __future__ import annotations

from typing import Any

from conformance.chromium import Desk
from tests.e2e.real import MARKS, RealCloud, Tenant
from tests.e2e.test_portal_browser import browser  # noqa: F401 (fixture)

pytestmark = MARKS

DRAWN = """() => { const canvas = document.querySelector("canvas"); if (!canvas || !canvas.width) return false;
  const seen = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  return new Set(new Uint32Array(seen.buffer)).size > 1; }"""
PROMPT = """() => [...document.querySelectorAll(".xterm-rows > div")].some(row => /#\\s*$/.test(row.textContent))"""
PATIENCE = 240_000
"""Milliseconds: guests are emulated where there is no KVM."""


def test_a_guest_is_launched_seen_typed_into_and_deleted(
    browser: Any,  # noqa: F811
    real: RealCloud,
    mia: Tenant,
    image: str,
) -> None:
    real.flavor()
    desk = Desk(browser, real.url)
    desk.login("mia", mia.password)
    desk.open("/new/servers")
    for name, value in (("name", "shop"), ("image", image), ("networks", mia.network), ("key", "key")):
        desk.put(name, value)
    desk.send()
    page, address = desk.page, desk.page.url.partition("?")[0]
    page.wait_for_selector("#detail .state.good", timeout=PATIENCE)
    with desk.context.expect_page() as opened:
        page.click("form[action$='/console'] button")
    opened.value.wait_for_function(DRAWN, timeout=PATIENCE)
    opened.value.close()
    page.goto(f"{address}/serial")
    # Its line that it is ready comes last of all.
    page.wait_for_selector(".xterm-rows:has-text('TANE-READY')", timeout=PATIENCE)
    # What is typed before its shell listens is thrown away.
    page.wait_for_function(PROMPT, timeout=PATIENCE)
    page.keyboard.type("echo $(id -un) has $((6 * 7))")
    page.keyboard.press("Enter")
    page.wait_for_selector(".xterm-rows:has-text('root has 42')", timeout=PATIENCE)
    desk.open(f"/consoles?server={address.rpartition('/')[2]}")
    page.click("button:has-text('Open the screen')")
    page.wait_for_function(DRAWN, timeout=PATIENCE)
    page.click("button:has-text('Open the serial console')")
    page.wait_for_selector(".xterm-rows:visible", timeout=PATIENCE)
    page.keyboard.press("Enter")
    page.wait_for_function(PROMPT, timeout=PATIENCE)
    page.click("[role=tab]:has-text('Screen')")
    page.wait_for_selector("canvas:visible")
    assert page.locator("[role=tabpanel] p.help").first.inner_text() == "Connected.", "it was connected all the time"
    desk.look()
    # The browser's word on this test, which looks at what was drawn more than once.
    assert [one for one in desk.complaints if "Multiple readback" not in one] == []
    page.goto(address)
    page.click("summary:has-text('More')")
    page.click(".sheet a.danger:has-text('Delete')")
    page.click("main button.danger")
    page.wait_for_url("**/servers?done=delete")
    page.wait_for_selector("tr:has-text('shop')", state="detached", timeout=PATIENCE)
    desk.context.close()
