"""Images as their users see them."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from tests.support import ApiCloud, Caller

URL = "/image/v2/images"
PATCH = {"Content-Type": "application/openstack-images-v2.1-json-patch"}
OCTETS = {"Content-Type": "application/octet-stream"}
DATA = b"not much of a disk " * 100


def create(caller: Caller, **values: Any) -> dict[str, Any]:
    body = {"name": "disk", "disk_format": "raw", "container_format": "bare", **values}
    found: dict[str, Any] = caller.post(URL, body, 201).json()
    return found


def upload(caller: Caller, image_id: str, data: bytes = DATA, expect: int = 204) -> Any:
    return caller.request("PUT", f"{URL}/{image_id}/file", content=data, headers=OCTETS, expect=expect)


def patch(caller: Caller, image_id: str, *changes: dict[str, Any], expect: int = 200) -> Any:
    return caller.patch(f"{URL}/{image_id}", list(changes), expect, headers=PATCH)


def store(cloud: ApiCloud) -> list[Path]:
    folder = cloud.core.config.state_dir / "images"
    return sorted(path for path in folder.rglob("*") if path.is_file()) if folder.exists() else []


def test_an_image_is_registered_uploaded_and_downloaded(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    image = create(mia, os_distro="debian")
    assert image["status"] == "queued" and image["size"] is None and image["os_distro"] == "debian"
    assert image["visibility"] == "shared" and image["owner"] == mia.project_id
    assert mia.get(image["file"].replace("/v2", "/image/v2"), 204).content == b""
    upload(mia, image["id"])
    shown = mia.get(f"{URL}/{image['id']}").json()
    assert shown["status"] == "active" and shown["size"] == shown["virtual_size"] == len(DATA)
    assert shown["os_hash_algo"] == "sha512" and shown["os_hash_value"] == hashlib.sha512(DATA).hexdigest()
    got = mia.get(f"{URL}/{image['id']}/file")
    assert got.content == DATA and got.headers["content-length"] == str(len(DATA))
    assert got.headers["content-md5"] == hashlib.md5(DATA).hexdigest()
    part = mia.get(f"{URL}/{image['id']}/file", 206, headers={"Range": "bytes=4-7"})
    assert part.content == DATA[4:8] and part.headers["content-range"] == f"bytes 4-7/{len(DATA)}"
    upload(mia, image["id"], expect=409)


def test_a_client_may_choose_the_id_once(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    chosen = "11111111-2222-3333-4444-555555555555"
    assert create(mia, id=chosen)["id"] == chosen
    mia.post(URL, {"id": chosen}, 409)
    mia.post(URL, {"id": "not-a-uuid"}, 400)


def test_an_upload_that_breaks_off_leaves_the_image_queued_and_nothing_behind(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    image = create(mia)

    async def half() -> AsyncIterator[bytes]:
        yield DATA

    headers = {**OCTETS, "Content-Length": str(2 * len(DATA))}
    mia.request("PUT", f"{URL}/{image['id']}/file", content=half(), headers=headers, expect=400)
    assert mia.get(f"{URL}/{image['id']}").json()["status"] == "queued"
    assert store(cloud) == []
    upload(mia, image["id"])


def test_a_chunked_upload_whose_client_goes_away_is_no_whole_upload(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    image = create(mia)
    headers = {"host": "cloud.test", "x-auth-token": mia.token, "transfer-encoding": "chunked", **OCTETS}
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "PUT",
        "scheme": "http",
        "path": f"{URL}/{image['id']}/file",
        "query_string": b"",
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        "server": ("cloud.test", 80),
        "client": ("127.0.0.1", 1),
    }
    events: list[Any] = [{"type": "http.request", "body": DATA, "more_body": True}]
    sent: list[Any] = []

    async def receive() -> Any:
        return events.pop(0) if events else {"type": "http.disconnect"}

    async def send(event: Any) -> None:
        sent.append(event)

    cloud.wait(cloud.cloud.app(scope, receive, send))
    assert sent[0]["status"] == 400
    assert mia.get(f"{URL}/{image['id']}").json()["status"] == "queued"
    assert store(cloud) == []


def test_an_upload_beyond_the_limit_is_refused(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    image = create(mia)
    cloud.core.config.image_size_limit_gb = 0
    assert upload(mia, image["id"], expect=413).json()["code"] == "413 Request Entity Too Large"

    async def unannounced() -> AsyncIterator[bytes]:
        yield DATA

    mia.request("PUT", f"{URL}/{image['id']}/file", content=unannounced(), headers=OCTETS, expect=413)
    assert mia.get(f"{URL}/{image['id']}").json()["status"] == "queued"
    assert store(cloud) == []


def test_content_that_is_something_else_is_refused(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    hidden = create(mia)
    refused = upload(mia, hidden["id"], b"QFI\xfb\0\0\0\3" + bytes(200), expect=400).json()
    assert refused["message"] == "Image disk_format raw does not match stream data qcow2"
    garbage = create(mia, disk_format="qcow2")
    upload(mia, garbage["id"], expect=400)
    backed = create(mia, disk_format="qcow2")
    header = b"QFI\xfb\0\0\0\3" + (104).to_bytes(8, "big") + (9).to_bytes(4, "big") + bytes(180)
    assert "backing file" in upload(mia, backed["id"], header, expect=400).json()["message"]
    assert mia.get(f"{URL}/{backed['id']}").json()["status"] == "queued"
    assert store(cloud) == []
    formless = mia.post(URL, {"name": "x"}, 201).json()
    assert "disk_format, container_format must be set" in upload(mia, formless["id"], expect=400).json()["message"]


def test_equal_content_is_stored_once_and_goes_with_its_last_image(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    first, second = create(mia), create(mia)
    upload(mia, first["id"])
    upload(mia, second["id"])
    assert len(store(cloud)) == 1
    mia.delete(f"{URL}/{first['id']}")
    assert mia.get(f"{URL}/{second['id']}/file").content == DATA
    mia.delete(f"{URL}/{second['id']}")
    assert store(cloud) == []
    mia.get(f"{URL}/{second['id']}", 404)


def test_a_protected_image_is_not_deleted(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    image = create(mia, protected=True)
    refused = mia.delete(f"{URL}/{image['id']}", 403)
    assert refused.json()["message"] == f"Image {image['id']} is protected and cannot be deleted."
    patch(mia, image["id"], {"op": "replace", "path": "/protected", "value": False})
    mia.delete(f"{URL}/{image['id']}")


def test_a_json_patch_changes_properties_and_refuses_what_is_read_only(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    image = create(mia, old="1")
    changed = patch(
        mia,
        image["id"],
        {"op": "replace", "path": "/name", "value": "new"},
        {"op": "add", "path": "/kernel~1id", "value": "x"},
        {"op": "remove", "path": "/old"},
        {"op": "replace", "path": "/tags", "value": ["b", "a"]},
    ).json()
    assert changed["name"] == "new" and changed["kernel/id"] == "x" and "old" not in changed
    assert changed["tags"] == ["a", "b"]
    for name in ("size", "id", "status", "deleted"):
        patch(mia, image["id"], {"op": "replace", "path": f"/{name}", "value": "1"}, expect=403)
    patch(mia, image["id"], {"op": "replace", "path": "/owner", "value": "other"}, expect=403)
    patch(mia, image["id"], {"op": "remove", "path": "/name"}, expect=403)
    patch(mia, image["id"], {"op": "replace", "path": "/absent", "value": "1"}, expect=409)
    patch(mia, image["id"], {"op": "replace", "path": "/min_disk", "value": "many"}, expect=400)
    old = {"Content-Type": "application/openstack-images-v2.0-json-patch"}
    older = mia.patch(f"{URL}/{image['id']}", [{"replace": "/name", "value": "older"}], 200, headers=old)
    assert older.json()["name"] == "older"
    mia.patch(f"{URL}/{image['id']}", [], 415)


def test_a_failing_patch_changes_nothing(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    image = create(mia)
    rename = {"op": "replace", "path": "/name", "value": "new"}
    patch(mia, image["id"], rename, {"op": "remove", "path": "/absent"}, expect=409)
    assert mia.get(f"{URL}/{image['id']}").json()["name"] == "disk"


def test_who_sees_an_image_follows_its_visibility(cloud: ApiCloud) -> None:
    mia, leo, admin = cloud.new_user("mia", "garden"), cloud.new_user("leo", "forest"), cloud.admin
    private = create(mia, visibility="private")
    community = create(mia, visibility="community")
    public = create(admin, visibility="public")
    mia.post(URL, {"visibility": "public"}, 403)
    patch(mia, private["id"], {"op": "replace", "path": "/visibility", "value": "public"}, expect=403)
    leo.get(f"{URL}/{private['id']}", 404)
    leo.get(f"{URL}/{community['id']}")
    assert {image["id"] for image in leo.get(URL).json()["images"]} == {public["id"]}
    assert {i["id"] for i in leo.get(f"{URL}?visibility=community").json()["images"]} == {community["id"]}
    leo.delete(f"{URL}/{community['id']}", 403)
    leo.delete(f"{URL}/{private['id']}", 404)
    patch(leo, public["id"], {"op": "replace", "path": "/name", "value": "mine"}, expect=403)


def test_an_image_is_shared_with_a_project_that_accepts_it(cloud: ApiCloud) -> None:
    mia, leo = cloud.new_user("mia", "garden"), cloud.new_user("leo", "forest")
    image = create(mia)
    upload(mia, image["id"])
    leo.get(f"{URL}/{image['id']}", 404)
    member = mia.post(f"{URL}/{image['id']}/members", {"member": leo.project_id}, 200).json()
    assert member["status"] == "pending" and member["member_id"] == leo.project_id
    mia.post(f"{URL}/{image['id']}/members", {"member": leo.project_id}, 409)
    assert leo.get(URL).json()["images"] == []
    pending = leo.get(f"{URL}?visibility=shared&member_status=pending").json()["images"]
    assert [found["id"] for found in pending] == [image["id"]]
    mine = f"{URL}/{image['id']}/members/{leo.project_id}"
    mia.put(mine, {"status": "accepted"}, 403)
    leo.put(mine, {"status": "perhaps"}, 400)
    leo.put(mine, {"status": "accepted"}, 200)
    assert [found["id"] for found in leo.get(URL).json()["images"]] == [image["id"]]
    assert leo.get(f"{URL}/{image['id']}/file").content == DATA
    leo.post(f"{URL}/{image['id']}/members", {"member": "someone"}, 403)
    mia.delete(mine)
    leo.get(f"{URL}/{image['id']}", 404)
    private = create(mia, visibility="private")
    refused = mia.post(f"{URL}/{private['id']}/members", {"member": leo.project_id}, 403).json()
    assert refused["message"] == "Only shared images have members."


def names(caller: Caller, query: str) -> list[str]:
    return [image["name"] for image in caller.get(f"{URL}?{query}").json()["images"]]


def test_the_list_is_filtered_and_sorted(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    for name, extra in (("a", {"os": "x"}), ("b", {"os": "y", "tags": ["t", "u"]}), ("c", {"disk_format": "iso"})):
        create(mia, name=name, **extra)
    hidden = create(mia, name="h", os_hidden=True)
    big = create(mia, name="d")
    upload(mia, big["id"])
    assert names(mia, "sort=name:asc") == ["a", "b", "c", "d"]
    assert names(mia, "sort_key=name&sort_dir=desc") == ["d", "c", "b", "a"]
    assert names(mia, "name=in:a,b&sort=name:asc") == ["a", "b"]
    assert names(mia, "os=y") == ["b"]
    assert names(mia, "tag=t&tag=u") == ["b"] and names(mia, "tag=t&tag=no") == []
    assert names(mia, "disk_format=iso") == ["c"]
    assert names(mia, "status=active") == ["d"] == names(mia, "size_min=1")
    assert names(mia, "os_hidden=true") == ["h"] == [hidden["name"]]
    assert names(mia, "created_at=gt:2001-01-01T00:00:00Z&sort=name") == ["d", "c", "b", "a"]
    assert names(mia, "created_at=lt:2001-01-01T00:00:00Z") == []
    for bad in ("sort=colour", "sort_key=name&sort=name", "limit=x", "created_at=soon", "visibility=odd"):
        mia.get(f"{URL}?{bad}", 400)


def test_pages_follow_their_links_to_every_image_once(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    made = [create(mia, name=f"image{n}")["id"] for n in range(5)]
    seen, link = [], "/v2/images?limit=2&sort=created_at:asc"
    while link:
        page = mia.get(f"/image{link}").json()
        assert page["first"].startswith("/v2/images?limit=2")
        seen += [image["id"] for image in page["images"]]
        link = page.get("next", "")
    assert sorted(seen) == sorted(made) and len(seen) == 5
    mia.get(f"{URL}?marker=unknown", 400)


def test_tags_are_added_and_removed(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    image = create(mia)
    mia.put(f"{URL}/{image['id']}/tags/green", expect=204)
    mia.put(f"{URL}/{image['id']}/tags/green", expect=204)
    assert mia.get(f"{URL}/{image['id']}").json()["tags"] == ["green"]
    mia.delete(f"{URL}/{image['id']}/tags/green")
    mia.delete(f"{URL}/{image['id']}/tags/green", 404)


def test_a_deactivated_image_is_not_handed_out(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    image = create(mia)
    mia.post(f"{URL}/{image['id']}/actions/deactivate", expect=403)
    upload(mia, image["id"])
    mia.post(f"{URL}/{image['id']}/actions/deactivate", expect=204)
    assert mia.get(f"{URL}/{image['id']}").json()["status"] == "deactivated"
    mia.get(f"{URL}/{image['id']}/file", 403)
    mia.post(f"{URL}/{image['id']}/actions/reactivate", expect=204)
    mia.get(f"{URL}/{image['id']}/file")


def test_a_reader_looks_but_does_not_touch_and_a_stranger_gets_nothing(cloud: ApiCloud) -> None:
    mia, rita = cloud.new_user("mia", "garden"), cloud.new_user("rita", "garden", role="reader")
    image = create(mia)
    rita.get(f"{URL}/{image['id']}")
    refused = rita.post(URL, {"name": "x"}, 403).json()
    assert refused["message"] == "You are not authorized to complete add_image action."
    upload(rita, image["id"], expect=403)
    rita.delete(f"{URL}/{image['id']}", 403)
    assert cloud.call("GET", URL).status_code == 401


def test_schemas_versions_and_import_methods_are_published(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    assert mia.get("/image", 300).json()["versions"][0]["status"] == "CURRENT"
    assert mia.get("/image/versions").json()["versions"][0]["links"][0]["href"].endswith("/image/v2/")
    for name in ("image", "images", "member", "members"):
        assert mia.get(f"/image/v2/schemas/{name}").json()["name"] == name
    assert "web-download" in mia.get("/image/v2/info/import").json()["import-methods"]["value"]


def test_an_image_keeps_an_owner(cloud: ApiCloud) -> None:
    admin = cloud.admin
    image_id = admin.post("/image/v2/images", {"name": "x"}, 201).json()["id"]
    headers = {"Content-Type": "application/openstack-images-v2.1-json-patch"}
    admin.patch(f"/image/v2/images/{image_id}", [{"op": "remove", "path": "/owner"}], 403, headers=headers)
