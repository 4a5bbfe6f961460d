"""What is rated: from which events a fact of it follows, and how CloudKitty's clients know it.

Services, units and fields bear the names of CloudKitty's ``metrics.yml`` where it has them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

Names = Mapping[tuple[str, str], str]
"""(kind, id) → the name of a flavor or of a volume type."""
FLAVOR, VOLUME_TYPE = "compute.flavor", "volume.type"
NAMED = (FLAVOR, VOLUME_TYPE)
OBJECTS = "storage.objects.size"
FORMATS = ("container_format", "disk_format")


@dataclass(frozen=True)
class Use:
    """What a resource is used as from a moment on: how much of it, and what it is like."""

    amount: int
    description: Mapping[str, str]


@dataclass(frozen=True)
class Kind:
    """``event``: the type of events that tell of it. ``factor``: how many units one of ``amount`` is. ``used``: what an
    event's data say is used, or None; its last argument says whether the resource was used before."""

    service: str
    event: str
    unit: str
    factor: Decimal
    fields: tuple[str, ...]
    used: Callable[[Mapping[str, Any], Names, bool], Use | None]


def _server(data: Mapping[str, Any], names: Names, before: bool) -> Use | None:
    # Made or failed to be made: until it has run once, it was nothing that anyone could use.
    state = data["vm_state"]
    if state == "building" or (state == "error" and not before):
        return None
    flavor = data["flavor_id"]
    described = {"flavor_id": flavor, "flavor_name": names.get((FLAVOR, flavor), flavor), "state": state}
    described |= {"vcpus": str(data["vcpus"]), "memory": str(data["ram_mb"]), "disk": str(data["disk_gb"])}
    return Use(1, {**described, "user_id": data["user_id"]})


def _volume(data: Mapping[str, Any], names: Names, before: bool) -> Use | None:
    if not before and data["status"] in ("creating", "downloading", "error", "error_restoring"):
        return None
    kind = data["volume_type_id"]
    named = {"volume_type": names.get((VOLUME_TYPE, kind), kind), "volume_type_id": kind}
    return Use(int(data["size"]), {**named, "user_id": data["user_id"]})


def _image(data: Mapping[str, Any], names: Names, before: bool) -> Use | None:
    if data["status"] not in ("active", "deactivated") or not data["size"]:
        return None
    return Use(int(data["size"]), {name: data[name] or "" for name in FORMATS})


def _floating_ip(data: Mapping[str, Any], names: Names, before: bool) -> Use | None:
    return Use(1, {})


def _router(data: Mapping[str, Any], names: Names, before: bool) -> Use | None:
    return Use(1, {})


def _objects(data: Mapping[str, Any], names: Names, before: bool) -> Use | None:
    return Use(int(data["bytes"]), {}) if data["bytes"] else None


_ONE, _MIB, _GIB = Decimal(1), Decimal(1) / (1 << 20), Decimal(1) / (1 << 30)
_VOLUME = ("volume_type", "volume_type_id", "user_id")
KINDS = (
    Kind(
        "instance",
        "compute.server",
        "instance",
        _ONE,
        ("flavor_id", "flavor_name", "state", "vcpus", "memory", "disk", "user_id"),
        _server,
    ),
    Kind("volume.size", "volume.volume", "GiB", _ONE, _VOLUME, _volume),
    Kind("volume.snapshot.size", "volume.snapshot", "GiB", _ONE, _VOLUME, _volume),
    Kind("image.size", "image.image", "MiB", _MIB, FORMATS, _image),
    Kind("ip.floating", "network.floating_ip", "ip", _ONE, (), _floating_ip),
    Kind("router", "network.router", "router", _ONE, (), _router),
    Kind(OBJECTS, "", "GiB", _GIB, (), _objects),
)
BY_EVENT = {kind.event: kind for kind in KINDS if kind.event}
BY_SERVICE = {kind.service: kind for kind in KINDS}
