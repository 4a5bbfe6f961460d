"""The network duty of a machine without namespaces: every guest sits alone behind QEMU's own NAT.

There are no routers and no security groups. What listens on the machine's loopback addresses is open to the guests, and
by them the forwarded ports of other guests: this network is for one person's own guests. What stands for a floating IP
is an address of the host's loopback network that reaches the guest (:func:`forwarded_address`).
"""

from __future__ import annotations

import hashlib
import ipaddress
import socket
from collections.abc import Iterator

import structlog

from tane.agent.network.kept import Kept
from tane.wire.asking import Door
from tane.wire.documents import NetworkApplied, NetworkState

log = structlog.get_logger()

FORWARDED_PORTS = {22: 10022, 80: 10080, 443: 10443, 8080: 18080}
"""A guest's port → the port of its forwarded address that reaches it. Anybody may open them, and the kernel gives none
of them to an outgoing connection."""
_FIRST_ADDRESS = int(ipaddress.IPv4Address("127.64.0.0"))
_ADDRESSES = 1 << 22


def forwarded_address(port_id: str) -> str:
    """The loopback address that reaches a NIC's guest, at the ports of :data:`FORWARDED_PORTS`.

    It follows from the port's id: the same NIC always has the same one, and among a thousand NICs two share one in
    one case of nine.
    """
    number = int.from_bytes(hashlib.blake2b(port_id.encode(), digest_size=4).digest())
    return str(ipaddress.IPv4Address(_FIRST_ADDRESS + number % _ADDRESSES))


def free_forwards(port_id: str) -> Iterator[tuple[str, int, int]]:
    """(address, port there, the guest's port) of what can be forwarded now. Somebody else who listens at such a port on
    every address of the machine has it: the guest starts all the same, and is not reached by it."""
    address = forwarded_address(port_id)
    for guest, host in FORWARDED_PORTS.items():
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((address, host))
                probe.listen(1)
            except OSError as error:
                log.warning(
                    "a guest's port is not forwarded", port_id=port_id, at=f"{address}:{host}", error=str(error)
                )
                continue
        yield address, host, guest


class UserNetwork:
    """:class:`tane.wire.duties.NetworkDuty`: there is nothing to apply, and what cannot be had is told."""

    def __init__(self) -> None:
        self._kept = Kept()

    async def apply(self, state: NetworkState) -> NetworkApplied:
        self._kept.take(state)
        state = self._kept.whole()
        failed = {router.id: "this host has no network namespaces, so it has no routers" for router in state.routers}
        forwarded = {
            floating_ip.id: f"{forwarded_address(floating_ip.port_id)}:{FORWARDED_PORTS[22]}"
            for router in state.routers
            for floating_ip in router.floating_ips
        }
        return NetworkApplied(
            revision=state.revision,
            failed=failed,
            forwarded=forwarded,
            summary=f"revision {state.revision}: user-mode network, nothing to apply",
        )

    async def knock(self, doors: list[Door]) -> dict[str, str]:
        """There is no place to ask from: who connects to a guest here connects to QEMU."""
        return {}

    async def teardown(self) -> None:
        """Nothing was made outside QEMU."""
