"""A server's administrator has a new password: by the agent in its guest, when the image says there is one."""

from __future__ import annotations

from typing import Any

import pytest

from tane.services.compute import interface
from tane.wire.errors import HostError, NotSupported
from tests.api.compute_support import Project, V, make_image, project
from tests.support import HOST_ID, ApiCloud

ASKED = {"adminPass": "new-secret"}


@pytest.fixture
def garden(cloud: ApiCloud) -> Project:
    return project(cloud)


def with_agent(garden: Project, **properties: str) -> str:
    """A running server whose image has an agent."""
    image = make_image(garden.user, "agent", hw_qemu_guest_agent="yes", **properties)
    return garden.server(imageRef=image)


def change(garden: Project, server_id: str, expect: int, value: Any = ASKED) -> Any:
    return garden.act(server_id, "changePassword", value, expect=expect)


@pytest.mark.parametrize(
    ("properties", "user"),
    [
        ({}, "root"),
        ({"os_type": "linux"}, "root"),
        ({"os_type": "windows"}, "Administrator"),
        ({"os_admin_user": "debian", "os_type": "windows"}, "debian"),
    ],
)
def test_the_password_of_the_images_administrator_is_changed(
    garden: Project, properties: dict[str, str], user: str
) -> None:
    server_id = with_agent(garden, **properties)
    change(garden, server_id, 202)
    assert garden.host.passwords == {(server_id, user): "new-secret"}


def test_a_server_whose_image_has_no_agent_conflicts(garden: Project) -> None:
    answer = change(garden, garden.server(), 409)
    assert answer.json()["conflictingRequest"]["message"] == "Guest agent is not enabled for the instance"


def test_a_server_that_does_not_run_conflicts(garden: Project) -> None:
    server_id = with_agent(garden)
    garden.done(server_id, "os-stop")
    assert "vm_state stopped" in change(garden, server_id, 409).text


def test_an_agent_that_does_not_answer_is_told_as_nova_does(garden: Project) -> None:
    server_id = with_agent(garden)
    garden.host.fail("set_password", server_id, NotSupported("the guest's agent does not answer"))
    assert "Unable to set password on instance" in change(garden, server_id, 501).text


def test_a_refusal_is_a_conflict_without_the_hosts_words(garden: Project) -> None:
    server_id = with_agent(garden)
    garden.host.fail("set_password", server_id, HostError("chpasswd: line 1"))
    assert "chpasswd" not in change(garden, server_id, 409).text


@pytest.mark.parametrize("value", [{"adminPass": 7}, {"adminPass": None}, {"other": "x"}, "secret", [], 5])
def test_what_is_no_password_is_refused(garden: Project, value: Any) -> None:
    change(garden, garden.server(), 400, value)


def test_another_projects_server_is_not_found(garden: Project, cloud: ApiCloud) -> None:
    change(project(cloud, "other"), with_agent(garden), 404)


def post(garden: Project, server_id: str, body: str, path: str = "/openstack/2013-10-17/password") -> int:
    """The guest posts to the metadata service; returns the status."""
    [port] = garden.user.get(f"/network/v2.0/ports?device_id={server_id}").json()["ports"]
    headers = {":method": "POST", ":body": body}
    status, _, _ = garden.cloud.wait(interface.metadata(garden.cloud.core, HOST_ID, port["id"], path, headers))
    return status


def told(garden: Project, server_id: str) -> str:
    answer: str = garden.user.get(f"{V}/servers/{server_id}/os-server-password").json()["password"]
    return answer


def test_what_the_guest_tells_as_its_password_is_shown_to_its_owner_until_he_clears_it(garden: Project) -> None:
    server_id = garden.server()
    assert told(garden, server_id) == ""
    assert post(garden, server_id, "encrypted") == 200
    assert told(garden, server_id) == "encrypted"
    assert post(garden, server_id, "another") == 409
    garden.user.delete(f"{V}/servers/{server_id}/os-server-password", 204)
    assert told(garden, server_id) == ""
    assert post(garden, server_id, "another", "/openstack/latest/password") == 200
    assert told(garden, server_id) == "another"
    other = garden.cloud.new_user("eve", "street")
    other.get(f"{V}/servers/{server_id}/os-server-password", 404)
    other.delete(f"{V}/servers/{server_id}/os-server-password", 404)


@pytest.mark.parametrize("body", ["", "x" * 1021, "nul\0", "caf\xe9"])
def test_what_no_guest_may_tell_as_its_password_is_refused(garden: Project, body: str) -> None:
    server_id = garden.server()
    assert post(garden, server_id, body) == 400
    assert told(garden, server_id) == ""
    assert post(garden, server_id, "x" * 1020) == 200


@pytest.mark.parametrize("path", ["/openstack/2012-08-10/password", "/openstack/latest/user_data", "/latest/password"])
def test_a_password_is_taken_at_its_place_alone(garden: Project, path: str) -> None:
    server_id = garden.server()
    post(garden, server_id, "secret", path)
    assert told(garden, server_id) == ""
