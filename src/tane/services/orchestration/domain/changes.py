"""What an update of a stack would do, and why, before it is done."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from sqlalchemy.engine import Row

from tane.core import Core
from tane.db import Tx
from tane.services.orchestration.domain import deciding, drift, engine, nested, validation
from tane.services.orchestration.domain.common import FAILED, require
from tane.services.orchestration.domain.hand import Hand
from tane.services.orchestration.domain.plans import Plan, Source
from tane.services.orchestration.domain.stacks import like, may_update, refuse_immutable
from tane.services.orchestration.domain.validation import Looked
from tane.services.orchestration.resources.base import Failed
from tane.services.orchestration.store import resources, stacks
from tane.services.orchestration.template import effort
from tane.web.context import Context

What = Literal["unchanged", "updated", "replaced", "added", "deleted"]
DOES: Mapping[deciding.Way, What] = {"leave": "unchanged", "update": "updated", "replace": "replaced"}


@dataclass
class Change:
    """A resource, what happens to it, and the properties that are the reason; ``replacing``: those of them that cannot
    be changed in place. ``refused``: why it does not happen, and the update fails. ``looked`` is None of what is
    deleted, ``row`` of what is added."""

    name: str
    what: What
    looked: Looked | None
    row: Row[Any] | None
    differing: list[str] = field(default_factory=list)
    replacing: list[str] = field(default_factory=list)
    refused: str | None = None
    stack: Any = None
    """The nested stack that it is in, and the name of the resource that has that."""
    parent: str | None = None


def of_update(
    core: Core, ctx: Context, stack_id: str, name: str, source: Source, *, converge: bool = False, deep: bool = False
) -> tuple[Row[Any], dict[What, list[Change]]]:
    """What an update would make, change, replace, delete and leave. ``converge``: as one that mends what has become of
    the resources behind the stack's back. ``deep``: in nested stacks, too; of a group that grows or shrinks by signals
    with the members that it has. :raises StackValidationFailed:"""
    seen = drift.compare(core, ctx, stack_id, name)[1] if converge else []
    drifted = {one.row.id: one for top in seen for one in top.all()}
    lost = {one.row.name for one in seen if one.is_lost}
    with core.db.read() as tx:
        row = require(tx, ctx, stack_id, name)
        may_update(row)
        plan = validation.plan_for(core, ctx, row, source)
        refuse_immutable(tx, core, row, plan)
        hidden = engine.secrets(tx, core, row)
        known = _Known(core, ctx, tx, drifted)
        there = known.rows(row, plan)

        def look(lost: Collection[str]) -> list[Change]:
            walk = validation.Walk(plan.check, deep=deep)
            with core.db.joining(tx):
                listed = validation.look(core, ctx, like(row, source), plan, tx, walk, lost=lost, secrets=hidden)
            return there.compared(listed, drifted)

        found = _settled(look, lost)
        found += there.left(found)
        if deep:
            with core.db.joining(tx):
                found = [one for top in found for one in (top, *_within(known, top))]
    kinds: dict[What, list[Change]] = {"unchanged": [], "updated": [], "replaced": [], "added": [], "deleted": []}
    for one in found:
        kinds[one.what].append(one)
    return row, kinds


@dataclass
class _Rows:
    """The resources that a stack has. ``mended``: ids of those that failed and are changed in place."""

    there: Mapping[str, Row[Any]]
    by_id: Mapping[str, Row[Any]]
    mended: Collection[str]

    def compared(self, listed: Sequence[Looked], drifted: Mapping[str, drift.Seen]) -> list[Change]:
        return [
            _goes_back(_change(one, self.there.get(one.name), drifted, self.mended), self.by_id, self.mended)
            for one in listed
        ]

    def left(self, found: Sequence[Change]) -> list[Change]:
        """What no template has any more."""
        names = {one.name for one in found}
        return [Change(gone.name, "deleted", None, gone) for gone in self.there.values() if gone.name not in names]


@dataclass
class _Known:
    """Of whom, and in what read, changes are asked for."""

    core: Core
    ctx: Context
    tx: Tx
    drifted: Mapping[str, drift.Seen]

    def rows(self, stack: Row[Any], plan: Plan | None) -> _Rows:
        tx, rows = self.tx, resources.of_stack(self.tx, stack.id)
        there = {found.name: found for found in rows if found.current}
        mended: set[str] = set()
        if plan is not None:
            failed = [there[name] for name, kind in plan.kinds.items() if kind.mends and name in there]
            mended = {one.id for one in failed if one.status == FAILED and nested.can_mend(tx, one)}
            kept = [one for one in rows if one.name in plan.kinds and (one.current or deciding.is_bad(one))]
            with self.core.db.joining(tx):
                hands = [Hand(self.core, tx, self.ctx, stack, one, plan, one.properties) for one in kept]
                mended |= {hand.row.id for hand in hands if deciding.seems_well(hand) or deciding.ails(hand)}
        return _Rows(there, {found.id: found for found in rows}, mended)


def _within(known: _Known, change: Change) -> Iterator[Change]:
    """What happens in the nested stack of a resource, if it has one, and in those below."""
    effort.look()
    listed = change.looked.inner if change.looked is not None else []
    if listed is None:
        return
    row = change.row if change.what in ("unchanged", "updated", "deleted") else None
    child = None if row is None or row.physical_id is None else stacks.nested(known.tx, row.physical_id, row.id)
    if child is None:
        found = [Change(one.name, "added", one, None) for one in listed]
    else:
        there = known.rows(child, listed[0].plan if listed else None)
        found = there.compared(listed, known.drifted)
        found += there.left(found)
    for one in found:
        one.parent = change.name
        one.stack = child if child is not None or one.looked is None else one.looked.stack
        yield one
        yield from _within(known, one)


def _settled(look: Any, lost: set[str]) -> list[Change]:
    """What refers to a resource that is replaced gets another value, and may be replaced for that."""
    while True:
        found: list[Change] = look(lost)
        more = {one.name for one in found if one.what == "replaced"} - lost
        if not more:
            return found
        lost |= more
        effort.look()


def _goes_back(change: Change, by_id: Mapping[str, Row[Any]], mended: Collection[str]) -> Change:
    """What is done where one that was replaced is what is wanted again: it is the present one again."""
    row, one = change.row, change.looked
    unmade = row is not None and row.status == FAILED and row.physical_id is None
    if row is None or one is None or row.replaces is None or not (change.what == "replaced" or unmade):
        return change
    kind = one.plan.kinds[one.name]
    for old in engine.replaced(row, by_id):
        if deciding.fits(one.plan, old, one.properties, mends=old.id in mended):
            differing = sorted(deciding.differing(kind, old.properties, one.properties))
            return Change(one.name, "updated", one, old, differing)
    return change


def _change(one: Looked, row: Row[Any] | None, drifted: Mapping[str, drift.Seen], mended: Collection[str]) -> Change:
    if row is None:
        return Change(one.name, "added", one, None)
    plan, seen = one.plan, drifted.get(row.id)
    outside = deciding.is_outside(one.plan, row)
    kind = plan.kinds[one.name]
    differing = [] if outside else sorted(deciding.differing(kind, row.properties, one.properties))
    inside = False
    if seen is not None:
        differing += [name for name in sorted(seen.mendable) if name not in differing]
        inside = bool(seen.inner) and seen.mend == "update"
    mends = row.id in mended
    changed = {name: one.properties.get(name) for name in differing}
    way = deciding.way(plan, row, changed, mends=mends)
    lost = seen is not None and seen.is_lost
    if lost:
        way = "replace"
    elif inside and way == "leave":
        way = "update"
    found = Change(one.name, DOES[way], one, row, differing, deciding.replacing(plan, row, changed))
    anew = seen.again if lost and seen is not None else row.status == FAILED and row.physical_id is None
    if not anew:  # That is the same resource, which tries once more: nothing is refused.
        try:
            deciding.check(plan, row, () if lost else differing, way, mends=mends)
        except Failed as error:
            found.refused = str(error)
            found.what = "updated" if found.what == "unchanged" else found.what
    return found
