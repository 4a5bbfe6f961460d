"""Quality-of-service specs are a record: a volume of a type that has them is refused, not made without them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.test_volumes import Volumes
from tests.services.volume.pool import add_pool
from tests.support import ApiCloud


@pytest.fixture
def admin(cloud: ApiCloud) -> Volumes:
    add_pool(cloud.core)
    return Volumes(cloud, cloud.admin)


def make(admin: Volumes, expect: int = 200, **values: Any) -> dict[str, Any]:
    answer = admin.caller.post(f"{admin.url}/qos-specs", {"qos_specs": {"name": "slow", **values}}, expect).json()
    found: dict[str, Any] = answer.get("qos_specs", answer)
    return found


def make_type(admin: Volumes, name: str) -> str:
    answer = admin.caller.post(f"{admin.url}/types", {"volume_type": {"name": name}}, 200).json()
    return str(answer["volume_type"]["id"])


def test_specs_are_made_shown_changed_and_deleted(admin: Volumes) -> None:
    made = make(admin, consumer="front-end", read_iops_sec=500)
    assert made == {"id": made["id"], "name": "slow", "consumer": "front-end", "specs": {"read_iops_sec": "500"}}
    one = f"{admin.url}/qos-specs/{made['id']}"
    body = {"qos_specs": {"consumer": "both", "write_iops_sec": "9"}}
    assert admin.caller.put(one, body, 200).json() == body
    both = {"read_iops_sec": "500", "write_iops_sec": "9"}
    changed = {**made, "consumer": "both", "specs": both}
    assert admin.caller.get(one, 200).json()["qos_specs"] == changed
    assert admin.caller.get(f"{admin.url}/qos-specs", 200).json() == {"qos_specs": [changed]}
    admin.caller.put(f"{one}/delete_keys", {"keys": ["read_iops_sec", "unknown"]}, 404)
    assert admin.caller.get(one, 200).json()["qos_specs"]["specs"] == both
    admin.caller.put(f"{one}/delete_keys", {"keys": ["read_iops_sec"]}, 202)
    assert admin.caller.get(one, 200).json()["qos_specs"]["specs"] == {"write_iops_sec": "9"}
    admin.caller.delete(one, 202)
    message = admin.caller.get(one, 404).json()["itemNotFound"]["message"]
    assert message == f"No such QoS spec {made['id']}."


def test_names_are_given_once_and_consumers_are_known(admin: Volumes) -> None:
    assert make(admin)["consumer"] == "back-end"
    assert make(admin, 409)["conflictingRequest"]["message"] == "QoS Specs slow already exists."
    make(admin, 400, name="other", consumer="nobody")
    make(admin, 400, name=" ")
    make(admin, 400, name="other", **{"k" * 256: "1"})
    make(admin, 400, name="other", key=None)


def test_types_have_specs_until_they_are_taken_away(admin: Volumes) -> None:
    made, other = make(admin), make(admin, name="other")
    one = f"{admin.url}/qos-specs/{made['id']}"
    first, second = make_type(admin, "first"), make_type(admin, "second")
    for type_id in (first, second):
        admin.caller.get(f"{one}/associate?vol_type_id={type_id}", 202)
        assert admin.caller.get(f"{admin.url}/types/{type_id}", 200).json()["volume_type"]["qos_specs_id"] == made["id"]
    found = admin.caller.get(f"{one}/associations", 200).json()["qos_associations"]
    assert [(entry["association_type"], entry["id"]) for entry in found] == [
        ("volume_type", first),
        ("volume_type", second),
    ]
    refused = admin.caller.get(f"{admin.url}/qos-specs/{other['id']}/associate?vol_type_id={first}", 400).json()
    assert "already associated with another qos specs" in refused["badRequest"]["message"]
    assert admin.caller.delete(one, 400).json()["badRequest"]["message"] == "Qos specs still in use."
    admin.caller.get(f"{one}/associate", 400)
    admin.caller.get(f"{one}/associate?vol_type_id={made['id']}", 404)
    admin.caller.get(f"{one}/disassociate?vol_type_id={first}", 202)
    assert [e["id"] for e in admin.caller.get(f"{one}/associations", 200).json()["qos_associations"]] == [second]
    admin.caller.get(f"{one}/disassociate_all", 202)
    assert admin.caller.get(f"{one}/associations", 200).json() == {"qos_associations": []}
    admin.caller.get(f"{one}/associate?vol_type_id={first}", 202)
    admin.caller.delete(f"{one}?force=true", 202)
    assert admin.caller.get(f"{admin.url}/types/{first}", 200).json()["volume_type"]["qos_specs_id"] is None


def test_no_volume_is_made_of_a_type_that_asks_to_be_throttled(admin: Volumes) -> None:
    type_id = make_type(admin, "throttled")
    admin.caller.get(f"{admin.url}/qos-specs/{make(admin)['id']}/associate?vol_type_id={type_id}", 202)
    assert admin.show(admin.create(volume_type="throttled")["id"])["status"] == "available"
    specs = admin.caller.get(f"{admin.url}/qos-specs", 200).json()["qos_specs"][0]["id"]
    admin.caller.put(f"{admin.url}/qos-specs/{specs}", {"qos_specs": {"total_iops_sec": "9"}}, 200)
    message = admin.create(501, volume_type="throttled")["notImplemented"]["message"]
    assert message == "Throttled volumes, as the type throttled asks for, are not possible yet."
    admin.do(admin.create()["id"], "os-retype", 501, new_type="throttled")


def test_members_do_not_see_them(cloud: ApiCloud, admin: Volumes) -> None:
    made = make(admin)
    mia = cloud.new_user("mia", "garden")
    mia.get(f"/volume/v3/{mia.project_id}/qos-specs", 403)
    mia.get(f"/volume/v3/{mia.project_id}/qos-specs/{made['id']}", 403)
