"""What a page, a form or an action is as a command: of the client, of curl, as a block of Terraform."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from tane.services.dashboard.api import lists, special
from tane.services.dashboard.api.visit import Visit
from tane.services.dashboard.domain import commands, forms, terraform
from tane.services.dashboard.domain.describing import Call, Kind, Values
from tane.services.dashboard.domain.forms import Input
from tane.services.dashboard.domain.messages import N_
from tane.web import inside
from tane.web.errors import ApiError

if TYPE_CHECKING:
    from tane.services.dashboard.api.pages import Order

UNSAID = N_("The command does not say: {names}. The curl line does.")
UNTOLD = N_("Neither line says: {names}.")
SEVERAL = N_("This makes several calls; the curl line is the first of them.")


@dataclass(frozen=True)
class Shown:
    """An action as commands. ``notes``: what they do not say."""

    line: str
    curl: str = ""
    block: str = ""
    notes: Sequence[str] = ()


def told(visit: Visit, order: Order, fields: Sequence[Input], given: forms.Given | None) -> Shown:
    """An action as commands, with what is typed; those of curl have no places for what is not. Passwords are not
    shown."""
    action = order.action
    given = {} if given is None and not fields else given
    asked = [one for one in fields if one.kind not in ("password", "file")]
    hidden = _hidden(fields, given)
    values, whole = _read(asked, given, hidden)
    sent = None
    if whole is not None:
        with contextlib.suppress(ApiError):
            sent = special.sent(visit, action, whole, order.row, order.id)
    typed = {**values, **hidden}
    places = sent.places if sent is not None else forms.ways(action, typed, order.row, order.id)
    request = ""
    if action.special not in special.LEADING:
        body = sent.body if sent is not None else None
        request = curl(visit, action.target, body, places=places, spoken=action.spoken)
    half = values if action.special in special.SEVERAL or given is None else _half(visit, order, fields, values, hidden)
    block = _terraform(visit, order, half, {**places, "in": visit.request.param("in") or ""})
    line = special.line(action, sent.body, order.id) if sent is not None else ""
    if line != "":
        return Shown(line or "", request, block)
    line = commands.command(action, typed, _ids(visit, order), order.row, typed=given is not None)
    return Shown(line, request, block, _notes(visit, order, typed if given is not None else None))


def _read(fields: Sequence[Input], given: forms.Given | None, hidden: Values) -> tuple[Values, Values | None]:
    """What is typed, as far as it means anything; and all of it, where nothing is missing."""
    values: Values = {}
    if given is None:
        return values, None
    with contextlib.suppress(ApiError):
        values = forms.values([replace(one, required=False) for one in fields], given)
        return values, {**forms.values(fields, given), **hidden}
    return values, None


def _ids(visit: Visit, order: Order) -> dict[str, str]:
    inner = visit.request.param("in") or ""
    caller = {"user": visit.ctx.user_id, "project": visit.ctx.project_id or ""}
    return {**caller, "id": forms.known(order.id), "name": order.label, "in": forms.known(inner)}


def _notes(visit: Visit, order: Order, typed: Values | None) -> list[str]:
    names = [visit.words(one.title) for one in commands.unsaid(order.action, typed or {}, order.row)]
    calls = order.action.special in special.FIRST
    notes = [visit.words(UNTOLD if calls else UNSAID, names=", ".join(names))] if names else []
    return [*notes, visit.words(SEVERAL)] if calls else notes


def of_list(visit: Visit, kind: Kind) -> str:
    """The command of a list."""
    inner = forms.known(visit.request.param("in") or "")
    return forms.line(commands.filled(kind.command, {"in": inner, "user": visit.ctx.user_id}))


def of_one(kind: Kind, resource_id: str) -> str:
    """The command that shows a resource."""
    if not kind.command:
        return ""
    begin = kind.command.replace(" list", " show", 1).split(" --")[0].split(" {")[0]
    return forms.line([begin, forms.operand(forms.known(resource_id))])


def of_actions(visit: Visit, orders: Sequence[Order]) -> list[tuple[str, str]]:
    """(title, command) of what may be done to a resource now, with places for what is to be chosen: a button that does
    it at once has no form which shows its command."""
    found = []
    for order in orders:
        line = commands.command(order.action, {}, _ids(visit, order), order.row)
        if not line and not order.action.fields:
            line = told(visit, order, (), {}).curl
        if line:
            found.append((visit.words(order.action.title), line))
    return found


def _half(visit: Visit, order: Order, fields: Sequence[Input], typed: Values, hidden: Values) -> Any:
    """The body of a form that may be filled in by half: where a value has to be, its name stands for it."""
    needed = {one.field.name: forms.stand_in(one) for one in fields if one.required and one.kind != "file"}
    try:
        return special.body(visit, order.action, {**needed, **typed, **hidden}, order.row)
    except ApiError:
        return {}


def _terraform(visit: Visit, order: Order, sent: Any, places: Mapping[str, str]) -> str:
    """The block of Terraform that makes the same; "" where the provider has no resource for it."""
    action = order.action
    inner = sent
    if isinstance(sent, dict) and action.key in sent:
        under = sent[action.key] if isinstance(sent[action.key], dict) else {}
        inner = {**under, **{name: value for name, value in sent.items() if name != action.key}}

    def name_of(kind: str, resource_id: str) -> str:
        return lists.all_names(visit, kind).get(resource_id) or resource_id

    name = "create" if action is order.kind.create else action.name
    asked = terraform.Asked(inner if isinstance(inner, dict) else {}, places, order.row, name_of)
    return terraform.written(terraform.made(order.kind.name, name, asked))


def _hidden(fields: Sequence[Input], given: forms.Given | None) -> dict[str, str]:
    """What stands for the passwords that were typed, or have to be."""
    wanted = (one for one in fields if one.kind == "password")
    return {
        one.field.name: "<password>"
        for one in wanted
        if given is not None and (one.required or any(given.get(one.field.name, ())))
    }


def curl(
    visit: Visit,
    call: Call,
    body: Any,
    *,
    places: Mapping[str, str] | None = None,
    query: Mapping[str, str] | None = None,
    spoken: str | None = None,
) -> str:
    """A call as a line of curl."""
    service = next(one for one in visit.core.services if one.name == call.service)
    path = call.at(visit.places(**(places or {}))) + (f"?{urlencode(query)}" if query else "")
    return forms.curl(visit.request.base_url, service.prefix, call, path, body, inside.told(service, spoken))
