"""What was ordered for one project, or is kept for its server, is never done to what another has in the volume."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tane import jobs
from tane.agent.volume.drivers.fake import FakeVolume
from tane.services.volume.operations import OPERATIONS
from tane.services.volume.orders import RECORDING
from tane.services.volume.store import attachments as attachment_rows
from tane.services.volume.store import groups as group_rows
from tane.services.volume.store import snapshots as snapshot_rows
from tane.services.volume.store import volumes as volume_rows
from tests.api.compute_support import Project, V, project
from tests.api.test_volume_transfers import accept, offer
from tests.api.test_volumes import Volumes, active_image, at
from tests.services.volume.pool import add_pool
from tests.support import ApiCloud

GROUP, TAKEN = "9e0cb1a2-0000-4000-8000-000000000001", "9e0cb1a2-0000-4000-8000-000000000002"
AWAY = (
    "snapshot",
    "upload",
    "export",
    "create_from_volume",
    "create_from_image",
    "extend",
    "delete",
)
"""What a pool is asked to do to a volume, or with what is in it."""


class World:
    """Mallory, who has a server, and Victor, who knows the key of what she offers."""

    def __init__(self, cloud: ApiCloud) -> None:
        self.cloud = cloud
        self.pool: FakeVolume = add_pool(cloud.core)
        self.compute: Project = project(cloud, "den")
        self.mallory = Volumes(cloud, self.compute.user)
        self.victor = Volumes(cloud, cloud.new_user("victor", "house"))
        self.admin = Volumes(cloud, cloud.admin)

    def do(self, volume_id: str, name: str, expect: int = 202, **values: Any) -> None:
        """An action of Mallory's; no job runs."""
        path = f"{self.mallory.url}/volumes/{volume_id}/action"
        self.mallory.caller.post(path, {name: values}, expect, **at("3.71"))

    def attach(self, server_id: str, volume_id: str) -> str:
        body = {"volumeAttachment": {"volumeId": volume_id}}
        path = f"{V}/servers/{server_id}/os-volume_attachments"
        headers = {"OpenStack-API-Version": "compute 2.96"}
        self.mallory.caller.post(path, body, 200, headers=headers)
        return str(
            self.mallory.caller.get(f"{path}/{volume_id}", 200, headers=headers).json()["volumeAttachment"][
                "attachment_id"
            ]
        )

    def keep(self, volume_id: str) -> str:
        body = {"attachment": {"volume_uuid": volume_id, "instance_uuid": volume_id}}
        path = f"{self.mallory.url}/attachments"
        return str(self.mallory.caller.post(path, body, 200, **at("3.71")).json()["attachment"]["id"])

    def complete(self, attachment_id: str, expect: int) -> None:
        path = f"{self.mallory.url}/attachments/{attachment_id}/action"
        self.mallory.caller.post(path, {"os-complete": None}, expect, **at("3.71"))

    def status(self, volume_id: str) -> str:
        return str(self.admin.show(volume_id)["status"])

    def steal(self, volume_id: str) -> None:
        """Give the volume away whatever forbids it, as a bug or an administrator might, but leave its jobs."""
        with self.cloud.core.db.write() as tx:
            for row in attachment_rows.of_volumes(tx, [volume_id]).get(volume_id, []):
                attachment_rows.remove(tx, row.id)
            values = {"project_id": self.victor.caller.project_id, "user_id": self.victor.caller.user_id}
            volume_rows.change(tx, volume_id, status="available", **values)

    def asked(self, volume_id: str, job: Callable[[], Any]) -> list[str]:
        """What the pool was asked to do with the volume while the jobs ran."""
        self.pool.calls.clear()
        job()
        return [step for step, asked in self.pool.calls if asked == volume_id and step in AWAY]


@pytest.fixture
def world(cloud: ApiCloud) -> World:
    return World(cloud)


# ------------------------------------------------------------------------------------------- statuses under a job

