"""The portal's frame: coming in, going out, projects, languages, what is refused, and every page as both roles."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from datetime import datetime
from urllib.parse import unquote

import pytest

from tane.services.dashboard.api import lists
from tane.services.dashboard.api import login as login_api
from tane.services.dashboard.domain import messages, sessions
from tane.services.dashboard.domain.messages import LANGUAGES, LOCALE, Words, parse
from tane.services.dashboard.resources import ALL
from tests.api.compute_support import V, at
from tests.api.dashboard_support import Browser, D, Forms, admin, check_page, member
from tests.resources import one_of_each
from tests.support import ADMIN_PASSWORD, ApiCloud, Caller
from tools import render_messages

N = "/network/v2.0"
PLAIN = {
    "IPv4",
    "IPv6",
    "flat",
    "VLAN",
    "VXLAN",
    "raw",
    "qcow2",
    "vmdk",
    "vdi",
    "vhd",
    "vhdx",
    "iso",
    "ari",
    "aki",
    "ami",
}
"""Choices that are names in every language."""
XSS = """"'><script>alert(1)</script><img src=x onerror=alert(1)>{{7*7}}${7*7}<!--"""
LARGEST_FIRST, LARGEST_AFTER = 100 << 10, 20 << 10
"""Bytes of the first page with all its files, and of a page after it."""


# ------------------------------------------------------------------------------------------------- coming and going


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


def test_a_browser_at_the_root_is_led_to_the_portal_and_a_client_is_not(cloud: ApiCloud) -> None:
    assert Browser(cloud).send("GET", "/").headers["location"] == D
    assert cloud.call("GET", "/").status_code == 404


def test_nobody_is_led_elsewhere_by_the_login(cloud: ApiCloud) -> None:
    cloud.new_user("mia", "garden")
    for where in ("https://evil.test/", "//evil.test", f"{D}//evil.test", f"{D}\\evil", "javascript:alert(1)"):
        browser = Browser(cloud)
        answer = browser.fill(f"{D}/login", user="mia", password="mia-secret", next=where)
        assert answer.headers["location"] == D, where


def test_a_wrong_password_is_told_in_ones_language_and_opens_nothing(cloud: ApiCloud) -> None:
    cloud.new_user("mia", "garden")
    browser = Browser(cloud, "ja,en;q=0.5")
    answer = browser.login("mia", "wrong")
    assert answer.status_code == 401 and "パスワード" in answer.text and 'value="mia"' in answer.text
    assert "wrong" not in answer.text and "tane-session" not in browser.cookies


def test_logging_out_ends_the_session_and_its_token(cloud: ApiCloud) -> None:
    browser = member(cloud)
    kept = dict(browser.cookies)
    with cloud.core.db.read() as tx:
        from sqlalchemy import select

        from tane.services.dashboard.tables import dashboard_session

        [row] = tx.all(select(dashboard_session))
    assert kept["tane-session"] not in (row.id, row.sealed)
    from tane.services.dashboard.domain import sessions

    session = sessions.find(cloud.core, kept["tane-session"])
    assert session is not None
    assert browser.fill(D, "/logout").headers["location"] == f"{D}/login"
    browser.cookies = kept
    assert browser.send("GET", D).status_code == 303
    token = session.token
    assert cloud.call("GET", "/identity/v3/auth/projects", headers={"X-Auth-Token": token}).status_code == 401


def test_a_session_ends_with_its_token(cloud: ApiCloud) -> None:
    browser = member(cloud)
    cloud.advance(cloud.core.config.token_ttl + 1)
    assert browser.send("GET", D).status_code == 303


