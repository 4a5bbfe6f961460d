"""The doctor's checks of servers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import func, select

from tane.db import Database, Tx
from tane.finding import Finding, some
from tane.services.compute.store import servers
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


def of_no_server(database: Database, folder: Path) -> Iterator[Finding]:
    """Guests in a folder of this machine that no row of the database ever was: newer than the backup it came from."""
    lost = sorted(database.lasting(lambda tx: _strangers(tx, folder)))
    if lost:
        yield Finding(
            "warning",
            f"{len(lost)} guest(s) on this machine are of no server that the database knows: {', '.join(some(lost))}.",
            "They were made after the backup that it came from: nobody sees them, and they run on until ./tane down.",
            f"save what is of use from {folder}, then ./tane down, and remove their folders there",
        )


def _strangers(tx: Tx, folder: Path) -> set[str]:
    here = {guest.name for guest in folder.glob("*") if guest.is_dir()}
    return here - servers.known(tx, here).keys()


CHECKS = (in_error,)
