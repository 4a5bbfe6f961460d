"""Volumes offered to other projects (Block Storage API v3: "Volume transfer", "Volume transfers (3.55 or later)")."""

from __future__ import annotations

from typing import Any

from tane.services.volume.api import query
from tane.services.volume.api.volumes import links
from tane.services.volume.domain import transfers
from tane.services.volume.store import conditions
from tane.services.volume.store.volumes import Page
from tane.services.volume.tables import volume_transfer
from tane.web.codec import iso_micro
from tane.web.errors import BadRequest
from tane.web.request import Request
from tane.web.versions import trim

PATH = "os-volume-transfer"
"""What links and pages name under either path, as upstream's do."""

SORT_KEYS = ("id", "name", "volume_id", "created_at")
NEWEST = [("created_at", True), ("id", True)]
SORTED = (3, 59)
FILTERS = {name: volume_transfer.c[name] for name in ("id", "name", "volume_id")}
SINCE = {
    "no_snapshots": "3.55",
    "source_project_id": "3.57",
    "destination_project_id": "3.57",
    "accepted": "3.57",
}


def summary(request: Request, row: Any) -> dict[str, Any]:
    return {"id": row.id, "volume_id": row.volume_id, "name": row.name, "links": links(request, PATH, row.id)}


def view(request: Request, row: Any) -> dict[str, Any]:
    """Of an offer that stands: nobody has accepted it, and it has no destination yet."""
    found = {
        **summary(request, row),
        "created_at": iso_micro(row.created_at),
        "no_snapshots": row.no_snapshots,
        "source_project_id": row.project_id,
        "destination_project_id": None,
        "accepted": False,
    }
    return trim(found, SINCE, request.version)


def index(request: Request) -> Any:
    return _answer(request, summary, PATH)


def detail(request: Request) -> Any:
    return _answer(request, view, f"{PATH}/detail")


def _answer(request: Request, shown: Any, place: str) -> Any:
    wanted = _page(request)
    found_by = query.owner_conditions(request, volume_transfer) + _filters(request)
    found = transfers.index(request.core, request.ctx, found_by, wanted)
    views = [shown(request, row) for row in found]
    path = f"/v3/{request.path['project_id']}/{place}"
    return query.answer(request, path, "transfers", views, query.full(wanted, found), None)


def _page(request: Request) -> Page:
    """Sorting and markers came with 3.59; a limit and an offset were always there."""
    if request.version >= SORTED:
        return query.page_of(request, SORT_KEYS)
    limit = request.number("limit")
    most = query.MOST if limit is None else min(limit, query.MOST)
    return Page(order=NEWEST, limit=most, offset=request.number("offset", 0) or 0)


def _filters(request: Request) -> list[Any]:
    """From 3.59 on by equal attributes; nothing is found by what is none."""
    if request.version < SORTED:
        return []
    taken = ("limit", "marker", "offset", "sort", "sort_key", "sort_dir", "all_tenants")
    given = {name: value for name, value in request.query if name not in taken}
    return [FILTERS[name] == value if name in FILTERS else conditions.nothing() for name, value in given.items()]


def show(request: Request) -> dict[str, Any]:
    return {"transfer": view(request, transfers.show(request.core, request.ctx, request.path["transfer_id"]))}


def create(request: Request) -> dict[str, Any]:
    body = request.body.transfer
    name = None if body.name is None else body.name.strip()
    if name == "":
        raise BadRequest("Invalid input for field/attribute name. Value: . '' is too short")
    row, key = transfers.create(
        request.core, request.ctx, body.volume_id, name, no_snapshots=body.no_snapshots in (True, "true", "True", "1")
    )
    return {"transfer": {**view(request, row), "auth_key": key}}


def accept(request: Request) -> dict[str, Any]:
    key = str(request.body.accept.auth_key)
    row = transfers.accept(request.core, request.ctx, request.path["transfer_id"], key)
    return {"transfer": summary(request, row)}


def delete(request: Request) -> None:
    transfers.delete(request.core, request.ctx, request.path["transfer_id"])
