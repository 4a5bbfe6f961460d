"""What lists of block storage are filtered by: by what they have a filter for, and by nothing else unseen."""

from __future__ import annotations

from typing import Any

import pytest

from tane.services.volume.api.filters import RESOURCES
from tests.api.test_volumes import Volumes, at
from tests.services.volume.pool import add_pool
from tests.support import ApiCloud

LISTS = {
    "volume": ("volumes", "volumes"),
    "snapshot": ("snapshots", "snapshots"),
    "attachment": ("attachments", "attachments"),
    "message": ("messages", "messages"),
    "backup": ("backups", "backups"),
    "group": ("groups", "groups"),
    "group_snapshot": ("group_snapshots", "group_snapshots"),
}
NEWEST = "3.71"
EVERYTHING = ("foo", "host", "volume_type_id", "description", "encrypted", "user_id", "project_id", "snapshot_id")


class World:
    """A volume of a member with a snapshot, kept for a server by an attachment."""

    def __init__(self, cloud: ApiCloud) -> None:
        add_pool(cloud.core)
        self.mia = Volumes(cloud, cloud.new_user("mia", "garden"))
        self.admin = Volumes(cloud, cloud.admin)
        self.volume = self.mia.create(name="abc", metadata={"k": "v"})
        self.snapshot = self.mia.snapshot(self.volume["id"], name="abc", metadata={"k": "v"})
        body = {"attachment": {"volume_uuid": self.volume["id"], "instance_uuid": self.volume["id"]}}
        self.mia.caller.post(f"{self.mia.url}/attachments", body, 200, **at("3.27"))

    def count(self, who: Volumes, path: str, query: str, version: str = NEWEST) -> int:
        key = path.split("/")[0]
        return len(who.caller.get(f"{who.url}/{path}?{query}", **at(version)).json()[key])


@pytest.fixture
def world(cloud: ApiCloud) -> World:
    return World(cloud)


@pytest.mark.parametrize("resource", LISTS)
def test_what_is_no_filter_is_refused_a_member_since_331(world: World, resource: str) -> None:
    path, _ = LISTS[resource]
    mia = world.mia
    for name in EVERYTHING:
        answer = mia.caller.get(f"{mia.url}/{path}?{name}=x", 400, **at("3.31"))
        assert answer.json()["badRequest"]["message"] == f"Invalid filters {name} are found in query options."
        assert world.count(mia, path, f"{name}=x", "3.27") == world.count(mia, path, "", "3.27")
    mia.caller.get(f"{mia.url}/{path}?all_tenants=1&limit=5", **at("3.31"))


@pytest.mark.parametrize("resource", LISTS)
def test_every_filter_that_is_named_filters(world: World, resource: str) -> None:
    path, _ = LISTS[resource]
    for name in RESOURCES[resource]:
        value = {
            "metadata": "{'k':'other'}",
            "bootable": "true",
            "created_at": "lt:2001-01-01",
            "consumes_quota": "false",
            "updated_at": "",
        }
        wrong = value.get(name, "nope")
        assert world.count(world.mia, path, f"{name}={wrong}") == 0 or name == "updated_at"


@pytest.mark.parametrize(
    ("path", "query", "count"),
    [
        ("volumes", "name=abc", 1),
        ("volumes", "name~=b", 1),
        ("volumes", "name~=%25", 0),
        ("volumes", "metadata={'k':'v'}", 1),
        ("volumes", "availability_zone=nova", 1),
        ("volumes", "size=1", 1),
        ("volumes", "size=one", 0),
        ("volumes", "bootable=false", 1),
        ("volumes", "migration_status=none", 0),
        ("volumes", "status=reserved", 1),
        ("snapshots", "name=abc", 1),
        ("snapshots", "availability_zone=nova", 1),
        ("snapshots", "metadata={'k':'v'}", 1),
        ("attachments", "status=reserved", 1),
        ("attachments", "attach_status=attached", 0),
    ],
)
def test_a_member_finds_by_a_filter(world: World, path: str, query: str, count: int) -> None:
    assert world.count(world.mia, path, query) == count


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("host=a-pool", 1),
        ("host=a-pool@file", 1),
        ("host=a-pool@file%23file", 1),
        ("host=host-2", 0),
        ("volume_type_id=none", 0),
        ("attach_status=attached", 0),
        ("attach_status=detached", 1),
        ("foo=bar", 0),
        ("encrypted=true", 0),
        ("multiattach=false", 1),
        ("display_name=abc", 1),
        ("project_id=x", 0),
    ],
)
@pytest.mark.parametrize("version", ["3.0", NEWEST])
def test_an_administrator_filters_by_every_attribute(world: World, query: str, count: int, version: str) -> None:
    assert world.count(world.admin, "volumes", f"all_tenants=1&{query}", version) == count


