"""What buckets say of their objects (locks, lifecycles, policies, forms), by a client that is not ours, boto3."""

from __future__ import annotations

import hmac
import json
from typing import Any

import httpx
import pytest

from tane.services.object.domain import expiry
from tane.services.object.domain.s3 import lifecycle, uploads
from tests.api.s3_world import PART, World, with_world
from tests.api.test_s3_boto3 import code
from tests.support import ApiCloud

DAY = 24 * 3600


# ------------------------------------------------------------------------------------------------------------ locks


def test_what_is_locked_stays_whoever_asks_by_whichever_api(cloud: ApiCloud) -> None:
    def work(world: World) -> None:
        s3 = world.s3
        s3.create_bucket(Bucket="vault", ObjectLockEnabledForBucket=True)
        assert s3.get_bucket_versioning(Bucket="vault")["Status"] == "Enabled"
        until = world.later(10)
        locked = {"ObjectLockMode": "COMPLIANCE", "ObjectLockRetainUntilDate": until}
        version = s3.put_object(Bucket="vault", Key="deed", Body=b"mine", **locked)["VersionId"]
        head = s3.head_object(Bucket="vault", Key="deed")
        assert (head["ObjectLockMode"], head["ObjectLockRetainUntilDate"]) == ("COMPLIANCE", until)
        named = {"Bucket": "vault", "Key": "deed", "VersionId": version}
        assert s3.get_object_retention(**named)["Retention"] == {"Mode": "COMPLIANCE", "RetainUntilDate": until}
        for client in (s3, world.manager):
            assert code(client.delete_object, **named) == "AccessDenied"
            assert code(client.delete_object, BypassGovernanceRetention=True, **named) == "AccessDenied"
            for mode, when in (("COMPLIANCE", world.later(5)), ("GOVERNANCE", world.later(20))):
                wanted = {"Mode": mode, "RetainUntilDate": when}
                assert code(client.put_object_retention, Retention=wanted, **named) == "AccessDenied"
        refused = s3.delete_objects(Bucket="vault", Delete={"Objects": [{"Key": "deed", "VersionId": version}]})
        assert refused["Errors"][0]["Code"] == "AccessDenied"
        s3.put_object_retention(Retention={"Mode": "COMPLIANCE", "RetainUntilDate": world.later(12)}, **named)

        world.swift("DELETE", f"/vault/deed?version-id={version}", 403)
        world.swift("POST", "/vault/deed", 403, headers={"X-Delete-After": "1"})
        world.swift("POST", "/vault", 409, headers={"X-Versions-Enabled": "false"})
        world.swift("POST", "/vault", 409, headers={"X-Versions-Location": "elsewhere"})
        assert code(s3.put_bucket_versioning, Bucket="vault", VersioningConfiguration={"Status": "Suspended"}) == (
            "InvalidBucketState"
        )
        admin = cloud_admin(world)
        gone = httpx.request(
            "DELETE",
            f"http://127.0.0.1:{world.port}/object-store/v1/AUTH_{world.project}",
            headers={"X-Auth-Token": admin},
        )
        assert gone.status_code == 403
        world.swift("PUT", "/vault/deed", 201, content=b"another")
        s3.delete_object(Bucket="vault", Key="deed")
        assert s3.get_object(**named)["Body"].read() == b"mine"
        assert code(s3.delete_bucket, Bucket="vault") == "BucketNotEmpty"
        world.cloud.advance(13 * DAY)
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr("botocore.auth.get_current_datetime", lambda **_: world.now.replace(tzinfo=None))
            s3.delete_object(**named)

    with_world(cloud, work)


def cloud_admin(world: World) -> str:
    body = {
        "auth": {
            "identity": {
                "methods": ["password"],
                "password": {
                    "user": {"name": "admin", "domain": {"id": "default"}, "password": "correct horse battery"}
                },
            },
            "scope": {"project": {"name": "admin", "domain": {"id": "default"}}},
        }
    }
    found = httpx.post(f"http://127.0.0.1:{world.port}/identity/v3/auth/tokens", json=body)
    return found.headers["x-subject-token"]


