"""What tests of object storage share."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import httpx

from tane.core import Core
from tane.services.object.store import database
from tane.services.object.tables import metadata
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


def lose_rows(core: Core, *, file: bool = True) -> None:
    """The database of objects is gone; without its ``file``, or with an empty one."""
    opened = database.of(core)
    with opened.write() as tx:
        metadata.drop_all(tx.connection)
        tx.connection.exec_driver_sql(f"DROP TABLE {database.APART.schema_table}")
    del core.memory[database.APART.name]
    opened.close()
    if core.db.embedded and file:
        for part in core.config.state_dir.glob(f"{database.APART.name}.db*"):
            part.unlink()