def test_a_word_that_is_no_boolean_is_refused_since_32(world: World) -> None:
    answer = world.mia.caller.get(f"{world.mia.url}/volumes?bootable=perhaps", 400, **at("3.2"))
    assert answer.json()["badRequest"]["message"] == "Invalid input received: bootable=perhaps"
    assert world.count(world.mia, "volumes", "bootable=perhaps", "3.1") == 0
    assert world.count(world.mia, "volumes", "bootable=False", "3.1") == 1


def types(who: Volumes, query: str, expect: int = 200, version: str = "3.52") -> list[str]:
    answer = who.caller.get(f"{who.url}/types?{query}", expect, **at(version)).json()
    return [found["name"] for found in answer.get("volume_types", ())]


def test_types_are_found_by_their_extra_specs_since_352(world: World) -> None:
    mia, admin = world.mia, world.admin
    for name, specs in (
        ("gold", {"mine:k": "v", "RESKEY:availability_zones": "a1, nova"}),
        ("silver", {"mine:k": "w", "multiattach": "<is> True"}),
    ):
        admin.caller.post(f"{admin.url}/types", {"volume_type": {"name": name, "extra_specs": specs}}, 200)
    assert types(admin, "extra_specs={'mine:k':'v'}") == ["gold"]
    assert types(admin, "extra_specs={'mine:k':'other'}") == []
    assert sorted(types(admin, "extra_specs={'mine:k':'other'}", version="3.51")) == ["file", "gold", "silver"]
    assert types(mia, "extra_specs={'RESKEY:availability_zones':'nova'}") == ["gold"]
    assert types(mia, "extra_specs={'multiattach':'<is> True'}") == ["silver"]
    # What members do not see they find nothing by.
    assert types(mia, "extra_specs={'mine:k':'v'}") == []
    types(mia, "extra_specs=words", 400)
    types(mia, "description=x", 400)
    assert types(admin, "foo=bar") == []


def test_the_table_of_filters_is_shown_since_333(world: World) -> None:
    mia = world.mia

    def shown(query: str = "", expect: int = 200, version: str = "3.33") -> Any:
        return mia.caller.get(f"{mia.url}/resource_filters{query}", expect, **at(version)).json()

    found = {row["resource"]: row["filters"] for row in shown()["resource_filters"]}
    assert found == {name: list(names) for name, names in RESOURCES.items()}
    [one] = shown("?resource=volume")["resource_filters"]
    assert one["resource"] == "volume" and "name" in one["filters"]
    assert shown("?resource=server") == {"resource_filters": []}
    shown(expect=404, version="3.32")


@pytest.mark.parametrize(
    ("query", "version", "expect"),
    [
        ("name=a-pool@file%23file", "3.28", 1),
        ("name=other", "3.28", 0),
        ("name=other", "3.27", 2),
        ("volume_type=file", "3.35", 2),
        ("volume_type=rare", "3.35", 0),
        ("volume_type=rare", "3.34", 2),
    ],
)
def test_pools_are_found_by_name_and_by_what_a_type_asks_of_them(
    world: World, query: str, version: str, expect: int
) -> None:
    admin = world.admin
    specs = {"volume_backend_name": "ceph"}
    admin.caller.post(f"{admin.url}/types", {"volume_type": {"name": "rare", "extra_specs": specs}}, 200)
    found = admin.caller.get(f"{admin.url}/scheduler-stats/get_pools?{query}", **at(version)).json()["pools"]
    assert len(found) == expect


def test_a_pool_has_no_other_filters_since_331(world: World) -> None:
    admin = world.admin
    admin.caller.get(f"{admin.url}/scheduler-stats/get_pools?foo=x&detail=true", 400, **at("3.31"))
