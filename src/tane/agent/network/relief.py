"""Room in the host's table of connections: whoever has most of them begins anew when it gets full."""

from __future__ import annotations

import os

from tane.linux import netns, sysctl
from tane.linux.conntrack import Conntrack

LOOK_SECONDS = 5.0
SPARED = 3
"""Of so many looks one goes through a table of which half is in use: the others count, which is two small reads."""
SHARES = 8
"""Of the table. A project has two: of what it begins and of what is begun to it."""


def relieve(namespace: str, *, spare: bool = False) -> dict[int, int]:
    """Where more than half of the table of a namespace is in use, forget the connections of each mark that has more
    than a share, and of those that have most until less than three quarters are in use: what goes on begins anew.

    :param spare: not where less than three quarters are in use: to go through them takes long, and where many have
        some each it finds nobody.
    :returns: how many, by mark. :raises OSError:
    """
    descriptor = netns.open_named(namespace)
    table = Conntrack(descriptor)
    try:
        used, most = _used(descriptor)
        forgotten: dict[int, int] = {}
        if used * 4 <= most * (3 if spare else 2):
            return forgotten
        for mark, count in sorted(table.marked().items(), key=lambda one: -one[1]):
            # A kernel without marks would take the request for one without conditions; it tells of no mark either.
            if mark and (count > most // SHARES or used * 4 > most * 3):
                table.forget(mark)
                forgotten[mark] = count
                used -= count
        return forgotten
    finally:
        table.close()
        os.close(descriptor)


def _used(descriptor: int) -> tuple[int, int]:
    """How many connections there are, and how many there may be."""
    with netns.entered(descriptor):
        count, most = (int(sysctl.read(f"net.netfilter.nf_conntrack_{name}")) for name in ("count", "max"))
    return count, most