def test_governance_is_passed_over_by_who_may_and_holds_are_lifted(cloud: ApiCloud) -> None:
    def work(world: World) -> None:
        s3 = world.s3
        s3.create_bucket(Bucket="vault")
        wanted = {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 3}}}
        assert code(s3.get_object_lock_configuration, Bucket="vault") == "ObjectLockConfigurationNotFoundError"
        assert code(s3.put_object_lock_configuration, Bucket="vault", ObjectLockConfiguration=wanted) == (
            "InvalidBucketState"
        )
        hold = {"Bucket": "vault", "Key": "a", "Body": b"x", "ObjectLockLegalHoldStatus": "ON"}
        assert code(s3.put_object, **hold) == "InvalidRequest"
        s3.put_bucket_versioning(Bucket="vault", VersioningConfiguration={"Status": "Enabled"})
        s3.put_object_lock_configuration(Bucket="vault", ObjectLockConfiguration=wanted)
        assert s3.get_object_lock_configuration(Bucket="vault")["ObjectLockConfiguration"] == wanted
        world.swift("PUT", "/vault/by-swift", 201, content=b"kept, too")
        kept = s3.head_object(Bucket="vault", Key="by-swift")
        assert kept["ObjectLockMode"] == "GOVERNANCE"
        named = {"Bucket": "vault", "Key": "by-swift", "VersionId": kept["VersionId"]}
        assert code(s3.delete_object, **named) == "AccessDenied"
        assert code(s3.delete_object, BypassGovernanceRetention=True, **named) == "AccessDenied"
        assert code(world.manager.delete_object, **named) == "AccessDenied"
        soon = {"Mode": "GOVERNANCE", "RetainUntilDate": world.later(1)}
        assert code(world.manager.put_object_retention, Retention=soon, **named) == "AccessDenied"
        world.manager.put_object_retention(Retention=soon, BypassGovernanceRetention=True, **named)
        s3.put_object_legal_hold(LegalHold={"Status": "ON"}, **named)
        assert code(world.manager.delete_object, BypassGovernanceRetention=True, **named) == "AccessDenied"
        assert s3.get_object_legal_hold(**named)["LegalHold"]["Status"] == "ON"
        s3.put_object_legal_hold(LegalHold={"Status": "OFF"}, **named)
        world.manager.delete_object(BypassGovernanceRetention=True, **named)
        assert code(s3.head_object, **named) == "404"
        past = {"Mode": "GOVERNANCE", "RetainUntilDate": world.later(-1)}
        s3.put_object(Bucket="vault", Key="b", Body=b"x")
        assert code(s3.put_object_retention, Bucket="vault", Key="b", Retention=past) == "InvalidArgument"

    with_world(cloud, work)


def test_the_parts_of_what_is_locked_stay_too(cloud: ApiCloud) -> None:
    def work(world: World) -> None:
        s3 = world.s3
        s3.create_bucket(Bucket="vault", ObjectLockEnabledForBucket=True)
        world.swift("PUT", "/vault%2Bsegments", 201, headers={"X-Versions-Enabled": "true"})
        locked = {"ObjectLockMode": "COMPLIANCE", "ObjectLockRetainUntilDate": world.later(10)}
        version = world.upload_parts("vault", "large", **locked)
        parts = world.swift("GET", "/vault%2Bsegments", 200).text.split()
        assert len(parts) == 2
        for part in parts:
            where = f"/vault%2Bsegments/{part}"
            world.swift("DELETE", where, 403)
            world.swift("DELETE", f"{where}?version-id=null", 403)
            world.swift("PUT", where, 403, content=b"changed")
            world.swift("POST", where, 403, headers={"X-Delete-After": "1"})
        world.swift("POST", "/vault%2Bsegments", 204, headers={"X-Versions-Enabled": "true"})
        world.swift("DELETE", f"/vault%2Bsegments/{parts[0]}", 403)
        bulk = world.swift("POST", "?bulk-delete", 200, content="\n".join(f"vault%2Bsegments/{part}" for part in parts))
        assert "Number Deleted: 0" in bulk.text
        world.swift("DELETE", f"/vault/large?multipart-manifest=delete&version-id={version}", 200)
        s3.delete_object(Bucket="vault", Key="large")
        uploads.sweep(world.cloud.core)
        expiry.run(world.cloud.core)
        found = s3.get_object(Bucket="vault", Key="large", VersionId=version)["Body"].read()
        assert found == PART + b"end"

    with_world(cloud, work)


