"""Snapshots of stacks: take one, go back to one, delete one. What holds them together stands in ``snapshotting``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy.engine import Row

from tane.core import Core
from tane.db import Tx
from tane.services.orchestration.domain import ahead, deciding, engine, masking, rights, saved, snapshotting, values
from tane.services.orchestration.domain.common import (
    COMPLETE,
    IN_PROGRESS,
    ActionInProgress,
    ByOwner,
    RequestLimitExceeded,
    StackValidationFailed,
    new_id,
    refuse_busy,
    require,
)
from tane.services.orchestration.domain.plans import read_template
from tane.services.orchestration.domain.stacks import NO_DESCRIPTION, may_update
from tane.services.orchestration.store import resources, snapshots
from tane.services.orchestration.template import Template, TemplateError, effort
from tane.web.context import Context
from tane.web.errors import ApiError, BadRequest, NotFound

MOST_SNAPSHOTS = 32
"""Of one stack: Heat's ``max_snapshots_per_stack``."""
MOST_NAMES = 10
"""Of failed resources, in the words of an error."""
SECTIONS = (("resources", "properties"), ("Resources", "Properties"))
"""The words of templates of Heat's, and of CloudFormation's."""


def of_stack(tx: Tx, stack: Row[Any], snapshot_id: str) -> Row[Any]:
    """:raises NotFound:"""
    found = snapshots.get(tx, snapshot_id, stack.id)
    if found is None:
        raise NotFound(f"The Snapshot ({snapshot_id}) for Stack ({stack.name}) could not be found.")
    return found


@ahead.writes
def create(core: Core, ctx: Context, stack_id: str, name: str, wanted: str | None) -> Row[Any]:
    """Begin to keep what a stack is, with what its volumes and servers hold.

    :raises ActionInProgress: :raises RequestLimitExceeded: :raises BadRequest: it is nested in another, or not whole.
    """
    snapshot_id = ahead.drawn("snapshot", new_id)
    with core.db.write() as tx:
        row = require(tx, ctx, stack_id, name)
        refuse_busy(row)
        if row.parent_id is not None:
            raise BadRequest("Snapshots of a stack that is nested in another are not supported.", type="NotSupported")
        _refuse_unwell(tx, row)
        if snapshots.count(tx, stack_id) >= MOST_SNAPSHOTS:
            raise RequestLimitExceeded(
                f"You have reached the maximum snapshots per stack, {MOST_SNAPSHOTS}. Please delete some snapshots."
            )
        begun = {"action": "CREATE", "status": IN_PROGRESS, "reason": "Snapshot create started"}
        snapshots.add(tx, row, {"id": snapshot_id, "name": wanted, "owner": rights.of_stack(row), **begun})
        engine.begin(tx, core, stack_id, "SNAPSHOT", traversal=snapshot_id, request_id=ctx.request_id)
        return of_stack(tx, row, snapshot_id)


def _refuse_unwell(tx: Tx, stack: Row[Any]) -> None:
    """A snapshot of what is half-made, or failed, is nothing to go back to, and would hide that it failed.

    :raises BadRequest:
    """
    state = f"{stack.action}_{stack.status}"
    # What one action could not keep the next may.
    if stack.action in ("DELETE", "SUSPEND") or (stack.status != COMPLETE and stack.action != "SNAPSHOT"):
        raise BadRequest(f"Snapshots of a stack that is {state} are not supported.", type="NotSupported")
    rows = [row for row in resources.light(tx, stack.id) if row.current]
    bad = sorted(row.name for row in rows if row.action == "INIT" or deciding.is_bad(row))
    if bad:
        names = ", ".join(bad[:MOST_NAMES]) + (", ..." if len(bad) > MOST_NAMES else "")
        raise BadRequest(f"Resources have failed, update the stack first: {names}", type="NotSupported")


def index(core: Core, ctx: Context, stack_id: str, name: str) -> list[Row[Any]]:
    """Without what is in them."""
    with core.db.read() as tx:
        return snapshots.of_stack(tx, require(tx, ctx, stack_id, name).id)


def show(
    core: Core, ctx: Context, stack_id: str, name: str, snapshot_id: str, *, whole: bool
) -> tuple[Row[Any], dict[str, Any]]:
    """One with what is in it: the stack as it was, of resources where it is kept what they held, and nothing secret
    that their types know; where not the ``whole`` of it is to be seen, without hidden parameters."""
    with core.db.read() as tx:
        stack = require(tx, ctx, stack_id, name)
        row = of_stack(tx, stack, snapshot_id)
        source = snapshots.source(tx, row)
        environment = source["environment"]
        if not whole:
            environment = masking.open_part(source["template"], environment, nested=stack.parent_id is not None)
        data = {
            "name": stack.name,
            "id": stack.id,
            "action": "SNAPSHOT",
            "status": row.status if row.action == "CREATE" else COMPLETE,
            "template": source["template"],
            "environment": environment,
            "files": source["files"],
            "resources": {part.name: _view(part) for part in snapshots.parts(tx, snapshot_id)},
            "project_id": stack.project_id,
            "stack_user_project_id": stack.project_id,
        }
        return row, data


