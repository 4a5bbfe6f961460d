"""The doctor's checks of hosts."""

from __future__ import annotations

from collections.abc import Iterator

from tane.db import Tx
from tane.finding import Finding
from tane.hosts import store
from tane.hosts.store import CUT_OFF


def silent(tx: Tx) -> Iterator[Finding]:
    """Hosts that were not heard of lately; all of them are where the cloud does not run."""
    rows = store.all_hosts(tx)
    cut = [row.name for row in rows if row.disabled_reason == CUT_OFF and not store.certificates_of(tx, row.id)]
    down = [row.name for row in rows if not store.is_up(tx, row) and row.name not in cut]
    if cut:
        yield Finding(
            "warning",
            f"Cut off: {', '.join(cut)}.",
            "Nothing that these hosts say is believed, whatever is on them.",
            "tane host token --name NAME, tane join --again on it, tane host enable NAME; or tane host confirm-dead",
        )
    if down and len(down) < len(rows):
        yield Finding(
            "warning",
            f"Not heard of lately: {', '.join(down)}.",
            "What is on these hosts is out of reach, and nothing new comes to them.",
            "on the host: ./tane up, and its log; for one that does not come back: ./tane host remove",
        )


CHECKS = (silent,)
