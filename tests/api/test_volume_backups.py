"""Backups as their users see them: made, listed, restored, deleted; and what is done to their objects."""

from __future__ import annotations

import json
import os
from base64 import b64decode, b64encode
from collections.abc import Callable
from typing import Any

import pytest

from tane.agent.volume.drivers.fake import FakeVolume
from tane.services.volume.store import backups as store
from tane.services.volume.store import volumes
from tane.wire.blocks import BLOCK
from tane.wire.errors import HostError
from tests.api.test_volumes import Volumes, at
from tests.services.volume.pool import add_pool
from tests.support import ApiCloud

UNKNOWN = "9e0cb1a2-0000-4000-8000-000000000000"
ONE, TWO, NOISE = b"1" * BLOCK, b"2" * BLOCK, os.urandom(BLOCK)


@pytest.fixture
def pool(cloud: ApiCloud) -> FakeVolume:
    return add_pool(cloud.core)


class Backups(Volumes):
    def backup(self, volume_id: str, expect: int = 202, version: str = "3.60", **values: Any) -> dict[str, Any]:
        body = {"backup": {"volume_id": volume_id, **values}}
        answer = self.caller.post(f"{self.url}/backups", body, expect, **at(version)).json()
        self.cloud.run_jobs()
        found: dict[str, Any] = answer.get("backup", answer)
        return found

    def shown(self, backup_id: str, expect: int = 200, version: str = "3.60") -> dict[str, Any]:
        answer = self.caller.get(f"{self.url}/backups/{backup_id}", expect, **at(version)).json()
        found: dict[str, Any] = answer.get("backup", answer)
        return found

    def restore(self, backup_id: str, expect: int = 202, **values: Any) -> dict[str, Any]:
        answer = self.caller.post(f"{self.url}/backups/{backup_id}/restore", {"restore": values}, expect).json()
        self.cloud.run_jobs()
        found: dict[str, Any] = answer.get("restore", answer)
        return found

    def drop(self, backup_id: str, expect: int = 202) -> Any:
        answer = self.caller.delete(f"{self.url}/backups/{backup_id}", expect)
        self.cloud.run_jobs()
        return answer.json() if expect != 202 else None

    def act(self, backup_id: str, name: str, expect: int = 202, **values: Any) -> Any:
        answer = self.caller.post(f"{self.url}/backups/{backup_id}/action", {name: values}, expect)
        self.cloud.run_jobs()
        return answer

    def objects(self, container: str = "volumebackups") -> list[str]:
        """The names of a container's objects, without what their backups are called."""
        listed = self.caller.get(self.object_path(container), None, headers={"Accept": "text/plain"})
        return [] if listed.status_code in (204, 404) else listed.text.split()

    def object_path(self, container: str, name: str = "") -> str:
        return f"/object-store/v1/AUTH_{self.caller.project_id}/{container}" + (f"/{name}" if name else "")

    def reason(self, answer: dict[str, Any]) -> str:
        [found] = answer.values()
        return str(found["message"])


@pytest.fixture
def mia(cloud: ApiCloud, pool: FakeVolume) -> Backups:
    return Backups(cloud, cloud.new_user("mia", "garden"))


@pytest.fixture
def admin(cloud: ApiCloud, pool: FakeVolume) -> Backups:
    return Backups(cloud, cloud.admin)


def fill(pool: FakeVolume, volume_id: str, blocks: dict[int, bytes]) -> None:
    pool._volumes[volume_id].blocks = dict(blocks)


def held(pool: FakeVolume, volume_id: str) -> dict[int, bytes]:
    return pool._volumes[volume_id].blocks


