"""Forms in two tabs, of two projects, and forms that are sent twice: what is done is what was meant, and once."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from tane.services.dashboard.api import once
from tane.services.dashboard.api.incoming import Form
from tane.web.request import Response
from tests.api.dashboard_support import Browser, D, Forms, N, Scene, make_scene
from tests.support import ApiCloud


@pytest.fixture
def scene(cloud: ApiCloud) -> Scene:
    return make_scene(cloud)


def form_of(browser: Browser, path: str, which: str = "") -> tuple[str, list[tuple[str, str]]]:
    """Where a page's form is sent, and what it holds."""
    page = Forms(browser.get(path))
    found = next(one for one in page.forms if one["method"] == "post" and (which or path) in one["action"])
    return found["action"], found["fields"]


def go_to(scene: Scene, name: str) -> str:
    """Another project of the user's, which another tab goes to."""
    boss = scene.cloud.admin
    role = next(one["id"] for one in boss.get("/identity/v3/roles").json()["roles"] if one["name"] == "member")
    made = boss.post("/identity/v3/projects", {"project": {"name": name}}, 201).json()["project"]["id"]
    boss.put(f"/identity/v3/projects/{made}/users/{scene.api.user_id}/roles/{role}", expect=204)
    assert scene.browser.post(f"{D}/project", [("csrf", scene.browser.csrf), ("project", made)]).status_code == 303
    return str(made)


def test_a_form_of_one_project_is_not_carried_out_in_another(scene: Scene) -> None:
    browser = scene.browser
    old = scene.make("security-groups", name="old")
    where, fields = form_of(browser, f"{D}/new/security-groups")
    delete, sure = form_of(browser, f"{D}/security-groups/{old}/delete")
    bulk = form_of(browser, f"{D}/security-groups", "/bulk/")
    go_to(scene, "orchard")
    answer = browser.post(where, [pair for pair in fields if pair[0] != "name"] + [("name", "for garden")])
    assert answer.status_code == 409
    assert "You went to another project meanwhile, so nothing was done. This is “orchard”." in answer.text
    groups = scene.cloud.admin.get(f"{N}/security-groups?name=for garden").json()["security_groups"]
    assert groups == [] and 'value="for garden"' in answer.text, "what was typed is kept"
    assert browser.post(delete, sure).status_code == 409
    assert browser.post(bulk[0], [*bulk[1], ("action", "delete"), ("id", old), ("sure", "yes")]).status_code == 409
    again = next(one for one in Forms(answer.text).forms if one["action"] == where)
    assert browser.post(where, again["fields"]).status_code == 303, "here it is meant by who sends it again"
    assert scene.show(f"{N}/security-groups/{old}")["name"] == "old"


def test_who_comes_back_in_another_project_is_told(scene: Scene) -> None:
    browser = scene.browser
    where, fields = form_of(browser, f"{D}/new/security-groups")
    other = go_to(scene, "orchard")
    secret = dict(browser.cookies)
    browser.post(f"{D}/logout", [("csrf", browser.csrf)])
    browser.cookies |= secret
    page = browser.post(where, [pair for pair in fields if pair[0] != "name"] + [("name", "typed")])
    assert page.status_code == 401
    form = next(one for one in Forms(page.text).forms if one["action"] == f"{D}/login")
    typed = [pair for pair in form["fields"] if pair[0] not in ("user", "password")]
    answer = browser.post(f"{D}/login", [*typed, ("user", "mia"), ("password", "mia-secret")])
    shown = browser.get(answer.headers["location"])
    assert browser.cookies["tane-project"] == other and 'value="typed"' in shown
    assert "You went to another project meanwhile" in shown


def test_a_form_that_is_sent_twice_is_done_once(scene: Scene) -> None:
    browser = scene.browser
    where, fields = form_of(browser, f"{D}/new/volumes")
    fields = [pair for pair in fields if pair[0] not in ("name", "size")]
    first = browser.post(where, [*fields, ("name", "one"), ("size", "1")])
    second = browser.post(where, [*fields, ("name", "one"), ("size", "1")])
    assert first.status_code == second.status_code == 303
    assert first.headers["location"] == second.headers["location"]
    other = browser.post(where, [*fields, ("name", "two"), ("size", "1")])
    assert other.headers["location"] != first.headers["location"], "who went back and typed something else meant it"
    assert sorted(one["name"] for one in scene.volume("volumes")) == ["one", "two"]
    scene.cloud.run_jobs()
    volume = first.headers["location"].partition("?")[0].rpartition("/")[2]
    delete, sure = form_of(browser, f"{D}/volumes/{volume}/delete")
    assert [browser.post(delete, sure).status_code for _ in range(2)] == [303, 303], "the second finds it gone"


def test_what_was_refused_is_tried_again(scene: Scene) -> None:
    browser = scene.browser
    where, fields = form_of(browser, f"{D}/new/volumes")
    fields = [pair for pair in fields if pair[0] not in ("name", "size")] + [("name", "one"), ("size", "1")]
    quota = f"/volume/v3/{scene.cloud.admin.project_id}/os-quota-sets/{scene.api.project_id}"
    scene.cloud.admin.put(quota, {"quota_set": {"volumes": 0}}, 200)
    assert browser.post(where, fields).status_code >= 400
    scene.cloud.admin.put(quota, {"quota_set": {"volumes": 1}}, 200)
    assert browser.post(where, fields).status_code == 303


def test_a_secret_is_shown_to_who_pressed_twice(scene: Scene) -> None:
    where, fields = form_of(scene.browser, f"{D}/new/credentials")
    fields = [pair for pair in fields if pair[0] != "name"] + [("name", "robot")]
    first, second = [scene.browser.post(where, fields) for _ in range(2)]
    assert first.status_code == second.status_code == 200 and first.text == second.text


def sent(cloud: ApiCloud, session: str, token: str, text: str = "") -> tuple[Any, Form]:
    """A form on its way, as the portal has it."""
    core = SimpleNamespace(memory=cloud.core.memory, clock=cloud.core.clock)
    request = SimpleNamespace(url_path="/dashboard/new/networks", param=lambda name: None)
    found = SimpleNamespace(core=core, session=SimpleNamespace(id=session), request=request)
    return found, Form({"csrf": [token], "name": [text]})


def test_the_second_waits_for_the_first(cloud: ApiCloud) -> None:
    done: list[str] = []

    async def both() -> list[Response]:
        go_on = asyncio.Event()

        async def work() -> Response:
            await go_on.wait()
            done.append("made")
            return Response(None, 303, {"Location": "/dashboard/networks/1"})

        orders = [asyncio.create_task(once.once(*sent(cloud, "s", "t"), work)) for _ in range(3)]
        await asyncio.sleep(0)
        orders[1].cancel()
        go_on.set()
        return [await one for one in (orders[0], orders[2])]

    first, second = asyncio.run(both())
    assert done == ["made"] and first.headers == second.headers


def test_what_is_kept_of_answers_is_bounded(cloud: ApiCloud) -> None:
    async def page() -> Response:
        return Response(b"x" * (1 << 20), 200)

    async def short() -> Response:
        return Response(None, 303)

    async def many() -> None:
        for number in range(once.MOST_OF_ONE + 5):
            await once.once(*sent(cloud, "one", str(number)), short)
        kept = cloud.core.memory[once.MEMORY]
        assert len(kept) == once.MOST_OF_ONE
        for number in range(6):
            await once.once(*sent(cloud, f"s{number}", "t"), page)
        assert sum(len(one.answer.result().body or b"") for one in kept.values()) <= once.MOST_BYTES + (1 << 20)

    asyncio.run(many())
