"""Modules that rate, and projects that are rated: which are on, and since when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tane.core import Core
from tane.db import Tx
from tane.services.rating.domain import facts
from tane.services.rating.domain.reports import HASHMAP, MODULE, SCOPE
from tane.services.rating.store import settings
from tane.web.context import Context
from tane.web.errors import BadRequest, Conflict, NotFound, NotImplementedHere

MOST_SWITCHES = 10_000
"""Each report reads them."""
PYSCRIPTS = "pyscripts"
NO_SCRIPTS = (
    "The module pyscripts runs programs of an administrator inside the service: it is left out here. Prices are those "
    "of hashmap."
)


@dataclass(frozen=True)
class Module:
    module_id: str
    description: str
    enabled: bool
    hot_config: bool
    priority: int


KNOWN = (
    Module(HASHMAP, "HashMap rating module.", True, True, 1),
    Module("noop", "Dummy test module.", True, False, 1),
    Module(PYSCRIPTS, "PyScripts rating module.", False, True, 1),
)


def modules(core: Core) -> list[Module]:
    with core.db.read() as tx:
        last = {row.name: row for row in settings.switched(tx, MODULE)}
    return [_as_is(one, last.get(one.module_id)) for one in KNOWN]


def _as_is(one: Module, row: Any) -> Module:
    if row is None:
        return one
    return Module(one.module_id, one.description, row.enabled, one.hot_config, row.priority)


def module(core: Core, name: str) -> Module:
    """:raises NotFound:"""
    found = next((one for one in modules(core) if one.module_id == name), None)
    if found is None:
        raise NotFound(f"Module '{name}' not found")
    return found


def set_module(core: Core, ctx: Context, name: str, enabled: bool | None, priority: int | None) -> None:
    """While hashmap is off, nothing costs anything. :raises NotFound: :raises NotImplementedHere: of pyscripts."""
    before = module(core, name)
    wanted = before.enabled if enabled is None else enabled, before.priority if priority is None else priority
    if wanted == (before.enabled, before.priority):
        return
    if name == PYSCRIPTS and wanted[0]:
        raise NotImplementedHere(NO_SCRIPTS)
    with core.db.write() as tx:
        _refuse_more(tx, MODULE)
        settings.add_switch(tx, MODULE, name, *wanted)


def _refuse_more(tx: Tx, kind: str) -> None:
    if len(settings.switched(tx, kind)) >= MOST_SWITCHES:
        raise Conflict(f"It was switched {MOST_SWITCHES} times, which is the most")


@dataclass(frozen=True)
class Selected:
    """Which scopes; what is empty selects all."""

    ids: Sequence[str] = ()
    keys: Sequence[str] = ()
    fetchers: Sequence[str] = ()
    collectors: Sequence[str] = ()
    active: Sequence[bool] = ()


KEY, FETCHER, COLLECTOR = "project_id", "keystone", "events"


def scopes(core: Core, selected: Selected, offset: int, limit: int) -> tuple[list[Any], Any]:
    """(the projects that have used anything, up to when that is counted). :raises NotFound: there is none."""
    others = ((selected.keys, KEY), (selected.fetchers, FETCHER), (selected.collectors, COLLECTOR))
    fits = all(not given or one in given for given, one in others)
    with core.db.read() as tx:
        active = selected.active or (True, False)
        rows = settings.scopes(tx, selected.ids, active, offset, limit) if fits else []
        told, _ = facts.told_until(tx)
    if not rows:
        raise NotFound("No resource found for provided filters.")
    return rows, told


def set_scope(core: Core, project_id: str, active: bool | None) -> tuple[Any, Any]:
    """What a project uses while it is not active costs nothing. :raises NotFound:"""
    with core.db.write() as tx:
        row = settings.get_scope(tx, project_id)
        if row is None:
            raise NotFound("No resource found for provided filters.")
        if active is not None and active != row.active:
            _refuse_more(tx, SCOPE)
            settings.add_switch(tx, SCOPE, project_id, active, 1)
            settings.set_scope(tx, project_id, active)
        return settings.get_scope(tx, project_id), facts.told_until(tx)[0]


def refuse_reset(core: Core, at: Any) -> None:
    """Whether what follows a moment is rated by the prices that are valid in it now: so it is, by each report, unless
    it lies in a month that is closed. :raises Conflict: it does. :raises BadRequest: it is to come."""
    with core.db.read() as tx:
        if at > tx.now:
            raise BadRequest("Variable 'last_processed_timestamp' lies in the future.")
        closed = [row.month for row in settings.closings(tx)]
    month = f"{at.year:04}-{at.month:02}"
    if closed and month <= closed[-1]:
        raise Conflict(f"Month {closed[-1]} is closed: what is known later is a line of the next bill")
