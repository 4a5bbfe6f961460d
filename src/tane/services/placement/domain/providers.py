"""Hosts as resource providers: the same rows that the scheduler reads, under Placement's words."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from tane.config import Config
from tane.core import Core
from tane.db import Tx
from tane.hosts import allocations, offers
from tane.services.compute import interface as compute
from tane.services.placement.domain.asked import Group
from tane.web.errors import NotFound


@dataclass(frozen=True)
class Provider(offers.Offer):
    """A compute host, with the aggregates that it is in."""

    aggregates: list[str]

    @property
    def generation(self) -> int:
        return self.said.generation

    def fits(self, wanted: Mapping[str, int]) -> bool:
        """Whether so much of each class is free, and may be claimed at once."""
        return all(
            name in self.inventories and amount <= self.free(name) and self.inventories[name].takes(amount)
            for name, amount in wanted.items()
        )

    def satisfies(self, group: Group) -> bool:
        """Whether it is what a group of a request asks for, and has what it asks for."""
        inside, traits = {*self.aggregates}, {*self.traits}
        return (
            group.in_tree in (None, self.row.id)
            and all(inside & one for one in group.member_of)
            and not inside & group.not_member_of
            and all(traits & one for one in group.required)
            and not traits & group.forbidden
            and self.fits(group.resources)
        )


@dataclass(frozen=True)
class Consumer:
    """A server, or a move of one, with what it holds: host id → resource class → amount. ``kind``: INSTANCE,
    MIGRATION, or unknown."""

    project_id: str
    user_id: str
    kind: str
    held: Mapping[str, Mapping[str, int]]

    @property
    def generation(self) -> int:
        """Another number whenever it holds something else: nobody but the cloud changes it, so that it need not be
        counted."""
        return generation(self.held)


def generation(held: Mapping[str, Any]) -> int:
    return zlib.crc32(msgspec.json.encode(held, order="deterministic")) & 0x7FFFFFFF


def index(core: Core) -> list[Provider]:
    with core.db.read() as tx:
        return of_hosts(tx, core.config)


def show(core: Core, provider_id: str) -> Provider:
    """:raises NotFound: there is no such compute host."""
    with core.db.read() as tx:
        return require(tx, core.config, provider_id)


def require(tx: Tx, config: Config, provider_id: str) -> Provider:
    """:raises NotFound: there is no such compute host."""
    for provider in of_hosts(tx, config, provider_id):
        return provider
    raise NotFound(f"No resource provider with uuid {provider_id} found")


def claims(core: Core, provider_id: str) -> tuple[Provider, dict[str, dict[str, dict[str, int]]]]:
    """The provider, and consumer → host id → resource class → amount, of those that claim something of it.

    :raises NotFound:
    """
    with core.db.read() as tx:
        return require(tx, core.config, provider_id), allocations.of_consumers_on(tx, provider_id)


def consumer(core: Core, consumer_id: str) -> tuple[Consumer | None, dict[str, int]]:
    """Who holds something, None for who holds nothing; and the generations of the hosts that it holds something of."""
    with core.db.read() as tx:
        held, row = allocations.of_consumer(tx, consumer_id), compute.consumer(tx, consumer_id)
        said = offers.said(tx) if held else {}
    if not held:
        return None, {}
    if row is None:
        found = Consumer("", "", "unknown", held)
    else:
        found = Consumer(row.project_id, row.user_id, row.type, held)
    return found, {host_id: said.get(host_id, offers.NOTHING).generation for host_id in held}


def usages(core: Core, project_id: str, user_id: str | None) -> dict[str, tuple[int, dict[str, int]]]:
    """INSTANCE, MIGRATION → (how many hold something, resource class → amount)."""
    with core.db.read() as tx:
        return compute.usages(tx, project_id, user_id)


def of_hosts(tx: Tx, config: Config, provider_id: str | None = None) -> list[Provider]:
    """All compute hosts, in as many queries however many they are; or one."""
    inside = compute.aggregates_by_host(tx)
    return [_provider(offer, inside.get(offer.row.name, [])) for offer in offers.of_hosts(tx, config, provider_id)]


def _provider(offer: offers.Offer, inside: list[str]) -> Provider:
    aggregates = [*inside, *(uuid for uuid in offer.said.aggregates if uuid not in inside)]
    return Provider(offer.row, offer.said, offer.inventories, offer.used, offer.traits, aggregates)