def test_one_changes_the_project_and_the_old_token_is_over(cloud: ApiCloud) -> None:
    cloud.new_user("mia", "garden")
    boss = cloud.admin
    orchard = boss.post("/identity/v3/projects", {"project": {"name": "orchard"}}, 201).json()["project"]["id"]
    [user] = boss.get("/identity/v3/users?name=mia").json()["users"]
    [role] = boss.get("/identity/v3/roles?name=member").json()["roles"]
    boss.put(f"/identity/v3/projects/{orchard}/users/{user['id']}/roles/{role['id']}", expect=204)
    browser = Browser(cloud)
    browser.login("mia", "mia-secret")
    assert "<h1>garden</h1>" in browser.get(D)
    assert browser.fill(D, "/project", project=orchard).status_code == 303
    assert "<h1>orchard</h1>" in browser.get(D)
    again = Browser(cloud, cookies={"tane-project": browser.cookies["tane-project"]})
    again.login("mia", "mia-secret")
    assert "<h1>orchard</h1>" in again.get(D), "one comes back to where one was"
    refused = browser.fill(D, "/project", project="0" * 32)
    assert refused.status_code == 401 and "<h1>401" in refused.text
    assert "<h1>orchard</h1>" in browser.get(D)


def test_language_and_look_are_kept(cloud: ApiCloud) -> None:
    browser = member(cloud)
    assert '<html lang="en" data-theme="auto">' in browser.get(D)
    browser.fill(D, "/prefer", language="ja")
    browser.fill(D, "/prefer", theme="dark")
    assert '<html lang="ja" data-theme="dark">' in browser.get(D)
    assert Browser(cloud, "de, ja;q=0.8, en;q=0.5").get(f"{D}/login").startswith('<!doctype html>\n<html lang="ja"')
    assert messages.preferred("x" * 10_000 + ";q=nonsense") == "en"


def test_with_tls_cookies_are_of_this_host_alone(cloud: ApiCloud) -> None:
    cloud.new_user("mia", "garden")
    answer = cloud.call("GET", f"https://cloud.test{D}/login", headers={"Accept": "text/html"})
    line = answer.headers["set-cookie"]
    cloud.forget_cookies()
    if answer.request.url.scheme == "https" and "__Host-" in line:
        assert line.startswith("__Host-tane-login=") and "Secure" in line and "Path=/;" in line and "Domain" not in line


def test_fifty_sessions_of_one_user_are_the_most(cloud: ApiCloud) -> None:
    from datetime import timedelta

    from tane.services.dashboard.domain import sessions

    until = cloud.core.clock.now() + timedelta(hours=1)
    made = []
    for number in range(sessions.MOST_OF_ONE + 1):
        cloud.advance(1)
        made.append(sessions.open_session(cloud.core, "u" * 32, f"token {number}", until, "192.0.2.1"))
    assert sessions.find(cloud.core, made[0].secret) is None
    assert all(sessions.find(cloud.core, one.secret) for one in made[1:])
    cloud.advance(7200)
    assert sessions.forget_expired(cloud.core) == sessions.MOST_OF_ONE


# ---------------------------------------------------------------------------------------------------- what is refused


def test_a_form_without_the_sessions_token_changes_nothing(cloud: ApiCloud) -> None:
    browser, other = member(cloud), member(cloud, "noa", "orchard")
    fields = [("name", "doors"), ("description", "")]
    for sent in ([], [("csrf", "")], [("csrf", "0" * 64)], [("csrf", other.csrf)]):
        answer = browser.post(f"{D}/new/security-groups", [*sent, *fields])
        assert answer.status_code == 403, sent
    good = [("csrf", browser.csrf), *fields]
    for told in ({"Origin": "http://evil.test"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}):
        assert browser.post(f"{D}/new/security-groups", good, headers=told).status_code == 403, told
    own = {"Host": "tane.lan:8770", "Origin": "http://tane.lan:8770"}
    assert browser.post(f"{D}/new/security-groups", [*good[:1], ("name", "gates")], headers=own).status_code == 303
    for path in ("/logout", "/project", "/objects", "/bulk/servers", "/keypairs/x/delete"):
        assert browser.post(f"{D}{path}", fields).status_code == 403, path
    assert "doors" not in browser.get(f"{D}/security-groups")
    assert browser.post(f"{D}/login", [("user", "mia"), ("password", "mia-secret")]).status_code == 403


