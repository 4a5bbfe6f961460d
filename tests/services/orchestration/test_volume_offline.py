"""What a restore of a volume does where its services give up."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from tane.services.orchestration.domain.hand import Hand
from tane.services.orchestration.resources import volume_offline
from tane.services.orchestration.resources.base import Failed


def test_a_volume_that_compute_did_not_take_off_is_told_and_not_waited_for() -> None:
    """The job that was to take it off is over, and the volume is where it was."""
    todo = {"backup": "monday", "step": "detach", "server": "web", "device": "/dev/vdb"}
    asked: list[str] = []

    def call(service: str, method: str, path: str) -> Any:
        asked.append(f"{method} {path}")
        return {"server": {"OS-EXT-STS:task_state": None}}

    hand = cast(Hand, SimpleNamespace(row=SimpleNamespace(data={"restore": todo}), call=call))
    shown = {"status": "in-use", "attachments": [{"server_id": "web", "device": "/dev/vdb"}]}
    with pytest.raises(Failed, match="could not be taken off the server web"):
        volume_offline.goes_on(hand, shown)
    assert asked == ["GET /v2.1/servers/web"]
