"""Groups of volumes: what they take, and that they are snapshotted, copied and deleted together."""

from __future__ import annotations

from typing import Any

import pytest

from tane.agent.volume.drivers.fake import FakeVolume
from tane.wire.errors import HostError
from tests.api.test_volumes import Volumes, at
from tests.services.volume.pool import add_pool
from tests.support import ApiCloud, Caller

UNKNOWN = "9e0cb1a2-0000-4000-8000-000000000000"
LATEST = at("3.71")


@pytest.fixture
def pool(cloud: ApiCloud) -> FakeVolume:
    return add_pool(cloud.core)


@pytest.fixture
def mia(cloud: ApiCloud, pool: FakeVolume) -> Volumes:
    return Volumes(cloud, cloud.new_user("mia", "garden"))


def call(
    who: Volumes, method: str, path: str, body: Any = None, expect: int = 202, version: str = "3.71", caller: Any = None
) -> Any:
    caller = caller or who.caller
    url = f"/volume/v3/{caller.project_id}{path}"
    answer = caller.request(method, url, json=body, expect=expect, **at(version))
    who.cloud.run_jobs()
    return answer.json() if answer.content else None


def make_type(who: Volumes, name: str = "plain", expect: int = 202, **values: Any) -> dict[str, Any]:
    body = {"group_type": {"name": name, **values}}
    answer = call(who, "POST", "/group_types", body, expect, caller=who.cloud.admin)
    found: dict[str, Any] = answer.get("group_type", answer)
    return found


def make(who: Volumes, expect: int = 202, **values: Any) -> dict[str, Any]:
    body = {"group": {"group_type": "plain", "volume_types": ["file"], "name": "g", **values}}
    answer = call(who, "POST", "/groups", body, expect)
    found: dict[str, Any] = answer.get("group", answer)
    return found


def show(who: Volumes, group_id: str, expect: int = 200, query: str = "") -> dict[str, Any]:
    answer = call(who, "GET", f"/groups/{group_id}{query}", expect=expect)
    found: dict[str, Any] = answer.get("group", answer)
    return found


def member(who: Volumes, group_id: str, **values: Any) -> str:
    body = {"volume": {"size": 1, "volume_type": "file", "group_id": group_id, **values}}
    return str(call(who, "POST", "/volumes", body)["volume"]["id"])


def take(who: Volumes, group_id: str, expect: int = 202) -> dict[str, Any]:
    answer = call(who, "POST", "/group_snapshots", {"group_snapshot": {"group_id": group_id, "name": "then"}}, expect)
    found: dict[str, Any] = answer.get("group_snapshot", answer)
    return found


def delete(who: Volumes, group_id: str, expect: int = 202, *, volumes: bool = True) -> Any:
    return call(who, "POST", f"/groups/{group_id}/action", {"delete": {"delete-volumes": volumes}}, expect)


def test_types_are_made_by_administrators_and_seen_by_all_but_the_private(mia: Volumes) -> None:
    made = make_type(mia, description="d", group_specs={"a": "1"})
    assert made == {"id": made["id"], "name": "plain", "description": "d", "is_public": True, "group_specs": {"a": "1"}}
    secret = make_type(mia, "secret", is_public=False)
    make_type(mia, "plain", 409)
    call(mia, "POST", "/group_types", {"group_type": {"name": "x"}}, 403)
    [seen] = call(mia, "GET", "/group_types", expect=200)["group_types"]
    assert seen == {"id": made["id"], "name": "plain", "description": "d", "is_public": True}
    call(mia, "GET", f"/group_types/{secret['id']}", expect=404)
    call(mia, "GET", "/group_types/default", expect=404)
    call(mia, "GET", "/group_types", expect=404, version="3.10")
    admin = mia.cloud.admin
    every = call(mia, "GET", "/group_types?is_public=None&sort=name:asc", expect=200, caller=admin)["group_types"]
    assert [row["name"] for row in every] == ["plain", "secret"]
    body = {"group_type": {"name": "other", "description": None}}
    changed = call(mia, "PUT", f"/group_types/{secret['id']}", body, 200, caller=admin)["group_type"]
    assert (changed["name"], changed["is_public"]) == ("other", False)
    make(mia)
    assert "still in use" in str(call(mia, "DELETE", f"/group_types/{made['id']}", expect=400, caller=admin))
    call(mia, "DELETE", f"/group_types/{secret['id']}", caller=admin)


