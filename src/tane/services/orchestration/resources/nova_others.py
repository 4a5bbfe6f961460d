"""``OS::Nova::KeyPair``, ``ServerGroup`` and ``Flavor``."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tane.services.orchestration.resources.base import Failed, Served
from tane.services.orchestration.resources.comparing import Difference, same
from tane.services.orchestration.resources.declaring import flag, listing, mapping, names, number, one_of, shown, text
from tane.services.orchestration.template.constraints import AllowedValues, Length
from tane.services.orchestration.template.properties import Property
from tane.web.errors import Forbidden, NotFound

if TYPE_CHECKING:
    from tane.services.orchestration.domain.hand import Hand

MOST_KEY = 16_384
POLICIES = ("anti-affinity", "affinity", "soft-anti-affinity", "soft-affinity")


class KeyPair(Served):
    name = "OS::Nova::KeyPair"
    description = "A resource for creating Nova key pairs."
    service, path, single = "compute", "/v2.1/os-keypairs", "keypair"
    brings = ("public_key", "private_key", "user")
    properties = {
        "name": text("The name of the key pair.", Length(min=1, max=255), required=True),
        "save_private_key": flag("True if the system should remember a generated private key.", default=False),
        "public_key": text("The public key."),
        "type": one_of("Keypair type. Supported since Nova api version 2.2.", "ssh", "x509"),
        "user": names("keystone.user", "ID or name of user to whom to add key-pair."),
    }
    attributes = shown(["public_key", "private_key"])

    def create(self, hand: Hand) -> str | None:
        given = hand.properties
        body = {key: given[key] for key in ("name", "public_key", "type") if given.get(key)}
        if given.get("user"):
            body["user_id"] = hand.lookup("keystone.user", given["user"])
        made = hand.call("compute", "POST", self.path, {"keypair": body}, spoken="2.10")["keypair"]
        kept = {"private_key": made["private_key"]} if given.get("save_private_key") and "private_key" in made else {}
        # Each user has names of his own: the name says nothing without him.
        hand.keep(public_key=made["public_key"], user=body.get("user_id") or hand.ctx.user_id, **kept)
        return str(made["name"])

    def brought(self, data: Mapping[str, Any]) -> dict[str, Any]:
        keys = {name: str(data[name]) for name in ("public_key", "private_key") if name in data}
        if any(len(text) > MOST_KEY for text in keys.values()):
            raise Failed("resource_data: a key is too long.")
        return {**super().brought({name: value for name, value in data.items() if name not in keys}), **keys}

    def _call(self, hand: Hand, method: str) -> Any:
        user = hand.row.data.get("user", hand.stack.user_id)
        query = {} if user == hand.ctx.user_id else {"user_id": user}
        return hand.call("compute", method, f"{self.path}/{hand.id}", query=query, spoken="2.10")

    def show(self, hand: Hand) -> Mapping[str, Any]:
        found: dict[str, Any] = self._call(hand, "GET")["keypair"]
        return found

    def delete(self, hand: Hand) -> None:
        """That of another user stays with him where whom is acted for may not delete it."""
        if hand.row.physical_id is not None:
            with contextlib.suppress(NotFound, Forbidden):
                self._call(hand, "DELETE")

    def attribute(self, hand: Hand, name: str) -> Any:
        return self.show(hand) if name == "show" else hand.row.data.get(name, "")


class ServerGroup(Served):
    name = "OS::Nova::ServerGroup"
    description = "A resource for managing a Nova server group."
    service, path, single = "compute", "/v2.1/os-server-groups", "server_group"
    properties = {
        "name": text("Server Group name."),
        "policies": Property(
            type="list",
            schema=Property(type="string"),
            default=["anti-affinity"],
            constraints=(AllowedValues(allowed=POLICIES),),
            description="A list of string policies to apply.",
        ),
        "rules": mapping(
            "Rules for a policy.",
            {"max_server_per_host": Property(type="number", description="Maximum servers in a group on a host.")},
        ),
    }

    def create(self, hand: Hand) -> str | None:
        name = hand.properties.get("name") or hand.physical_name()
        policies = hand.properties.get("policies") or ["anti-affinity"]
        rules = {key: value for key, value in (hand.properties.get("rules") or {}).items() if value is not None}
        body: dict[str, Any] = {"name": name, "policy": policies[0], **({"rules": rules} if rules else {})}
        made = hand.call("compute", "POST", self.path, {"server_group": body}, spoken="2.64")["server_group"]
        return str(made["id"])


class Flavor(Served):
    name = "OS::Nova::Flavor"
    description = "A resource for creating OpenStack virtual hardware templates."
    service, path, single = "compute", "/v2.1/flavors", "flavor"
    apart = ("extra_specs", "tenants")
    renamed = {"flavorid": "id", "is_public": "os-flavor-access:is_public", "ephemeral": "OS-FLV-EXT-DATA:ephemeral"}
    properties = {
        "name": text("Name of the flavor."),
        "flavorid": text("Unique ID of the flavor."),
        "ram": number("Memory in MB for the flavor.", required=True),
        "vcpus": number("Number of VCPUs for the flavor.", required=True),
        "disk": number("Size of local disk in GB.", default=0),
        "swap": number("Swap space in MB.", default=0),
        "ephemeral": number("Size of a secondary ephemeral data disk in GB.", default=0),
        "rxtx_factor": Property(type="number", default=1.0, description="RX/TX factor."),
        "extra_specs": mapping("Key/Value pairs to extend the capabilities of the flavor.", update="in_place"),
        "is_public": flag("Scope of flavor accessibility.", default=True),
        "tenants": listing("List of tenants.", names("keystone.project", "A tenant."), default=[], update="in_place"),
    }
    attributes = shown({"is_public": "boolean", "extra_specs": "map"})

    def against(self, hand: Hand, shown: Mapping[str, Any]) -> dict[str, Difference]:
        # None of it is shown as zero, or as nothing.
        found = super().against(hand, {**shown, "swap": shown.get("swap") or 0})
        wanted = {key: str(value) for key, value in (hand.properties.get("extra_specs") or {}).items()}
        if wanted:
            now = hand.call("compute", "GET", f"{self.path}/{hand.id}/os-extra_specs")["extra_specs"]
            if not same(wanted, now):
                found["extra_specs"] = Difference(wanted, now)
        return found

    def create(self, hand: Hand) -> str | None:
        body = self.body(hand, hand.properties)
        body.setdefault("name", hand.physical_name())
        made = str(hand.call("compute", "POST", self.path, {"flavor": body}, spoken="2.60")["flavor"]["id"])
        self._specs(hand, made, hand.properties.get("extra_specs") or {})
        self._tenants(hand, made, [], hand.properties.get("tenants") or [])
        return made

    def change(self, hand: Hand, changed: Mapping[str, Any]) -> None:
        flavor = str(hand.row.physical_id)
        if "extra_specs" in changed:
            before = hand.row.properties.get("extra_specs") or {}
            for key in before:
                if key not in (changed["extra_specs"] or {}):
                    hand.call("compute", "DELETE", f"{self.path}/{flavor}/os-extra_specs/{key}")
            self._specs(hand, flavor, changed["extra_specs"] or {})
        if "tenants" in changed:
            self._tenants(hand, flavor, hand.row.properties.get("tenants") or [], changed["tenants"] or [])

    def _specs(self, hand: Hand, flavor: str, wanted: Mapping[str, Any]) -> None:
        if wanted:
            specs = {key: str(value) for key, value in wanted.items()}
            hand.call("compute", "POST", f"{self.path}/{flavor}/os-extra_specs", {"extra_specs": specs})

    def _tenants(self, hand: Hand, flavor: str, before: list[str], after: list[str]) -> None:
        for tenants, action in (
            (set(after) - set(before), "addTenantAccess"),
            (set(before) - set(after), "removeTenantAccess"),
        ):
            for one in sorted(tenants):
                tenant = hand.lookup("keystone.project", one)
                hand.call("compute", "POST", f"{self.path}/{flavor}/action", {action: {"tenant": tenant}})

    def attribute(self, hand: Hand, name: str) -> Any:
        found = self.show(hand)
        if name == "extra_specs":
            return hand.call("compute", "GET", f"{self.path}/{hand.id}/os-extra_specs")["extra_specs"]
        return found if name == "show" else found.get("os-flavor-access:is_public")
