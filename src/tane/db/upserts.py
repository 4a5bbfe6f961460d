"""Rows that are written whether or not they are there already."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Table

from tane.db.database import Tx


def upsert(
    tx: Tx,
    table: Table,
    keys: Sequence[str],
    values: Sequence[str],
    rows: Sequence[Mapping[str, Any]],
    *,
    add: bool = False,
) -> None:
    """Insert ``rows``; of those whose ``keys`` are there, ``values`` are replaced, or with ``add`` counted up."""
    if not rows:
        return
    # Of the two only what is used is loaded.
    dialect: Any = importlib.import_module(f"sqlalchemy.dialects.{tx.connection.dialect.name}")
    statement = dialect.insert(table)
    new = statement.excluded
    changed = {name: table.c[name] + new[name] if add else new[name] for name in values}
    tx.execute(statement.on_conflict_do_update(index_elements=list(keys), set_=changed), rows)
