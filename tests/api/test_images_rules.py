"""Limits, property protections, and what a JSON patch and a filter may say."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from tane.config import ConfigError, ImageStore
from tane.services.image.domain import protections
from tests.api.identity_support import V3
from tests.api.test_images import DATA, OCTETS, URL, create, names, patch, store, upload
from tests.support import ApiCloud, Caller

MB = 1 << 20


def stage(caller: Caller, image_id: str, expect: int = 204, data: bytes = DATA) -> Any:
    return caller.request("PUT", f"{URL}/{image_id}/stage", content=data, headers=OCTETS, expect=expect)


def test_a_project_has_no_more_images_than_its_limit(cloud: ApiCloud) -> None:
    cloud.core.config.image.image_count_total = 2
    mia, leo = cloud.new_user("mia", "garden"), cloud.new_user("leo", "forest")
    create(mia)
    create(mia)
    refused = mia.post(URL, {"name": "third"}, 413).json()
    assert "image_count_total is over limit of 2 due to current usage 2 and delta 1" in refused["message"]
    create(leo)
    usage = mia.get("/image/v2/info/usage").json()["usage"]
    assert usage["image_count_total"] == {"usage": 2, "limit": 2}
    assert usage["image_size_total"] == {"usage": 0, "limit": -1}


def register(admin: Caller, name: str, value: int, **more: Any) -> dict[str, Any]:
    [service] = admin.get(f"{V3}/services?type=image").json()["services"]
    values = {"service_id": service["id"], "resource_name": name, "default_limit": value, **more}
    answer = admin.post(f"{V3}/registered_limits", {"registered_limits": [values]}, 201).json()
    return dict(answer["registered_limits"][0])


def allow(admin: Caller, registered: dict[str, Any], project_id: str, value: int) -> None:
    values = {name: registered[name] for name in ("service_id", "region_id", "resource_name")}
    limit = {**values, "project_id": project_id, "resource_limit": value}
    admin.post(f"{V3}/limits", {"limits": [limit]}, 201)


def counted(caller: Caller, name: str) -> dict[str, int]:
    return dict(caller.get("/image/v2/info/usage").json()["usage"][name])


def test_a_registered_limit_stands_before_the_settings_and_a_projects_own_before_both(cloud: ApiCloud) -> None:
    cloud.core.config.image.image_count_total = 1
    mia, leo, admin = cloud.new_user("mia", "garden"), cloud.new_user("leo", "forest"), cloud.admin
    registered = register(admin, "image_count_total", 2)
    for _ in range(2):
        create(mia)
        create(leo)
    refused = mia.post(URL, {"name": "third"}, 413).json()
    assert "image_count_total is over limit of 2 due to current usage 2 and delta 1" in refused["message"]
    assert counted(mia, "image_count_total") == {"usage": 2, "limit": 2}
    allow(admin, registered, mia.project_id, 3)
    create(mia)
    mia.post(URL, {"name": "fourth"}, 413)
    assert counted(mia, "image_count_total") == {"usage": 3, "limit": 3}
    leo.post(URL, {"name": "third"}, 413)
    assert counted(leo, "image_count_total") == {"usage": 2, "limit": 2}


def test_a_domains_limit_is_for_all_its_projects_under_the_model_of_two_levels(cloud: ApiCloud) -> None:
    mia, leo, admin = cloud.new_user("mia", "garden"), cloud.new_user("leo", "forest"), cloud.admin
    for name in ("image_count_total", "image_size_total"):
        registered = register(admin, name, 2)
        values = {key: registered[key] for key in ("service_id", "region_id", "resource_name")}
        limit = {**values, "domain_id": "default", "resource_limit": 3}
        admin.post(f"{V3}/limits", {"limits": [limit]}, 201)
    images = [create(caller) for caller in (mia, mia, leo)]
    cloud.core.config = msgspec.structs.replace(cloud.core.config, limit_model="strict_two_level")
    refused = leo.post(URL, {"name": "fourth"}, 413).json()
    assert "The domain of project" in refused["message"] and "current usage 3 and delta 1" in refused["message"]
    upload(mia, images[0]["id"], bytes(2 * MB))
    upload(leo, images[2]["id"], bytes(MB + 1), 413)
    upload(leo, images[2]["id"], bytes(MB))
    cloud.core.config = msgspec.structs.replace(cloud.core.config, limit_model="flat")
    create(leo)


def test_a_limit_of_the_region_stands_before_one_of_no_region(cloud: ApiCloud) -> None:
    mia, admin = cloud.new_user("mia", "garden"), cloud.admin
    admin.post(f"{V3}/regions", {"region": {"id": "north"}}, 201)
    register(admin, "image_count_total", 1, region_id="RegionOne")
    register(admin, "image_count_total", 5)
    register(admin, "image_count_total", 7, region_id="north")
    assert counted(mia, "image_count_total") == {"usage": 0, "limit": 1}


def test_images_that_other_services_make_count_too(cloud: ApiCloud) -> None:
    mia, admin = cloud.new_user("mia", "garden"), cloud.admin
    body = {"volume": {"name": "data", "size": 1}}
    volume = mia.post(f"/volume/v3/{mia.project_id}/volumes", body, 202).json()["volume"]
    cloud.run_jobs()
    registered = register(admin, "image_count_total", 0)
    upload = {"os-volume_upload_image": {"image_name": "copy", "disk_format": "raw"}}
    action = f"/volume/v3/{mia.project_id}/volumes/{volume['id']}/action"
    mia.post(action, upload, 413)
    assert mia.get(action.removesuffix("/action")).json()["volume"]["status"] == "available"
    allow(admin, registered, mia.project_id, 1)
    made = mia.post(action, upload, 202).json()["os-volume_upload_image"]
    assert counted(mia, "image_count_total") == {"usage": 1, "limit": 1}
    cloud.run_jobs()
    assert mia.get(action.removesuffix("/action")).json()["volume"]["status"] == "available"
    mia.get(f"{URL}/{made['image_id']}")


def test_a_project_stores_no_more_than_its_limit(cloud: ApiCloud) -> None:
    cloud.core.config.image.image_size_total = 2
    mia = cloud.new_user("mia", "garden")
    first, second = create(mia), create(mia)
    upload(mia, first["id"], bytes(2 * MB))
    assert mia.get("/image/v2/info/usage").json()["usage"]["image_size_total"] == {"usage": 2, "limit": 2}
    upload(mia, second["id"], bytes(MB), 413)
    assert mia.get(f"{URL}/{second['id']}").json()["status"] == "queued"


def chunked(size: int) -> AsyncIterator[bytes]:
    """Data whose length nobody announces."""

    async def parts() -> AsyncIterator[bytes]:
        for _ in range(size // MB):
            yield bytes(MB)
        yield bytes(size % MB)

    return parts()


def put(caller: Caller, path: str, data: Any, expect: int) -> Any:
    return caller.request("PUT", f"{URL}/{path}", content=data, headers=OCTETS, expect=expect)


def test_with_strict_quotas_an_upload_of_unknown_length_that_passes_the_limit_leaves_nothing(cloud: ApiCloud) -> None:
    settings = cloud.core.config.image
    settings.image_size_total, settings.image_stage_total, settings.strict_quotas = 2, 2, True
    mia = cloud.new_user("mia", "garden")
    image = create(mia)
    for what in ("file", "stage"):
        refused = put(mia, f"{image['id']}/{what}", chunked(2 * MB + 1), 413).json()
        assert "is over limit of 2 due to current usage 0 and delta 3" in refused["message"]
        found = mia.get(f"{URL}/{image['id']}").json()
        assert found["status"] == "queued" and found["size"] is None and store(cloud) == []
    assert counted(mia, "image_count_uploading")["usage"] == 0
    put(mia, f"{image['id']}/file", chunked(2 * MB), 204)
    assert counted(mia, "image_size_total") == {"usage": 2, "limit": 2}


def test_without_strict_quotas_only_the_next_upload_is_refused(cloud: ApiCloud) -> None:
    settings = cloud.core.config.image
    settings.image_size_total = 1
    mia = cloud.new_user("mia", "garden")
    put(mia, f"{create(mia)['id']}/file", chunked(2 * MB), 204)
    put(mia, f"{create(mia)['id']}/file", chunked(1), 413)


def test_each_store_of_an_import_counts_and_the_staged_data_does_not(cloud: ApiCloud) -> None:
    settings = cloud.core.config.image
    settings.image_size_total = 3
    settings.stores = {"second": ImageStore(path=cloud.core.config.state_dir / "second")}
    mia = cloud.new_user("mia", "garden")
    for size, status, used in ((2, "queued", 0), (1, "active", 2)):
        image = create(mia)
        stage(mia, image["id"], data=bytes(size * MB))
        mia.post(f"{URL}/{image['id']}/import", {"method": {"name": "glance-direct"}, "all_stores": True}, 202)
        cloud.run_jobs()
        assert mia.get(f"{URL}/{image['id']}").json()["status"] == status
        assert counted(mia, "image_size_total")["usage"] == used


def test_a_project_stages_no_more_than_its_limits(cloud: ApiCloud) -> None:
    settings = cloud.core.config.image
    settings.image_stage_total, settings.image_count_uploading = 1, 2
    mia = cloud.new_user("mia", "garden")
    images = [create(mia) for _ in range(3)]
    stage(mia, images[0]["id"], 413, bytes(2 * MB))
    stage(mia, images[0]["id"])
    stage(mia, images[1]["id"])
    stage(mia, images[2]["id"], 413)
    upload(mia, images[2]["id"], expect=413)


PROTECTED = """
[^x_billing_.*]
create = admin
read = admin,member
update = admin
delete = admin

