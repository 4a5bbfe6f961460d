"""``OS::Neutron::Router``, ``RouterInterface`` and ``RouterGateway``."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tane.services.orchestration.resources import heirs
from tane.services.orchestration.resources.base import LET_GO, Kind
from tane.services.orchestration.resources.comparing import Difference
from tane.services.orchestration.resources.declaring import flag, formed, listing, mapping, names, shown, specs, text
from tane.services.orchestration.resources.neutron import TAGS, Neutron, of_network
from tane.web.errors import BadRequest, NotFound
from tane.web.inside import part

if TYPE_CHECKING:
    from tane.services.orchestration.domain.hand import Hand
    from tane.services.orchestration.domain.plans import Plan


class Router(Neutron):
    name = "OS::Neutron::Router"
    description = "A resource that implements Neutron router."
    path, single = "/v2.0/routers", "router"
    apart = ("tags", "external_gateway_info")
    properties = {
        "name": text("The name of the router.", update="in_place"),
        "external_gateway_info": mapping(
            "External network gateway configuration for a router.",
            {
                "network": names(
                    "neutron.network",
                    "ID or name of the external network for the gateway.",
                    required=True,
                    update="in_place",
                ),
                "enable_snat": flag("Enables Source NAT on the router gateway.", update="in_place"),
                "external_fixed_ips": listing(
                    "External fixed IP addresses for the gateway.",
                    {
                        "ip_address": formed("ip_addr", "External fixed IP address."),
                        "subnet": names("neutron.subnet", "Subnet of external fixed IP address."),
                    },
                    update="in_place",
                ),
            },
            update="in_place",
        ),
        "value_specs": specs(),
        "admin_state_up": flag("The administrative state of the router.", default=True, update="in_place"),
        "availability_zone_hints": listing("Availability zone candidates for the router."),
        "distributed": flag("Whether its ports are on every host that has servers behind it."),
        "tenant_id": text("The ID of the tenant which will own the router."),
        "tags": TAGS,
    }
    attributes = shown(
        {
            "status": "string",
            "external_gateway_info": "map",
            "name": "string",
            "admin_state_up": "string",
            "tenant_id": "string",
        }
    )

    def needs(self, name: str, properties: Mapping[str, Any], plan: Plan) -> Sequence[str]:
        gateway = properties.get("external_gateway_info")
        return of_network(plan, gateway.get("network")) if isinstance(gateway, Mapping) else ()

    def body(self, hand: Hand, properties: Mapping[str, Any]) -> dict[str, Any]:
        made = super().body(hand, properties)
        if "external_gateway_info" not in properties:
            return made
        gateway = properties["external_gateway_info"]
        if not gateway:
            return made
        wanted: dict[str, Any] = {"network_id": hand.lookup("neutron.network", gateway["network"])}
        if gateway.get("enable_snat") is not None:
            wanted["enable_snat"] = gateway["enable_snat"]
        if gateway.get("external_fixed_ips"):
            wanted["external_fixed_ips"] = [self._address(hand, one) for one in gateway["external_fixed_ips"]]
        return {**made, "external_gateway_info": wanted}

    def changes(self, hand: Hand, changed: Mapping[str, Any]) -> dict[str, Any]:
        gone = "external_gateway_info" in changed and not changed["external_gateway_info"]
        return {**super().changes(hand, changed), **({"external_gateway_info": {}} if gone else {})}

    def _address(self, hand: Hand, one: Mapping[str, Any]) -> dict[str, Any]:
        found = {"ip_address": one["ip_address"]} if one.get("ip_address") else {}
        return {**found, **({"subnet_id": hand.lookup("neutron.subnet", one["subnet"])} if one.get("subnet") else {})}


class RouterInterface(Kind):
    adopts = True
    compares = True
    name = "OS::Neutron::RouterInterface"
    description = "A resource for managing Neutron router interfaces."
    properties = {
        "router": names("neutron.router", "The router."),
        "router_id": names("neutron.router", "Use property router.", hidden=True),
        "subnet": names("neutron.subnet", "The subnet, either subnet or port should be specified."),
        "subnet_id": names("neutron.subnet", "Use property subnet.", hidden=True),
        "port": names("neutron.port", "The port, either subnet or port should be specified."),
        "port_id": names("neutron.port", "Use property port.", hidden=True),
    }

    def validate(self, hand: Hand, properties: Mapping[str, Any]) -> None:
        if not (properties.get("router") or properties.get("router_id")):
            raise BadRequest("Property router not assigned", type="StackValidationFailed")
        subnet = properties.get("subnet") or properties.get("subnet_id")
        port = properties.get("port") or properties.get("port_id")
        if bool(subnet) == bool(port):
            raise BadRequest("One of the properties subnet and port is needed.", type="StackValidationFailed")

    def create(self, hand: Hand) -> str | None:
        given = hand.properties
        router = hand.lookup("neutron.router", given.get("router") or given["router_id"])
        port = given.get("port") or given.get("port_id")
        if port:
            key, value = "port_id", hand.lookup("neutron.port", port)
        else:
            key, value = "subnet_id", hand.lookup("neutron.subnet", given.get("subnet") or given["subnet_id"])
        hand.call("network", "PUT", f"/v2.0/routers/{router}/add_router_interface", {key: value})
        return f"{router}:{key}={value}"

    def differences(self, hand: Hand) -> Mapping[str, Difference] | None:
        router, _, rest = str(hand.row.physical_id or "").partition(":")
        key, _, value = rest.partition("=")
        if not router or not value or key not in ("subnet_id", "port_id"):
            raise NotFound(f"{hand.row.physical_id} is no interface of a router.")
        narrow = ("fixed_ips", f"subnet_id={value}") if key == "subnet_id" else ("id", value)
        listed = hand.call("network", "GET", "/v2.0/ports", query=[("device_id", router), narrow])["ports"]
        for port in listed:
            subnets = [one["subnet_id"] for one in port["fixed_ips"]]
            legs = port["device_owner"].startswith("network:") and port["device_owner"] != "network:router_gateway"
            if legs and value in (subnets if key == "subnet_id" else [port["id"]]):
                return {}
        raise NotFound(f"The router {router} has no interface in {value}.")

    def is_well(self, hand: Hand) -> bool:
        return self.is_there(hand)

    def lets_go(self, hand: Hand) -> bool:
        """The address of the subnet's gateway. A port that is given would go with it: that stays."""
        if LET_GO not in hand.row.data and ":subnet_id=" in str(hand.row.physical_id):
            self.delete(hand)
            hand.keep(**{LET_GO: True})
        return True

    def takes_back(self, hand: Hand) -> bool:
        router, _, rest = str(hand.row.physical_id).partition(":")
        key, _, value = rest.partition("=")
        hand.call("network", "PUT", f"/v2.0/routers/{part(router)}/add_router_interface", {key: value})
        return True

    def delete(self, hand: Hand) -> None:
        router, _, rest = str(hand.row.physical_id or "").partition(":")
        key, _, value = rest.partition("=")
        if not value or LET_GO in hand.row.data:
            # It may be the other's by now, under the same id.
            return
        try:
            hand.call("network", "PUT", f"/v2.0/routers/{part(router)}/remove_router_interface", {key: value})
        except NotFound:
            return


