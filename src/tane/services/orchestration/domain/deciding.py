"""What an update does to a resource that is there: what previews tell, and what the update then goes by."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy.engine import Row

from tane.services.orchestration.domain import nested, values
from tane.services.orchestration.domain.common import FAILED
from tane.services.orchestration.domain.plans import Plan
from tane.services.orchestration.resources.base import Failed, Kind
from tane.services.orchestration.resources.nested import OfStack
from tane.services.orchestration.template.properties import Property, settled
from tane.web.errors import ApiError

if TYPE_CHECKING:
    from tane.services.orchestration.domain.hand import Hand

Way = Literal["leave", "update", "replace"]


def differing(kind: Kind, before: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """The new values of the properties that are others."""
    names = [*wanted, *(name for name in before if name not in wanted)]
    return {name: wanted.get(name) for name in names if _differs(kind.properties.get(name), name, before, wanted)}


def _differs(declared: Property | None, name: str, before: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    # What an older release did not know of has the value that it would have had.
    old = before.get(name, None if declared is None else declared.default)
    new = wanted.get(name)
    return bool(old != new and settled(declared, old) != settled(declared, new))


def is_outside(plan: Plan, row: Row[Any]) -> bool:
    """Whether it is, or is to be, a thing of others: that has no properties of ours."""
    return bool(row.declared.get("external_id") or values.external_id(plan, row.name))


def way(plan: Plan, row: Row[Any], changed: Mapping[str, Any], *, mends: bool) -> Way:
    """What is done with a resource of the plan of which these properties change, to these values. ``mends``: it failed,
    and an update can mend it."""
    if row.declared.get("kind") != plan.kinds[row.name].known_as() or (is_bad(row) and not mends):
        return "replace"
    if replacing(plan, row, changed) or plan.kinds[row.name].anew:
        return "replace"
    return "update" if changed or mends or other_text(plan, row) else "leave"


def replacing(plan: Plan, row: Row[Any], changed: Mapping[str, Any]) -> list[str]:
    """Those of the properties that cannot be changed in place."""
    kind = plan.kinds[row.name]
    also = kind.replaces(row.properties, changed) if row.declared.get("kind") == kind.known_as() else []
    return [
        one for one in changed if one in kind.properties and (kind.properties[one].update == "replace" or one in also)
    ]


def other_text(plan: Plan, row: Row[Any]) -> bool:
    """Whether its type says something else by now: the file of a nested template."""
    return bool(row.declared.get("digest", "") != plan.kinds[row.name].digest())


def is_bad(row: Row[Any]) -> bool:
    """Whether what is there is not what it is to be. That it could not be kept for a snapshot does it no harm."""
    return bool(row.status == FAILED and row.action != "SNAPSHOT")


def is_well(hand: Hand) -> bool:
    """Whether a resource whose update or deletion failed is well all the same, so that another would but lose what it
    holds. What was found unhealthy, or was never whole, is not. Asks its service."""
    plan, row = hand.plan, hand.row
    assert plan is not None
    kind = plan.kinds[row.name]
    if not is_bad(row) or row.action in ("CHECK", "CREATE", "ADOPT") or row.physical_id is None:
        return False
    return row.declared.get("kind") == kind.known_as() and not is_outside(plan, row) and kind.is_well(hand)


def ails(hand: Hand) -> bool:
    """Whether a resource that is well is a stack in which something was marked as not: the update goes into
    that."""
    plan, row = hand.plan, hand.row
    if plan is None or is_bad(row) or not isinstance(plan.kinds.get(row.name), OfStack):
        return False
    return nested.ails(hand.tx, row)


def seems_well(hand: Hand) -> bool:
    """The same as who asks sees it."""
    with contextlib.suppress(ApiError):
        return hand.plan is not None and hand.row.name in hand.plan.kinds and is_well(hand)
    return False


def fits(plan: Plan, row: Row[Any], wanted: Mapping[str, Any], *, mends: bool) -> bool:
    """Whether an update makes a resource that another has replaced what is wanted in its name. ``mends``: it could not
    be deleted, and is well."""
    if is_outside(plan, row):
        return False
    changed = differing(plan.kinds[row.name], row.properties, wanted)
    found = way(plan, row, changed, mends=mends)
    with contextlib.suppress(Failed):
        check(plan, row, changed, found, mends=mends)
        return found != "replace"
    return False


def check(plan: Plan, row: Row[Any], changed: Collection[str], wanted: Way, *, mends: bool) -> None:
    """:raises Failed: an update refuses that."""
    if row.declared.get("external_id") != values.external_id(plan, row.name):
        raise Failed("Update to property external_id is not supported.")
    kind = plan.kinds[row.name]
    if row.declared.get("kind") == kind.known_as() and (not is_bad(row) or mends):
        for name in changed:
            if name in kind.properties and kind.properties[name].immutable:
                raise Failed(f"Update to property {name} of {row.name} is not allowed: it is immutable.")
    if wanted in plan.restricted(row.name):
        raise Failed(f"{wanted} is restricted for resource.")
