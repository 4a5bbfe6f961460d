"""Which host is the gateway host of an external network, and of each router.

An external network goes to the oldest host with the network role that is up and not switched off, and stays there until
that host is no longer so, or has been away for some seconds. A router with a gateway has it where its external network
is, since that network's leg to the outside is there; one without is on the oldest host, so that one host speaks for it.
(Which other hosts have the router is not decided here: those with ports of its networks.)
"""

from __future__ import annotations

from collections.abc import Set
from typing import Any

from sqlalchemy.engine import Row

from tane.db import Tx
from tane.hosts.store import is_up
from tane.services.network.domain.convergence import changed
from tane.services.network.store import gateway_hosts as store


class _Choice:
    """The hosts as they are now."""

    def __init__(self, tx: Tx, lost: Set[str] = frozenset()) -> None:
        off = store.switched_off(tx)
        known: list[Row[Any]] = [row for row in store.hosts(tx) if "network" in row.roles]
        on = [row.id for row in known if row.id not in off]
        self._usable = [row.id for row in known if row.id not in off and row.id not in lost and is_up(tx, row)]
        # With every host switched off or silent, the oldest serves on.
        self._best = next(iter([*self._usable, *on, *(row.id for row in known)]), None)
        self._on = set(on)

    def keep(self, current: str | None) -> str | None:
        """The host for what is on ``current``; None when the cloud has no host."""
        if current in self._usable or (current in self._on and not self._usable):
            return current
        return self._best


def pending(tx: Tx, lost: Set[str] = frozenset()) -> bool:
    """Whether :func:`assign` has something to do."""
    wanted, current = _wanted(tx, lost)
    return bool(_moves(wanted, current))


def assign(tx: Tx, lost: Set[str] = frozenset()) -> dict[str, str]:
    """Give every external network and router its host; returns what moved or was new: id → host. ``lost``: hosts that
    have been away for seconds, though their last sign of life is younger than that of a host that is down."""
    return _write(tx, *_wanted(tx, lost))


def _wanted(tx: Tx, lost: Set[str]) -> tuple[dict[str, str | None], dict[str, str]]:
    choice, current = _Choice(tx, lost), store.every(tx)
    wanted: dict[str, str | None] = {}
    for network_id in store.external_networks(tx):
        wanted[network_id] = choice.keep(current.get(network_id))
    for row in store.routers(tx):
        here = current.get(row.id)
        wanted[row.id] = wanted.get(row.network_id) if row.network_id is not None else choice.keep(here)
    return wanted, current


def place_router(tx: Tx, router_id: str) -> None:
    """A router is new, or its gateway is."""
    choice, current = _Choice(tx), store.of(tx, [router_id])
    [row] = store.routers(tx, [router_id])
    if row.network_id is None:
        wanted = choice.keep(current.get(router_id))
    else:
        wanted = store.of(tx, [row.network_id]).get(row.network_id)
    _write(tx, {router_id: wanted}, current)


def place_network(tx: Tx, network_id: str, *, external: bool) -> None:
    """An external network is new, or a network became external or is no longer."""
    current = store.of(tx, [network_id])
    if external:
        _write(tx, {network_id: _Choice(tx).keep(current.get(network_id))}, current)
    elif current:
        store.remove(tx, [network_id])
        changed(tx, hosts=set(current.values()))


def _moves(wanted: dict[str, str | None], current: dict[str, str]) -> dict[str, str]:
    return {key: host for key, host in wanted.items() if host is not None and host != current.get(key)}


def _write(tx: Tx, wanted: dict[str, str | None], current: dict[str, str]) -> dict[str, str]:
    """Write what moves, and tell the hosts before and after, and those that have to know where a router's legs are."""
    moved = _moves(wanted, current)
    for key, host_id in moved.items():
        store.put(tx, key, host_id)
    if moved:
        before = {current[key] for key in moved if key in current}
        changed(tx, hosts=before | set(moved.values()), networks=store.networks_of_routers(tx, moved) | {*moved})
    return moved