class RouterGateway(Kind):
    adopts = True
    compares = True
    name = "OS::Neutron::RouterGateway"
    description = "Use the property external_gateway_info of OS::Neutron::Router."
    properties = {
        "router_id": names("neutron.router", "ID of the router.", required=True),
        "network": names("neutron.network", "External network for the gateway."),
        "network_id": names("neutron.network", "Use property network.", hidden=True),
    }

    def create(self, hand: Hand) -> str | None:
        given = hand.properties
        router = hand.lookup("neutron.router", given["router_id"])
        network = hand.lookup("neutron.network", given.get("network") or given.get("network_id") or "")
        body = {"router": {"external_gateway_info": {"network_id": network}}}
        hand.call("network", "PUT", f"/v2.0/routers/{router}", body)
        return f"{router}:{network}"

    def differences(self, hand: Hand) -> Mapping[str, Difference] | None:
        router, _, network = str(hand.row.physical_id or "").partition(":")
        shown = hand.call("network", "GET", f"/v2.0/routers/{part(router)}")["router"]
        if (shown.get("external_gateway_info") or {}).get("network_id") != network:
            raise NotFound(f"The router {router} has no gateway in {network}.")
        return {}

    def is_well(self, hand: Hand) -> bool:
        return self.is_there(hand)

    def lets_go(self, hand: Hand) -> bool:
        """A router has one gateway: it is noted that this was it."""
        if LET_GO not in hand.row.data:
            with contextlib.suppress(NotFound):
                self.differences(hand)
                hand.keep(**{LET_GO: True})
        return True

    def takes_back(self, hand: Hand) -> bool:
        router, _, network = str(hand.row.physical_id).partition(":")
        body = {"router": {"external_gateway_info": {"network_id": network}}}
        hand.call("network", "PUT", f"/v2.0/routers/{part(router)}", body)
        return True

    def delete(self, hand: Hand) -> None:
        router = str(hand.row.physical_id or "").partition(":")[0]
        if not router or any(str(one.physical_id).partition(":")[0] == router for one in heirs.of(hand)):
            return
        try:
            hand.call("network", "PUT", f"/v2.0/routers/{part(router)}", {"router": {"external_gateway_info": {}}})
        except NotFound:
            return
