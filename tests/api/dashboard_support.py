"""A browser of the portal's tests: cookies, forms by their names, and what every page must be."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

import httpx

from tests.api.compute_support import V, at
from tests.support import ADMIN_PASSWORD, ApiCloud, Caller

D, N = "/dashboard", "/network/v2.0"
HEADERS = ("content-security-policy", "x-content-type-options", "referrer-policy", "x-frame-options")


class Forms(HTMLParser):
    """The forms of a page with their fields as a browser would send them, and its links."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.forms: list[dict[str, Any]] = []
        self.links: list[str] = []
        self.scripts: list[str] = []
        self.inline: list[str] = []
        self._form: dict[str, Any] | None = None
        self._select: tuple[str, list[tuple[str, bool]]] | None = None
        self._area: str | None = None
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.inline += [name for name in given if name.startswith("on") or name == "style"]
        if tag == "script":
            self.scripts.append(given.get("src", ""))
        if tag == "a" and given.get("href", "").startswith("/"):
            self.links.append(given["href"])
        if tag == "form":
            self._form = {"action": given.get("action", ""), "method": given.get("method", "get"), "fields": []}
            self.forms.append(self._form)
        if self._form is None or not given.get("name"):
            if tag == "option" and self._select is not None:
                self._select[1].append((given.get("value", ""), "selected" in given))
            return
        name, kind = given["name"], given.get("type", "text")
        if tag == "input" and (kind not in ("checkbox", "file") or "checked" in given):
            self._form["fields"].append((name, given.get("value", "on" if kind == "checkbox" else "")))
        elif tag == "select":
            self._select = (name, [])
        elif tag == "textarea":
            self._area = name
            self._form["fields"].append((name, ""))

    def handle_data(self, data: str) -> None:
        if self._area and self._form:
            # The first line break of a text area is none of its text (HTML, 13.2.6.4.7).
            self._form["fields"][-1] = (self._area, data.removeprefix("\n"))

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None
        elif tag == "textarea":
            self._area = None
        elif tag == "select" and self._select is not None:
            name, options = self._select
            chosen = next((value for value, selected in options if selected), options[0][0] if options else None)
            if chosen is not None and self._form is not None:
                self._form["fields"].append((name, chosen))
            self._select = None


@dataclass
class Browser:
    """Who looks at the portal. Every answer is checked to be a page as all are to be."""

    cloud: ApiCloud
    language: str = "en"
    cookies: dict[str, str] = field(default_factory=dict)

    def send(self, method: str, path: str, **more: Any) -> httpx.Response:
        headers = {"Accept": "text/html", "Accept-Language": self.language, **more.pop("headers", {})}
        if self.cookies:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        answer = self.cloud.call(method, path, headers=headers, **more)
        self.cloud.forget_cookies()
        for line in answer.headers.get_list("set-cookie"):
            name, _, rest = line.partition("=")
            value = rest.partition(";")[0]
            assert "HttpOnly" in line and "SameSite" in line, line
            if "Max-Age=0" in line:
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = value
        return answer

    def get(self, path: str, expect: int = 200, **more: Any) -> str:
        answer = self.send("GET", path, **more)
        assert answer.status_code == expect, f"{path}: {answer.status_code} {answer.text[-3000:]}"
        if answer.headers.get("content-type", "").startswith("text/html") and answer.text:
            check_page(answer)
        return answer.text

    def fill(self, path: str, which: str = "", **values: Any) -> httpx.Response:
        """Load a page, fill in its form and send it; ``which``: a part of the form's address."""
        page = Forms(self.get(path))
        form = next(
            one for one in page.forms if one["method"] == "post" and (which or path.partition("?")[0]) in one["action"]
        )
        fields = [pair for pair in form["fields"] if pair[0] not in values]
        for name, value in values.items():
            fields += [(name, one) for one in (value if isinstance(value, list) else [value])]
        return self.post(form["action"], fields)

    def post(self, path: str, fields: list[tuple[str, str]], **more: Any) -> httpx.Response:
        from urllib.parse import urlencode

        headers = {"Content-Type": "application/x-www-form-urlencoded", **more.pop("headers", {})}
        return self.send("POST", path, content=urlencode(fields).encode(), headers=headers, **more)

    @property
    def csrf(self) -> str:
        found = re.search(r'data-csrf="(\w+)"', self.get(D))
        assert found
        return found[1]

    def login(self, user: str, password: str, **more: str) -> httpx.Response:
        return self.fill(f"{D}/login", user=user, password=password, **more)


