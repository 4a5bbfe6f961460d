"""``OS::Neutron::ExtraRouteSet``: routes that are put to those of a router."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tane.services.orchestration.resources import heirs
from tane.services.orchestration.resources.base import Kind
from tane.services.orchestration.resources.comparing import Difference, same
from tane.services.orchestration.resources.declaring import formed, listing, names
from tane.services.orchestration.resources.neutron import of_type
from tane.web.errors import NotFound

if TYPE_CHECKING:
    from tane.services.orchestration.domain.hand import Hand
    from tane.services.orchestration.domain.plans import Plan


class ExtraRouteSet(Kind):
    adopts = True
    brings = essential = ("router",)
    compares = True
    name = "OS::Neutron::ExtraRouteSet"
    description = "Resource for specifying extra routes for a Neutron router."
    properties = {
        "router": names("neutron.router", "The router id.", required=True),
        "routes": listing(
            "A set of route dictionaries for the router.",
            {
                "destination": formed("net_cidr", "The destination network in CIDR notation.", required=True),
                "nexthop": formed("ip_addr", "The next hop for the destination.", required=True),
            },
            default=[],
            update="in_place",
        ),
    }

    def needs(self, name: str, properties: Mapping[str, Any], plan: Plan) -> Sequence[str]:
        """The legs of routers: the next hop is beyond one of them."""
        return of_type(plan, "OS::Neutron::RouterInterface")

    def create(self, hand: Hand) -> str | None:
        router = hand.lookup("neutron.router", hand.properties["router"])
        hand.keep(router=router)
        self._call(hand, "add_extraroutes", hand.properties.get("routes") or [])
        return router

    def _call(self, hand: Hand, action: str, routes: list[Any]) -> None:
        if routes and "router" in hand.row.data:
            hand.call(
                "network", "PUT", f"/v2.0/routers/{hand.row.data['router']}/{action}", {"router": {"routes": routes}}
            )

    def differences(self, hand: Hand) -> Mapping[str, Difference] | None:
        shown = hand.call("network", "GET", f"/v2.0/routers/{hand.row.data['router']}")["router"]
        wanted = list(hand.properties.get("routes") or [])
        there = [one for one in wanted if any(same(one, other) for other in shown.get("routes") or [])]
        return {} if there == wanted else {"routes": Difference(wanted, there)}

    def change(self, hand: Hand, changed: Mapping[str, Any]) -> None:
        before, after = hand.row.properties.get("routes") or [], hand.properties.get("routes") or []
        self._call(hand, "remove_extraroutes", [one for one in before if one not in after])
        self._call(hand, "add_extraroutes", [one for one in after if one not in before])

    def delete(self, hand: Hand) -> None:
        heir = [one for one in heirs.of(hand) if one.data.get("router") == hand.row.data.get("router")]
        stays = [route for one in heir for route in one.properties.get("routes") or []]
        routes = [one for one in hand.row.properties.get("routes") or [] if one not in stays]
        try:
            self._call(hand, "remove_extraroutes", routes)
        except NotFound:
            return
