"""Who may call what on whose image: every image route by role, project and visibility.

The expectations are written by hand from Glance's documented policy (``glance.policies``, secure RBAC): an
administrator may all; a member changes what its project owns, reads and downloads what it sees; a reader reads but
never downloads or changes; who has no role gets nothing. What a caller does not see is not there (404); what it sees
but does not own it may not change (403).
"""

from __future__ import annotations

import re
from typing import Any

import pytest

from tane.services.image.routes import ROUTES
from tests.api.test_images import DATA, OCTETS, PATCH, URL, create, upload
from tests.support import ApiCloud, Caller

VISIBILITIES = ("private", "shared", "community", "public")
ROLES = ("admin", "member", "reader", "none")
SHARED_WITH = "a project that is a member of the shared image"

SEES, HIDDEN, FORBIDDEN = "ok", 404, 403

READ_OWN = {"admin": SEES, "member": SEES, "reader": SEES, "none": FORBIDDEN}
CHANGE_OWN = {"admin": SEES, "member": SEES, "reader": FORBIDDEN, "none": FORBIDDEN}
ADMINS = {"admin": SEES, "member": FORBIDDEN, "reader": FORBIDDEN, "none": FORBIDDEN}

OWN: dict[str, dict[str, Any]] = {
    "GET image": READ_OWN,
    "GET tasks": READ_OWN,
    "GET file": CHANGE_OWN,
    "PATCH image": CHANGE_OWN,
    "PUT tag": CHANGE_OWN,
    "DELETE tag": CHANGE_OWN,
    "POST deactivate": CHANGE_OWN,
    "POST reactivate": CHANGE_OWN,
    "POST import": CHANGE_OWN,
    "PUT file": CHANGE_OWN,
    "PUT stage": CHANGE_OWN,
    "POST locations": CHANGE_OWN,
    "GET locations": ADMINS,
    "DELETE store": ADMINS,
    "PUT cache": ADMINS,
    "DELETE cache": ADMINS,
    "DELETE image": CHANGE_OWN,
}
"""On an image of the caller's own project, whatever its visibility."""

VISIBLE: dict[str, dict[str, Any]] = {
    "GET image": READ_OWN,
    "GET tasks": READ_OWN,
    "GET file": CHANGE_OWN,
    "PATCH image": ADMINS,
    "PUT tag": ADMINS,
    "DELETE tag": ADMINS,
    "POST deactivate": ADMINS,
    "POST reactivate": ADMINS,
    "POST import": ADMINS,
    "PUT file": ADMINS,
    "PUT stage": ADMINS,
    "POST locations": ADMINS,
    "GET locations": ADMINS,
    "DELETE store": ADMINS,
    "PUT cache": ADMINS,
    "DELETE cache": ADMINS,
    "DELETE image": ADMINS,
}
"""On another project's image that the caller sees: public, community, or shared with its project."""

UNSEEN = {
    call: {"admin": SEES, "member": HIDDEN, "reader": HIDDEN, "none": FORBIDDEN}
    | ({"reader": FORBIDDEN} if OWN[call]["reader"] == FORBIDDEN else {})
    | ({"member": FORBIDDEN} if OWN[call]["member"] == FORBIDDEN else {})
    for call in OWN
}
"""On another project's image the caller does not see: not there, unless the role alone is refused already."""

CALLS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "GET image": ("GET", "/images/{id}", {}),
    "GET tasks": ("GET", "/images/{id}/tasks", {}),
    "GET file": ("GET", "/images/{id}/file", {}),
    "PATCH image": ("PATCH", "/images/{id}", {"json": [], "headers": PATCH}),
    "PUT tag": ("PUT", "/images/{id}/tags/t", {}),
    "DELETE tag": ("DELETE", "/images/{id}/tags/t", {}),
    "POST deactivate": ("POST", "/images/{id}/actions/deactivate", {}),
    "POST reactivate": ("POST", "/images/{id}/actions/reactivate", {}),
    "POST import": ("POST", "/images/{id}/import", {"json": {"method": {"name": "glance-direct"}}}),
    "PUT file": ("PUT", "/images/{id}/file", {"content": DATA, "headers": OCTETS}),
    "PUT stage": ("PUT", "/images/{id}/stage", {"content": DATA, "headers": OCTETS}),
    "POST locations": ("POST", "/images/{id}/locations", {"json": {"url": "http://mirror.example.org/disk"}}),
    "GET locations": ("GET", "/images/{id}/locations", {}),
    "DELETE store": ("DELETE", "/stores/local/{id}", {}),
    "PUT cache": ("PUT", "/cache/{id}", {}),
    "DELETE cache": ("DELETE", "/cache/{id}", {}),
    "DELETE image": ("DELETE", "/images/{id}", {}),
}
STATE_REFUSES = {
    "PUT file": 409,
    "PUT stage": 409,
    "POST import": 409,
    "POST locations": 409,
    "DELETE store": 403,
}
"""Calls that an active image in one store refuses even to whoever may make them; the words tell which refusal it is."""
STATE_WORDS = ("not allowed", "cannot be target", "only store", "Image status")

