"""Policies, locks and lifecycles below their API: what they cost, and how they come into an older database."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from sqlalchemy import inspect, text

from tane.clock import SystemClock
from tane.db import Database
from tane.services.object.domain import policies
from tane.services.object.domain.policies import Malformed, like, parsed
from tane.services.object.domain.s3 import lifecycle
from tane.services.object.domain.s3.lifecycle import Rule
from tane.services.object.store import database, places
from tane.web.context import Context
from tests.api.s3_support import S3
from tests.support import ApiCloud


@pytest.mark.parametrize(
    ("name", "pattern", "fits"),
    [
        ("a", "a", True),
        ("ab", "a", False),
        ("", "*", True),
        ("pub/a/b", "pub/*", True),
        ("pub", "pub/*", False),
        ("a1b2c", "a*b*c", True),
        ("abc", "a?c", True),
        ("abc", "a*?c", True),
        ("ac", "a?*c", False),
        ("aXbXc", "a*X?*c", True),
        ("aXbXcc", "*X?c", True),
        ("ab", "ab*b", False),
        ("line\nbreak", "line?break", True),
    ],
)
def test_patterns(name: str, pattern: str, fits: bool) -> None:
    assert like(name, pattern) is fits


def test_no_pattern_takes_long() -> None:
    begun = time.thread_time()
    for pattern in ("*" + "a" * 900 + "b*", "*a*a*a*a*a*a*a*b", "*" + "a?" * 400 + "b*"):
        assert not like("a" * 1024, pattern)
    assert time.thread_time() - begun < 0.1


@pytest.mark.parametrize("operator", ["IpAddress", "NotIpAddress"])
def test_an_address_that_is_not_known_lets_nobody_in_and_spares_nobody(operator: str) -> None:
    asked = policies.Asked(Context("req", user_id="u", project_id="p"), "", False)
    for effect, asks in (("Allow", policies.allows), ("Deny", policies.denies)):
        each = {"Effect": effect, "Principal": "*", "Action": "s3:*", "Resource": f"{policies.ARN}b/*"}
        condition = {operator: {"aws:SourceIp": "192.0.2.0/24"}}
        found = parsed(json.dumps({"Statement": [{**each, "Condition": condition}]}), "b")
        assert asks(found, asked, "s3:GetObject", "k") is (effect == "Deny")


def test_no_policy_takes_long() -> None:
    def stated(patterns: list[str], count: int) -> str:
        where = [f"{policies.ARN}b/{one}" for one in patterns]
        each = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": where}
        return json.dumps({"Statement": [each] * count})

    for costly in (
        stated(["*" + "a?" * 16 + "b*"] * 99, 3),
        stated(["*" + "a" * 40 + "b*"] * 99, 3),
        json.dumps({"Statement": [{**json.loads(stated(["*"], 1))["Statement"][0], "Action": ["*e*"] * 99}] * 10}),
    ):
        with pytest.raises(Malformed):
            parsed(costly, "b")
    asked = policies.Asked(Context("req", user_id="u", project_id="p"), "", False)
    for most in (
        stated(["*" + "a?" * 16 + "b*"] * 7, 1),
        stated(["*" + "a" * 40 + "b*"] * 49, 1),
        stated(["a" * 40 + "*"] * 99, 3),
    ):
        statements = parsed(most, "b")
        begun = time.thread_time()
        for _ in range(100):
            assert not policies.denies(statements, asked, "s3:GetObject", "a" * 30 + "c" + "a" * 990)
        assert time.thread_time() - begun < 0.2


@pytest.mark.parametrize(
    "given",
    [
        "",
        "[]",
        "{}",
        "[" * 10_000,
        '{"Statement": []}',
        '{"Statement": [{"Effect": "Allow"}]}',
        '{"Version": "2099-01-01", "Statement": []}',
        '{"Statement": ' + "[" * 5000 + "]" * 5000 + "}",
        "x" * (policies.MOST_BYTES + 1),
    ],
)
def test_what_is_no_policy(given: str) -> None:
    with pytest.raises(Malformed):
        parsed(given, "bucket")


def test_a_day_ends_at_midnight() -> None:
    stamp = 1_700_000_000 * 100_000
    assert lifecycle.midnight(stamp, 1).isoformat() == "2023-11-16T00:00:00"
    rule = Rule("r", prefix="logs/", larger=10, tags=[("a", "b")], days=1)
    tagged = '{"s3-tags": "[[\\"a\\", \\"b\\"]]"}'
    assert rule.fits("logs/1", 11, tagged) and not rule.fits("logs/1", 10, tagged)
    assert not rule.fits("log", 11, tagged) and not rule.fits("logs/1", 11, "{}")


def test_a_pass_is_bounded_and_the_next_one_goes_on(cloud: ApiCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    s3 = S3(cloud.new_user("mia", "garden"))
    rule = (
        b"<LifecycleConfiguration><Rule><Filter><Prefix></Prefix></Filter><Status>Enabled</Status>"
        b"<Expiration><Days>1</Days></Expiration></Rule></LifecycleConfiguration>"
    )
    for bucket in ("first", "second"):
        s3.put(f"/{bucket}")
        s3.put(f"/{bucket}?lifecycle", rule)
        for number in range(5):
            s3.put(f"/{bucket}/{number}", b"x")
    monkeypatch.setattr(lifecycle, "A_PAGE", 2)
    monkeypatch.setattr(lifecycle, "MOST_ROWS", 4)
    cloud.advance(3 * 24 * 3600)
    passes = [lifecycle.sweep(cloud.core)[0] for _ in range(6)]
    assert max(passes) <= 6 and sum(passes) == 10
    s3.put("/first/new", b"x")
    assert sum(lifecycle.sweep(cloud.core)[0] for _ in range(3)) == 0


def test_a_bucket_of_many_objects_keeps_no_other_from_its_turn(
    cloud: ApiCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3 = S3(cloud.new_user("mia", "garden"))
    head, tail = b"<LifecycleConfiguration><Rule><Filter>", b"</Rule></LifecycleConfiguration>"
    fits_none = b"<ObjectSizeGreaterThan>1000</ObjectSizeGreaterThan></Filter><Status>Enabled</Status>"
    fits_all = b"<Prefix></Prefix></Filter><Status>Enabled</Status>"
    expires = b"<Expiration><Days>1</Days></Expiration>"
    for bucket, rule, count in (("first", fits_none, 9), ("second", fits_all, 1), ("third", fits_all, 1)):
        s3.put(f"/{bucket}")
        s3.put(f"/{bucket}?lifecycle", head + rule + expires + tail)
        for number in range(count):
            s3.put(f"/{bucket}/{number}")
    for name, value in (("A_PAGE", 2), ("A_SHARE", 2), ("MOST_ROWS", 9)):
        monkeypatch.setattr(lifecycle, name, value)
    cloud.advance(3 * 24 * 3600)
    assert lifecycle.sweep(cloud.core)[0] == 2
    s3.put("/first/9", b"x" * 2000)
    s3.put("/second/new")
    cloud.advance(3 * 24 * 3600)
    passes = [lifecycle.sweep(cloud.core)[0] for _ in range(4)]
    assert sum(passes) == 2 and passes[0] > 0


def test_uploads_that_are_not_due_cost_no_turn_of_the_writer(cloud: ApiCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    s3 = S3(cloud.new_user("mia", "garden"))
    s3.put("/bucket")
    s3.post("/bucket/key?uploads")
    abort = (
        b"<AbortIncompleteMultipartUpload><DaysAfterInitiation>2</DaysAfterInitiation></AbortIncompleteMultipartUpload>"
    )
    rule = b"<Rule><Filter><Prefix></Prefix></Filter><Status>Enabled</Status>" + abort + b"</Rule>"
    s3.put("/bucket?lifecycle", b"<LifecycleConfiguration>" + rule * 3 + b"</LifecycleConfiguration>")
    writes = []
    write = Database.write
    monkeypatch.setattr(Database, "write", lambda self: writes.append(self) or write(self))
    assert lifecycle.sweep(cloud.core) == (0, 0, 0) and not writes
    cloud.advance(4 * 24 * 3600)
    writes.clear()
    assert lifecycle.sweep(cloud.core) == (0, 0, 1) and len(writes) == 1


def test_an_older_database_learns_of_locks_and_documents(tmp_path: Path) -> None:
    opened = Database(f"sqlite:///{tmp_path / 'tane.db'}", clock=SystemClock(), readers=1, apart="objects")
    try:
        database.APART.prepare(opened)
        with opened.write() as tx:
            for statement in (
                "DROP TABLE held",
                "DROP TABLE document",
                "DROP TABLE mark",
                "DROP INDEX ix_container_name",
            ):
                tx.execute(text(statement))
            account_id = places.add_account(tx, "AUTH_p", "default")
            for name in ("b", "b+segments"):
                opened_to_all = places.add_container(tx, account_id, name, "one")
                places.change_container(tx, opened_to_all, read_acl=".r:*,.rlistings")
            tx.execute(text("UPDATE object_schema SET number = 4"))
        database.APART.prepare(opened)
        with opened.read() as tx:
            found = inspect(tx.connection)
            assert all(found.has_table(name) for name in ("held", "document", "mark"))
            lists = {one: places.place(tx, "AUTH_p", one).read_acl for one in ("b", "b+segments")}
            assert lists == {"b": ".r:*,.rlistings", "b+segments": ""}
            assert "ix_container_name" in {index["name"] for index in found.get_indexes("container")}
    finally:
        opened.close()
