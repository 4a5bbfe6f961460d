"""Whose name a client writes into ``Host`` or ``X-Forwarded-*`` comes back in no link, but for the cloud's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tane.config import Config, ConfigError
from tane.web.addresses import Addresses
from tests.support import ApiCloud

EVIL = (
    "evil.test",
    "evil.test:80",
    "EVIL.TEST",
    "cloud.test.evil.test",
    "evil.test#cloud.test",
    "cloud.test@evil.test",
    "user:evil@cloud.test",
    "cloud.test:8443evil",
    "cloud.test:65536evil",
    "cloud.test/evil",
    "cloud.test?evil",
    "cloud.test evil.test",
    "cloud.test, evil.test",
    "cloud.test\tevil",
    '"><script>evil</script>',
    "[::1%evil]",
    "[evil]",
    "",
)
ANSWERED = (
    ("GET", "/identity/"),
    ("GET", "/identity/v3"),
    ("GET", "/identity/v3/projects"),
    ("GET", "/identity/v3/nothing"),
    ("GET", "/compute/"),
    ("GET", "/compute/v2.1/"),
    ("GET", "/compute/v2.1/flavors/detail"),
    ("GET", "/compute/v2.1/servers?limit=1"),
    ("GET", "/image/"),
    ("GET", "/network/"),
    ("GET", "/network/v2.0/"),
    ("GET", "/network/v2.0/networks?limit=1"),
    ("GET", "/volume/"),
    ("GET", "/volume/v3/"),
)
FORWARDED = ("X-Forwarded-Host", "X-Forwarded-Server", "X-Forwarded-Port", "X-Forwarded-Prefix", "X-Original-Host")


def _tells_evil(cloud: ApiCloud, headers: dict[str, str]) -> list[str]:
    token = cloud.admin.token
    found = []
    for method, path in ANSWERED:
        answer = cloud.call(method, path, headers={"X-Auth-Token": token, **headers})
        assert answer.status_code < 500, (path, answer.text)
        if "evil" in (answer.text + str(answer.headers)).lower():
            found.append(f"{path}: {answer.text}")
    return found


def test_no_answer_repeats_the_host_of_a_stranger(cloud: ApiCloud) -> None:
    for host in EVIL:
        assert _tells_evil(cloud, {"Host": host}) == [], host


def test_no_answer_repeats_what_a_stranger_says_was_forwarded(cloud: ApiCloud) -> None:
    everything = dict.fromkeys(FORWARDED, "evil.test") | {
        "Forwarded": "for=192.0.2.1;host=evil.test;proto=evil",
        "X-Forwarded-Proto": "evil",
        "X-Forwarded-For": "evil",
    }
    assert _tells_evil(cloud, everything) == []


def test_links_of_a_resource_are_the_clouds(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    [flavor] = mia.get("/compute/v2.1/flavors?limit=1").json()["flavors"][:1] or [None]
    if flavor is None:
        body: dict[str, Any] = {"flavor": {"name": "small", "ram": 64, "vcpus": 1, "disk": 0}}
        flavor = cloud.admin.post("/compute/v2.1/flavors", body, 200).json()["flavor"]
    headers = {"Host": "evil.test", "X-Forwarded-Host": "evil.test"}
    answer = mia.request("GET", f"/compute/v2.1/flavors/{flavor['id']}", headers=headers, expect=200)
    assert "evil" not in answer.text
    assert "http://127.0.0.1:8770/" in answer.text


def addresses(**settings: Any) -> Addresses:
    return Addresses(Config(state_dir=Path("none"), **settings))


def scope(server: str = "127.0.0.1", port: int = 8770, client: str = "192.0.2.1") -> dict[str, Any]:
    return {"scheme": "http", "server": (server, port), "client": (client, 4711)}


OURS = (
    ({}, "127.0.0.1:8770", scope(), "http://127.0.0.1:8770"),
    ({}, "localhost:8770", scope(), "http://localhost:8770"),
    ({}, "LOCALHOST:8770", scope(), "http://localhost:8770"),
    ({"host": "0.0.0.0"}, "198.51.100.7:8770", scope("198.51.100.7"), "http://198.51.100.7:8770"),
    ({"host": "::"}, "[2001:db8::1]:8770", scope("2001:db8::1"), "http://[2001:db8::1]:8770"),
    ({"server_names": ("cloud.example.org",)}, "cloud.example.org:8770", scope(), "http://cloud.example.org:8770"),
    ({"server_names": ("cloud.example.org:80",)}, "cloud.example.org", scope(), "http://cloud.example.org"),
    ({"public_url": "https://c.example.org/"}, "evil.test", scope(), "https://c.example.org"),
)
NOT_OURS = (
    ({}, "127.0.0.1:9999", scope(), "http://127.0.0.1:8770"),
    ({}, "localhost:8770", scope("198.51.100.7"), "http://127.0.0.1:8770"),
    ({"host": "0.0.0.0"}, "evil.test:8770", scope("198.51.100.7"), "http://198.51.100.7:8770"),
    ({"host": "::"}, "evil.test", scope("2001:db8::1"), "http://[2001:db8::1]:8770"),
    ({"server_names": ("cloud.example.org",)}, "cloud.example.org:9", scope(), "http://127.0.0.1:8770"),
    ({}, "127.0.0.1:8770\nX: y", scope(), "http://127.0.0.1:8770"),
    ({}, "127.0.0.1:8770\n", scope(), "http://127.0.0.1:8770"),
)


@pytest.mark.parametrize(("settings", "host", "where", "expected"), OURS + NOT_OURS)
def test_links_begin_with_an_address_of_the_cloud(
    settings: dict[str, Any], host: str, where: dict[str, Any], expected: str
) -> None:
    assert addresses(**settings).base(where, {"host": host}) == expected


def test_only_a_proxy_that_is_trusted_says_what_the_client_asked_for() -> None:
    trusting = addresses(trusted_proxies=("192.0.2.0/24",))
    said = {"host": "127.0.0.1:8770", "x-forwarded-host": "cloud.example.org", "x-forwarded-proto": "https"}
    assert trusting.base(scope(), said) == "https://cloud.example.org"
    assert trusting.base(scope(client="203.0.113.1"), said) == "http://127.0.0.1:8770"
    # It may pass on what a client sent: a name with more in it than a name has.
    for host in ("user@evil.test", "evil.test/x", "evil.test\r\nX: y", "evil test"):
        assert trusting.base(scope(), {**said, "x-forwarded-host": host}) == "https://127.0.0.1:8770"
    assert trusting.base(scope(), {**said, "x-forwarded-proto": "javascript"}) == "http://cloud.example.org"


@pytest.mark.parametrize("network", ["fe80::1%eth0", "192.0.2.0/24\n", "proxy.example.org", "192.0.2.0/255.255.255.0"])
def test_a_proxy_is_named_by_its_network(network: str) -> None:
    with pytest.raises(ConfigError, match="trusted_proxies"):
        addresses(trusted_proxies=(network,))


@pytest.mark.parametrize(
    ("said", "client", "expected"),
    [
        ("203.0.113.9", "192.0.2.1", "203.0.113.9"),
        ("198.51.100.1, 203.0.113.9", "192.0.2.1", "203.0.113.9"),
        ("203.0.113.9, 192.0.2.2", "192.0.2.1", "203.0.113.9"),
        ("evil", "192.0.2.1", "192.0.2.1"),
        ("fe80::1%evil", "192.0.2.1", "192.0.2.1"),
        ("203.0.113.9", "198.51.100.1", "198.51.100.1"),
    ],
)
def test_a_client_does_not_say_where_it_comes_from(said: str, client: str, expected: str) -> None:
    trusting = addresses(trusted_proxies=("192.0.2.0/24",))
    assert trusting.client(scope(client=client), {"x-forwarded-for": said}) == expected
