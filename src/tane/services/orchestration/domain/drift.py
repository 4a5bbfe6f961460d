"""What has become of a stack's resources behind its back: those that are gone, and those that others have changed.

It is looked at as the caller, by reading what each service shows; nothing is written but by an update that is asked to
mend it (:func:`note`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from sqlalchemy.engine import Row

from tane.core import Core
from tane.db import Tx
from tane.services.orchestration import resources as kinds
from tane.services.orchestration.domain import deciding, engine, masking
from tane.services.orchestration.domain.common import COMPLETE, FAILED, IN_PROGRESS, MOST_DEPTH, require
from tane.services.orchestration.domain.hand import Hand
from tane.services.orchestration.domain.plans import Plan
from tane.services.orchestration.resources.base import Failed, Kind
from tane.services.orchestration.resources.comparing import Difference, missing, plain
from tane.services.orchestration.resources.nested import OfStack
from tane.services.orchestration.store import resources, stacks
from tane.services.orchestration.template import TemplateError, effort
from tane.web.context import Context
from tane.web.errors import ApiError, NotFound

Status = Literal["IN_SYNC", "MODIFIED", "DELETED", "NOT_CHECKED"]
"""The words of CloudFormation."""
Mend = Literal["", "create", "update", "replace", "none"]
CHANGED_INSIDE = "another text"
"""The digest of a nested stack in which something is to be mended: the update goes into it."""


@dataclass
class Seen:
    """A resource as it is found. ``mend``: what an update does that is asked to mend it (``converge``); ``unmended``:
    why it leaves properties as they are."""

    row: Row[Any]
    stack: Row[Any]
    plan: Plan
    secrets: Collection[str]
    """The values of hidden parameters, of its stack and of those that is nested in: nothing that is told has them."""
    parent: str | None = None
    status: Status = "NOT_CHECKED"
    reason: str = ""
    differences: Mapping[str, Difference] = field(default_factory=dict)
    mend: Mend = ""
    unmended: Mapping[str, str] = field(default_factory=dict)
    again: bool = False
    """Whether what is gone is made again by the same resource: nothing of it is left to be deleted."""
    inner: list[Seen] = field(default_factory=list)

    def all(self) -> Iterator[Seen]:
        yield self
        for one in self.inner:
            yield from one.all()

    @property
    def is_lost(self) -> bool:
        """Whether it is gone, and an update makes it again."""
        return self.status == "DELETED" and self.mend != "none"

    @property
    def mendable(self) -> dict[str, Difference]:
        return {name: found for name, found in self.differences.items() if name not in self.unmended}


def compare(core: Core, ctx: Context, stack_id: str, name: str) -> tuple[Row[Any], list[Seen]]:
    """A stack and each of its resources, with those of stacks nested in it. :raises NotFound: there is no such stack.
    :raises TakesLong: it is more than a request may look at where all are answered."""
    with core.db.read() as tx:
        stack = require(tx, ctx, stack_id, name)
        with core.db.joining(tx):
            return stack, _of_stack(_Walk(core, ctx, tx), stack, engine.secrets(tx, core, stack))


@dataclass
class _Walk:
    """A look at a stack and at all that is nested in it. ``found``: what their properties name, looked up once."""

    core: Core
    ctx: Context
    tx: Tx
    found: dict[tuple[str, str], str] = field(default_factory=dict)


def _of_stack(walk: _Walk, stack: Row[Any], secrets: Collection[str], parent: str | None = None) -> list[Seen]:
    plan = engine.plan_of(walk.tx, walk.core, stack)
    hidden = {*secrets, *plan.secrets()}
    found = []
    for row in resources.of_stack(walk.tx, stack.id):
        if row.current:
            effort.look()
            seen = Seen(row, stack, plan, hidden, parent)
            _look(walk, seen)
            seen.reason = masking.masked(seen.reason, hidden)[: stacks.REASON]
            seen.unmended = {name: masking.masked(why, hidden) for name, why in seen.unmended.items()}
            found.append(seen)
    return found


def _look(walk: _Walk, seen: Seen) -> None:
    row = seen.row
    kind = kind_of(seen)
    if row.working or row.status == IN_PROGRESS:
        seen.reason = f"{row.action} is in progress."
    elif row.action == "INIT" or (row.physical_id is None and row.status != COMPLETE and row.action != "DELETE"):
        if seen.stack.status == IN_PROGRESS:
            seen.reason = "It is not made yet."
        else:
            _is_gone(seen, "It was never made.", again=True)
    elif row.action == "DELETE" and (row.status == COMPLETE or row.physical_id is None):
        seen.reason = "It is not there by the stack's own record."
    elif isinstance(kind, OfStack):
        _look_inside(walk, seen)
    else:
        hand = Hand(walk.core, walk.tx, walk.ctx, seen.stack, row, seen.plan, row.properties)
        _ask(hand.comparing(walk.found), seen, kind)
    deleted = row.action == "DELETE" and (row.physical_id is None or row.name not in seen.plan.resources)
    if deciding.is_bad(row) and not deleted:
        hand = Hand(walk.core, walk.tx, walk.ctx, seen.stack, row, seen.plan, row.properties)
        well = deciding.seems_well(hand)
        seen.mend = "update" if well else "replace" if row.physical_id is not None else "create"


def kind_of(seen: Seen) -> Kind:
    """The type that made it: what the template means by its type may be another by now."""
    mine = seen.plan.kinds.get(seen.row.name)
    if mine is not None and mine.known_as() == seen.row.declared.get("kind"):
        return mine
    return kinds.made_by(seen.row.declared.get("kind", ""), seen.row.type)


def _look_inside(walk: _Walk, seen: Seen) -> None:
    child = stacks.nested(walk.tx, str(seen.row.physical_id), str(seen.row.id))
    if child is None or child.deleted:
        _is_gone(seen, f"The Stack ({seen.row.physical_id}) could not be found.", again=True)
        return
    if child.depth <= MOST_DEPTH:
        seen.inner = _of_stack(walk, child, seen.secrets, seen.row.name)
    count = sum(one.status in ("MODIFIED", "DELETED") for one in seen.inner)
    seen.status = "MODIFIED" if count else "IN_SYNC"
    if count:
        seen.reason = f"{count} of its resources are not as they were set."
        seen.mend = "update"


def _ask(hand: Hand, seen: Seen, kind: Kind) -> None:
    outside = seen.row.declared.get("external_id") is not None
    if kind.lacks(seen.row.data) is not None:
        seen.reason = "What it stands for is not known."
        return
    try:
        found: Mapping[str, Difference] | None = {}
        if outside:
            # It was made by others, as they wanted it.
            kind.show(hand)
        else:
            found = kind.differences(hand)
    except NotFound as error:
        gone = _not_there(hand, kind, error)
        if gone is not None:
            _is_gone(seen, gone, again=not kind.leaves)
        else:
            seen.reason = f"It cannot be looked at: {error.message}"
        return
    except (ApiError, TemplateError) as error:
        seen.reason = f"It cannot be looked at: {error.message}"
        return
    except Failed as error:
        seen.reason = str(error)
        return
    if found is None:
        seen.reason = "It is kept by the stack alone."
        return
    if outside or not kind.compares:
        seen.status, seen.reason = "IN_SYNC", "It is there; its properties are not compared."
        return
    seen.differences = dict(found)
    seen.status = "MODIFIED" if found else "IN_SYNC"
    _tell_mend(seen, kind)


def _not_there(hand: Hand, kind: Kind, error: NotFound) -> str | None:
    """That it is gone, in its service's words; None where it is there, and what was not found is something else."""
    if type(kind).show is Kind.show:
        return error.message
    try:
        kind.show(hand)
    except NotFound as gone:
        return gone.message
    except ApiError:
        return None
    return None


