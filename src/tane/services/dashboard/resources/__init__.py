"""The table of pages: every resource of the portal, in the order of the menu."""

from tane.services.dashboard.domain.describing import Kind
from tane.services.dashboard.resources import (
    administration,
    alarms,
    backups,
    compute,
    identity,
    jobs,
    network,
    own,
    pools,
    rating,
    security,
    server_parts,
    servers,
    stacks,
    storage,
    volume_types,
)

ALL: tuple[Kind, ...] = (
    *servers.KINDS,
    *server_parts.KINDS,
    *compute.KINDS,
    *storage.KINDS,
    *volume_types.KINDS,
    *backups.KINDS,
    *network.KINDS[:-1],
    *pools.KINDS,
    *security.KINDS,
    *stacks.KINDS,
    *own.KINDS,
    *alarms.KINDS,
    *jobs.KINDS,
    *network.KINDS[-1:],
    *identity.KINDS,
    *administration.KINDS,
    *jobs.ALL,
    *rating.KINDS,
)
KINDS: dict[str, Kind] = {kind.name: kind for kind in ALL}
