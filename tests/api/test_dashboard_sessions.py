"""Sessions that end while one works, and that are used from elsewhere."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import update

from tane.services.dashboard.api import typed
from tane.services.dashboard.api.visit import near
from tane.services.dashboard.tables import dashboard_session
from tests.api.dashboard_support import Browser, D, Forms, N, Scene, make_scene
from tests.support import ApiCloud


@pytest.fixture
def scene(cloud: ApiCloud) -> Scene:
    return make_scene(cloud)


def form(browser: Browser, path: str) -> dict[str, str]:
    """The fields of a form that is on the screen."""
    page = Forms(browser.get(path))
    return dict(next(one for one in page.forms if one["action"].startswith(path.partition("?")[0]))["fields"])


def end(browser: Browser) -> None:
    """The session ends elsewhere: this browser still has its cookie."""
    other = Browser(browser.cloud, cookies=dict(browser.cookies))
    other.post(f"{D}/logout", [("csrf", other.csrf)])


def log_in(browser: Browser, page: str, password: str = "mia-secret") -> str:
    """Fill in the login that a page is; returns where one is led."""
    [first, *_] = [one for one in Forms(page).forms if one["action"] == f"{D}/login"]
    fields = [pair for pair in first["fields"] if pair[0] not in ("user", "password")]
    answer = browser.post(f"{D}/login", [*fields, ("user", "mia"), ("password", password)])
    return answer.headers.get("location", answer.text)


def test_what_was_typed_when_the_session_ended_is_there_after_the_login(scene: Scene) -> None:
    browser, path = scene.browser, f"{D}/new/networks"
    typed_in = {**form(browser, path), "name": "<b>bed</b>", "description": "one\ntwo & three"}
    end(browser)
    answer = browser.post(path, list(typed_in.items()))
    assert answer.status_code == 401 and "What you typed is kept." in answer.text
    again = log_in(browser, answer.text, "wrong")
    assert "wrong" in again
    where = log_in(browser, again)
    assert where == f"{path}?typed=1"
    page = browser.get(where)
    assert "so nothing was done" in page and 'value="&lt;b&gt;bed&lt;/b&gt;"' in page
    assert scene.api.get(f"{N}/networks?name=%3Cb%3Ebed%3C/b%3E").json()["networks"] == []
    assert "so nothing was done" not in browser.get(where)
    sent = [pair for one in Forms(page).forms if one["action"] == path for pair in one["fields"]]
    assert browser.post(path, sent).status_code == 303
    [made] = scene.api.get(f"{N}/networks?name=%3Cb%3Ebed%3C/b%3E").json()["networks"]
    assert made["description"] == "one\r\ntwo & three" or made["description"].split() == ["one", "two", "&", "three"]


def test_what_one_typed_is_not_shown_to_who_logs_in_next(scene: Scene) -> None:
    browser, path = scene.browser, f"{D}/new/networks"
    typed_in = {**form(browser, path), "name": "bed", "description": "mine alone"}
    scene.cloud.new_user("noa", "garden")
    end(browser)
    page = browser.post(path, list(typed_in.items())).text
    [first, *_] = [one for one in Forms(page).forms if one["action"] == f"{D}/login"]
    fields = [pair for pair in first["fields"] if pair[0] not in ("user", "password")]
    where = browser.post(f"{D}/login", [*fields, ("user", "noa"), ("password", "noa-secret")]).headers["location"]
    assert where == path and "mine alone" not in browser.get(f"{path}?typed=1")


def test_passwords_are_not_kept_and_a_strangers_form_is_not(scene: Scene) -> None:
    browser, path = scene.browser, f"{D}/account/{scene.api.user_id}/password"
    fields = form(browser, path)
    network = form(browser, f"{D}/new/networks")
    end(browser)
    answer = browser.post(path, list({**fields, "password": "very-secret"}.items()))
    assert "very-secret" not in answer.text and answer.status_code == 401
    for wrong in ({"csrf": "0" * 64}, {"csrf": ""}):
        told = browser.post(f"{D}/new/networks", list({**network, "name": "his", **wrong}.items()))
        assert (
            told.status_code == 303
            and told.headers["location"] == f"{D}/login?next=%2Fdashboard%2Fnew%2Fnetworks&ended=1"
        )
    stranger = Browser(scene.cloud)
    told = stranger.post(f"{D}/new/networks", list({**network, "name": "his"}.items()))
    assert told.status_code == 303
    long = browser.post(f"{D}/new/networks", list({**network, "description": "x" * 200_000}.items()))
    assert long.status_code == 303


def test_what_is_kept_is_kept_for_a_while_and_for_few(scene: Scene) -> None:
    core = scene.cloud.core
    assert not typed.keep(core, "0", f"{D}/new/networks", "no document")
    assert not typed.keep(core, "0", f"{D}/new/networks", '{"values": {"name": "no list"}}')
    for number in range(typed.MOST + 5):
        assert typed.keep(core, str(number), f"{D}/new/networks", '{"values": {"name": ["bed"]}}')
    assert len(core.memory[typed.MEMORY]) == typed.MOST
    path = f"{D}/new/networks"
    fields = form(scene.browser, path)
    end(scene.browser)
    where = log_in(scene.browser, scene.browser.post(path, list({**fields, "name": "tardy"}.items())).text)
    scene.cloud.advance(typed.LASTS.total_seconds() + 1)
    assert "tardy" not in scene.browser.get(where)


def test_a_session_that_is_used_from_elsewhere_says_so_to_both(scene: Scene) -> None:
    assert "as well" not in scene.browser.get(D)
    with scene.cloud.core.db.write() as tx:
        tx.execute(update(dashboard_session).values(address="192.0.2.7"))
    for _ in range(2):
        page = scene.browser.get(f"{D}/networks")
        assert re.search(r"opened at 192\.0\.2\.7 and is used from \S+ as well", page)


def test_the_same_browser_by_another_of_its_addresses_is_no_stranger() -> None:
    for one, other, same in (
        ("192.0.2.7", "192.0.2.200", True),
        ("192.0.2.7", "192.0.3.7", False),
        ("2001:db8:1::7", "2001:db8:1:9:a:b:c:d", True),
        ("2001:db8:1::7", "2001:db8:2::7", False),
        ("192.0.2.7", "2001:db8:1::7", True),
        ("here", "there", False),
    ):
        assert near(one, other) == same, (one, other)
