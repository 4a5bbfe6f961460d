"""What tests of object storage share."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import httpx

from tests.support import ApiCloud, Caller

PREFIX = "/object-store/v1"


class Account:
    """A project's account, called by one of its users or by whoever is given."""

    def __init__(self, caller: Caller, project_id: str = "") -> None:
        self.caller = caller
        self.path = f"{PREFIX}/AUTH_{project_id or caller.project_id}"

    def call(
        self, method: str, path: str = "", expect: int | None = None, *, by: Caller | None = None, **more: Any
    ) -> httpx.Response:
        """``path``: what follows the account, quoted here; its query as it is."""
        where, mark, query = path.partition("?")
        target = self.path + quote(where, safe="/%") + mark + query
        return (by or self.caller).request(method, target, expect=expect, **more)

    def anonymous(self, method: str, path: str, expect: int | None = None, **more: Any) -> httpx.Response:
        response = self.caller.api.call(method, self.path + path, **more)
        assert expect is None or response.status_code == expect, f"{response.status_code} {response.text}"
        return response

    def container(self, name: str = "c", **headers: str) -> None:
        self.call("PUT", f"/{name}", 201, headers=headers)

    def put(self, path: str, content: Any = b"data", expect: int = 201, **headers: str | bytes) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.call("PUT", path, expect, content=content, headers=named)

    def get(self, path: str, expect: int = 200, **headers: str) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.call("GET", path, expect, headers=named)

    def names(self, path: str) -> list[str]:
        """The names (and folders) of a listing."""
        mark = "&" if "?" in path else "?"
        found = self.call("GET", f"{path}{mark}format=json", 200).json()
        return [entry.get("name", entry.get("subdir")) for entry in found]


def account(cloud: ApiCloud, name: str = "mia", project: str = "garden", role: str = "member") -> Account:
    return Account(cloud.new_user(name, project, role))
