"""The doctor's checks of volumes."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import func, select

from tane.db import Tx
from tane.finding import Finding
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


CHECKS = (in_error,)
