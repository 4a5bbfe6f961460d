"""Accounts: one for each project, there from its first change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy.engine import Row

from tane.db import Tx
from tane.services.object.domain import access, content, metadata
from tane.services.object.domain.access import Visit
from tane.services.object.store import blobs as blob_rows
from tane.services.object.store import database, listing, objects, places
from tane.services.object.store.listing import Page, Wanted
from tane.web.errors import BadRequest, NotFound
from tane.web.request import Request

QUOTA = "x-account-meta-quota-bytes"


@dataclass
class Shown:
    """``totals``: containers, objects, bytes; of each policy in ``policies``."""

    visit: Visit
    totals: Row[Any] | None
    policies: list[Row[Any]]
    page: Page


def show(request: Request, account: str, wanted: Wanted | None = None) -> Shown:
    """The account, with a page of its containers when that is asked for. One that nobody has changed yet is empty."""
    access.identify(request)
    with database.of(request.core).read() as tx:
        visit = access.admit(request, tx, "get_account", "owner", (account, "", ""))
        if visit.row is None:
            return Shown(visit, None, [], Page())
        account_id = visit.row.account_id
        page = listing.containers(tx, account_id, wanted) if wanted is not None else Page()
        return Shown(visit, places.totals(tx, account_id), places.totals_by_policy(tx, account_id), page)


def change(request: Request, account: str, changes: Mapping[str, str]) -> None:
    """:raises BadRequest: over a limit. :raises Forbidden: a quota is the reseller's to set."""
    access.identify(request)
    quota = "x-account-quota-bytes"
    with database.of(request.core).write() as tx:
        visit = access.admit(request, tx, "post_account", "owner", (account, "", ""))
        asked = quota in request.headers or f"x-remove-{quota[2:]}" in request.headers or QUOTA in changes
        if asked and not request.allows("object_store:set_account_quota"):
            raise access.refused(request)
        values = dict(changes)
        if quota in request.headers:
            values[QUOTA] = request.headers[quota]
        elif f"x-remove-{quota[2:]}" in request.headers:
            values[QUOTA] = ""
        if values.get(QUOTA) and not (values[QUOTA].isascii() and values[QUOTA].isdigit()):
            raise BadRequest("X-Account-Meta-Quota-Bytes must be an integer")
        account_id = access.account_of(request, tx, visit)
        places.change_account(tx, account_id, metadata.merged(visit.account_meta, values, "account"))


def create(request: Request, account: str, changes: Mapping[str, str]) -> bool:
    """Make it, or change its metadata; whether it is new. For resellers."""
    access.identify(request)
    with database.of(request.core).write() as tx:
        visit = access.admit(request, tx, "put_account", "owner", (account, "", ""))
        account_id = access.account_of(request, tx, visit)
        places.change_account(tx, account_id, metadata.merged(visit.account_meta, changes, "account"))
        return visit.row is None


def remove(request: Request, account: str) -> None:
    """Delete an account with all that is in it. For resellers. :raises NotFound: there is none."""
    access.identify(request)
    with database.of(request.core).write() as tx:
        visit = access.admit(request, tx, "delete_account", "owner", (account, "", ""))
        if visit.row is None:
            raise NotFound("The resource could not be found.")
        for container_id in places.containers_of(tx, visit.row.account_id):
            _empty(tx, container_id)
            places.delete_container(tx, container_id)
        places.delete_account(tx, visit.row.account_id)


def _empty(tx: Tx, container_id: int) -> None:
    for row in objects.all_in(tx, container_id):
        content.remove(tx, row)
    for row in objects.versions_in(tx, container_id):
        objects.remove_version(tx, row.id)
        if row.blob_id is not None:
            blob_rows.drop(tx, row.blob_id)
