"""What nobody may do to the image service, or through it: to other projects, to the machine, to the cloud's threads."""

from __future__ import annotations

import hashlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tane.config import ImageStore
from tane.services.image import interface
from tane.services.image.domain import content
from tane.services.image.drivers import http
from tests.api.test_images import DATA, URL, create, patch, store, upload
from tests.services.image.web import web_server
from tests.support import ApiCloud, Caller


def web_store(cloud: ApiCloud) -> None:
    settings = cloud.core.config.image
    second = ImageStore(path=cloud.core.config.state_dir / "second")
    settings.stores = {"web": ImageStore(type="http"), "second": second}
    settings.allowed_hosts, settings.allowed_ports = ("127.0.0.1",), ()
    settings.show_multiple_locations = True


def located(caller: Caller, url: str, expect: int = 200, **more: Any) -> str:
    image_id = str(create(caller)["id"])
    value = {"url": url, "metadata": {}, **more}
    patch(caller, image_id, {"op": "add", "path": "/locations/-", "value": value}, expect=expect)
    return image_id


@contextmanager
def trickling(head: bytes = b"") -> Iterator[str]:
    """A server that sends ``head`` and then a byte now and then, for ever."""
    listener, over = socket.create_server(("127.0.0.1", 0)), threading.Event()

    def serve() -> None:
        client, _ = listener.accept()
        with client:
            try:
                client.sendall(head)
                while not over.wait(0.01):
                    client.sendall(b"x")
            except OSError:
                return

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/disk"
    finally:
        over.set()
        thread.join()
        listener.close()