# -------------------------------------------------------------------------------------------------------- lifecycle


def test_objects_go_by_the_rules_of_their_bucket(cloud: ApiCloud) -> None:
    def work(world: World) -> None:
        s3, core = world.s3, world.cloud.core
        s3.create_bucket(Bucket="bkt")
        assert code(s3.get_bucket_lifecycle_configuration, Bucket="bkt") == "NoSuchLifecycleConfiguration"
        rules = [
            {"ID": "logs", "Status": "Enabled", "Filter": {"Prefix": "logs/"}, "Expiration": {"Days": 2}},
            {
                "ID": "tagged",
                "Status": "Enabled",
                "Filter": {"And": {"Prefix": "t/", "Tags": [{"Key": "keep", "Value": "no"}]}},
                "Expiration": {"Date": world.later(1).replace(hour=0, minute=0, second=0)},
            },
            {
                "ID": "parts",
                "Status": "Enabled",
                "Filter": {"Prefix": ""},
                "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
            },
            {"ID": "off", "Status": "Disabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 1}},
        ]
        s3.put_bucket_lifecycle_configuration(Bucket="bkt", LifecycleConfiguration={"Rules": rules})
        shown = s3.get_bucket_lifecycle_configuration(Bucket="bkt")["Rules"]
        assert [rule["ID"] for rule in shown] == ["logs", "tagged", "parts", "off"]
        assert shown[0]["Expiration"] == {"Days": 2} and shown[1]["Filter"] == rules[1]["Filter"]
        for key, tags in (("logs/1", ""), ("keep", ""), ("t/a", "keep=no"), ("t/b", "keep=yes")):
            s3.put_object(Bucket="bkt", Key=key, Body=b"x" * 20_000, Tagging=tags)
        s3.create_multipart_upload(Bucket="bkt", Key="never")
        names = lambda: [one["Key"] for one in s3.list_objects_v2(Bucket="bkt").get("Contents", [])]  # noqa: E731
        assert lifecycle.sweep(core) == (0, 0, 0)
        world.cloud.advance(DAY)
        swept(world, (1, 0, 0))
        with at_the_clock(world):
            assert names() == ["keep", "logs/1", "t/b"]
            world.cloud.advance(DAY)
            swept(world, (0, 0, 1))
            world.cloud.advance(DAY)
            swept(world, (1, 0, 0))
            assert names() == ["keep", "t/b"]
            assert "Uploads" not in s3.list_multipart_uploads(Bucket="bkt")
            s3.delete_bucket_lifecycle(Bucket="bkt")
            moved = [{**rules[0], "Expiration": {}, "Transitions": [{"Days": 1, "StorageClass": "GLACIER"}]}]
            moved[0].pop("Expiration")
            assert code(
                s3.put_bucket_lifecycle_configuration, Bucket="bkt", LifecycleConfiguration={"Rules": moved}
            ) == ("NotImplemented")

    with_world(cloud, work)


def swept(world: World, expected: tuple[int, int, int]) -> None:
    """What passes of the sweeper come to. A pass ends with its last bucket."""
    found = [lifecycle.sweep(world.cloud.core) for _ in range(2)]
    assert tuple(map(sum, zip(*found, strict=True))) == expected


def at_the_clock(world: World) -> Any:
    """Let boto3 sign at the cloud's time."""
    patched = pytest.MonkeyPatch.context()
    inner = patched.__enter__()
    inner.setattr("botocore.auth.get_current_datetime", lambda **_: world.now.replace(tzinfo=None))

    class Until:
        def __enter__(self) -> None: ...

        def __exit__(self, *exc: Any) -> None:
            patched.__exit__(*exc)

    return Until()


def test_older_versions_and_lone_markers_go_and_what_is_locked_stays(cloud: ApiCloud) -> None:
    def work(world: World) -> None:
        s3 = world.s3
        s3.create_bucket(Bucket="bkt", ObjectLockEnabledForBucket=True)
        rule = {
            "ID": "old",
            "Status": "Enabled",
            "Filter": {"Prefix": ""},
            "Expiration": {"ExpiredObjectDeleteMarker": True},
            "NoncurrentVersionExpiration": {"NoncurrentDays": 1, "NewerNoncurrentVersions": 1},
        }
        s3.put_bucket_lifecycle_configuration(Bucket="bkt", LifecycleConfiguration={"Rules": [rule]})
        [shown] = s3.get_bucket_lifecycle_configuration(Bucket="bkt")["Rules"]
        assert shown["NoncurrentVersionExpiration"] == rule["NoncurrentVersionExpiration"]
        made = [s3.put_object(Bucket="bkt", Key="k", Body=bytes([one]))["VersionId"] for one in range(4)]
        until = {"Mode": "COMPLIANCE", "RetainUntilDate": world.later(30)}
        s3.put_object_retention(Bucket="bkt", Key="k", VersionId=made[0], Retention=until)
        s3.delete_object(Bucket="bkt", Key="gone")
        world.cloud.advance(2 * DAY)
        swept(world, (0, 2, 0))
        with at_the_clock(world):
            listed = s3.list_object_versions(Bucket="bkt")
            assert [one["VersionId"] for one in listed["Versions"]] == [made[3], made[2], made[0]]
            assert "DeleteMarkers" not in listed
            assert s3.get_object(Bucket="bkt", Key="k", VersionId=made[0])["Body"].read() == b"\0"
        # Those that expire make room for a marker, where versions are kept.
        whole = {"ID": "all", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 1}}
        with at_the_clock(world):
            s3.put_bucket_lifecycle_configuration(Bucket="bkt", LifecycleConfiguration={"Rules": [whole]})
            world.cloud.advance(2 * DAY)
            swept(world, (1, 0, 0))
            listed = s3.list_object_versions(Bucket="bkt")
            assert len(listed["Versions"]) == 3 and listed["DeleteMarkers"][0]["IsLatest"]

    with_world(cloud, work)


