"""Every call of every service with tokens of a project, a domain and the system: what a token is not for, it does not
open, whatever role stands in it."""

from __future__ import annotations

import itertools
import re
from typing import Any

import pytest

from tane.app import SERVICES
from tane.web.errors import Conflict
from tane.web.policy import BASE_RULES, CLOUD_ROLES
from tane.web.routes import Route, Service
from tests.api.identity_support import grant, login, make, make_user, role_id
from tests.support import ApiCloud, Caller

TOKENS = [service for service in SERVICES if service.name != "dashboard"]
"""The services that a token opens. The portal looks at none: it asks these as its sessions' users."""
ROUTES = [(service, route) for service in TOKENS for route in service.routes if route.policy is not None]

WITHOUT_A_SCOPE = {
    ("compute", "os_compute_api:flavors:index"),
    ("network", "get_extension"),
    ("image", "get_image_schema"),
    ("event", "event:index"),
}
"""Calls of the projects' services for which upstream asks no rule, and one of ours that tells every user of its own."""

OF_THE_CLOUD = re.compile(
    r"/(domains/{domain_id}/config|endpoints|services|regions|policies|role_inferences|system/(users|groups)|registered_limits|limits"
    r"|OS-EP-FILTER|OS-OAUTH1|OS-TRUST|OS-REVOKE|roles/{role_id}/implies)(/|$)"
    r"|/(application_credentials|access_rules|credentials/OS-EC2)(/|$)|/auth/tokens/OS-PKI"
)
"""What in identity is nothing of a domain; see ``READ_BY_ALL`` for what is read with any token."""
READ_BY_ALL = re.compile(r"^/v3/(regions|registered_limits|limits|domains/{domain_id}/config/security_compliance)(/|$)")
ONLY_PROJECTS = re.compile(r"authorize|access_tokens")
OF_THE_USER = re.compile(r"POST .*application_credentials$|access_rules")
"""What its user alone does, and an administrator of the system with what there is of others."""
NO_ID = "00000000-0000-0000-0000-000000000000"


def opens(service: Service, route: Route, scope: str) -> bool:
    """Whether upstream lets tokens of this scope be used for a call at all."""
    if service.name != "identity":
        return scope == "project" or (service.name, route.policy) in WITHOUT_A_SCOPE
    made_of_a_project = (route.method, route.path.rpartition("/")[2]) in (
        ("POST", "trusts"),
        ("POST", "application_credentials"),
    )
    if scope == "system":
        return not (made_of_a_project or ONLY_PROJECTS.search(route.path))
    if scope == "domain":
        if route.method in ("GET", "HEAD") and READ_BY_ALL.match(route.path):
            return True
        changes = route.method not in ("GET", "HEAD")
        of_roles = changes and re.match(r"^/v3/roles(/|$)", route.path)
        of_domains = changes and re.match(r"^/v3/domains(/{domain_id})?$", route.path)
        return not (OF_THE_CLOUD.search(route.path) or of_roles or of_domains)
    return True


UNSIGNED = {"cloudformation": (400,)}
"""No token opens it, whoever has that: calls are signed by keys."""


class Place:
    """A cloud with a domain of its own, and callers of every scope."""

    def __init__(self, cloud: ApiCloud) -> None:
        self.cloud, self.admin = cloud, cloud.admin
        self.land = make(self.admin, "domain", name="land")["id"]
        self.sea = make(self.admin, "domain", name="sea")["id"]
        self.project = make(self.admin, "project", name="field", domain_id=self.land)["id"]
        self.role = role_id(self.admin, "reader")

    def caller(self, name: str) -> Caller:
        """``role@scope``, in the domain "land"."""
        role, _, scope = name.partition("@")
        user = make_user(self.admin, name.replace("@", "-"), self.land)
        where = {"project": f"projects/{self.project}", "domain": f"domains/{self.land}", "system": "system"}[scope]
        grant(self.admin, where, f"users/{user['id']}", role)
        wanted: dict[str, Any] = {"id": self.project} if scope == "project" else {"id": self.land}
        return login(self.cloud, user, **{scope: {"all": True} if scope == "system" else wanted})

    def ask(self, caller: Caller, service: Service, route: Route) -> tuple[int, str]:
        path = route.path.replace("{role_id}", self.role).replace("{implied_role_id}", self.role)
        path = path.replace("{domain_id}", self.sea)
        if service.name == "volume":
            path = path.replace("{project_id}", caller.project_id or self.project)
        path = re.sub(r"{[^}]*}", NO_ID, path)
        body = {route.action: {}} if route.action else {}
        headers = {"X-Subject-Token": self.admin.token}
        if service.microversions is not None and route.since:
            headers["OpenStack-API-Version"] = f"{service.microversions.service_type} {route.since}"
        response = caller.request(route.method, service.prefix + path, json=body, headers=headers)
        return response.status_code, response.text


