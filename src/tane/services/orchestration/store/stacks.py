"""SQL of stacks and their tags."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Select, and_, delete, func, insert, or_, select, update
from sqlalchemy.engine import Row

from tane.db import Tx, kept
from tane.services.orchestration.tables import stack, stack_files, stack_snapshot, stack_tag

REASON = 4096
"""So much is kept of why something failed."""
SORTABLE = {
    "stack_name": stack.c.name,
    "name": stack.c.name,
    "stack_status": stack.c.status,
    "status": stack.c.status,
    "creation_time": stack.c.created_at,
    "created_at": stack.c.created_at,
    "updated_time": stack.c.updated_at,
    "updated_at": stack.c.updated_at,
    "id": stack.c.id,
}


class Selection(msgspec.Struct, kw_only=True):
    """Which stacks a list has. ``filters``: values by column; ``states``: action and status, one of them; ``tags``: by
    the words of the query."""

    project_id: str | None
    filters: Mapping[str, Sequence[str]]
    states: Sequence[tuple[str, str]]
    tags: Mapping[str, Sequence[str]]
    deleted: bool
    nested: bool
    hidden_tags: Sequence[str]


def conditions(wanted: Selection) -> list[ColumnElement[bool]]:
    """The conditions of a selection."""
    found: list[ColumnElement[bool]] = []
    if wanted.project_id is not None:
        found.append(stack.c.project_id == wanted.project_id)
    if not wanted.deleted:
        found.append(~stack.c.deleted)
    if not wanted.nested:
        found.append(stack.c.parent_id.is_(None))
    found += [stack.c[name].in_(list(values)) for name, values in wanted.filters.items()]
    if wanted.states:
        pairs = [and_(stack.c.action == action, stack.c.status == status) for action, status in wanted.states]
        found.append(or_(*pairs))
    found += [stack.c.id.in_(tagged(tag)) for tag in wanted.tags.get("tags", ())]
    if wanted.tags.get("tags_any"):
        found.append(or_(*(stack.c.id.in_(tagged(tag)) for tag in wanted.tags["tags_any"])))
    if wanted.tags.get("not_tags"):
        found.append(~and_(*(stack.c.id.in_(tagged(tag)) for tag in wanted.tags["not_tags"])))
    unwanted = (*wanted.tags.get("not_tags_any", ()), *wanted.hidden_tags)
    found += [stack.c.id.not_in(tagged(tag)) for tag in unwanted]
    return found


def get(tx: Tx, stack_id: str) -> Row[Any] | None:
    return tx.row(stack, id=stack_id)


def nested(tx: Tx, stack_id: str, resource_id: str) -> Row[Any] | None:
    """A stack that is that of a resource, and of no other."""
    return tx.row(stack, id=stack_id, parent_resource_id=resource_id)


def many(tx: Tx, ids: Iterable[str]) -> dict[str, Row[Any]]:
    return {row.id: row for row in tx.all(select(stack).where(stack.c.id.in_(list(ids))))}


def named(tx: Tx, project_id: str, name: str) -> Row[Any] | None:
    """The stack of that name that is not deleted, nested ones too."""
    mine = select(stack).where(stack.c.project_id == project_id, stack.c.name == name, ~stack.c.deleted)
    return tx.first(mine.order_by(stack.c.depth, stack.c.created_at))


def add(tx: Tx, values: Mapping[str, Any]) -> None:
    tx.execute(insert(stack).values(**_apart(tx, str(values["project_id"]), values)))


def change(tx: Tx, stack_id: str, **values: Any) -> None:
    if "reason" in values:
        values["reason"] = values["reason"][:REASON]
    if not {"source", "previous"} & set(values):
        tx.update(stack, {"id": stack_id}, **values)
        return
    project_id = tx.scalar(select(stack.c.project_id).where(stack.c.id == stack_id))
    if project_id is not None:
        tx.execute(update(stack).where(stack.c.id == stack_id).values(**_apart(tx, str(project_id), values)))
        drop_files(tx, str(project_id))


def remove(tx: Tx, found: Row[Any]) -> None:
    tx.execute(delete(stack).where(stack.c.id == found.id))
    drop_files(tx, str(found.project_id))


def source(tx: Tx, found: Row[Any]) -> dict[str, Any]:
    """What a stack is to be, with its files."""
    return whole(tx, found, found.source, found.files_id)


def previous(tx: Tx, found: Row[Any]) -> dict[str, Any]:
    """What it was before, with its files."""
    return whole(tx, found, found.previous, found.previous_files_id)


def whole(tx: Tx, found: Row[Any], document: Mapping[str, Any], files_id: str | None) -> dict[str, Any]:
    """A source of a row's project, with its files."""
    if files_id is None:
        return dict(document)
    mine = (stack_files.c.project_id == found.project_id, stack_files.c.id == files_id)
    return {**document, "files": tx.scalar(select(stack_files.c.files).where(*mine))}


