"""Which ranges a machine says it reaches, in a namespace of the test's own."""

from __future__ import annotations

import subprocess
import uuid
from collections.abc import Iterator

import pytest

from tane.linux import netns, ranges

pytestmark = pytest.mark.root


@pytest.fixture
def name() -> Iterator[str]:
    unique = f"t{uuid.uuid4().hex[:10]}"
    netns.create(unique)
    yield unique
    netns.remove(unique)


def ip(name: str, *words: str) -> None:
    subprocess.run(["ip", "-n", name, *words], check=True, timeout=10)


def test_interfaces_and_routes_are_told_and_the_clouds_own_legs_are_not(name: str) -> None:
    for link, address in (("lan0", "192.0.2.7/25"), ("tx-abc123-1", "198.18.5.1/24"), ("tx-other-1", "198.18.6.1/24")):
        ip(name, "link", "add", link, "type", "bridge")
        ip(name, "link", "set", link, "up")
        ip(name, "addr", "add", address, "dev", link)
    ip(name, "link", "set", "lo", "up")
    ip(name, "addr", "add", "2001:db8:9::1/64", "dev", "lan0")
    ip(name, "route", "add", "10.20.0.0/16", "via", "192.0.2.1")
    ip(name, "route", "add", "default", "via", "192.0.2.1")
    with netns.entered(name):
        told = ranges.reached("tx-abc123-")
    assert [(found.cidr, found.interface) for found in told] == [
        ("10.20.0.0/16", "lan0"),
        ("192.0.2.0/25", "lan0"),
        ("198.18.6.0/24", "tx-other-1"),
        ("2001:db8:9::/64", "lan0"),
    ]
