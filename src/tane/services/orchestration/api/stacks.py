"""Stacks: lists, what one is and says, create, update, previews, delete."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlencode

from msgspec import UNSET
from sqlalchemy.engine import Row

from tane.services.orchestration.api.common import (
    links,
    own_project,
    placing,
    resource_link,
    stack_link,
    stack_of,
    stack_view,
)
from tane.services.orchestration.api.listing import wish
from tane.services.orchestration.domain import adoption, changes, requests, showing, stacks
from tane.services.orchestration.domain.changes import Change
from tane.services.orchestration.domain.requests import Asked
from tane.services.orchestration.domain.stacks import Wanted
from tane.services.orchestration.domain.validation import Looked
from tane.web.request import Request, Response


def index(request: Request) -> dict[str, Any]:
    own_project(request)
    wanted = wish(request)
    rows, tags, count = showing.index(request.core, request.ctx, wanted)
    shown = []
    for row in rows:
        view = stack_view(request, row, tags)
        if wanted.everywhere:
            view["project"] = row.project_id
        shown.append(view)
    answer: dict[str, Any] = {"stacks": shown}
    if count is not None:
        answer["count"] = count
    return answer


def detail(request: Request) -> dict[str, Any]:
    own_project(request)
    rows, tags, _ = showing.index(request.core, request.ctx, wish(request))
    given = showing.given(request.core, rows, whole=_sees_all(request))
    return {"stacks": [_detailed(request, row, tags, given[row.id]) for row in rows]}


def _sees_all(request: Request) -> bool:
    """Whether the caller could write a template that shows what is hidden."""
    return request.allows("stacks:update")


def lookup(request: Request) -> Response:
    """By name, or id alone: where the stack is."""
    own_project(request)
    row = stacks.lookup(request.core, request.ctx, request.path["stack_name"])
    at = f"/stacks/{quote(request.path['stack_name'])}/"
    below = request.url_path.partition(f"/stacks/{request.path['stack_name']}/")[2] or request.url_path.partition(at)[2]
    where = stack_link(request, row) + (f"/{below}" if below else "")
    if request.query:
        where += f"?{urlencode(request.query)}"
    return Response(status=302, headers={"Location": where})


def _asked(request: Request) -> Asked:
    body = request.body
    return Asked(**{name: getattr(body, name) for name in Asked.__struct_fields__})


@placing
def create(request: Request) -> Response:
    own_project(request)
    body, asked, adopted = request.body, _asked(request), None
    name = requests.checked_name(body.stack_name)
    if body.adopt_stack_data:
        data = adoption.data_of(body.adopt_stack_data)
        asked, adopted = adoption.asked(asked, data), data.resources
    wanted = Wanted(
        source=requests.source_of(asked),
        tags=requests.checked_tags(body.tags),
        disable_rollback=None if body.disable_rollback is UNSET else body.disable_rollback,
        delete_on_failure=body.delete_on_failure,
        timeout_mins=requests.checked_minutes(body.timeout_mins),
    )
    row = stacks.create(request.core, request.ctx, name, wanted, adopted)
    where = stack_link(request, row)
    return Response({"stack": {"id": row.id, "links": links(("self", where))}}, headers={"Location": where})


def show(request: Request) -> dict[str, Any]:
    stack_id, name = stack_of(request)
    row, tags = showing.one(request.core, request.ctx, stack_id, name)
    resolve = request.flag("resolve_outputs", True)
    given, outputs = showing.details(request.core, request.ctx, row, values=resolve, whole=_sees_all(request))
    view = _detailed(request, row, tags, given)
    return {"stack": {**view, "outputs": outputs} if resolve else view}


def _detailed(
    request: Request, row: Row[Any], tags: dict[str, list[str]], parameters: dict[str, Any]
) -> dict[str, Any]:
    return {
        **stack_view(request, row, tags),
        "parameters": parameters,
        "capabilities": [],
        "notification_topics": [],
        "timeout_mins": row.timeout_mins,
        "disable_rollback": row.disable_rollback,
        "template_description": row.description,
    }


# ---------------------------------------------------------------------------------------------------------- changes


@placing
def update(request: Request) -> None:
    stack_id, name = stack_of(request)
    stacks.update(request.core, request.ctx, stack_id, name, _wanted(request, patch=False))


@placing
def patch(request: Request) -> None:
    """What is not given stays as it is."""
    stack_id, name = stack_of(request)
    stacks.update(request.core, request.ctx, stack_id, name, _wanted(request, patch=True))


def _wanted(request: Request, *, patch: bool) -> Wanted:
    body = request.body
    stacks.look_for(request.core, request.ctx, *stack_of(request))
    return Wanted(
        source=_source(request, patch=patch),
        tags=requests.checked_tags(body.tags) if body.tags is not None or patch else [],
        disable_rollback=None if body.disable_rollback is UNSET else body.disable_rollback,
        timeout_mins=requests.checked_minutes(body.timeout_mins),
        converge=body.converge,
    )


def _source(request: Request, *, patch: bool) -> Any:
    asked = _asked(request)
    if not patch:
        return requests.source_of(asked)
    stack_id, name = stack_of(request)
    now = stacks.source_to_keep(request.core, request.ctx, stack_id, name)
    return requests.patched(now, asked, request.body.clear_parameters or ())


def delete(request: Request) -> None:
    stack_id, name = stack_of(request)
    stacks.delete(request.core, request.ctx, stack_id, name)


def abandon(request: Request) -> Any:
    stack_id, name = stack_of(request)
    return stacks.abandon(request.core, request.ctx, stack_id, name)


def export(request: Request) -> Any:
    stack_id, name = stack_of(request)
    return stacks.export(request.core, request.ctx, stack_id, name)


# --------------------------------------------------------------------------------------------------------- previews


@placing
def preview(request: Request) -> dict[str, Any]:
    own_project(request)
    name = requests.checked_name(request.body.stack_name)
    source = requests.source_of(_asked(request))
    named, plan, looked = stacks.preview(request.core, request.ctx, name, source)
    tags = requests.checked_tags(request.body.tags)
    disabled = request.body.disable_rollback
    return {
        "stack": {
            "id": "None",
            "links": links(("self", stack_link(request, named))),
            "stack_name": name,
            "stack_owner": request.ctx.user_name,
            "stack_user_project_id": None,
            "description": plan.template.description or stacks.NO_DESCRIPTION,
            "template_description": plan.template.description or stacks.NO_DESCRIPTION,
            "parameters": showing.parameters(plan, named),
            "resources": [_previewed(request, one) for one in looked],
            "parent": None,
            "capabilities": [],
            "notification_topics": [],
            "timeout_mins": requests.checked_minutes(request.body.timeout_mins),
            "disable_rollback": True if disabled is UNSET else disabled,
            "creation_time": None,
            "updated_time": None,
            "deletion_time": None,
            "tags": tags,
        }
    }


def _previewed(request: Request, one: Looked, parent: str | None = None) -> Any:
    """A resource; of a nested stack the list of what is in it."""
    if one.inner:
        return [_previewed(request, inner, one.name) for inner in one.inner]
    stack = one.stack
    identity = {"stack_name": stack.name, "stack_id": str(stack.id), "tenant": stack.project_id}
    view = {
        "resource_name": one.name,
        "resource_type": one.type,
        "resource_action": "INIT",
        "resource_status": "COMPLETE",
        "resource_status_reason": "",
        "physical_resource_id": "",
        "description": one.plan.resources[one.name].description,
        "creation_time": None,
        "updated_time": None,
        "attributes": showing.no_values(one.plan.kinds[one.name]),
        "properties": showing.visible(one.properties, one.secrets),
        "metadata": {},
        "required_by": sorted(name for name, needs in one.plan.graph.items() if one.name in needs),
        "resource_identity": {**identity, "path": f"/resources/{one.name}"},
        "stack_identity": {**identity, "path": ""},
        "stack_name": stack.name,
    }
    if parent is not None:
        view["parent_resource"] = parent
    return view


@placing
def preview_update(request: Request) -> dict[str, Any]:
    return _changes(request, patch=False)


@placing
def preview_patch(request: Request) -> dict[str, Any]:
    return _changes(request, patch=True)


def _changes(request: Request, *, patch: bool) -> dict[str, Any]:
    stack_id, name = stack_of(request)
    stacks.look_for(request.core, request.ctx, stack_id, name)
    source = _source(request, patch=patch)
    deep = request.flag("show_nested")
    row, found = changes.of_update(
        request.core, request.ctx, stack_id, name, source, converge=request.body.converge, deep=deep
    )
    return {
        "resource_changes": {
            what: [_change(request, one.stack or row, one) for one in changed] for what, changed in found.items()
        }
    }


def _change(request: Request, stack: Any, change: Change) -> dict[str, Any]:
    """As Heat shows it; and besides why: the properties that change, those of them that need another resource, and the
    type that it was of; and what it requires by the new template."""
    name, one, row = change.name, change.looked, change.row
    kind = one.type if one is not None else row.type if row is not None else ""
    nested = {"parent_resource": change.parent} if change.parent is not None else {}
    return {
        **nested,
        "resource_name": name,
        "resource_type": kind,
        "previous_type": row.type if row is not None and row.type != kind else None,
        "changed_properties": change.differing,
        "replacing_properties": change.replacing,
        "refused_reason": change.refused,
        "requires": sorted(one.plan.graph[name]) if one is not None else [],
        "physical_resource_id": (row.physical_id if row is not None else "") or "",
        "resource_action": row.action if row is not None else "INIT",
        "resource_status": row.status if row is not None else "COMPLETE",
        "resource_status_reason": row.reason if row is not None else "",
        "description": one.plan.resources[name].description if one is not None else "",
        "properties": showing.visible(one.properties, one.secrets) if one is not None else {},
        "attributes": {},
        "metadata": {},
        "creation_time": None,
        "updated_time": None,
        "stack_name": stack.name,
        "resource_identity": {
            "stack_name": stack.name,
            "stack_id": stack.id,
            "tenant": stack.project_id,
            "path": f"/resources/{name}",
        },
        "stack_identity": {"stack_name": stack.name, "stack_id": stack.id, "tenant": stack.project_id, "path": ""},
        "links": links(("self", resource_link(request, stack, name))),
    }


# -------------------------------------------------------------------------------------------------------- documents


def template(request: Request) -> Any:
    return _source_now(request).template


def environment(request: Request) -> Any:
    stack_id, name = stack_of(request)
    shown = stacks.environment_now(request.core, request.ctx, stack_id, name, whole=_sees_all(request))
    return {**shown, "encrypted_param_names": []}


def files(request: Request) -> Any:
    return _source_now(request).files


def _source_now(request: Request) -> Any:
    stack_id, name = stack_of(request)
    return showing.source(request.core, request.ctx, stack_id, name, whole=_sees_all(request))


def outputs(request: Request) -> dict[str, Any]:
    stack_id, name = stack_of(request)
    return {"outputs": showing.outputs(request.core, request.ctx, stack_id, name, values=False)}


def output(request: Request) -> dict[str, Any]:
    stack_id, name = stack_of(request)
    [found] = showing.outputs(request.core, request.ctx, stack_id, name, only=request.path["output_key"])
    return {"output": found}
