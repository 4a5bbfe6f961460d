"""The audit trail of identity."""

from __future__ import annotations

from typing import Any

import msgspec

from tane.services.identity.domain import audit
from tests.support import ApiCloud


def test_a_change_tells_who_made_it_and_in_which_request(cloud: ApiCloud) -> None:
    admin = cloud.admin
    answer = admin.post("/identity/v3/projects", {"project": {"name": "garden"}}, 201)
    project = answer.json()["project"]
    admin.patch(f"/identity/v3/projects/{project['id']}", {"project": {"enabled": False}}, 200)
    created, updated = audit.index(cloud.core, project["id"])
    assert (created["action"], updated["action"]) == ("created.project", "updated.project")
    assert created["initiator"]["id"] == admin.user_id
    assert created["initiator"]["host"]["address"] == "127.0.0.1"
    assert created["initiator"]["request_id"] == answer.headers["x-openstack-request-id"]
    assert created["target"] == {"typeURI": "data/security/project", "id": project["id"]}


def test_a_failed_login_tells_the_name_the_reason_and_the_address(cloud: ApiCloud) -> None:
    user = {"name": "mallory", "domain": {"id": "default"}, "password": "guess"}
    body = {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}}}
    assert cloud.call("POST", "/identity/v3/auth/tokens", json=body).status_code == 401
    event = audit.index(cloud.core)[-1]
    assert (event["action"], event["outcome"]) == ("authenticate", "failure")
    assert event["initiator"]["name"] == "mallory"
    assert event["initiator"]["host"]["address"] == "127.0.0.1"
    assert event["reason"]["reasonCode"] == "401"
    assert "guess" not in str(event)


def test_refused_logins_of_a_stranger_do_not_fill_the_trail(cloud: ApiCloud) -> None:
    def kept() -> list[dict[str, Any]]:
        return [event for event in audit.index(cloud.core) if event["outcome"] == "failure"]

    body = {"auth": {"identity": {"methods": ["token"], "token": {"id": "guess"}}}}
    for _ in range(30):
        assert cloud.call("POST", "/identity/v3/auth/tokens", json=body).status_code == 404
    assert len(kept()) == audit.KEPT_OF_ONE
    cloud.advance(60)
    cloud.call("POST", "/identity/v3/auth/tokens", json=body)
    assert kept()[-1]["reason"]["leftOut"] == "20"


def test_no_more_than_so_many_events_are_kept(cloud: ApiCloud) -> None:
    for name in ("garden", "house", "shed"):
        cloud.admin.post("/identity/v3/projects", {"project": {"name": name}}, 201)
        cloud.advance(1)
    cloud.core.config = msgspec.structs.replace(cloud.core.config, audit_events=2)
    assert audit.trim(cloud.core) > 0
    assert [event["action"] for event in audit.index(cloud.core)] == ["created.project"] * 2


def test_a_refused_change_leaves_no_event(cloud: ApiCloud) -> None:
    before = len(audit.index(cloud.core))
    cloud.admin.post("/identity/v3/projects", {"project": {"name": "admin"}}, 409)
    assert len(audit.index(cloud.core)) == before


def test_old_events_are_deleted(cloud: ApiCloud) -> None:
    cloud.admin.post("/identity/v3/projects", {"project": {"name": "garden"}}, 201)
    cloud.advance((cloud.core.config.audit_days + 1) * 86400)
    assert audit.trim(cloud.core) > 0
    assert audit.index(cloud.core) == []
