"""Volumes change hands by a key, with their snapshots or without, and count for who has them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.test_volumes import Volumes, at
from tests.services.volume.pool import add_pool
from tests.support import ApiCloud

PATHS = ("os-volume-transfer", "volume-transfers")
UNKNOWN = "9e0cb1a2-0000-4000-8000-000000000000"


@pytest.fixture
def mia(cloud: ApiCloud) -> Volumes:
    add_pool(cloud.core)
    return Volumes(cloud, cloud.new_user("mia", "garden"))


@pytest.fixture
def bob(cloud: ApiCloud) -> Volumes:
    return Volumes(cloud, cloud.new_user("bob", "shed"))


def offer(who: Volumes, volume_id: str, expect: int = 202, path: str = PATHS[1], **values: Any) -> dict[str, Any]:
    body = {"transfer": {"volume_id": volume_id, **values}}
    answer = who.caller.post(f"{who.url}/{path}", body, expect, **at("3.57")).json()
    found: dict[str, Any] = answer.get("transfer", answer)
    return found


def accept(who: Volumes, transfer: dict[str, Any], expect: int = 202, **values: Any) -> Any:
    body = {"accept": {"auth_key": transfer["auth_key"], **values}}
    path = f"{who.url}/volume-transfers/{transfer['id']}/accept"
    return who.caller.post(path, body, expect, **at("3.55")).json()


@pytest.mark.parametrize("path", PATHS)
def test_a_volume_goes_to_who_knows_the_key(mia: Volumes, bob: Volumes, path: str) -> None:
    volume = mia.create(name="data")
    made = offer(mia, volume["id"], path=path, name=" gift ")
    assert (made["name"], made["volume_id"], made["accepted"]) == ("gift", volume["id"], False)
    assert mia.show(volume["id"])["status"] == "awaiting-transfer"
    shown = mia.caller.get(f"{mia.url}/{path}/{made['id']}", 200, **at("3.57")).json()["transfer"]
    assert shown == {key: value for key, value in made.items() if key != "auth_key"}
    taken = bob.caller.post(
        f"{bob.url}/{path}/{made['id']}/accept", {"accept": {"auth_key": made["auth_key"]}}, 202, **at("3.57")
    ).json()["transfer"]
    assert set(taken) == {"id", "name", "volume_id", "links"}
    got = bob.show(volume["id"])
    assert (got["status"], got["user_id"]) == ("available", bob.caller.user_id)
    assert got["os-vol-tenant-attr:tenant_id"] == bob.caller.project_id
    mia.show(volume["id"], 404)
    mia.caller.get(f"{mia.url}/{path}/{made['id']}", 404, **at("3.57"))
    assert accept(bob, made, 404)["itemNotFound"]["message"] == f"Transfer {made['id']} could not be found."


def test_a_wrong_key_takes_nothing(mia: Volumes, bob: Volumes) -> None:
    made = offer(mia, mia.create()["id"])
    message = accept(bob, made, 400, auth_key="0" * 16)["badRequest"]["message"]
    assert message == f"Invalid auth key: Attempt to transfer {made['id']} with invalid auth key."
    accept(bob, {**made, "id": UNKNOWN}, 404)
    assert mia.show(made["volume_id"])["status"] == "awaiting-transfer"


def test_only_the_giver_sees_an_offer_and_takes_it_back(mia: Volumes, bob: Volumes) -> None:
    made = offer(mia, mia.create()["id"])
    for path in PATHS:
        assert bob.caller.get(f"{bob.url}/{path}/detail", 200, **at("3.55")).json() == {"transfers": []}
        bob.caller.get(f"{bob.url}/{path}/{made['id']}", 404, **at("3.55"))
        bob.caller.delete(f"{bob.url}/{path}/{made['id']}", 404, **at("3.55"))
        [found] = mia.caller.get(f"{mia.url}/{path}", 200, **at("3.55")).json()["transfers"]
        assert set(found) == {"id", "name", "volume_id", "links"}
    mia.caller.delete(f"{mia.url}/volume-transfers/{made['id']}", 202, **at("3.55"))
    assert mia.show(made["volume_id"])["status"] == "available"
    accept(bob, made, 404)


def test_fields_and_the_path_appear_at_their_microversions(mia: Volumes) -> None:
    made = offer(mia, mia.create()["id"])
    mia.caller.get(f"{mia.url}/volume-transfers", 404, **at("3.54"))
    for version, more in (
        ("3.54", set()),
        ("3.55", {"no_snapshots"}),
        ("3.57", {"no_snapshots", "source_project_id", "destination_project_id", "accepted"}),
    ):
        path = f"{mia.url}/os-volume-transfer/{made['id']}"
        shown = mia.caller.get(path, 200, **at(version)).json()["transfer"]
        assert set(shown) == {"id", "name", "volume_id", "links", "created_at"} | more
    body = {"transfer": {"volume_id": made["volume_id"], "no_snapshots": True}}
    mia.caller.post(f"{mia.url}/os-volume-transfer", body, 400, **at("3.54"))


@pytest.mark.parametrize("stay", [False, True])
def test_snapshots_go_along_unless_they_are_to_stay(mia: Volumes, bob: Volumes, stay: bool) -> None:
    volume = mia.create()
    snapshot = mia.snapshot(volume["id"])
    accept(bob, offer(mia, volume["id"], no_snapshots=stay))
    owner, other = (mia, bob) if stay else (bob, mia)
    owner.caller.get(f"{owner.url}/snapshots/{snapshot['id']}", 200)
    other.caller.get(f"{other.url}/snapshots/{snapshot['id']}", 404)


def test_what_is_taken_counts_for_the_taker(cloud: ApiCloud, mia: Volumes, bob: Volumes) -> None:
    volume = mia.create(size=3)
    mia.snapshot(volume["id"])
    made = offer(mia, volume["id"])
    limits = f"/volume/v3/{cloud.admin.project_id}/os-quota-sets/{bob.caller.project_id}"
    cloud.admin.put(limits, {"quota_set": {"gigabytes": 5}}, 200)
    assert "gigabytes" in accept(bob, made, 413)["overLimit"]["message"]
    assert mia.show(volume["id"])["status"] == "awaiting-transfer"
    cloud.admin.put(limits, {"quota_set": {"gigabytes": 6}}, 200)
    accept(bob, made)
    assert bob.caller.get(f"{bob.url}/limits", 200).json()["limits"]["absolute"]["totalGigabytesUsed"] == 6
    assert mia.caller.get(f"{mia.url}/limits", 200).json()["limits"]["absolute"]["totalGigabytesUsed"] == 0


def test_a_full_project_takes_its_own_offer_back_by_the_key(cloud: ApiCloud, mia: Volumes) -> None:
    volume = mia.create(size=3)
    limits = f"/volume/v3/{cloud.admin.project_id}/os-quota-sets/{mia.caller.project_id}"
    cloud.admin.put(limits, {"quota_set": {"gigabytes": 3}}, 200)
    accept(mia, offer(mia, volume["id"]))
    assert mia.show(volume["id"])["status"] == "available"


def test_what_is_on_offer_is_neither_offered_again_nor_deleted_nor_copied(mia: Volumes, bob: Volumes) -> None:
    volume = mia.create()
    made = offer(mia, volume["id"])
    assert offer(mia, volume["id"], 400)["badRequest"]["message"] == "Invalid volume: status must be available"
    mia.caller.delete(f"{mia.url}/volumes/{volume['id']}", 400)
    mia.snapshot(volume["id"], 400, force=True)
    mia.create(400, source_volid=volume["id"])
    offer(bob, volume["id"], 404)
    offer(mia, mia.create()["id"], 400, name="  ")
    mia.cloud.admin.post(
        f"/volume/v3/{mia.cloud.admin.project_id}/volumes/{volume['id']}/action",
        {"os-reset_status": {"status": "available"}},
        202,
    )
    assert "unexpected state available" in accept(bob, made, 400)["badRequest"]["message"]


def test_offers_come_in_pages_sorted_and_filtered_since_359(mia: Volumes) -> None:
    for name in ("b", "a", "c"):
        offer(mia, mia.create()["id"], name=name)
    path = f"{mia.url}/volume-transfers"

    def names(query: str, version: str = "3.59") -> list[str]:
        return [one["name"] for one in mia.caller.get(f"{path}?{query}", 200, **at(version)).json()["transfers"]]

    assert names("sort_key=name&sort_dir=asc") == ["a", "b", "c"]
    everything = names("", "3.55")
    assert names("limit=1&offset=1", "3.55") == everything[1:2]
    assert names("name=b") == ["b"] and names("name=b", "3.58") == everything and names("colour=red") == []
    page = mia.caller.get(f"{path}?limit=2", 200, **at("3.59")).json()
    assert len(page["transfers"]) == 2 and page["transfers_links"][0]["rel"] == "next"