ALL: dict[str, tuple[str, str, dict[str, Any], dict[str, Any]]] = {
    "list images": ("GET", "/images", {}, READ_OWN),
    "create image": ("POST", "/images", {"json": {"name": "x"}}, CHANGE_OWN),
    "create public image": ("POST", "/images", {"json": {"name": "x", "visibility": "public"}}, ADMINS),
    "create for another": ("POST", "/images", {"json": {"name": "x", "owner": "other"}}, ADMINS),
    "import info": ("GET", "/info/import", {}, dict.fromkeys(ROLES, SEES)),
    "stores": ("GET", "/info/stores", {}, dict.fromkeys(ROLES, SEES)),
    "stores detail": ("GET", "/info/stores/detail", {}, ADMINS),
    "usage": ("GET", "/info/usage", {}, dict.fromkeys(ROLES, SEES)),
    "schema": ("GET", "/schemas/image", {}, dict.fromkeys(ROLES, SEES)),
    "metadef schema": ("GET", "/schemas/metadefs/namespace", {}, dict.fromkeys(ROLES, SEES)),
    "tasks": ("GET", "/tasks", {}, ADMINS),
    "create task": ("POST", "/tasks", {"json": {"type": "import", "input": {}}}, ADMINS),
    "cache": ("GET", "/cache", {}, ADMINS),
    "clear cache": ("DELETE", "/cache", {}, ADMINS),
    "clean cache": ("POST", "/cache/clean", {}, ADMINS),
    "prune cache": ("POST", "/cache/prune", {}, ADMINS),
    "namespaces": ("GET", "/metadefs/namespaces", {}, READ_OWN),
    "create namespace": ("POST", "/metadefs/namespaces", {"json": {"namespace": "n"}}, ADMINS),
    "resource types": ("GET", "/metadefs/resource_types", {}, READ_OWN),
}
"""Calls that name no image."""

BY_OTHERS = {
    "GET /",
    "GET /versions",
    "GET /v2",
    "GET /v2/images/{image_id}/members",
    "POST /v2/images/{image_id}/members",
    "GET /v2/images/{image_id}/members/{member_id}",
    "PUT /v2/images/{image_id}/members/{member_id}",
    "DELETE /v2/images/{image_id}/members/{member_id}",
    "GET /v2/tasks/{task_id}",
    "DELETE /v2/tasks/{task_id}",
}
"""Open documents, and what its own tests ask below and in ``test_images_import.py``, ``test_images_metadefs.py``."""


def callers(cloud: ApiCloud, project: str) -> dict[str, Caller]:
    made = {role: cloud.new_user(f"{role}-{project}", project, role=role) for role in ("member", "reader")}
    admin = cloud.admin
    admin.post("/identity/v3/roles", {"role": {"name": "gardener"}}, 201)
    made["none"] = cloud.new_user(f"none-{project}", project, role="gardener")
    return {**made, "admin": admin}


def ask(caller: Caller, call: str, image_id: str) -> Any:
    method, path, more = CALLS[call]
    return caller.request(method, "/image/v2" + path.format(id=image_id), **more)


def judge(answer: Any, expected: Any, call: str, case: str) -> str | None:
    """What is wrong with an answer, or None."""
    status = answer.status_code
    if status >= 500:
        return f"{case}: {status} {answer.text}"
    if expected != SEES:
        # An administrator's refusal by state would be told by other words than that of the policy.
        return None if status == expected else f"{case}: {status} instead of {expected}: {answer.text}"
    if status == STATE_REFUSES.get(call) and any(words in answer.text for words in STATE_WORDS):
        return None
    return None if status < 300 else f"{case}: {status} instead of success: {answer.text}"


def filled(owner: Caller, admin: Caller, visibility: str) -> str:
    image = create(owner, visibility="shared" if visibility == "public" else visibility, tags=["t"])
    upload(owner, image["id"])
    if visibility == "public":
        change = [{"op": "replace", "path": "/visibility", "value": "public"}]
        admin.patch(f"{URL}/{image['id']}", change, 200, headers=PATCH)
    return str(image["id"])