def _view(part: Row[Any]) -> dict[str, Any]:
    known = {"name": part.name, "resource_id": part.physical_id, "type": part.type}
    return {**known, "resource_data": part.data}


@ahead.writes
def delete(core: Core, ctx: Context, stack_id: str, name: str, snapshot_id: str) -> None:
    """Begin to delete one with all that it keeps.

    :raises BadRequest: it is being taken. :raises ActionInProgress: the stack may be made of what it keeps just now.
    """
    with core.db.write() as tx:
        stack = require(tx, ctx, stack_id, name)
        row = of_stack(tx, stack, snapshot_id)
        if stack.status == IN_PROGRESS and stack.action in engine.MAKING:
            raise ActionInProgress(f"Stack {stack.name} already has an action ({stack.action}) in progress.")
        if row.status == IN_PROGRESS:
            if row.action == "DELETE":
                return
            raise BadRequest("Deleting in-progress snapshot is not supported.", type="NotSupported")
        by = ByOwner(ctx.request_id, ctx.user_id, row.project_id)
        snapshotting.order_deletion(tx, snapshot_id, by, asked_by=rights.given(tx, ctx))


@ahead.writes
def restore(core: Core, ctx: Context, stack_id: str, name: str, snapshot_id: str) -> None:
    """Make a stack what it was: an update to what it was made of then, as who had sent that.

    :raises BadRequest: the snapshot is not complete, a server boots from a volume in it, or what the stack was cannot
        be made any more. :raises ActionInProgress:
    """
    _refuse_booted(core, ctx, stack_id, name, snapshot_id)
    with core.db.write() as tx:
        row = require(tx, ctx, stack_id, name)
        found = of_stack(tx, row, snapshot_id)
        if (found.action, found.status) != ("CREATE", COMPLETE):
            raise BadRequest("Restoring incomplete snapshot is not supported.", type="NotSupported")
        may_update(row)
        source = ahead.known(tx, ("restored", snapshot_id), lambda reading: _source(reading, row, found))
        try:
            plan = engine.new_plan(tx, core, row, source, strict=False)
        except (ApiError, TemplateError):
            # What is wrong might tell hidden values, of who sent the template.
            raise StackValidationFailed(
                f"The Snapshot ({snapshot_id}) cannot be restored: what the stack was cannot be made any more."
            ) from None
        given = {**rights.before(row), **found.owner, "description": plan.template.description or NO_DESCRIPTION}
        engine.begin(tx, core, stack_id, "RESTORE", source=source, **given, request_id=ctx.request_id)


def _refuse_booted(core: Core, ctx: Context, stack_id: str, name: str, snapshot_id: str) -> None:
    """Before anything is touched. Who may not look at a volume is told by the resource itself.

    :raises BadRequest: a server still boots from a volume, which cannot be taken off it.
    """
    with core.db.read() as tx:
        stack = require(tx, ctx, stack_id, name)
        there = {row.physical_id for row in resources.light(tx, stack.id) if row.current}
        parts = [one for one in snapshots.parts(tx, snapshot_id) if one.data.get("boots") and one.physical_id in there]
    for one in parts:
        effort.look()
        if saved.is_at(core, ctx, str(one.physical_id), str(one.data["boots"])):
            raise BadRequest(f"{one.name} cannot be restored: {one.data['not_restored']}", type="NotSupported")


def _source(tx: Tx, stack: Row[Any], snapshot: Row[Any]) -> dict[str, Any]:
    """What a stack was, with volumes and servers made from what was kept of them. :raises StackValidationFailed:"""
    found = snapshots.source(tx, snapshot)
    template = dict(found["template"])
    section, word = next(one for one in SECTIONS if one[0] in template or one is SECTIONS[-1])
    declared, read = dict(template.get(section) or {}), read_template(template)
    there = {row.name: row for row in resources.of_stack(tx, stack.id) if row.current}
    for part in snapshots.parts(tx, snapshot.id):
        effort.look()
        given = saved.restored(part.data, there.get(part.name))
        if given and part.name in declared:
            properties = declared[part.name].get(word) or {}
            declared[part.name] = {**declared[part.name], word: _with(properties, given, read)}
    return {**found, "template": {**template, section: declared}}


def _with(properties: Any, given: Mapping[str, Any], read: Template) -> Any:
    if isinstance(properties, Mapping) and not values.is_function(properties, read):
        return {**properties, **given}
    return {"map_merge": [properties, given]}