def test_what_a_volume_holds_comes_back_in_a_new_one_and_in_its_own(mia: Backups, pool: FakeVolume) -> None:
    volume = mia.create(name="data", metadata={"of": "mia"})["id"]
    fill(pool, volume, {0: ONE, 7: NOISE, 1023: TWO})
    made = mia.backup(volume, name="first", description="all of it", metadata={"why": "to be sure"})
    assert set(made) == {"id", "name", "links"}
    shown = mia.shown(made["id"])
    assert (shown["status"], shown["size"], shown["container"], shown["fail_reason"]) == (
        "available",
        1,
        "volumebackups",
        None,
    )
    assert (shown["volume_id"], shown["snapshot_id"], shown["is_incremental"]) == (volume, None, False)
    assert (shown["metadata"], shown["user_id"], shown["object_count"]) == (
        {"why": "to be sure"},
        mia.caller.user_id,
        1,
    )
    assert mia.show(volume)["status"] == "available" and pool._volumes[volume].snapshots == {}
    names = mia.objects()
    assert [name.rpartition(made["id"])[2] for name in names] == ["-00001", "_metadata"]
    assert all(name.startswith(f"volume_{volume}/") for name in names)

    restored = mia.restore(made["id"])
    assert restored["volume_name"] == f"restore_backup_{made['id']}" and restored["backup_id"] == made["id"]
    assert mia.show(restored["volume_id"])["status"] == "available"
    assert held(pool, restored["volume_id"]) == {0: ONE, 7: NOISE, 1023: TWO}

    fill(pool, volume, {1: TWO})
    assert mia.show(restored["volume_id"])["metadata"] == {"of": "mia"}
    mia.restore(made["id"], volume_id=volume)
    assert held(pool, volume) == {0: ONE, 7: NOISE, 1023: TWO}
    assert mia.show(volume)["status"] == "available" and mia.shown(made["id"])["status"] == "available"
    mia.drop(made["id"])
    assert mia.objects() == []
    assert mia.reason(mia.shown(made["id"], 404)) == f"Backup {made['id']} could not be found."


def test_a_volume_is_created_from_a_backup_also_a_larger_one(mia: Backups, pool: FakeVolume) -> None:
    volume = mia.create()["id"]
    fill(pool, volume, {3: ONE})
    made = mia.backup(volume)["id"]
    body = {"volume": {"size": 2, "backup_id": made}}
    new = mia.caller.post(f"{mia.url}/volumes", body, 202, **at("3.47")).json()["volume"]["id"]
    mia.cloud.run_jobs()
    assert (mia.show(new)["status"], mia.show(new)["size"], held(pool, new)) == ("available", 2, {3: ONE})
    body = {"volume": {"size": 1, "backup_id": UNKNOWN}}
    mia.caller.post(f"{mia.url}/volumes", body, 404, **at("3.47"))


def test_an_incremental_backup_keeps_what_changed_and_restores_all(mia: Backups, pool: FakeVolume) -> None:
    volume = mia.create()["id"]
    assert mia.reason(mia.backup(volume, 400, incremental=True)) == (
        "Invalid backup: No backups available to do an incremental backup."
    )
    fill(pool, volume, {0: ONE, 5: NOISE, 9: TWO})
    full = mia.backup(volume)["id"]
    fill(pool, volume, {0: ONE, 5: TWO, 6: NOISE})
    mia.cloud.advance(1)
    second = mia.backup(volume, incremental=True, container="others")["id"]
    assert mia.shown(second)["is_incremental"] and mia.shown(full)["has_dependent_backups"]
    mia.cloud.advance(1)
    third = mia.backup(volume, incremental=True)["id"]
    assert mia.shown(third)["object_count"] == 0
    assert len(mia.objects("others")) == 2 and len(mia.objects()) == 3
    assert mia.reason(mia.drop(full, 400)) == "Invalid backup: Incremental backups exist for this backup."
    for backup, content in ((full, {0: ONE, 5: NOISE, 9: TWO}), (third, {0: ONE, 5: TWO, 6: NOISE})):
        assert held(pool, mia.restore(backup)["volume_id"]) == content
    for backup in (third, second, full):
        mia.drop(backup)
    assert mia.objects() == mia.objects("others") == []


