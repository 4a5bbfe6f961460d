"""The query of lists of stacks."""

from __future__ import annotations

from tane.db.paging import once_each
from tane.services.orchestration.domain.common import MOST_TAGS
from tane.services.orchestration.domain.showing import Wish
from tane.services.orchestration.store.stacks import SORTABLE
from tane.web.errors import BadRequest, Forbidden
from tane.web.request import Request

FILTERS = {
    "id": "id",
    "status": "status",
    "name": "name",
    "stack_name": "name",
    "action": "action",
    "tenant": "project_id",
    "username": "owner_name",
    "owner_id": "parent_id",
}
TAGS = ("tags", "tags_any", "not_tags", "not_tags_any")


def wish(request: Request) -> Wish:
    """:raises BadRequest: a key that nothing is sorted by, or no number. :raises Forbidden: stacks of everybody."""
    filters: dict[str, list[str]] = {}
    for name, value in request.query:
        column = FILTERS.get(name)
        if column is not None and value:
            filters.setdefault(column, []).append(value)
    states = [state.partition("_") for state in request.params("stack_status")]
    return Wish(
        filters=filters,
        states=[(action, status) for action, _, status in states],
        tags={name: _tags(request, name) for name in TAGS},
        sort=_sort(request),
        marker=request.param("marker") or None,
        limit=request.number("limit", minimum=0) or None,
        everywhere=everywhere(request, "stacks"),
        deleted=request.flag("show_deleted"),
        nested=request.flag("show_nested") or "parent_id" in filters,
        hidden=request.flag("show_hidden"),
        counted=request.flag("with_count"),
    )


def everywhere(request: Request, kind: str) -> bool:
    """Whether those of all projects are asked for. :raises Forbidden: the caller may not."""
    if not request.flag("global_tenant"):
        return False
    if not request.allows(f"{kind}:global_index"):
        raise Forbidden("You are not authorized to use global_index.", type="Forbidden")
    return True


def _tags(request: Request, name: str) -> list[str]:
    """Each is a condition of its own."""
    found = [tag for text in request.params(name) for tag in text.split(",", MOST_TAGS + 1) if tag]
    if len(found) > MOST_TAGS:
        raise BadRequest(f"{name}: stacks are looked for by at most {MOST_TAGS} tags at a time.")
    return found


def _sort(request: Request) -> list[tuple[str, bool]]:
    down = (request.param("sort_dir") or "").lower()
    if down not in ("", "asc", "desc"):
        raise BadRequest(f"Unknown sort direction {down}: asc or desc is expected.")
    keys = [key.strip() for text in request.params("sort_keys") for key in text.split(",") if key.strip()]
    for key in keys:
        if key not in SORTABLE:
            raise BadRequest(f"Stacks are not sorted by '{key}'; they are by: {', '.join(sorted(SORTABLE))}.")
    return once_each([(key, down == "desc") for key in keys])