# --------------------------------------------------------------------------------------------------------- policies


def policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def says(effect: str, who: Any, action: Any, *where: str, **more: Any) -> dict[str, Any]:
    places = [f"arn:aws:s3:::{one}" for one in where]
    return {"Effect": effect, "Principal": who, "Action": action, "Resource": places, **more}


def test_a_policy_lets_strangers_in_and_keeps_others_out_by_both_apis(cloud: ApiCloud) -> None:
    def work(world: World) -> None:
        s3, eve, nobody = world.s3, world.foreign(), world.foreign(signed=False)
        s3.create_bucket(Bucket="bkt")
        for key in ("pub/a", "secret", "own/x"):
            s3.put_object(Bucket="bkt", Key=key, Body=key.encode())
        world.upload_parts("bkt", "pub/large")
        assert code(s3.get_bucket_policy, Bucket="bkt") == "NoSuchBucketPolicy"
        for client in (eve, nobody):
            assert code(client.get_object, Bucket="bkt", Key="pub/a") == "AccessDenied"
            assert code(client.get_object, Bucket="none", Key="pub/a") == "AccessDenied"
        attic = {"AWS": f"arn:aws:iam::{world.others.caller.project_id}:root"}
        text = policy(
            says("Allow", "*", "s3:GetObject", "bkt/pub/*"),
            says("Allow", attic, ["s3:PutObject", "s3:DeleteObject"], "bkt/own/*"),
            says("Allow", attic, "s3:ListBucket", "bkt", Condition={"StringEquals": {"s3:prefix": "pub/"}}),
            says("Deny", "*", "s3:*", "bkt/secret"),
        )
        s3.put_bucket_policy(Bucket="bkt", Policy=text)
        assert json.loads(s3.get_bucket_policy(Bucket="bkt")["Policy"]) == json.loads(text)
        assert s3.get_bucket_policy_status(Bucket="bkt")["PolicyStatus"]["IsPublic"] is True
        for client in (eve, nobody):
            assert client.get_object(Bucket="bkt", Key="pub/a")["Body"].read() == b"pub/a"
            assert client.get_object(Bucket="bkt", Key="pub/large")["Body"].read() == PART + b"end"
            assert code(client.get_object, Bucket="bkt", Key="own/x") == "AccessDenied"
        assert eve.list_objects_v2(Bucket="bkt", Prefix="pub/")["Contents"][0]["Key"] == "pub/a"
        assert code(eve.list_objects_v2, Bucket="bkt", Prefix="own/") == "AccessDenied"
        assert code(nobody.list_objects_v2, Bucket="bkt", Prefix="pub/") == "AccessDenied"
        eve.put_object(Bucket="bkt", Key="own/new", Body=b"by eve")
        assert code(eve.put_object, Bucket="bkt", Key="pub/a", Body=b"by eve") == "AccessDenied"
        assert code(nobody.put_object, Bucket="bkt", Key="own/new", Body=b"by nobody") == "AccessDenied"
        assert (
            code(eve.put_bucket_policy, Bucket="bkt", Policy=policy(says("Allow", "*", "s3:*", "bkt/*")))
            == "AccessDenied"
        )
        eve.delete_object(Bucket="bkt", Key="own/new")
        held = {"ObjectLockMode": "COMPLIANCE", "ObjectLockRetainUntilDate": world.later(9)}
        assert code(eve.put_object, Bucket="bkt", Key="own/new", Body=b"x", **held) == "AccessDenied"
        assert code(eve.put_object_legal_hold, Bucket="bkt", Key="own/x", LegalHold={"Status": "ON"}) == "AccessDenied"
        assert code(eve.put_object_tagging, Bucket="bkt", Key="own/x", Tagging={"TagSet": []}) == "AccessDenied"
        for client in (s3, world.manager, eve):
            assert code(client.get_object, Bucket="bkt", Key="secret") == "AccessDenied"
            assert code(client.delete_object, Bucket="bkt", Key="secret") == "AccessDenied"
        world.swift("GET", "/bkt/secret", 403)
        world.swift("PUT", "/bkt/secret", 403, content=b"x")
        world.swift("POST", "/bkt", 204, headers={"X-Container-Read": ".r:*", "X-Container-Write": "*:*"})
        world.swift("GET", "/bkt/secret", 403)
        world.swift("PUT", "/bkt/copy", 403, headers={"X-Copy-From": "bkt/secret"}, content=b"")
        # Neither do signed addresses and links get round it.
        world.swift("POST", "", 204, headers={"X-Account-Meta-Temp-URL-Key": "key"})
        world.swift("PUT", "/side", 201)
        world.swift("PUT", "/side/link", 201, headers={"X-Symlink-Target": "bkt/secret"}, content=b"")
        for where in ("bkt/secret", "side/link"):
            path = f"/v1/AUTH_{world.project}/{where}"
            text = f"GET\n{int(world.now.timestamp()) + 600}\n{path}"
            signed = hmac.new(b"key", text.encode(), "sha256").hexdigest()
            query = f"temp_url_sig={signed}&temp_url_expires={text.split()[1]}"
            found = httpx.get(f"http://127.0.0.1:{world.port}/object-store{path}?{query}")
            assert found.status_code in (401, 403) and found.text != "secret"
        s3.delete_bucket_policy(Bucket="bkt")
        assert s3.get_object(Bucket="bkt", Key="secret")["Body"].read() == b"secret"

    with_world(cloud, work)


