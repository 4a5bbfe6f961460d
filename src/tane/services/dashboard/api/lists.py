"""Rows of a kind as the API lists them, and what is shown of them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tane.services.dashboard.api.visit import PREFIX, Visit
from tane.services.dashboard.domain import showing
from tane.services.dashboard.domain.describing import (
    Action,
    Call,
    Column,
    Field,
    Kind,
    Row,
    id_of,
    value_of,
)
from tane.services.dashboard.domain.showing import Cell
from tane.services.dashboard.resources import KINDS
from tane.web import inside
from tane.web.errors import ApiError

PAGE = 14
"""Rows a page: with the frame it has less than 20 KB, as pages with secrets in them are sent unpacked."""
PANEL = 8
"""Rows of what a resource's page shows beside it."""
MOST = 1000
"""Rows that are looked through for names, or drawn."""
MOST_IDS = 100
"""Rows that are asked for by their ids."""
OFFERED = 200
"""Rows that are asked for to be offered by a field; what an address asks for is offered besides."""


@dataclass
class Shown:
    """A row as a table shows it."""

    id: str
    label: str
    href: str
    cells: list[Cell]
    actions: list[Action]
    row: Row


@dataclass
class Table:
    kind: Kind
    rows: list[Shown]
    next: str = ""
    inner: str = ""
    """What the rows are a part of."""
    bulk: Sequence[Action] = ()
    problem: str = ""
    some: bool = False
    """Whether they are those of the kind alone that were asked for."""
    all_of_them: str = ""
    """The address of the list that a panel shows the beginning of."""


def rows(visit: Visit, kind: Kind, query: Mapping[str, str] | None = None, **places: str) -> list[Row]:
    """What the API lists. :raises ApiError:"""
    answer = visit.call(kind.list_call, None, list(asked(visit, kind, query, **places).items()), **places)
    return listed(kind, answer)


def asked(visit: Visit, kind: Kind, query: Mapping[str, str] | None = None, **places: str) -> dict[str, str]:
    """The query of a list: what makes the rows the kind's own, and what is asked for besides."""
    found = {**(kind.query or {}), **(query or {})}
    return {name: _filled(value, visit.places(**places)) for name, value in found.items()}


def listed(kind: Kind, answer: Any) -> list[Row]:
    if kind.spread is not None:
        return kind.spread(answer)
    found = value_of(answer, kind.items) if kind.items else answer
    found = found or []
    # Key pairs come each in an envelope of its own.
    return [one[kind.item] if kind.item and set(one) == {kind.item} else one for one in found if isinstance(one, dict)]


def _filled(text: str, places: Mapping[str, str]) -> str:
    return re.sub(r"{(\w+)}", lambda match: places.get(match[1], ""), text)


def one(visit: Visit, kind: Kind, resource_id: str, inner: str = "") -> Row:
    """A resource, as the API shows it; ``inner``: what it is a part of, where the address does not say it.

    :raises ApiError:
    """
    call = kind.show_call
    if call is None:
        within: dict[str, str] = {"in": inner} if inner else {}
        found = next((row for row in rows(visit, kind, None, **within) if id_of(kind, row) == resource_id), None)
        if found is None:
            from tane.services.dashboard.api.visit import missing

            raise missing(visit)
        return found
    answer = visit.call(call, id=resource_id)
    found = value_of(answer, kind.item) if kind.item else answer
    return dict(found) if isinstance(found, Mapping) else {}


def page_of(visit: Visit, kind: Kind) -> Table:
    """The page of a list that the address asks for."""
    query, param = narrowing(visit, kind), visit.request.param
    text = (param("q") or "") if kind.search else ""
    if kind.paged:
        query["limit"] = str(PAGE + 1)
        if marker := param("marker"):
            query["marker"] = marker
        if text:
            query[kind.search] = searched(kind, text)
    for field in kind.filters:
        if value := param(field.name):
            query[field.to or field.name] = value
    some = bool(text or query.keys() - {"limit"})
    query |= own(visit, kind)
    found = rows(visit, kind, query)
    if kind.paged:
        found, more = found[:PAGE], len(found) > PAGE
    else:
        named = [row for row in found if text.lower() in str(value_of(row, kind.label) or "").lower()]
        found, more = _part(kind, named if text else found, param("marker") or "")
    table = shown(visit, kind, found, inner=param("in") or "")
    table.some = some
    if more:
        table.next = str(value_of(found[-1], kind.id.split(":")[-1])) if kind.paged else id_of(kind, found[-1])
    return table


def narrowing(visit: Visit, kind: Kind) -> dict[str, str]:
    """What another page has led to a part of the list with."""
    return {name: value for name in kind.narrowed if (value := visit.request.param(name))}


def own(visit: Visit, kind: Kind) -> dict[str, str]:
    """What a list of the project's own is asked with by an administrator, to whom the API tells everybody's."""
    mine = kind.own and visit.ctx.is_admin and not narrowing(visit, kind)
    return {"project_id": str(visit.ctx.project_id)} if mine else {}


def _part(kind: Kind, found: list[Row], marker: str) -> tuple[list[Row], bool]:
    """A page of a list that the API tells as a whole, and whether there are more; from the beginning where the row
    that the page before ended with is gone."""
    begin = next((place for place, row in enumerate(found, 1) if marker and id_of(kind, row) == marker), 0)
    return found[begin : begin + PAGE], len(found) > begin + PAGE


def searched(kind: Kind, text: str) -> str:
    """Compute finds servers by a pattern: what is typed is meant as it stands."""
    return re.escape(text) if kind.list_call.service == "compute" else text


