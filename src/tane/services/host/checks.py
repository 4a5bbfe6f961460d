"""The doctor's checks of hosts."""

from __future__ import annotations

from collections.abc import Iterator

from tane.db import Tx
from tane.finding import Finding
from tane.hosts import store


def silent(tx: Tx) -> Iterator[Finding]:
    """Hosts that were not heard of lately; all of them are where the cloud does not run."""
    rows = store.all_hosts(tx)
    down = [row.name for row in rows if not store.is_up(tx, row)]
    if down and len(down) < len(rows):
        yield Finding(
            "warning",
            f"Not heard of lately: {', '.join(down)}.",
            "What is on these hosts is out of reach, and nothing new comes to them.",
            "on the host: ./tane up, and its log; for one that does not come back: ./tane host remove",
        )


CHECKS = (silent,)