def test_a_server_that_trickles_holds_no_import_for_ever(cloud: ApiCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    web_store(cloud)
    monkeypatch.setattr(http, "HEAD_SECONDS", 0.2)
    monkeypatch.setattr(http, "PATIENCE_SECONDS", 0.2)
    mia = cloud.new_user("mia", "garden")
    for head, words in ((b"", "cannot be fetched"), (b"HTTP/1.0 200 OK\r\n\r\n", "comes too slowly")):
        image = create(mia)
        with trickling(head) as url:
            method = {"name": "web-download", "uri": url}
            mia.post(f"{URL}/{image['id']}/import", {"method": method}, 202)
            cloud.run_jobs()
        [task] = mia.get(f"{URL}/{image['id']}/tasks").json()["tasks"]
        assert task["status"] == "failure" and words in task["message"]
        assert mia.get(f"{URL}/{image['id']}").json()["status"] == "queued" and store(cloud) == []


def test_the_size_of_a_location_is_asked_outside_of_any_transaction(
    cloud: ApiCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    web_store(cloud)
    mia = cloud.new_user("mia", "garden")
    asked = http.HttpStore.size

    def write() -> None:
        with cloud.core.db.write():
            return

    def size(self: http.HttpStore, url: str) -> int:
        # Within a transaction no other thread could have one.
        thread = threading.Thread(target=write)
        thread.start()
        thread.join(10)
        assert not thread.is_alive()
        return asked(self, url)

    monkeypatch.setattr(http.HttpStore, "size", size)
    with web_server({"/disk": DATA}) as web:
        image_id = located(mia, f"{web}/disk")
        found = mia.get(f"{URL}/{image_id}").json()
        assert found["status"] == "active" and found["size"] == len(DATA)
        located(mia, f"{web}/absent", 400)


def test_data_at_a_url_that_grows_stays_as_large_as_the_image(cloud: ApiCloud) -> None:
    web_store(cloud)
    cloud.core.config.image.image_cache_dir = ""
    mia, files = cloud.new_user("mia", "garden"), {"/disk": DATA}
    with web_server(files) as web:
        image_id = located(mia, f"{web}/disk")
        files["/disk"] = DATA * 3
        assert mia.get(f"{URL}/{image_id}/file").content == DATA


def test_an_announced_hash_gives_nobody_the_data_of_that_hash(cloud: ApiCloud) -> None:
    web_store(cloud)
    mia, leo = cloud.new_user("mia", "garden"), cloud.new_user("leo", "forest")
    secret = create(leo, visibility="private")
    upload(leo, secret["id"], b"leo's own" * 100)
    value = leo.get(f"{URL}/{secret['id']}").json()["os_hash_value"]
    with web_server({"/disk": DATA}) as web:
        hashes = {"os_hash_algo": "sha512", "os_hash_value": value}
        image_id = located(mia, f"{web}/disk", validation_data=hashes)
        assert mia.get(f"{URL}/{image_id}").json()["os_hash_value"] == value
        with cloud.core.db.read() as tx:
            found = interface.image_by_id(tx, image_id)
        assert found is not None and found.ref is None
        assert mia.get(f"{URL}/{image_id}/file").content == DATA
        for announced, stores in (({}, "web,second"), ({"validation_data": hashes}, "web")):
            # The hash of what is not leo's is right for the one, and said of the other.
            right = {"os_hash_algo": "sha512", "os_hash_value": hashlib.sha512(DATA).hexdigest()}
            copied = located(mia, f"{web}/disk", **{"validation_data": right, **announced})
            method = {"method": {"name": "copy-image"}, "all_stores": True, "all_stores_must_succeed": False}
            cloud.admin.post(f"{URL}/{copied}/import", method, 202)
            cloud.run_jobs()
            assert {*mia.get(f"{URL}/{copied}").json()["stores"].split(",")} - {"local"} == {*stores.split(",")}
            assert mia.get(f"{URL}/{copied}/file").content == DATA


def test_a_list_does_not_begin_at_an_image_that_its_reader_cannot_see(cloud: ApiCloud) -> None:
    mia, leo = cloud.new_user("mia", "garden"), cloud.new_user("leo", "forest")
    secret, shown = create(leo, visibility="private"), create(leo, visibility="community")
    mia.get(f"{URL}?marker={secret['id']}", 400)
    mia.get(f"{URL}?marker={shown['id']}")
    cloud.admin.get(f"{URL}?marker={secret['id']}")


def test_an_id_is_free_again_when_the_jobs_of_its_image_have_ended(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    image = create(mia)
    method = {"name": "web-download", "uri": "http://192.0.2.1/"}
    mia.post(f"{URL}/{image['id']}/import", {"method": method}, 400)
    with web_server({"/disk": DATA}) as web:
        web_store(cloud)
        mia.post(f"{URL}/{image['id']}/import", {"method": {"name": "web-download", "uri": f"{web}/disk"}}, 202)
        mia.delete(f"{URL}/{image['id']}")
        mia.post(URL, {"id": image["id"]}, 409)
        cloud.run_jobs()
    mia.post(URL, {"id": image["id"]}, 201)
    assert store(cloud) == []


def test_an_id_is_a_uuid_and_nothing_after_it(cloud: ApiCloud) -> None:
    cloud.new_user("mia", "garden").post(URL, {"id": "6f1f7f0e-6f2a-4c5b-9a51-0000000000aa\n"}, 400)


def test_an_image_that_unpacks_to_too_much_is_not_unpacked(cloud: ApiCloud) -> None:
    cloud.core.config.image.conversion_format = "raw"
    mia = cloud.new_user("mia", "garden")
    image = create(mia, disk_format="qcow2")
    huge = b"QFI\xfb" + (2).to_bytes(4, "big") + bytes(12) + (16).to_bytes(4, "big") + (1 << 50).to_bytes(8, "big")
    octets = {"Content-Type": "application/octet-stream"}
    mia.request("PUT", f"{URL}/{image['id']}/stage", content=huge.ljust(1 << 16, b"\0"), headers=octets, expect=204)
    mia.post(f"{URL}/{image['id']}/import", {"method": {"name": "glance-direct"}}, 202)
    cloud.run_jobs()
    [task] = mia.get(f"{URL}/{image['id']}/tasks").json()["tasks"]
    assert "exceeds the size limit" in task["message"] and store(cloud) == []


def test_a_projects_kernel_is_not_anothers_to_name(cloud: ApiCloud) -> None:
    mia, leo = cloud.new_user("mia", "garden"), cloud.new_user("leo", "forest")
    kernels = {name: create(leo, visibility=name)["id"] for name in ("private", "shared", "community")}
    leo.post(f"{URL}/{kernels['shared']}/members", {"member": mia.project_id}, 200)
    for name, image_id in kernels.items():
        with cloud.core.db.read() as tx:
            found = interface.image_of_disk(tx, image_id, mia.project_id)
        assert (found is not None) is (name != "private")


def test_an_image_deleted_as_its_upload_ends_leaves_nothing(cloud: ApiCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    mia = cloud.new_user("mia", "garden")
    image = create(mia)
    fingerprint = content.fingerprint

    def deleted_meanwhile(*args: Any) -> Any:
        with cloud.core.db.write() as tx:
            interface.delete_image(tx, image["id"])
        return fingerprint(*args)

    monkeypatch.setattr(content, "fingerprint", deleted_meanwhile)
    upload(mia, image["id"], expect=410)
    assert store(cloud) == []
