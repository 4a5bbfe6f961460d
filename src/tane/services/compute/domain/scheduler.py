"""Which host a new server gets: chosen in the transaction that claims its place there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
import structlog
from sqlalchemy.engine import Row

from tane.config import Config
from tane.db import Tx
from tane.hosts import allocations, leases, offers
from tane.hosts import store as hosts
from tane.services.compute.domain.demands import NOTHING, Demands
from tane.services.compute.store import groups, servers
from tane.web.errors import BadRequest
from tane.wire.documents import HostCapabilities

log = structlog.get_logger()
DEFAULT_ZONE = "nova"
SIMULATED = "fake"
"""The hypervisor of simulated hosts."""
_USUAL = msgspec.structs.asdict(
    HostCapabilities(hostname="", vcpus=0, memory_mb=0, disk_gb=0, hypervisor_type="", hypervisor_version=0)
)


@dataclass(frozen=True)
class Wanted:
    """What a server asks of a host; memory in MB, disk in GB."""

    vcpus: int
    ram_mb: int
    disk_gb: int
    zone: str | None = None
    host: str | None = None
    force: bool = False
    same_host: tuple[str, ...] = ()
    different_host: tuple[str, ...] = ()
    group: Row[Any] | None = None
    moves: Row[Any] | None = None
    """The server, when it is on a host already; ``elsewhere``: it must leave that."""
    elsewhere: bool = False
    like: Row[Any] | None = None
    """The host that it is on, when it goes on at the other one without being stopped."""
    demands: Demands = NOTHING

    @property
    def amounts(self) -> dict[str, int]:
        """Resource class → amount."""
        own = {allocations.VCPU: self.vcpus, allocations.MEMORY_MB: self.ram_mb, allocations.DISK_GB: self.disk_gb}
        return {**own, **self.demands.resources}


_WORDS = {
    allocations.VCPU: ("vcpus", ""),
    allocations.MEMORY_MB: ("memory", " MB"),
    allocations.DISK_GB: ("disk", " GB"),
}


def refuse_traits(tx: Tx, host_id: str, demands: Demands) -> None:
    """:raises BadRequest: the host that a server stays on is not what its new image demands."""
    host = hosts.get(tx, host_id)
    if host is not None and _unfit(offers.traits(host, offers.said_of(tx, host_id)), demands):
        raise BadRequest("The server's host has not the traits that its image and flavor demand.")


def _unfit(traits: Collection[str], demands: Demands) -> str | None:
    lacks, has = sorted(demands.required.difference(traits)), sorted(demands.forbidden.intersection(traits))
    return f"without the trait {lacks[0]}" if lacks else f"with the trait {has[0]}" if has else None


def local_gb(disk: int, ephemeral: int, swap_mb: int) -> int:
    """GB that a server takes of its host's disk; ``disk`` is 0 for one that boots from a volume."""
    return disk + ephemeral + (swap_mb + 1023) // 1024


def zones(tx: Tx) -> dict[str, str]:
    """Host name → availability zone, for the hosts that an aggregate puts into one."""
    found: dict[str, str] = {}
    for row in groups.aggregates(tx):
        zone = row.metadata.get("availability_zone")
        if zone:
            found.update(dict.fromkeys(row.hosts, zone))
    return found


def zone_names(tx: Tx) -> set[str]:
    return {*zones(tx).values(), DEFAULT_ZONE}


class Hosts:
    """The hosts as one transaction sees them: looked up once, however many servers it places. Who claims something of
    one after that says so by :meth:`take`."""

    def __init__(self, tx: Tx, config: Config) -> None:
        self.offers = {offer.row.id: offer for offer in offers.of_hosts(tx, config)}
        self.zones = zones(tx)

    def take(self, tx: Tx, consumer_id: str, host_id: str, amounts: Mapping[str, int]) -> None:
        """Claim it, and know of it."""
        allocations.claim(tx, consumer_id, host_id, amounts)
        used = self.offers[host_id].used
        for name, amount in amounts.items():
            used[name] = used.get(name, 0) + amount


