"""SQL of snapshots of stacks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from sqlalchemy import delete, func, select, update
from sqlalchemy.engine import Row

from tane.db import Tx
from tane.services.orchestration.store import stacks
from tane.services.orchestration.store.stacks import REASON
from tane.services.orchestration.tables import stack_resource, stack_snapshot, stack_snapshot_part

SHOWN = ("id", "stack_id", "name", "action", "status", "reason", "traversal", "created_at")
PART_BYTES = 512
"""What a part counts for in the bytes of its project, about what its row takes: each resource gets one."""
LISTED = tuple(stack_snapshot.c[name] for name in SHOWN)


def get(tx: Tx, snapshot_id: str, stack_id: str | None = None) -> Row[Any] | None:
    """One, of a stack where one is named."""
    wanted = select(stack_snapshot).where(stack_snapshot.c.id == snapshot_id)
    return tx.first(wanted if stack_id is None else wanted.where(stack_snapshot.c.stack_id == stack_id))


def of_stack(tx: Tx, stack_id: str) -> list[Row[Any]]:
    """All of a stack, oldest first, without what is in them."""
    mine = select(*LISTED).where(stack_snapshot.c.stack_id == stack_id)
    return tx.all(mine.order_by(stack_snapshot.c.created_at, stack_snapshot.c.id))


def count(tx: Tx, stack_id: str) -> int:
    mine = stack_snapshot.c.stack_id == stack_id
    return int(tx.scalar(select(func.count()).select_from(stack_snapshot).where(mine)) or 0)


def add(tx: Tx, stack: Row[Any], values: Mapping[str, Any]) -> None:
    """A snapshot of what a stack is: its files are kept once for all that have them."""
    mine = (stack_resource.c.stack_id == stack.id, stack_resource.c.current)
    parts = int(tx.scalar(select(func.count()).select_from(stack_resource).where(*mine)) or 0)
    weight = len(msgspec.json.encode(dict(stack.source))) + parts * PART_BYTES
    kept = {"source": stack.source, "files_id": stack.files_id, "bytes": weight}
    whose = {"stack_id": stack.id, "project_id": stack.project_id, "created_at": tx.now}
    tx.insert(stack_snapshot, **whose, **kept, **values)


def source(tx: Tx, found: Row[Any]) -> dict[str, Any]:
    """What the stack was, with its files."""
    return stacks.whole(tx, found, found.source, found.files_id)


def change(tx: Tx, snapshot_id: str, **values: Any) -> None:
    if "reason" in values:
        values["reason"] = values["reason"][:REASON]
    mine = update(stack_snapshot).where(stack_snapshot.c.id == snapshot_id)
    tx.execute(mine.values(**values, updated_at=tx.now))


def remove(tx: Tx, found: Row[Any]) -> None:
    tx.execute(delete(stack_snapshot).where(stack_snapshot.c.id == found.id))
    stacks.drop_files(tx, str(found.project_id))


def remove_all(tx: Tx, stack_id: str) -> None:
    """Forget those of a stack; what they kept elsewhere stays where it is."""
    tx.execute(delete(stack_snapshot).where(stack_snapshot.c.stack_id == stack_id))


# ------------------------------------------------------------------------------------------------------------ parts


def add_part(tx: Tx, values: Mapping[str, Any]) -> None:
    tx.insert(stack_snapshot_part, **values)


def remove_part(tx: Tx, snapshot_id: str, name: str) -> None:
    mine = (stack_snapshot_part.c.snapshot_id == snapshot_id, stack_snapshot_part.c.name == name)
    tx.execute(delete(stack_snapshot_part).where(*mine))


def parts(tx: Tx, snapshot_id: str) -> list[Row[Any]]:
    mine = select(stack_snapshot_part).where(stack_snapshot_part.c.snapshot_id == snapshot_id)
    return tx.all(mine.order_by(stack_snapshot_part.c.name))
