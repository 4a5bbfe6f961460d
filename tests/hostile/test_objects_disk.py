"""What one account may lay on the disk: also what is deleted, replaced or kept as an older version."""

from __future__ import annotations

import io
import json
import tarfile
from typing import Any

import msgspec
import pytest
from sqlalchemy import inspect

from tane.db import Database
from tane.linux.blob_files import BlobFiles
from tane.services.object.domain import blobs, room
from tane.services.object.store import database
from tane.web.errors import TooLarge
from tests.api.object_support import Account, account
from tests.support import ApiCloud

LARGE = b"x" * (blobs.INLINE + 1)
RESELLER = "X-Account-Meta-Quota-Bytes"


@pytest.fixture
def mine(cloud: ApiCloud) -> Account:
    found = account(cloud)
    found.container()
    return found


def quota(cloud: ApiCloud, mine: Account, size: int) -> None:
    mine.call("POST", "", 204, by=cloud.admin, headers={RESELLER: str(size)})


def sweep(cloud: ApiCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blobs, "GRACE_SECONDS", -1.0)
    assert blobs.sweep(cloud.core)[2]


def test_what_is_deleted_counts_until_it_is_swept(
    cloud: ApiCloud, mine: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    quota(cloud, mine, 3 * len(LARGE))
    for _ in range(3):
        mine.put("/c/o", LARGE)
        mine.call("DELETE", "/c/o", 204)
    mine.put("/c/o", LARGE, 413)
    mine.put("/c/small", b"a few bytes lie in the row")
    sweep(cloud, monkeypatch)
    mine.put("/c/o", LARGE)


def test_what_is_replaced_counts_until_it_is_swept(cloud: ApiCloud, mine: Account) -> None:
    quota(cloud, mine, 3 * len(LARGE))
    told = [mine.call("PUT", "/c/o", content=LARGE).status_code for _ in range(6)]
    # The one that it replaces counts no more when it comes, and from then on until it is swept.
    assert told == [201] * 4 + [413] * 2
    mine.put("/c/small", b"x" * 10)


@pytest.mark.parametrize("mode", ["X-Versions-Location", "X-History-Location"])
def test_versions_of_the_older_forms_count(cloud: ApiCloud, mine: Account, mode: str) -> None:
    mine.container("old")
    mine.container("live", **{mode: "old"})
    quota(cloud, mine, 500)
    told = [mine.call("PUT", "/live/o", content=b"x" * 100).status_code for _ in range(8)]
    assert told == [201] * 5 + [413] * 3


@pytest.mark.parametrize("mode", ["X-Versions-Enabled", "X-Versions-Location", "X-History-Location"])
def test_versions_count_as_objects_where_they_are_such(cloud: ApiCloud, mine: Account, mode: str) -> None:
    mine.container("old")
    mine.container("live", **{mode: "true" if mode.endswith("Enabled") else "old"})
    mine.call("POST", "", 204, by=cloud.admin, headers={"X-Account-Quota-Count": "3"})
    told = [mine.call("PUT", "/live/o", content=b"x").status_code for _ in range(5)]
    assert told == ([201] * 5 if mode.endswith("Enabled") else [201] * 3 + [413] * 2)


def test_deleting_what_is_not_there_leaves_nothing(mine: Account) -> None:
    mine.container("old")
    mine.container("live", **{"X-History-Location": "old"})
    for number in range(3):
        mine.call("DELETE", f"/live/none{number}", 404)
    assert mine.names("/old") == []
    mine.put("/live/o")
    mine.call("DELETE", "/live/o", 204)
    assert mine.names("/old")


def set_object(cloud: ApiCloud, **changes: Any) -> None:
    cloud.core.config.object = msgspec.structs.replace(cloud.core.config.object, **changes)


@pytest.mark.parametrize(("quota_gb", "status"), [(1, 413), (2, 201), (0, 201)])
def test_an_account_without_a_quota_has_the_settings(
    cloud: ApiCloud, mine: Account, quota_gb: int, status: int
) -> None:
    set_object(cloud, account_quota_gb=quota_gb)
    mine.put("/c/seg", b"x" * 1024)
    manifest = [{"path": "/c/seg"}] * 1000
    for name, of in (("a", "seg"), ("b", "a")):
        manifest = [{"path": f"/c/{of}"}] * 1000
        mine.call("PUT", f"/c/{name}?multipart-manifest=put", content=json.dumps(manifest).encode())
    mine.put("/c/more", expect=201)
    answer = mine.call("PUT", "/c/again?multipart-manifest=put", content=json.dumps([{"path": "/c/b"}]).encode())
    assert answer.status_code == status


def test_the_reseller_may_give_more_than_the_setting(cloud: ApiCloud, mine: Account) -> None:
    set_object(cloud, account_quota_gb=1)
    mine.put("/c/seg", b"x" * 1024)
    for name, of in (("a", "seg"), ("b", "a")):
        body = json.dumps([{"path": f"/c/{of}"}] * 1000).encode()
        mine.call("PUT", f"/c/{name}?multipart-manifest=put", 201, content=body)
    again = json.dumps([{"path": "/c/b"}]).encode()
    mine.call("PUT", "/c/again?multipart-manifest=put", 413, content=again)
    quota(cloud, mine, 10 << 30)
    mine.call("PUT", "/c/again?multipart-manifest=put", 201, content=again)


@pytest.mark.parametrize("body", [b"x", LARGE])
def test_a_part_of_the_disk_stays_free(
    cloud: ApiCloud, mine: Account, body: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine.put("/c/o", body)
    monkeypatch.setattr(BlobFiles, "free", lambda self: 0.04)
    mine.put("/c/p", body, 507)
    mine.call("COPY", "/c/o", 507, headers={"Destination": "c/q", "Range": "bytes=0-0"})
    assert mine.names("/c") == ["o"]
    assert mine.get("/c/o").content == body
    mine.call("DELETE", "/c/o", 204)
    set_object(cloud, free_percent=4.0)
    mine.put("/c/p", body)


def test_rows_are_no_way_to_fill_what_stays_free(
    cloud: ApiCloud, mine: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Names, metadata and settings lie where the cloud's database does."""
    mine.put("/c/o")
    mine.container("kept", **{"X-Versions-Enabled": "true"})
    mine.container("aside", **{"X-Versions-Location": "c"})
    mine.put("/aside/o")
    version = mine.put("/kept/o").headers["x-object-version-id"]
    monkeypatch.setattr(BlobFiles, "free", lambda self: 0.04)
    mine.call("PUT", "/new", 507)
    note = {"X-Container-Meta-Note": "x", "X-Object-Meta-Note": "x", "X-Account-Meta-Note": "x"}
    for path in ("", "/c", "/c/o"):
        mine.call("POST", path, 507, headers=note)
    mine.call("DELETE", "/kept/none", 507)
    mine.call("DELETE", "/aside/o", 204)
    mine.call("DELETE", f"/kept/o?version-id={version}", 204)
    mine.call("POST", "?bulk-delete", 200, content=b"/c/o\n/c")
    assert mine.names("") == ["aside", "kept"]


def test_an_account_has_so_many_containers(cloud: ApiCloud, mine: Account) -> None:
    set_object(cloud, max_containers_per_account=3)
    mine.container("one")
    mine.container("two")
    assert "Reached container limit of 3" in mine.call("PUT", "/three", 403).text
    mine.call("PUT", "/two", 202)
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as made:
        for name in ("four", "five"):
            made.addfile(tarfile.TarInfo(f"{name}/o"), io.BytesIO())
    told = mine.call("PUT", "?extract-archive=tar", 200, content=archive.getvalue())
    assert "Reached container limit" in told.text or "403" in told.text, told.text
    assert len(mine.names("")) == 3
    mine.call("DELETE", "/one", 204)
    mine.container("three")
    assert mine.names("") == ["c", "three", "two"]


def test_the_disk_filling_under_an_upload_ends_it(
    cloud: ApiCloud, mine: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = iter([1.0, 1.0, 1.0, 1.0, 0.01])
    monkeypatch.setattr(BlobFiles, "free", lambda self: next(looks, 0.01))
    mine.put("/c/p", LARGE * 20, 507)
    folder = cloud.core.config.state_dir / "objects"
    assert not [path for path in folder.rglob("*") if path.is_file()]


def test_numbers_of_manifests_stay_numbers(cloud: ApiCloud, mine: Account) -> None:
    """Manifests of manifests say sizes beyond what a database can hold."""
    set_object(cloud, account_quota_gb=0)
    below, told = "seg", []
    mine.put("/c/seg", b"x" * 1024)
    for level in range(7):
        body = json.dumps([{"path": f"/c/{below}"}] * 1000).encode()
        told.append(mine.call("PUT", f"/c/{level}?multipart-manifest=put", content=body).status_code)
        below = str(level)
    assert told[:5] == [201] * 5 and set(told[5:]) <= {400, 413}
    held = int(mine.call("HEAD", "/c").headers["x-container-bytes-used"])
    assert held <= room.MOST_BYTES


def test_what_pointed_at_nothing_of_its_own_goes_on_doing_so(mine: Account) -> None:
    mine.put("/c/seg", b"x" * 10)
    body = json.dumps([{"path": "/c/seg"}]).encode()
    mine.call("PUT", "/c/m?multipart-manifest=put", 201, content=body)
    for manifest in ("c/seg", ""):
        mine.call("POST", "/c/m", 202, headers={"X-Object-Manifest": manifest})
        assert mine.get("/c/m").content == b"x" * 10


# ------------------------------------------------------------------------------------------------- rows of before


def test_older_rows_are_brought_to_this_release(cloud: ApiCloud, mine: Account) -> None:
    mine.put("/c/large", LARGE)
    body = json.dumps([{"path": "/c/large"}]).encode()
    mine.call("PUT", "/c/m?multipart-manifest=put", 201, content=body)
    before = mine.call("GET", "/c?format=json", 200).json()
    opened: Database = database.of(cloud.core)
    with opened.write() as tx:
        columns = {table: inspect(tx.connection).get_columns(table) for table in ("object", "version", "blob")}
        tx.connection.exec_driver_sql("DROP TABLE upload")
        tx.connection.exec_driver_sql("DROP INDEX ix_blob_account_id")
        for table, column in (("object", "manifest_etag"), ("version", "manifest_etag"), ("blob", "account_id")):
            tx.connection.exec_driver_sql(f"ALTER TABLE {table} DROP COLUMN {column}")
        tx.connection.exec_driver_sql(f"UPDATE {database.APART.schema_table} SET number = 1")
    database.APART.prepare(opened)
    with opened.read() as tx:
        for table, found in columns.items():
            now = inspect(tx.connection).get_columns(table)
            assert {(one["name"], str(one["type"]), one["nullable"]) for one in now} == {
                (one["name"], str(one["type"]), one["nullable"]) for one in found
            }
        assert tx.connection.exec_driver_sql("SELECT count(*) FROM blob WHERE account_id IS NULL").scalar() == 0
    assert mine.call("GET", "/c?format=json", 200).json() == before


def test_what_is_under_way_counts_for_its_account(cloud: ApiCloud, mine: Account) -> None:
    quota(cloud, mine, 10 * len(LARGE))
    mine.put("/c/o", 6 * LARGE)
    name = f"AUTH_{mine.caller.project_id}"
    first, second = room.Upload(cloud.core, name), room.Upload(cloud.core, name)
    first.grow(4 * len(LARGE))
    # Alone it may be as large as it likes until it is whole: it may be put over what is there.
    first.grow(4 * len(LARGE))
    with pytest.raises(TooLarge):
        second.grow(1)
    mine.put("/c/p", LARGE, 413)
    first.end()
    second.end()
    mine.put("/c/p", LARGE)


def test_a_projects_unified_limit_is_its_accounts(cloud: ApiCloud, mine: Account) -> None:
    admin, v3 = cloud.admin, "/identity/v3"
    [service] = admin.get(f"{v3}/services?type=object-store").json()["services"]
    here = {"service_id": service["id"], "resource_name": room.RESOURCE}
    admin.post(f"{v3}/registered_limits", {"registered_limits": [{**here, "default_limit": 1}]}, 201)
    content = b"x" * (600 << 10)
    mine.put("/c/first", content)
    mine.put("/c/second", content, 413)
    own = {**here, "project_id": mine.caller.project_id, "resource_limit": 2}
    admin.post(f"{v3}/limits", {"limits": [own]}, 201)
    cloud.core.memory.pop(room.LIMITS)
    mine.put("/c/second", content)
    admin.request("POST", mine.path, headers={"X-Account-Meta-Quota-Bytes": "100"}, expect=204)
    mine.put("/c/third", b"x" * 200, 413)
