"""Tasks: what imports tell of themselves, and the older way to start one (type "import")."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy.engine import Row

from tane.core import Core
from tane.services.image.domain import images as rules
from tane.services.image.domain import imports, stores
from tane.services.image.domain.imports import Import, Method
from tane.services.image.drivers import http
from tane.services.image.schemas import ImageFields
from tane.services.image.store import tasks
from tane.web import codec
from tane.web.context import Context
from tane.web.errors import BadRequest, Forbidden, NotFound


def require_access(core: Core, ctx: Context) -> None:
    """Glance asks this rule beside the call's own. :raises Forbidden:"""
    if not core.policy.allows("tasks_api_access", ctx):
        raise Forbidden("You are not authorized to complete tasks_api_access action.")


def index(
    core: Core, ctx: Context, filters: dict[str, str], order: Sequence[tuple[str, bool]], marker: str | None, limit: int
) -> list[Row[Any]]:
    """:raises BadRequest: the marker is no task."""
    require_access(core, ctx)
    with core.db.read() as tx:
        start = tasks.get(tx, marker) if marker else None
        if marker and start is None:
            raise BadRequest(f"Task not found for id {marker}")
        mine = filters if ctx.is_admin else {**filters, "project_id": ctx.project_id}
        return tasks.find(tx, mine, order, start, limit)


def show(core: Core, ctx: Context, task_id: str) -> Row[Any]:
    require_access(core, ctx)
    with core.db.read() as tx:
        row = tasks.get(tx, task_id)
    if row is None or not ctx.sees(row.project_id):
        raise NotFound(f"No task found with ID {task_id}")
    return row


def of_image(core: Core, ctx: Context, image_id: str) -> list[Row[Any]]:
    """An image's tasks, newest first, for whoever sees the image; but only the caller's own ones."""
    with core.db.read() as tx:
        rules.visible(tx, ctx, image_id)
        return [row for row in tasks.of_image(tx, image_id) if ctx.sees(row.project_id)]


def create(core: Core, ctx: Context, kind: str, given: dict[str, Any]) -> Row[Any]:
    """Type "import": make an image and fill it from a URL. :raises BadRequest: what is missing or refused."""
    require_access(core, ctx)
    if kind != "import":
        raise BadRequest(f"Invalid task type: {kind}")
    for name in ("import_from", "import_from_format", "image_properties"):
        if not given.get(name):
            raise BadRequest(f"Input does not contain '{name}' field")
    properties = given["image_properties"]
    if not isinstance(properties, dict) or not isinstance(given["import_from"], str):
        raise BadRequest("Invalid task input: a mapping 'image_properties' and a text 'import_from' are expected.")
    try:
        http.check_url(given["import_from"], core.config.image)
    except http.Refused as error:
        raise BadRequest(str(error)) from None
    known = codec.convert(ImageFields, properties)
    values = {name: getattr(known, name) for name in ImageFields.__struct_fields__ if name in properties}
    values.setdefault("disk_format", given["import_from_format"])
    values.setdefault("container_format", "bare")
    custom = {name: value for name, value in properties.items() if name not in ImageFields.__struct_fields__}
    wanted = Import(method=Method(name="web-download", uri=given["import_from"]), sent=given)
    with core.db.write() as tx:
        row = rules.insert(tx, core, ctx, values, custom)
        task_id = imports.enqueue(tx, ctx, row, "import", wanted, [stores.default(core)])
        found = tasks.get(tx, task_id)
    assert found is not None
    return found
