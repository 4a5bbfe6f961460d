"""A browser as far as a server can tell: cookies, redirects, forms; and what a page shows."""

from __future__ import annotations

import http.cookiejar
import json
import re
import time
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass, field
from html import unescape
from html.parser import HTMLParser

PATIENCE = 60.0
"""Seconds after which a page counts as endless."""


@dataclass
class Page:
    """What came for one request. ``status`` 0: nothing came in time."""

    url: str
    status: int
    text: str
    seconds: float
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def endless(self) -> bool:
        return self.status == 0

    def errors(self) -> list[str]:
        """What the page's red boxes say, also of those that a script would show (``X-Horizon-Messages``)."""
        boxes = _Boxes()
        boxes.feed(re.sub(r"<noscript>.*?</noscript>", "", self.text, flags=re.S))
        said = json.loads(self.headers.get("x-horizon-messages", "[]"))
        return boxes.texts + [str(message[1]) for message in said if message[0] in ("error", "danger")]

    def links(self) -> list[str]:
        """Where it leads to, as paths of the same server, each once."""
        found = re.findall(r"""<a\b[^>]*?\bhref=["']([^"'#]+)["']""", _without_scripts(self.text))
        absolute = (urllib.parse.urljoin(self.url, unescape(link)) for link in found)
        here = urllib.parse.urlsplit(self.url).netloc
        paths = (urllib.parse.urlsplit(link) for link in absolute)
        wanted = (part.path + (f"?{part.query}" if part.query else "") for part in paths if part.netloc == here)
        return list(dict.fromkeys(wanted))


def _without_scripts(text: str) -> str:
    return re.sub(r"<script\b.*?</script>", "", text, flags=re.S)


class _Boxes(HTMLParser):
    """The texts of the elements of class ``alert-danger``, but for who has no scripts.

    Scripts' templates of such boxes are text to the parser.
    """

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self._depth = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self._depth and tag == "div":
            self._depth += 1
        elif tag == "div" and "alert-danger" in (dict(attrs).get("class") or "").split():
            self._depth = 1
            self.texts.append("")

    def handle_endtag(self, tag: str) -> None:
        if self._depth and tag == "div":
            self._depth -= 1

    def handle_data(self, data: str) -> None:
        if self._depth:
            self.texts[-1] = " ".join(f"{self.texts[-1]} {data}".split())


class Browser:
    """One user's session with a server at ``base``."""

    def __init__(self, base: str) -> None:
        self.base = base
        self._jar = http.cookiejar.CookieJar()
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self._jar))

    def get(self, path: str, **headers: str) -> Page:
        return self._open(urllib.request.Request(self.base + path, headers=headers))

    def post(self, path: str, fields: dict[str, str]) -> Page:
        """Send a form, with the token that the last page gave."""
        fields = {**fields, "csrfmiddlewaretoken": self.cookie("csrftoken")}
        body = urllib.parse.urlencode(fields).encode()
        return self._open(urllib.request.Request(self.base + path, body, {"Referer": self.base + path}))

    def cookie(self, name: str) -> str:
        """A cookie's value, empty without it."""
        return next((cookie.value or "" for cookie in self._jar if cookie.name == name), "")

    def _open(self, request: urllib.request.Request) -> Page:
        begun = time.monotonic()
        try:
            with self._opener.open(request, timeout=PATIENCE) as answer:
                url, status, body, headers = answer.url, answer.status, answer.read(), answer.headers
        except urllib.error.HTTPError as error:
            url, status, body, headers = error.url, error.code, error.read(), error.headers
        except TimeoutError:
            return Page(request.full_url, 0, "", time.monotonic() - begun)
        named = {name.lower(): value for name, value in headers.items()}
        return Page(url or request.full_url, status, body.decode(errors="replace"), time.monotonic() - begun, named)