def test_a_volume_in_use_is_backed_up_by_force_only_and_goes_on(mia: Backups, pool: FakeVolume) -> None:
    volume = mia.create()["id"]
    mia.do(volume, "os-attach", mountpoint="/dev/vdb", instance_uuid=UNKNOWN)
    assert mia.reason(mia.backup(volume, 400)) == (
        "Invalid volume: Backing up an in-use volume must use the force flag."
    )
    made = mia.backup(volume, force=True)["id"]
    assert mia.shown(made)["status"] == "available" and mia.show(volume)["status"] == "in-use"
    assert mia.reason(mia.restore(made, 400, volume_id=volume)) == (
        "Invalid volume: Volume to be restored to must be available"
    )


def test_a_snapshot_is_backed_up_as_it_was(mia: Backups, pool: FakeVolume) -> None:
    volume = mia.create()["id"]
    fill(pool, volume, {0: ONE})
    snapshot = mia.snapshot(volume)["id"]
    fill(pool, volume, {0: TWO})
    made = mia.backup(volume, snapshot_id=snapshot)["id"]
    assert mia.shown(made)["snapshot_id"] == snapshot and set(pool._volumes[volume].snapshots) == {snapshot}
    assert mia.caller.get(f"{mia.url}/snapshots/{snapshot}").json()["snapshot"]["status"] == "available"
    assert held(pool, mia.restore(made)["volume_id"]) == {0: ONE}
    other = mia.create()["id"]
    assert "is not a snapshot of volume" in mia.reason(mia.backup(other, 400, snapshot_id=snapshot))


REFUSED: tuple[tuple[dict[str, Any], int, str], ...] = (
    ({"container": "a/b"}, 400, "Invalid input for field/attribute container."),
    ({"container": "x" * 256}, 400, "container"),
    ({"container": "é" * 200}, 400, "Invalid input for field/attribute container."),
    ({"availability_zone": "moon"}, 404, "Service cinder-backup could not be found."),
    ({"volume_id": UNKNOWN}, 404, f"Volume {UNKNOWN} could not be found."),
    ({"snapshot_id": UNKNOWN}, 404, f"Snapshot {UNKNOWN} could not be found."),
    ({"incremental": "perhaps"}, 400, "incremental"),
    ({"volume_id": "data"}, 400, "volume_id"),
    ({"colour": "red"}, 400, "colour"),
    ({"metadata": {"": "x"}}, 400, "Metadata property key blank"),
)


def test_what_cannot_be_is_refused_by_name(mia: Backups) -> None:
    volume = mia.create()["id"]
    for asked, status, said in REFUSED:
        body = {"backup": {"volume_id": volume, **asked}}
        answer = mia.caller.post(f"{mia.url}/backups", body, status, **at("3.60")).json()
        assert said in mia.reason(answer)
    assert mia.caller.get(f"{mia.url}/backups").json()["backups"] == []
    assert mia.show(volume)["status"] == "available"


def test_fields_come_with_their_versions(mia: Backups, admin: Backups) -> None:
    volume = mia.create()["id"]
    made = mia.backup(volume)["id"]
    mia.backup(volume, 400, version="3.42", metadata={"a": "b"})
    mia.backup(volume, 400, version="3.50", availability_zone="nova")
    path = f"{mia.url}/backups/{made}"
    mia.caller.put(path, {"backup": {"name": "x"}}, 404, **at("3.8"))
    changed = mia.caller.put(path, {"backup": {"name": "x", "description": None}}, 200, **at("3.9")).json()["backup"]
    assert changed["name"] == "x"
    mia.caller.put(path, {"backup": {}}, 400, **at("3.9"))
    mia.caller.put(path, {"backup": {"metadata": {"a": "b"}}}, 200, **at("3.43"))
    assert mia.shown(made, version="3.43")["metadata"] == {"a": "b"}
    assert "metadata" not in mia.shown(made, version="3.42") and "user_id" not in mia.shown(made, version="3.55")
    assert "os-backup-project-attr:project_id" not in mia.shown(made)
    assert admin.shown(made)["os-backup-project-attr:project_id"] == mia.caller.project_id