ACTIONS: dict[str, dict[str, Any]] = {
    "os-unreserve": {},
    "os-reserve": {},
    "os-attach": {"instance_uuid": "9e0cb1a2-0000-4000-8000-000000000000", "mountpoint": "/dev/vdc"},
    "os-begin_detaching": {},
    "os-roll_detaching": {},
    "os-detach": {},
    "os-volume_upload_image": {"image_name": "loot", "force": True},
    "os-extend": {"new_size": 2},
}
"""Every action of a member that changes a volume's status."""


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("stage", ["on the way", "attached"])
def test_a_member_ends_no_attachment_of_a_server_by_the_volume(world: World, action: str, stage: str) -> None:
    server_id = world.compute.server()
    volume_id = world.mallory.create()["id"]
    attachment_id = world.attach(server_id, volume_id)
    if stage == "attached":
        world.cloud.run_jobs()
    path = f"{world.mallory.url}/volumes/{volume_id}/action"
    world.cloud.call("POST", path, json={action: ACTIONS[action]}, headers=headers(world))
    assert offer(world.mallory, volume_id, 400)["badRequest"]["message"]
    world.cloud.call("DELETE", f"{world.mallory.url}/attachments/{attachment_id}", headers=headers(world))
    offer(world.mallory, volume_id, 400)
    with world.cloud.core.db.read() as tx:
        assert attachment_rows.get(tx, attachment_id) is not None
    world.cloud.run_jobs()
    [attached] = world.mallory.show(volume_id)["attachments"]
    assert attached["server_id"] == server_id and world.status(volume_id) == "in-use"


def headers(world: World) -> dict[str, str]:
    return {"X-Auth-Token": world.mallory.caller.token, **at("3.71")["headers"]}


@pytest.mark.parametrize(
    "action", ["os-unreserve", "os-attach", "os-detach", "os-begin_detaching", "os-roll_detaching"]
)
def test_who_tries_it_is_told_to_ask_compute(world: World, action: str) -> None:
    server_id = world.compute.server()
    volume_id = world.mallory.create()["id"]
    world.attach(server_id, volume_id)
    path = f"{world.mallory.url}/volumes/{volume_id}/action"
    answer = world.mallory.caller.post(path, {action: ACTIONS[action]}, 409, **at("3.71")).json()
    message = f"Detach volume from instance {server_id} using the Compute API"
    assert answer["conflictingRequest"]["message"] == message
    assert world.status(volume_id) == "attaching"


def test_a_volume_made_for_a_server_is_nobody_elses_before_it_is_attached(world: World) -> None:
    """It is available for a while, when the server waits for its other volumes."""
    server = {"imageRef": None, "block_device_mapping_v2": [disk(world, 0), disk(world, 1)]}
    world.compute.create(**server)
    [first, second] = world.mallory.caller.get(f"{world.mallory.url}/volumes?sort=created_at:asc", 200).json()[
        "volumes"
    ]
    with world.cloud.core.db.write() as tx:
        volume_rows.change(tx, second["id"], status="available")
    offer(world.mallory, second["id"], 400)
    world.do(second["id"], "os-reserve", 400)
    body = {"attachment": {"volume_uuid": second["id"], "instance_uuid": first["id"]}}
    world.mallory.caller.post(f"{world.mallory.url}/attachments", body, 400, **at("3.71"))
    world.mallory.caller.delete(f"{world.mallory.url}/volumes/{second['id']}", 400)
    world.cloud.run_jobs()
    assert {world.status(first["id"]), world.status(second["id"])} == {"in-use"}


def disk(world: World, boot_index: int) -> dict[str, Any]:
    return {
        "source_type": "image",
        "destination_type": "volume",
        "uuid": world.compute.image_id,
        "volume_size": 1,
        "boot_index": boot_index,
        "delete_on_termination": True,
    }