def test_what_policies_do_not_offer_is_refused_by_its_name(cloud: ApiCloud) -> None:
    def work(world: World) -> None:
        s3 = world.s3
        s3.create_bucket(Bucket="bkt")
        good = says("Allow", "*", "s3:GetObject", "bkt/*")
        wrong = [
            ({**good, "NotPrincipal": "*"}, "NotPrincipal"),
            ({**good, "Principal": {"Federated": "x"}}, "Federated"),
            ({**good, "Action": "s3:ReplicateObject"}, "s3:ReplicateObject"),
            ({**good, "Resource": "arn:aws:s3:::other/*"}, "other"),
            ({**good, "Condition": {"StringEquals": {"aws:username": "mia"}}}, "aws:username"),
            ({**good, "Condition": {"IpAddress": {"aws:SourceIp": "somewhere"}}}, "SourceIp"),
            ({**good, "Effect": "Perhaps"}, "Perhaps"),
            ({**good, "Resource": "arn:aws:s3:::bkt/" + "*a" * 20}, "resource"),
        ]
        for statement, named in wrong:
            with pytest.raises(s3.exceptions.ClientError) as refused:
                s3.put_bucket_policy(Bucket="bkt", Policy=policy(statement))
            told = refused.value.response["Error"]
            assert told["Code"] == "MalformedPolicy" and named in told["Message"], told
        nobody = world.foreign(signed=False)
        s3.put_object(Bucket="bkt", Key="k", Body=b"x")
        for condition, opens in (
            ({"IpAddress": {"aws:SourceIp": "127.0.0.0/8"}}, True),
            ({"IpAddress": {"aws:SourceIp": ["192.0.2.0/24"]}}, False),
            ({"NotIpAddress": {"aws:SourceIp": "127.0.0.1"}}, False),
            ({"Bool": {"aws:SecureTransport": "true"}}, False),
            ({"Bool": {"aws:SecureTransport": "false"}, "IpAddress": {"aws:SourceIp": "127.0.0.1/32"}}, True),
        ):
            s3.put_bucket_policy(Bucket="bkt", Policy=policy({**good, "Condition": condition}))
            if opens:
                nobody.get_object(Bucket="bkt", Key="k")
            else:
                assert code(nobody.get_object, Bucket="bkt", Key="k") == "AccessDenied", condition

    with_world(cloud, work)


