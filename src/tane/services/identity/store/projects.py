"""SQL of the tree of projects."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.engine import Row

from tane.db import Tx
from tane.services.identity.tables import project


def tree(tx: Tx) -> list[Row[Any]]:
    """(id, parent_id) of every project that has a parent."""
    return tx.all(select(project.c.id, project.c.parent_id).where(project.c.parent_id.is_not(None)))


def below(tx: Tx, project_id: str) -> list[Row[Any]]:
    """The projects under one, parents before their children."""
    found: list[Row[Any]] = []
    layer = [project_id]
    while layer:
        rows = tx.all(select(project).where(project.c.parent_id.in_(layer)).order_by(project.c.id))
        found += rows
        layer = [row.id for row in rows]
    return found


def above(tx: Tx, project_id: str) -> list[Row[Any]]:
    """The projects over one, the nearest first; the last one is the domain."""
    chain = select(project.c.parent_id.label("id")).where(project.c.id == project_id).cte("chain", recursive=True)
    chain = chain.union(select(project.c.parent_id).join(chain, project.c.id == chain.c.id))
    by_id = {row.id: row for row in tx.all(select(project).where(project.c.id.in_(select(chain.c.id))))}
    found: list[Row[Any]] = []
    own = tx.first(select(project.c.parent_id).where(project.c.id == project_id))
    parent_id = own.parent_id if own is not None else None
    while parent_id in by_id:
        found.append(by_id[parent_id])
        parent_id = by_id[parent_id].parent_id
    return found
