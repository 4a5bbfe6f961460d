"""Documents and forms about buckets' rules that say too much, too little, or something else."""

from __future__ import annotations

import base64
import hmac
import itertools
import json
import random

import pytest

from tests.api.s3_support import S3
from tests.support import ApiCloud

HUGE, BEYOND, TEXTS = (
    "9" * 400,
    "9999-12-31T23:59:59-23:59",
    ("", " ", "-1", "0", "1e9", "9" * 30, "é", "\u0001", "Enabled", "true", "x" * 5000, "2999-13-45"),
)
LIFECYCLE = (
    *("ID", "Status", "Prefix", "Filter", "And", "Tag", "Key", "Value", "ObjectSizeGreaterThan", "ObjectSizeLessThan"),
    *("Expiration", "Days", "Date", "ExpiredObjectDeleteMarker", "NoncurrentVersionExpiration", "NoncurrentDays"),
    *("NewerNoncurrentVersions", "AbortIncompleteMultipartUpload", "DaysAfterInitiation", "Transition"),
)
LOCK = ("ObjectLockEnabled", "Rule", "DefaultRetention", "Mode", "Days", "Years", "RetainUntilDate", "Status")


@pytest.fixture
def s3(cloud: ApiCloud) -> S3:
    found = S3(cloud.new_user("mia", "garden"))
    found.put("/vault", x_amz_bucket_object_lock_enabled="true")
    found.put("/vault/key", b"x")
    return found


def drawn(dice: random.Random, names: tuple[str, ...], depth: int = 0) -> str:
    """Elements of these names in any order, some with texts."""
    found = ""
    for _ in range(dice.randrange(0, 4)):
        name = dice.choice(names)
        inner = drawn(dice, names, depth + 1) if depth < 3 and dice.random() < 0.6 else dice.choice(TEXTS)
        found += f"<{name}>{inner}</{name}>"
    return found


def test_documents_of_any_form_are_refused_or_understood(s3: S3) -> None:
    dice = random.Random(13)
    for _ in range(150):
        rules = "".join(f"<Rule>{drawn(dice, LIFECYCLE)}</Rule>" for _ in range(dice.randrange(0, 3)))
        body = f"<LifecycleConfiguration>{rules}</LifecycleConfiguration>".encode()
        answer = s3.call("PUT", "/vault?lifecycle", body)
        assert answer.status_code in (200, 400, 501), body
        shown = s3.call("GET", "/vault?lifecycle")
        if answer.status_code == 200:
            # What was taken is there, and is taken again as it is shown.
            assert shown.status_code == 200 and shown.text.count("<Rule>") == body.count(b"<Rule>"), (body, shown.text)
            s3.put("/vault?lifecycle", shown.content)
            assert s3.get("/vault?lifecycle").text == shown.text, body
            s3.delete("/vault?lifecycle")
        else:
            assert shown.status_code == 404, (body, shown.text)
    for path, root in (
        ("?object-lock", "ObjectLockConfiguration"),
        ("/key?retention", "Retention"),
        ("/key?legal-hold", "LegalHold"),
    ):
        for _ in range(40):
            body = f"<{root}>{drawn(dice, LOCK)}</{root}>".encode()
            answer = s3.call("PUT", f"/vault{path}", body)
            assert answer.status_code in (200, 400, 403), (body, answer.text)


def test_policies_of_any_form_are_refused_or_understood(s3: S3) -> None:
    dice = random.Random(13)
    odd = [
        None,
        1,
        True,
        [],
        {},
        "",
        "*",
        ["*"] * 101,
        {"AWS": []},
        {"AWS": [None]},
        HUGE,
        ["s3:GetObject", 5],
        "\ud83d\ude00",
    ]
    for names in itertools.combinations(("Effect", "Principal", "Action", "Resource", "Condition", "Sid"), 2):
        for _ in range(8):
            good = {
                "Effect": "Allow",
                "Principal": "*",
                "Action": "s3:GetObject",
                "Resource": "arn:aws:s3:::vault/*",
                "Condition": {"Bool": {"aws:SecureTransport": "true"}},
                "Sid": "a",
            }
            body = json.dumps({"Statement": {**good, **{name: dice.choice(odd) for name in names}}}).encode()
            answer = s3.call("PUT", "/vault?policy", body)
            assert answer.status_code in (204, 400), (body, answer.text)
    for body in (b"", b"{", b"{" * 9000, b"\xff{}", b"x" * 30_000):
        assert 400 <= s3.call("PUT", "/vault?policy", body).status_code < 500


