"""``OS::Neutron::SecurityGroup`` and ``SecurityGroupRule``."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tane.services.orchestration.resources.base import LET_GO
from tane.services.orchestration.resources.comparing import Difference, same
from tane.services.orchestration.resources.declaring import flag, formed, listing, names, number, one_of, shown, text
from tane.services.orchestration.resources.neutron import Neutron
from tane.services.orchestration.template.constraints import AllowedValues
from tane.services.orchestration.template.properties import Property
from tane.web.inside import part

if TYPE_CHECKING:
    from tane.services.orchestration.domain.hand import Hand

RULE = {
    "direction": one_of(
        "The direction in which the security group rule is applied.", "ingress", "egress", default="ingress"
    ),
    "ethertype": one_of("Ethertype of the traffic.", "IPv4", "IPv6", default="IPv4"),
    "port_range_min": number("The minimum port number in the range.", low=0, high=65535),
    "port_range_max": number("The maximum port number in the range.", low=0, high=65535),
    "protocol": text("The protocol that is matched by the security group rule."),
    "remote_mode": Property(
        type="string",
        default="remote_ip_prefix",
        constraints=(AllowedValues(allowed=("remote_ip_prefix", "remote_group_id")),),
        description="Whether to specify a remote group or a remote IP prefix.",
    ),
    "description": text("Description of the security group rule."),
    "remote_group_id": names(
        "neutron.security_group", "The remote group ID to be associated with this security group rule."
    ),
    "remote_ip_prefix": formed(
        "net_cidr", "The remote IP prefix (CIDR) to be associated with this security group rule."
    ),
}


FIRST = ({"direction": "egress", "ethertype": "IPv4"}, {"direction": "egress", "ethertype": "IPv6"})
"""The rules that a group begins with, and has unless its own are about what goes out."""


def is_first(rule: Mapping[str, Any]) -> bool:
    """Whether it is a rule that a group begins with."""
    narrowed = any(rule.get(key) for key in ("protocol", "remote_ip_prefix", "remote_group_id"))
    return rule["direction"] == "egress" and not narrowed


class SecurityGroup(Neutron):
    name = "OS::Neutron::SecurityGroup"
    description = "A resource for managing Neutron security groups."
    path, single = "/v2.0/security-groups", "security_group"
    apart = ("rules", "tags")
    properties = {
        "name": text("A string specifying a symbolic name for the security group.", update="in_place"),
        "description": text("Description of the security group.", update="in_place"),
        "stateful": flag("Whether answers to what is let through are let through, too.", update="in_place"),
        "rules": listing("List of security group rules.", RULE, default=[], update="in_place"),
    }
    attributes = shown(["show"])
    empty = {"stateful": True}

    def create(self, hand: Hand) -> str | None:
        made = str(super().create(hand))
        self._rules(hand, made, hand.properties.get("rules") or [])
        return made

    def _rules(self, hand: Hand, group: str, rules: list[Any]) -> None:
        """Rules of one's own for what goes out take the place of those that let everything out."""
        if any(rule["direction"] == "egress" for rule in rules):
            shown = hand.call("network", "GET", f"{self.path}/{part(group)}")["security_group"]["security_group_rules"]
            for rule in shown:
                if rule["direction"] == "egress":
                    hand.call("network", "DELETE", f"/v2.0/security-group-rules/{rule['id']}")
        for rule in rules:
            body = {key: value for key, value in rule.items() if value is not None and key != "remote_mode"}
            if rule.get("remote_mode") == "remote_group_id":
                wanted = rule.get("remote_group_id")
                body["remote_group_id"] = hand.lookup("neutron.security_group", wanted) if wanted else group
                body.pop("remote_ip_prefix", None)
            else:
                body.pop("remote_group_id", None)
            self._add(hand, group, body)

    def _add(self, hand: Hand, group: str, rule: Mapping[str, Any]) -> None:
        body = {"security_group_rule": {**rule, "security_group_id": group}}
        hand.call("network", "POST", "/v2.0/security-group-rules", body)

    def against(self, hand: Hand, shown: Mapping[str, Any]) -> dict[str, Difference]:
        found = super().against(hand, shown)
        wanted = [self._shown(hand, rule) for rule in hand.properties.get("rules") or []]
        own = any(rule["direction"] == "egress" for rule in wanted)
        now = [
            {key: rule.get(key) for key in RULE if key != "remote_mode"}
            for rule in shown["security_group_rules"]
            if own or not is_first(rule)
        ]
        first = [rule["ethertype"] for rule in shown["security_group_rules"] if is_first(rule)]
        lost = [] if own else [rule for rule in FIRST if rule["ethertype"] not in first]
        if lost or not same(wanted, now):
            # An empty list would be what the template may say.
            found["rules"] = Difference([*wanted, *lost], now or None)
        return found

    def _shown(self, hand: Hand, rule: Mapping[str, Any]) -> dict[str, Any]:
        """A rule of the template as the service shows it."""
        made = {key: value for key, value in rule.items() if value is not None and key != "remote_mode"}
        if rule.get("remote_mode") == "remote_group_id":
            made.pop("remote_ip_prefix", None)
            group = rule.get("remote_group_id")
            made["remote_group_id"] = hand.lookup("neutron.security_group", group) if group else hand.row.physical_id
        else:
            made.pop("remote_group_id", None)
        return _as_kept(made)

    def change(self, hand: Hand, changed: Mapping[str, Any]) -> None:
        super().change(hand, changed)
        if "rules" not in changed:
            return
        there = set()
        for rule in self.show(hand)["security_group_rules"]:
            # What a group begins with stays where no rule takes its place.
            if is_first(rule):
                there.add(rule["ethertype"])
            else:
                hand.call("network", "DELETE", f"/v2.0/security-group-rules/{rule['id']}")
        rules = changed["rules"] or []
        own = any(rule["direction"] == "egress" for rule in rules)
        again = [] if own else [rule for rule in FIRST if rule["ethertype"] not in there]
        self._rules(hand, str(hand.row.physical_id), rules)
        for rule in again:
            self._add(hand, str(hand.row.physical_id), rule)


