"""What a project may spend in a month: it is told at four fifths; once all is spent, new things are refused if an
administrator wants it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from tane.core import Core
from tane.db import Tx
from tane.services.identity import interface as identity
from tane.services.rating.domain import bills, hashmap, months
from tane.services.rating.store import settings
from tane.web.errors import BadRequest, NotFound

MOST = 10_000
WARN_AT = Decimal("0.8")
OK, WARNING, EXCEEDED = "ok", "warning", "exceeded"


def every(core: Core) -> list[Any]:
    with core.db.read() as tx:
        return settings.budgets(tx, MOST)


def get(core: Core, project_id: str) -> Any:
    """:raises NotFound: the project has none."""
    with core.db.read() as tx:
        return _got(tx, project_id)


def _got(tx: Tx, project_id: str) -> Any:
    row = settings.get_budget(tx, project_id)
    if row is None:
        raise NotFound(f"Project {project_id[:64]} has no budget")
    return row


def put(core: Core, project_id: str, amount: Decimal, action: str) -> Any:
    """:raises BadRequest: the amount is no sum of money, or there are too many budgets.
    :raises NotFound: no project has this id; its name is not asked for.
    """
    text = hashmap.exact("amount", amount)
    if Decimal(text) <= 0:
        raise BadRequest(f"Invalid input for field/attribute amount. Value: '{text}'. more than 0 is expected")
    with core.db.write() as tx:
        if identity.project_row(tx, project_id) is None:
            raise NotFound(f"Project {project_id[:64]} could not be found")
        if settings.get_budget(tx, project_id) is None and len(settings.budgets(tx, MOST)) >= MOST:
            raise BadRequest(f"There are {MOST} budgets, which is the most")
        kept = {"state": OK, "spent": "0", "month": months.of(tx.now)}
        settings.set_budget(tx, project_id, amount=text, action=action, **kept)
    _look(core, project_id)
    return get(core, project_id)


def remove(core: Core, project_id: str) -> None:
    """:raises NotFound:"""
    with core.db.write() as tx:
        if not settings.remove_budget(tx, project_id):
            raise NotFound(f"Project {project_id[:64]} has no budget")


def look(core: Core) -> int:
    """Compare with every budget what was spent this month; returns how many changed their state."""
    return sum(_look(core, row.project_id) for row in every(core))


def _look(core: Core, project_id: str) -> bool:
    with core.db.read() as tx:
        row = settings.get_budget(tx, project_id)
        if row is None:
            return False
        month = months.of(tx.now)
        spent = bills.billed(tx, project_id, month).total
    state = state_of(spent, Decimal(row.amount))
    now = {"state": state, "spent": format(spent, "f"), "month": month}
    if now == {name: getattr(row, name) for name in now}:
        return False
    with core.db.write() as tx:
        return settings.spend(tx, project_id, row.amount, **now) and state != row.state


def state_of(spent: Decimal, amount: Decimal) -> str:
    if spent >= amount:
        return EXCEEDED
    return WARNING if spent >= amount * WARN_AT else OK