def choose(tx: Tx, config: Config, wanted: Wanted, known: Hosts | None = None) -> Row[Any] | str:
    """The host with the most free memory among those that fit, or the sentence that tells a tenant why there is none
    (the log tells more). ``known``: the hosts, where this transaction has looked them up already.

    A forced host is not asked whether it is enabled, in the zone or roomy (as upstream), only whether it is up.
    """
    known = known or Hosts(tx, config)
    near, far = _hosts_of(tx, wanted.same_host), _hosts_of(tx, wanted.different_host)
    itself = wanted.moves.id if wanted.moves is not None else None
    peers = servers.hosts_of_group(tx, wanted.group.id, itself) if wanted.group is not None else {}
    rows = [offer.row for offer in known.offers.values()]
    for lost in (host for host in rows if host.forced_down or leases.ended(tx, host)):
        # Its servers are about to be made elsewhere, one after the other: the first says where.
        peers.pop(lost.id, None)
    fitting: list[tuple[tuple[int, int], Row[Any]]] = []
    refusals: dict[str, str] = {}
    for host in rows:
        if wanted.host not in (None, host.name):
            continue
        offer = known.offers[host.id]
        reason = _refusal(tx, offer, wanted, known.zones)
        if wanted.moves is not None and wanted.elsewhere and host.id == wanted.moves.host_id:
            reason = "the server's own"
        if reason is None and wanted.like is not None:
            reason = _unlike(wanted.like, host)
        if reason is None and near and host.id not in near:
            reason = "not the host of the servers named in same_host"
        if reason is None and host.id in far:
            reason = "a server named in different_host is there"
        if reason is None and wanted.group is not None:
            reason = _group_refusal(wanted.group, host.id, peers)
        if reason is None:
            fitting.append(
                ((_group_weight(wanted.group, peers.get(host.id, 0)), offer.free(allocations.MEMORY_MB)), host)
            )
        else:
            refusals[host.name] = reason
    if fitting:
        return max(fitting, key=lambda pair: pair[0])[1]
    # Names of hosts and why an administrator switched one off are the operator's to know.
    log.info("no valid host", wanted=wanted.amounts, zone=wanted.zone, refusals=refusals)
    kinds = Counter(_told(reason) for reason in refusals.values())
    told = ", ".join(f"{count} {'host' if count == 1 else 'hosts'} {kind}" for kind, count in kinds.items())
    none = f"There is no compute host {wanted.host}" if wanted.host else "There is no compute host"
    return f"No valid host was found. There are not enough hosts available. {told or none}."


def _told(reason: str) -> str:
    """A refusal as a tenant may read it: without names of hosts, numbers of theirs, and administrators' words."""
    if reason.startswith("disabled"):
        return "disabled"
    if " the trait " in reason:
        return "excluded by its traits"
    if reason.startswith("in zone"):
        return "in another zone"
    if " wanted, " in reason:
        return "short of " + " and ".join(part.split(" ")[0] for part in reason.split(" free, "))
    return f"excluded: {reason}" if reason != "down" else reason


def _refusal(tx: Tx, offer: offers.Offer, wanted: Wanted, zone_of: dict[str, str]) -> str | None:
    host = offer.row
    if not hosts.is_up(tx, host):
        return "down"
    if wanted.force:
        return None
    if not host.enabled:
        return "disabled" + (f" ({host.disabled_reason})" if host.disabled_reason else "")
    zone = zone_of.get(host.name, DEFAULT_ZONE)
    if wanted.zone is not None and wanted.zone != zone:
        return f"in zone {zone}, not {wanted.zone}"
    return _unfit(offer.traits, wanted.demands) or ", ".join(_missing(offer, wanted)) or None


def _missing(offer: offers.Offer, wanted: Wanted) -> list[str]:
    """What the host is short of, in words."""
    found = []
    for name, amount in wanted.amounts.items():
        word, unit = _WORDS.get(name, (name, ""))
        free = offer.free(name)
        if amount > max(free, 0):
            left = f"{max(free, 0)}{unit} of {offer.capacity(name)}{unit} free"
            found.append(f"{word} {amount}{unit} wanted, {left}")
        elif amount and not (inventory := offer.inventories[name]).takes(amount):
            steps = f"{inventory.min_unit} to {inventory.max_unit} at once, by {inventory.step_size}"
            found.append(f"{word} {amount}{unit} wanted, {steps}, of {free}{unit} free")
    return found


def _unlike(here: Row[Any], there: Row[Any]) -> str | None:
    """Why a guest that runs on the one host cannot go on at the other."""
    # What a host says as is usual is left out on the wire.
    old, new = ({**_USUAL, **host.capabilities} for host in (here, there))
    for key, word in (("hypervisor_type", "hypervisor"), ("cpu_arch", "architecture"), ("accelerator", "accelerator")):
        if old[key] != new[key]:
            return f"another {word}"
    if old["accelerator"] == "kvm" and old["cpu_model"] != new["cpu_model"]:
        return "another processor"
    if old["hypervisor_version"] > new["hypervisor_version"]:
        return "an older hypervisor"
    if old["hypervisor_type"] != SIMULATED and None in (hosts.inner_address(here), hosts.inner_address(there)):
        return "no tunnel between the hosts"
    return None


def _group_refusal(group: Row[Any], host_id: str, peers: dict[str, int]) -> str | None:
    if group.policy == "affinity" and peers and host_id not in peers:
        return f"affinity of server group {group.name}"
    if group.policy == "anti-affinity" and peers.get(host_id, 0) >= group.rules.get("max_server_per_host", 1):
        return f"anti-affinity of server group {group.name}"
    return None


def _group_weight(group: Row[Any] | None, there: int) -> int:
    if group is None or not group.policy.startswith("soft-"):
        return 0
    return there if group.policy == "soft-affinity" else -there


def _hosts_of(tx: Tx, server_ids: tuple[str, ...]) -> set[str]:
    return {row.host_id for row in servers.of_ids(tx, server_ids) if row.host_id}
