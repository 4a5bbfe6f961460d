"""What makes a port's attributes valid (Networking API, "Ports")."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tane.web.context import Context
from tane.web.errors import BadRequest, Conflict, Forbidden
from tane.wire import grammar

MAX_PAIRS = 10


def parse_mac(text: str | None, field: str = "mac_address") -> str:
    """The canonical form of a unicast MAC address."""
    try:
        return grammar.mac(text or "")
    except ValueError:
        raise BadRequest(
            f"Invalid input for {field}. Reason: '{text}' is not a valid MAC address.", type="HTTPBadRequest"
        ) from None


def check_pairs(pairs: Sequence[Any], own_mac: str | None = None) -> list[dict[str, Any]]:
    """Canonical allowed address pairs; a pair without MAC is the port's own (``own_mac``, where it is known)."""
    if len(pairs) > MAX_PAIRS:
        raise BadRequest(
            f"The number of allowed address pair exceeds the maximum {MAX_PAIRS}.", type="AllowedAddressPairExhausted"
        )
    found: list[dict[str, Any]] = []
    known: set[tuple[grammar.Network, str | None]] = set()
    for pair in pairs:
        try:
            network, shown = grammar.network(pair.ip_address), str(grammar.interface(pair.ip_address))
        except ValueError:
            raise BadRequest(
                f"Invalid input for allowed_address_pairs. Reason: '{pair.ip_address}' is not a valid IP address or "
                "subnet.",
                type="HTTPBadRequest",
            ) from None
        if "/" not in pair.ip_address:
            shown = str(network.network_address)
        mac = parse_mac(pair.mac_address, "allowed_address_pairs") if pair.mac_address else own_mac
        if (network, mac) in known:
            raise BadRequest(
                f"Request contains duplicate address pair: mac_address {mac} ip_address {shown}.",
                type="DuplicateAddressPairInRequest",
            )
        known.add((network, mac))
        found.append({"ip_address": shown, "mac_address": mac})
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
    owned = str(values.get("device_owner") or "").strip().lower()
    refused = ["device_owner"] if owned.startswith("network:") else []
    if not ctx.sees(network_owner):
        refused += [name for name in NETWORK_OWNERS_ONLY if name in values]
        refused += ["fixed_ips:ip_address" for item in values.get("fixed_ips") or [] if item.get("ip_address")]
    if refused:
        raise Forbidden(f"rule:{verb}_port:{refused[0]} is disallowed by policy", type="PolicyNotAuthorized")
