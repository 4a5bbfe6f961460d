"""Which providers could give what a request asks (Placement API: "Allocation candidates").

A host is a tree of its own, of one provider: one that satisfies every group is a candidate, and none else can be.
"""

from __future__ import annotations

from tane.core import Core
from tane.services.placement.domain.asked import Asked
from tane.services.placement.domain.names import require_classes, require_traits
from tane.services.placement.domain.providers import Provider, of_hosts


def find(core: Core, asked: Asked) -> list[Provider]:
    """Each is one candidate.

    :raises BadRequest: a resource class or a trait that there is not.
    """
    groups = asked.groups.values()
    with core.db.read() as tx:
        require_classes(tx, asked.resources)
        named = {trait for group in groups for one in (*group.required, group.forbidden) for trait in one}
        require_traits(tx, named | asked.root_required | asked.root_forbidden)
        found = of_hosts(tx, core.config)
    if asked.isolate and sum(1 for suffix in asked.groups if suffix) > 1:
        return []
    return [provider for provider in found if _could(provider, asked)][: asked.limit]


def _could(provider: Provider, asked: Asked) -> bool:
    traits, total = {*provider.traits}, asked.resources
    return (
        all(provider.satisfies(group) for group in asked.groups.values())
        and asked.root_required <= traits
        and not asked.root_forbidden & traits
        and all(
            amount <= min(provider.free(name), provider.inventories[name].max_unit) for name, amount in total.items()
        )
    )
