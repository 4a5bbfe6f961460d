"""Paths with a slash at the end, with an empty id, and requests no service is asked about."""

from __future__ import annotations

import pytest

from tests.support import ApiCloud

ROOTS = ("/identity/v3", "/image/v2", "/compute/v2.1", "/network/v2.0", "/volume/v3")


@pytest.mark.parametrize("root", ROOTS)
def test_a_version_root_is_read_with_and_without_a_slash(cloud: ApiCloud, root: str) -> None:
    assert cloud.call("GET", f"{root}/").status_code == cloud.call("GET", root).status_code < 400


def test_a_collection_is_read_with_a_slash_where_upstream_reads_it(cloud: ApiCloud) -> None:
    cloud.admin.get("/network/v2.0/networks/")
    cloud.admin.get("/compute/v2.1/servers/", 404)


@pytest.mark.parametrize("path", ["/network/v2.0/ports/", "/compute/v2.1/servers//metadata", "/image/v2/images/"])
@pytest.mark.parametrize("method", ["PUT", "DELETE", "POST"])
def test_nothing_is_changed_under_an_empty_id(cloud: ApiCloud, method: str, path: str) -> None:
    assert cloud.admin.request(method, path, json={"port": {}}).status_code in (404, 405)


def test_deleting_a_volume_without_an_id_finds_nothing(cloud: ApiCloud) -> None:
    admin = cloud.admin
    admin.delete(f"/volume/v3/{admin.project_id}/volumes/", 404)
    admin.request("PUT", f"/volume/v3/{admin.project_id}/volumes/", json={"volume": {"name": "x"}}, expect=404)


def test_a_resource_with_a_slash_after_its_id_is_not_found(cloud: ApiCloud) -> None:
    user = cloud.admin
    user.get(f"/identity/v3/users/{user.user_id}/", 404)


def test_a_body_nested_beyond_reason_is_refused(cloud: ApiCloud) -> None:
    for path in ("/network/v2.0/networks", "/compute/v2.1/servers/x/action"):
        for deep in (b'{"a":' * 100_000, b"[" * 5000 + b"]" * 5000):
            answer = cloud.admin.request("POST", path, content=deep, expect=400)
            assert "Malformed request body" in answer.text


def test_a_length_that_is_no_number_is_refused(cloud: ApiCloud) -> None:
    answer = cloud.admin.get("/network/v2.0/networks", 400, headers={"Content-Length": "abc"})
    assert answer.json()["NeutronError"]["type"] == "BadRequest"


@pytest.mark.parametrize("limit", ["²", "٣x", "9" * 30, "-1", "1.5", "9" * 5000])
def test_a_limit_that_is_no_number_is_refused(cloud: ApiCloud, limit: str) -> None:
    cloud.admin.get("/network/v2.0/networks", 400, params={"limit": limit})
