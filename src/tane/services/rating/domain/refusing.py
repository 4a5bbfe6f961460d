"""What is not made any more once a project's budget is spent. It is asked by others in the transaction that would."""

from __future__ import annotations

from tane.db import Tx
from tane.services.rating.domain import months
from tane.services.rating.store import settings
from tane.web.errors import Forbidden


def refuse_spent(tx: Tx, project_id: str) -> None:
    """:raises Forbidden: the project's budget of this month is spent, and an administrator wants nothing more to be
    made then."""
    row = settings.refusing(tx, project_id)
    if row is not None and row.month == months.of(tx.now):
        raise Forbidden(f"The budget of this project for {row.month} is spent: {row.spent} of {row.amount}.")
