"""``OS::Heat::DeployedServer``: a machine that somebody else made, which does what is deployed to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tane.services.orchestration.resources import guest_data
from tane.services.orchestration.resources.base import Kind
from tane.services.orchestration.resources.declaring import mapping, one_of, shown, text

if TYPE_CHECKING:
    from tane.services.orchestration.domain.hand import Hand


class DeployedServer(Kind):
    name = "OS::Heat::DeployedServer"
    description = "A resource for managing servers that are already deployed."
    properties = {
        "name": text("Server name.", update="in_place"),
        "metadata": mapping("Not used, as in Heat.", update="in_place"),
        "software_config_transport": one_of(
            "How the server should receive the metadata required for software configuration.",
            *guest_data.TRANSPORTS,
            default=guest_data.CFN,
            update="in_place",
        ),
        "deployment_swift_data": guest_data.SWIFT,
    }
    attributes = shown({"name": "string", "os_collect_config": "map", "show": "map"})

    def validate(self, hand: Hand, properties: Mapping[str, Any]) -> None:
        guest_data.check(properties)

    def create(self, hand: Hand) -> str | None:
        guest_data.introduce(hand)
        return str(hand.row.id)

    def change(self, hand: Hand, changed: Mapping[str, Any]) -> None:
        if "software_config_transport" in changed:
            guest_data.introduce(hand)

    def metadata(self, hand: Hand) -> Mapping[str, Any]:
        return guest_data.told(hand, {**hand.row.properties, "user_data_format": guest_data.SOFTWARE}, ())

    def attribute(self, hand: Hand, name: str) -> Any:
        return {
            "name": hand.properties.get("name") or hand.physical_name(),
            "os_collect_config": self.metadata(hand).get("os-collect-config", {}),
        }.get(name, {})