def test_specs_of_types_are_set_one_by_one(mia: Volumes) -> None:
    admin, specs = mia.cloud.admin, f"/group_types/{make_type(mia)['id']}/group_specs"
    body = {"group_specs": {"a": "1", "b": "2"}}
    assert call(mia, "POST", specs, body, caller=admin) == body
    assert call(mia, "PUT", f"{specs}/b", {"b": "3"}, 200, caller=admin) == {"b": "3"}
    call(mia, "PUT", f"{specs}/b", {"a": "3"}, 400, caller=admin)
    call(mia, "DELETE", f"{specs}/a", caller=admin)
    call(mia, "GET", f"{specs}/a", expect=404, caller=admin)
    assert call(mia, "GET", specs, expect=200, caller=admin) == {"group_specs": {"b": "3"}}
    call(mia, "GET", specs, expect=403)


def test_a_group_has_the_volumes_made_in_it_added_and_not_removed(mia: Volumes) -> None:
    make_type(mia)
    group = make(mia)
    assert set(group) == {"id", "name"}
    first, second = member(mia, group["id"]), mia.create()["id"]
    assert mia.caller.get(f"{mia.url}/volumes/{first}", **LATEST).json()["volume"]["group_id"] == group["id"]
    call(mia, "PUT", f"/groups/{group['id']}", {"group": {"add_volumes": second, "name": "new"}})
    shown = show(mia, group["id"], query="?list_volume=true")
    assert (shown["status"], shown["name"]) == ("available", "new")
    assert sorted(shown["volumes"]) == sorted([first, second])
    assert "project_id" not in shown and shown["volume_types"] and shown["availability_zone"] == "nova"
    call(mia, "PUT", f"/groups/{group['id']}", {"group": {"remove_volumes": f"{first},{second}"}})
    assert show(mia, group["id"], query="?list_volume=true")["volumes"] == []
    for wrong in (
        {},
        {"add_volumes": UNKNOWN},
        {"remove_volumes": first},
        {"add_volumes": first, "remove_volumes": first},
    ):
        call(mia, "PUT", f"/groups/{group['id']}", {"group": wrong}, 400)


def test_a_group_takes_only_what_fits_it(cloud: ApiCloud, mia: Volumes) -> None:
    make_type(mia)
    group, other = make(mia), make(mia)
    cloud.admin.post(f"/volume/v3/{cloud.admin.project_id}/types", {"volume_type": {"name": "odd"}}, 200)
    odd = mia.create(volume_type="odd")["id"]
    mine = member(mia, group["id"])
    for volume_id in (odd, mine):
        call(mia, "PUT", f"/groups/{other['id']}", {"group": {"add_volumes": volume_id}}, 400)
    for values in ({}, {"volume_type": "odd"}):
        call(mia, "POST", "/volumes", {"volume": {"size": 1, "group_id": group["id"], **values}}, 400)
    call(mia, "POST", "/volumes", {"volume": {"size": 1, "volume_type": "file", "group_id": UNKNOWN}}, 404)
    make(mia, 404, group_type="unknown")
    make(mia, 404, volume_types=["unknown"])
    make(mia, 400, volume_types=[])
    make(mia, 400, availability_zone="mars")


def test_a_volume_of_a_group_goes_with_the_group_alone(mia: Volumes) -> None:
    make_type(mia)
    group = make(mia)
    mine = member(mia, group["id"])
    mia.caller.delete(f"{mia.url}/volumes/{mine}", 400)
    mia.do(mine, "os-retype", 400, new_type="file")
    call(mia, "POST", "/volume-transfers", {"transfer": {"volume_id": mine}}, 400)
    assert "delete-volumes" in str(delete(mia, group["id"], 400, volumes=False))
    delete(mia, group["id"])
    show(mia, group["id"], 404)
    mia.show(mine, 404)


def test_an_empty_group_is_gone_at_once(mia: Volumes) -> None:
    make_type(mia)
    group = make(mia)
    delete(mia, group["id"], volumes=False)
    show(mia, group["id"], 404)


