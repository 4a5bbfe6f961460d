"""What keeps a resource from going is told to nobody whose it is not: an error names the caller's own, and counts the
others."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest

from tests.api.network_support import Net, public
from tests.support import ApiCloud


def shared_network(cloud: ApiCloud, owner: Net) -> Any:
    subnet = owner.subnet("10.0.0.0/24")
    Net(cloud.admin).change("network", subnet["network_id"], shared=True)
    return subnet


def ids(things: Iterable[Any]) -> set[str]:
    return {thing["id"] for thing in things}


def test_the_owner_of_a_shared_network_learns_no_ids_of_other_projects(cloud: ApiCloud) -> None:
    mia, tom = Net(cloud.new_user("mia", "garden")), Net(cloud.new_user("tom", "shed"))
    subnet = shared_network(cloud, mia)
    foreign = [tom.make("port", network_id=subnet["network_id"]) for _ in range(3)]
    message = mia.drop("network", subnet["network_id"], 409)["message"]
    assert not any(found in message for found in ids(foreign)) and message.endswith("is: 3 that you may not see.")
    own = mia.make("port", network_id=subnet["network_id"])
    message = mia.drop("network", subnet["network_id"], 409)["message"]
    assert not any(found in message for found in ids(foreign)) and message.endswith(f"is: {own['id']} and 3 more.")
    told = Net(cloud.admin).drop("network", subnet["network_id"], 409)["message"]
    assert all(found in told for found in ids([*foreign, own]))


def test_the_owner_of_an_external_network_learns_no_gateways_of_other_projects(cloud: ApiCloud) -> None:
    admin, tom, mia = Net(cloud.admin), Net(cloud.new_user("tom", "shed")), Net(cloud.new_user("mia", "garden"))
    network = mia.make("network")
    mia.make("subnet", network_id=network["id"], ip_version=4, cidr="198.51.100.0/24")
    admin.change("network", network["id"], **{"router:external": True})
    router = tom.make("router", external_gateway_info={"network_id": network["id"]})
    address = tom.make("floatingip", floating_network_id=network["id"])
    hidden = ids(admin.list("ports", f"?network_id={network['id']}")) | {router["id"], address["id"]}
    error = mia.drop("network", network["id"], 409)
    assert error["type"] == "NetworkInUse" and not any(found in error["message"] for found in hidden)


def _subnet_with_foreign_ports(cloud: ApiCloud, mia: Net, tom: Net) -> tuple[str, str]:
    subnet = shared_network(cloud, mia)
    tom.make("port", network_id=subnet["network_id"])
    return "subnet", subnet["id"]


def _group_used_by_an_administrators_port(cloud: ApiCloud, mia: Net, tom: Net) -> tuple[str, str]:
    group = mia.make("security_group", name="web")
    admin = Net(cloud.admin)
    admin.make("port", network_id=admin.make("network")["id"], security_groups=[group["id"]])
    return "security_group", group["id"]


def _router_with_an_administrators_interface(cloud: ApiCloud, mia: Net, tom: Net) -> tuple[str, str]:
    router, admin = mia.make("router"), Net(cloud.admin)
    admin.attach(router["id"], tom.subnet("10.7.0.0/24")["id"])
    return "router", router["id"]


@pytest.mark.parametrize(
    "make",
    [_subnet_with_foreign_ports, _group_used_by_an_administrators_port, _router_with_an_administrators_interface],
)
def test_no_error_of_something_in_use_names_what_others_have(
    cloud: ApiCloud, make: Callable[[ApiCloud, Net, Net], tuple[str, str]]
) -> None:
    public(cloud)
    mia, tom = Net(cloud.new_user("mia", "garden")), Net(cloud.new_user("tom", "shed"))
    single, row_id = make(cloud, mia, tom)
    admin = Net(cloud.admin)
    others = {
        row["id"]
        for collection in ("ports", "networks", "subnets", "routers", "security-groups")
        for row in admin.list(collection)
        if row["project_id"] != mia.who.project_id
    }
    error = mia.drop(single, row_id, 409)
    assert error["type"].endswith("InUse") and not any(found in error["message"] for found in others)
    assert not any(project in error["message"] for project in (tom.who.project_id, admin.who.project_id))
