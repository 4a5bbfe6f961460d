"""A host's servers on others: moved while it works (drain), made anew when it is dead. Each server is one order as its
own form gives it; all are given at once, and the jobs and the host's page tell how far they are."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tane.services.dashboard.api import lists, special
from tane.services.dashboard.api.incoming import Form
from tane.services.dashboard.api.visit import PREFIX, Visit
from tane.services.dashboard.domain import forms
from tane.services.dashboard.domain.describing import Call, Row, Values
from tane.services.dashboard.domain.messages import N_
from tane.services.dashboard.resources import KINDS
from tane.web import inside
from tane.web.errors import ApiError, Conflict
from tane.web.request import Response

if TYPE_CHECKING:
    from tane.services.dashboard.api.pages import Order

MOST, A_PAGE = 200, 200
"""Servers that one order moves, and that one look lists; those that are left go with the next order."""
MOVING, EVACUATED = ("migrating", "resize_"), ("rebuilding",)
"""How tasks begin by which a server goes to another host, and what it is in that is made anew there."""
LIVE, COLD = "live", "cold"
ACT, SWITCH = Call.of("compute POST /v2.1/servers/{id}/action"), Call.of("host PUT /{id}")
TASK = "OS-EXT-STS:task_state"
Do = Callable[[Row], Awaitable[Any]]
Results = list[tuple[str, str]]


async def drain(visit: Visit, order: Order, given: Form) -> Response:
    """Nothing more comes to the host, and what is on it goes. What was moved while it was off, and waits for somebody
    to confirm it, is confirmed by the next such order, as ``tane host drain`` does it."""
    values = await _values(visit, order, given)
    await visit.ask(SWITCH, special.body(visit, order.action, values, order.row), id=order.id)

    async def confirm(move: Row) -> None:
        await visit.ask(ACT, {"confirmResize": None}, id=str(move["instance_uuid"]))

    async def move(server: Row) -> None:
        status = str(server["status"])
        if status not in ("ACTIVE", "PAUSED", "SHUTOFF"):
            raise Conflict(
                visit.words(N_("It is in {status}, from which only its owner brings it back."), status=status)
            )
        if status != "SHUTOFF" and values.get("how") == LIVE:
            await visit.ask(ACT, {"os-migrateLive": {"host": None, "block_migration": "auto"}}, id=str(server["id"]))
        else:
            await visit.ask(ACT, {"migrate": None}, id=str(server["id"]))

    name = str(order.row["name"])
    waiting = {"source_compute": name, "status": "finished", "migration_type": "migration"}
    moved = await visit.in_thread(_rows, visit, "migrations", waiting)
    results = await _each(visit, [one for one in moved if one["source_compute"] == name], confirm)
    some, going = await _all_of(visit, name, move, MOVING)
    return await visit.in_thread(_told, visit, order, results + some, going)


async def dead(visit: Visit, order: Order, given: Form) -> Response:
    """The host is taken for dead, and where it is wished its servers are made anew on others."""
    values = await _values(visit, order, given)
    await visit.ask(SWITCH, special.body(visit, order.action, values, order.row), id=order.id)

    async def evacuate(server: Row) -> None:
        await visit.ask(ACT, {"evacuate": {}}, spoken="2.14", id=str(server["id"]))

    name = str(order.row["name"])
    results, going = await _all_of(visit, name, evacuate, EVACUATED) if values.get("evacuate") else ([], [])
    return await visit.in_thread(_told, visit, order, results, going)


async def _values(visit: Visit, order: Order, given: Form) -> Values:
    fields = await visit.in_thread(forms.inputs, visit.core, order.action)
    return forms.values(fields, given.values)


def _rows(visit: Visit, kind: str, query: Mapping[str, str]) -> list[Row]:
    return lists.rows(visit, KINDS[kind], {**query, "limit": str(A_PAGE)})


async def _all_of(visit: Visit, host: str, do: Do, tasks: tuple[str, ...]) -> tuple[Results, Results]:
    """What became of the host's servers, until :data:`MOST` of them go; and those with which something is done already.
    What is refused stays, and must not keep those behind it from their turn."""
    results: Results = []
    going: Results = []
    query = {"host": host}
    while sum(not problem for _, problem in results) < MOST:
        found = await visit.in_thread(_rows, visit, "all-servers", query)
        going += [(_label(row), _busy(visit, row, tasks)) for row in found if row.get(TASK)]
        left = MOST - sum(not problem for _, problem in results)
        results += await _each(visit, [row for row in found if not row.get(TASK)], do, left)
        if len(found) < A_PAGE:
            break
        query["marker"] = str(found[-1]["id"])
    return results, going


def _busy(visit: Visit, row: Row, tasks: tuple[str, ...]) -> str:
    """What is done with a server already."""
    task = str(row[TASK])
    if task.startswith(tasks):
        return visit.words(N_("It is on its way to another host."))
    return visit.words(N_("Something else is done with it ({task}): order it again after that."), task=task)


async def _each(visit: Visit, found: Sequence[Row], do: Do, most: int = MOST) -> Results:
    """(what, why it was refused) of each, until ``most`` were accepted."""
    results: Results = []
    for row in found:
        if sum(not problem for _, problem in results) >= most:
            break
        try:
            await do(row)
            results.append((_label(row), ""))
        except ApiError as error:
            results.append((_label(row), visit.refusal(error)))
    return results


def _label(row: Row) -> str:
    named = (str(row.get(name) or "") for name in ("name", "instance_uuid", "id") if name in row)
    return " ".join(named).strip()


def _told(visit: Visit, order: Order, results: Results, going: Results) -> Response:
    if not results and not going:
        return visit.go(f"/{order.kind.name}/{inside.part(order.id)}", done=order.action.name)
    back = f"{PREFIX}/{order.kind.name}/{inside.part(order.id)}"
    return visit.page(
        "report.html", kind=order.kind, action=order.action, results=results, going=going, undo=None, back=back
    )
