"""What belongs to one project is not there for another: every call with an id, on one resource of every kind."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from typing import Any

import pytest

from fuzz import values
from tane.app import SERVICES
from tane.services.metric import interface as metric
from tane.services.metric.domain import inventory
from tane.web.errors import Forbidden
from tane.web.routes import Route, Service
from tests.api.compute_support import make_flavor
from tests.api.identity_support import grant, login, make, make_user
from tests.api.network_support import public
from tests.resources import OLD_NAMES, one_of_each
from tests.support import ApiCloud

OWNED = (
    "servers",
    "os-keypairs",
    "os-server-groups",
    "images",
    "networks",
    "subnets",
    "ports",
    "routers",
    "floatingips",
    "security-groups",
    "security-group-rules",
    "volumes",
    "snapshots",
    "backups",
    "attachments",
    "os-volume-transfer",
    "volume-transfers",
    "os-volumes_boot",
    "os-floating-ips",
    "os-security-groups",
    "os-security-group-rules",
    "os-networks",
    "os-tenant-networks",
    "os-volumes",
    "os-snapshots",
    "stacks",
    "software_configs",
    "alarms",
)
"""Collections whose resources are a project's (a key pair: a user's); all others are everybody's or the cloud's."""

NEEDED = {"images": {"Content-Type": "application/openstack-images-v2.1-json-patch"}}

SPECIAL: dict[str, Callable[[dict[str, str]], Any]] = {
    "{image_id}/import": lambda ids: {"method": {"name": "web-download", "uri": "http://mirror.example.org/disk"}},
    "{image_id}/locations": lambda ids: {"url": "http://mirror.example.org/disk"},
    "members/{member_id}": lambda ids: {"status": "accepted"},
    "metadata/{key}": lambda ids: {"meta": {ids["metadata"]: "stolen"}},
    "os-attach": lambda ids: {"os-attach": {"mountpoint": "/dev/vdb", "instance_uuid": ids["servers"]}},
    "os-volume_attachments/{volume_id}": lambda ids: {
        "volumeAttachment": {"volumeId": ids["os-volume_attachments"], "delete_on_termination": True}
    },
}
"""Bodies that must fit more than their schema, by the action or the end of the path."""


def collection(route: Route) -> str:
    """The first collection in a route's path whose id the path goes on with; empty when it has no such."""
    parts = route.path.split("/")
    return next((part for part, after in itertools.pairwise(parts) if part in OWNED and "{" in after), "")


ROUTES = [(service, route) for service in SERVICES for route in service.routes if collection(route)]


def ask(cloud: ApiCloud, who: Any, service: Service, route: Route, ids: dict[str, str], query: str = "") -> Any:
    """Call a route on the resources ``ids`` with a body that fits its schema."""
    parts = (service.prefix + route.path).split("/")
    filled = [ids.get(parts[i - 1], "x") if part.startswith("{") else part for i, part in enumerate(parts)]
    body: Any = {route.action or "key": None}
    if route.body is not None:
        body = values.valid(route.body, random.Random(1), lambda kind: None, "text", required_only=True)
    tail = route.action or "/".join(route.path.split("/")[-2:])
    if tail in SPECIAL:
        body = SPECIAL[tail](ids)
    elif route.method == "PATCH" and collection(route) in NEEDED:
        body = [{"op": "replace", "path": "/name", "value": "stolen"}]
    headers = {}
    if service.microversions is not None:
        spoken = service.microversions
        minor = spoken.maximum if route.until is None else tuple(map(int, route.until.split(".")))
        headers["OpenStack-API-Version"] = f"{spoken.service_type} {minor[0]}.{minor[1]}"
    if route.method == "PATCH":
        headers.update(NEEDED.get(collection(route), {}))
    if route.stream:
        headers["Content-Type"] = "application/octet-stream"
        return who.request(route.method, "/".join(filled), content=b"data", headers=headers)
    given = None if route.method in ("GET", "HEAD", "DELETE") else body
    return who.request(route.method, "/".join(filled) + (f"?{query}" if query else ""), json=given, headers=headers)


