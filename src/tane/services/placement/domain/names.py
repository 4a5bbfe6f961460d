"""Names of resource classes and of traits: those that hosts have by themselves, and those that administrators add."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Table

from tane.core import Core
from tane.db import Tx
from tane.hosts import allocations, offers
from tane.hosts import store as hosts
from tane.services.placement.store import names
from tane.services.placement.tables import resource_class, trait
from tane.web.errors import BadRequest, Conflict, NotFound

MOST = 1000
"""Names of administrators' own, of each kind."""


def require_classes(tx: Tx, wanted: Iterable[str]) -> None:
    """:raises BadRequest: there is no such resource class."""
    others = {*wanted} - {*offers.CLASSES}
    if others and (unknown := others.difference(names.all_of(tx, resource_class))):
        told = ", ".join(sorted(unknown))
        raise BadRequest(f"Invalid resource class in resources parameter: No such resource class {told}.")


def require_traits(tx: Tx, wanted: Iterable[str]) -> None:
    """:raises BadRequest: there is no such trait."""
    others = {*wanted} - {*offers.TRAITS}
    if others and (unknown := others.difference(names.all_of(tx, trait))):
        raise BadRequest(f"No such trait(s): {', '.join(sorted(unknown))}.")


def _all(tx: Tx, table: Table) -> list[str]:
    own = offers.CLASSES if table is resource_class else offers.TRAITS
    return [*own, *names.all_of(tx, table)]


def _refuse_many(tx: Tx, table: Table) -> None:
    if names.count(tx, table) >= MOST:
        raise Conflict(f"There are {MOST} names of this kind already, which is as many as may be.")


# ------------------------------------------------------------------------------------------------- resource classes


def classes(core: Core) -> list[str]:
    with core.db.read() as tx:
        return _all(tx, resource_class)


def require_class(core: Core, name: str) -> None:
    """:raises NotFound:"""
    if name not in classes(core):
        raise NotFound(f"No such resource class {name}.")


def add_class(core: Core, name: str) -> bool:
    """Whether it is new. :raises Conflict: there are as many as may be."""
    with core.db.write() as tx:
        if names.exists(tx, resource_class, name):
            return False
        _refuse_many(tx, resource_class)
        names.add(tx, resource_class, name)
        return True


def rename_class(core: Core, name: str, new: str) -> None:
    """:raises NotFound: :raises BadRequest: it is no administrator's. :raises Conflict: taken, or in use."""
    with core.db.write() as tx:
        _require_own_class(tx, name, "Cannot update standard resource class")
        if names.exists(tx, resource_class, new):
            raise Conflict(f"Resource class already exists: {new}")
        names.remove(tx, resource_class, name)
        names.add(tx, resource_class, new)


def remove_class(core: Core, name: str) -> None:
    """:raises NotFound: :raises BadRequest: it is no administrator's. :raises Conflict: a provider has some of it."""
    with core.db.write() as tx:
        _require_own_class(tx, name, "Error in delete resource class: Cannot delete standard resource class")
        names.remove(tx, resource_class, name)


def _require_own_class(tx: Tx, name: str, refused: str) -> None:
    if name in offers.CLASSES:
        raise BadRequest(f"{refused} {name}.")
    if not names.exists(tx, resource_class, name):
        raise NotFound(f"No such resource class {name}.")
    used = any(name in amounts for amounts in allocations.used(tx).values())
    if used or any(name in said.inventories for said in offers.said(tx).values()):
        raise Conflict(f"Error in delete resource class: Cannot delete resource class {name}. Class is in use.")


# ------------------------------------------------------------------------------------------------------------ traits


def traits(core: Core, *, associated: bool | None) -> list[str]:
    """``associated``: only those that a provider has, or has not."""
    with core.db.read() as tx:
        found = _all(tx, trait)
        if associated is None:
            return found
        worn = _worn(tx)
    return [name for name in found if (name in worn) == associated]


def _worn(tx: Tx) -> set[str]:
    said = offers.said(tx)
    rows = (row for row in hosts.all_hosts(tx) if "compute" in row.roles)
    return {name for row in rows for name in offers.traits(row, said.get(row.id, offers.NOTHING))}


def add_trait(core: Core, name: str) -> bool:
    """Whether it is new. :raises Conflict: there are as many as may be."""
    with core.db.write() as tx:
        if names.exists(tx, trait, name):
            return False
        _refuse_many(tx, trait)
        names.add(tx, trait, name)
        return True


def remove_trait(core: Core, name: str) -> None:
    """:raises NotFound: :raises BadRequest: it is no administrator's. :raises Conflict: a provider has it."""
    with core.db.write() as tx:
        if name in offers.TRAITS:
            raise BadRequest(f"Cannot delete standard trait {name}.")
        if not names.exists(tx, trait, name):
            raise NotFound(f"No such trait(s): {name}.")
        if any(name in said.traits for said in offers.said(tx).values()):
            raise Conflict(f"The trait {name} is in use by a resource provider.")
        names.remove(tx, trait, name)
