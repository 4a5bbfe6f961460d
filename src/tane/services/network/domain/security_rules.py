"""What makes a security group rule valid (Networking API, "Security group rules")."""

from __future__ import annotations

import ipaddress
from typing import Any

from tane.web.codec import whole
from tane.web.errors import BadRequest
from tane.wire import grammar
from tane.wire.documents import PROTOCOLS

WITH_PORTS = {"dccp": 33, "sctp": 132, "tcp": 6, "udp": 17, "udplite": 136}
ICMP = {"icmp": 1, "ipv6-icmp": 58, "icmpv6": 58}
EVERYBODY = ("0.0.0.0/0", "::/0")
IPV6_ONLY = (41, 43, 44, 58, 59, 60)


def normalised(values: dict[str, Any]) -> dict[str, Any]:
    """A rule as it is stored. :raises BadRequest: in Neutron's words, for what makes no sense."""
    rule = {
        "direction": values["direction"],
        "ethertype": _ethertype(values.get("ethertype")),
        "protocol": _protocol(values.get("protocol")),
        "port_range_min": _port(values.get("port_range_min")),
        "port_range_max": _port(values.get("port_range_max")),
        "remote_ip_prefix": _prefix(values.get("remote_ip_prefix")),
        "remote_group_id": values.get("remote_group_id"),
    }
    if rule["remote_ip_prefix"] is not None and rule["remote_group_id"] is not None:
        raise BadRequest(
            "Only remote_ip_prefix or remote_group_id may be provided.",
            type="SecurityGroupRemoteGroupAndRemoteIpPrefix",
        )
    _check_family(rule)
    _check_ports(rule)
    return rule


def number_of(protocol: str | None) -> int | None:
    """The IP protocol number; None for any."""
    if protocol is None or protocol == "any":
        return None
    return int(protocol) if protocol.isdecimal() else PROTOCOLS[protocol]


def range_of(prefix: str | None) -> str | None:
    """The addresses a stored prefix stands for, in one form: host bits count for nothing."""
    return None if prefix is None else str(ipaddress.ip_network(prefix, strict=False))


def reach_of(prefix: str | None) -> str | None:
    """The addresses a rule is about, for comparing two: every address and no prefix are the same."""
    found = range_of(prefix)
    return None if found in EVERYBODY else found


def _ethertype(value: Any) -> str:
    for known in ("IPv4", "IPv6"):
        if str(value or "IPv4").lower() == known.lower():
            return known
    raise BadRequest(
        f"Invalid input for ethertype. Reason: '{value}' is not in ['IPv4', 'IPv6'].", type="HTTPBadRequest"
    )


def _protocol(value: Any) -> str | None:
    if value is None or value == "":
        return None
    text = str(value).lower()
    if text == "any" or text in PROTOCOLS or 0 <= (-1 if (number := whole(text)) is None else number) <= 255:
        return None if text == "any" else text
    raise BadRequest(
        f"Security group rule protocol {value} not supported. Only protocol values {sorted(PROTOCOLS)} and "
        "integer representations [0 to 255] are supported.",
        type="SecurityGroupRuleInvalidProtocol",
    )


def _port(value: Any) -> int | None:
    if value is None or value == "":
        return None
    number = whole(str(value))
    if number is None or not 0 <= number <= 65535:
        raise BadRequest(f"Invalid value for port {value}", type="SecurityGroupInvalidPortValue")
    return number


def _prefix(value: Any) -> str | None:
    if value is None or value == "":
        return None
    try:
        return str(grammar.interface(value))
    except ValueError:
        raise BadRequest(f"Invalid CIDR {value} given as IP prefix.", type="InvalidCIDR") from None


def _check_family(rule: dict[str, Any]) -> None:
    prefix, ethertype, protocol = rule["remote_ip_prefix"], rule["ethertype"], rule["protocol"]
    if prefix is not None and f"IPv{grammar.interface(prefix).version}" != ethertype:
        raise BadRequest(
            f"Conflicting value ethertype {ethertype} for CIDR {prefix}", type="SecurityGroupRuleParameterConflict"
        )
    if ethertype == "IPv4" and number_of(protocol) in IPV6_ONLY:
        raise BadRequest(
            f"Invalid ethertype {ethertype} for protocol {protocol}.",
            type="SecurityGroupEthertypeConflictWithProtocol",
        )


def _check_ports(rule: dict[str, Any]) -> None:
    low, high, protocol = rule["port_range_min"], rule["port_range_max"], rule["protocol"]
    if low is None and high is None:
        return
    if protocol is None:
        raise BadRequest(
            "Must also specify protocol if port range is given.", type="SecurityGroupProtocolRequiredWithPorts"
        )
    number = number_of(protocol)
    if number in WITH_PORTS.values():
        _check_range(low, high)
    elif number in ICMP.values():
        _check_icmp(low, high)
    else:
        raise BadRequest(
            f"Port range cannot be specified for protocol {protocol}. Port range is only supported for "
            f"{', '.join((*WITH_PORTS, *ICMP))}.",
            type="SecurityGroupInvalidProtocolForPort",
        )


def _check_range(low: int | None, high: int | None) -> None:
    if low == 0 or high == 0:
        raise BadRequest("Invalid value for port 0", type="SecurityGroupInvalidPortValue")
    if low is None or high is None or low > high:
        raise BadRequest(
            "For TCP/UDP protocols, port_range_min must be <= port_range_max", type="SecurityGroupInvalidPortRange"
        )


def _check_icmp(kind: int | None, code: int | None) -> None:
    for attribute, field, value in (("port_range_min", "type", kind), ("port_range_max", "code", code)):
        if value is not None and value > 255:
            raise BadRequest(
                f"Invalid value for ICMP {field} ({attribute}) {value}. It must be 0 to 255.",
                type="SecurityGroupInvalidIcmpValue",
            )
    if kind is None and code is not None:
        raise BadRequest(
            f"ICMP code (port-range-max) {code} is provided but ICMP type (port-range-min) is missing.",
            type="SecurityGroupMissingIcmpType",
        )
