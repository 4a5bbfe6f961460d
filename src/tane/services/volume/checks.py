"""The doctor's checks of volumes."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import func, select

from tane.db import Tx
from tane.finding import Finding
from tane.services.identity import interface as identity
from tane.services.volume.tables import volume


def in_error(tx: Tx) -> Iterator[Finding]:
    """Whoever owns them sees it; the operator sees that there are some."""
    count = tx.scalar(select(func.count()).select_from(volume).where(volume.c.status.startswith("error")))
    if count:
        yield Finding(
            "warning",
            f"{count} volume(s) are in error.",
            "Their fault field says why.",
            "openstack volume list --all-projects --status error, then show",
        )


def of_nobody(tx: Tx) -> Iterator[Finding]:
    """What is left of projects that were deleted."""
    counted = select(volume.c.project_id, func.count().label("many")).group_by(volume.c.project_id)
    yield from identity.of_nobody(tx, "volume", {row.project_id: row.many for row in tx.all(counted)})


CHECKS = (in_error, of_nobody)
