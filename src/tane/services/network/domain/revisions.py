"""``If-Match: revision_number=N`` (Networking API, "Revisions"): a change or delete of the resource in the path that
only holds for the revision its client has seen."""

from __future__ import annotations

import re
from typing import Any

from sqlalchemy.engine import Row

from tane.web.codec import whole
from tane.web.errors import BadRequest, PreconditionFailed
from tane.web.request import CURRENT

_QUOTED = re.compile(r'(?:^|[\s,])"([^"]*)"')
_TAG = "revision_number="


def check(row: Row[Any]) -> None:
    """Called with the row in the transaction that will change it, which no other can come before.

    :raises PreconditionFailed: the request is about this row and expects another revision. :raises BadRequest: the
        header is malformed.
    """
    request = CURRENT.get()
    if request is None or request.method == "GET":
        return
    header = request.headers.get("if-match")
    if not header or row.id != next(iter(request.path.values()), None):
        return
    expected = _expected(header)
    if expected is not None and expected != row.revision_number:
        raise PreconditionFailed(
            f"Constrained to {expected}, but current revision is {row.revision_number}",
            type="RevisionNumberConstraintFailed",
        )


def _expected(header: str) -> int | None:
    """The number the header names; other entity tags are nobody's here and say nothing, as upstream takes them."""
    found = [tag.removeprefix(_TAG) for tag in _QUOTED.findall(header) or [header.strip()] if tag.startswith(_TAG)]
    if not found:
        return None
    if len(found) > 1:
        raise BadRequest("Bad if-match request: Multiple revision_number etags are not supported.", type="BadRequest")
    number = whole(found[0])
    if number is None:
        raise BadRequest(
            "Bad if-match request: Revision number etag must be in the format of revision_number=<int>.",
            type="BadRequest",
        )
    return number