def test_every_call_on_another_projects_resource_finds_nothing(cloud: ApiCloud) -> None:
    mia, bob = cloud.new_user("mia", "garden"), cloud.new_user("bob", "shed")
    ids = one_of_each(cloud, mia, name="rose", flavor_id=make_flavor(cloud.admin), external_id=public(cloud))
    before = {kind: state(cloud, mia, kind, ids) for kind in OWNED if kind not in OLD_NAMES}
    wrong = []
    for service, route in ROUTES:
        # Block storage has the caller's own project in the path.
        answer = ask(cloud, bob, service, route, {**ids, "v3": bob.project_id, "v1": bob.project_id})
        refused = ("olicy", f"not authorized to complete {route.policy} action")
        by_policy = answer.status_code == 403 and any(words in answer.text for words in refused)
        # What Tane does not do at all it refuses without looking at the resource.
        # Upstream tells who has a wrong key so: the id of an offer is no secret, the key is.
        wrong_key = route.path.endswith("/accept") and answer.status_code == 400 and "invalid auth key" in answer.text
        if not by_policy and not wrong_key and answer.status_code not in (404, 501):
            wrong.append(f"{route.method} {route.path} {route.action or ''}: {answer.status_code} {answer.text[:200]}")
    assert not wrong, "\n".join(wrong)
    assert {kind: state(cloud, mia, kind, ids) for kind in OWNED if kind not in OLD_NAMES} == before


def test_lists_tell_nothing_of_another_project(cloud: ApiCloud) -> None:
    mia, bob = cloud.new_user("mia", "garden"), cloud.new_user("bob", "shed")
    ids = one_of_each(cloud, mia, name="rose", flavor_id=make_flavor(cloud.admin), external_id=public(cloud))
    everybodys = [f"{name}=1" for name in ("all_tenants", "all_projects", "global_tenant", "is_public", "public")]
    others = [f"{name}={mia.project_id}" for name in ("project_id", "tenant_id", "tenant", "owner", "project")]
    for service in SERVICES:
        for route in service.routes:
            if route.method == "GET" and "{" not in route.path.replace("{project_id}", ""):
                for query in ("", *everybodys, *others):
                    own = {"v3": bob.project_id, "v1": bob.project_id}
                    text = ask(cloud, bob, service, route, own, query).text
                    told = [kind for kind in OWNED if ids[kind] in text]
                    assert not told, f"{route.path}?{query} tells of {told}: {text[:500]}"


def state(cloud: ApiCloud, owner: Any, kind: str, ids: dict[str, str]) -> Any:
    """How the owner sees one of its resources."""
    for service, route in ROUTES:
        last = route.path.split("/")[-2:]
        if kind == "stacks":
            shows = route.path.endswith("/stacks/{stack_name}/{stack_id}")
        else:
            shows = last[0] == kind and last[1].startswith("{")
        if route.method == "GET" and shows:
            answer = ask(cloud, owner, service, route, ids)
            assert answer.status_code == 200, f"{route.path}: {answer.status_code} {answer.text}"
            return answer.json()
    raise AssertionError(f"no call shows one of {kind}")


def test_tokens_of_no_project_are_told_nothing_of_any(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    ids = one_of_each(cloud, mia, name="rose", flavor_id=make_flavor(cloud.admin), external_id=public(cloud))
    inventory.take(cloud.core)
    shown = cloud.admin.get("/metric/v1/resource/instance").json()
    [server] = [one for one in shown if one["id"] == ids["servers"]]
    told_nothing = {**{kind: ids[kind] for kind in OWNED}, "metrics": server["metrics"]["vcpus"]}
    domain = make(cloud.admin, "domain", name="else")
    dora, nora = (make_user(cloud.admin, name, domain["id"]) for name in ("dora", "nora"))
    grant(cloud.admin, f"domains/{domain['id']}", f"users/{dora['id']}", "member")
    for who in (login(cloud, dora, domain={"id": domain["id"]}), login(cloud, nora)):
        for service in SERVICES:
            for route in service.routes:
                if route.method == "GET" and "{" not in route.path.replace("{project_id}", "").replace("{type}", ""):
                    text = ask(cloud, who, service, route, {"resource": "instance"}).text
                    told = [kind for kind, one in told_nothing.items() if one in text]
                    assert not told, f"{route.path} tells of {told}: {text[:500]}"
        asked = {"operations": "(metric vcpus mean)", "search": {}, "resource_type": "instance"}
        for path, body in (
            ("/metric/v1/aggregates", asked),
            ("/metric/v1/search/resource/generic", {}),
            ("/alarm/v2/query/alarms", {}),
            ("/alarm/v2/query/alarms/history", {}),
        ):
            who.post(path, body, 403)
        who.get(f"/metric/v1/metric/{told_nothing['metrics']}/measures", 403)
    # Nor does an alarm that is of no project see anything.
    nobody = metric.Owner(cloud.core, "")
    about = metric.Asked("mean", 60, 1, name="vcpus", query=("instance", {}))
    with pytest.raises(Forbidden):
        metric.values_of(nobody, about, metric.Budget(long=True))
