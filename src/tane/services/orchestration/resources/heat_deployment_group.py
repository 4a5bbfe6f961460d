"""``OS::Heat::SoftwareDeploymentGroup`` and its twins: one configuration on many servers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from tane.services.orchestration.resources.declaring import mapping, shown
from tane.services.orchestration.resources.heat_resource_group import VERSION, check_size
from tane.services.orchestration.resources.heat_software import SoftwareDeployment, StructuredDeployment
from tane.services.orchestration.resources.nested import OfStack, inner_environment

if TYPE_CHECKING:
    from tane.services.orchestration.domain.hand import Hand
    from tane.services.orchestration.domain.plans import Source

SERVERS = mapping("A map of names and server IDs to apply configuration to.", update="in_place", required=True)


class Group(OfStack):
    """Of ``member`` on each of the servers."""

    member: ClassVar[type[SoftwareDeployment]] = SoftwareDeployment
    properties = {
        **{name: one for name, one in SoftwareDeployment.properties.items() if name != "server"},
        "servers": SERVERS,
    }
    attributes = shown({"deploy_stdouts": "map", "deploy_stderrs": "map", "deploy_status_codes": "map"})

    def source(self, hand: Hand) -> Source:
        from tane.services.orchestration.domain import nested

        given = {key: value for key, value in hand.properties.items() if key != "servers" and value is not None}
        check_size(given, len(hand.properties.get("servers") or ()))
        resources = {
            str(name): {"type": self.member.name, "properties": {**given, "server": server}}
            for name, server in dict(hand.properties.get("servers") or {}).items()
            if server is not None
        }
        files = hand.plan.files if hand.plan else {}
        template = {"heat_template_version": VERSION, "resources": resources}
        return nested.source_of(template, files, inner_environment(hand), {})

    def knows(self, attribute: str) -> bool:
        return True

    def attribute_at(self, hand: Hand, name: str, path: Sequence[Any]) -> Any:
        inner = name.removesuffix("s") if name in self.attributes else name
        servers: Mapping[str, Any] = hand.row.properties.get("servers") or {}
        return {one: self.inner_attribute(hand, one, inner) for one in servers}

    def attribute(self, hand: Hand, name: str) -> Any:
        return self.attribute_at(hand, name, ())


class SoftwareDeploymentGroup(Group):
    name = "OS::Heat::SoftwareDeploymentGroup"
    description = "This resource associates a group of servers with some configuration."
    hidden = False


class SoftwareDeployments(Group):
    name = "OS::Heat::SoftwareDeployments"
    description = "The old name of OS::Heat::SoftwareDeploymentGroup."
    hidden = False


class StructuredDeploymentGroup(Group):
    name = "OS::Heat::StructuredDeploymentGroup"
    description = "This resource associates a group of servers with some configuration, of a map."
    hidden = False
    member = StructuredDeployment
    properties = {
        **{name: one for name, one in StructuredDeployment.properties.items() if name != "server"},
        "servers": SERVERS,
    }


class StructuredDeployments(StructuredDeploymentGroup):
    name = "OS::Heat::StructuredDeployments"
    description = "The old name of OS::Heat::StructuredDeploymentGroup."
