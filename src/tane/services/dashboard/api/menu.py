"""The menu: what the visitor's role may see."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from tane.services.dashboard.domain.describing import Call
from tane.services.dashboard.domain.messages import N_
from tane.services.dashboard.resources import ALL

if TYPE_CHECKING:
    from tane.services.dashboard.api.visit import Visit


class Entry(NamedTuple):
    name: str
    title: str
    href: str


OTHERS = (
    ("containers", N_("Containers"), N_("Storage"), "object GET /v1/{account}"),
    ("consoles", N_("Consoles"), N_("Compute"), "compute POST /v2.1/servers/{id}/remote-consoles"),
    ("topology", N_("Topology"), N_("Network"), "network GET /v2.0/networks"),
    ("charts", N_("Charts"), N_("Monitoring"), "metric POST /v1/aggregates"),
    ("bill", N_("Bill"), N_("Monitoring"), "rating GET /v2/bill"),
    ("prices", N_("Price list"), N_("Monitoring"), "rating POST /v1/rating/quote"),
    ("happened", N_("Events"), N_("Monitoring"), "event GET "),
    ("access", N_("API access"), N_("Access"), "identity GET /v3/auth/catalog"),
)
"""Pages of their own making: address, title, section, the call they ask first."""


def sections(visit: Visit) -> list[tuple[str, list[Entry]]]:
    """The menu, section by section."""
    if not visit.ctx.project_id:
        return []
    found: dict[str, list[Entry]] = {}
    for kind in ALL:
        hidden = kind.inner or (kind.admin and not visit.ctx.is_admin)
        if not hidden and visit.may(kind.list_call):
            found.setdefault(kind.section, []).append(Entry(kind.name, kind.title, f"/{kind.name}"))
    for name, title, section, call in OTHERS:
        if name == "containers" or visit.may(Call.of(call)):
            found.setdefault(section, []).append(Entry(name, title, f"/{name}"))
    return list(found.items())
