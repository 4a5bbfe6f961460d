"""What changes in place: images, types of volumes; and what asks for no signal."""

from __future__ import annotations

from typing import Any

import pytest

from tane.services.identity import interface as identity
from tane.services.orchestration.domain import lookups
from tane.web.context import Context
from tests.api.orchestration_support import hot, resources, show, stack, update
from tests.services.image.web import web_server
from tests.support import ApiCloud

IMAGES = "/image/v2/images"
DATA = b"not much of a disk " * 100


def res(kind: str, **properties: Any) -> dict[str, Any]:
    return {"type": kind, "properties": properties}


def test_an_image_of_a_stack_is_changed_as_what_it_is(cloud: ApiCloud) -> None:
    mia, tom = cloud.new_user("mia", "garden"), cloud.new_user("tom", "orchard")
    settings = cloud.core.config.image
    settings.allowed_hosts, settings.allowed_ports = ("127.0.0.1",), ()

    def image(web: str, **more: Any) -> dict[str, Any]:
        plain = {"location": f"{web}/disk", "disk_format": "raw", "container_format": "bare", "visibility": "shared"}
        return hot({"disk": res("OS::Glance::WebImage", **plain, **more)})

    with web_server({"/disk": DATA}) as web:
        first = {"tags": ["a"], "os_distro": "debian", "extra_properties": {"hw_rng": "no", "colour": "red"}}
        made = stack(cloud, mia, image(web, members=[tom.project_id], **first))
        assert made["stack_status"] == "CREATE_COMPLETE", made["stack_status_reason"]
        image_id = resources(mia, made)["disk"]["physical_resource_id"]
        assert [one["member_id"] for one in mia.get(f"{IMAGES}/{image_id}/members").json()["members"]] == [
            tom.project_id
        ]
        then = {"tags": ["b", "c"], "os_version": "12", "protected": True, "extra_properties": {"colour": "blue"}}
        made = update(cloud, mia, made, image(web, **then))
        assert made["stack_status"] == "UPDATE_COMPLETE", made["stack_status_reason"]
        shown = mia.get(f"{IMAGES}/{image_id}").json()
        assert sorted(shown["tags"]) == ["b", "c"] and shown["protected"] is True
        assert (shown["os_version"], shown["colour"]) == ("12", "blue")
        assert "os_distro" not in shown and "hw_rng" not in shown
        assert mia.get(f"{IMAGES}/{image_id}/members").json()["members"] == []
        update(cloud, mia, made, image(web))
        assert mia.get(f"{IMAGES}/{image_id}").json()["protected"] is False
        assert resources(mia, made)["disk"]["physical_resource_id"] == image_id


def test_an_administrator_switches_an_image_off_and_on(cloud: ApiCloud) -> None:
    admin = cloud.admin
    settings = cloud.core.config.image
    settings.allowed_hosts, settings.allowed_ports = ("127.0.0.1",), ()
    with web_server({"/disk": DATA}) as web:
        plain = {"location": f"{web}/disk", "disk_format": "raw", "container_format": "bare"}
        made = stack(cloud, admin, hot({"disk": res("OS::Glance::WebImage", active=False, **plain)}))
        path = f"{IMAGES}/{resources(admin, made)['disk']['physical_resource_id']}"
        assert admin.get(path).json()["status"] == "deactivated"
        update(cloud, admin, made, hot({"disk": res("OS::Glance::WebImage", **plain)}))
        assert admin.get(path).json()["status"] == "active"


def test_a_volume_gets_another_type_and_keeps_what_it_holds(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    for name in ("silver", "gold"):
        cloud.admin.post("/volume/v3/types", {"volume_type": {"name": name}}, 200)

    def disk(kind: str, size: int = 1) -> dict[str, Any]:
        return hot({"disk": res("OS::Cinder::Volume", size=size, volume_type=kind)})

    made = stack(cloud, mia, disk("silver"))
    volume_id = resources(mia, made)["disk"]["physical_resource_id"]
    made = update(cloud, mia, made, disk("gold", 2))
    assert made["stack_status"] == "UPDATE_COMPLETE", made["stack_status_reason"]
    shown = mia.get(f"/volume/v3/volumes/{volume_id}").json()["volume"]
    assert (shown["volume_type"], shown["size"]) == ("gold", 2)
    assert resources(mia, made)["disk"]["physical_resource_id"] == volume_id


def test_a_handle_that_asks_for_no_signal_holds_nothing_up(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    template = hot(
        {
            "handle": res("OS::Heat::WaitConditionHandle", signal_transport="NO_SIGNAL"),
            "wait": res("OS::Heat::WaitCondition", handle={"get_resource": "handle"}, timeout=60, count=3),
        }
    )
    made = stack(cloud, mia, template)
    assert show(mia, "rose", made["id"])["stack_status"] == "CREATE_COMPLETE"


@pytest.mark.parametrize("kind", [name for name, found in lookups.KINDS.items() if found.by_name])
def test_things_are_named_by_their_name_or_told_to_be_missing(cloud: ApiCloud, kind: str) -> None:
    """No service refuses to be asked so."""
    found = lookups.KINDS[kind]
    assert "could not be found" in (told := lookups.check(cloud.core, context(cloud), kind, "a rose") or "") or (
        told.startswith(f"Unable to find {found.word}")
    )


def context(cloud: ApiCloud) -> Context:
    with cloud.core.db.read() as tx:
        project = identity.project_named(tx, "admin").id
    return identity.acting(cloud.core, identity.Delegation(cloud.admin.user_id, project), "req-1")
