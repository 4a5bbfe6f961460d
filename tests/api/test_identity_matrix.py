"""Who may call what: every identity route, with every role in every scope, about one's own domain and another.

What is expected is written here by hand, from the policies that Keystone documents. Nothing a caller does is kept: each
write is undone at its commit, so a call that the policy lets through answers anything but its refusal.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import pytest

from tane.services.identity.routes import ROUTES
from tane.web.errors import Conflict
from tests.api.identity_support import V3, grant, login, make, make_user
from tests.support import ApiCloud, Caller

SCOPES = ("project", "domain", "system")
ROLES = ("admin", "manager", "member", "reader", "guest")
"""A guest has a role that no rule knows."""


def at(scope: str, *roles: str) -> frozenset[str]:
    return frozenset(f"{role}@{scope}" for role in roles)


NOBODY: frozenset[str] = frozenset()
ADMINS = at("project", "admin") | at("system", "admin")
"""Of the cloud. Who is administrator with a token of a domain looks after that domain only."""
SYSTEM = at("system", "admin", "manager", "member", "reader")
DOMAIN_READERS = at("domain", "admin", "manager", "member", "reader")
DOMAIN_MANAGERS = at("domain", "admin", "manager")
MANAGERS = frozenset(f"manager@{scope}" for scope in SCOPES)
IN_DOMAIN = at("domain", *ROLES)
IN_PROJECT = at("project", *ROLES)
EVERYONE = IN_PROJECT | IN_DOMAIN | at("system", *ROLES) | {"unscoped"}

CLOUD = (ADMINS | SYSTEM, ADMINS | SYSTEM)
"""Seen by those who look after the cloud: (about one's own domain, about another)."""

EXPECTED: tuple[tuple[tuple[frozenset[str], frozenset[str]], str], ...] = (
    (
        (EVERYONE, EVERYONE),
        """
        GET /auth/catalog; GET /auth/projects; GET /auth/domains; GET /auth/system
        GET /regions; GET /regions/{region_id}
        GET /registered_limits; GET /registered_limits/{registered_limit_id}; GET /limits; GET /limits/model
        GET /domains/{domain_id}/config/security_compliance
        GET /domains/{domain_id}/config/security_compliance/{option}
        """,
    ),
    # A token: one's own, and one of the administrator.
    ((EVERYONE, ADMINS | SYSTEM), "GET /auth/tokens; HEAD /auth/tokens"),
    ((EVERYONE, ADMINS), "DELETE /auth/tokens"),
    (
        (ADMINS, ADMINS),
        """
        GET /auth/tokens/OS-PKI/revoked; POST /ec2tokens; POST /s3tokens
        POST /domains; PATCH /domains/{domain_id}; DELETE /domains/{domain_id}
        POST /roles; PATCH /roles/{role_id}; DELETE /roles/{role_id}
        PUT /roles/{role_id}/implies/{implied_role_id}; DELETE /roles/{role_id}/implies/{implied_role_id}
        PUT /system/users/{user_id}/roles/{role_id}; DELETE /system/users/{user_id}/roles/{role_id}
        PUT /system/groups/{group_id}/roles/{role_id}; DELETE /system/groups/{group_id}/roles/{role_id}
        POST /regions; PUT /regions/{region_id}; PATCH /regions/{region_id}; DELETE /regions/{region_id}
        POST /services; PATCH /services/{service_id}; DELETE /services/{service_id}
        POST /endpoints; PATCH /endpoints/{endpoint_id}; DELETE /endpoints/{endpoint_id}
        POST /OS-EP-FILTER/endpoint_groups
        PATCH /OS-EP-FILTER/endpoint_groups/{endpoint_group_id}
        DELETE /OS-EP-FILTER/endpoint_groups/{endpoint_group_id}
        PUT /OS-EP-FILTER/endpoint_groups/{endpoint_group_id}/projects/{project_id}
        DELETE /OS-EP-FILTER/endpoint_groups/{endpoint_group_id}/projects/{project_id}
        PUT /OS-EP-FILTER/projects/{project_id}/endpoints/{endpoint_id}
        DELETE /OS-EP-FILTER/projects/{project_id}/endpoints/{endpoint_id}
        POST /policies; PATCH /policies/{policy_id}; DELETE /policies/{policy_id}
        PUT /policies/{policy_id}/OS-ENDPOINT-POLICY/endpoints/{endpoint_id}
        DELETE /policies/{policy_id}/OS-ENDPOINT-POLICY/endpoints/{endpoint_id}
        PUT /policies/{policy_id}/OS-ENDPOINT-POLICY/services/{service_id}
        DELETE /policies/{policy_id}/OS-ENDPOINT-POLICY/services/{service_id}
        PUT /policies/{policy_id}/OS-ENDPOINT-POLICY/services/{service_id}/regions/{region_id}
        DELETE /policies/{policy_id}/OS-ENDPOINT-POLICY/services/{service_id}/regions/{region_id}
        POST /registered_limits; PATCH /registered_limits/{registered_limit_id}
        DELETE /registered_limits/{registered_limit_id}
        POST /limits; PATCH /limits/{limit_id}; DELETE /limits/{limit_id}
        PUT /domains/{domain_id}/config; PATCH /domains/{domain_id}/config; DELETE /domains/{domain_id}/config
        PATCH /domains/{domain_id}/config/{group}; DELETE /domains/{domain_id}/config/{group}
        PATCH /domains/{domain_id}/config/{group}/{option}; DELETE /domains/{domain_id}/config/{group}/{option}
        POST /OS-OAUTH1/consumers; PATCH /OS-OAUTH1/consumers/{consumer_id}; DELETE /OS-OAUTH1/consumers/{consumer_id}
        DELETE /users/{user_id}/application_credentials/{application_credential_id}
        """,
    ),
    # Delegations are about projects.
    (
        (at("project", "admin"), at("project", "admin")),
        """
        PUT /OS-OAUTH1/authorize/{request_token_id}
        GET /users/{user_id}/OS-OAUTH1/access_tokens; GET /users/{user_id}/OS-OAUTH1/access_tokens/{access_token_id}
        DELETE /users/{user_id}/OS-OAUTH1/access_tokens/{access_token_id}
        GET /users/{user_id}/OS-OAUTH1/access_tokens/{access_token_id}/roles
        GET /users/{user_id}/OS-OAUTH1/access_tokens/{access_token_id}/roles/{role_id}
        """,
    ),
    (
        CLOUD,
        """
        GET /role_inferences; GET /roles/{role_id}/implies
        GET /roles/{role_id}/implies/{implied_role_id}; HEAD /roles/{role_id}/implies/{implied_role_id}
        GET /system/users/{user_id}/roles; GET /system/users/{user_id}/roles/{role_id}
        GET /system/groups/{group_id}/roles; GET /system/groups/{group_id}/roles/{role_id}
        GET /services; GET /services/{service_id}; GET /endpoints; GET /endpoints/{endpoint_id}
        GET /OS-EP-FILTER/endpoint_groups; GET /OS-EP-FILTER/endpoint_groups/{endpoint_group_id}
        GET /OS-EP-FILTER/endpoint_groups/{endpoint_group_id}/projects
        GET /OS-EP-FILTER/endpoint_groups/{endpoint_group_id}/endpoints
        GET /OS-EP-FILTER/endpoint_groups/{endpoint_group_id}/projects/{project_id}
        GET /OS-EP-FILTER/projects/{project_id}/endpoint_groups; GET /OS-EP-FILTER/projects/{project_id}/endpoints
        GET /OS-EP-FILTER/projects/{project_id}/endpoints/{endpoint_id}
        GET /OS-EP-FILTER/endpoints/{endpoint_id}/projects
        GET /policies; GET /policies/{policy_id}; GET /policies/{policy_id}/OS-ENDPOINT-POLICY/endpoints
        GET /endpoints/{endpoint_id}/OS-ENDPOINT-POLICY/policy
        GET /policies/{policy_id}/OS-ENDPOINT-POLICY/endpoints/{endpoint_id}
        GET /policies/{policy_id}/OS-ENDPOINT-POLICY/services/{service_id}
        GET /policies/{policy_id}/OS-ENDPOINT-POLICY/services/{service_id}/regions/{region_id}
        GET /domains/{domain_id}/config; GET /domains/{domain_id}/config/{group}
        GET /domains/{domain_id}/config/{group}/{option}
        GET /domains/config/default; GET /domains/config/{group}/default; GET /domains/config/{group}/{option}/default
        GET /OS-OAUTH1/consumers; GET /OS-OAUTH1/consumers/{consumer_id}
        GET /users/{user_id}/application_credentials
        GET /users/{user_id}/application_credentials/{application_credential_id}
        GET /users/{user_id}/credentials/OS-EC2
        """,
    ),
    # Lists: of the domain of the token where there is one.
    (
        (ADMINS | SYSTEM | DOMAIN_READERS, ADMINS | SYSTEM | DOMAIN_READERS),
        "GET /projects; GET /users; GET /groups; GET /domains; GET /role_assignments",
    ),
    # The roles of the cloud, and those of another domain.
    ((ADMINS | SYSTEM | DOMAIN_MANAGERS, ADMINS | SYSTEM), "GET /roles"),
    # A role that managers may give, and one that they may not.
    (
        (ADMINS | SYSTEM | MANAGERS | at("domain", "admin"), ADMINS | SYSTEM | at("domain", "admin")),
        "GET /roles/{role_id}",
    ),
    ((ADMINS | SYSTEM | IN_DOMAIN | IN_PROJECT, ADMINS | SYSTEM), "GET /domains/{domain_id}; GET /limits/{limit_id}"),
    (
        (ADMINS | SYSTEM | DOMAIN_READERS | IN_PROJECT, ADMINS | SYSTEM),
        "GET /projects/{project_id}; GET /projects/{project_id}/tags; GET /projects/{project_id}/tags/{tag}",
    ),
    (
        (ADMINS | SYSTEM | DOMAIN_READERS, ADMINS | SYSTEM),
        """
        GET /users/{user_id}; GET /users/{user_id}/projects; GET /users/{user_id}/groups
        GET /groups/{group_id}; GET /groups/{group_id}/users; GET /groups/{group_id}/users/{user_id}
        GET /projects/{project_id}/users/{user_id}/roles; GET /projects/{project_id}/groups/{group_id}/roles
        GET /domains/{domain_id}/users/{user_id}/roles; GET /domains/{domain_id}/groups/{group_id}/roles
        GET /OS-INHERIT/domains/{domain_id}/users/{user_id}/roles/inherited_to_projects
        GET /OS-INHERIT/domains/{domain_id}/groups/{group_id}/roles/inherited_to_projects
        GET /projects/{project_id}/users/{user_id}/roles/{role_id}
        GET /projects/{project_id}/groups/{group_id}/roles/{role_id}
        GET /domains/{domain_id}/users/{user_id}/roles/{role_id}
        GET /domains/{domain_id}/groups/{group_id}/roles/{role_id}
        GET /OS-INHERIT/projects/{project_id}/users/{user_id}/roles/{role_id}/inherited_to_projects
        GET /OS-INHERIT/projects/{project_id}/groups/{group_id}/roles/{role_id}/inherited_to_projects
        GET /OS-INHERIT/domains/{domain_id}/users/{user_id}/roles/{role_id}/inherited_to_projects
        GET /OS-INHERIT/domains/{domain_id}/groups/{group_id}/roles/{role_id}/inherited_to_projects
        """,
    ),
    (
        (ADMINS | DOMAIN_MANAGERS, ADMINS),
        """
        POST /projects; PATCH /projects/{project_id}; DELETE /projects/{project_id}
        PUT /projects/{project_id}/tags; DELETE /projects/{project_id}/tags
        PUT /projects/{project_id}/tags/{tag}; DELETE /projects/{project_id}/tags/{tag}
        POST /users; PATCH /users/{user_id}; DELETE /users/{user_id}
        POST /groups; PATCH /groups/{group_id}; DELETE /groups/{group_id}
        PUT /groups/{group_id}/users/{user_id}; DELETE /groups/{group_id}/users/{user_id}
        PUT /projects/{project_id}/users/{user_id}/roles/{role_id}
        DELETE /projects/{project_id}/users/{user_id}/roles/{role_id}
        PUT /projects/{project_id}/groups/{group_id}/roles/{role_id}
        DELETE /projects/{project_id}/groups/{group_id}/roles/{role_id}
        PUT /domains/{domain_id}/users/{user_id}/roles/{role_id}
        DELETE /domains/{domain_id}/users/{user_id}/roles/{role_id}
        PUT /domains/{domain_id}/groups/{group_id}/roles/{role_id}
        DELETE /domains/{domain_id}/groups/{group_id}/roles/{role_id}
        PUT /OS-INHERIT/projects/{project_id}/users/{user_id}/roles/{role_id}/inherited_to_projects
        DELETE /OS-INHERIT/projects/{project_id}/users/{user_id}/roles/{role_id}/inherited_to_projects
        PUT /OS-INHERIT/projects/{project_id}/groups/{group_id}/roles/{role_id}/inherited_to_projects
        DELETE /OS-INHERIT/projects/{project_id}/groups/{group_id}/roles/{role_id}/inherited_to_projects
        PUT /OS-INHERIT/domains/{domain_id}/users/{user_id}/roles/{role_id}/inherited_to_projects
        DELETE /OS-INHERIT/domains/{domain_id}/users/{user_id}/roles/{role_id}/inherited_to_projects
        PUT /OS-INHERIT/domains/{domain_id}/groups/{group_id}/roles/{role_id}/inherited_to_projects
        DELETE /OS-INHERIT/domains/{domain_id}/groups/{group_id}/roles/{role_id}/inherited_to_projects
        """,
    ),
    # Users keep these for themselves.
    ((NOBODY, NOBODY), "POST /users/{user_id}/application_credentials"),
    ((SYSTEM, SYSTEM), "GET /users/{user_id}/access_rules; GET /users/{user_id}/access_rules/{access_rule_id}"),
    ((at("system", "admin"), at("system", "admin")), "DELETE /users/{user_id}/access_rules/{access_rule_id}"),
)

OF_AN_OWNER = """
GET /OS-TRUST/trusts; POST /OS-TRUST/trusts; GET /OS-TRUST/trusts/{trust_id}; DELETE /OS-TRUST/trusts/{trust_id}
GET /OS-TRUST/trusts/{trust_id}/roles; GET /OS-TRUST/trusts/{trust_id}/roles/{role_id}
GET /credentials; POST /credentials; GET /credentials/{credential_id}; PATCH /credentials/{credential_id}
DELETE /credentials/{credential_id}; POST /users/{user_id}/credentials/OS-EC2
GET /users/{user_id}/credentials/OS-EC2/{credential_id}; DELETE /users/{user_id}/credentials/OS-EC2/{credential_id}
GET /OS-REVOKE/events
"""
"""Whose they are, neither path nor role tells: their own tests say who may. Here they must not break or leak."""

OWN_USER = (
    "GET /users/{user_id}",
    "GET /users/{user_id}/projects",
    "GET /users/{user_id}/groups",
)
"""What everyone may see of oneself."""
OWN_DELEGATIONS = ("GET /users/{user_id}/application_credentials", "GET /users/{user_id}/access_rules")
"""The same, but not with a token of a domain: delegations are about projects."""


def _calls(text: str) -> list[str]:
    return [call.strip() for call in re.split(r"[;\n]", text) if call.strip()]


TABLE = {call: expected for expected, text in EXPECTED for call in _calls(text)}
CALLS = {f"{route.method} {route.path.removeprefix('/v3')}" for route in ROUTES if route.policy is not None}


def test_the_table_has_a_line_for_every_route() -> None:
    told = [call for _, text in EXPECTED for call in _calls(text)] + _calls(OF_AN_OWNER)
    assert len(told) == len(set(told))
    assert set(told) == CALLS


@dataclass
class Place:
    """One domain with a project, a user, a group and a limit in it, as the fields of paths."""

    ids: dict[str, str]

    @classmethod
    def make(cls, admin: Caller, name: str, shared: dict[str, str]) -> Place:
        domain_id = make(admin, "domain", name=name)["id"]
        project_id = make(admin, "project", name=f"{name}-project", domain_id=domain_id, tags=["green"])["id"]
        group_id = make(admin, "group", name=f"{name}-group", domain_id=domain_id)["id"]
        user_id = make_user(admin, f"{name}-user", domain_id)["id"]
        grant(admin, f"projects/{project_id}", f"users/{user_id}", "member")
        limit = {"service_id": shared["service_id"], "resource_name": "canvas", "resource_limit": 1}
        limits = admin.post(f"{V3}/limits", {"limits": [{**limit, "project_id": project_id}]}, 201).json()["limits"]
        own = {"domain_id": domain_id, "project_id": project_id, "group_id": group_id, "user_id": user_id}
        return cls({**shared, **own, "limit_id": limits[0]["id"]})

    @property
    def secrets(self) -> list[str]:
        """Ids that nobody of another domain may read."""
        return [self.ids[name] for name in ("domain_id", "project_id", "group_id", "user_id", "limit_id")]


class Matrix:
    """A cloud with two domains, and callers of the first one."""

    def __init__(self, cloud: ApiCloud, scope: str) -> None:
        self.cloud = cloud
        admin = self.admin = cloud.admin
        guest = make(admin, "role", name="guest")
        service_id = make(admin, "service", type="painting")["id"]
        endpoint = {"service_id": service_id, "interface": "public", "url": "http://203.0.113.5/"}
        entry = {"service_id": service_id, "resource_name": "canvas", "default_limit": 5}
        body = {"registered_limits": [entry]}
        registered = admin.post(f"{V3}/registered_limits", body, 201).json()["registered_limits"][0]
        filters = {"service_id": service_id}
        groups = "OS-EP-FILTER/endpoint_groups"
        shared = {
            "service_id": service_id,
            "endpoint_id": make(admin, "endpoint", **endpoint)["id"],
            "endpoint_group_id": make(admin, "endpoint_group", groups, name="g", filters=filters)["id"],
            "registered_limit_id": registered["id"],
            "policy_id": make(admin, "policy", "policies", type="t", blob="b")["id"],
            "consumer_id": make(admin, "consumer", "OS-OAUTH1/consumers")["id"],
            "region_id": "RegionOne",
            "tag": "green",
            "group": "ldap",
            "option": "url",
            "implied_role_id": guest["id"],
        }
        self.own, self.other = (Place.make(admin, name, shared) for name in ("land", "sea"))
        roles = {role["name"]: role["id"] for role in admin.get(f"{V3}/roles").json()["roles"]}
        self.own.ids["role_id"], self.other.ids["role_id"] = roles["reader"], roles["reader"]
        self.unmanaged = roles["service"]
        self.callers = dict(self._caller(role, scope) for role in ROLES)
        if scope == "system":
            self.callers["unscoped"] = login(cloud, make_user(admin, "nobody", self.own.ids["domain_id"]))
        cloud.core.db.before_write = _undo

    def _caller(self, role: str, scope: str) -> tuple[str, Caller]:
        user = make_user(self.admin, role, self.own.ids["domain_id"])
        target = "system" if scope == "system" else f"{scope}s/{self.own.ids[f'{scope}_id']}"
        grant(self.admin, target, f"users/{user['id']}", role)
        wanted: dict[str, Any] = {"all": True} if scope == "system" else {"id": self.own.ids[f"{scope}_id"]}
        return f"{role}@{scope}", login(self.cloud, user, **{scope: wanted})

    def allowed(self, name: str, call: str, place: Place, **replaced: str) -> bool:
        """Whether the policy lets a caller through."""
        caller = self.callers[name]
        method, path = call.split()
        ids = {**place.ids, **replaced}
        if call == "GET /roles/{role_id}" and place is self.other:
            ids["role_id"] = self.unmanaged
        address = re.sub(r"{(\w+)}", lambda field: ids.get(field[1], "none"), path)
        if "{" not in path and method == "GET" and place is self.other:
            address += f"?domain_id={ids['domain_id']}"
        subject = caller if place is self.own else self.admin
        response = caller.request(
            method, V3 + address, json=_body(call, ids), headers={"X-Subject-Token": subject.token}
        )
        assert response.status_code < 500, (name, call, response.text)
        # A list tells its own address, with what was asked for.
        self._check_leaks(name, call, response.text.replace(address, ""), response.status_code)
        if response.status_code != 403:
            return True
        return method != "HEAD" and not response.json()["error"]["message"].startswith("You are not authorized")

    def _check_leaks(self, name: str, call: str, text: str, status: int) -> None:
        # Keystone lists limits to every token of the system.
        if status < 300 and name not in ADMINS and not name.endswith("@system"):
            found = [secret for secret in self.other.secrets if secret in text]
            assert not found, (name, call, text)


def _undo() -> None:
    raise Conflict("nothing is kept in this test")


def _body(call: str, ids: dict[str, str]) -> dict[str, Any] | None:
    method, path = call.split()
    if method == "POST" and path in ("/projects", "/users", "/groups"):
        return {path[1:-1]: {"name": "new", "domain_id": ids["domain_id"]}}
    return {} if method in ("POST", "PATCH", "PUT") else None


@pytest.mark.parametrize("scope", SCOPES)
def test_every_caller_may_do_what_the_policy_documents_and_no_more(cloud: ApiCloud, scope: str) -> None:
    matrix = Matrix(cloud, scope)
    wrong = []
    for call, expected in TABLE.items():
        for place, may in zip((matrix.own, matrix.other), expected, strict=True):
            for name in matrix.callers:
                if matrix.allowed(name, call, place) != (name in may):
                    where = "own" if place is matrix.own else "other"
                    wrong.append(f"{name}: {call} ({where}) should be {'allowed' if name in may else 'refused'}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("scope", SCOPES)
def test_everyone_sees_oneself_and_what_hangs_on_an_owner_neither_breaks_nor_leaks(cloud: ApiCloud, scope: str) -> None:
    matrix = Matrix(cloud, scope)
    for name, caller in matrix.callers.items():
        for call in OWN_USER:
            assert matrix.allowed(name, call, matrix.own, user_id=caller.user_id), (name, call)
        for call in OWN_DELEGATIONS:
            assert matrix.allowed(name, call, matrix.own, user_id=caller.user_id) != (scope == "domain"), (name, call)
        for call in _calls(OF_AN_OWNER):
            for place in (matrix.own, matrix.other):
                matrix.allowed(name, call, place)


@pytest.mark.parametrize("scope", SCOPES)
def test_a_role_joins_only_what_is_in_one_domain(cloud: ApiCloud, scope: str) -> None:
    """A user of the own domain on a project of another one, and the other way round."""
    matrix = Matrix(cloud, scope)
    other = matrix.other.ids
    path = "/projects/{project_id}/users/{user_id}/roles/{role_id}"
    for name in matrix.callers:
        for mixed in ({"user_id": other["user_id"]}, {"project_id": other["project_id"]}):
            assert matrix.allowed(name, f"GET {path}", matrix.own, **mixed) == (name in ADMINS | SYSTEM), name
            assert matrix.allowed(name, f"PUT {path}", matrix.own, **mixed) == (name in ADMINS), name
        powerful = {"role_id": matrix.unmanaged}
        assert matrix.allowed(name, f"PUT {path}", matrix.own, **powerful) == (name in ADMINS), name
