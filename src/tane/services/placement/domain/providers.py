"""Hosts as resource providers: the same rows that the scheduler reads, under Placement's words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy.engine import Row

from tane.config import Config
from tane.core import Core
from tane.db import Tx
from tane.hosts import allocations
from tane.hosts import store as hosts
from tane.services.compute import interface as compute
from tane.web.errors import NotFound

CLASSES = (allocations.VCPU, allocations.MEMORY_MB, allocations.DISK_GB)
TRAITS = ("COMPUTE_NODE",)
"""What can be said of every host (os-traits)."""


@dataclass(frozen=True)
class Inventory:
    """What a host has of one class, and how far over it may be promised."""

    total: int
    reserved: int
    ratio: float

    @property
    def capacity(self) -> int:
        return int((self.total - self.reserved) * self.ratio)


@dataclass(frozen=True)
class Provider:
    """A compute host. ``used``: resource class → claimed amount."""

    row: Row[Any]
    inventories: Mapping[str, Inventory]
    used: Mapping[str, int]
    aggregates: list[str]

    def fits(self, wanted: Mapping[str, int]) -> bool:
        """Whether so much of each class is free."""
        return all(
            name in self.inventories and amount <= self.inventories[name].capacity - self.used.get(name, 0)
            for name, amount in wanted.items()
        )


def index(core: Core) -> list[Provider]:
    with core.db.read() as tx:
        return _providers(tx, core.config)


def show(core: Core, provider_id: str) -> Provider:
    """:raises NotFound: there is no such compute host."""
    for provider in index(core):
        if provider.row.id == provider_id:
            return provider
    raise NotFound(f"No resource provider with uuid {provider_id} found")


def claims(core: Core, provider_id: str) -> dict[str, dict[str, int]]:
    """Consumer → resource class → amount. :raises NotFound:"""
    show(core, provider_id)
    with core.db.read() as tx:
        return allocations.of_host(tx, provider_id)


def claimed_by(core: Core, consumer_id: str) -> dict[str, dict[str, int]]:
    """Host id → resource class → amount; empty for who claims nothing."""
    with core.db.read() as tx:
        return allocations.of_consumer(tx, consumer_id)


def _providers(tx: Tx, config: Config) -> list[Provider]:
    used, aggregates = allocations.used(tx), compute.aggregates_by_host(tx)
    return [
        Provider(row, _inventories(row, config), used.get(row.id, {}), aggregates.get(row.name, []))
        for row in hosts.all_hosts(tx)
        if "compute" in row.roles
    ]


def _inventories(row: Row[Any], config: Config) -> dict[str, Inventory]:
    """Placement has no inventory of nothing."""
    offered = row.capabilities
    reserved = min(config.reserved_memory_mb, offered.get("memory_mb", 0))
    found = {
        allocations.VCPU: Inventory(offered.get("vcpus", 0), 0, config.cpu_allocation_ratio),
        allocations.MEMORY_MB: Inventory(offered.get("memory_mb", 0), reserved, config.ram_allocation_ratio),
        allocations.DISK_GB: Inventory(offered.get("disk_gb", 0), 0, config.disk_allocation_ratio),
    }
    return {name: inventory for name, inventory in found.items() if inventory.total}