def test_a_completed_attachment_ends_nothing_that_is_done_with_the_volume(world: World) -> None:
    volume_id = world.mallory.create()["id"]
    kept = world.keep(volume_id)
    world.do(volume_id, "os-unreserve")
    assert world.status(volume_id) == "reserved"
    world.complete(kept, 204)
    world.complete(kept, 204)
    world.do(volume_id, "os-volume_upload_image", image_name="loot", force=True)
    world.complete(kept, 204)
    assert world.status(volume_id) == "uploading"
    world.do(volume_id, "os-volume_upload_image", 400, image_name="loot", force=True)
    world.mallory.caller.delete(f"{world.mallory.url}/attachments/{kept}", 200, **at("3.71"))
    offer(world.mallory, volume_id, 400)
    world.cloud.run_jobs()
    assert world.status(volume_id) == "available"


@pytest.mark.parametrize("status", ["available", "downloading", "uploading", "extending", "awaiting-transfer", "error"])
def test_only_a_reserved_volume_is_completed(world: World, status: str) -> None:
    volume_id = world.mallory.create()["id"]
    kept = world.keep(volume_id)
    with world.cloud.core.db.write() as tx:
        volume_rows.change(tx, volume_id, status=status)
    world.complete(kept, 400)
    assert world.status(volume_id) == status


def test_nobody_but_compute_completes_its_attachment(world: World) -> None:
    server_id = world.compute.server()
    volume_id = world.mallory.create()["id"]
    world.complete(world.attach(server_id, volume_id), 409)
    assert world.status(volume_id) == "attaching"


def test_a_volume_reimaged_for_a_reservation_that_ended_is_free(world: World) -> None:
    volume_id = world.mallory.create()["id"]
    kept = world.keep(volume_id)
    image_id = active_image(world.cloud, world.mallory.caller)
    world.do(volume_id, "os-reimage", image_id=image_id, reimage_reserved=True)
    world.complete(kept, 400)
    world.mallory.caller.delete(f"{world.mallory.url}/attachments/{kept}", 200, **at("3.71"))
    offer(world.mallory, volume_id, 400)
    world.cloud.run_jobs()
    assert world.status(volume_id) == "available"
    accept(world.victor, offer(world.mallory, volume_id))


# ---------------------------------------------------------------------------------------------- jobs that wait


def order_snapshot(world: World, volume_id: str) -> None:
    body = {"snapshot": {"volume_id": volume_id}}
    world.mallory.caller.post(f"{world.mallory.url}/snapshots", body, 202, **at("3.71"))


def order_copy(world: World, volume_id: str) -> None:
    body = {"volume": {"source_volid": volume_id, "size": 1}}
    world.mallory.caller.post(f"{world.mallory.url}/volumes", body, 202, **at("3.71"))


def order_upload(world: World, volume_id: str) -> None:
    world.do(volume_id, "os-volume_upload_image", image_name="loot")


def order_reimage(world: World, volume_id: str) -> None:
    world.do(volume_id, "os-reimage", image_id=active_image(world.cloud, world.mallory.caller))


def order_extend(world: World, volume_id: str) -> None:
    world.do(volume_id, "os-extend", new_size=2)


def order_delete(world: World, volume_id: str) -> None:
    world.mallory.caller.delete(f"{world.mallory.url}/volumes/{volume_id}", 202)


def order_force_detach(world: World, volume_id: str) -> None:
    world.keep(volume_id)
    path = f"{world.admin.url}/volumes/{volume_id}/action"
    world.admin.caller.post(path, {"os-force_detach": {}}, 202, **at("3.71"))


def order_attachment(world: World, volume_id: str) -> None:
    world.attach(world.compute.server(), volume_id)


ORDERS = {
    "snapshot": order_snapshot,
    "copy": order_copy,
    "upload": order_upload,
    "reimage": order_reimage,
    "extend": order_extend,
    "delete": order_delete,
    "force detach": order_force_detach,
    "attachment": order_attachment,
}


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("status", ["available", None])
def test_what_waits_for_the_giver_ends_before_the_volume_goes(world: World, order: str, status: str | None) -> None:
    """Whatever its status is made to say."""
    volume_id = world.mallory.create()["id"]
    ORDERS[order](world, volume_id)
    if status is not None:
        with world.cloud.core.db.write() as tx:
            volume_rows.change(tx, volume_id, status=status)
    offer(world.mallory, volume_id, 400, no_snapshots=True)


