"""What a server that is replaced does where compute does not take off what its successor needs."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tane.services.orchestration.domain.hand import Hand
from tane.services.orchestration.resources import handing_over
from tane.services.orchestration.resources.base import LET_GO, Failed

HELD = handing_over.Held(ports=["p1"])


class Old:
    """The server ``web`` with the port p1, which stays there whatever is asked for."""

    def __init__(self, status: str = "COMPLETE") -> None:
        self.row = SimpleNamespace(physical_id="web", status=status, data={}, declared={})
        self.stack = SimpleNamespace(traversal="monday")
        self.id = "web"
        self.asked: list[str] = []

    @property
    def hand(self) -> Hand:
        return cast(Hand, self)

    def lookup(self, kind: str, value: str) -> str:
        return value

    def keep(self, **values: Any) -> None:
        self.row.data = {**self.row.data, **values}

    def call(self, service: str, method: str, path: str, body: Any = None, *, spoken: str) -> Any:
        if method != "GET":
            self.asked.append(f"{method} {path.removeprefix('/v2.1/servers/')}")
        port = {"port_id": "p1", "fixed_ips": []}
        return {"server": {"status": "ACTIVE"}, "interfaceAttachments": [port], "volumeAttachments": []}


@pytest.fixture(autouse=True)
def idle(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The job that was to take it off is over."""
    monkeypatch.setattr(handing_over, "_is_busy", lambda hand: False)
    yield


def test_a_port_that_stays_is_told_and_asked_for_again_by_the_next_action() -> None:
    old = Old()
    assert not handing_over.server_lets_go(old.hand, HELD)
    assert old.asked == ["DELETE web/os-interface/p1"]
    with pytest.raises(Failed, match="did not let go: port p1"):
        handing_over.server_lets_go(old.hand, HELD)
    old.stack.traversal = "tuesday"
    assert not handing_over.server_lets_go(old.hand, HELD)
    assert old.asked == ["DELETE web/os-interface/p1"] * 2


def test_a_server_that_is_unwell_and_lets_nothing_go_is_deleted() -> None:
    old = Old("FAILED")
    for _ in range(2):
        assert not handing_over.server_lets_go(old.hand, HELD)
    assert old.asked == ["DELETE web/os-interface/p1", "DELETE web"]
    with pytest.raises(Failed, match="did not let go"):
        handing_over.server_lets_go(old.hand, HELD)


def test_one_that_is_well_gives_up_nothing_that_the_template_does_not_name() -> None:
    old = Old()
    assert handing_over.server_lets_go(old.hand, handing_over.Held())
    assert old.asked == [] and LET_GO not in old.row.data