@pytest.mark.parametrize("visibility", VISIBILITIES)
def test_each_role_may_do_to_its_own_projects_images_what_the_policy_says(cloud: ApiCloud, visibility: str) -> None:
    who = callers(cloud, "garden")
    wrong = []
    for role in ("none", "reader", "member", "admin"):
        image_id = filled(who["member"], who["admin"], visibility)
        for call, expected in OWN.items():
            case = f"{role} {call} own {visibility}"
            wrong.append(judge(ask(who[role], call, image_id), expected[role], call, case))
    assert not [text for text in wrong if text], "\n".join(text for text in wrong if text)


@pytest.mark.parametrize("visibility", [*VISIBILITIES, SHARED_WITH])
def test_each_role_may_do_to_anothers_images_what_the_policy_says(cloud: ApiCloud, visibility: str) -> None:
    mia, who = cloud.new_user("mia", "meadow"), callers(cloud, "garden")
    table = UNSEEN if visibility in ("private", "shared") else VISIBLE
    wrong = []
    for role in ("none", "reader", "member", "admin"):
        image_id = filled(mia, who["admin"], "shared" if visibility == SHARED_WITH else visibility)
        if visibility == SHARED_WITH:
            mia.post(f"{URL}/{image_id}/members", {"member": who["member"].project_id}, 200)
        for call, expected in table.items():
            answer = ask(who[role], call, image_id)
            case = f"{role} {call} another's {visibility}"
            wrong.append(judge(answer, expected[role], call, case))
            if expected[role] in (HIDDEN, FORBIDDEN) and table is UNSEEN:
                leaked = [word for word in (mia.project_id, "disk") if word in answer.text]
                wrong.append(f"{case} tells {leaked}: {answer.text}" if leaked else None)
        if role != "admin":
            assert mia.get(f"{URL}/{image_id}").json()["status"] == "active"
            assert mia.get(f"{URL}/{image_id}/file").content == DATA
    assert not [text for text in wrong if text], "\n".join(text for text in wrong if text)


def test_each_role_may_call_what_names_no_image_as_the_policy_says(cloud: ApiCloud) -> None:
    who = callers(cloud, "garden")
    wrong = []
    for role in ROLES:
        for name, (method, path, more, expected) in ALL.items():
            answer = who[role].request(method, f"/image/v2{path}", **more)
            allowed = answer.status_code < 300 or (name == "create task" and answer.status_code == 400)
            if allowed != (expected[role] == SEES) or answer.status_code >= 500:
                wrong.append(f"{role} {name}: {answer.status_code} {answer.text}")
    assert not wrong, "\n".join(wrong)


def test_members_are_the_owners_to_name_and_the_members_to_answer(cloud: ApiCloud) -> None:
    mia, who, admin = cloud.new_user("mia", "meadow"), callers(cloud, "garden"), cloud.admin
    stranger = cloud.new_user("leo", "forest")
    image_id = filled(mia, admin, "shared")
    garden = who["member"].project_id
    members, mine = f"{URL}/{image_id}/members", f"{URL}/{image_id}/members/{garden}"
    stranger.get(members, 404)
    stranger.post(members, {"member": garden}, 404)
    mia.post(members, {"member": garden}, 200)
    for role, reads, answers in (("member", 200, 200), ("reader", 200, 403), ("none", 403, 403)):
        who[role].get(members, reads)
        who[role].get(mine, reads)
        who[role].put(mine, {"status": "accepted"}, answers)
        who[role].post(members, {"member": stranger.project_id}, 403)
        who[role].delete(mine, 403)
    mia.put(mine, {"status": "rejected"}, 403)
    stranger.put(mine, {"status": "accepted"}, 404)
    stranger.delete(mine, 404)
    admin.put(mine, {"status": "rejected"}, 200)
    mia.delete(mine)


def test_the_matrix_names_every_route() -> None:
    asked = {(method, re.sub(r"\{id}", "X", path)) for method, path, _ in CALLS.values()}
    asked |= {(method, path) for method, path, _, _ in ALL.values()}
    for route in ROUTES:
        if f"{route.method} {route.path}" in BY_OTHERS or "/metadefs/namespaces/" in route.path:
            continue
        path = route.path.removeprefix("/v2").replace("{image_id}", "X").replace("{store_id}", "local")
        path = path.replace("{tag}", "t").replace("/schemas/{name}", "/schemas/image")
        path = path.replace("/schemas/metadefs/{name}", "/schemas/metadefs/namespace")
        assert (route.method, path) in asked, f"{route.method} {route.path} stands in no table"