def test_bodies_that_are_no_forms_are_refused(cloud: ApiCloud) -> None:
    browser = member(cloud)
    token = browser.csrf
    for kind, body, status in (
        ("application/json", b"{}", 400),
        ("application/x-www-form-urlencoded", b"csrf=%ff", 403),
        ("application/x-www-form-urlencoded", b"csrf=" + token.encode() + b"&name=a%00b", 400),
        ("application/x-www-form-urlencoded", b"a=" + b"x" * (3 << 20), 413),
        ("application/x-www-form-urlencoded", b"a&" * 3000, 400),
        ("multipart/form-data", b"", 400),
        ("multipart/form-data; boundary=x", b"nonsense", 400),
        ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="csrf"\r\n\r\n', 400),
    ):
        answer = browser.send("POST", f"{D}/new/security-groups", content=body, headers={"Content-Type": kind})
        assert answer.status_code == status, (kind, body[:50], answer.status_code)


def test_pages_that_are_not_there(cloud: ApiCloud) -> None:
    browser = member(cloud)
    for path in (
        "/nothing",
        "/servers/nothing",
        "/servers/x/nothing",
        "/new/nothing",
        "/row/nothing/x",
        "/rules",
        "/new/zones",
    ):
        browser.get(f"{D}{path}", 404)
    assert browser.get(f"{D}/row/servers/nothing") == ""
    for path in ("/static/nothing.css", "/static/..%2f__init__.py"):
        assert browser.send("GET", f"{D}{path}").status_code == 404
    assert cloud.call("GET", f"{D}/servers").status_code == 401, "who is no browser is told so"


def test_what_a_member_may_not_do_is_not_shown_and_is_refused_with_the_apis_words(cloud: ApiCloud) -> None:
    browser = member(cloud)
    page = browser.get(f"{D}/flavors")
    assert "Administration" not in page and f"{D}/new/flavors" not in page
    answer = browser.fill(f"{D}/new/flavors", name="mine", vcpus="1", ram="64", disk="1")
    assert answer.status_code == 403
    assert "Policy doesn&#39;t allow os_compute_api:os-flavor-manage:create to be performed." in answer.text
    assert browser.send("GET", f"{D}/hosts").status_code == 403
    assert "Administration" in admin(cloud).get(D)
    reader = cloud.new_user("ria", "garden", "reader")
    assert reader.token
    looks = Browser(cloud)
    looks.login("ria", "ria-secret")
    assert f"{D}/new/networks" not in looks.get(f"{D}/networks")


def test_another_projects_resources_are_not_found(cloud: ApiCloud) -> None:
    mia, noa = cloud.new_user("mia", "garden"), member(cloud, "noa", "orchard")
    network = mia.post(f"{N}/networks", {"network": {"name": "theirs"}}, 201).json()["network"]["id"]
    volume = mia.post(f"/volume/v3/{mia.project_id}/volumes", {"volume": {"size": 1}}, 202).json()["volume"]["id"]
    for path in (f"networks/{network}", f"volumes/{volume}", f"networks/{network}/delete", f"volumes/{volume}/extend"):
        assert "theirs" not in noa.get(f"{D}/{path}", 404)
    assert noa.get(f"{D}/row/networks/{network}") == ""
    assert "theirs" not in noa.get(f"{D}/search?q={network}")
    answer = noa.post(f"{D}/networks/{network}/delete", [("csrf", noa.csrf)])
    assert answer.status_code == 404
    mia.get(f"{N}/networks/{network}")


def test_who_has_no_project_is_told_what_to_do(cloud: ApiCloud) -> None:
    cloud.admin.post("/identity/v3/users", {"user": {"name": "new", "password": "new-secret"}}, 201)
    browser = Browser(cloud)
    browser.login("new", "new-secret")
    assert "You have no project yet" in browser.get(D)


