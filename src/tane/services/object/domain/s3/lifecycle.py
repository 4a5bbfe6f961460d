"""Rules by which objects of a bucket go by themselves, and the sweeper that follows them.

As in S3 a day ends at midnight (UTC): what is to go after so many days goes at the first one after these. A pass looks
at so many rows, and at a share of these in a bucket before all others had their turn; the next pass goes on there.

Source: Amazon S3 API Reference, "PutBucketLifecycleConfiguration".
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

import msgspec
from sqlalchemy.engine import Row

from tane.core import Core
from tane.db import Tx
from tane.db.documents import load
from tane.services.object.domain import access, content
from tane.services.object.domain.access import Visit
from tane.services.object.domain.locks import Held
from tane.services.object.domain.s3 import objects, uploads
from tane.services.object.domain.s3.errors import S3Error
from tane.services.object.store import database, documents, held, places, stamps
from tane.services.object.store import lifecycle as store
from tane.services.object.store import objects as rows
from tane.services.object.store import uploads as upload_rows
from tane.web.request import Request

KIND = "lifecycle"
MOST_TEXT = 128 << 10
"""Bytes of a bucket's rules: a thousand (S3's most) that have a prefix each."""
A_PAGE = 1000
MOST_ROWS, A_SHARE, SECONDS = 20_000, 2000, 5.0
"""Rows that a pass looks at, and those of one bucket in its turn; how long a pass takes at most."""
AT_ONCE = 100
"""So many objects go in a transaction: others want the writer, too."""
PLACE = "object-lifecycle"


class Rule(msgspec.Struct, frozen=True, omit_defaults=True):
    """``days``, ``noncurrent_days``, ``abort_days``: 0 for never. ``date``: an ISO date. ``markers``: those of
    deletions go behind which nothing is. ``keep``: so many newer old versions there must be."""

    id: str
    enabled: bool = True
    prefix: str = ""
    tags: list[tuple[str, str]] = []
    larger: int = -1
    smaller: int = -1
    days: int = 0
    date: str = ""
    markers: bool = False
    noncurrent_days: int = 0
    keep: int = 0
    abort_days: int = 0

    def fits(self, name: str, size: int, meta: str) -> bool:
        if not name.startswith(self.prefix) or (self.larger >= 0 and size <= self.larger):
            return False
        if self.smaller >= 0 and size >= self.smaller:
            return False
        if not self.tags:
            return True
        there = _tags(meta)
        return all(tag in there for tag in self.tags)


@lru_cache(maxsize=16)
def _tags(meta: str) -> frozenset[tuple[str, str]]:
    """Of an object; all rules of a bucket ask for it in a row."""
    kept = load(meta).get("s3-tags", "")
    return frozenset((key, value) for key, value in load(kept)) if kept else frozenset()


def midnight(stamp: int, days: int) -> datetime:
    """When what is so many days old then goes."""
    due = stamps.moment(stamp) + timedelta(days=days)
    begin = due.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    return begin if begin == due.replace(tzinfo=None) else begin + timedelta(days=1)


def is_due(now: datetime, stamp: int, days: int) -> bool:
    return now >= midnight(stamp, days)


# ------------------------------------------------------------------------------------------------------- documents


def rules_of(text: str) -> list[Rule]:
    return msgspec.json.decode(text, type=list[Rule])


def shown(request: Request, at: tuple[str, str]) -> list[Rule]:
    """:raises S3Error: there are none."""
    with database.of(request.core).read() as tx:
        visit = access.admit(request, tx, "post_container", "owner", (*at, ""))
        text = documents.find(tx, visit.there.container_id, KIND)
    if not text:
        raise S3Error("NoSuchLifecycleConfiguration", details={"BucketName": at[1]})
    return rules_of(text)


def set_rules(request: Request, at: tuple[str, str], rules: list[Rule]) -> None:
    """In place of those there are; none removes them. :raises S3Error: they are longer than is kept of a bucket."""
    text = msgspec.json.encode(rules).decode() if rules else ""
    if len(text) > MOST_TEXT:
        raise S3Error("InvalidRequest", f"The rules of a bucket may be {MOST_TEXT} bytes long, as they are kept.")
    with database.of(request.core).write() as tx:
        visit = access.admit(request, tx, "post_container", "owner", (*at, ""))
        documents.put(tx, visit.there.container_id, KIND, text)


# --------------------------------------------------------------------------------------------------------- sweeping


@dataclass
class Cursor:
    """Where a bucket's next turn goes on: with its objects or ("older") its versions, after which one.
    ``count``: of versions of that name that were seen; ``newer``: the stamp of what came in its place."""

    older: bool = False
    name: str = ""
    stamp: int = 0
    newer: int = 0
    count: int = 0


@dataclass
class Round:
    """``last``: the container that had its turn. ``open``: those that were not looked through in theirs."""

    last: int = 0
    open: dict[int, Cursor] = field(default_factory=dict)


@dataclass
class Pass:
    """``left``: rows that it may look at. ``cursor``: of the bucket whose turn it is."""

    core: Core
    left: int
    end: float
    cursor: Cursor = field(default_factory=Cursor)
    expired: int = 0
    versions: int = 0
    uploads: int = 0

    def is_over(self) -> bool:
        return self.left <= 0 or time.monotonic() > self.end


def sweep(core: Core) -> tuple[int, int, int]:
    """One pass: how many objects expired, old versions and markers went, and uploads were given up."""
    if not database.exists(core):
        return 0, 0, 0
    here: Round = core.memory.setdefault(PLACE, Round())
    going = Pass(core, MOST_ROWS, time.monotonic() + SECONDS)
    with database.of(core).read() as tx:
        over = held.any_over(tx, stamps.of(tx.now) // stamps.SECOND)
    if over:
        with database.of(core).write() as tx:
            held.clear(tx, stamps.of(tx.now) // stamps.SECOND)
    while not going.is_over():
        with database.of(core).read() as tx:
            found = documents.of_kind(tx, KIND, here.last, 1)
        if not found:
            break
        here.last = found[0].id
        _turn(going, here, found[0])
    else:
        return going.expired, going.versions, going.uploads
    # All had their turn: what is left of this pass is of those that need more.
    here.last = 0
    while here.open and not going.is_over():
        for container_id in sorted(here.open):
            if going.is_over():
                break
            with database.of(core).read() as tx:
                found = documents.of_kind(tx, KIND, container_id - 1, 1)
            if not found or found[0].id != container_id:
                del here.open[container_id]
            else:
                _turn(going, here, found[0])
    return going.expired, going.versions, going.uploads


def _turn(going: Pass, here: Round, bucket: Row[Any]) -> None:
    """A bucket's share of a pass, or what it needs of that."""
    cursor = going.cursor = here.open.pop(bucket.id, Cursor())
    going.left -= 1
    end, more = going.left - A_SHARE, True
    rules = [rule for rule in rules_of(bucket.text) if rule.enabled]
    while more and going.left > end and not going.is_over():
        if cursor.older:
            more = _versions(going, bucket, rules)
        elif not _objects(going, bucket, rules):
            cursor.older, cursor.name, cursor.stamp = True, "", 0
            _abort(going, bucket, rules)
    if more:
        here.open[bucket.id] = cursor