def _as_kept(rule: Mapping[str, Any]) -> dict[str, Any]:
    """A rule whose protocol is written as its service does: in small letters, and none for any."""
    protocol = str(rule.get("protocol") or "any").lower()
    return {**rule, "protocol": None if protocol == "any" else protocol}


class SecurityGroupRule(Neutron):
    name = "OS::Neutron::SecurityGroupRule"
    description = "A resource for managing Neutron security group rules."
    path, single = "/v2.0/security-group-rules", "security_group_rule"
    named = False
    apart = ("tags",)
    renamed = {"security_group": "security_group_id", "remote_group": "remote_group_id"}
    links = {"security_group": "neutron.security_group", "remote_group": "neutron.security_group"}
    properties = {
        "security_group": names("neutron.security_group", "Security group name or ID to add rule.", required=True),
        "description": text("Description of the security group rule."),
        "direction": RULE["direction"],
        "ethertype": RULE["ethertype"],
        "remote_group": names("neutron.security_group", "The remote group name or ID of this security group rule."),
        "protocol": text("The protocol that is matched by the security group rule.", default="tcp"),
        "port_range_min": RULE["port_range_min"],
        "port_range_max": RULE["port_range_max"],
        "remote_ip_prefix": RULE["remote_ip_prefix"],
    }

    def against(self, hand: Hand, shown: Mapping[str, Any]) -> dict[str, Difference]:
        found = super().against(hand, shown)
        if "protocol" in found and _as_kept(hand.properties)["protocol"] == shown["protocol"]:
            del found["protocol"]
        return found

    def lets_go(self, hand: Hand) -> bool:
        """A group has a rule once."""
        if LET_GO not in hand.row.data:
            self.delete(hand)
            hand.keep(**{LET_GO: True})
        return True

    def takes_back(self, hand: Hand) -> bool:
        hand.change(physical_id=self.create(dataclasses.replace(hand, properties=hand.row.properties)))
        return True