@pytest.mark.parametrize("order", ORDERS)
def test_an_offer_of_before_is_accepted_when_nothing_waits(world: World, order: str) -> None:
    volume_id = world.mallory.create()["id"]
    offered = offer(world.mallory, volume_id, no_snapshots=True)
    with world.cloud.core.db.write() as tx:
        volume_rows.change(tx, volume_id, status="available")
    ORDERS[order](world, volume_id)
    with world.cloud.core.db.write() as tx:
        volume_rows.change(tx, volume_id, status="awaiting-transfer")
    accept(world.victor, offered, 400)
    assert world.victor.show(volume_id, 404)


@pytest.mark.parametrize("order", ORDERS)
def test_a_job_of_the_giver_does_nothing_to_what_the_taker_has(world: World, order: str) -> None:
    volume_id = world.mallory.create()["id"]
    ORDERS[order](world, volume_id)
    world.steal(volume_id)
    assert world.asked(volume_id, world.cloud.run_jobs) == []
    assert world.victor.show(volume_id)["status"] == "available"
    assert world.victor.show(volume_id)["size"] == 1
    assert world.victor.caller.get(f"{world.victor.url}/messages", 200, **at("3.71")).json()["messages"] == []


def test_a_volume_that_was_just_made_may_go_at_once(world: World) -> None:
    """Its job is at the step that only writes down what was done."""
    volume_id = world.mallory.create()["id"]
    order_extend(world, volume_id)
    with world.cloud.core.db.write() as tx:
        [waiting] = jobs.unfinished(tx, f"volume:{volume_id}")
        jobs.store.change(tx, waiting.id, step="finish")
        volume_rows.change(tx, volume_id, status="available")
    offer(world.mallory, volume_id)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_the_last_step_of_an_operation_alone_is_one_that_records(operation: Any) -> None:
    assert [step.name in RECORDING for step in operation.steps] == [*[False] * (len(operation.steps) - 1), True]


# ------------------------------------------------------------------------------------------- the end of a server


@pytest.mark.parametrize("stage", ["on the way", "attached"])
def test_the_end_of_a_server_touches_no_volume_of_another_project(world: World, stage: str) -> None:
    server_id = world.compute.server()
    volume_id = world.mallory.create()["id"]
    world.attach(server_id, volume_id)
    if stage == "attached":
        world.cloud.run_jobs()
    body = {"volumeAttachment": {"volumeId": volume_id, "delete_on_termination": True}}
    path = f"{V}/servers/{server_id}/os-volume_attachments/{volume_id}"
    world.mallory.caller.put(path, body, 202, headers={"OpenStack-API-Version": "compute 2.96"})
    world.steal(volume_id)
    world.mallory.caller.delete(f"{V}/servers/{server_id}", 204)
    world.cloud.run_jobs()
    assert world.victor.show(volume_id)["status"] == "available"
    assert world.pool._volumes[volume_id]


def test_a_server_whose_volume_was_given_away_is_not_made_with_it_again(world: World) -> None:
    server_id = world.compute.server()
    volume_id = world.mallory.create()["id"]
    world.attach(server_id, volume_id)
    world.cloud.run_jobs()
    world.steal(volume_id)
    world.compute.act(server_id, "reboot", {"type": "HARD"})
    assert world.asked(volume_id, world.cloud.run_jobs) == []


