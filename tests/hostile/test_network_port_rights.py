"""Who may ask what of a port: upstream's default policy for each of its attributes (neutron.conf.policies.port)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.api.network_support import Net
from tests.support import ApiCloud

OWNERS, MANAGERS, ADMINS, ANY_SHARED, ANYBODY = "owners", "managers", "admins", "shared", "anybody"
MAC = "fa:16:3e:00:11:99"

ASKED: dict[str, tuple[dict[str, Any], str, str]] = {
    "name": ({"name": "x"}, ANYBODY, ANYBODY),
    "device_id": ({"device_id": "x"}, ANYBODY, ANYBODY),
    "device_owner": ({"device_owner": "compute:x"}, ANYBODY, ANYBODY),
    "device_owner of the network": ({"device_owner": "network:x"}, ADMINS, ADMINS),
    "binding:vnic_type": ({"binding:vnic_type": "normal"}, ANYBODY, ANYBODY),
    "binding:host_id": ({"binding:host_id": "host-1"}, ADMINS, ADMINS),
    "binding:profile": ({"binding:profile": {"a": "b"}}, ADMINS, ADMINS),
    "mac_address": ({"mac_address": MAC}, OWNERS, MANAGERS),
    "fixed_ips none": ({"fixed_ips": []}, ANY_SHARED, OWNERS),
    "fixed_ips:subnet_id": ({"fixed_ips": [{"subnet_id": "SUBNET"}]}, ANY_SHARED, OWNERS),
    "fixed_ips:ip_address": ({"fixed_ips": [{"ip_address": "10.0.0.77"}]}, OWNERS, OWNERS),
    "port_security_enabled": ({"port_security_enabled": True}, OWNERS, OWNERS),
    "pairs none": ({"allowed_address_pairs": []}, OWNERS, OWNERS),
    "pairs:ip_address": ({"allowed_address_pairs": [{"ip_address": "10.0.0.9"}]}, OWNERS, OWNERS),
    "pairs:mac_address": ({"allowed_address_pairs": [{"ip_address": "10.0.0.9", "mac_address": MAC}]}, OWNERS, OWNERS),
}
"""Attribute → a body, and whom upstream lets create and update a port with it."""

ALLOWED = {
    "member of the network's project": {OWNERS, ANY_SHARED, ANYBODY},
    "manager of the network's project": {OWNERS, MANAGERS, ANY_SHARED, ANYBODY},
    "member of another project": {ANY_SHARED, ANYBODY},
    "manager of another project": {ANY_SHARED, ANYBODY},
    "administrator": {OWNERS, MANAGERS, ADMINS, ANY_SHARED, ANYBODY},
}


def callers(cloud: ApiCloud) -> Iterator[tuple[str, Net]]:
    yield "member of the network's project", Net(cloud.new_user("mel", "garden"))
    yield "manager of the network's project", Net(cloud.new_user("max", "garden", "manager"))
    yield "member of another project", Net(cloud.new_user("tom", "shed"))
    yield "manager of another project", Net(cloud.new_user("tim", "shed", "manager"))
    yield "administrator", Net(cloud.admin)


@pytest.mark.parametrize("asked", ASKED)
def test_an_attribute_is_for_those_upstream_lets(cloud: ApiCloud, asked: str) -> None:
    body, creators, changers = ASKED[asked]
    subnet = Net(cloud.new_user("mia", "garden")).subnet()
    network_id = subnet["network_id"]
    Net(cloud.admin).change("network", network_id, shared=True)
    if body.get("fixed_ips"):
        body = {"fixed_ips": [{k: v.replace("SUBNET", subnet["id"]) for k, v in body["fixed_ips"][0].items()}]}
    answers = {}
    for who, net in callers(cloud):
        new = {"port": {"network_id": network_id, **body}}
        made = net.who.request("POST", "/network/v2.0/ports", json=new)
        own = made.json()["port"]["id"] if made.status_code == 201 else ""
        if own:
            net.drop("port", own)
        port = net.make("port", network_id=network_id)
        changed = net.who.request("PUT", f"/network/v2.0/ports/{port['id']}", json={"port": body})
        assert made.status_code in (201, 403) and changed.status_code in (200, 403), (who, made.text, changed.text)
        for answer in (made, changed):
            if answer.status_code == 403:
                assert answer.json()["NeutronError"]["type"] == "PolicyNotAuthorized"
                assert "_port:" in answer.json()["NeutronError"]["message"]
        net.drop("port", port["id"])
        answers[who] = (made.status_code == 201, changed.status_code == 200)
    assert answers == {who: (creators in may, changers in may) for who, may in ALLOWED.items()}
