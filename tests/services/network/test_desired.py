"""What hosts are told, and what becomes of their answers."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import event, insert

from tane.services.network.domain import desired
from tane.services.network.tables import port_binding
from tane.wire.errors import HostError
from tests.api.network_support import Net, add_host, first_host, reconcile
from tests.support import HOST_ID, ApiCloud


def bind(admin: Net, network_id: str, host: str, **values: Any) -> Any:
    return admin.make("port", network_id=network_id, **{"binding:host_id": host}, **values)


@pytest.fixture
def admin(cloud: ApiCloud) -> Net:
    return Net(cloud.admin)


def test_a_host_is_told_of_its_ports_networks_and_dhcp_only(cloud: ApiCloud, admin: Net) -> None:
    first = first_host(cloud)
    here, nowhere = admin.subnet("10.0.0.0/24"), admin.subnet("10.1.0.0/24")
    admin.make("port", network_id=nowhere["network_id"])
    port = bind(admin, here["network_id"], "host-1", dns_name="web")
    reconcile(cloud)
    assert first.state is not None
    [told] = first.state.networks
    assert told.id == here["network_id"] and told.dhcp_port is not None and told.mtu == 1450
    assert [fixed.ip_address for fixed in told.dhcp_port.fixed_ips] == ["10.0.0.2"]
    assert [(p.id, p.hostname) for p in first.state.ports] == [(port["id"], "web")]
    [group] = first.state.security_groups
    assert group.id == port["security_groups"][0] and len(group.rules) == 4
    assert group.members == {port["id"]: ("10.0.0.3",)}
    dhcp = admin.show("port", told.dhcp_port.id)
    assert dhcp["status"] == "ACTIVE"
    admin.drop("port", port["id"])
    reconcile(cloud)
    assert first.state.networks == () and admin.show("port", dhcp["id"])["status"] == "DOWN"


def test_two_hosts_know_each_others_ports(cloud: ApiCloud, admin: Net) -> None:
    one, two = add_host(cloud.core, "alpha", "192.0.2.1"), add_host(cloud.core, "beta", "192.0.2.2")
    network_id = admin.subnet("10.0.0.0/24")["network_id"]
    a, b = bind(admin, network_id, "alpha"), bind(admin, network_id, "beta")
    reconcile(cloud)
    assert one.state is not None and two.state is not None
    assert [(r.mac_address, r.host_ip) for r in one.state.remote_ports] == [(b["mac_address"], "192.0.2.2")]
    assert [(r.ip_addresses, r.host_ip) for r in two.state.remote_ports] == [(("10.0.0.3",), "192.0.2.1")]
    assert {admin.show("port", port["id"])["status"] for port in (a, b)} == {"ACTIVE"}
    assert one.state.security_groups[0].members == {a["id"]: ("10.0.0.3",), b["id"]: ("10.0.0.4",)}


def test_a_host_where_a_port_will_be_makes_ready_and_sends_nothing_there_yet(cloud: ApiCloud, admin: Net) -> None:
    one, two = add_host(cloud.core, "alpha", "192.0.2.1"), add_host(cloud.core, "beta", "192.0.2.2")
    network_id = admin.subnet("10.0.0.0/24")["network_id"]
    port = bind(admin, network_id, "alpha")
    with cloud.core.db.write() as tx:
        tx.execute(insert(port_binding).values(port_id=port["id"], host_id="id-beta"))
    reconcile(cloud)
    assert one.state is not None and two.state is not None
    assert [(p.id, p.comes) for p in one.state.ports] == [(port["id"], False)]
    [coming] = two.state.ports
    assert (coming.id, coming.comes) == (port["id"], True) and coming.security_group_ids
    assert [fixed.ip_address for fixed in coming.fixed_ips] == ["10.0.0.3"]
    assert [(r.mac_address, r.host_ip) for r in two.state.remote_ports] == [(port["mac_address"], "192.0.2.1")]
    assert admin.show("port", port["id"])["binding:host_id"] == "alpha"
    admin.drop("port", port["id"])
    reconcile(cloud)
    assert two.state.ports == ()


def test_a_host_without_local_ip_is_told_of_as_the_reason(cloud: ApiCloud, admin: Net) -> None:
    one, two = add_host(cloud.core, "alpha", "192.0.2.1"), add_host(cloud.core, "beta")
    network_id = admin.subnet("10.0.0.0/24")["network_id"]
    bind(admin, network_id, "alpha")
    lost = bind(admin, network_id, "beta")
    reconcile(cloud)
    assert one.state is not None and one.state.remote_ports == () and two.state is not None
    assert admin.show("port", lost["id"])["status"] == "ERROR"


def test_a_host_that_does_not_answer_leaves_its_ports_building(cloud: ApiCloud, admin: Net) -> None:
    first = first_host(cloud)
    port = bind(admin, admin.subnet()["network_id"], "host-1")
    first.broken = HostError("busy", transient=True)
    assert "no answer" in str(reconcile(cloud))
    assert admin.show("port", port["id"])["status"] == "BUILD"
    first.broken = HostError("this kernel has no bridges")
    reconcile(cloud)
    assert admin.show("port", port["id"])["status"] == "ERROR"
    first.broken = None
    reconcile(cloud)
    assert admin.show("port", port["id"])["status"] == "ACTIVE"


def test_a_pass_without_change_writes_nothing(cloud: ApiCloud, admin: Net) -> None:
    bind(admin, admin.subnet()["network_id"], "host-1")
    assert reconcile(cloud) is not None
    writes: list[int] = []
    cloud.core.db.before_write = lambda: writes.append(1)
    assert reconcile(cloud) is None
    assert writes == [] and first_host(cloud).passes == 2


def test_documents_take_the_same_number_of_queries_whatever_there_is(cloud: ApiCloud, admin: Net) -> None:
    counts = []
    for _ in range(2):
        network_id = admin.subnet()["network_id"]
        for _ in range(3):
            bind(admin, network_id, "host-1")
        queries = 0

        def count(*_: Any) -> None:
            nonlocal queries
            queries += 1

        with cloud.core.db.read() as tx:
            event.listen(tx.connection, "before_cursor_execute", count)
            desired.load(tx, HOST_ID)
        counts.append(queries)
    assert counts[0] == counts[1] <= 25


def test_changes_are_one_document_whatever_their_number(cloud: ApiCloud, admin: Net) -> None:
    first = first_host(cloud)
    reconcile(cloud)
    before = first.passes
    network_id = admin.subnet()["network_id"]
    for _ in range(5):
        bind(admin, network_id, "host-1")
    reconcile(cloud)
    assert first.passes == before + 1 and first.state is not None and len(first.state.ports) == 5


def test_hosts_are_told_protocols_as_numbers(cloud: ApiCloud, admin: Net) -> None:
    group = admin.make("security_group", name="web")
    base = {"security_group_id": group["id"], "direction": "ingress"}
    for protocol in ("tcp", "ip", "vrrp"):
        admin.make("security_group_rule", **base, protocol=protocol)
    bind(admin, admin.subnet()["network_id"], "host-1", security_groups=[group["id"]])
    reconcile(cloud)
    state = first_host(cloud).state
    assert state is not None
    [told] = state.security_groups
    assert {rule.protocol for rule in told.rules if rule.direction == "ingress"} == {"6", None, "112"}