def test_no_markup_of_a_tenant_is_ever_one_of_a_page(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    name = XSS
    network = mia.post(f"{N}/networks", {"network": {"name": name, "description": name}}, 201).json()["network"]["id"]
    mia.post(
        f"{N}/subnets", {"subnet": {"network_id": network, "ip_version": 4, "cidr": "10.1.0.0/24", "name": name}}, 201
    )
    mia.post(f"{N}/routers", {"router": {"name": name}}, 201)
    mia.post(f"{N}/security-groups", {"security_group": {"name": name, "description": name}}, 201)
    mia.post("/image/v2/images", {"name": name, "disk_format": "raw", "container_format": "bare"}, 201)
    data = {"name": name, "size": 1, "description": name, "metadata": {"k": name}}
    mia.post(f"/volume/v3/{mia.project_id}/volumes", {"volume": data}, 202)
    mia.put(f"/object-store/v1/AUTH_{mia.project_id}/c%22%3E%3Cscript%3E", expect=201, headers={"Content-Length": "0"})
    path = f"/object-store/v1/AUTH_{mia.project_id}/c%22%3E%3Cscript%3E/%3Cscript%3Ealert(1)%3C%2Fscript%3E.html"
    mia.put(path, expect=201, content=b"<script>alert(1)</script>", headers={"Content-Type": "text/html"})
    browser = Browser(cloud)
    browser.login("mia", "mia-secret")
    pages = [
        "",
        "/topology",
        "/networks",
        "/subnets",
        "/routers",
        "/security-groups",
        "/images",
        "/volumes",
        "/containers",
    ]
    pages += [f"/networks/{network}", f"/networks/{network}/edit", f"/networks/{network}/delete", "/new/servers"]
    pages += ["/search?q=%3Cscript%3E", f"/networks?q={XSS[:20]}", "/objects?container=c%22%3E%3Cscript%3E"]
    for page in pages:
        text = browser.get(f"{D}{page}")
        assert "<script>alert" not in text and "<img src=x" not in text and "49$" not in text, page
    told = browser.fill(f"{D}/new/networks", name=XSS, cidr=XSS)
    assert told.status_code == 400 and "<script>alert" not in told.text
    found = browser.send("GET", f"{D}/object?container=c%22%3E%3Cscript%3E&name=%3Cscript%3Ealert(1)%3C/script%3E.html")
    assert found.content == b"<script>alert(1)</script>"
    assert found.headers["content-type"] == "application/octet-stream"
    assert "sandbox" in found.headers["content-security-policy"]
    assert found.headers["content-disposition"].startswith("attachment")


def test_the_token_is_on_no_page(cloud: ApiCloud) -> None:
    from tane.services.dashboard.domain import sessions

    browser = member(cloud)
    session = sessions.find(cloud.core, browser.cookies["tane-session"])
    assert session is not None
    for page in ("", "/access", "/servers", "/new/servers", "/access/openrc", "/access/clouds.yaml"):
        text = browser.get(f"{D}{page}")
        assert session.token not in text and session.secret not in text


# ------------------------------------------------------------------------------------------------------- every page


@pytest.fixture
def looked_up(monkeypatch: pytest.MonkeyPatch) -> Iterator[set[str]]:
    """Every text that a page asks its catalogue for."""
    found: set[str] = set()
    plain = Words.__call__

    def remember(self: Words, text: str, **values: object) -> str:
        found.add(text)
        return plain(self, text, **values)

    monkeypatch.setattr(Words, "__call__", remember)
    yield found


def test_every_page_is_shown_to_both_roles_in_both_languages(cloud: ApiCloud, looked_up: set[str]) -> None:
    boss, mia = cloud.admin, cloud.new_user("mia", "garden")
    noa = cloud.new_user("noa", "orchard")
    flavor = {"name": "m1", "vcpus": 1, "ram": 64, "disk": 1}
    flavor_id = boss.post(f"{V}/flavors", {"flavor": flavor}, 200).json()["flavor"]["id"]
    outside = {"name": "outside", "router:external": True, "provider:network_type": "flat"}
    outside["provider:physical_network"] = "external"
    external_id = boss.post(f"{N}/networks", {"network": outside}, 201).json()["network"]["id"]
    boss.post(f"{N}/subnets", {"subnet": {"network_id": external_id, "ip_version": 4, "cidr": "203.0.113.0/24"}}, 201)
    made = one_of_each(cloud, mia, name="mine", flavor_id=flavor_id, external_id=external_id)
    rename(mia, boss, made)
    for kind in ("networks", "routers", "security-groups"):
        body = {"name": "secret-of-noa"}
        noa.post(f"{N}/{kind}", {kind.removesuffix("s").replace("-", "_"): body}, 201)
    noa.post(f"/volume/v3/{noa.project_id}/volumes", {"volume": {"size": 1, "name": "secret-of-noa"}}, 202)
    for language in LANGUAGES:
        for user, password in (("mia", "mia-secret"), ("admin", ADMIN_PASSWORD)):
            browser = Browser(cloud, language)
            browser.login(user, password)
            seen = _walk(browser, private=user == "mia")
            for kind in ALL:
                shown = not kind.inner and (user == "admin" or not kind.admin)
                assert not shown or f"{D}/{kind.name}" in seen, kind.name
            actions = {path for path in seen if path.count("/") == 4}
            assert len(actions) > 60
    known = set(render_messages.messages())
    assert looked_up - known - PLAIN - {""} == set()


CORPUS = (
    XSS,
    "</textarea></select><svg onload=alert(1)>",
    "</title></option><body onpageshow=alert(1)>",
    '" autofocus onfocus="alert(1)',
    "' onclick='alert(1)",
    "javascript:alert(1)//</script>",
)


def rename(mia: Caller, boss: Caller, made: dict[str, str]) -> None:
    """Everything gets markup for a name, a description, a value: each page that shows it is looked through."""
    texts = itertools.cycle(CORPUS)
    for kind in ("networks", "subnets", "routers", "ports", "security-groups", "subnetpools"):
        key = {"security-groups": "security_group"}.get(kind, kind.removesuffix("s"))
        mia.put(f"{N}/{kind}/{made[kind]}", {key: {"name": next(texts), "description": next(texts)}}, 200)
    mia.put(f"{N}/floatingips/{made['floatingips']}", {"floatingip": {"description": next(texts)}}, 200)
    text = next(texts)
    mia.put(f"{V}/servers/{made['servers']}", {"server": {"name": text, "description": text}}, 200, headers=at("2.96"))
    mia.put(f"{V}/servers/{made['servers']}/metadata", {"metadata": {"k": next(texts)}}, 200)
    for kind in ("volumes", "snapshots"):
        body = {kind.removesuffix("s"): {"name": next(texts), "description": next(texts)}}
        mia.put(f"/volume/v3/{mia.project_id}/{kind}/{made[kind]}", body, 200)
    for kind, one in (("projects", mia.project_id), ("users", mia.user_id)):
        boss.patch(f"/identity/v3/{kind}/{one}", {kind.removesuffix("s"): {"description": next(texts)}}, 200)
    for kind in ("groups", "roles", "domains"):
        boss.post(f"/identity/v3/{kind}", {kind.removesuffix("s"): {"name": f"{kind} {next(texts)}"}}, 201)


def _walk(browser: Browser, *, private: bool) -> set[str]:
    """Follow every link; of the forms of one kind's resources each is looked at once."""
    seen: set[str] = set()
    forms: set[tuple[str, str]] = set()
    todo = [D]
    while todo:
        path = todo.pop()
        if path in seen or not path.startswith(D) or "/static/" in path:
            continue
        _, _, *parts = path.partition("?")[0].split("/")
        if len(parts) == 3:
            if (parts[0], parts[2]) in forms:
                continue
            forms.add((parts[0], parts[2]))
        seen.add(path)
        answer = browser.send("GET", path)
        assert answer.status_code == 200, (path, answer.status_code, answer.text[-2000:])
        if not answer.headers["content-type"].startswith("text/html"):
            continue
        check_page(answer)
        assert len(answer.content) < LARGEST_AFTER, (path, len(answer.content))
        assert not private or "secret-of-noa" not in answer.text, path
        todo.extend(link.partition("#")[0] for link in Forms(answer.text).links)
    return seen


def test_the_first_page_with_all_its_files_is_small(cloud: ApiCloud) -> None:
    browser = member(cloud)
    text = browser.get(D)
    total = len(text.encode())
    for link in set(re.findall(r'(?:src|href)="(/dashboard/static/[^"]+)"', text)):
        answer = browser.send("GET", link)
        assert answer.status_code == 200 and "immutable" in answer.headers["cache-control"]
        total += len(answer.content)
    assert total < LARGEST_FIRST


def test_every_message_is_translated_and_none_is_left_over() -> None:
    wanted = set(render_messages.messages())
    for language in LANGUAGES:
        found = parse((LOCALE / f"{language}.po").read_text(encoding="utf-8"))
        assert set(found) == wanted, f"{language}: run tools/render_messages.py"
        assert [text for text, told in found.items() if not told] == [], language
        for text, told in found.items():
            assert set(re.findall(r"{\w+}", text)) == set(re.findall(r"{\w+}", told)), text


def test_lists_are_read_in_pages_and_found_by_name(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    networks = [{"name": f"net-{number:02}"} for number in range(25)]
    mia.post(f"{N}/networks", {"networks": networks}, 201)
    browser = Browser(cloud)
    browser.login("mia", "mia-secret")
    first = browser.get(f"{D}/networks")
    [following] = re.findall(r'href="(\?marker=[^"]+)"', first)
    second = browser.get(f"{D}/networks{following}")
    names = [set(re.findall(r">(net-\d\d)</a>", page)) for page in (first, second)]
    assert len(names[0]) == lists.PAGE and len(names[0] | names[1]) == 25
    assert set(re.findall(r">(net-\d\d)</a>", browser.get(f"{D}/networks?q=net-07"))) == {"net-07"}
    assert "<html" not in browser.get(f"{D}/networks?q=net-07", headers={"HX-Request": "true"})
    assert "net-07" in browser.get(f"{D}/search?q=net-07")
    assert re.findall(r"net-\d", unquote(browser.get(f"{D}/search?q=nothing"))) == []


def test_the_page_of_one_row_is_that_row(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    network = mia.post(f"{N}/networks", {"network": {"name": "bed"}}, 201).json()["network"]["id"]
    browser = Browser(cloud)
    browser.login("mia", "mia-secret")
    row = browser.get(f"{D}/row/networks/{network}")
    assert row.lstrip().startswith("<tr") and "bed" in row and row.strip() in browser.get(f"{D}/networks")
    mia.delete(f"{N}/networks/{network}")
    assert browser.get(f"{D}/row/networks/{network}") == ""


WITHOUT_COMMAND = (("volumes", "reimage"), ("volume-types", "default"), ("host-tokens", "delete"))
"""What ``openstack`` has no command for: the request is shown."""


def test_commands_are_shown_for_every_page_and_action() -> None:
    for kind in ALL:
        if kind.name in ("budgets", "settings", "jobs", "job-steps"):
            continue  # No command does it: the request is shown.
        assert kind.command, kind.name
        for action in [*kind.actions, *([kind.create] if kind.create else [])]:
            if (kind.name, action.name) not in WITHOUT_COMMAND:
                assert action.command.startswith(("openstack ", "./tane ")), (kind.name, action.name)


def test_the_login_is_throttled_as_identitys_own(cloud: ApiCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    from tane.shares import Full

    async def full(*given: object, **more: object) -> None:
        raise Full(everybody=True)

    browser = Browser(cloud)
    monkeypatch.setattr(login_api.inside, "ask", full)
    answer = browser.login("mia", "mia-secret")
    assert answer.status_code == 503 and "try again later" in answer.text


# ------------------------------------------------------------------------------------------------------------ objects


def test_containers_folders_and_objects(cloud: ApiCloud) -> None:
    browser = member(cloud)
    token = browser.csrf
    assert browser.fill(f"{D}/containers", f"{D}/objects", container="photos").status_code == 303
    made = [("csrf", token), ("what", "folder"), ("container", "photos"), ("prefix", ""), ("name", "2026")]
    assert browser.post(f"{D}/objects", made).status_code == 303
    parts = {"csrf": token, "what": "upload", "container": "photos", "prefix": "2026/"}
    answer = browser.send("POST", f"{D}/objects", data=parts, files={"file": ("庭.jpg", b"x" * 3000, "image/jpeg")})
    assert answer.status_code == 303, answer.text
    assert "庭.jpg" in browser.get(answer.headers["location"]) and "2026" in browser.get(
        f"{D}/objects?container=photos"
    )
    got = browser.send("GET", f"{D}/object?container=photos&name=2026/庭.jpg")
    assert got.content == b"x" * 3000
    sure = [("csrf", token), ("sure", "yes"), ("container", "photos")]
    gone = [*sure, ("what", "delete"), ("prefix", ""), ("name", "2026/庭.jpg"), ("name", "2026/")]
    assert browser.post(f"{D}/objects", gone).status_code == 303
    assert "Nothing here." in browser.get(f"{D}/objects?container=photos")
    assert browser.post(f"{D}/objects", [*sure, ("what", "remove")]).status_code == 303
    assert "photos" not in browser.get(f"{D}/containers")
    for container in ("", "a/b", "x" * 300):
        assert (
            browser.post(f"{D}/objects", [("csrf", token), ("what", "make"), ("container", container)]).status_code
            == 400
        )
    browser.get(f"{D}/objects?container=none", 404)
    browser.get(f"{D}/object?container=none&name=x", 404)


# --------------------------------------------------------------------------------------------------------------- live


def test_a_stream_ends_when_its_browser_is_gone(cloud: ApiCloud) -> None:
    import asyncio
    from collections.abc import AsyncIterator

    from tane.services.dashboard.api.live import Watched

    closed: list[str] = []

    class Endless:
        async def __aiter__(self) -> AsyncIterator[bytes]:
            yield b"first"
            await asyncio.Event().wait()

        async def close(self) -> None:
            closed.append("closed")

    class Incoming:
        def __init__(self) -> None:
            self.gone = asyncio.Event()

        async def event(self) -> dict[str, str]:
            await self.gone.wait()
            return {"type": "http.disconnect"}

    async def watch() -> list[bytes]:
        incoming, seen = Incoming(), []
        stream = Watched(Endless(), incoming)
        async for part in stream:
            seen.append(part)
            incoming.gone.set()
        await stream.close()
        return seen

    assert cloud.wait(watch()) == [b"first"] and closed == ["closed"]


def test_a_page_follows_from_before_what_it_shows(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    browser = Browser(cloud)
    browser.login("mia", "mia-secret")
    mia.post(f"{N}/networks", {"network": {"name": "bed"}}, 201)
    [cursor] = re.findall(r"/dashboard/events\?cursor=(\d+)", browser.get(f"{D}/networks"))
    assert mia.get(f"/events?cursor={cursor}").json()["events"] == []
    mia.post(f"{N}/networks", {"network": {"name": "bank"}}, 201)
    assert next(one["type"] for one in mia.get(f"/events?cursor={cursor}").json()["events"]) == "network.network.create"
    assert browser.send("GET", f"{D}/events?cursor=nonsense").status_code == 400
    assert Browser(cloud).send("GET", f"{D}/events", headers={"Accept": "text/event-stream"}).status_code == 401


def test_a_login_reads_little_of_a_stranger(cloud: ApiCloud) -> None:
    browser = Browser(cloud)
    for path in ("/login", "/prefer"):
        assert browser.post(f"{D}{path}", [("user", "x" * (200 << 10))]).status_code == 413


def test_a_strangers_link_fills_no_form_with_his_words(cloud: ApiCloud) -> None:
    browser = member(cloud)
    shown = browser.get(f"{D}/new/servers?user_data=%23!%2Fbin%2Fsh%0Aevil&name=his-name&image={'0' * 8}")
    main = shown.partition("<main")[2]
    assert "evil" not in main and 'value="his-name"' in main


def test_a_session_that_has_another_token_meanwhile_goes_on(cloud: ApiCloud) -> None:
    browser = member(cloud)
    secret = next(value for name, value in browser.cookies.items() if name.endswith("tane-session"))
    before = sessions.find(cloud.core, secret)
    assert before is not None
    sessions.change_token(cloud.core, before, "another", datetime(2100, 1, 1))
    sessions.close_if_over(cloud.core, before)
    now = sessions.find(cloud.core, secret)
    assert now is not None and now.token == "another"
    sessions.close_if_over(cloud.core, now)
    assert sessions.find(cloud.core, secret) is None