def test_the_image_of_a_server_that_fails_takes_no_snapshot_that_went_along(world: World) -> None:
    server_id = world.compute.server(imageRef=None, block_device_mapping_v2=[disk(world, 0)])
    world.compute.act(server_id, "createImage", {"name": "picture"}, headers={"OpenStack-API-Version": "compute 2.96"})
    with world.cloud.core.db.write() as tx:
        [volume] = volume_rows.find(tx, [], volume_rows.Page(order=[("id", False)]), None)
        [snapshot] = snapshot_rows.of_volume(tx, volume.id)
        [taking] = jobs.unfinished(tx, f"volume:{volume.id}")
        jobs.store.forget_debt(tx, taking.id)
        snapshot_rows.change(tx, snapshot.id, status="available", project_id=world.victor.caller.project_id)
        jobs.cancel(tx, f"server:{server_id}")
    world.cloud.run_jobs()
    world.victor.caller.get(f"{world.victor.url}/snapshots/{snapshot.id}", 200)


@pytest.mark.parametrize("way", ["attach", "boot"])
def test_who_had_the_volume_before_and_could_not_be_told_is_cut_off(world: World, way: str) -> None:
    """Its host was away when the export was to end, so it still knows the port and the key."""
    volume_id = world.mallory.create(imageRef=world.compute.image_id)["id"]
    before = world.cloud.wait(world.pool.export(volume_id))
    if way == "attach":
        world.attach(world.compute.server(), volume_id)
        world.cloud.run_jobs()
    else:
        mapping = [{**disk(world, 0), "source_type": "volume", "uuid": volume_id}]
        world.compute.server(imageRef=None, block_device_mapping_v2=mapping)
    assert world.cloud.wait(world.pool.export(volume_id)) != before
    steps = [step for step, asked in world.pool.calls if asked == volume_id and step == "unexport"]
    assert steps == ["unexport"]


# ------------------------------------------------------------------------------------------------ snapshots


def test_a_snapshot_goes_with_its_volume_out_of_no_group(world: World) -> None:
    """The giver would delete it with the group's snapshot."""
    volume_id = world.mallory.create()["id"]
    snapshot_id = world.mallory.snapshot(volume_id)["id"]
    with world.cloud.core.db.write() as tx:
        snapshot_rows.change(tx, snapshot_id, group_snapshot_id="group-snapshot")
    message = offer(world.mallory, volume_id, 400)["badRequest"]["message"]
    assert message == f"Invalid snapshot: Snapshot: {snapshot_id} must not be part of a group"
    accept(world.victor, offer(world.mallory, volume_id, no_snapshots=True))
    world.mallory.caller.get(f"{world.mallory.url}/snapshots/{snapshot_id}", 200)


def test_a_snapshot_that_stayed_with_its_owner_goes_to_no_third(world: World) -> None:
    volume_id = world.mallory.create()["id"]
    snapshot_id = world.mallory.snapshot(volume_id)["id"]
    accept(world.victor, offer(world.mallory, volume_id, no_snapshots=True))
    third = Volumes(world.cloud, world.cloud.new_user("third", "third"))
    accept(third, offer(world.victor, volume_id))
    third.caller.get(f"{third.url}/snapshots/{snapshot_id}", 404)
    world.mallory.caller.get(f"{world.mallory.url}/snapshots/{snapshot_id}", 200)


@pytest.mark.parametrize("who", ["victor", "admin"])
def test_no_cascade_deletes_a_snapshot_of_another_project(world: World, who: str) -> None:
    volume_id = world.mallory.create()["id"]
    snapshot_id = world.mallory.snapshot(volume_id)["id"]
    accept(world.victor, offer(world.mallory, volume_id, no_snapshots=True))
    caller: Volumes = getattr(world, who)
    caller.caller.delete(f"{caller.url}/volumes/{volume_id}?cascade=true", 400)
    world.cloud.run_jobs()
    world.mallory.caller.get(f"{world.mallory.url}/snapshots/{snapshot_id}", 200)
    world.mallory.caller.delete(f"{world.mallory.url}/snapshots/{snapshot_id}", 202)
    world.cloud.run_jobs()
    world.victor.caller.delete(f"{world.victor.url}/volumes/{volume_id}?cascade=true", 202)