def check_page(answer: httpx.Response) -> None:
    """No inline script, no style attribute, no handler; the headers of every page."""
    for name in HEADERS:
        assert name in answer.headers, name
    policy = answer.headers["content-security-policy"]
    assert "unsafe" not in policy and "script-src 'self'" in policy and "frame-ancestors 'none'" in policy
    page = Forms(answer.text)
    assert not page.inline, page.inline
    assert all(one.startswith(f"{D}/static/") for one in page.scripts), page.scripts


def member(cloud: ApiCloud, name: str = "mia", project: str = "garden", language: str = "en") -> Browser:
    """A member of a project, logged in."""
    cloud.new_user(name, project)
    found = Browser(cloud, language)
    assert found.login(name, f"{name}-secret").status_code == 303
    return found


def admin(cloud: ApiCloud, language: str = "en") -> Browser:
    found = Browser(cloud, language)
    assert found.login("admin", ADMIN_PASSWORD).status_code == 303
    return found


class Scene:
    """A browser, and the API beside it."""

    def __init__(self, cloud: ApiCloud, browser: Browser, api: Caller) -> None:
        self.cloud, self.browser, self.api = cloud, browser, api

    def make(self, kind: str, inner: str = "", **values: Any) -> str:
        """Make a resource by its form; returns its id."""
        within = f"?in={inner}" if inner else ""
        answer = self.browser.fill(f"{D}/new/{kind}{within}", f"{D}/new/{kind}", **values)
        assert answer.status_code in (200, 303), answer.text[-3000:]
        self.cloud.run_jobs()
        return answer.headers.get("location", "").partition("?")[0].rpartition("/")[2]

    def do(self, kind: str, resource: str, action: str, inner: str = "", expect: int = 303, **values: Any) -> str:
        """Do something by its form, or by its button."""
        within = f"?in={inner}" if inner else ""
        path = f"{D}/{kind}/{resource}/{action}"
        answer = self.browser.fill(path + within, path, **values)
        assert answer.status_code == expect, f"{action}: {answer.status_code} {answer.text[-3000:]}"
        self.cloud.run_jobs()
        return answer.text

    def show(self, path: str) -> Any:
        [found] = self.api.get(path).json().values()
        return found

    def server(self, server_id: str) -> Any:
        return self.api.get(f"{V}/servers/{server_id}", headers=at("2.96")).json()["server"]

    def volume(self, what: str) -> Any:
        return self.show(f"/volume/v3/{self.api.project_id}/{what}")


def make_scene(cloud: ApiCloud) -> Scene:
    """A member of a project with a flavor, an image and an external network."""
    api, boss = cloud.new_user("mia", "garden"), cloud.admin
    for name, ram in (("small", 64), ("large", 128)):
        boss.post(f"{V}/flavors", {"flavor": {"name": name, "vcpus": 1, "ram": ram, "disk": 1, "id": name}}, 200)
    outside = {"name": "outside", "router:external": True, "provider:network_type": "flat"}
    outside["provider:physical_network"] = "external"
    made = boss.post(f"{N}/networks", {"network": outside}, 201).json()["network"]["id"]
    boss.post(f"{N}/subnets", {"subnet": {"network_id": made, "ip_version": 4, "cidr": "203.0.113.0/24"}}, 201)
    browser = Browser(cloud)
    assert browser.login("mia", "mia-secret").status_code == 303
    return Scene(cloud, browser, api)