def test_headers_of_locks_of_any_form(s3: S3) -> None:
    for mode, until, hold in itertools.product(
        ("", "COMPLIANCE", "x"), ("", "2090-01-01", "9999-99-99", BEYOND, HUGE), ("", "ON", "x")
    ):
        given = {
            "x_amz_object_lock_mode": mode,
            "x_amz_object_lock_retain_until_date": until,
            "x_amz_object_lock_legal_hold": hold,
        }
        more = {name: value for name, value in given.items() if value}
        md5 = base64.b64encode(bytes.fromhex("9dd4e461268c8034f5c8564e155c67a6")).decode()
        answer = s3.call("PUT", "/vault/new", b"x", content_md5=md5, **more)
        assert answer.status_code in (200, 400), (more, answer.text)
    for value in ("x", "-1", HUGE, "Tue", "9999-99-99T00:00:00Z"):
        for name in ("x_amz_if_match_size", "x_amz_if_match_last_modified_time"):
            assert s3.call("DELETE", "/vault/key", **{name: value}).status_code in (400, 412), (name, value)
    for value in ("", "x", "ETag,", "ETag,x", "ETag" * 2000):
        assert s3.call("GET", "/vault/key?attributes", x_amz_object_attributes=value).status_code in (200, 400)


def test_forms_of_any_kind(s3: S3) -> None:
    """Nobody reads a file whose form was not signed."""
    policies = ("", "x", "e30=", base64.b64encode(b'{"expiration": 5, "conditions": [[[]]]}').decode(), "é", HUGE)
    for policy, key, access in itertools.product(policies, ("k", "", "\u0000"), ("", s3.access)):
        fields = {"key": key, "policy": policy, "AWSAccessKeyId": access, "signature": "x"}
        answer = s3.api.call("POST", "/s3/vault", data=fields, files={"file": ("f", b"x")})
        assert answer.status_code in (400, 403), (fields, answer.text)

    def policy_of(expiration: object, *conditions: object) -> str:
        told = {"expiration": expiration, "conditions": list(conditions)}
        return base64.b64encode(json.dumps(told).encode()).decode()

    soon, far = f"{s3.api.core.clock.now().year + 1}-01-01T00:00:00Z", "9999-12-31T23:59:59-01:00"
    odd = [
        *("x", "e30=", "W10=", base64.b64encode(b"[" * 9000).decode(), policy_of(5), policy_of(far), policy_of(BEYOND)),
        *(policy_of(soon, [one]) for one in ([], [[]], {}, None)),
        policy_of(soon, ["content-length-range", -1, HUGE]),
        policy_of(soon, ["content-length-range", "²", 5]),
        *(policy_of(soon, ["eq", one, "k"]) for one in (None, "key", "$", "$key\u0000", HUGE)),
        policy_of(soon, {"key": ["k"]}),
        policy_of(soon, *[{"key": "k"}] * 201),
    ]
    for policy in odd:
        sign = base64.b64encode(hmac.new(s3.secret.encode(), policy.encode(), "sha1").digest()).decode()
        fields = {"key": "k", "policy": policy, "AWSAccessKeyId": s3.access, "signature": sign}
        answer = s3.api.call("POST", "/s3/vault", data=fields, files={"file": ("f", b"x")})
        assert answer.status_code in (400, 403) and "SignatureDoesNotMatch" not in answer.text, (policy, answer.text)
    good = policy_of(soon, {"key": "k"})
    sign = base64.b64encode(hmac.new(s3.secret.encode(), good.encode(), "sha1").digest()).decode()
    fields = {"key": "k", "policy": good, "AWSAccessKeyId": s3.access, "signature": sign}
    assert s3.api.call("POST", "/s3/vault", data=fields, files={"file": ("f", b"x")}).status_code == 204
    for head, body in (
        ("", b""),
        ("; boundary=x", b""),
        ("; boundary=x", b"--x\r\n\r\n--x--"),
        ("; boundary=" + "y" * 99, b"--"),
    ):
        headers = {"content-type": f"multipart/form-data{head}"}
        assert 400 <= s3.api.call("POST", "/s3/vault", headers=headers, content=body).status_code < 500
