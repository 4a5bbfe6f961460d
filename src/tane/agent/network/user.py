"""The network duty of a machine without namespaces: every guest sits alone behind QEMU's own NAT.

There are no routers, no security groups and no traffic between guests. What stands for a floating IP is a port of
127.0.0.1 that reaches the guest's SSH port (:func:`forwarded_ports`).
"""

from __future__ import annotations

import zlib

from tane.agent.documents import NetworkApplied, NetworkState
from tane.agent.network.kept import Kept

FIRST_PORT = 20_000
PORTS = 10_000
PER_NIC = 4


def forwarded_ports(port_id: str) -> tuple[int, ...]:
    """The ports of 127.0.0.1 that reach a NIC's guest, for its ports 22, 80, 443 and 8080.

    They follow from the port's id, so that the same NIC always has the same ones.
    """
    first = FIRST_PORT + zlib.crc32(port_id.encode()) % PORTS * PER_NIC
    return tuple(range(first, first + PER_NIC))


class UserNetwork:
    """:class:`tane.agent.duties.NetworkDuty`: there is nothing to apply, and what cannot be had is told."""

    def __init__(self) -> None:
        self._kept = Kept()

    async def apply(self, state: NetworkState) -> NetworkApplied:
        self._kept.take(state)
        state = self._kept.whole()
        failed = {router.id: "this host has no network namespaces, so it has no routers" for router in state.routers}
        forwarded = {
            floating_ip.id: f"127.0.0.1:{forwarded_ports(floating_ip.port_id)[0]}"
            for router in state.routers
            for floating_ip in router.floating_ips
        }
        return NetworkApplied(
            revision=state.revision,
            failed=failed,
            forwarded=forwarded,
            summary=f"revision {state.revision}: user-mode network, nothing to apply",
        )

    async def teardown(self) -> None:
        """Nothing was made outside QEMU."""
