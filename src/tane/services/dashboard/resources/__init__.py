"""The table of pages: every resource of the portal, in the order of the menu."""

from tane.services.dashboard.domain.describing import Kind
from tane.services.dashboard.resources import administration, compute, network, stacks, storage

ALL: tuple[Kind, ...] = (*compute.KINDS, *storage.KINDS, *network.KINDS, *stacks.KINDS, *administration.KINDS)
KINDS: dict[str, Kind] = {kind.name: kind for kind in ALL}