# ------------------------------------------------------------------------------------ forms, attributes, conditions


def test_files_of_signed_forms(cloud: ApiCloud) -> None:
    def work(world: World) -> None:
        s3 = world.s3
        s3.create_bucket(Bucket="bkt")
        fields = {"success_action_status": "201", "Content-Type": "text/plain"}
        conditions = [
            {"success_action_status": "201"},
            ["starts-with", "$Content-Type", "text/"],
            ["content-length-range", 2, 10],
            ["starts-with", "$x-amz-meta-by", ""],
        ]

        def post(form: Any, content: bytes = b"hello", **more: str) -> httpx.Response:
            return httpx.post(form["url"], data={**form["fields"], **more}, files={"file": ("my.txt", content)})

        for client in (s3, world.session.client(signature_version="s3")):
            form = client.generate_presigned_post("bkt", "up/${filename}", fields, conditions, 600)
            done = post(form, **{"x-amz-meta-by": "mia"})
            assert done.status_code == 201 and "<Key>up/my.txt</Key>" in done.text, done.text
            got = s3.get_object(Bucket="bkt", Key="up/my.txt")
            assert (got["Body"].read(), got["ContentType"], got["Metadata"]) == (b"hello", "text/plain", {"by": "mia"})
            s3.delete_object(Bucket="bkt", Key="up/my.txt")
            for content, more, told in (
                (b"x", {}, "EntityTooSmall"),
                (b"x" * 11, {}, "EntityTooLarge"),
                (b"hello", {"Content-Type": "image/png"}, "Policy Condition failed"),
                (b"hello", {"acl": "public-read"}, "Extra input fields"),
                (b"hello", {"key": "elsewhere"}, "Policy Condition failed"),
                (b"hello", {"policy": form["fields"]["policy"][:-4] + "fQ=="}, "SignatureDoesNotMatch"),
            ):
                refused = post(form, content, **more)
                assert refused.status_code in (400, 403) and told in refused.text, refused.text
        redirect = {"success_action_redirect": "https://example.org/done"}
        form = s3.generate_presigned_post("bkt", "k", redirect, [redirect], 600)
        led = post(form)
        assert led.status_code == 303 and led.headers["location"].startswith(
            "https://example.org/done?bucket=bkt&key=k"
        )
        form = s3.generate_presigned_post("bkt", "k", ExpiresIn=1)
        # The form ends by the client's clock, which went on while the cloud's stood still.
        world.cloud.advance(3600)
        assert "Policy expired" in post(form).text
        assert httpx.post(form["url"], data={"key": "k"}, files={"file": b"x"}).status_code == 403

    with_world(cloud, work)