def shown(visit: Visit, kind: Kind, found: Sequence[Row], inner: str = "") -> Table:
    names = names_of(visit, kind.columns, found)
    done = [action for action in kind.actions if visit.may(action.target, action.key)]
    table = Table(kind, [], inner=inner, bulk=[action for action in done if action.bulk and not action.fields])
    for row in found:
        resource_id = id_of(kind, row)
        cells = [showing.cell(visit.words, column, row, names, link) for column in kind.columns]
        actions = [action for action in done if action.when is None or action.when(row)]
        label = label_of(visit, kind, row, resource_id)
        table.rows.append(Shown(resource_id, label, link(kind.name, resource_id, inner), cells, actions, row))
    return table


def label_of(visit: Visit, kind: Kind, row: Row, resource_id: str) -> str:
    """What a resource is called."""
    found = str(value_of(row, kind.label) or resource_id)
    return showing.doing(visit.words, found) if kind.label == "operation" else found


def link(kind: str, resource_id: str, inner: str = "") -> str:
    """The address of a resource's page; "" where it has none."""
    if kind not in KINDS or not resource_id:
        return ""
    within = f"?in={inside.part(inner)}" if inner else ""
    return f"{PREFIX}/{kind}/{inside.part(resource_id)}{within}"


def home(kind: Kind, inner: str) -> str:
    """The address of the list that a kind's rows are in: its own, or the page of what they are a part of."""
    within = f"/{inside.part(inner)}" if kind.gone_to and inner else ""
    return f"{PREFIX}/{kind.gone_to or kind.name}{within}"


def names_of(visit: Visit, columns: Iterable[Column], found: Iterable[Row]) -> dict[str, dict[str, str]]:
    """What the resources are called that some columns refer to: one list of each kind, whatever the number of rows."""
    wanted: dict[str, set[str]] = {}
    some = list(found)
    for column in columns:
        if column.kind.startswith("ref:") and column.kind.removeprefix("ref:") in KINDS:
            ids = {one for row in some for one in _ids(value_of(row, column.field))}
            if ids:
                wanted.setdefault(column.kind.removeprefix("ref:"), set()).update(ids)
    return {name: _names(visit, KINDS[name], ids) for name, ids in wanted.items()}


def _ids(value: Any) -> list[str]:
    many = value if isinstance(value, list) else [value]
    return [str(value_of(one, "id") or one) if isinstance(one, Mapping) else str(one) for one in many[:50] if one]


def _names(visit: Visit, kind: Kind, ids: set[str]) -> dict[str, str]:
    """The network service is asked for these ids; others list what they have."""
    if kind.list_call.service != "network":
        return all_names(visit, kind.name)
    try:
        answer = visit.call(kind.list_call, None, [("id", one) for one in sorted(ids)[:MOST_IDS]])
    except ApiError:
        return {}
    return {id_of(kind, row): str(value_of(row, kind.label) or "") for row in listed(kind, answer)}


def all_names(visit: Visit, name: str) -> dict[str, str]:
    key = f"names {name}"
    if key not in visit.told:
        kind = KINDS[name]
        query = {**(kind.query or {}), **({"limit": str(MOST)} if kind.paged else {})}
        try:
            call = Call.of(kind.brief) if kind.brief else kind.list_call
            found = listed(kind, visit.call(call, None, query))
        except ApiError:
            found = []
        visit.told[key] = {id_of(kind, row): str(value_of(row, kind.label) or "") for row in found}
    names: dict[str, str] = visit.told[key]
    return names


def choices(
    visit: Visit, field: Field, query: Mapping[str, str], find: str = "", had: Collection[str] = ()
) -> list[tuple[str, str]]:
    """The rows of a kind as choices of a field, or those that have ``find`` in their name and what was chosen already;
    none where the visitor may not list them."""
    kind = KINDS[field.ref]
    asked_for = {**({"limit": str(MOST if find else OFFERED)} if kind.paged else {}), **query}
    try:
        found = rows(visit, kind, asked_for)
    except ApiError:
        return []
    visit.told[f"offered {kind.name}"] = found
    found = [row for row in found if field.only is None or field.only(row)]
    if find:
        kept = [row for row in found if str(value_of(row, field.value) or "") in had]
        named = [row for row in found if find.lower() in str(value_of(row, kind.label) or "").lower()]
        found = kept + [row for row in named if row not in kept]
    labels = [str(value_of(row, kind.label) or "") for row in found]
    twice = {text for text, count in Counter(labels).items() if count > 1}
    offered = []
    for row, text in zip(found, labels, strict=True):
        chosen = str(value_of(row, field.value) or "")
        offered.append((chosen, f"{text or chosen[:8]}{_hint(row, alike=text in twice)}" if text != chosen else text))
    return offered


def _hint(row: Row, *, alike: bool) -> str:
    """What tells rows of one name apart, or says what they are good for."""
    if "vcpus" in row and "ram" in row:
        return f" ({row['vcpus']} vCPU, {row['ram']} MiB, {row.get('disk', 0)} GiB)"
    if row.get("cidr"):
        return f" ({row['cidr']})"
    if row.get("fixed_ips"):
        addresses = ", ".join(str(one.get("ip_address", "")) for one in row["fixed_ips"])
        return f" ({addresses})"
    if isinstance(row.get("size"), int) and "attachments" in row:
        return f" ({row['size']} GiB)"
    return f" · {str(row['id'])[:8]}" if alike and row.get("id") else ""
