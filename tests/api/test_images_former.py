"""An image may go while servers stand on it: they keep what they were made from, and its id is not given again."""

from __future__ import annotations

import pytest

from tane.jobs.operation import Permanent
from tane.services.compute.domain import guests
from tane.services.compute.store import servers
from tane.services.image import interface
from tane.services.image.domain import receiving
from tests.api.compute_support import Project, at, make_image, project
from tests.support import ApiCloud

IMAGES = "/image/v2/images"


@pytest.fixture
def garden(cloud: ApiCloud) -> Project:
    return project(cloud)


def take_away(garden: Project, how: str) -> None:
    if how == "delete":
        garden.user.delete(f"{IMAGES}/{garden.image_id}")
    else:
        garden.admin.post(f"{IMAGES}/{garden.image_id}/actions/{how}", expect=204)
    garden.cloud.run_jobs()


@pytest.mark.parametrize("how", ["delete", "deactivate"])
@pytest.mark.parametrize(
    ("down", "up"), [("suspend", "resume"), ("os-stop", "os-start"), ("pause", "unpause"), ("os-stop", "reboot")]
)
def test_a_server_goes_on_after_its_image_went(garden: Project, how: str, down: str, up: str) -> None:
    server_id = garden.server()
    garden.done(server_id, down)
    take_away(garden, how)
    value = {"type": "HARD"} if up == "reboot" else None
    assert garden.done(server_id, up, value)["status"] == "ACTIVE"


def test_a_server_keeps_the_kernel_it_was_started_with(garden: Project) -> None:
    kernel = make_image(garden.user, "kernel", b"kernel")
    garden.image_id = make_image(garden.user, "direct", b"direct", kernel_id=kernel, os_command_line="quiet")
    server_id = garden.server()
    garden.done(server_id, "suspend")
    for image_id in (kernel, garden.image_id):
        garden.user.delete(f"{IMAGES}/{image_id}")
    assert garden.done(server_id, "resume")["status"] == "ACTIVE"
    with garden.cloud.core.db.read() as tx:
        found = interface.image_of_disk(tx, kernel, garden.user.project_id)
        assert found is not None and found.ref is not None and found.status == "deleted"
        assert interface.image_of_disk(tx, kernel, "another-project") is None


def test_a_deleted_image_makes_nothing_new_and_its_id_is_taken(garden: Project) -> None:
    garden.user.delete(f"{IMAGES}/{garden.image_id}")
    garden.user.get(f"{IMAGES}/{garden.image_id}", 404)
    garden.user.post("/compute/v2.1/servers", garden.body(), 400)
    body = {"id": garden.image_id, "name": "again", "disk_format": "raw", "container_format": "bare"}
    garden.user.post(IMAGES, body, 409)


def test_an_image_that_never_had_data_leaves_nothing(garden: Project) -> None:
    body = {"name": "empty", "disk_format": "raw", "container_format": "bare"}
    image_id = garden.user.post(IMAGES, body, 201).json()["id"]
    garden.user.delete(f"{IMAGES}/{image_id}")
    garden.user.post(IMAGES, {"id": image_id, **body}, 201)


def test_a_kernel_is_given_by_the_right_of_the_server_or_of_the_image_that_names_it(garden: Project) -> None:
    """Not by that of who asks alone: a host is given images by these, also when nobody asks any more."""
    kernel = make_image(garden.user, "kernel", b"kernel")
    image_id = make_image(garden.user, "direct", b"direct", kernel_id=kernel)
    asked = garden.body("mine", imageRef=image_id, networks="none")
    made = garden.admin.post("/compute/v2.1/servers", asked, 202, headers=at("2.96")).json()["server"]["id"]
    garden.cloud.run_jobs()
    path = f"/compute/v2.1/servers/{made}"
    garden.admin.post(f"{path}/action", {"reboot": {"type": "HARD"}}, 202)
    garden.cloud.run_jobs()
    assert garden.admin.get(path).json()["server"]["status"] == "ACTIVE"
    stranger, server_id = project(garden.cloud, "other"), garden.server()
    theirs = make_image(stranger.user, "kernel", b"theirs")
    mine = make_image(garden.user, "direct", b"mine", kernel_id=theirs)
    garden.act(server_id, "rebuild", {"imageRef": mine}, expect=400)
    assert garden.show(server_id)["status"] == "ACTIVE"
    garden.act(server_id, "rescue", {"rescue_image_ref": mine}, expect=400)
    # Nor by the right of the owner of the image that the server was made from.
    public = make_image(stranger.admin, "public", b"public", visibility="public")
    hidden = make_image(stranger.admin, "hidden", b"hidden")
    other_id = garden.server("other", imageRef=public)
    mine_too = make_image(garden.user, "direct", b"mine", kernel_id=hidden, ramdisk_id=hidden)
    garden.act(other_id, "rescue", {"rescue_image_ref": mine_too}, expect=400)
    with garden.cloud.core.db.write() as tx:
        servers.change(tx, other_id, rescue_image_id=mine_too)
        with pytest.raises(Permanent):
            guests.parts(tx, other_id)
    asked = garden.body("mine", imageRef=mine, networks="none")
    answer = garden.admin.post("/compute/v2.1/servers", asked, 400, headers=at("2.96"))
    assert answer.json()["badRequest"]["message"] == (
        f"The image's kernel_id: image {theirs} is not shared with this project."
    )


def test_images_of_servers_leave_a_part_of_the_disk_free_too(garden: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    server_id = garden.server()
    monkeypatch.setattr(receiving, "room", lambda where, free_percent: 0)
    garden.act(server_id, "createImage", {"name": "copy"})
    garden.cloud.run_jobs()
    assert "copy" not in [one["name"] for one in garden.user.get(IMAGES).json()["images"] if one["status"] == "active"]
    messages = [one["status"] for one in garden.user.get(IMAGES).json()["images"] if one["name"] == "copy"]
    assert messages in ([], ["killed"])
