"""``OS::Heat::None``: whatever it is asked, it is there and is nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tane.services.orchestration.resources.base import Kind

if TYPE_CHECKING:
    from tane.services.orchestration.domain.hand import Hand


class Nothing(Kind):
    adopts = True
    name = "OS::Heat::None"
    description = "Enables easily disabling certain resources via the resource_registry."
    anything = True

    def knows(self, attribute: str) -> bool:
        return True

    def attribute(self, hand: Hand, name: str) -> Any:
        return None

    def change(self, hand: Hand, changed: Mapping[str, Any]) -> None:
        """Nothing is changed."""
