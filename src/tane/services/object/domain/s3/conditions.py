"""What must be there for a write to be done, and ETags as S3 shows them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy.engine import Row

from tane.db import Tx
from tane.services.object.domain import content
from tane.services.object.domain.access import Visit
from tane.services.object.domain.s3.errors import S3Error
from tane.services.object.store import stamps


@dataclass(frozen=True)
class Expected:
    """What must be there for a write to be done: an object with one of these ETags ("*" any), or none."""

    match: str = ""
    none: bool = False
    size: int | None = None
    modified: int | None = None
    """Of deletions: its bytes, and the second (since 1970) of its last change."""

    def check(self, tx: Tx, visit: Visit) -> None:
        """Of what is current. :raises S3Error:"""
        row = visit.there
        self._check(row, exists=row.id is not None and not content.expired(row, tx))

    def check_version(self, row: Row[Any] | None) -> None:
        """Of a version that is named, None where it is not there; a marker has no bytes. :raises S3Error:"""
        self._check(row, exists=row is not None and row.kind != "marker")

    def _check(self, row: Any, *, exists: bool) -> None:
        if self.none and exists:
            raise S3Error("PreconditionFailed", details={"Condition": "If-None-Match"})
        more = self.size is not None or self.modified is not None
        if (self.match or more) and not exists:
            raise S3Error("NoSuchKey")
        if self.size is not None and self.size != row.size:
            raise S3Error("PreconditionFailed", details={"Condition": "If-Match-Size"})
        if self.modified is not None and self.modified != -(-row.stamp // stamps.SECOND):
            raise S3Error("PreconditionFailed", details={"Condition": "If-Match-LastModifiedTime"})
        if self.match and self.match != "*" and self.match.strip('"') != etag(row.kind, row.etag):
            raise S3Error("PreconditionFailed", details={"Condition": "If-Match"})


def etag(kind: str, kept: str) -> str:
    """An ETag as S3 shows it: that of a large object that Swift made is no MD5 of the whole, and must not look so."""
    return f"{kept}-N" if kind in ("slo", "dlo") and "-" not in kept else kept
