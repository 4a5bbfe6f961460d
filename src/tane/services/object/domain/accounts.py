"""Accounts: one for each project, there from its first change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy.engine import Row

from tane.db import Tx
from tane.services.object.domain import access, content, locks, metadata
from tane.services.object.domain.access import Visit
from tane.services.object.store import blobs as blob_rows
from tane.services.object.store import database, listing, objects, places
from tane.services.object.store.listing import Page, Wanted
from tane.web.errors import BadRequest, NotFound
from tane.web.request import Request

QUOTAS = {
    "quota-bytes": "x-account-meta-quota-bytes",
    "quota-count": "x-account-quota-count",
    "quota-bytes-policy-one": "x-account-quota-bytes-policy-one",
    "quota-count-policy-one": "x-account-quota-count-policy-one",
    "quota-bytes-policy-three": "x-account-quota-bytes-policy-three",
    "quota-count-policy-three": "x-account-quota-count-policy-three",
}
"""Headers (``X-Account-…``), and under which name each is kept."""


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
    with database.of(request.core).write() as tx:
        visit = access.admit(request, tx, "post_account", "owner", (account, "", ""))
        quotas = _quotas(request, changes)
        if quotas and not request.allows("object_store:set_account_quota"):
            raise access.refused(request)
        values = {**changes, **quotas}
        account_id = access.account_of(request, tx, visit)
        places.change_account(tx, account_id, metadata.merged(visit.account_meta, values, "account"))


def _quotas(request: Request, changes: Mapping[str, str]) -> dict[str, str]:
    """The quotas that are to change, empty where they are to go. :raises BadRequest: one is no number."""
    found: dict[str, str] = {}
    for name, kept in QUOTAS.items():
        header, removed = f"x-account-{name}", f"x-remove-account-{name}"
        value = request.headers.get(header, "" if removed in request.headers else changes.get(kept))
        if value is None:
            continue
        if value and not (value.isascii() and value.isdigit()):
            raise BadRequest(f"Invalid {name.replace('-', ' ')}")
        found[kept] = value
    return found


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
            # Nothing goes when something must stay.
            _empty(tx, container_id)
            places.delete_container(tx, container_id)
        places.delete_account(tx, visit.row.account_id)


def _empty(tx: Tx, container_id: int) -> None:
    for row in objects.all_in(tx, container_id):
        content.remove(tx, row)
    for row in objects.versions_in(tx, container_id):
        locks.require_free(tx, row)
        objects.remove_version(tx, row.id)
        if row.blob_id is not None:
            blob_rows.drop(tx, row.blob_id)