def test_a_kept_snapshot_shows_nothing_that_its_volume_was_given_later(world: World) -> None:
    volume_id = world.mallory.create()["id"]
    world.do(volume_id, "os-set_image_metadata", 200, metadata={"mine": "before"})
    snapshot_id = world.mallory.snapshot(volume_id)["id"]
    accept(world.victor, offer(world.mallory, volume_id, no_snapshots=True))
    world.victor.do(volume_id, "os-set_image_metadata", 200, metadata={"victims": "private-note"})
    kind = world.admin.caller.post(f"{world.admin.url}/types", {"volume_type": {"name": "other"}}, 200).json()
    world.victor.do(volume_id, "os-retype", new_type="other", migration_policy="never")
    assert world.victor.show(volume_id)["volume_type"] == kind["volume_type"]["name"]
    copy = world.mallory.create(snapshot_id=snapshot_id)
    shown = world.mallory.show(copy["id"])
    assert shown["volume_image_metadata"] == {"mine": "before"} and shown["volume_type"] == "file"
    mapping = [{**disk(world, 0), "source_type": "snapshot", "uuid": snapshot_id}]
    world.victor.do(volume_id, "os-set_image_metadata", 200, metadata={"hw_disk_bus": "scsi"})
    world.victor.do(volume_id, "os-set_bootable", 200, bootable=True)
    server_id = world.compute.server(imageRef=None, block_device_mapping_v2=mapping)
    shown = world.admin.caller.get(f"{V}/servers/{server_id}", 200, headers={"OpenStack-API-Version": "compute 2.96"})
    assert shown.json()["server"]["OS-EXT-SRV-ATTR:root_device_name"].startswith("/dev/vd")


def test_a_group_takes_no_new_volume_of_another_project(world: World) -> None:
    """Not even an administrator's: its owner would delete it."""
    kind = {"group_type": {"name": "kind", "group_specs": {}}}
    made = world.admin.caller.post(f"{world.admin.url}/group_types", kind, 202, **at("3.71")).json()["group_type"]
    body = {"group": {"group_type": made["id"], "volume_types": ["file"]}}
    group = world.mallory.caller.post(f"{world.mallory.url}/groups", body, 202, **at("3.71")).json()["group"]["id"]
    wanted = {"volume": {"size": 1, "volume_type": "file", "group_id": group}}
    world.admin.caller.post(f"{world.admin.url}/volumes", wanted, 404, **at("3.71"))
    world.mallory.caller.post(f"{world.mallory.url}/volumes", wanted, 202, **at("3.71"))


def test_a_group_copied_from_its_snapshot_tells_no_name_of_a_volume_that_was_given_away(world: World) -> None:
    volume_id = world.mallory.create()["id"]
    snapshot_id = world.mallory.snapshot(volume_id)["id"]
    accept(world.victor, offer(world.mallory, volume_id, no_snapshots=True))
    world.victor.caller.put(f"{world.victor.url}/volumes/{volume_id}", {"volume": {"name": "secret"}}, 200)
    with world.cloud.core.db.write() as tx:
        mine = {"project_id": world.mallory.caller.project_id, "user_id": "m", "name": "", "status": "available"}
        kind = volume_rows.get(tx, volume_id)
        assert kind is not None
        group = {"id": GROUP, "group_type_id": "kind", "volume_types": [kind.volume_type_id], **mine}
        taken = {"id": TAKEN, "group_id": GROUP, "group_type_id": "kind", **mine}
        group_rows.add(tx, group_rows.volume_group, group)
        group_rows.add(tx, group_rows.volume_group_snapshot, taken)
        snapshot_rows.change(tx, snapshot_id, group_snapshot_id=TAKEN)
    body = {"create-from-src": {"name": "copy", "group_snapshot_id": TAKEN}}
    world.mallory.caller.post(f"{world.mallory.url}/groups/action", body, 202, **at("3.71"))
    [copied] = world.mallory.caller.get(f"{world.mallory.url}/volumes", 200).json()["volumes"]
    assert copied["name"] == ""
