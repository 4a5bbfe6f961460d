"""What a request for resources asks: groups of it, and what goes for all of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Group:
    """What one provider is to have. ``required``: of each set one trait; ``member_of``: in one of each set."""

    resources: Mapping[str, int] = field(default_factory=dict)
    required: tuple[frozenset[str], ...] = ()
    forbidden: frozenset[str] = frozenset()
    member_of: tuple[frozenset[str], ...] = ()
    not_member_of: frozenset[str] = frozenset()
    in_tree: str | None = None


@dataclass(frozen=True)
class Asked:
    """``groups``: suffix → what it asks, "" for the one without. ``isolate``: those with a suffix want different
    providers. ``root_required``, ``root_forbidden``: traits of the root of a tree."""

    groups: Mapping[str, Group]
    isolate: bool = False
    limit: int | None = None
    root_required: frozenset[str] = frozenset()
    root_forbidden: frozenset[str] = frozenset()

    @property
    def resources(self) -> dict[str, int]:
        """Resource class → amount, of all groups together."""
        total: dict[str, int] = {}
        for group in self.groups.values():
            for name, amount in group.resources.items():
                total[name] = total.get(name, 0) + amount
        return total