[^x_secret$]
create = admin
read = admin
update = admin
delete = !

[.*]
create = @
read = @
update = @
delete = @
"""


def test_protected_properties_are_for_the_roles_the_file_names(cloud: ApiCloud) -> None:
    (cloud.core.config.state_dir / "protections.conf").write_text(PROTECTED)
    cloud.core.config.image.property_protection_file = "protections.conf"
    mia, rita = cloud.new_user("mia", "garden"), cloud.new_user("rita", "garden", role="reader")
    admin = cloud.admin
    refused = mia.post(URL, {"name": "x", "x_billing_code": "1"}, 403).json()
    assert refused["message"] == "Property 'x_billing_code' is protected"
    image = create(mia, free="1")
    code = {"op": "add", "path": "/x_billing_code", "value": "7"}
    patch(mia, image["id"], code, expect=403)
    patch(admin, image["id"], code, {"op": "add", "path": "/x_secret", "value": "s"})
    seen = mia.get(f"{URL}/{image['id']}").json()
    assert seen["x_billing_code"] == "7" and "x_secret" not in seen
    assert "x_billing_code" not in rita.get(f"{URL}/{image['id']}").json()
    assert "x_secret" not in mia.get(URL).json()["images"][0]
    patch(mia, image["id"], {"op": "replace", "path": "/x_billing_code", "value": "8"}, expect=403)
    patch(mia, image["id"], {"op": "remove", "path": "/x_billing_code"}, expect=403)
    patch(mia, image["id"], {"op": "replace", "path": "/x_secret", "value": "8"}, expect=409)
    patch(admin, image["id"], {"op": "remove", "path": "/x_secret"}, expect=403)
    changed = patch(mia, image["id"], {"op": "replace", "path": "/free", "value": "2"})
    assert changed.json()["free"] == "2"
    assert admin.get(f"{URL}/{image['id']}").json()["x_secret"] == "s"


def test_protections_may_name_policies(cloud: ApiCloud) -> None:
    rules = "[^x_.*]\ncreate = publicize_image\nread = get_image\nupdate = publicize_image\ndelete = absent\n"
    (cloud.core.config.state_dir / "protections.conf").write_text(rules)
    cloud.core.config.image.property_protection_file = "protections.conf"
    cloud.core.config.image.property_protection_rule_format = "policies"
    mia, admin = cloud.new_user("mia", "garden"), cloud.admin
    mia.post(URL, {"name": "x", "x_a": "1"}, 403)
    mia.post(URL, {"name": "x", "unmatched": "1"}, 403)
    image = create(admin, x_a="1", visibility="public")
    assert mia.get(f"{URL}/{image['id']}").json()["x_a"] == "1"
    patch(admin, image["id"], {"op": "remove", "path": "/x_a"}, expect=403)


@pytest.mark.parametrize("text", ["[x]\ncreate = a\n", "[(]\ncreate=@\nread=@\nupdate=@\ndelete=@", "no section"])
def test_a_file_of_protections_that_says_nothing_clear_is_refused(text: str, tmp_path: Any) -> None:
    file = tmp_path / "rules.conf"
    file.write_text(text)
    with pytest.raises(ConfigError):
        protections.load(file, "roles")


def test_a_json_patch_is_told_what_is_wrong_with_it(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    image = create(mia, a="1")
    for change, words in (
        ({"op": "add", "path": "a", "value": "1"}, "does not start with"),
        ({"op": "add", "path": "/a//b", "value": "1"}, "adjacent"),
        ({"op": "add", "path": "/a/", "value": "1"}, "end with"),
        ({"op": "add", "path": "/a/b", "value": "1"}, "Invalid JSON pointer for this resource: '/a/b'"),
        ({"op": "add", "path": "/a~2", "value": "1"}, "escape sequence"),
        ({"op": "add", "path": "/tags/-", "value": "1"}, "Invalid JSON pointer"),
        ({"op": "add", "path": "/locations", "value": []}, "Invalid JSON pointer"),
        ({"op": "add", "path": "/a"}, 'requires a member named "value"'),
        ({"op": "move", "path": "/a"}, "Invalid operation: `move`"),
        ({"path": "/a"}, "Unable to find `op`"),
        ({"op": "add", "value": "1"}, "Unable to find 'path'"),
        ({"op": "add", "path": "/a", "value": {"b": 1}}, "not of type 'string'"),
    ):
        assert words in patch(mia, image["id"], change, expect=400).json()["message"]
    for name in ("os_glance_import_task", "deleted", "location"):
        reserved = patch(mia, image["id"], {"op": "add", "path": f"/{name}", "value": "1"}, expect=403)
        assert reserved.json()["message"] == f"Attribute '{name}' is reserved."
    old = {"Content-Type": "application/openstack-images-v2.0-json-patch"}
    present = mia.patch(f"{URL}/{image['id']}", [{"add": "/a", "value": "2"}], 409, headers=old).json()
    assert present["message"] == "Property a already present."
    mia.post(URL, {"name": "x", "os_glance_foo": "1"}, 403)


def test_filters_take_several_values_and_refuse_what_they_cannot_mean(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    create(mia, name="a,b", protected=True)
    create(mia, name="c", container_format="ovf")
    assert names(mia, 'name=in:"a,b",c&sort=name:asc') == ["a,b", "c"]
    assert names(mia, "container_format=in:ovf,ova") == ["c"]
    assert names(mia, "protected=true") == ["a,b"] and names(mia, "protected=false") == ["c"]
    assert names(mia, "status=in:active,saving") == []
    assert names(mia, "created_at=gte:2001-01-01T00:00:00Z&created_at=lt:2001-01-01T00:00:01Z") == []
    assert names(mia, "min_ram=0&container_format=ovf") == ["c"]
    for bad in ("protected=perhaps", "os_hidden=1", 'name=in:"a', "size_min=x", "member_status=odd", "limit=-1"):
        mia.get(f"{URL}?{bad}", 400)
