"""Custom constraints that look at nothing but the value: addresses, names, times.

What names things of services is looked up by the engine.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from tane.wire import grammar

LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\Z")
LONGEST_NAME = 255
Looked = Callable[[Any], str | None]
"""Why a value breaks a constraint, in words that may be empty; None where it keeps it."""


def ip_addr(value: Any) -> str | None:
    try:
        grammar.address(value if isinstance(value, str) else "")
    except ValueError:
        return "Invalid IP address"
    return None


def net_cidr(value: Any) -> str | None:
    try:
        found = grammar.network(value if isinstance(value, str) else "")
    except ValueError:
        return f"'{value}' is not a valid IP subnet"
    if "/" not in value:
        return f"'{value}' isn't a recognized IP subnet cidr, '{found}' is recommended"
    return None


def ip_or_cidr(value: Any) -> str | None:
    if isinstance(value, str) and "/" in value:
        return net_cidr(value)
    return None if ip_addr(value) is None else f"{value} is not a valid IP or CIDR"


def mac_addr(value: Any) -> str | None:
    try:
        grammar.mac(value if isinstance(value, str) else "")
    except ValueError:
        return "Invalid MAC address."
    return None


def dns_name(value: Any) -> str | None:
    if not value:
        return None
    text = str(value)
    reason = None
    if len(text) > LONGEST_NAME:
        reason = f"'{text[:64]}…' exceeds the {LONGEST_NAME} character FQDN limit"
    elif not all(LABEL.match(label) for label in text.removesuffix(".").split(".")):
        reason = f"'{text}' not in valid format: labels are of letters, digits and hyphens, 63 at most"
    return None if reason is None else f"'{text[:64]}' not in valid format. Reason: {reason}"


def rel_dns_name(value: Any) -> str | None:
    text = str(value or "")
    if text.endswith("."):
        return f"'{text}' is a FQDN. It should be a relative domain name."
    if len(text) > LONGEST_NAME - 3:
        return (
            f"'{text[:64]}…' contains '{len(text)}' characters. Adding a domain name will cause it to exceed the "
            f"maximum length of a FQDN of '{LONGEST_NAME}'."
        )
    return dns_name(text)


def dns_domain(value: Any) -> str | None:
    why = dns_name(value)
    return why if why is not None or not value or str(value).endswith(".") else f"'{value}' must end with '.'."


def iso_8601(value: Any) -> str | None:
    try:
        datetime.fromisoformat(str(value))
    except ValueError:
        return ""
    return None


def expiration(value: Any) -> str | None:
    if not value:
        return None
    try:
        until = datetime.fromisoformat(str(value).strip())
    except ValueError as error:
        return f"Expiration {value} is invalid: {error}"
    until = until if until.tzinfo else until.replace(tzinfo=UTC)
    return None if until > datetime.now(UTC) else f"Expiration {value} is invalid: Expiration time is out of date."


def timezone(value: Any) -> str | None:
    import zoneinfo

    try:
        zoneinfo.ZoneInfo(str(value)) if value else None
    except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError) as error:
        return f"Invalid timezone: {error}"
    return None


def json_string(value: Any) -> str | None:
    try:
        json.loads(value) if value else None
    except (TypeError, ValueError, RecursionError) as error:
        return f"JSON string {value} is invalid: {error}"
    return None


KNOWN: Mapping[str, Looked] = {
    "ip_addr": ip_addr,
    "net_cidr": net_cidr,
    "ip_or_cidr": ip_or_cidr,
    "mac_addr": mac_addr,
    "dns_name": dns_name,
    "rel_dns_name": rel_dns_name,
    "dns_domain": dns_domain,
    "iso_8601": iso_8601,
    "expiration": expiration,
    "timezone": timezone,
    "json_string": json_string,
}
