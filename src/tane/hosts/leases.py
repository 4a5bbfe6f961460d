"""What hosts are granted for guests that may be started elsewhere: until when, and for which (decision 25)."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta
from typing import Any

from sqlalchemy.engine import Row

from tane.db import Tx
from tane.hosts import store
from tane.wire.errors import Refused

MOST = 4096
"""Guests of one host."""
MARGIN = timedelta(seconds=15)
"""After a lease: a host looks twice a second whether its own has run out, and then ends what it leased."""
SLEWED = 0.1
"""A lease is taken to be longer by so much: a clock that is being corrected goes so slowly at most."""


def grant(tx: Tx, seconds: float, host_id: str, guests: Collection[str]) -> float:
    """Let the host's guests run for ``seconds`` more; returns them.

    :raises Refused: it was removed or called dead, or says that it has more guests than any host.
    """
    row = store.get(tx, host_id)
    if row is None or row.forced_down:
        raise Refused("this host was called dead: its guests get no lease")
    if len(guests) > MOST:
        raise Refused(f"a host has at most {MOST} leased guests")
    until = tx.now + timedelta(seconds=seconds * (1 + SLEWED))
    # Never less than was granted before, by a setting that has changed since.
    store.lease(tx, host_id, max(until, row.lease_until or until), sorted(set(guests)))
    return seconds


def ended(tx: Tx, row: Row[Any]) -> bool:
    """Whether the guests that a host leased run on it no more, wherever it is."""
    return row.lease_until is not None and row.lease_until + MARGIN < tx.now
