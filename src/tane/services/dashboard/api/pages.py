"""Lists, resources, their forms and what they do: one function for each, whatever the kind."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from tane.services.dashboard.api import commands, home, lists, prices, special, undoing
from tane.services.dashboard.api import typed as kept
from tane.services.dashboard.api.incoming import Form, read
from tane.services.dashboard.api.lists import Table
from tane.services.dashboard.api.once import once
from tane.services.dashboard.api.visit import PREFIX, SAFE, Elsewhere, Visit, check_form, missing, page, waiting, went
from tane.services.dashboard.domain import forms, sessions, showing
from tane.services.dashboard.domain.describing import Action, Kind, Row, Values, default_of, id_of, value_of
from tane.services.dashboard.domain.forms import Input
from tane.services.dashboard.domain.messages import N_
from tane.services.dashboard.domain.undoing import Done, texts
from tane.services.dashboard.resources import KINDS
from tane.web import codec, inside
from tane.web.errors import ApiError
from tane.web.request import Request, Response

MOST_AT_ONCE = 100
"""Resources that one order for several goes to."""
MOST_CHOICES = 50
"""Of a list in a form; others are found by a part of their name."""
OTHERS = "of others"
"""Whether the form of this visit is of another project's resource."""
FIND = "find-"
"""How the fields begin by which a form's lists are searched: while one holds something nothing is done."""
AN_ID = re.compile(r"[A-Za-z0-9-]{1,64}")


def kind_of(visit: Visit) -> Kind:
    found = KINDS.get(visit.request.path["kind"])
    if found is None:
        raise missing(visit)
    return found


def _one(visit: Visit, kind: Kind) -> tuple[str, Row]:
    resource_id = visit.request.path["resource_id"]
    return resource_id, lists.one(visit, kind, resource_id)


# ------------------------------------------------------------------------------------------------------------ reading


@page
def index(visit: Visit) -> Response:
    """A list."""
    kind = kind_of(visit)
    if kind.inner and not visit.request.param("in"):
        raise missing(visit)
    table, own = lists.page_of(visit, kind), lists.own(visit, kind)
    template = "table.html" if visit.fragment else "list.html"
    return visit.page(
        template,
        kind=kind,
        table=table,
        query=dict(visit.request.query),
        narrowing=lists.narrowing(visit, kind),
        filters=[
            (field, _offered(visit, Input(field, field.kind, False, choices=field.choices))) for field in kind.filters
        ],
        create=visit.creates(kind),
        command=commands.of_list(visit, kind) + (f" --project {visit.ctx.project_id}" if own else ""),
        curl=commands.curl(visit, kind.list_call, None, query=lists.asked(visit, kind, own)),
        done=_done(visit, kind),
        undo=undoing.offered(visit),
        tour=home.tour(visit, kind.name),
        others=[(name, other) for name in kind.others if (other := visit.creates(KINDS[name])) is not None],
    )


def _done(visit: Visit, kind: Kind) -> str:
    """What was just done, by the table's own words."""
    if visit.request.param("undone"):
        return visit.words(N_("It is undone."))
    name = visit.request.param("done") or ""
    action = kind.create if kind.create is not None and name == "create" else kind.action(name)
    if action is None:
        return ""
    return visit.words(N_("“{what}” was accepted."), what=visit.words(action.title))


