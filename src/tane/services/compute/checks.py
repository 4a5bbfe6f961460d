"""The doctor's checks of servers."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import func, select

from tane.db import Tx
from tane.finding import Finding
from tane.services.compute.tables import server


def in_error(tx: Tx) -> Iterator[Finding]:
    """Whoever owns them sees it; the operator sees that there are some."""
    count = tx.scalar(select(func.count()).select_from(server).where(server.c.vm_state.startswith("error")))
    if count:
        yield Finding(
            "warning",
            f"{count} server(s) are in error.",
            "Their fault field says why.",
            "openstack server list --all-projects --status ERROR, then show",
        )


CHECKS = (in_error,)