def _undo() -> None:
    raise Conflict("nothing is kept in this test")


@pytest.mark.parametrize("name", ["admin@domain", "admin@system", "reader@system", "admin@project"])
def test_a_token_opens_only_what_its_scope_is_for(cloud: ApiCloud, name: str) -> None:
    place = Place(cloud)
    caller, scope = place.caller(name), name.partition("@")[2]
    cloud.core.db.before_write = _undo
    wrong = []
    for service, route in ROUTES:
        line = f"{service.name} {route.method} {route.path} {route.action or ''}".strip()
        status, text = place.ask(caller, service, route)
        assert status != 500, (line, text)
        if not opens(service, route, scope):
            # EC2 keys that are not there Keystone tells everyone of, before it asks its policy.
            early = (404,) if "OS-EC2/{" in route.path else UNSIGNED.get(service.name, ())
            if status not in (403, *early):
                wrong.append(f"{line}: {name} should be refused, but is answered {status}")
        elif name in ("admin@project", "admin@system") and status == 403 and (route.policy or "?") in text:
            of_the_user = OF_THE_USER.search(f"{route.method} {route.path}")
            if not of_the_user or (scope == "system" and "rules" in route.path):
                wrong.append(f"{line}: {name} should be let through, but: {text}")
    assert not wrong, "\n".join(wrong)


def test_a_reader_of_the_system_changes_nothing(cloud: ApiCloud) -> None:
    place = Place(cloud)
    reader = place.caller("reader@system")
    own = re.compile(r"/auth/tokens$|/trusts|credentials|access_rules|/password$")
    wrong = []
    for service, route in ROUTES:
        if route.method in ("GET", "HEAD") or own.search(route.path):
            continue
        status, _ = place.ask(reader, service, route)
        if status not in (403, 404, *UNSIGNED.get(service.name, ())):
            wrong.append(f"{service.name} {route.method} {route.path}: {status}")
    assert not wrong, "\n".join(wrong)


ATTEMPTS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("PUT", "/system/users/{me}/roles/{admin}", {}),
    ("PUT", "/system/users/{me}/roles/{reader}", {}),
    ("PUT", "/system/groups/{own_group}/roles/{admin}", {}),
    ("PUT", "/projects/{cloud_project}/users/{me}/roles/{admin}", {}),
    ("PUT", "/projects/{cloud_project}/users/{me}/roles/{reader}", {}),
    ("PUT", "/projects/{own_project}/users/{me}/roles/{admin}", {}),
    ("PUT", "/projects/{own_project}/users/{me}/roles/{service}", {}),
    ("PUT", "/projects/{own_project}/groups/{own_group}/roles/{admin}", {}),
    ("PUT", "/domains/{own_domain}/users/{me}/roles/{service}", {}),
    ("PUT", "/domains/{default}/users/{me}/roles/{admin}", {}),
    ("PUT", "/OS-INHERIT/domains/{own_domain}/users/{me}/roles/{admin}/inherited_to_projects", {}),
    ("PUT", "/OS-INHERIT/domains/{default}/users/{me}/roles/{admin}/inherited_to_projects", {}),
    ("PUT", "/OS-INHERIT/projects/{own_project}/users/{me}/roles/{admin}/inherited_to_projects", {}),
    ("PUT", "/projects/{own_domain}/users/{me}/roles/{admin}", {}),
    ("PUT", "/groups/{powerful_group}/users/{me}", {}),
    ("PUT", "/groups/{powerful_group_here}/users/{me}", {}),
    ("PUT", "/roles/{reader}/implies/{service}", {}),
    ("PUT", "/roles/{reader}/implies/{admin}", {}),
    ("POST", "/roles", {"role": {"name": "admin", "domain_id": "{own_domain}"}}),
    ("POST", "/roles", {"role": {"name": "root"}}),
    ("PATCH", "/roles/{reader}", {"role": {"name": "boss"}}),
    ("PATCH", "/users/{cloud_admin}", {"user": {"password": "mine now"}}),
    ("PATCH", "/users/{powerful_user_here}", {"user": {"password": "mine now"}}),
    ("DELETE", "/users/{powerful_user_here}", {}),
    ("DELETE", "/groups/{powerful_group_here}", {}),
    ("POST", "/users", {"user": {"name": "x", "domain_id": "default"}}),
    ("POST", "/domains", {"domain": {"name": "x"}}),
    ("PATCH", "/domains/{own_domain}", {"domain": {"name": "x"}}),
    ("POST", "/projects", {"project": {"name": "x", "is_domain": True}}),
    ("POST", "/projects", {"project": {"name": "x", "domain_id": "default"}}),
    ("POST", "/credentials", {"credential": {"user_id": "{cloud_admin}", "type": "cert", "blob": "x"}}),
    ("POST", "/users/{cloud_admin}/credentials/OS-EC2", {"tenant_id": "{cloud_project}"}),
    ("GET", "/credentials/{cloud_credential}", {}),
    ("GET", "/auth/tokens", {}),
    ("DELETE", "/auth/tokens", {}),
)
"""Ways for the administrator of a domain to become one of the cloud, to take over one, or to read one's secrets."""