@page
def show(visit: Visit) -> Response:
    """A resource, with what belongs to it."""
    kind = kind_of(visit)
    resource_id, row = _one(visit, kind)
    if visit.fragment and visit.request.flag("panels"):
        return visit.page("panels.html", id=resource_id, panels=_panels(visit, kind, resource_id, row))
    columns = kind.details or kind.columns
    row = special.seen(visit, kind, row)
    names = lists.names_of(visit, columns, [row])
    cells = [(column, showing.cell(visit.words, column, row, names, lists.link)) for column in columns]
    actions = [action for action in kind.actions if visit.may(action.target, action.key)]
    possible = [action for action in actions if action.when is None or action.when(row)]
    possible.sort(key=lambda action: action.danger)
    return visit.page(
        "detail.html",
        kind=kind,
        row=row,
        id=resource_id,
        label=lists.label_of(visit, kind, row, resource_id),
        href=lists.link(kind.name, resource_id, visit.request.param("in") or ""),
        cells=cells,
        actions=possible,
        specials=kind.special,
        panels=[]
        if visit.fragment or visit.request.flag("all") or visit.request.flag("lines")
        else _panels(visit, kind, resource_id, row),
        everything=showing.flat(row) if visit.request.flag("all") else [],
        inner=visit.request.param("in") or "",
        command=commands.of_one(kind, resource_id),
        curl=commands.curl(visit, kind.show_call or kind.list_call, None, places={"id": resource_id}),
        possible=commands.of_actions(visit, [Order(kind, one, resource_id, row, "") for one in possible])
        if visit.request.flag("lines")
        else [],
        done=_done(visit, kind),
        undo=undoing.offered(visit),
        tour=home.tour(visit, kind.name),
    )


def _panels(visit: Visit, kind: Kind, resource_id: str, row: Row) -> list[tuple[Table, Action | None]]:
    found = []
    for panel in kind.panels:
        inner = KINDS[panel.kind]
        if inner.admin and not visit.ctx.is_admin:
            continue
        if (panel.when is not None and not panel.when(row)) or not visit.may(inner.list_call):
            continue
        places = {"id": resource_id, "in": resource_id}
        told = {"{id}": resource_id, "{name}": str(row.get("name") or resource_id)}
        query = {name: told.get(value, value) for name, value in (panel.query or {}).items()}
        try:
            limited = query.pop("limit", None) is not None or inner.paged
            most = {"limit": str(lists.PANEL + 1)} if limited else {}
            found_rows = lists.rows(visit, inner, {**query, **most}, **places)
            within = {"in": resource_id} if inner.inner else {}
            table = lists.shown(visit, inner, found_rows[: lists.PANEL], inner=within.get("in", ""))
            if len(found_rows) > lists.PANEL:
                table.all_of_them = f"{PREFIX}/{inner.name}?{urlencode({**query, **within})}"
        except ApiError as error:
            table = Table(inner, [], problem=visit.refusal(error))
        found.append((table, visit.creates(inner)))
    return found


@page
def fragment(visit: Visit) -> Response:
    """One row of a list, as it is now; nothing when it is gone."""
    kind = kind_of(visit)
    try:
        _, row = _one(visit, kind)
    except ApiError as error:
        if error.status == 404:
            return Response(b"", 200, SAFE, "text/html; charset=utf-8")
        raise
    table = lists.shown(visit, kind, [row])
    return visit.page("row.html", kind=kind, table=table, shown=table.rows[0])


# -------------------------------------------------------------------------------------------------------------- forms


@dataclass
class Order:
    """An action on its way: what it is done to, and what was typed."""

    kind: Kind
    action: Action
    id: str
    row: Row
    label: str


def _action_of(visit: Visit) -> Action:
    kind, name = kind_of(visit), visit.request.path.get("action", "")
    action = kind.action(name) if name else kind.create
    if action is None:
        raise missing(visit)
    return action


def _order(visit: Visit) -> Order:
    kind, action = kind_of(visit), _action_of(visit)
    if "resource_id" not in visit.request.path:
        return Order(kind, action, "", {"in": visit.request.param("in") or ""}, "")
    resource_id, row = _one(visit, kind)
    return Order(kind, action, resource_id, row, lists.label_of(visit, kind, row, resource_id))