def test_a_list_is_filtered_sorted_counted_and_paged(mia: Backups, admin: Backups) -> None:
    first, second = mia.create()["id"], mia.create()["id"]
    made = [mia.backup(volume, name=name)["id"] for volume, name in ((first, "a"), (second, "b"), (first, "c"))]

    def listed(query: str, path: str = "backups", version: str = "3.60") -> Any:
        return mia.caller.get(f"{mia.url}/{path}?{query}", 200, **at(version)).json()

    assert [row["name"] for row in listed(f"volume_id={first}&sort=name:desc")["backups"]] == ["c", "a"]
    found = listed("limit=2&sort=name:asc&with_count=true", "backups/detail")
    assert [row["id"] for row in found["backups"]] == made[:2] and found["count"] == 3
    [link] = found["backup_links"]
    assert "marker=" + made[1] in link["href"]
    assert [row["id"] for row in listed(f"marker={made[1]}&sort=name:asc")["backups"]] == made[2:]
    assert listed("status=error")["backups"] == []
    mia.caller.get(f"{mia.url}/backups?colour=red", 400, **at("3.31"))
    assert len(listed("colour=red", version="3.30")["backups"]) == 3
    everybody = admin.caller.get(f"{admin.url}/backups?all_tenants=1&name=b", 200, **at("3.60")).json()["backups"]
    assert [row["id"] for row in everybody] == [made[1]]


def test_quotas_count_backups_and_their_size(mia: Backups, admin: Backups) -> None:
    volume = mia.create(size=2)["id"]
    limits = f"{admin.url}/os-quota-sets/{mia.caller.project_id}"
    admin.caller.put(limits, {"quota_set": {"backups": 2, "backup_gigabytes": 3}}, 200)
    mia.backup(volume)
    assert mia.reason(mia.backup(volume, 413)) == (
        "Requested backup exceeds allowed Backup gigabytes quota. Requested 2G, quota is 3G and 2G has been consumed."
    )
    admin.caller.put(limits, {"quota_set": {"backups": 1}}, 200)
    assert mia.reason(mia.backup(volume, 413)) == "Maximum number of backups allowed (1) exceeded"
    absolute = mia.caller.get(f"{mia.url}/limits").json()["limits"]["absolute"]
    assert (absolute["totalBackupsUsed"], absolute["totalBackupGigabytesUsed"]) == (1, 2)
    used = admin.caller.get(f"{limits}?usage=true").json()["quota_set"]
    assert (used["backups"]["in_use"], used["backup_gigabytes"]["in_use"]) == (1, 2)
    assert mia.show(volume)["status"] == "available"


def test_a_restore_needs_an_available_volume_that_is_large_enough(mia: Backups, admin: Backups) -> None:
    made = mia.backup(mia.create(size=2)["id"])["id"]
    small = mia.create(size=1)["id"]
    assert mia.reason(mia.restore(made, 400, volume_id=small)) == (
        "Invalid volume: volume size 1 is too small to restore backup of size 2."
    )
    mia.restore(made, 404, volume_id=UNKNOWN)
    admin.act(made, "os-reset_status", status="error")
    assert mia.reason(mia.restore(made, 400)) == "Invalid backup: Backup status must be available"
    admin.act(made, "os-reset_status", 400, status="lost")
    admin.act(made, "os-reset_status", status="creating")
    assert mia.reason(mia.drop(made, 400)) == "Invalid backup: Backup status must be available or error"
    mia.act(made, "os-force_delete", 403)
    admin.act(made, "os-force_delete")
    mia.shown(made, 404)
    assert mia.objects() == []


SPOILED: dict[str, Callable[[bytes], bytes | None]] = {
    "changed": lambda data: data[:-1] + bytes([data[-1] ^ 1]),
    "shortened": lambda data: data[:-1],
    "swollen": lambda data: data + bytes(BLOCK),
    "deleted": lambda data: None,
}


