"""What is shown of stacks: lists, parameters without what is hidden, outputs."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy.engine import Row

from tane.core import Core
from tane.db import Tx
from tane.services.orchestration.domain import engine
from tane.services.orchestration.domain import outputs as resolving
from tane.services.orchestration.domain.common import MASK, require
from tane.services.orchestration.domain.plans import Plan, Source, sketch
from tane.services.orchestration.domain.scopes import Scope
from tane.services.orchestration.resources.base import Kind
from tane.services.orchestration.store import stacks
from tane.services.orchestration.store.stacks import Selection
from tane.services.orchestration.template import TemplateError, effort
from tane.web.context import Context
from tane.web.errors import ApiError, NotFound

HIDDEN_TAGS = ("data-processing-cluster",)


class Wish(msgspec.Struct, kw_only=True):
    """Which stacks, in what order."""

    filters: Mapping[str, Sequence[str]]
    states: Sequence[tuple[str, str]]
    tags: Mapping[str, Sequence[str]]
    sort: Sequence[tuple[str, bool]]
    marker: str | None
    limit: int | None
    everywhere: bool
    deleted: bool
    nested: bool
    hidden: bool
    counted: bool


def index(core: Core, ctx: Context, wish: Wish) -> tuple[list[Row[Any]], dict[str, list[str]], int | None]:
    """Rows, their tags, and how many there are in all where asked for."""
    selection = Selection(
        project_id=None if wish.everywhere else ctx.project_id,
        filters=wish.filters,
        states=wish.states,
        tags=wish.tags,
        deleted=wish.deleted,
        nested=wish.nested,
        hidden_tags=() if wish.hidden else HIDDEN_TAGS,
    )
    conditions = stacks.conditions(selection)
    with core.db.read() as tx:
        marker = None
        if wish.marker is not None:
            marker = stacks.get(tx, wish.marker)
            if marker is None or not ctx.sees(marker.project_id):
                raise NotFound(f"The Stack ({wish.marker}) could not be found.", type="EntityNotFound")
        rows = stacks.find(tx, conditions, wish.sort, marker, wish.limit)
        count = stacks.count(tx, conditions) if wish.counted else None
        return rows, stacks.tags(tx, [row.id for row in rows]), count


def one(core: Core, ctx: Context, stack_id: str, name: str) -> tuple[Row[Any], dict[str, list[str]]]:
    """A stack, also one that was deleted, with its tags."""
    with core.db.read() as tx:
        row = require(tx, ctx, stack_id, name, deleted=True)
        return row, stacks.tags(tx, [row.id])


def given(core: Core, rows: Sequence[Row[Any]], *, whole: bool) -> dict[str, dict[str, Any]]:
    """The parameters of stacks, by their ids. What hidden ones of the stacks around a nested one say is masked in its
    own too, where not the ``whole`` of them is to be seen."""
    plans = {row.id: _sketched(row) for row in rows}
    with core.db.read() as tx:
        hidden = {} if whole else _around(tx, [row for row in rows if row.parent_id is not None])
    return {row.id: _told(plans[row.id], row, hidden.get(row.id, ())) for row in rows}


def _sketched(row: Row[Any]) -> Plan | None:
    """None of a stack that an earlier release took and this one does not understand."""
    try:
        return sketch(row.source)
    except (ApiError, TemplateError):
        return None


def _told(plan: Plan | None, row: Row[Any], hidden: Collection[str] | None) -> dict[str, Any]:
    """Nothing where it is not known what is hidden."""
    return {} if plan is None or hidden is None else parameters(plan, row, hidden)


def _around(tx: Tx, rows: Sequence[Row[Any]]) -> dict[str, set[str] | None]:
    """The values of hidden parameters of the stacks that each is nested in; None where these are not understood."""
    above: dict[str, Row[Any]] = {}
    wanted = {row.parent_id for row in rows}
    while wanted:
        found = stacks.many(tx, wanted)
        above |= found
        wanted = {row.parent_id for row in found.values() if row.parent_id is not None} - set(above)
    plans = {stack_id: _sketched(row) for stack_id, row in above.items()}
    hidden: dict[str, set[str] | None] = {}
    for row in rows:
        parent, around = above.get(row.parent_id or ""), list[Plan | None]()
        while parent is not None:
            around.append(plans[parent.id])
            parent = above.get(parent.parent_id or "")
        known = [plan.secrets() for plan in around if plan is not None]
        hidden[row.id] = None if None in around else set[str]().union(*known)
    return hidden


def details(
    core: Core, ctx: Context, row: Row[Any], *, values: bool, whole: bool
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Parameters and outputs of a stack; no outputs where they cannot be told any more, as of a type that went."""
    told = given(core, [row], whole=whole)[row.id]
    if not values or row.deleted:
        return told, []
    with core.db.read() as tx:
        try:
            engine.plan_of(tx, core, row)
        except (ApiError, TemplateError):
            return told, []
        return told, resolving.shown(tx, core, ctx, row)


def source(core: Core, ctx: Context, stack_id: str, name: str, *, whole: bool) -> Source:
    """What a stack is made of: where not the ``whole`` of it is to be seen, without what hidden parameters of the
    stacks around it say, which stands in what types write of their properties."""
    with core.db.read() as tx:
        row = require(tx, ctx, stack_id, name)
        found = msgspec.convert(stacks.source(tx, row), Source)
        hidden = _around(tx, [row])[row.id] if row.parent_id is not None and not whole else ()
    if hidden is None:
        return Source(template={}, files={})
    if not hidden:
        return found
    return Source(template=visible(found.template, hidden), files=visible(found.files, hidden))


def outputs(
    core: Core, ctx: Context, stack_id: str, name: str, only: str | None = None, *, values: bool = True
) -> list[dict[str, Any]]:
    with core.db.read() as tx:
        row = require(tx, ctx, stack_id, name)
        return resolving.shown(tx, core, ctx, row, only, values=values)


def parameters(plan: Plan, stack: Any, hidden: Collection[str] = ()) -> dict[str, str]:
    """Values as text, the way the API shows them; those of hidden ones are masked, and what else is ``hidden``."""
    pseudo = Scope(None, None, stack, plan).pseudo  # type: ignore[arg-type]
    shown = {name: _text(value) for name, value in pseudo.items()}
    for name, value in plan.parameters.items():
        shown[name] = MASK if plan.template.parameters[name].hidden else _text(_masked(value, hidden))
    return shown


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return ",".join(value)
    return msgspec.json.encode(value).decode() if isinstance(value, list | dict) else str(value)


def no_values(kind: Kind) -> dict[str, Any]:
    """The attributes of what is not there yet."""
    return {name: None for name in kind.attributes if name != "show"}


def visible(properties: Mapping[str, Any], secrets: Collection[str]) -> dict[str, Any]:
    """Properties without the values of hidden parameters, wherever they stand in them."""
    found: dict[str, Any] = _masked(dict(properties), secrets)
    return found


def _masked(value: Any, secrets: Collection[str]) -> Any:
    if isinstance(value, Mapping):
        return {_masked(key, secrets): _masked(item, secrets) for key, item in value.items()}
    if isinstance(value, list):
        return [_masked(item, secrets) for item in value]
    if value is None or not secrets:
        return value
    effort.look()
    text = str(value)
    return MASK if any(secret in text for secret in secrets) else value
