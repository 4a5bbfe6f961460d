"""Who manages a domain leaves nothing running in projects that are not there any more."""

from __future__ import annotations

import pytest

from tests.api.compute_support import Project, V, project
from tests.api.identity_support import grant, login, make, make_user
from tests.support import ApiCloud, Caller


@pytest.fixture
def garden(cloud: ApiCloud) -> Project:
    return project(cloud)


@pytest.fixture
def manager(cloud: ApiCloud) -> Caller:
    user = make_user(cloud.admin, "max")
    grant(cloud.admin, "domains/default", f"users/{user['id']}", "manager")
    return login(cloud, user, domain={"id": "default"})


def test_a_manager_deletes_no_project_that_holds_something(cloud: ApiCloud, garden: Project, manager: Caller) -> None:
    server_id = garden.server()
    garden.user.request("PUT", f"/object-store/v1/AUTH_{garden.user.project_id}/box", expect=201)
    path = f"/identity/v3/projects/{garden.user.project_id}"
    told = manager.delete(path, 409).json()["error"]["message"]
    assert "holds 1 image, 1 network, 1 port, 1 server, 1 container: delete" in told
    garden.user.delete(f"{V}/servers/{server_id}")
    cloud.run_jobs()
    assert "server" not in manager.delete(path, 409).json()["error"]["message"]
    cloud.admin.delete(path)


def test_a_manager_deletes_an_empty_project(cloud: ApiCloud, manager: Caller) -> None:
    made = make(manager, "project", name="empty", domain_id="default")
    manager.delete(f"/identity/v3/projects/{made['id']}")