@pytest.mark.parametrize("how", SPOILED)
def test_objects_that_were_changed_are_not_restored(mia: Backups, pool: FakeVolume, how: str) -> None:
    volume, target = mia.create()["id"], mia.create()["id"]
    fill(pool, volume, {0: ONE, 1: NOISE})
    made = mia.backup(volume)["id"]
    for name in mia.objects():
        path = mia.object_path("volumebackups", name)
        data = mia.caller.get(path).content
        changed = SPOILED[how](data)
        if changed is None:
            mia.caller.delete(path)
        else:
            mia.caller.request("PUT", path, content=changed, expect=201)
        fill(pool, target, {2: TWO})
        mia.restore(made, volume_id=target)
        if how == "swollen" and not name.endswith("_metadata"):
            # What lies after the last block is no part of the backup.
            assert held(pool, target) == {0: ONE, 1: NOISE}
            continue
        assert mia.show(target)["status"] == "error_restoring" and held(pool, target) == {2: TWO}
        shown = mia.shown(made)
        assert shown["status"] == "available" and shown["fail_reason"].startswith(f"Object {name} of the backup is")
        told = mia.caller.get(f"{mia.url}/messages", 200, **at("3.60")).json()["messages"][0]
        assert (told["resource_uuid"], told["resource_type"]) == (made, "VOLUME_BACKUP")
        mia.caller.request("PUT", path, content=data, expect=201)
        with mia.cloud.core.db.write() as tx:
            volumes.change(tx, target, status="available")


