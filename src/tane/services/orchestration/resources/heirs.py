"""Resources that are a setting of something (a limit, a route, a role), which has no id: another that takes the place
of one has set the same by the time that the old one goes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tane.services.orchestration.store import resources

if TYPE_CHECKING:
    from tane.services.orchestration.domain.hand import Hand


def of(hand: Hand) -> list[Any]:
    """The other resources of the stack by this name and type that are there, and are not about to go: one that takes
    its place, or whose place it was to take."""
    mine = (row for row in resources.all_named(hand.tx, hand.stack.id, hand.row.name) if row.type == hand.row.type)
    return [row for row in mine if row.id != hand.row.id and row.physical_id is not None and not _goes(row)]


def _goes(row: Any) -> bool:
    return (row.action, row.status) == ("DELETE", "IN_PROGRESS")
