"""SQL of the options of domains."""

from __future__ import annotations

from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.engine import Row

from tane.db import Tx
from tane.services.identity.tables import domain_option


def _matches(domain_id: str, group: str | None, option: str | None) -> Any:
    found = domain_option.c.domain_id == domain_id
    if group is not None:
        found &= domain_option.c.group == group
    if option is not None:
        found &= domain_option.c.option == option
    return found


def options(tx: Tx, domain_id: str, group: str | None = None, option: str | None = None) -> list[Row[Any]]:
    """The options of a domain, of one group or one alone when these are named."""
    order = (domain_option.c.group, domain_option.c.option)
    return tx.all(select(domain_option).where(_matches(domain_id, group, option)).order_by(*order))


def put(tx: Tx, domain_id: str, group: str, option: str, value: Any) -> None:
    forget(tx, domain_id, group, option)
    tx.insert(domain_option, domain_id=domain_id, group=group, option=option, value=value)


def forget(tx: Tx, domain_id: str, group: str | None = None, option: str | None = None) -> None:
    tx.execute(delete(domain_option).where(_matches(domain_id, group, option)))
