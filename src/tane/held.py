"""What projects hold: each service names its tables once, for who deletes a project and for the doctor."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, ColumnElement, func, select, true

from tane.db import Tx


@dataclass(frozen=True, eq=False)
class Held:
    """Rows of a kind that belong to projects. ``where``: those that count. ``listed``: the command that shows those of
    ``{project}`` to an administrator."""

    noun: str
    owner: Column[Any]
    listed: str
    where: ColumnElement[bool] | None = None

    def by_project(self, tx: Tx) -> dict[str, int]:
        owner = self.owner
        counted = select(owner.label("project_id"), func.count().label("many")).where(self._counts()).group_by(owner)
        return {row.project_id: int(row.many) for row in tx.all(counted)}

    def of(self, tx: Tx, project_ids: list[str]) -> int:
        mine = select(func.count()).select_from(self.owner.table).where(self._counts(), self.owner.in_(project_ids))
        return int(tx.scalar(mine))

    def _counts(self) -> ColumnElement[bool]:
        return true() if self.where is None else self.where


def of_projects(tx: Tx, kinds: Iterable[Held], project_ids: list[str]) -> dict[str, int]:
    """How many things of each kind projects hold together, by noun; without those that they have none of."""
    counted = {kind.noun: kind.of(tx, project_ids) for kind in kinds}
    return {noun: count for noun, count in counted.items() if count}


def in_words(counted: Mapping[str, int]) -> str:
    """``1 server, 2 volumes``."""
    return ", ".join(_words(counted))


def _words(counted: Mapping[str, int]) -> Iterator[str]:
    for noun, count in counted.items():
        yield f"{count} {noun}{'' if count == 1 else 's'}"
