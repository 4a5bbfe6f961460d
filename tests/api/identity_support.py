"""Short names for what tests of identity make over and over."""

from __future__ import annotations

from typing import Any

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
