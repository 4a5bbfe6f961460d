"""Short names for what tests of identity make over and over."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import msgspec
from sqlalchemy import event

from tane.app import Cloud, make_core
from tane.services.identity.store import audit
from tests.support import ADMIN_PASSWORD, ApiCloud, Caller

V3 = "/identity/v3"


def make(caller: Caller, kind: str, collection: str = "", **values: Any) -> dict[str, Any]:
    """Create something below ``/v3`` and return it."""
    made: dict[str, Any] = caller.post(f"{V3}/{collection or kind + 's'}", {kind: values}, 201).json()[kind]
    return made


def role_id(caller: Caller, name: str) -> str:
    [found] = caller.get(f"{V3}/roles?name={name}").json()["roles"]
    return str(found["id"])


def grant(caller: Caller, where: str, whom: str, role: str, *, inherited: bool = False) -> str:
    """Give a role, by its name, to ``users/ID`` or ``groups/ID`` on ``projects/ID``, ``domains/ID`` or ``system``."""
    path = f"/{where}/{whom}/roles/{role_id(caller, role)}"
    path = f"{V3}/OS-INHERIT{path}/inherited_to_projects" if inherited else f"{V3}{path}"
    caller.put(path, expect=204)
    return path


def make_user(caller: Caller, name: str, domain_id: str = "default") -> dict[str, Any]:
    return make(caller, "user", name=name, password=f"{name}-secret", domain_id=domain_id)


def system_admin(cloud: ApiCloud) -> Caller:
    return cloud.login("admin", ADMIN_PASSWORD, system={"all": True})


def login(cloud: ApiCloud, user: dict[str, Any], expect: int = 201, **scope: Any) -> Caller:
    """Log in someone made by :func:`make_user`, with ``project=…``, ``domain=…`` or ``system=…`` as in a scope."""
    auth: dict[str, Any] = {
        "identity": {
            "methods": ["password"],
            "password": {"user": {"id": user["id"], "password": f"{user['name']}-secret"}},
        }
    }
    if scope:
        auth["scope"] = scope
    response = cloud.call("POST", f"{V3}/auth/tokens", json={"auth": auth})
    assert response.status_code == expect, response.text
    token = response.json().get("token", {})
    project = token.get("project", {}).get("id", "")
    return Caller(cloud, response.headers.get("x-subject-token", ""), project, user["id"])


def roles_of(caller: Caller) -> set[str]:
    """The names of the roles in a caller's token."""
    token = caller.get(f"{V3}/auth/tokens", headers={"X-Subject-Token": caller.token}).json()["token"]
    return {role["name"] for role in token.get("roles", ())}


@contextmanager
def process_of(cloud: ApiCloud, **settings: Any) -> Iterator[ApiCloud]:
    """Another API process on the same database (also what a restart is): it shares nothing else but the clock."""
    config = msgspec.structs.replace(cloud.core.config, **settings)
    core = make_core(config, clock=cloud.core.clock)
    other = ApiCloud(Cloud(core), cloud._runner)
    try:
        yield other
    finally:
        other.close()
        core.close()


def as_in(cloud: ApiCloud, caller: Caller) -> Caller:
    """The same caller talking to another process."""
    return Caller(cloud, caller.token, caller.project_id, caller.user_id)


def token_of(caller: Caller) -> dict[str, Any]:
    """The document of a caller's own token."""
    shown: dict[str, Any] = caller.get(f"{V3}/auth/tokens", headers={"X-Subject-Token": caller.token}).json()["token"]
    return shown


def authenticate(cloud: ApiCloud, identity: dict[str, Any], scope: Any = None, **headers: str) -> httpx.Response:
    """``POST /auth/tokens`` with ``{"password": …}`` and the like; the methods are the keys."""
    auth: dict[str, Any] = {"identity": {"methods": list(identity), **identity}}
    if scope is not None:
        auth["scope"] = scope
    return cloud.call("POST", f"{V3}/auth/tokens", json={"auth": auth}, headers=headers)


def by_password(user: str, password: str) -> dict[str, Any]:
    return {"password": {"user": {"name": user, "domain": {"id": "default"}, "password": password}}}


def caller_of(cloud: ApiCloud, response: httpx.Response) -> Caller:
    """The caller that an answered authentication makes."""
    assert response.status_code == 201, response.text
    token = response.json()["token"]
    return Caller(
        cloud, response.headers["x-subject-token"], token.get("project", {}).get("id", ""), token["user"]["id"]
    )


def count_queries(cloud: ApiCloud) -> list[str]:
    """A list that grows by each statement this process sends from now on, but for the looks at the generation."""
    sent: list[str] = []

    def note(*arguments: Any) -> None:
        if arguments[2] != audit.NUMBER:
            sent.append(arguments[2])

    for engine in (cloud.core.db.engines.reader, cloud.core.db.engines.writer):
        event.listen(engine, "before_cursor_execute", note)
    return sent