def test_a_group_is_snapshotted_and_copied_as_one(mia: Volumes) -> None:
    make_type(mia)
    group = make(mia)
    assert "empty" in str(take(mia, group["id"], 400))
    volumes = {member(mia, group["id"], name=name) for name in ("a", "b")}
    made = take(mia, group["id"])
    assert set(made) == {"id", "name", "group_type_id"}
    path = f"/group_snapshots/{made['id']}"
    assert call(mia, "GET", path, expect=200)["group_snapshot"]["status"] == "available"
    snapshots = mia.caller.get(f"{mia.url}/snapshots/detail", **LATEST).json()["snapshots"]
    assert {one["volume_id"] for one in snapshots} == volumes
    assert {one["group_snapshot_id"] for one in snapshots} == {made["id"]}
    mia.caller.delete(f"{mia.url}/snapshots/{snapshots[0]['id']}", 400)
    delete(mia, group["id"], 400)
    for source in ({"group_snapshot_id": made["id"]}, {"source_group_id": group["id"]}):
        copied = call(mia, "POST", "/groups/action", {"create-from-src": {"name": "copy", **source}})["group"]
        shown = show(mia, copied["id"], query="?list_volume=true")
        assert shown["status"] == "available" and len(shown["volumes"]) == 2
        assert {key: shown[key] for key in source} == source
        assert {mia.show(volume_id)["name"] for volume_id in shown["volumes"]} == {"a", "b"}
        delete(mia, copied["id"])
    call(mia, "POST", "/groups/action", {"create-from-src": {"name": "copy"}}, 400)
    call(mia, "DELETE", path)
    call(mia, "GET", path, expect=404)
    assert mia.caller.get(f"{mia.url}/snapshots").json() == {"snapshots": []}
    delete(mia, group["id"])


def test_what_goes_wrong_with_one_of_them_stands_in_the_status_of_all(mia: Volumes, pool: FakeVolume) -> None:
    make_type(mia)
    group = make(mia)
    mine = member(mia, group["id"])
    pool.fail("snapshot", None, HostError("no space"))
    made = take(mia, group["id"])
    assert call(mia, "GET", f"/group_snapshots/{made['id']}", expect=200)["group_snapshot"]["status"] == "error"
    call(mia, "DELETE", f"/group_snapshots/{made['id']}")
    pool.fail("delete", mine, HostError("busy"))
    delete(mia, group["id"])
    assert show(mia, group["id"])["status"] == "error"
    make_type(mia, "demanding", group_specs={"volume_backend_name": "ceph"})
    assert show(mia, make(mia, group_type="demanding")["id"])["status"] == "error"


def test_administrators_reset_statuses(mia: Volumes) -> None:
    make_type(mia)
    group = make(mia)
    member(mia, group["id"])
    taken = take(mia, group["id"])
    admin: Caller = mia.cloud.admin
    for path, kind in ((f"/groups/{group['id']}", "group"), (f"/group_snapshots/{taken['id']}", "group_snapshot")):
        call(mia, "POST", f"{path}/action", {"reset_status": {"status": "error"}}, 403)
        call(mia, "POST", f"{path}/action", {"reset_status": {"status": "odd"}}, 400, caller=admin)
        call(mia, "POST", f"{path}/action", {"reset_status": {"status": "creating"}}, caller=admin)
        assert call(mia, "GET", path, expect=200)[kind]["status"] == "creating"


def test_groups_are_a_projects_own_and_counted(cloud: ApiCloud, mia: Volumes) -> None:
    make_type(mia)
    group = make(mia)
    mine = member(mia, group["id"])
    taken = take(mia, group["id"])
    bob = Volumes(cloud, cloud.new_user("bob", "shed"))
    for kind, one in (("groups", group["id"]), ("group_snapshots", taken["id"])):
        assert call(bob, "GET", f"/{kind}", expect=200) == {kind: []}
        call(bob, "GET", f"/{kind}/{one}", expect=404)
    call(bob, "PUT", f"/groups/{group['id']}", {"group": {"name": "stolen"}}, 404)
    delete(bob, group["id"], 404)
    take(bob, group["id"], 404)
    call(bob, "DELETE", f"/group_snapshots/{taken['id']}", expect=404)
    for source in ({"group_snapshot_id": taken["id"]}, {"source_group_id": group["id"]}):
        call(bob, "POST", "/groups/action", {"create-from-src": source}, 404)
    other = make(bob)
    call(bob, "PUT", f"/groups/{other['id']}", {"group": {"add_volumes": mine}}, 400)
    call(bob, "POST", "/volumes", {"volume": {"size": 1, "volume_type": "file", "group_id": group["id"]}}, 404)
    limits = f"/volume/v3/{cloud.admin.project_id}/os-quota-sets/{bob.caller.project_id}"
    cloud.admin.put(limits, {"quota_set": {"groups": 1}}, 200)
    make(bob, 413)
    usage = cloud.admin.get(f"{limits}?usage=true").json()["quota_set"]["groups"]
    assert (usage["limit"], usage["in_use"]) == (1, 1)