def test_attributes_and_conditions_of_deletions(cloud: ApiCloud) -> None:
    def work(world: World) -> None:
        s3 = world.s3
        s3.create_bucket(Bucket="bkt")
        etag = s3.put_object(Bucket="bkt", Key="k", Body=b"hello", ChecksumAlgorithm="SHA256")["ETag"]
        asked = ["ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"]
        found = s3.get_object_attributes(Bucket="bkt", Key="k", ObjectAttributes=asked)
        assert (found["ETag"], found["ObjectSize"], found["StorageClass"]) == (etag.strip('"'), 5, "STANDARD")
        assert "ChecksumSHA256" in found["Checksum"] and "ObjectParts" not in found
        world.upload_parts("bkt", "large")
        parts = s3.get_object_attributes(Bucket="bkt", Key="large", ObjectAttributes=["ObjectParts"], MaxParts=1)
        assert parts["ObjectParts"]["TotalPartsCount"] == 2 and parts["ObjectParts"]["IsTruncated"]
        assert parts["ObjectParts"]["Parts"][0]["Size"] == len(PART)
        assert code(s3.get_object_attributes, Bucket="bkt", Key="none", ObjectAttributes=["ETag"]) == "NoSuchKey"
        s3.put_object(Bucket="bkt", Key="other", Body=b"x")
        wanted = [{"Key": "k", "ETag": etag}, {"Key": "other", "ETag": etag}, {"Key": "large", "Size": 1}]
        done = s3.delete_objects(Bucket="bkt", Delete={"Objects": wanted})
        assert [one["Key"] for one in done["Deleted"]] == ["k"]
        assert [(one["Key"], one["Code"]) for one in done["Errors"]] == [
            ("other", "PreconditionFailed"),
            ("large", "PreconditionFailed"),
        ]

    with_world(cloud, work)


def test_pages_ask_without_a_signature_and_public_buckets_need_none(cloud: ApiCloud) -> None:
    def work(world: World) -> None:
        s3, nobody = world.s3, world.foreign(signed=False)
        s3.create_bucket(Bucket="open", ACL="public-read")
        s3.put_object(Bucket="open", Key="a", Body=b"all see it")
        assert nobody.get_object(Bucket="open", Key="a")["Body"].read() == b"all see it"
        assert nobody.head_object(Bucket="open", Key="a")["ContentLength"] == 10
        assert [one["Key"] for one in nobody.list_objects_v2(Bucket="open")["Contents"]] == ["a"]
        assert code(nobody.get_object, Bucket="open", Key="none") == "NoSuchKey"
        for call, more in (
            (nobody.put_object, {"Key": "a", "Body": b"x"}),
            (nobody.delete_object, {"Key": "a"}),
            (nobody.get_bucket_acl, {}),
            (nobody.get_bucket_policy, {}),
            (nobody.create_multipart_upload, {"Key": "a"}),
        ):
            assert code(call, Bucket="open", **more) == "AccessDenied"
        assert code(nobody.list_buckets) == "AccessDenied"
        rule = {"AllowedOrigins": ["https://example.org"], "AllowedMethods": ["PUT"], "AllowedHeaders": ["*"]}
        s3.put_bucket_cors(Bucket="open", CORSConfiguration={"CORSRules": [rule]})
        asks = {"Origin": "https://example.org", "Access-Control-Request-Method": "PUT"}
        for path in (f"AUTH_{world.project}/open/a", "open/a", "open"):
            answer = httpx.options(f"http://127.0.0.1:{world.port}/s3/{path}", headers=asks)
            assert answer.headers.get("access-control-allow-origin") == "https://example.org", path
            refused = httpx.options(
                f"http://127.0.0.1:{world.port}/s3/{path}", headers={**asks, "Origin": "https://example.net"}
            )
            assert refused.status_code == 403
        address = s3.generate_presigned_url("put_object", {"Bucket": "open", "Key": "by-page"})
        sent = httpx.put(address, content=b"x", headers={"Origin": "https://example.org"})
        assert sent.headers["access-control-allow-origin"] == "https://example.org"

    with_world(cloud, work)
