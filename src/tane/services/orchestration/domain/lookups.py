"""What properties and parameters name by name or id, found as the user would find it: custom constraints are these."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tane.core import Core
from tane.web import inside
from tane.web.context import Context
from tane.web.errors import ApiError, BadRequest, Conflict, NotFound
from tane.web.inside import part


@dataclass(frozen=True)
class Found:
    """Where a kind of thing is listed: ``plural`` wraps the list, ``single`` one. ``key`` is what stands for it."""

    service: str
    path: str
    plural: str
    single: str
    word: str
    key: str = "id"
    by_name: bool = True


KINDS: Mapping[str, Found] = {
    "neutron.network": Found("network", "/v2.0/networks", "networks", "network", "network"),
    "neutron.subnet": Found("network", "/v2.0/subnets", "subnets", "subnet", "subnet"),
    "neutron.subnetpool": Found("network", "/v2.0/subnetpools", "subnetpools", "subnetpool", "subnetpool"),
    "neutron.port": Found("network", "/v2.0/ports", "ports", "port", "port"),
    "neutron.router": Found("network", "/v2.0/routers", "routers", "router", "router"),
    "neutron.security_group": Found(
        "network", "/v2.0/security-groups", "security_groups", "security_group", "security_group"
    ),
    "nova.flavor": Found("compute", "/v2.1/flavors", "flavors", "flavor", "Flavor"),
    "nova.server": Found("compute", "/v2.1/servers", "servers", "server", "Server"),
    "nova.keypair": Found("compute", "/v2.1/os-keypairs", "keypairs", "keypair", "Key", key="name", by_name=False),
    "glance.image": Found("image", "/v2/images", "images", "", "Image"),
    "cinder.volume": Found("volume", "/v3/volumes", "volumes", "volume", "Volume"),
    "cinder.snapshot": Found("volume", "/v3/snapshots", "snapshots", "snapshot", "VolumeSnapshot"),
    "cinder.vtype": Found("volume", "/v3/types", "volume_types", "volume_type", "VolumeType"),
    "cinder.qos_specs": Found("volume", "/v3/qos-specs", "qos_specs", "qos_specs", "QoSSpecs"),
    "keystone.project": Found("identity", "/v3/projects", "projects", "project", "KeystoneProject"),
    "keystone.user": Found("identity", "/v3/users", "users", "user", "KeystoneUser"),
    "keystone.group": Found("identity", "/v3/groups", "groups", "group", "KeystoneGroup"),
    "keystone.role": Found("identity", "/v3/roles", "roles", "role", "KeystoneRole"),
    "keystone.domain": Found("identity", "/v3/domains", "domains", "domain", "KeystoneDomain"),
    "keystone.region": Found("identity", "/v3/regions", "regions", "region", "KeystoneRegion", by_name=False),
    "keystone.service": Found("identity", "/v3/services", "services", "service", "KeystoneService"),
}


UNFILTERED = ("flavors", "volume_types", "qos_specs")
"""What its service does not look for by name."""


def find(core: Core, ctx: Context, kind: str, value: str) -> str:
    """The id of the thing that ``value`` names by id or name. :raises NotFound: the user sees none, or several."""
    found = KINDS.get(kind)
    if found is None:
        return value
    shown = _by_id(core, ctx, found, value)
    if shown is not None:
        return str(shown[found.key])
    matches = _by_name(core, ctx, found, value) if found.by_name else []
    if len(matches) > 1:
        raise Conflict(f"Multiple {found.word} matches found for name '{value}', use an ID to be more specific.")
    if not matches:
        raise NotFound(_missing(kind, found, value))
    return str(matches[0][found.key])


def check(core: Core, ctx: Context, kind: str, value: Any) -> str | None:
    """Why a value breaks a custom constraint, in Heat's words; None where it keeps it, or where the kind is unknown."""
    try:
        find(core, ctx, kind, str(value))
    except ApiError as error:
        return error.message
    return None


def _by_id(core: Core, ctx: Context, found: Found, value: str) -> Mapping[str, Any] | None:
    if not value or len(value) > 255 or value in (".", ".."):
        return None
    try:
        answer: dict[str, Any] = inside.call(core, ctx, found.service, "GET", f"{found.path}/{part(value)}")
    except (NotFound, BadRequest):
        return None
    return answer[found.single] if found.single else answer


def _by_name(core: Core, ctx: Context, found: Found, value: str) -> list[Mapping[str, Any]]:
    if found.plural in UNFILTERED:
        listed = inside.call(core, ctx, found.service, "GET", found.path)[found.plural]
        return [one for one in listed if one["name"] == value]
    query = [("name", f"^{value}$" if found.plural == "servers" else value)]
    listed = inside.call(core, ctx, found.service, "GET", found.path, query=query)[found.plural]
    return [one for one in listed if one.get("name") == value]


def _missing(kind: str, found: Found, value: str) -> str:
    if kind.startswith("neutron."):
        return f"Unable to find {found.word} with name or id '{value}'"
    return f"The {found.word} ({value}) could not be found."
