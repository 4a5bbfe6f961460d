"""What administrators say of a host: amounts of it, traits, aggregates. Each call that names a generation is refused
when another came before it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tane.config import Config
from tane.core import Core
from tane.db import Tx
from tane.hosts import offers
from tane.hosts.offers import Inventory
from tane.services.placement.domain import names as known
from tane.services.placement.domain.providers import Provider, require
from tane.services.placement.store import names
from tane.services.placement.tables import resource_class
from tane.web.errors import BadRequest, Conflict, NotFound

CONCURRENT, IN_USE = "placement.concurrent_update", "placement.inventory.inuse"


def set_inventories(
    core: Core, provider_id: str, generation: int, wanted: Mapping[str, Inventory], *, may_reserve_all: bool
) -> Provider:
    """Replace what was said of all classes; what the host has by itself and nothing is said of, it has as
    ``tane.toml`` says.

    :raises NotFound: no such provider. :raises BadRequest: no such class; more is reserved than there is.
    :raises Conflict: another generation; a total that the host says otherwise; a class that is claimed would be gone.
    """
    with core.db.write() as tx:
        provider = _at(tx, core.config, provider_id, generation)
        for name, inventory in wanted.items():
            _check(tx, provider, name, inventory, may_reserve_all=may_reserve_all)
        for name in provider.said.inventories:
            if name not in wanted and name not in offers.CLASSES:
                _refuse_used(provider, name)
        offers.say(tx, provider_id, inventories=wanted)
        return require(tx, core.config, provider_id)


def set_inventory(
    core: Core,
    provider_id: str,
    generation: int | None,
    name: str,
    inventory: Inventory,
    *,
    may_reserve_all: bool,
    new: bool = False,
) -> Provider:
    """Say how much there is of one class. ``new``: it must not be there yet; otherwise it must.

    :raises NotFound: :raises BadRequest: :raises Conflict: as :func:`set_inventories`.
    """
    with core.db.write() as tx:
        provider = _at(tx, core.config, provider_id, generation)
        if new and name in provider.inventories:
            raise Conflict(
                f"Update conflict: there is an inventory of {name} for resource provider {provider_id} already.",
                type=CONCURRENT,
            )
        if not new and name not in provider.inventories:
            raise BadRequest(
                f"No inventory record with resource class for resource provider {provider_id}: No inventory for "
                f"{name} found."
            )
        _check(tx, provider, name, inventory, may_reserve_all=may_reserve_all)
        offers.say(tx, provider_id, inventories={**provider.said.inventories, name: inventory})
        return require(tx, core.config, provider_id)


def remove_inventory(core: Core, provider_id: str, name: str) -> None:
    """:raises NotFound: no such provider, none of it. :raises Conflict: it is claimed, or the host's own."""
    with core.db.write() as tx:
        provider = require(tx, core.config, provider_id)
        if name not in provider.inventories:
            raise NotFound(f"No inventory of class {name} found for delete: resource provider {provider_id} has none.")
        if name in offers.CLASSES:
            raise Conflict(f"Unable to delete inventory of class {name}: it is what the host has by itself.")
        _refuse_used(provider, name)
        left = {other: inventory for other, inventory in provider.said.inventories.items() if other != name}
        offers.say(tx, provider_id, inventories=left)


def remove_inventories(core: Core, provider_id: str) -> None:
    """Say nothing of any class: what is left is the host's own, as ``tane.toml`` says.

    :raises NotFound: :raises Conflict: something is claimed of it.
    """
    with core.db.write() as tx:
        provider = require(tx, core.config, provider_id)
        for name in provider.said.inventories:
            if name not in offers.CLASSES:
                _refuse_used(provider, name)
        offers.say(tx, provider_id, inventories={})


def set_traits(core: Core, provider_id: str, generation: int | None, wanted: Sequence[str]) -> Provider:
    """Replace the traits that administrators gave the host; those it has by itself stay.

    :raises NotFound: :raises BadRequest: no such trait. :raises Conflict: another generation.
    """
    with core.db.write() as tx:
        provider = _at(tx, core.config, provider_id, generation)
        known.require_traits(tx, wanted)
        # Whether a host is enabled, or of an architecture, is said elsewhere, by itself or its switch.
        if others := {*wanted} & {*offers.TRAITS} - {*offers.own_traits(provider.row)}:
            raise BadRequest(f"The traits {', '.join(sorted(others))} are not set: a host has them by itself, or not.")
        offers.say(tx, provider_id, traits={*wanted} - {*offers.TRAITS})
        return require(tx, core.config, provider_id)


def set_aggregates(core: Core, provider_id: str, generation: int | None, wanted: Sequence[str]) -> Provider:
    """Replace the aggregates that administrators put the host into here; those of compute stay.

    :raises NotFound: :raises Conflict: another generation.
    """
    with core.db.write() as tx:
        provider = _at(tx, core.config, provider_id, generation)
        own = {*provider.aggregates}.difference(provider.said.aggregates)
        offers.say(tx, provider_id, aggregates={*wanted} - own)
        return require(tx, core.config, provider_id)


def _at(tx: Tx, config: Config, provider_id: str, generation: int | None) -> Provider:
    provider = require(tx, config, provider_id)
    if generation not in (None, provider.generation):
        raise Conflict(
            "resource provider generation conflict: the provider was changed by another since, and is at generation "
            f"{provider.generation} now.",
            type=CONCURRENT,
        )
    return provider


def _check(tx: Tx, provider: Provider, name: str, inventory: Inventory, *, may_reserve_all: bool) -> None:
    if name not in offers.CLASSES and not names.exists(tx, resource_class, name):
        raise BadRequest(
            f"Unknown resource class in inventory for resource provider {provider.row.id}: No such resource class "
            f"{name}."
        )
    told = f"Invalid inventory for '{name}' on resource provider '{provider.row.id}'."
    if inventory.reserved > inventory.total:
        raise BadRequest(f"{told} The reserved value is greater than total.")
    if inventory.reserved == inventory.total and not may_reserve_all:
        raise BadRequest(f"{told} The reserved value is greater than or equal to total.")
    if name in offers.CLASSES:
        there = provider.inventories.get(name)
        total = there.total if there is not None else 0
        if inventory.total != total:
            raise Conflict(
                f"The total of {name} is what the host itself says, {total}, and cannot be set to {inventory.total}; "
                "allocation_ratio, reserved, min_unit, max_unit and step_size can be set."
            )


def _refuse_used(provider: Provider, name: str) -> None:
    if provider.used.get(name):
        raise Conflict(f"Inventory for '{name}' on resource provider '{provider.row.id}' in use.", type=IN_USE)
