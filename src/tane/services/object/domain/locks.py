"""Locks of objects: what must not be deleted or changed before its time, by whichever API.

A version's lock lies beside its metadata (``s3-lock``, ``s3-hold``), with which it moves. Large objects that S3's
uploads made are only as safe as their parts, which are objects of another container: for these a row of ``held`` says
the same. Whoever deletes, replaces or changes a row asks here; nobody is asked who only moves it among the versions.

Source: Amazon S3 User Guide, "Locking objects with Object Lock".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy.engine import Row

from tane.db import Tx
from tane.db.documents import load
from tane.services.object.store import held, stamps
from tane.web.errors import Forbidden

CONFIGURATION = "s3-lock"
"""Of a container: that it locks objects, and the retention of new ones."""
RETENTION, HOLD = "s3-lock", "s3-hold"
OF_OBJECTS = (RETENTION, HOLD)
UPLOAD = "s3-upload"
"""Of an object: from which upload it is, and where its parts are."""
GOVERNANCE, COMPLIANCE = "GOVERNANCE", "COMPLIANCE"
DAY = 24 * 3600
PART = re.compile(r"([0-9a-f]{32})/[0-9]{5}\Z")
TOLD = "Access Denied because object protected by object lock."


ELSEWHERE = "The segments of a large object of Swift's are not locked with it: put it whole, or in parts by S3."


class Held(Forbidden):
    """Its lock forbids that."""

    def __init__(self) -> None:
        super().__init__(TOLD)


@dataclass(frozen=True)
class Lock:
    """``until``: seconds since 1970, while ``mode`` forbids it; ``hold``: for as long as that is set."""

    mode: str = ""
    until: int = 0
    hold: bool = False

    def meta(self) -> dict[str, str]:
        """As it is kept."""
        kept = {RETENTION: f"{self.mode}:{self.until}"} if self.mode else {}
        return {**kept, HOLD: "ON"} if self.hold else kept

    def forbids(self, now: int, *, bypass: bool = False) -> bool:
        """``bypass``: who asks may pass governance over."""
        return self.hold or (self.until > now and not (bypass and self.mode == GOVERNANCE))


def of(meta: Mapping[str, str]) -> Lock:
    mode, _, until = meta.get(RETENTION, "").partition(":")
    return Lock(mode, int(until or 0), HOLD in meta)


def of_row(row: Row[Any]) -> Lock:
    """Of an object or a version."""
    text = row.meta
    return of(load(text)) if RETENTION in text or HOLD in text else Lock()


def now(tx: Tx) -> int:
    return stamps.of(tx.now) // stamps.SECOND


def require_free(tx: Tx, row: Row[Any], *, bypass: bool = False) -> None:
    """:raises Held: the object, or version, of this row must stay."""
    if of_row(row).forbids(now(tx), bypass=bypass):
        raise Held
    name = row.object_name if "object_name" in row._mapping else row.name
    require_free_part(tx, row.container_id, name)


def require_free_part(tx: Tx, container_id: int, name: str) -> None:
    """:raises Held: it is a part of what must stay."""
    found = PART.match(name)
    if found is None:
        return
    row = held.find(tx, container_id, found[1])
    if row is not None and Lock(row.mode, row.until, bool(row.hold)).forbids(now(tx)):
        raise Held


def of_new(container_meta: Mapping[str, str], asked: Lock | None, moment: int) -> Lock:
    """Of an object to be: what is asked for it, else the retention that the container gives."""
    asked = asked or Lock()
    if asked.mode or CONFIGURATION not in container_meta:
        return asked
    given = load(container_meta[CONFIGURATION])
    if not given.get("mode"):
        return asked
    return Lock(given["mode"], moment + (given.get("days", 0) + 365 * given.get("years", 0)) * DAY, asked.hold)


def points_elsewhere(kind: str, meta: Mapping[str, str]) -> bool:
    """Whether an object's bytes are other objects', which its lock does not hold."""
    return kind in ("slo", "dlo") and UPLOAD not in meta


def without(meta: Mapping[str, str]) -> dict[str, str]:
    """Metadata without a lock: a copy has its own."""
    return {name: value for name, value in meta.items() if name not in OF_OBJECTS}


def follow(tx: Tx, meta: Mapping[str, str]) -> None:
    """Let the parts of an object be locked as it is."""
    lock, kept = of(meta), meta.get(UPLOAD, "")
    if not kept:
        return
    upload_id, _, _, segments_id = kept.split("/")
    held.put(tx, int(segments_id), upload_id, lock.mode, lock.until, lock.hold)
