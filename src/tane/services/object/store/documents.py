"""Rows of what S3 keeps of a bucket beside its metadata: documents that few requests need."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row, bindparam, delete, select

from tane.db import Tx
from tane.services.object.tables import account, container, document

_FIND = select(document.c.text).where(
    document.c.container_id == bindparam("place"), document.c.kind == bindparam("wanted")
)


def find(tx: Tx, container_id: int, kind: str) -> str:
    """ "" when there is none."""
    row = tx.execute(_FIND, {"place": container_id, "wanted": kind}).first()
    return "" if row is None else str(row.text)


def put(tx: Tx, container_id: int, kind: str, text: str) -> None:
    """ "" removes it."""
    tx.execute(delete(document).where(document.c.container_id == container_id, document.c.kind == kind))
    if text:
        tx.insert(document, container_id=container_id, kind=kind, text=text)


def of_kind(tx: Tx, kind: str, after: int, limit: int) -> list[Row[Any]]:
    """The next containers behind one that have such a document: ``id``, ``name``, ``account``, ``versions_mode``,
    ``text``."""
    columns = (container.c.id, container.c.name, account.c.name.label("account"), container.c.versions_mode)
    there = document.join(container, container.c.id == document.c.container_id)
    there = there.join(account, account.c.id == container.c.account_id)
    found = select(*columns, document.c.text).select_from(there)
    return tx.all(found.where(document.c.kind == kind, container.c.id > after).order_by(container.c.id).limit(limit))
