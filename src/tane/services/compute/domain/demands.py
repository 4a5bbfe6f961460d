"""What a server demands of its host beside processors, memory and disk: amounts of resource classes and traits.

``resources:CLASS`` and ``trait:NAME`` of a flavor, ``trait:NAME`` of an image (Nova: "Resource and trait overrides").
``resources:VCPU``, ``MEMORY_MB`` and ``DISK_GB`` say what is claimed in the place of the flavor's own numbers. Those of
request groups (``resources2:``) are not done: a host is a provider without children, and has nothing to group.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from tane.hosts.offers import MOST
from tane.web.errors import BadRequest

NAME = r"[A-Z0-9_]{1,255}"
REQUIRED, FORBIDDEN = "required", "forbidden"


@dataclass(frozen=True)
class Demands:
    """``resources``: class → amount, 0 for none at all."""

    resources: Mapping[str, int] = field(default_factory=dict)
    required: frozenset[str] = frozenset()
    forbidden: frozenset[str] = frozenset()


NOTHING = Demands()


def is_trait(name: str) -> bool:
    return re.fullmatch(f"trait:{NAME}", name) is not None


def is_one(name: str) -> bool:
    """Whether an extra spec of a flavor is a demand."""
    return is_trait(name) or re.fullmatch(f"resources:{NAME}", name) is not None


def of(properties: Mapping[str, str], extra_specs: Mapping[str, str]) -> Demands:
    """:raises BadRequest: a value that is none; a trait that is both required and forbidden."""
    traits: dict[str, set[str]] = {REQUIRED: set(), FORBIDDEN: set()}
    for kind, named in (("Image property", properties), ("Flavor extra spec", extra_specs)):
        for name, value in named.items():
            if name.startswith("trait:") and not is_trait(name):
                raise BadRequest(f"{kind} {name} names no trait: use capital letters, digits and underscores.")
            if is_trait(name):
                if value not in traits:
                    raise BadRequest(f"{kind} {name} has the value {value!r}: use one of required, forbidden.")
                traits[value].add(name.partition(":")[2])
    if both := traits[REQUIRED] & traits[FORBIDDEN]:
        raise BadRequest(f"Image and flavor require and forbid the same traits: {', '.join(sorted(both))}.")
    amounts = {name.partition(":")[2]: _amount(name, value) for name, value in extra_specs.items() if _is_amount(name)}
    return Demands(amounts, frozenset(traits[REQUIRED]), frozenset(traits[FORBIDDEN]))


def _is_amount(name: str) -> bool:
    return is_one(name) and not is_trait(name)


def _amount(name: str, value: str) -> int:
    if not re.fullmatch(r"[0-9]{1,10}", value) or int(value) > MOST:
        raise BadRequest(f"Flavor extra spec {name} has the value {value!r}: use a number from 0 to {MOST}.")
    return int(value)
