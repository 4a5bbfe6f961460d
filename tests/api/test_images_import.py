"""Imports: staged data, downloads from the web, copies between stores, and the tasks that tell of them."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tane.config import ImageSettings, ImageStore
from tane.services.image.drivers import http
from tests.api.test_images import OCTETS, URL, create, patch, store, upload
from tests.services.image.web import web_server
from tests.support import ApiCloud, Caller

DATA = b"not much of a disk " * 100


def stage(caller: Caller, image_id: str, data: bytes = DATA, expect: int = 204) -> Any:
    return caller.request("PUT", f"{URL}/{image_id}/stage", content=data, headers=OCTETS, expect=expect)


def start(caller: Caller, image_id: str, method: str, expect: int = 202, uri: str = "", **more: Any) -> Any:
    how = {"name": method, **({"uri": uri} if uri else {})}
    return caller.post(f"{URL}/{image_id}/import", {"method": how, **more}, expect)


def show(caller: Caller, image_id: str) -> dict[str, Any]:
    found: dict[str, Any] = caller.get(f"{URL}/{image_id}").json()
    return found


def more_stores(cloud: ApiCloud) -> None:
    """A second folder, one that cannot be written to, and a store of URLs on this machine."""
    settings = cloud.core.config.image
    broken = cloud.core.config.state_dir / "broken"
    broken.write_bytes(b"a file where a folder should be")
    settings.stores = {
        "second": ImageStore(path=cloud.core.config.state_dir / "second", description="slow", weight=7),
        "broken": ImageStore(path=broken),
        "web": ImageStore(type="http"),
    }
    settings.allowed_hosts, settings.allowed_ports = ("127.0.0.1",), ()


def test_staged_data_becomes_the_image_when_it_is_imported(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    image = create(mia)
    start(mia, image["id"], "glance-direct", 409)
    stage(mia, image["id"])
    assert show(mia, image["id"])["status"] == "uploading" and show(mia, image["id"])["size"] == len(DATA)
    stage(mia, image["id"], expect=409)
    sent = start(mia, image["id"], "glance-direct")
    waiting = show(mia, image["id"])
    assert waiting["status"] == "importing" and waiting["os_glance_importing_to_stores"] == "local"
    start(mia, image["id"], "glance-direct", 409)
    cloud.run_jobs()
    done = show(mia, image["id"])
    assert done["status"] == "active" and done["checksum"] == hashlib.md5(DATA).hexdigest()
    assert done["stores"] == "local" and done["os_glance_importing_to_stores"] == done["os_glance_failed_import"] == ""
    assert "os_glance_import_task" not in done
    assert mia.get(f"{URL}/{image['id']}/file").content == DATA
    [task] = mia.get(f"{URL}/{image['id']}/tasks").json()["tasks"]
    assert task["status"] == "success" and task["request_id"] == sent.headers["x-openstack-request-id"]
    assert task["input"]["import_req"]["method"]["name"] == "glance-direct"
    assert len(store(cloud)) == 1
    start(mia, image["id"], "glance-direct", 409)


def test_staged_data_that_is_something_else_is_refused_by_the_task(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    image = create(mia, disk_format="qcow2")
    stage(mia, image["id"])
    start(mia, image["id"], "glance-direct")
    cloud.run_jobs()
    assert show(mia, image["id"])["status"] == "queued" and show(mia, image["id"])["size"] is None
    [task] = mia.get(f"{URL}/{image['id']}/tasks").json()["tasks"]
    assert task["status"] == "failure" and "does not match stream data" in task["message"]
    assert store(cloud) == []


def test_deleting_a_staged_image_removes_its_data(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    image = create(mia)
    stage(mia, image["id"])
    mia.delete(f"{URL}/{image['id']}")
    assert store(cloud) == []


def test_an_image_comes_from_the_web(cloud: ApiCloud) -> None:
    more_stores(cloud)
    mia = cloud.new_user("mia", "garden")
    with web_server({"/disk": DATA, "/torn": DATA}, {"/moved": "/disk"}) as web:
        image = create(mia)
        start(mia, image["id"], "web-download", uri=f"{web}/moved")
        cloud.run_jobs()
        assert show(mia, image["id"])["status"] == "active"
        assert mia.get(f"{URL}/{image['id']}/file").content == DATA
        for path, word in (("/absent", "404"), ("/torn", "broke off")):
            other = create(mia)
            start(mia, other["id"], "web-download", uri=web + path)
            cloud.run_jobs()
            assert show(mia, other["id"])["status"] == "queued"
            [task] = mia.get(f"{URL}/{other['id']}/tasks").json()["tasks"]
            assert task["status"] == "failure" and word in task["message"]
    assert len(store(cloud)) == 1


def test_no_one_reaches_internal_addresses_through_a_download(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    image = create(mia)
    for uri in (
        "http://127.0.0.1/",
        "http://10.0.0.1/x",
        "http://169.254.169.254/latest/meta-data",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[64:ff9b::7f00:1]/",
        "http://[2002:7f00:1::]/",
        "http://[2002:a00:1::1]/",
        "http://224.0.0.1/",
        "http://0.0.0.0/",
        "ftp://example.org/x",
        "file:///etc/passwd",
        "http://example.org:22/",
        "http://user:secret@example.org/",
        "http://:80/",
        "not a uri",
        "",
    ):
        assert "filtering" in start(mia, image["id"], "web-download", 400, uri=uri).json()["message"]
    # A name is judged by what it resolves to, when the job connects.
    start(mia, image["id"], "web-download", uri="http://localhost/disk")
    cloud.run_jobs()
    [task] = mia.get(f"{URL}/{image['id']}/tasks").json()["tasks"]
    assert task["status"] == "failure" and "internal address" in task["message"]


def test_a_redirect_to_an_internal_address_is_refused(cloud: ApiCloud) -> None:
    more_stores(cloud)
    mia = cloud.new_user("mia", "garden")
    with web_server({}, {"/a": "http://127.0.0.2/x", "/b": "/b"}) as web:
        for path, word in (("/a", "filtering"), ("/b", "redirects")):
            image = create(mia)
            start(mia, image["id"], "web-download", uri=web + path)
            cloud.run_jobs()
            [task] = mia.get(f"{URL}/{image['id']}/tasks").json()["tasks"]
            assert task["status"] == "failure" and word in task["message"]


def test_the_filter_allows_only_what_its_lists_say() -> None:
    settings = ImageSettings(allowed_hosts=("mirror.example.org",), disallowed_hosts=("mirror.example.org",))
    http.check_url("https://mirror.example.org/x", settings)
    for url in ("https://other.example.org/x", "http://mirror.example.org:8080/"):
        with pytest.raises(http.Refused):
            http.check_url(url, settings)
    settings = ImageSettings(disallowed_hosts=("bad.example.org",), allowed_ports=(), disallowed_ports=(25,))
    http.check_url("http://good.example.org:8080/", settings)
    for url in ("http://bad.example.org/", "http://BAD.example.org./", "http://good.example.org:25/"):
        with pytest.raises(http.Refused):
            http.check_url(url, settings)


def test_an_import_goes_to_several_stores(cloud: ApiCloud) -> None:
    more_stores(cloud)
    mia = cloud.new_user("mia", "garden")
    image = create(mia)
    stage(mia, image["id"])
    start(mia, image["id"], "glance-direct", 409, stores=["nowhere"])
    start(mia, image["id"], "glance-direct", 400, stores=["second"], all_stores=True)
    start(mia, image["id"], "glance-direct", 400, all_stores="yes")
    start(mia, image["id"], "glance-direct", stores=["local", "second"])
    cloud.run_jobs()
    assert show(mia, image["id"])["stores"] == "second,local", "the store of more weight comes first"
    cloud.core.config.image.show_image_direct_url = True
    assert "/second/" in show(mia, image["id"])["direct_url"]
    assert mia.get(f"{URL}/{image['id']}/file?prefer=second").content == DATA
    mia.get(f"{URL}/{image['id']}/file?prefer=nowhere", 400)
    mia.delete(f"{URL}/{image['id']}")
    assert store(cloud) == [] and list((cloud.core.config.state_dir / "second").iterdir()) == []


def test_a_store_that_fails_fails_the_import_only_when_all_must_succeed(cloud: ApiCloud) -> None:
    more_stores(cloud)
    mia = cloud.new_user("mia", "garden")
    strict, lax = create(mia), create(mia)
    for image, must in ((strict, True), (lax, False)):
        stage(mia, image["id"])
        start(mia, image["id"], "glance-direct", stores=["local", "broken"], all_stores_must_succeed=must)
    cloud.run_jobs()
    failed = show(mia, strict["id"])
    assert failed["status"] == "queued" and failed["os_glance_failed_import"] == "local,broken"
    made = show(mia, lax["id"])
    assert made["status"] == "active" and made["stores"] == "local" and made["os_glance_failed_import"] == "broken"


def test_an_administrator_copies_an_image_to_the_other_stores_and_removes_it_from_one(cloud: ApiCloud) -> None:
    more_stores(cloud)
    mia, admin = cloud.new_user("mia", "garden"), cloud.admin
    image = create(mia)
    start(admin, image["id"], "copy-image", 409, all_stores=True)
    upload(mia, image["id"])
    start(mia, image["id"], "copy-image", 403, all_stores=True)
    start(admin, image["id"], "copy-image", 400, stores=["local"])
    start(admin, image["id"], "copy-image", stores=["second"])
    cloud.run_jobs()
    assert show(mia, image["id"])["stores"] == "second,local" and show(mia, image["id"])["status"] == "active"
    mia.delete(f"/image/v2/stores/local/{image['id']}", 403)
    admin.delete(f"/image/v2/stores/nowhere/{image['id']}", 409)
    admin.delete(f"/image/v2/stores/broken/{image['id']}", 404)
    admin.delete(f"/image/v2/stores/local/{image['id']}")
    assert show(mia, image["id"])["stores"] == "second" and store(cloud) == []
    assert mia.get(f"{URL}/{image['id']}/file").content == DATA
    admin.delete(f"/image/v2/stores/second/{image['id']}", 403)


def test_an_upload_may_name_its_store(cloud: ApiCloud) -> None:
    more_stores(cloud)
    mia = cloud.new_user("mia", "garden")
    image = create(mia)
    for name, expect in (("nowhere", 400), ("web", 400), ("second", 204)):
        headers = {**OCTETS, "X-Image-Meta-Store": name}
        mia.request("PUT", f"{URL}/{image['id']}/file", content=DATA, headers=headers, expect=expect)
    assert show(mia, image["id"])["stores"] == "second" and store(cloud) == []


def test_the_stores_are_told_and_to_an_administrator_more(cloud: ApiCloud) -> None:
    more_stores(cloud)
    mia, admin = cloud.new_user("mia", "garden"), cloud.admin
    found = {entry.pop("id"): entry for entry in mia.get("/image/v2/info/stores").json()["stores"]}
    assert found["local"] == {"default": "true"} and found["web"] == {"read-only": "true"}
    assert found["second"] == {"description": "slow"}
    mia.get("/image/v2/info/stores/detail", 403)
    detail = {entry["id"]: entry for entry in admin.get("/image/v2/info/stores/detail").json()["stores"]}
    assert detail["second"]["type"] == "file" and detail["second"]["weight"] == 7
    assert detail["local"]["properties"]["data_dir"].endswith("/images") and detail["web"]["properties"] == {}


@pytest.mark.skipif(shutil.which("qemu-img") is None, reason="needs qemu-img")
def test_an_import_is_converted_to_the_format_of_the_cloud(cloud: ApiCloud, tmp_path: Path) -> None:
    cloud.core.config.image.conversion_format = "raw"
    mia = cloud.new_user("mia", "garden")
    disk = tmp_path / "disk.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", str(disk), "1M"], check=True)
    image, iso = create(mia, disk_format="qcow2"), create(mia)
    stage(mia, image["id"], disk.read_bytes())
    stage(mia, iso["id"])
    start(mia, image["id"], "glance-direct")
    start(mia, iso["id"], "glance-direct")
    cloud.run_jobs()
    assert show(mia, iso["id"])["status"] == "active"
    done = show(mia, image["id"])
    assert (
        done["status"] == "active" and done["disk_format"] == "raw" and done["size"] == done["virtual_size"] == 1 << 20
    )
    assert mia.get(f"{URL}/{image['id']}/file").content == bytes(1 << 20)
    assert {path.parent.name for path in store(cloud)} == {"images"}


def test_a_url_is_an_image(cloud: ApiCloud) -> None:
    more_stores(cloud)
    mia, admin = cloud.new_user("mia", "garden"), cloud.admin
    with web_server({"/disk": DATA}) as web:
        image = create(mia)
        where = f"{URL}/{image['id']}/locations"
        wrong = {"os_hash_algo": "sha512", "os_hash_value": "beefdead"}
        mia.post(where, {"url": f"{web}/disk", "validation_data": wrong}, 400)
        mia.post(where, {"url": f"{web}/disk", "validation_data": {"os_hash_value": "00"}}, 400)
        right = {"os_hash_algo": "sha256", "os_hash_value": hashlib.sha256(DATA).hexdigest()}
        mia.post(where, {"url": f"{web}/disk", "validation_data": right}, 202)
        cloud.run_jobs()
        shown = show(mia, image["id"])
        assert shown["status"] == "active" and shown["stores"] == "web" and shown["os_hash_algo"] == "sha256"
        assert mia.get(f"{URL}/{image['id']}/file").content == DATA
        mia.post(where, {"url": f"{web}/disk"}, 409)
        mia.get(where, 403)
        assert admin.get(where).json() == [{"url": f"{web}/disk", "metadata": {"store": "web"}}]
        other = create(mia)
        lie = {"os_hash_algo": "sha512", "os_hash_value": "beefdead" * 16}
        mia.post(f"{URL}/{other['id']}/locations", {"url": f"{web}/disk", "validation_data": lie}, 202)
        cloud.run_jobs()
        assert show(mia, other["id"])["status"] == "queued"
        assert mia.get(f"{URL}/{other['id']}/tasks").json()["tasks"][0]["status"] == "failure"


def test_locations_are_patched_only_where_the_cloud_shows_them(cloud: ApiCloud) -> None:
    more_stores(cloud)
    mia, admin = cloud.new_user("mia", "garden"), cloud.admin
    with web_server({"/disk": DATA}) as web:
        image = create(mia)
        place = {"op": "add", "path": "/locations/-", "value": {"url": f"{web}/disk", "metadata": {"a": "b"}}}
        patch(mia, image["id"], place, expect=403)
        cloud.core.config.image.show_multiple_locations = True
        assert show(mia, image["id"])["locations"] == []
        patch(mia, image["id"], place)
        second = {"op": "add", "path": "/locations/0", "value": {"url": f"{web}/disk#2", "metadata": {}}}
        shown = patch(mia, image["id"], second).json()
        assert [entry["url"] for entry in shown["locations"]] == [f"{web}/disk#2", f"{web}/disk"]
        assert shown["status"] == "active" and shown["os_hash_value"] is None and shown["size"] == len(DATA)
        assert shown["locations"][1]["metadata"] == {"a": "b", "store": "web"}
        patch(mia, image["id"], {"op": "remove", "path": "/locations/0"}, expect=403)
        patch(admin, image["id"], {"op": "remove", "path": "/locations/9"}, expect=400)
        patch(admin, image["id"], {"op": "remove", "path": "/locations/0"})
        patch(admin, image["id"], {"op": "remove", "path": "/locations/0"}, expect=403)
        patch(mia, image["id"], {"op": "replace", "path": "/locations", "value": []}, expect=403)
        local = {"url": "file:///etc/passwd", "metadata": {}}
        patch(mia, image["id"], {"op": "add", "path": "/locations/-", "value": local}, expect=400)


def test_locations_are_kept_when_their_list_is_replaced(cloud: ApiCloud) -> None:
    more_stores(cloud)
    cloud.core.config.image.show_multiple_locations = True
    mia = cloud.new_user("mia", "garden")
    with web_server({"/disk": DATA}) as web:
        image = create(mia)
        for number in (1, 2):
            value = {"url": f"{web}/disk#{number}", "metadata": {}}
            patch(mia, image["id"], {"op": "add", "path": "/locations/-", "value": value})
        places = show(mia, image["id"])["locations"]
        places[0]["metadata"]["date"] = "today"
        replaced = {"op": "replace", "path": "/locations", "value": places}
        assert patch(mia, image["id"], replaced).json()["locations"] == places
        for wrong in (places[:1], [places[0], {**places[1], "url": f"{web}/disk#3"}], [places[0], *places]):
            patch(mia, image["id"], {**replaced, "value": wrong}, expect=400)
        assert show(mia, image["id"])["locations"] == places


def test_a_location_comes_with_the_hashes_of_its_data(cloud: ApiCloud) -> None:
    more_stores(cloud)
    cloud.core.config.image.show_multiple_locations = True
    mia = cloud.new_user("mia", "garden")
    hashes = {"checksum": "1" * 32, "os_hash_algo": "sha512", "os_hash_value": "deadbeef" * 16}
    with web_server({"/disk": DATA}) as web:
        image = create(mia)

        def add(place: str, expect: int, **other: str) -> Any:
            value = {"url": f"{web}/disk{place}", "metadata": {}, "validation_data": {**hashes, **other}}
            return patch(mia, image["id"], {"op": "add", "path": "/locations/-", "value": value}, expect=expect)

        for other in ({"os_hash_algo": "md5"}, {"os_hash_value": "dead"}, {"checksum": "x" * 32}):
            add("", 409, **other)
        add("", 400, checksum="short")
        shown = add("", 200).json()
        assert shown["status"] == "active" and {name: shown[name] for name in hashes} == hashes
        assert "validation_data" not in shown["locations"][0]
        add("#new", 200)
        for other in ({"os_hash_algo": "sha256"}, {"os_hash_value": "beefdead" * 16}, {"checksum": "2" * 32}):
            add("#newer", 409, **other)
        assert len(show(mia, image["id"])["locations"]) == 2


def test_tasks_are_the_administrators(cloud: ApiCloud) -> None:
    mia, admin = cloud.new_user("mia", "garden"), cloud.admin
    image = create(mia)
    stage(mia, image["id"])
    start(mia, image["id"], "glance-direct")
    cloud.run_jobs()
    [task] = admin.get("/image/v2/tasks").json()["tasks"]
    assert task["type"] == "api_image_import" and "input" not in task
    full = admin.get(f"/image{task['self']}").json()
    assert full["status"] == "success" and full["image_id"] == image["id"] and full["owner"] == mia.project_id
    assert admin.get("/image/v2/tasks?status=failure").json()["tasks"] == []
    for bad in ("status=odd", "type=odd", "sort_dir=up", "sort_key=colour", "limit=x", "marker=x"):
        admin.get(f"/image/v2/tasks?{bad}", 400)
    mia.get("/image/v2/tasks", 403)
    mia.get(f"/image{task['self']}", 403)
    admin.delete(f"/image{task['self']}", 405)
    admin.get("/image/v2/tasks/00000000-0000-0000-0000-000000000000", 404)


def test_a_task_of_the_older_kind_makes_an_image_from_a_url(cloud: ApiCloud) -> None:
    more_stores(cloud)
    admin = cloud.admin
    with web_server({"/disk": DATA}) as web:
        given = {"import_from": f"{web}/disk", "import_from_format": "raw", "image_properties": {"name": "old"}}
        task = admin.post("/image/v2/tasks", {"type": "import", "input": given}, 201).json()
        assert task["status"] == "pending" and task["input"] == given
        cloud.run_jobs()
        done = admin.get(f"/image/v2/tasks/{task['id']}").json()
        assert done["status"] == "success" and show(admin, done["result"]["image_id"])["status"] == "active"
    for bad in ({"type": "export", "input": given}, {"type": "import", "input": {}}, {"type": "import"}):
        admin.post("/image/v2/tasks", bad, 400)
    bad_uri = {**given, "import_from": "http://10.0.0.1/x.qcow2"}
    admin.post("/image/v2/tasks", {"type": "import", "input": bad_uri}, 400)