def _apart(tx: Tx, project_id: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Values of a row whose files, when a source comes with some, are kept once for all stacks of the project."""
    if "source" not in values:
        return dict(values)
    found, files = {"files_id": None, **values}, values["source"].get("files")
    if files:
        text = msgspec.json.encode(files, order="deterministic")
        key = {"project_id": project_id, "id": hashlib.sha256(text).hexdigest()}
        mine = (stack_files.c.project_id == project_id, stack_files.c.id == key["id"])
        if tx.first(select(stack_files.c.id).where(*mine)) is None:
            tx.insert(stack_files, **key, files=files, bytes=len(text))
        found |= {"source": {**values["source"], "files": {}}, "files_id": key["id"]}
    return {**found, "bytes": len(msgspec.json.encode(dict(found["source"])))}


def drop_files(tx: Tx, project_id: str) -> None:
    """Forget files that no stack of a project, and no snapshot of one, has any more."""
    mine = (stack.c.project_id == project_id, stack_files.c.project_id == project_id)
    has = select(stack.c.id).where(*mine, stack.c.files_id == stack_files.c.id).correlate(stack_files)
    had = select(stack.c.id).where(*mine, stack.c.previous_files_id == stack_files.c.id).correlate(stack_files)
    of_snapshot = (stack_snapshot.c.project_id == project_id, stack_snapshot.c.files_id == stack_files.c.id)
    keeps = select(stack_snapshot.c.id).where(*of_snapshot).correlate(stack_files)
    unused = (~has.exists(), ~had.exists(), ~keeps.exists())
    tx.execute(delete(stack_files).where(stack_files.c.project_id == project_id, *unused))


def bytes_of(tx: Tx, project_id: str) -> int:
    """How long all sources and files of a project are, with those of snapshots."""
    return sum(
        int(tx.scalar(select(func.coalesce(func.sum(table.c.bytes), 0)).where(table.c.project_id == project_id)) or 0)
        for table in (stack, stack_files, stack_snapshot)
    )


def forget_oldest(tx: Tx, project_id: str, most: int) -> None:
    """Of a project's deleted stacks, forget those beyond ``most``."""
    mine = and_(stack.c.project_id == project_id, stack.c.deleted_at.is_not(None))
    kept.forget_oldest(tx, mine, stack.c.deleted_at, stack.c.id, most)


def roots(tx: Tx, project_id: str) -> int:
    """How many stacks users of a project have, without nested ones."""
    mine = and_(stack.c.project_id == project_id, ~stack.c.deleted, stack.c.parent_id.is_(None))
    return int(tx.scalar(select(func.count()).select_from(stack).where(mine)) or 0)


def of_root(tx: Tx, root_id: str) -> list[Row[Any]]:
    """A stack with all that are nested in it, not deleted."""
    return tx.all(select(stack).where(stack.c.root_id == root_id, ~stack.c.deleted))


def children(tx: Tx, parent_ids: Sequence[str]) -> list[Row[Any]]:
    return tx.all(select(stack).where(stack.c.parent_id.in_(parent_ids), ~stack.c.deleted))


def find(
    tx: Tx,
    conditions: Sequence[ColumnElement[bool]],
    sort: Sequence[tuple[str, bool]],
    marker: Row[Any] | None,
    limit: int | None,
) -> list[Row[Any]]:
    """A page of stacks. ``sort``: (key of :data:`SORTABLE`, descending) pairs; ties are broken by the id."""
    wanted = select(stack).where(*conditions)
    keys = [(SORTABLE[name], down) for name, down in sort] or [(stack.c.created_at, True)]
    keys.append((stack.c.id, False))
    if marker is not None:
        wanted = wanted.where(_after(keys, marker))
    for column, down in keys:
        wanted = wanted.order_by(*([column.is_(None), column] if not down else [column.is_not(None), column.desc()]))
    return tx.all(wanted if limit is None else wanted.limit(limit))


def _after(keys: Sequence[tuple[Any, bool]], marker: Row[Any]) -> ColumnElement[bool]:
    ways = []
    for place, (column, down) in enumerate(keys):
        before = [_same(other, marker) for other, _ in keys[:place]]
        value = marker._mapping[column]
        if value is None:
            beyond = column.is_not(None) if down else column.is_not(column)
        elif down:
            beyond = column < value
        else:
            beyond = or_(column > value, column.is_(None))
        ways.append(and_(*before, beyond))
    return or_(*ways)


def _same(column: Any, marker: Row[Any]) -> ColumnElement[bool]:
    value = marker._mapping[column]
    return column.is_(None) if value is None else column == value  # type: ignore[no-any-return]


def count(tx: Tx, conditions: Sequence[ColumnElement[bool]]) -> int:
    return int(tx.scalar(select(func.count()).select_from(stack).where(*conditions)) or 0)


def overdue(tx: Tx, now: datetime) -> list[Row[Any]]:
    """Ids and projects of stacks whose time is over while something is done with them, the latest first."""
    late = select(stack.c.id, stack.c.project_id).where(
        stack.c.deadline <= now, stack.c.status == "IN_PROGRESS", ~stack.c.deleted
    )
    return tx.all(late.order_by(stack.c.deadline, stack.c.id))


def forget(tx: Tx, before: datetime) -> int:
    """Forget stacks that were deleted before a moment, with their events."""
    return tx.count(delete(stack).where(stack.c.deleted, stack.c.deleted_at < before))


# ------------------------------------------------------------------------------------------------------------- tags


def tags(tx: Tx, ids: Sequence[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for row in tx.all(select(stack_tag).where(stack_tag.c.stack_id.in_(ids)).order_by(stack_tag.c.place)):
        found.setdefault(row.stack_id, []).append(row.tag)
    return found


def set_tags(tx: Tx, stack_id: str, wanted: Sequence[str]) -> None:
    tx.execute(delete(stack_tag).where(stack_tag.c.stack_id == stack_id))
    rows = [{"stack_id": stack_id, "place": place, "tag": tag} for place, tag in enumerate(wanted)]
    if rows:
        tx.execute(insert(stack_tag), rows)


def tagged(tag: str) -> Select[Any]:
    """Ids of the stacks that have a tag."""
    return select(stack_tag.c.stack_id).where(stack_tag.c.tag == tag)