def _tell_mend(seen: Seen, kind: Kind) -> None:
    why = {}
    for name, one in seen.differences.items():
        declared, lost = kind.properties.get(name), missing(one.wanted)
        text = kind.unmended(name, one)
        if lost is not None:
            # An update would look for it in vain.
            text = lost.why
        elif declared is None:
            text = "It is no property of the template."
        elif declared.immutable or declared.update == "no":
            text = "It can not be changed."
        if text is not None:
            why[name] = text
    seen.unmended = why
    seen.differences = {name: Difference(plain(one.wanted), one.now) for name, one in seen.differences.items()}
    if seen.mendable:
        anew = any(kind.properties[name].update == "replace" for name in seen.mendable)
        seen.mend = "replace" if anew else "update"
    elif why:
        seen.mend = "none"


def _is_gone(seen: Seen, reason: str, *, again: bool) -> None:
    seen.status, seen.reason, seen.again = "DELETED", reason, again
    seen.mend = "create" if again else "replace"
    if seen.row.declared.get("external_id") is not None:
        seen.mend = "none"


def note(tx: Tx, core: Core, ctx: Context, found: Sequence[Seen]) -> None:
    """Write down what was found, so that the update that begins in this transaction mends it: what is gone counts as
    failed, and a property has the value that it has. What has changed since it was looked at is left alone."""
    for one in (inner for seen in found for inner in seen.all()):
        inside = bool(one.inner) and one.status == "MODIFIED"
        if not (one.is_lost or inside or one.mendable):
            continue
        row = resources.get(tx, one.row.id)
        if row is None or row.working or (row.updated_at, row.physical_id) != (one.row.updated_at, one.row.physical_id):
            continue
        hand = Hand(core, tx, ctx, one.stack, row)
        if one.is_lost:
            values = {"physical_id": None} if one.again else {}
            hand.change(action="CHECK", status=FAILED, reason=one.reason, updated_at=tx.now, **values)
        elif inside:
            hand.change(declared={**row.declared, "digest": CHANGED_INSIDE})
        else:
            now = {name: difference.now for name, difference in one.mendable.items()}
            hand.change(properties={**row.properties, **now})
