"""The table of pages: every resource of the portal, in the order of the menu."""

from tane.services.dashboard.domain.describing import Kind
from tane.services.dashboard.resources import (
    administration,
    alarms,
    backups,
    compute,
    network,
    rating,
    security,
    servers,
    stacks,
    storage,
)

ALL: tuple[Kind, ...] = (
    *servers.KINDS,
    *compute.KINDS,
    *storage.KINDS,
    *backups.KINDS,
    *network.KINDS[:-1],
    *security.KINDS,
    *stacks.KINDS,
    *alarms.KINDS,
    *network.KINDS[-1:],
    *administration.KINDS,
    *rating.KINDS,
)
KINDS: dict[str, Kind] = {kind.name: kind for kind in ALL}
