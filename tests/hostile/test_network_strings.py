"""Strings that would be something else to dnsmasq, nftables or the kernel never get as far as a host's document."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import msgspec
import pytest

from tane.services.network.routes import ROUTES
from tane.wire.documents import NetworkState
from tane.wire.grammar import checked
from tests.api.network_support import V2, Net, first_host, public, reconcile
from tests.support import EACH_THIRD_BY_DAY, ApiCloud

MARK = "qzq"
"""Stands in every word of an attacker, so that it is found wherever it comes out."""
WORDS = (
    f"{MARK}\nconf-script=/tmp/{MARK}",
    f"{MARK}\r\n{MARK}",
    f"{MARK}\n",
    f"{MARK}\x0b{MARK}",
    f"{MARK}\x85{MARK}",
    f"{MARK}\u2028{MARK}",
    f"{MARK}\x00{MARK}",
    f"{MARK},{MARK}",
    f"{MARK}#{MARK}",
    f"{MARK};flush ruleset",
    f'{MARK}" }} {MARK}',
    f"{MARK} {MARK}",
    f"{MARK}=/{MARK}/",
    f"$({MARK})",
    f"../{MARK}",
    f"{MARK}{{{MARK}}}",
    f"%{MARK}",
    f"-{MARK}",
    f"{MARK}-",
    f"{MARK}..{MARK}",
    MARK * 30,
)
ADDRESSES = ("10.0.0.9", "fe80::9", "10.0.0.0/24", "fd00::/64", "::ffff:10.0.0.9")


def spellings(address: str) -> Iterator[str]:
    """What the standard library reads as this address, or nearly, and no program of a host should."""
    bare, slash, length = address.partition("/")
    for zone in ("%1", "%eth0", f"%{MARK}", "%\n", "% ", "%0/0", "%25lo", f'%"}} {MARK}'):
        yield f"{bare}{zone}{slash}{length}"
    for before, after in ((" ", ""), ("", " "), ("\t", ""), ("", "\n"), ("\n", ""), ("", "\r\n"), ("", "\x00")):
        yield f"{before}{address}{after}"
    yield from (
        f"{address},{address}",
        f"{address}-{address}",
        f"{address};",
        f'"{address}"',
        f"[{bare}]{slash}{length}",
    )
    yield from (f"{bare}/ 24", f"{bare}/+24", f"{bare}/\n24", f"{bare}/0x18", f"{bare}/24/24", f"{bare}/255.255.255.0")
    yield bare.replace("0", "\u0660") + slash + length
    yield bare.replace("1", "01", 1) + slash + length + " "


TEXTS = (*WORDS, *(text for address in ADDRESSES for text in spellings(address)))


def everything(net: Net, outside: str) -> dict[str, Any]:
    """One resource of each kind, bound to a host where hosts are told of such, and a valid body for each."""
    subnet = net.subnet("10.0.0.0/24")
    network_id = subnet["network_id"]
    router = net.make("router", name="r", external_gateway_info={"network_id": outside})
    net.attach(router["id"], subnet["id"])
    group = net.make("security_group", name="g")
    port = net.make("port", network_id=network_id, security_groups=[group["id"]], **{"binding:host_id": "host-1"})
    net.make("floatingip", floating_network_id=outside, port_id=port["id"])
    other = net.make("port", network_id=network_id)
    route = {"destination": "10.9.0.0/24", "nexthop": "10.0.0.7"}
    pool = {"start": "10.0.0.20", "end": "10.0.0.30"}
    pair = {"ip_address": "10.0.0.99", "mac_address": "fa:16:3e:00:00:99"}
    return {
        f"networks/{network_id}": {"network": {"dns_domain": "example.org.", "name": "n", "description": "d"}},
        f"subnets/{subnet['id']}": {
            "subnet": {
                "name": "s",
                "gateway_ip": "10.0.0.1",
                "dns_nameservers": ["192.0.2.53"],
                "host_routes": [route],
                "allocation_pools": [pool],
            }
        },
        f"ports/{port['id']}": {
            "port": {
                "name": "p",
                "dns_name": "web",
                "mac_address": port["mac_address"],
                "fixed_ips": [{"ip_address": "10.0.0.77"}],
                "allowed_address_pairs": [pair],
                "device_owner": "x:y",
                "device_id": "d",
            }
        },
        f"routers/{router['id']}": {"router": {"name": "r", "routes": [route]}},
        "networks": {"network": {"name": "n", "dns_domain": "example.org."}},
        "subnets": {
            "subnet": {
                "network_id": network_id,
                "ip_version": 4,
                "cidr": "10.5.0.0/24",
                "gateway_ip": "10.5.0.1",
                "dns_nameservers": ["192.0.2.53"],
                "host_routes": [route],
                "allocation_pools": [{"start": "10.5.0.20", "end": "10.5.0.30"}],
            }
        },
        "ports": {
            "port": {
                "network_id": network_id,
                "binding:host_id": "host-1",
                "dns_name": "web",
                "mac_address": "fa:16:3e:00:00:98",
                "fixed_ips": [{"ip_address": "10.0.0.78"}],
                "allowed_address_pairs": [pair],
            }
        },
        "security-group-rules": {
            "security_group_rule": {
                "security_group_id": group["id"],
                "direction": "ingress",
                "ethertype": "IPv4",
                "protocol": "tcp",
                "port_range_min": "80",
                "port_range_max": "80",
                "remote_ip_prefix": "10.0.0.0/8",
            }
        },
        "floatingips": {
            "floatingip": {
                "floating_network_id": outside,
                "floating_ip_address": "203.0.113.99",
                "port_id": other["id"],
                "fixed_ip_address": other["fixed_ips"][0]["ip_address"],
            }
        },
    }


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, str):
        yield path
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from leaves(inner, (*path, key))


def spoilt(body: Any, path: tuple[Any, ...], text: str) -> Any:
    copy = msgspec.json.decode(msgspec.json.encode(body))
    holder = copy
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = text
    return copy


def send(cloud: ApiCloud, path: str, body: Any, expect: int | None = None) -> httpx.Response:
    """What is made is deleted at once: it must not stand in the way of what comes next."""
    answer = cloud.admin.request("PUT" if "/" in path else "POST", f"{V2}/{path}", json=body, expect=expect)
    if answer.status_code == 201:
        [made] = answer.json().values()
        cloud.admin.delete(f"{V2}/{path}/{made['id']}", 204)
    return answer


KINDS = (
    "networks",
    "subnets",
    "ports",
    "routers/",
    "networks/",
    "subnets/",
    "ports/",
    "security-group-rules",
    "floatingips",
)


@EACH_THIRD_BY_DAY
@pytest.mark.parametrize("kind", KINDS)
def test_no_string_of_a_body_reaches_a_host_in_a_form_that_is_more_than_its_type(
    cloud: ApiCloud, kind: str, every: int
) -> None:
    admin = Net(cloud.admin)
    outside = public(cloud)
    cloud.admin.put(f"{V2}/quotas/{cloud.admin.project_id}", {"quota": dict.fromkeys(QUOTAS, -1)}, 200)
    bodies = everything(admin, outside)
    [(path, body)] = [
        item for item in bodies.items() if item[0] == kind or (kind.endswith("/") and item[0].startswith(kind))
    ]
    send(cloud, path, body, 200 if "/" in path else 201)
    refused = 0
    for number, place in enumerate(leaves(body)):
        # Each place another third of the texts, where not all are tried.
        for text in TEXTS[number % every :: every]:
            answer = send(cloud, path, spoilt(body, place, text))
            told = (place, text, answer.text)
            assert answer.status_code in (200, 201, 400, 403, 404), told
            refused += answer.status_code >= 400
            if answer.status_code < 300:
                assert place[-1] in FREE or MARK not in text, told
                assert place[-1] not in ADDRESSED, told
    assert refused > 50 / every
    reconcile(cloud)
    state = first_host(cloud).state
    assert isinstance(state, NetworkState)
    assert checked(state) == state
    sent = msgspec.json.encode(state).decode()
    assert MARK not in sent, sent


QUOTAS = ("network", "subnet", "port", "router", "floatingip", "security_group", "security_group_rule")
FREE = ("name", "description", "device_id", "device_owner", "binding:host_id")
"""Text for people, which no host is told (a host's name is looked for among those there are)."""
ADDRESSED = (
    "gateway_ip",
    "destination",
    "nexthop",
    "start",
    "end",
    "ip_address",
    "mac_address",
    "cidr",
    "remote_ip_prefix",
    "floating_ip_address",
    "fixed_ip_address",
)


@pytest.mark.parametrize("text", [*WORDS, "example\n.org.", "a." * 200, "-a.org.", "a_b!.org.", "exa mple.org."])
def test_a_domain_that_is_none_is_refused_in_neutrons_words(cloud: ApiCloud, text: str) -> None:
    mia = Net(cloud.new_user("mia", "garden"))
    network = mia.make("network", name="lan")
    for error in (
        mia.make("network", 400, name="x", dns_domain=text),
        mia.change("network", network["id"], 400, dns_domain=text),
        mia.make("port", 400, network_id=network["id"], dns_name=text),
    ):
        assert "not a valid PQDN or FQDN" in error["message"] or "NUL" in error["message"] or "255" in error["message"]


def test_domains_are_still_taken(cloud: ApiCloud) -> None:
    mia = Net(cloud.new_user("mia", "garden"))
    for domain in ("", "example.org.", "my-cloud.local."):
        assert mia.make("network", name="x", dns_domain=domain)["dns_domain"] == domain


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("fd00::1", "fd00:0:0:0:0:0:0:1"),
        ("FD00::A", "fd00::a"),
        ("fd00::1", "fd00::1/128"),
        ("10.0.0.9", "10.0.0.9/32"),
        ("10.0.0.0/24", "10.0.0.77/24"),
    ],
)
def test_the_same_address_in_another_spelling_is_the_same(cloud: ApiCloud, one: str, other: str) -> None:
    mia = Net(cloud.new_user("mia", "garden"))
    network_id = mia.make("network", name="lan")["id"]
    pairs = [{"ip_address": one}, {"ip_address": other}]
    error = mia.make("port", 400, network_id=network_id, allowed_address_pairs=pairs)
    if "mac_address" not in error["message"]:
        pytest.fail(error["message"])
    assert error["type"] == "DuplicateAddressPairInRequest"
    group = mia.make("security_group", name="g")
    rule = {"security_group_id": group["id"], "direction": "ingress", "ethertype": "IPv6" if ":" in one else "IPv4"}
    mia.make("security_group_rule", **rule, remote_ip_prefix=one)
    again = mia.make("security_group_rule", 409, **rule, remote_ip_prefix=other)
    assert again["type"] == "SecurityGroupRuleExists"


