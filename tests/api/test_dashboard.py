"""The portal's frame: coming in, going out, projects, languages, what is refused."""

from __future__ import annotations

from tests.api.dashboard_support import D, Browser, admin, member
from tests.support import ApiCloud


def test_who_is_not_logged_in_is_led_to_the_login_and_back(cloud: ApiCloud) -> None:
    cloud.new_user("mia", "garden")
    browser = Browser(cloud)
    answer = browser.send("GET", f"{D}/servers")
    assert answer.status_code == 303
    where = answer.headers["location"]
    assert where == f"{D}/login?next=%2Fdashboard%2Fservers"
    answer = browser.fill(where, f"{D}/login", user="mia", password="mia-secret")
    assert (answer.status_code, answer.headers["location"]) == (303, f"{D}/servers")
    assert "Servers" in browser.get(f"{D}/servers")
