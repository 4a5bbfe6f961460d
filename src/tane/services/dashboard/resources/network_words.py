"""What of networks the command line says in other words than the forms."""

from __future__ import annotations

from collections.abc import Sequence

from tane.services.dashboard.domain import forms
from tane.services.dashboard.domain.describing import Row, Values


def way(values: Values, row: Row) -> list[str]:
    """A route, as the command line says it."""
    return [forms.option("--route", f"destination={values['destination']},gateway={values['nexthop']}")]


def version(values: Values, row: Row) -> list[str]:
    """What the client does not see by the addresses."""
    return ["--ip-version 6"] if ":" in values.get("cidr", "") else []


def pools(lines: Sequence[str]) -> list[str]:
    """Ranges of addresses, as the command line says them."""
    parts = (line.replace("–", "-").partition("-") for line in lines)
    return [f"start={first.strip()},end={last.strip()}" for first, _, last in parts]


def place(values: Values, row: Row) -> list[str]:
    """Where a port is, as the command line says it."""
    names = (("subnet_id", "subnet"), ("ip_address", "ip-address"))
    said = ",".join(f"{option}={values[name]}" for name, option in names if name in values)
    return [forms.option("--fixed-ip", said)] if said else []


def whole(values: Values, row: Row) -> str:
    """The commands of a network with its subnet and its router."""
    name = forms.operand(values["name"])
    about = [forms.option("--description", values["description"])] if "description" in values else []
    found = [forms.line(["openstack network create", *about, name])]
    if "cidr" in values:
        words = [forms.option("--network", values["name"]), forms.option("--subnet-range", values["cidr"])]
        words += [forms.option("--dns-nameserver", one) for one in values.get("dns", ())]
        found.append(forms.line(["openstack subnet create", *words, *version(values, row), name]))
        if "router" in values:
            found.append(forms.line(["openstack router add subnet", forms.operand(values["router"]), name]))
    return "\n".join(found)