def form(visit: Visit, order: Order, given: forms.Given | None = None, problem: ApiError | None = None) -> Response:
    """The form of an action. ``given``: what was typed before it was refused: nothing of it is lost."""
    fields = [_other(one, order.row) for one in forms.inputs(visit.core, order.action)]
    brought = kept.take(visit) if given is None else None
    given = brought.values if brought else given
    typed = {name: list(texts) for name, texts in (given or {}).items()}
    if given is None:
        typed = {one.field.name: texts(default_of(one.field, order.row), one.kind) for one in fields}
        typed |= {name: [text] for name, text in special.filled(visit, order.action, order.row).items()}
        # Ids alone: a stranger's link may not fill a form with a script of his.
        typed |= {name: [value] for name, value in visit.request.query if name in typed and AN_ID.fullmatch(value)}
    opened = problem is not None or any(one.field.folded and visit.request.param(one.field.name) for one in fields)
    opened = opened or bool(_finding(given))
    finding = _finding(given)
    visit.told[OTHERS] = _of_others(visit, order)
    lists_of = [_choices(visit, one, typed, finding) for one in fields]
    offered = [(one, some) for one, (some, _) in zip(fields, lists_of, strict=True)]
    longer = {one.field.name: text for one, (_, text) in zip(fields, lists_of, strict=True) if text is not None}
    shown = commands.told(visit, order, fields, given)
    return visit.page(
        "form.html",
        problem.status if problem else 200,
        kind=order.kind,
        action=order.action,
        id=order.id,
        label=order.label,
        inner=visit.request.param("in") or "",
        inputs=offered,
        typed=typed,
        opened=opened,
        longer=longer,
        back=undoing.can(order.kind, order.action),
        fresh=given is None,
        may=visit.may(order.action.target, order.action.key),
        problem=visit.refusal(problem, _labels(order.action)) if problem else "",
        wrong=forms.blamed(fields, problem.message or "") if problem else set(),
        shown=shown,
        told=given is not None and not problem and not brought and not finding,
        brought=bool(brought),
        went=went(visit) if brought and brought.project != sessions.short(visit.ctx.project_id) else "",
        upload=any(one.kind == "file" and not one.field.into for one in fields),
        instead=[one.field.into for one in fields if one.field.into],
        tail=special.tail(visit, order.kind, order.action),
        quotes=prices.quotes(visit, order.kind, order.action, order.row, offered),
        post=f"{PREFIX}/{order.kind.name}/{inside.part(order.id)}/{order.action.name}"
        if order.id
        else f"{PREFIX}/new/{order.kind.name}",
    )


def _labels(action: Action) -> dict[str, str]:
    """What a form calls its fields, by their names in it and in the body."""
    return {name: one.title for one in action.fields for name in ((one.to or one.name).rpartition("/")[2], one.name)}


def _other(one: Input, row: Row) -> Input:
    """A field that offers something else than the resource has already."""
    if not one.field.unlike or not (has := value_of(row, one.field.unlike)):
        return one
    return replace(one, field=replace(one.field, only=lambda row: row.get("name") != has))


def _of_others(visit: Visit, order: Order) -> bool:
    """Whether an administrator may be at something of another project, which goes together with what that has."""
    project = order.row.get("project_id") or order.row.get("tenant_id")
    inner = bool(order.row.get("in"))
    return visit.ctx.is_admin and (inner or project not in (None, visit.ctx.project_id))


def _finding(given: forms.Given | None) -> dict[str, str]:
    """What is looked for in the lists of a form, by its fields."""
    asked = ((name, next(iter(texts), "").strip()[:255]) for name, texts in (given or {}).items())
    return {name.removeprefix(FIND): text for name, text in asked if name.startswith(FIND) and text}


def _choices(
    visit: Visit, one: Input, typed: Mapping[str, Sequence[str]], finding: Mapping[str, str]
) -> tuple[list[tuple[str, str]], str | None]:
    """What a field offers, and where that is not all there is by what it was found ("" when nothing was looked for).
    What was chosen already is offered in any case."""
    name, find = one.field.name, finding.get(one.field.name, "")
    had = {value for value in typed.get(name, ()) if value}
    every = _offered(visit, one, find, had)
    if not one.field.ref:
        return every, None
    shown = [pair for place, pair in enumerate(every) if place < MOST_CHOICES or pair[0] in had]
    more = [(value, value) for value in typed.get(name, ()) if value and value not in {key for key, _ in every}]
    return [*shown, *more], find if find or len(every) > MOST_CHOICES else None


