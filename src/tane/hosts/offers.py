"""What hosts offer: what they have by themselves, and what administrators say of it (Placement API: "Resource provider
inventories", "Traits", "Aggregates"). The scheduler and Placement both read it here.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
from sqlalchemy import select
from sqlalchemy.engine import Row

from tane.config import Config
from tane.db import Tx
from tane.db.upserts import upsert
from tane.hosts import allocations
from tane.hosts import store as hosts
from tane.hosts.allocations import DISK_GB, MEMORY_MB, VCPU
from tane.hosts.tables import provider

CLASSES = (VCPU, MEMORY_MB, DISK_GB)
"""Resource classes whose totals hosts say themselves."""
MOST = 2147483647
"""The largest integer of Placement."""
FIRST_GENERATION = 1
NODE, DISABLED = "COMPUTE_NODE", "COMPUTE_STATUS_DISABLED"
ARCHITECTURES = {"x86_64": "HW_ARCH_X86_64", "aarch64": "HW_ARCH_AARCH64"}
TRAITS = (NODE, DISABLED, *ARCHITECTURES.values())
"""What hosts say of themselves (os-traits has these names)."""


class Inventory(msgspec.Struct, frozen=True):
    """What there is of one resource class: ``total`` units, ``reserved`` of which are nobody's to claim, promised
    ``allocation_ratio`` times over; one claim is of ``min_unit`` to ``max_unit``, by ``step_size``."""

    total: int
    reserved: int = 0
    allocation_ratio: float = 1.0
    min_unit: int = 1
    max_unit: int = MOST
    step_size: int = 1

    @property
    def capacity(self) -> int:
        return int((self.total - self.reserved) * self.allocation_ratio)

    def takes(self, amount: int) -> bool:
        """Whether one claim may be of so much."""
        return self.min_unit <= amount <= self.max_unit and amount % self.step_size == 0


@dataclass(frozen=True)
class Said:
    """What administrators say of a host."""

    generation: int = FIRST_GENERATION
    inventories: Mapping[str, Inventory] = field(default_factory=dict)
    traits: Collection[str] = ()
    aggregates: Collection[str] = ()


NOTHING = Said()


def said(tx: Tx) -> dict[str, Said]:
    """Host id → what administrators say of it, for those of which they say something, in one query."""
    return {row.host_id: _said(row) for row in tx.all(select(provider))}


def said_of(tx: Tx, host_id: str) -> Said:
    row = tx.row(provider, host_id=host_id)
    return NOTHING if row is None else _said(row)


def _said(row: Row[Any]) -> Said:
    inventories = msgspec.convert(row.inventories, dict[str, Inventory])
    return Said(row.generation, inventories, tuple(row.traits), tuple(row.aggregates))


def say(
    tx: Tx,
    host_id: str,
    *,
    inventories: Mapping[str, Inventory] | None = None,
    traits: Collection[str] | None = None,
    aggregates: Collection[str] | None = None,
) -> None:
    """Replace what is given of it; the host's generation is the next one then."""
    there = said_of(tx, host_id)
    values = {
        "generation": there.generation + 1,
        "inventories": msgspec.to_builtins(there.inventories if inventories is None else dict(inventories)),
        "traits": sorted(there.traits if traits is None else traits),
        "aggregates": sorted(there.aggregates if aggregates is None else aggregates),
        "updated_at": tx.now,
    }
    upsert(tx, provider, ("host_id",), tuple(values), [{"host_id": host_id, **values}])


def inventories(config: Config, host: Row[Any], there: Said) -> dict[str, Inventory]:
    """Resource class → what the host has of it; of what it has nothing there is no inventory."""
    offered = host.capabilities
    memory = offered.get("memory_mb", 0)
    own = {
        VCPU: Inventory(offered.get("vcpus", 0), 0, config.cpu_allocation_ratio),
        MEMORY_MB: Inventory(memory, min(config.reserved_memory_mb, memory), config.ram_allocation_ratio),
        DISK_GB: Inventory(offered.get("disk_gb", 0), 0, config.disk_allocation_ratio),
    }
    found = {name: inventory for name, inventory in own.items() if inventory.total}
    for name, inventory in there.inventories.items():
        if name in own:
            # The host may have become another since: what it has is what it says now.
            total = own[name].total
            inventory = msgspec.structs.replace(inventory, total=total, reserved=min(inventory.reserved, total))
        if inventory.total:
            found[name] = inventory
    return found


def own_traits(host: Row[Any]) -> set[str]:
    """What a host is by itself."""
    found = {NODE}
    architecture = ARCHITECTURES.get(host.capabilities.get("cpu_arch", "x86_64"))
    if architecture is not None:
        found.add(architecture)
    if not host.enabled:
        found.add(DISABLED)
    return found


def traits(host: Row[Any], there: Said) -> set[str]:
    """What a host is by itself, and what administrators say that it is."""
    return {*own_traits(host), *there.traits}


@dataclass(frozen=True)
class Offer:
    """A compute host: what it has, what is claimed of that (``used``: resource class → amount), and what it is."""

    row: Row[Any]
    said: Said
    inventories: Mapping[str, Inventory]
    used: dict[str, int]
    traits: Collection[str]

    def capacity(self, name: str) -> int:
        return self.inventories[name].capacity if name in self.inventories else 0

    def free(self, name: str) -> int:
        """How much of a resource class is left; less than nothing where the host offered more before."""
        return self.capacity(name) - self.used.get(name, 0)


def of_hosts(tx: Tx, config: Config, host_id: str | None = None) -> list[Offer]:
    """Of all compute hosts by their names, in as many queries however many they are; or of one."""
    used = allocations.used(tx, host_id)
    if host_id is None:
        rows, told = hosts.all_hosts(tx), said(tx)
    else:
        rows, told = [row for row in (hosts.get(tx, host_id),) if row is not None], {host_id: said_of(tx, host_id)}
    return [
        Offer(row, there, inventories(config, row, there), used.get(row.id, {}), sorted(traits(row, there)))
        for row in rows
        if "compute" in row.roles
        for there in (told.get(row.id, NOTHING),)
    ]