def _filled(value: Any, ids: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {name: _filled(inner, ids) for name, inner in value.items()}
    return value.format_map(ids) if isinstance(value, str) else value


@pytest.mark.parametrize("role", ["admin", "manager", "member"])
def test_who_looks_after_a_domain_does_not_get_the_cloud(cloud: ApiCloud, role: str) -> None:
    place = Place(cloud)
    admin, caller = place.admin, place.caller(f"{role}@domain")
    ids = {
        "me": caller.user_id,
        "own_domain": place.land,
        "own_project": place.project,
        "own_group": make(admin, "group", name="own", domain_id=place.land)["id"],
        "default": "default",
        "cloud_project": admin.project_id,
        "cloud_admin": admin.user_id,
        "powerful_group": make(admin, "group", name="powerful")["id"],
        "powerful_group_here": make(admin, "group", name="powerful", domain_id=place.land)["id"],
        "powerful_user_here": make_user(admin, "powerful", place.land)["id"],
        "cloud_credential": make(admin, "credential", user_id=admin.user_id, type="cert", blob="secret")["id"],
        **{name: role_id(admin, name) for name in ("admin", "service", "reader")},
    }
    for group in ("powerful_group", "powerful_group_here"):
        grant(admin, f"projects/{admin.project_id}", f"groups/{ids[group]}", "admin")
    grant(admin, "system", f"users/{ids['powerful_user_here']}", "reader")
    for method, path, body in ATTEMPTS:
        answer = caller.request(
            method,
            "/identity/v3" + path.format_map(ids),
            json=_filled(body, ids),
            headers={"X-Subject-Token": admin.token},
        )
        assert answer.status_code == 403, (method, path, answer.status_code, answer.text)
    found = admin.get(f"/identity/v3/role_assignments?user.id={caller.user_id}").json()["role_assignments"]
    assert [entry["scope"] for entry in found] == [{"domain": {"id": place.land}}]


@pytest.mark.parametrize("domain_role", [False, True], ids=["global", "of-the-domain"])
@pytest.mark.parametrize("steps", [1, 2])
def test_a_role_that_implies_power_is_power(cloud: ApiCloud, steps: int, domain_role: bool) -> None:
    """Whatever it is called, and by however many steps: it is not given, and who has it is not taken over.

    "admin" itself no role may imply, as in Keystone."""
    place = Place(cloud)
    admin, boss, manager = place.admin, place.caller("admin@domain"), place.caller("manager@domain")
    chain = [make(admin, "role", name=f"step-{number}")["id"] for number in range(steps - 1)]
    # Under this name a manager may give a role, too.
    own = {"name": "reader", "domain_id": place.land} if domain_role else {"name": "operator"}
    chain = [make(admin, "role", **own)["id"], *chain, role_id(admin, "service")]
    for prior, implied in itertools.pairwise(chain):
        admin.put(f"/identity/v3/roles/{prior}/implies/{implied}", expect=201)
    for caller in (boss, manager):
        for where in (f"projects/{place.project}", f"domains/{place.land}"):
            caller.put(f"/identity/v3/{where}/users/{caller.user_id}/roles/{chain[0]}", expect=403)
        inherited = f"OS-INHERIT/domains/{place.land}/users/{caller.user_id}/roles/{chain[0]}/inherited_to_projects"
        caller.put(f"/identity/v3/{inherited}", expect=403)
    holder = make_user(admin, "holder", place.land)
    team = make(admin, "group", name="team", domain_id=place.land)["id"]
    for whom in (f"users/{holder['id']}", f"groups/{team}"):
        admin.put(f"/identity/v3/projects/{place.project}/{whom}/roles/{chain[0]}", expect=204)
    for caller in (boss, manager):
        caller.patch(f"/identity/v3/users/{holder['id']}", {"user": {"password": "mine now"}}, expect=403)
        caller.put(f"/identity/v3/groups/{team}/users/{caller.user_id}", expect=403)


def test_whoever_was_lent_power_is_not_taken_over(cloud: ApiCloud) -> None:
    """A trust gives the trustee what the trustor has elsewhere: the trustee's password is worth as much."""
    place = Place(cloud)
    admin = place.admin
    callers = [place.caller("admin@domain"), place.caller("manager@domain")]
    lent = {"trustor_user_id": admin.user_id, "project_id": admin.project_id, "impersonation": False}
    for role, status in (("admin", 403), ("member", 200)):
        robot = make_user(admin, f"robot-{role}", place.land)
        if role == "member":
            grant(admin, f"projects/{admin.project_id}", f"users/{admin.user_id}", role)
        make_trust = {**lent, "trustee_user_id": robot["id"], "roles": [{"name": role}]}
        admin.post("/identity/v3/OS-TRUST/trusts", {"trust": make_trust}, 201)
        for caller in callers:
            caller.patch(f"/identity/v3/users/{robot['id']}", {"user": {"password": "mine now"}}, expect=status)


def test_a_role_that_implies_none_is_given_by_the_administrator_of_a_domain(cloud: ApiCloud) -> None:
    place = Place(cloud)
    boss = place.caller("admin@domain")
    own = make(place.admin, "role", name="gardener")["id"]
    place.admin.put(f"/identity/v3/roles/{own}/implies/{role_id(place.admin, 'member')}", expect=201)
    boss.put(f"/identity/v3/projects/{place.project}/users/{boss.user_id}/roles/{own}", expect=204)


def test_the_administrator_of_a_domain_looks_after_it(cloud: ApiCloud) -> None:
    """Users, groups, projects, and roles on them, also another administrator of the domain."""
    place = Place(cloud)
    boss = place.caller("admin@domain")
    mia = make_user(boss, "mia", place.land)
    team = make(boss, "group", name="team", domain_id=place.land)
    garden = make(boss, "project", name="garden", domain_id=place.land)
    boss.put(f"/identity/v3/groups/{team['id']}/users/{mia['id']}", expect=204)
    grant(boss, f"projects/{garden['id']}", f"users/{mia['id']}", "manager")
    grant(boss, f"domains/{place.land}", f"users/{mia['id']}", "admin")
    boss.patch(f"/identity/v3/users/{mia['id']}", {"user": {"description": "gardener"}}, 200)
    login(cloud, mia, domain={"id": place.land}).get(f"/identity/v3/users/{boss.user_id}")
    boss.delete(f"/identity/v3/users/{mia['id']}")


def test_every_role_of_a_rule_is_known_to_be_of_a_project_or_of_the_cloud() -> None:
    """A role by which a service lets somebody into more than one project is the cloud's administrator's to give."""
    named = {name for service in SERVICES for rule in service.rules for name in re.findall(r"role:(\w+)", rule.check)}
    named |= {name for rule in BASE_RULES for name in re.findall(r"role:(\w+)", rule.check)}
    assert named <= {"reader", "member", "manager", "heat_stack_user", *CLOUD_ROLES}
    assert set(CLOUD_ROLES) <= named


@pytest.mark.parametrize("name", ["ResellerAdmin", "reselleradmin"])
def test_no_administrator_of_a_domain_makes_a_reseller(cloud: ApiCloud, name: str) -> None:
    """Who has that role is in every account of the cloud."""
    place = Place(cloud)
    admin, boss, manager = place.admin, place.caller("admin@domain"), place.caller("manager@domain")
    role = make(admin, "role", name=name)["id"]
    prior = make(admin, "role", name="shopkeeper")["id"]
    admin.put(f"/identity/v3/roles/{prior}/implies/{role}", expect=201)
    team = make(admin, "group", name="team", domain_id=place.land)["id"]
    for caller, given in itertools.product((boss, manager), (role, prior)):
        for where in (f"projects/{place.project}", f"domains/{place.land}"):
            for whom in (f"users/{caller.user_id}", f"groups/{team}"):
                caller.put(f"/identity/v3/{where}/{whom}/roles/{given}", expect=403)
                path = f"OS-INHERIT/{where}/{whom}/roles/{given}/inherited_to_projects"
                caller.put(f"/identity/v3/{path}", expect=403)
    holder = make_user(admin, "holder", place.land)
    grant(admin, f"projects/{place.project}", f"users/{holder['id']}", name)
    boss.patch(f"/identity/v3/users/{holder['id']}", {"user": {"password": "mine now"}}, expect=403)
    victim = cloud.new_user("vera", "garden")
    # On the domain alone it is good for nothing outside of it, whoever gave it.
    grant(admin, f"domains/{place.land}", f"users/{boss.user_id}", name)
    for path in ("", "/c", "/c/o"):
        boss.get(f"/object-store/v1/AUTH_{victim.project_id}{path}", expect=403)
