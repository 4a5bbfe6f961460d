"""Names of DNS (Networking API, "DNS integration"): of ports, networks and floating IPs.

They are kept in lower case, shown, and told to guests by DHCP; there is no external DNS service they are written to.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy.engine import Row

from tane.db import Tx
from tane.services.network.store import dns_names
from tane.web.errors import BadRequest, Conflict
from tane.wire import grammar

LONGEST = 255


def check_dns_name(name: str, field: str = "dns_name") -> str:
    """A host's or a domain's name of RFC 1123, relative or not, in lower case; it reaches the configuration of DHCP
    servers. :raises BadRequest: it is none."""
    if not name:
        return ""
    labels = name.removesuffix(".").split(".")
    numbered = len(labels) > 1 and labels[-1].isdecimal()
    if len(name) > LONGEST or numbered or "_" in name or not all(map(grammar.is_label, labels)):
        raise _invalid(field, f"'{name}' not a valid PQDN or FQDN.")
    return name.lower()


def is_others_name(tx: Tx, holder: Row[Any], project_id: str, name: str) -> bool:
    """Whether guests of the network ``holder`` know a port of another project by this name: they would be led astray.

    Only where projects share a network is there anybody else.
    """
    alone = holder.project_id == project_id and not holder.shared and not holder.external
    label = "" if alone else host_label(name)
    if not label:
        return False
    return _is_reserved(label) or dns_names.has_another(tx, holder.id, project_id, label)


def _is_reserved(label: str) -> bool:
    """Names that DHCP gives ports without one, and that machines ask for by themselves."""
    return label.startswith("host-") or label in ("localhost", "wpad", "isatap")


def check_free(tx: Tx, holder: Row[Any], project_id: str, name: str) -> str:
    """The name, which nobody else has. :raises Conflict: somebody has."""
    if is_others_name(tx, holder, project_id, name):
        raise Conflict(
            f"The name '{host_label(name)}' is reserved, or that of another project's port, on network {holder.id}.",
            type="DNSNameInUse",
        )
    return name


def check_dns_domain(name: str) -> str:
    """A domain names stand in: it ends with a period, and a label still fits before it. :raises BadRequest: else."""
    checked = check_dns_name(name, "dns_domain")
    if name and not name.endswith("."):
        raise _invalid("dns_domain", f"'{name}' is not a FQDN.")
    if len(name) > LONGEST - 2:
        raise _invalid(
            "dns_domain",
            f"'{name}' contains {len(name)} characters. Adding a sub-domain will cause it to exceed the maximum length "
            f"of a FQDN of '{LONGEST}'.",
        )
    return checked


def check_floating(name: str, domain: str) -> dict[str, str]:
    """The names of a floating IP: both or neither, the first relative to the second. :raises BadRequest: else."""
    if name.endswith("."):
        raise _invalid("dns_name", f"'{name}' is a FQDN. It should be a relative domain name.")
    if len(name) > LONGEST - 3:
        raise _invalid(
            "dns_name",
            f"'{name}' contains {len(name)} characters. Adding a domain name will cause it to exceed the maximum "
            f"length of a FQDN of '{LONGEST}'.",
        )
    checked = {"dns_name": check_dns_name(name), "dns_domain": check_dns_domain(domain)}
    for given, missing in (("dns_domain", "dns_name"), ("dns_name", "dns_domain")):
        if checked[given] and not checked[missing]:
            raise BadRequest(
                f"Bad floatingip request: {given} cannot be specified without a {missing}.", type="BadRequest"
            )
    return checked


def _invalid(field: str, reason: str) -> BadRequest:
    return BadRequest(f"Invalid input for {field}. Reason: {reason}", type="HTTPBadRequest")


def host_label(name: str) -> str:
    """What DHCP tells a guest of its name: the first label, or nothing when that is no host name."""
    label = name.partition(".")[0]
    return label if label and grammar.is_label(label) else ""