def test_addresses_are_shown_and_found_in_one_form(cloud: ApiCloud) -> None:
    mia = Net(cloud.new_user("mia", "garden"))
    subnet = mia.subnet("FD00:0:0::/64", dns_nameservers=["2001:DB8:0::53"], gateway_ip="FD00::0:1")
    assert (subnet["cidr"], subnet["gateway_ip"]) == ("fd00::/64", "fd00::1")
    assert subnet["dns_nameservers"] == ["2001:db8::53"]
    wanted = [{"subnet_id": subnet["id"], "ip_address": "FD00:0::00aa"}]
    port = mia.make("port", network_id=subnet["network_id"], fixed_ips=wanted, mac_address="FA-16-3E-00-00-0A")
    assert port["fixed_ips"][0]["ip_address"] == "fd00::aa" and port["mac_address"] == "fa:16:3e:00:00:0a"
    assert mia.make("port", 409, network_id=subnet["network_id"], fixed_ips=[{"ip_address": "fd00:0:0::AA"}])
    same = mia.change("port", port["id"], fixed_ips=wanted)
    assert same["fixed_ips"] == port["fixed_ips"]
    for query in (
        "ports?fixed_ips=ip_address=FD00::AA",
        "ports?mac_address=FA:16:3E:00:00:0A",
        "subnets?gateway_ip=fd00:0::1",
        "subnets?cidr=FD00::/64",
    ):
        assert len(mia.list(query.split("?")[0], "?" + query.split("?")[1])) == 1, query


def test_no_pattern_of_the_service_lets_a_line_break_pass() -> None:
    found = [pattern for route in ROUTES if route.body is not None for pattern in patterns(route.body)]
    assert found and not [pattern for pattern in found if pattern.rstrip(")").endswith("$")]


def patterns(kind: Any) -> Iterator[str]:
    schema = msgspec.json.schema(kind)
    queue: list[Any] = [schema]
    while queue:
        value = queue.pop()
        if isinstance(value, dict):
            if isinstance(value.get("pattern"), str):
                yield value["pattern"]
            queue.extend(value.values())
        elif isinstance(value, list):
            queue.extend(value)
