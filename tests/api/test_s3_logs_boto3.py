"""Access logs of buckets, by a client that is not ours, boto3."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tane.services.identity import interface as identity
from tane.services.object.domain import access_log, inside
from tests.api.s3_support import S3, texts
from tests.api.s3_world import World, with_world
from tests.api.test_s3_boto3 import code
from tests.support import ApiCloud

PAGE = "https://x/?temp_url_sig=0a1b&X-Amz-Signatur%65=0a1b&temp_url_prefix=p"


def test_the_calls_of_a_bucket_are_written_to_another_one(cloud: ApiCloud) -> None:
    def work(world: World) -> None:
        s3, core = world.s3, world.cloud.core
        for bucket in ("seen", "logs", "other"):
            s3.create_bucket(Bucket=bucket)
        assert "LoggingEnabled" not in s3.get_bucket_logging(Bucket="seen")
        wanted = {"LoggingEnabled": {"TargetBucket": "logs", "TargetPrefix": "of-seen/"}}
        nowhere = {"LoggingEnabled": {"TargetBucket": "none", "TargetPrefix": ""}}
        assert code(s3.put_bucket_logging, Bucket="seen", BucketLoggingStatus=nowhere) == (
            "InvalidTargetBucketForLogging"
        )
        s3.put_bucket_logging(Bucket="seen", BucketLoggingStatus=wanted)
        assert s3.get_bucket_logging(Bucket="seen")["LoggingEnabled"] == wanted["LoggingEnabled"]
        access_log.deliver(core)
        kept = {one["Key"] for one in s3.list_objects_v2(Bucket="logs").get("Contents", [])}
        s3.put_object(Bucket="seen", Key="a b", Body=b"x")
        assert code(s3.get_object, Bucket="seen", Key="none") == "NoSuchKey"
        world.swift("GET", "/seen/a%20b", 200, headers={"User-Agent": 'evil" agent', "Referer": PAGE})
        address = s3.generate_presigned_url("get_object", {"Bucket": "seen", "Key": "a b"})
        httpx.get(address)
        assert code(world.foreign(signed=False).get_object, Bucket="seen", Key="a b") == "AccessDenied"
        s3.put_object(Bucket="other", Key="k", Body=b"x")
        assert access_log.deliver(core) == 1
        [name] = {one["Key"] for one in s3.list_objects_v2(Bucket="logs")["Contents"]} - kept
        assert name.startswith("of-seen/")
        lines = s3.get_object(Bucket="logs", Key=name)["Body"].read().decode().splitlines()
        assert all(line.startswith(f"{world.project} seen [") for line in lines)
        told = [line.split("+0000] ")[1].split()[3:5] for line in lines]
        assert told == [
            ["REST.PUT.OBJECT", "a%20b"],
            ["REST.GET.OBJECT", "none"],
            ["SWIFT.GET.OBJECT", "a%20b"],
            ["REST.GET.OBJECT", "a%20b"],
            ["REST.GET.OBJECT", "a%20b"],
        ]
        told_page = "https://x/?temp_url_sig=...&X-Amz-Signatur%65=...&temp_url_prefix=p"
        assert " 404 NoSuchKey " in lines[1] and f'"{told_page}" "evil? agent"' in lines[2] and " 403 " in lines[4]
        assert "Signature=...&" in lines[3] and "127.0.0.1" in lines[0] and world.mia.user_id in lines[0]
        s3.put_bucket_logging(Bucket="seen", BucketLoggingStatus={})
        access_log.deliver(core)
        s3.head_bucket(Bucket="seen")
        assert access_log.deliver(core) == 0

    with_world(cloud, work)


def test_an_access_log_that_nobody_takes_stays_small(cloud: ApiCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access_log, "MOST_BYTES", 400)
    where = access_log.Wish("AUTH_none", "seen", "logs", "")
    for _ in range(5):
        access_log.write(cloud.core, where, "x" * 60)
    kept = access_log._waiting(cloud.core)
    assert len(kept.accounts["AUTH_none"].lines[where]) == 1 and kept.dropped[where] == 4
    assert access_log.deliver(cloud.core) == 0 and not kept.accounts and not kept.size


def test_a_log_goes_where_its_owner_wants_it_or_nowhere(cloud: ApiCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """A target that was deleted stays so, a closed project gets none, and what fails takes no others with it."""
    s3 = S3(cloud.new_user("mia", "garden"))
    account = f"AUTH_{s3.caller.project_id}"
    s3.put("/logs")

    def delivered(*targets: str) -> int:
        for target in targets:
            access_log.write(cloud.core, access_log.Wish(account, "seen", target, ""), "a line")
        return access_log.deliver(cloud.core)

    assert delivered("gone", "logs") == 1 and s3.call("HEAD", "/gone").status_code == 404
    put = inside.put

    def fails(core: Any, shelf: Any, *args: Any, **more: Any) -> int:
        if shelf.container == "broken":
            raise OSError("no disk")
        return put(core, shelf, *args, **more)

    monkeypatch.setattr(inside, "put", fails)
    assert delivered("broken", "logs") == 1
    cloud.admin.request(
        "PATCH", f"/identity/v3/projects/{s3.caller.project_id}", json={"project": {"enabled": False}}, expect=200
    )
    monkeypatch.setitem(cloud.core.memory, identity.OPEN, {})
    assert delivered("logs") == 0


def test_nobody_keeps_the_lines_of_others_out_of_their_logs(cloud: ApiCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mass of one project's buckets gives way, and what it lost is told in its logs."""
    s3 = S3(cloud.new_user("mia", "garden"))
    for bucket in ("seen", "logs"):
        s3.put(f"/{bucket}")
    monkeypatch.setattr(access_log, "MOST_WAITING", 10_000)
    for number in range(2000):
        access_log.write(cloud.core, access_log.Wish("AUTH_loud", f"seen-{number}", "logs", ""), "x" * 60)
    mine = access_log.Wish(f"AUTH_{s3.caller.project_id}", "seen", "logs", "")
    for number in range(12):
        access_log.write(cloud.core, mine, f"mine {number}")
    kept = access_log._waiting(cloud.core)
    assert kept.size <= 10_000 and len(kept.accounts[mine.account].lines[mine]) == 12
    for number in range(100):
        access_log.write(cloud.core, mine, f"more {number}")
    assert kept.size <= 10_000 and sum(kept.dropped.values()) > 1900
    assert access_log.deliver(cloud.core) == 1
    [name] = texts(s3.get("/logs?list-type=2"), "Contents/Key")
    text = s3.get(f"/logs/{name}").text.splitlines()
    assert text[0] == "mine 0" and text[-1] == f"# {112 - len(text) + 1} lines more were not kept"
