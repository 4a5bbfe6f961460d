"""Uploads by a form that its owner signed: a page of anybody's may bring files to one place.

Source: Swift's "FormPost".
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping

from tane.db.documents import load
from tane.services.object.domain import tempurl
from tane.services.object.domain.tempurl import Signed
from tane.services.object.store import database, places, stamps
from tane.web.errors import BadRequest, Unauthorized
from tane.web.request import Request

FIELDS = ("redirect", "max_file_size", "max_file_count", "expires")


def whole(fields: Mapping[str, str], name: str) -> int:
    """:raises BadRequest: it is no number."""
    text = fields.get(name, "")
    if not (text.isascii() and text.isdigit() and len(text) < 15):
        raise BadRequest(f"{name} not an integer")
    return int(text)


def check(request: Request, at: tuple[str, str, str], fields: Mapping[str, str]) -> Signed:
    """The right that the form's signature gives. :raises Unauthorized: it is not good, or over."""
    expires = tempurl.moment(fields.get("expires", ""))
    if expires <= stamps.of(request.core.clock.now()) // stamps.SECOND:
        raise Unauthorized("FormPost: Form Expired")
    account, container, prefix = at
    with database.of(request.core).read() as tx:
        row = places.place(tx, account, container)
    if row is None or row.container_id is None:
        raise Unauthorized("FormPost: Invalid Signature")
    digest, given = tempurl.signature(fields.get("signature", ""), request.core.config.object.allowed_digests)
    path = f"/v1/{account}/{container}" + (f"/{prefix}" if prefix else "")
    for key, whole_account in tempurl.keys(load(row.account_meta), load(row.container_meta)):
        for mount in ("", "/object-store"):
            # A folder that was signed is no beginning of its neighbours' names.
            for end in ("",) if prefix else ("", "/"):
                text = "\n".join([f"{mount}{path}{end}", *(fields.get(name, "") for name in FIELDS)])
                if hmac.compare_digest(hmac.new(key, text.encode(), digest).hexdigest(), given):
                    return Signed("", False, expires, whole_account)
    raise Unauthorized("FormPost: Invalid Signature")
