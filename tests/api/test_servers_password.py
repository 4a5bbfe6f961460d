"""A server's administrator has a new password: by the agent in its guest, when the image says there is one."""

from __future__ import annotations

from typing import Any

import pytest

from tane.wire.errors import HostError, NotSupported
from tests.api.compute_support import Project, make_image, project
from tests.support import ApiCloud

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
