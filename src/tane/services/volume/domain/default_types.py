"""The type that new volumes of a project get when they name none (from 3.62); without one it is the cloud's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy.engine import Row

from tane.core import Core
from tane.services.volume.domain.types import named
from tane.services.volume.store import types
from tane.web.errors import NotFound


def index(core: Core) -> Sequence[Row[Any]]:
    """Rows (project_id, volume_type_id)."""
    with core.db.read() as tx:
        return types.defaults(tx)


def show(core: Core, project_id: str) -> str:
    """The id of the type. :raises NotFound: the project has no default of its own."""
    with core.db.read() as tx:
        row = types.default_of(tx, project_id)
    if row is None:
        raise NotFound(f"Default type for project {project_id} not found.")
    return str(row.id)


def set_to(core: Core, project_id: str, name_or_id: str) -> str:
    """Returns the type's id. :raises NotFound: no such type."""
    with core.db.write() as tx:
        row = named(tx, name_or_id)
        if row is None:
            raise NotFound(f"Volume type with name {name_or_id} could not be found.")
        types.set_default(tx, project_id, row.id)
        return str(row.id)


def unset(core: Core, project_id: str) -> None:
    """Repeatable."""
    with core.db.write() as tx:
        types.unset_default(tx, project_id)