def test_a_full_account_ends_a_backup_in_error_and_leaves_nothing(
    mia: Backups, admin: Backups, pool: FakeVolume
) -> None:
    volume = mia.create()["id"]
    fill(pool, volume, {0: NOISE})
    account = f"/object-store/v1/AUTH_{mia.caller.project_id}"
    mia.caller.request("PUT", f"{account}/volumebackups", expect=201)
    headers = {"X-Container-Meta-Quota-Bytes": str(BLOCK // 2)}
    mia.caller.request("POST", f"{account}/volumebackups", headers=headers, expect=204)
    made = mia.backup(volume)["id"]
    shown = mia.shown(made)
    assert (shown["status"], shown["fail_reason"]) == ("error", "Upload exceeds quota.")
    assert mia.show(volume)["status"] == "available" and mia.objects() == []
    assert pool._volumes[volume].snapshots == {}
    mia.drop(made)


def test_what_a_pool_cannot_do_is_told(mia: Backups, pool: FakeVolume) -> None:
    volume = mia.create()["id"]
    pool.fail("content", None, HostError("the disk is broken"))
    made = mia.backup(volume)["id"]
    assert (mia.shown(made)["status"], mia.shown(made)["fail_reason"]) == ("error", "the disk is broken")
    made = mia.backup(volume)["id"]
    pool.fail("restore", None, HostError("the disk is broken"))
    restored = mia.restore(made)["volume_id"]
    assert mia.show(restored)["status"] == "error_restoring" and restored not in pool._volumes


def lose(owner: Backups, backup_id: str) -> None:
    """Forget a backup whose objects stay, as with a database that is lost."""
    with owner.cloud.core.db.write() as tx:
        store.remove(tx, backup_id)


def test_a_chain_of_imported_records_holds(admin: Backups, pool: FakeVolume) -> None:
    """Each manifest names the objects it is made of: what others are made of is not deleted."""
    volume = admin.create()["id"]
    fill(pool, volume, {0: ONE, 1: TWO})
    full = admin.backup(volume)["id"]
    admin.cloud.advance(1)
    fill(pool, volume, {0: ONE, 1: NOISE})
    later = admin.backup(volume, incremental=True)["id"]
    for each in (full, later):
        record = admin.caller.get(f"{admin.url}/backups/{each}/export_record").json()
        lose(admin, each)
        admin.caller.post(f"{admin.url}/backups/import_record", record, 201)
    admin.cloud.run_jobs()
    assert "Incremental backups exist" in admin.reason(admin.caller.delete(f"{admin.url}/backups/{full}", 400).json())
    assert held(pool, admin.restore(later)["volume_id"]) == {0: ONE, 1: NOISE}
    admin.drop(later)
    admin.drop(full)
    assert admin.objects() == []


def test_only_a_backups_own_objects_go_with_it(mia: Backups, pool: FakeVolume) -> None:
    volume = mia.create()["id"]
    fill(pool, volume, {0: ONE})
    made = mia.backup(volume)["id"]
    [first, manifest] = mia.objects()
    beside = [f"{first}-copy", f"{manifest}.txt", f"{first.removesuffix('-00001')}-notes"]
    for name in beside:
        path = f"/object-store/v1/AUTH_{mia.caller.project_id}/volumebackups/{name}"
        mia.caller.request("PUT", path, content=b"mine", expect=201)
    mia.drop(made)
    assert sorted(mia.objects()) == sorted(beside)


def test_a_record_is_exported_and_imported(mia: Backups, admin: Backups, pool: FakeVolume) -> None:
    volume = admin.create()["id"]
    fill(pool, volume, {4: NOISE})
    made = admin.backup(volume, name="kept")["id"]
    mia.caller.get(f"{mia.url}/backups/{made}/export_record", 403)
    record = admin.caller.get(f"{admin.url}/backups/{made}/export_record").json()["backup-record"]
    known = json.loads(b64decode(record["backup_url"]))
    path = f"{admin.url}/backups/import_record"
    assert "already exists" in admin.reason(admin.caller.post(path, {"backup-record": record}, 400).json())

    def changed(**values: Any) -> dict[str, Any]:
        return {"backup-record": {**record, "backup_url": b64encode(json.dumps(known | values).encode()).decode()}}

    assert "service_metadata is not of this backup" in admin.reason(
        admin.caller.post(path, changed(id=UNKNOWN), 400).json()
    )
    lose(admin, made)
    new = admin.caller.post(path, changed(), 201).json()["backup"]
    assert (new["id"], new["name"]) == (made, "kept")
    admin.cloud.run_jobs()
    assert admin.shown(made)["status"] == "available"
    assert held(pool, admin.restore(made)["volume_id"]) == {4: NOISE}
    admin.drop(made)
    assert admin.objects() == []
    admin.caller.post(path, changed(), 201)
    admin.cloud.run_jobs()
    assert admin.shown(made)["status"] == "error"
    for wrong in (
        {"id": "../../etc"},
        {"size": 0},
        {"size": 1 << 40},
        {"service_metadata": "a\nb"},
        {"service_metadata": "v"},
        {"container": "a/b"},
    ):
        lose(admin, made)
        admin.caller.post(path, changed(**wrong), 400)
    admin.caller.post(path, {"backup-record": {**record, "backup_url": "no base64"}}, 400)
    admin.caller.post(path, {"backup-record": {**record, "backup_service": "another"}}, 400)
    mia.caller.post(path.replace(admin.caller.project_id, mia.caller.project_id), changed(id=UNKNOWN), 403)


def test_backups_are_made_by_a_service_that_can_be_switched_off(mia: Backups, admin: Backups) -> None:
    found = admin.caller.get(f"{admin.url}/os-services?binary=cinder-backup").json()["services"]
    assert [(one["state"], one["status"]) for one in found] == [("up", "enabled")]
    body = {"binary": "cinder-backup", "host": found[0]["host"]}
    admin.caller.put(f"{admin.url}/os-services/disable", body, 200)
    volume = mia.create()["id"]
    assert mia.reason(mia.backup(volume, 404)) == "Service cinder-backup could not be found."
    admin.caller.put(f"{admin.url}/os-services/enable", body, 200)
    mia.backup(volume)
    assert "backups" in [one["alias"] for one in mia.caller.get(f"{mia.url}/extensions").json()["extensions"]]
