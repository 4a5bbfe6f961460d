"""Making ports: addresses and MACs for any number of them in few statements."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.engine import Row

from tane.db import Tx
from tane.services.network.domain.addresses import Allocator, new_macs
from tane.services.network.domain.common import fresh
from tane.services.network.domain.convergence import PortChange, changed
from tane.services.network.store import addresses, rows
from tane.services.network.tables import KEPT_OWNERS, port, port_address, port_security_group, subnet
from tane.web.errors import Conflict


@dataclass
class NewPort:
    """A port to be made. ``fixed_ips`` None: one address of each IP version the network has."""

    network: Row[Any]
    project_id: str
    name: str = ""
    description: str = ""
    fixed_ips: list[dict[str, Any]] | None = None
    mac_address: str | None = None
    admin_state_up: bool = True
    device_id: str = ""
    device_owner: str = ""
    device_order: int = 0
    made_for_server: bool = False
    host_id: str | None = None
    binding_host: str = ""
    binding_profile: dict[str, Any] = field(default_factory=dict)
    vnic_type: str = "normal"
    port_security_enabled: bool = True
    allowed_address_pairs: list[dict[str, Any]] = field(default_factory=list)
    dns_name: str = ""
    dns_domain: str = ""
    security_group_ids: list[str] = field(default_factory=list)


COPIED = (
    "name",
    "description",
    "admin_state_up",
    "device_id",
    "device_owner",
    "device_order",
    "made_for_server",
    "host_id",
    "binding_host",
    "binding_profile",
    "vnic_type",
    "port_security_enabled",
    "dns_name",
    "dns_domain",
)


def waiting_status(*, admin_state_up: bool, host_id: str | None) -> str:
    """The state of a port about which its host has not reported yet; without a host there is nothing to wait for."""
    return "BUILD" if admin_state_up and host_id is not None else "DOWN"


class PortMaker:
    """Collects ports in one transaction and inserts them together."""

    def __init__(self, tx: Tx) -> None:
        self._tx = tx
        self._allocators: dict[str, Allocator] = {}
        self._macs: dict[str, list[str]] = {}
        self._used_macs: set[tuple[str, str]] = set()
        self._ports: list[dict[str, Any]] = []
        self._addresses: list[dict[str, Any]] = []
        self._groups: list[dict[str, Any]] = []

    def expect(self, network: Row[Any], count: int) -> None:
        """``count`` ports of the network will follow: find their addresses and MACs at once."""
        self._allocator(network.id).prepare(count)
        self._macs[network.id] = new_macs(self._tx, network.id, count)

    def add(self, new: NewPort) -> str:
        """Give the port its MAC and addresses; returns its id. :raises Conflict: one of them is taken."""
        network_id = new.network.id
        mac = self._mac(network_id, new.mac_address)
        allocator = self._allocator(network_id)
        if new.fixed_ips is None:
            given = allocator.automatic(mac, new.device_owner)
        else:
            given = allocator.wanted(new.fixed_ips, mac, new.device_owner)
        pairs = [{**pair, "mac_address": pair["mac_address"] or mac} for pair in new.allowed_address_pairs]
        row = fresh(
            self._tx,
            new.project_id,
            network_id=network_id,
            mac_address=mac,
            status=waiting_status(admin_state_up=new.admin_state_up, host_id=new.host_id),
            allowed_address_pairs=pairs,
        )
        row.update({name: getattr(new, name) for name in COPIED})
        self._ports.append(row)
        self._addresses += [
            {"port_id": row["id"], "subnet_id": g.subnet_id, "ip_address": g.ip_address, "position": g.position}
            for g in given
        ]
        self._groups += [{"port_id": row["id"], "security_group_id": group} for group in new.security_group_ids]
        return str(row["id"])

    def insert(self) -> None:
        """Write them, and tell the hosts that have to know of those that are bound. A service's own are told of with
        what they belong to."""
        rows.add(self._tx, port, self._ports)
        rows.add(self._tx, port_address, self._addresses)
        rows.add(self._tx, port_security_group, self._groups)
        held: dict[str, tuple[str, ...]] = {}
        for row in self._groups:
            held[row["port_id"]] = (*held.get(row["port_id"], ()), row["security_group_id"])
        bound = [row for row in self._ports if row["host_id"] is not None and row["device_owner"] not in KEPT_OWNERS]
        news = [PortChange(r["id"], r["network_id"], (r["host_id"],), held.get(r["id"], ())) for r in bound]
        changed(self._tx, ports=news)
        self._ports, self._addresses, self._groups = [], [], []

    def _allocator(self, network_id: str) -> Allocator:
        if network_id not in self._allocators:
            subnets = rows.find(self._tx, subnet, network_id=network_id)
            self._allocators[network_id] = Allocator(self._tx, network_id, subnets)
        return self._allocators[network_id]

    def _mac(self, network_id: str, asked: str | None) -> str:
        if asked is not None:
            taken = (network_id, asked) in self._used_macs or addresses.macs_taken(self._tx, network_id, [asked])
            if taken:
                raise Conflict(
                    f"Unable to complete operation for network {network_id}. The mac address {asked} is in use.",
                    type="MacAddressInUse",
                )
            self._used_macs.add((network_id, asked))
            return asked
        while True:
            if not self._macs.get(network_id):
                self._macs[network_id] = new_macs(self._tx, network_id, 1)
            mac = self._macs[network_id].pop()
            if (network_id, mac) not in self._used_macs:
                self._used_macs.add((network_id, mac))
                return mac