def _offered(visit: Visit, one: Input, find: str = "", had: Collection[str] = ()) -> list[tuple[str, str]]:
    field = one.field
    if field.ref:
        query = {
            name: value.replace("{in}", visit.request.param("in") or "") for name, value in (field.query or {}).items()
        }
        asks = visit if visit.told.get(OTHERS) and not field.own else visit.as_member_of(KINDS[field.ref], field)
        return lists.choices(asks, field, query, find, had)
    return [(value, visit.words(text) if text else "") for value, text in one.choices]


@page
def new(visit: Visit) -> Response:
    """The form of a new resource."""
    return form(visit, _order(visit))


@waiting
async def ask(visit: Visit) -> Response:
    """The form of an action; or a page of its own making, which may wait."""
    making = special.PAGES.get((visit.request.path["kind"], visit.request.path["action"]))
    if making is not None:
        return await making(visit, *await visit.in_thread(_one, visit, kind_of(visit)))
    return await visit.in_thread(lambda: form(visit, _order(visit)))


@waiting
async def act(visit: Visit) -> Response:
    """Do it."""
    given = await read(visit.request, kept.into(kept.action_of(visit.request)))
    try:
        check_form(visit, given.values)
    except Elsewhere as error:
        return await visit.in_thread(_elsewhere, visit, given, error)
    answering = special.ANSWERS.get((visit.request.path.get("kind", ""), visit.request.path.get("action", "")))
    if answering is not None:
        try:
            return await answering(visit, *await visit.in_thread(_one, visit, kind_of(visit)))
        except ApiError as error:
            # A script reads it, and shows the sentence.
            told = {"error": {"message": await visit.in_thread(visit.refusal, error)}}
            return Response(codec.encode(told), error.status, SAFE, "application/json")
    if given.one("show") in ("command", "found") or _finding(given.values):
        return await visit.in_thread(lambda: form(visit, _order(visit), given.values))
    if _action_of(visit).special in special.AGAIN or given.one("show") == "plan":
        return await _act(visit, given)
    return await once(visit, given, lambda: _act(visit, given))


def _elsewhere(visit: Visit, given: Form, error: Elsewhere) -> Response:
    """The form again, in this project, with what was typed in another. :raises Elsewhere: it is of what is not here."""
    try:
        return form(visit, _order(visit), given.values, error)
    except ApiError:
        raise error from None


async def _act(visit: Visit, given: Form) -> Response:
    core = visit.core
    order = await visit.in_thread(_order, visit)
    doing = "plan" if given.one("show") == "plan" and order.action.planned else order.action.special
    if doing:
        try:
            return await special.DOES[doing](visit, order, given)
        except ApiError as error:
            return await visit.in_thread(form, visit, order, given.values, error)
    action = order.action
    try:
        special.check(visit, order, given)
        fields = await visit.in_thread(forms.inputs, core, action)
        values = forms.values(fields, given.values)
        known = await visit.in_thread(undoing.before, visit, order, given.values, fields, values)
        answer = await perform(visit, action, order.id, order.row, values)
    except ApiError as error:
        return await visit.in_thread(form, visit, order, given.values, error)
    if action.secret:
        return await visit.in_thread(special.secret, visit, order, answer)
    return done(visit, order, answer, values, undoing.remember(visit, order, replace(known, answer=answer)))


async def perform(visit: Visit, action: Action, resource_id: str, row: Row, values: dict[str, Any]) -> Any:
    """Ask the API to do it. :raises ApiError:"""
    sent = special.sent(visit, action, values, row, resource_id)
    return await visit.ask(action.target, sent.body, action.spoken, **sent.places)