def _objects(going: Pass, bucket: Row[Any], rules: Iterable[Rule]) -> bool:
    """A page of current objects; whether that was not all."""
    own = [rule for rule in rules if rule.days or rule.date]
    if not own:
        return False
    with database.of(going.core).read() as tx:
        now = tx.now.replace(tzinfo=None)
        page = store.objects(tx, bucket.id, going.cursor.name, A_PAGE)
        due = [(row.name, row.stamp) for row in page if any(_is_over(rule, row, now) for rule in own)]
    going.left -= max(len(page), 1)
    for begin in range(0, len(due), AT_ONCE):
        with database.of(going.core).write() as tx:
            going.expired += sum(_expire(going.core, tx, bucket, *one) for one in due[begin : begin + AT_ONCE])
    if page:
        going.cursor.name = page[-1].name
    return len(page) == A_PAGE


def _is_over(rule: Rule, row: Row[Any], now: datetime) -> bool:
    if not rule.fits(row.name, row.size, row.meta):
        return False
    if rule.date:
        return now >= datetime.fromisoformat(rule.date)
    return is_due(now, row.stamp, rule.days)


def _expire(core: Core, tx: Tx, bucket: Row[Any], name: str, stamp: int) -> bool:
    """The object as it was seen; whether it went."""
    visit = _visit(tx, bucket, name)
    row = visit.row
    if row is None or row.container_id != bucket.id or row.id is None or row.stamp != stamp:
        return False
    try:
        objects.delete_current(core, tx, visit)
    except Held:
        return False
    return True


