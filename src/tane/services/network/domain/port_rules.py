"""What makes a port's attributes valid (Networking API, "Ports")."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy.engine import Row

from tane.web.context import Context
from tane.web.errors import BadRequest, Conflict, Forbidden
from tane.web.policy import Policy
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


def refuse_foreign(policy: Policy, ctx: Context, network: Row[Any], values: dict[str, Any], verb: str) -> None:
    """On somebody else's network there is no choice of addresses and no way around its filters; a port that is a
    network service's own is no member's to make anywhere (else anybody could lead a leg of somebody's router into a
    network); and the MAC address of a port changes by a manager of its network. All as the policy says.

    :raises Forbidden: an attribute the caller may not give or change.
    """
    target = {
        "project_id": ctx.project_id or None,
        "network:project_id": network.project_id,
        "network:shared": network.shared,
    }
    for name in _asked(values):
        rule = f"{verb}_port:{name}"
        if not policy.allows(rule, ctx, target):
            raise Forbidden(f"rule:{rule} is disallowed by policy", type="PolicyNotAuthorized")


def _asked(values: dict[str, Any]) -> Iterator[str]:
    """The attributes of a body that have rules of :data:`PORT_ATTRIBUTES`."""
    if str(values.get("device_owner") or "").strip().lower().startswith("network:"):
        yield "device_owner"
    for name in ("mac_address", "port_security_enabled"):
        if name in values:
            yield name
    if "fixed_ips" in values:
        yield "fixed_ips"
        for part in ("ip_address", "subnet_id"):
            if any(item.get(part) for item in values["fixed_ips"] or []):
                yield f"fixed_ips:{part}"
    if "allowed_address_pairs" in values:
        yield "allowed_address_pairs"
        for part in ("mac_address", "ip_address"):
            if any(getattr(pair, part) for pair in values["allowed_address_pairs"] or []):
                yield f"allowed_address_pairs:{part}"