def done(visit: Visit, order: Order, answer: Any, values: Values, undo: dict[str, str]) -> Response:
    """Where one goes after: to what was made or changed, else to the list. ``undo``: how it is taken back."""
    kind, action, inner = order.kind, order.action, visit.request.param("in") or ""
    name = "create" if action is kind.create else action.name
    made = _made(kind, answer, values)
    if kind.inner and inner:
        return visit.go(f"/{kind.gone_to or kind.name}/{inside.part(inner)}", **undo)
    if action is kind.create and made and kind.showing:
        return visit.go(f"/{kind.name}/{inside.part(str(made))}", done=name)
    if action.back == "detail" and order.id:
        return visit.go(f"/{kind.name}/{inside.part(order.id)}", done=name, **undo)
    return visit.go(f"/{kind.name}", done=name, **undo)


def _made(kind: Kind, answer: Any, values: Values) -> str:
    """The id of what an answer says was made; "" when it does not say."""
    row = value_of(answer, kind.item) if kind.item else answer
    found = id_of(kind, {**values, **row}) if isinstance(row, dict) else ""
    return found if found and not found.startswith(":") else ""


@waiting
async def bulk(visit: Visit) -> Response:
    """One action on several rows; what failed is told, each with the API's sentence."""
    given = await read(visit.request)
    check_form(visit, given.values)
    return await once(visit, given, lambda: _bulk(visit, given))


async def _bulk(visit: Visit, given: Form) -> Response:
    kind = kind_of(visit)
    action = kind.action(given.one("action"))
    if action is None or not action.bulk or action.fields:
        raise missing(visit)
    ids = list(dict.fromkeys(given.values.get("id", ())))[:MOST_AT_ONCE]
    sure = given.one("sure") == "yes"
    if action.danger and ids and not sure:
        return await visit.in_thread(_sure, visit, kind, action, ids)
    inner, results, dones = visit.request.param("in") or "", [], []
    for resource_id in ids:
        try:
            known = await visit.in_thread(_known, visit, kind, action, resource_id)
            answer = await perform(visit, action, resource_id, known.row, {})
            dones.append(replace(known, answer=answer))
            results.append((resource_id, ""))
        except ApiError as error:
            results.append((resource_id, visit.refusal(error)))
    undo = await visit.in_thread(undoing.remember_all, visit, action, dones)
    if any(problem for _, problem in results):
        return await visit.in_thread(_report, visit, kind, action, results, undo.get("undo", ""))
    if kind.inner and inner:
        return visit.go(f"/{kind.gone_to or kind.name}/{inside.part(inner)}", **undo)
    return visit.go(f"/{kind.name}", done=action.name, **undo)


def _known(visit: Visit, kind: Kind, action: Action, resource_id: str) -> Done:
    """What is to be known of one of several before: nothing, where neither the call nor the way back asks."""
    wanted = bool(action.taken) or undoing.can(kind, action)
    row = lists.one(visit, kind, resource_id, visit.request.param("in") or "") if wanted else {}
    return undoing.before(visit, Order(kind, action, resource_id, row, ""), {}, [], {})


def _sure(visit: Visit, kind: Kind, action: Action, ids: list[str]) -> Response:
    labels = lists.all_names(visit, kind.name) if not kind.inner else {}
    within = f"?{urlencode({'in': inner})}" if (inner := visit.request.param("in") or "") else ""
    return visit.page(
        "sure.html",
        title=visit.words(action.title),
        post=f"{PREFIX}/bulk/{kind.name}{within}",
        sent=[("action", action.name), *(("id", one) for one in ids)],
        chosen=[labels.get(one) or one for one in ids],
        back=undoing.can(kind, action),
        cancel=lists.home(kind, inner),
    )


def _report(visit: Visit, kind: Kind, action: Action, results: list[tuple[str, str]], undo: str) -> Response:
    told = undoing.described(visit, undo)
    inner = visit.request.param("in") or ""
    return visit.page("report.html", kind=kind, action=action, results=results, undo=told, inner=inner)


def overview(request: Request) -> Response:
    """The first page; also where a browser that asks for the root of the cloud is led."""
    from tane.services.dashboard.api.visit import wants_page
    from tane.web.errors import NotFound

    if request.url_path != PREFIX:
        if not wants_page(request):
            raise NotFound("The resource could not be found.")
        return Response(None, 303, {**SAFE, "Location": PREFIX})
    return home.home(request)
