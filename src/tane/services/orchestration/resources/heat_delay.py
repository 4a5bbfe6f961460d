"""``OS::Heat::Delay``: some time between two resources."""

from __future__ import annotations

import random
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from tane.services.orchestration.domain.common import LONGEST_MINUTES
from tane.services.orchestration.resources.base import SHOW, Kind, Wait
from tane.services.orchestration.template.constraints import AllowedValues, Range
from tane.services.orchestration.template.properties import Property

if TYPE_CHECKING:
    from tane.services.orchestration.domain.hand import Hand

ACTIONS = ("CREATE", "DELETE", "SUSPEND", "RESUME")


class Delay(Kind):
    adopts = True
    name = "OS::Heat::Delay"
    description = "A resource that pauses for a configurable delay."
    properties = {
        "min_wait": Property(
            type="number",
            default=0,
            constraints=(Range(min=0),),
            update="in_place",
            description="Minimum seconds to wait.",
        ),
        "max_jitter": Property(
            type="number",
            default=0,
            constraints=(Range(min=0),),
            update="in_place",
            description="Maximum seconds added.",
        ),
        "jitter_multiplier": Property(
            type="number",
            default=1.0,
            constraints=(Range(min=0),),
            update="in_place",
            description="Seconds of one unit of jitter.",
        ),
        "actions": Property(
            type="list",
            default=["CREATE"],
            constraints=(AllowedValues(allowed=ACTIONS),),
            update="in_place",
            description="Actions during which the delay will occur.",
        ),
    }
    attributes = {
        "show": SHOW,
    }

    def create(self, hand: Hand) -> str | None:
        self._begin(hand, "CREATE")
        return hand.short_name()

    def _begin(self, hand: Hand, action: str) -> None:
        seconds = 0.0
        if action in hand.row.properties.get("actions", ()):
            jitter = float(hand.row.properties["max_jitter"]) * float(hand.row.properties["jitter_multiplier"])
            seconds = float(hand.row.properties["min_wait"]) + random.uniform(0, jitter)
        hand.keep(
            action=action, until=(hand.tx.now + timedelta(minutes=min(seconds / 60, LONGEST_MINUTES))).isoformat()
        )

    def _over(self, hand: Hand) -> bool:
        return datetime.fromisoformat(hand.row.data["until"]) <= hand.tx.now

    def ready(self, hand: Hand) -> bool:
        return self._over(hand)

    def waits(self, hand: Hand) -> Wait:
        return Wait(max(0.01, (datetime.fromisoformat(hand.row.data["until"]) - hand.tx.now).total_seconds()))

    def change(self, hand: Hand, changed: Mapping[str, Any]) -> None:
        """It holds from the next action on."""

    def delete(self, hand: Hand) -> None:
        if hand.row.data.get("action") != "DELETE" and "min_wait" in hand.row.properties:
            self._begin(hand, "DELETE")

    def gone(self, hand: Hand) -> bool:
        return hand.row.data.get("action") != "DELETE" or self._over(hand)

    def suspend(self, hand: Hand) -> None:
        self._begin(hand, "SUSPEND")

    def resume(self, hand: Hand) -> None:
        self._begin(hand, "RESUME")

    def turned(self, hand: Hand, action: str) -> bool:
        return self._over(hand)

    def attribute(self, hand: Hand, name: str) -> Any:
        return {}
