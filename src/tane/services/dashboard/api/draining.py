"""A host's servers on others: moved while it works (drain), made anew when it is dead. Each server is one order as its
own form gives it; all are given at once, and the jobs and the host's page tell how far they are."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

from tane.services.dashboard.api import lists
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

MOST = 200
"""Servers that one order goes to; those that are left are named by the host's page, and go with the next one."""
LIVE, COLD = "live", "cold"
ACT, SWITCH = Call.of("compute POST /v2.1/servers/{id}/action"), Call.of("host PUT /{id}")
Do = Callable[[Row], Awaitable[Any]]


async def drain(visit: Visit, order: Order, given: Form) -> Response:
    """Nothing more comes to the host, and what is on it goes. What was moved while it was off, and waits for somebody
    to confirm it, is confirmed by the next such order, as ``tane host drain`` does it."""
    values = await _values(visit, order, given)
    await visit.ask(SWITCH, {"host": {"enabled": False, "disabled_reason": values.get("disabled_reason")}}, id=order.id)

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
    moved = await visit.core.in_thread(_rows, visit, "migrations", waiting)
    results = await _each(visit, [one for one in moved if one["source_compute"] == name], confirm)
    results += await _each(visit, await visit.core.in_thread(_servers, visit, name), move)
    return await visit.core.in_thread(_told, visit, order, results)


async def dead(visit: Visit, order: Order, given: Form) -> Response:
    """The host is taken for dead, and where it is wished its servers are made anew on others."""
    values = await _values(visit, order, given)
    await visit.ask(SWITCH, {"host": {"dead": True}}, id=order.id)

    async def evacuate(server: Row) -> None:
        await visit.ask(ACT, {"evacuate": {}}, spoken="2.14", id=str(server["id"]))

    found = await visit.core.in_thread(_servers, visit, str(order.row["name"])) if values.get("evacuate") else []
    return await visit.core.in_thread(_told, visit, order, await _each(visit, found, evacuate))


async def _values(visit: Visit, order: Order, given: Form) -> Values:
    fields = await visit.core.in_thread(forms.inputs, visit.core, order.action)
    return forms.values(fields, given.values)


def _servers(visit: Visit, host: str) -> list[Row]:
    return _rows(visit, "all-servers", {"host": host})


def _rows(visit: Visit, kind: str, query: Mapping[str, str]) -> list[Row]:
    return lists.rows(visit, KINDS[kind], {**query, "limit": str(MOST)})


async def _each(visit: Visit, found: list[Row], do: Do) -> list[tuple[str, str]]:
    """(what, why it was refused) of each."""
    results = []
    for row in found:
        label = " ".join(str(row.get(name) or "") for name in ("name", "instance_uuid", "id") if name in row)
        try:
            await do(row)
            results.append((label.strip(), ""))
        except ApiError as error:
            results.append((label.strip(), visit.refusal(error)))
    return results


def _told(visit: Visit, order: Order, results: list[tuple[str, str]]) -> Response:
    if not results:
        return visit.go(f"/{order.kind.name}/{inside.part(order.id)}", done=order.action.name)
    back = f"{PREFIX}/{order.kind.name}/{inside.part(order.id)}"
    return visit.page("report.html", kind=order.kind, action=order.action, results=results, undo=None, back=back)
