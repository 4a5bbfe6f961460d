"""What makes a port's attributes valid (Networking API, "Ports")."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from typing import Any

from tane.web.context import Context
from tane.web.errors import BadRequest, Conflict, Forbidden

MAX_PAIRS = 10
_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")
_LABEL = re.compile(r"[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?")


def parse_mac(text: str | None, field: str = "mac_address") -> str:
    """The canonical form of a unicast MAC address."""
    mac = (text or "").strip().lower().replace("-", ":")
    if not _MAC.fullmatch(mac) or mac == "00:00:00:00:00:00" or int(mac[:2], 16) & 1:
        raise BadRequest(
            f"Invalid input for {field}. Reason: '{text}' is not a valid MAC address.", type="HTTPBadRequest"
        )
    return mac


def check_dns_name(name: str) -> str:
    if name and not all(_LABEL.fullmatch(label) for label in name.rstrip(".").split(".")):
        raise BadRequest(
            f"Invalid input for dns_name. Reason: '{name}' not a valid PQDN or FQDN.", type="HTTPBadRequest"
        )
    return name


def check_pairs(pairs: Sequence[Any]) -> list[dict[str, Any]]:
    """Canonical allowed address pairs; a pair without MAC is the port's own."""
    if len(pairs) > MAX_PAIRS:
        raise BadRequest(
            f"The number of allowed address pair exceeds the maximum {MAX_PAIRS}.", type="AllowedAddressPairExhausted"
        )
    found: list[dict[str, Any]] = []
    for pair in pairs:
        try:
            ipaddress.ip_network(pair.ip_address, strict=False)
        except ValueError:
            raise BadRequest(
                f"Invalid input for allowed_address_pairs. Reason: '{pair.ip_address}' is not a valid IP address or "
                "subnet.",
                type="HTTPBadRequest",
            ) from None
        mac = parse_mac(pair.mac_address, "allowed_address_pairs") if pair.mac_address else None
        entry = {"ip_address": pair.ip_address, "mac_address": mac}
        if entry in found:
            raise BadRequest(
                f"Request contains duplicate address pair: mac_address {mac} ip_address {pair.ip_address}.",
                type="DuplicateAddressPairInRequest",
            )
        found.append(entry)
    return found


def check_security(*, port_security: bool, group_ids: Sequence[str], pairs: Sequence[Any]) -> None:
    """Groups and address pairs only make sense on a port that is filtered."""
    if port_security:
        return
    if group_ids:
        raise Conflict(
            "Port has security group associated. Cannot disable port security or IP address until security group is "
            "removed.",
            type="PortSecurityPortHasSecurityGroup",
        )
    if pairs:
        raise Conflict(
            "Port Security must be enabled in order to have allowed address pairs on a port.",
            type="AddressPairAndPortSecurityRequired",
        )


NETWORK_OWNERS_ONLY = ("mac_address", "port_security_enabled", "allowed_address_pairs")


def refuse_foreign(ctx: Context, network_owner: str, values: dict[str, Any], verb: str) -> None:
    """Only an administrator makes a port a network service's own: else anybody could lead a leg of somebody's router
    into a network. On somebody else's network there is no choice of addresses and no way around its filters.
    """
    if ctx.is_admin:
        return
    refused = ["device_owner"] if str(values.get("device_owner") or "").startswith("network:") else []
    if not ctx.sees(network_owner):
        refused += [name for name in NETWORK_OWNERS_ONLY if name in values]
        refused += ["fixed_ips:ip_address" for item in values.get("fixed_ips") or [] if item.get("ip_address")]
    if refused:
        raise Forbidden(f"rule:{verb}_port:{refused[0]} is disallowed by policy", type="PolicyNotAuthorized")