def _visit(tx: Tx, bucket: Row[Any], name: str) -> Visit:
    return Visit(bucket.account, bucket.name, name, places.object_in(tx, bucket.account, bucket.name, name), True)


def _versions(going: Pass, bucket: Row[Any], rules: Iterable[Rule]) -> bool:
    """A page of versions that are not current; whether that was not all."""
    own, here = [rule for rule in rules if rule.noncurrent_days or rule.markers], going.cursor
    if not own or bucket.versions_mode not in ("enabled", "suspended"):
        return False
    with database.of(going.core).read() as tx:
        now = tx.now.replace(tzinfo=None)
        page = store.versions(tx, bucket.id, here.name, here.stamp, A_PAGE)
        due = []
        for row in page:
            if row.name != here.name:
                here.name, here.newer, here.count = row.name, row.current or 0, 0
            if _goes(row, own, here, now):
                due.append((row.name, row.stamp))
            here.newer, here.stamp = row.stamp, row.stamp
            here.count += row.kind != "marker"
    going.left -= max(len(page), 1)
    for begin in range(0, len(due), AT_ONCE):
        with database.of(going.core).write() as tx:
            going.versions += sum(_drop(tx, bucket, *one) for one in due[begin : begin + AT_ONCE])
    return len(page) == A_PAGE


def _goes(row: Row[Any], rules: Iterable[Rule], here: Cursor, now: datetime) -> bool:
    """``here`` says what came in its place. A marker that is the latest goes when nothing is behind it."""
    for rule in rules:
        if not rule.fits(row.name, row.size, row.meta):
            continue
        if row.kind == "marker" and not here.newer:
            if rule.markers and row.alone:
                return True
            continue
        # Markers count for no "newer" version, and are none that is kept.
        days = rule.noncurrent_days
        if days and here.newer and here.count >= rule.keep and is_due(now, here.newer, days):
            return True
    return False


def _drop(tx: Tx, bucket: Row[Any], name: str, stamp: int) -> bool:
    row = rows.version_of(tx, bucket.id, name, stamp)
    if row is None:
        return False
    try:
        content.drop_version(tx, row)
    except Held:
        return False
    uploads.release(tx, row)
    return True


def _abort(going: Pass, bucket: Row[Any], rules: Iterable[Rule]) -> None:
    """Give up some uploads that are too old; their parts are removed like all that are given up. The writer is asked
    for only where there are any."""
    due: dict[str, None] = {}
    with database.of(going.core).read() as tx:
        now = tx.now.replace(tzinfo=None)
        for rule in rules:
            if not rule.abort_days or len(due) >= AT_ONCE:
                continue
            begun = upload_rows.begun(tx, bucket.id, rule.prefix, AT_ONCE)
            going.left -= max(len(begun), 1)
            due |= dict.fromkeys(row.id for row in begun if is_due(now, row.stamp, rule.abort_days))
    if not due:
        return
    with database.of(going.core).write() as tx:
        for upload_id in due:
            upload_rows.kill(tx, upload_id)
    going.uploads += len(due)
