"""Servers of stacks: their networks changed, rebuilt or replaced, and how often services are asked of them."""

from __future__ import annotations

import base64
from collections import Counter
from typing import Any

import pytest
from sqlalchemy import select

from tane.agent.compute.drivers.fake import FakeCompute
from tane.services.orchestration.tables import stack_resource
from tane.web import inside
from tane.wire.errors import HostError
from tests.api.compute_support import make_flavor, make_image
from tests.api.orchestration_support import at, begin, hot, path, refused, resources, stack, update
from tests.support import ApiCloud

PORTS = "/network/v2.0/ports"


def res(kind: str, **properties: Any) -> dict[str, Any]:
    return {"type": kind, "properties": properties}


def net(name: str, number: int) -> dict[str, Any]:
    subnet = res("OS::Neutron::Subnet", network={"get_resource": name}, cidr=f"10.{number}.0.0/24")
    return {name: res("OS::Neutron::Net", name=name), f"in-{name}": subnet}


A, BOTH = net("a", 1), {**net("a", 1), **net("b", 2)}
IN_A, IN_B = ({"network": {"get_resource": name}} for name in "ab")


class Garden:
    """A user with a flavor and an image, and the stack that he changes."""

    def __init__(self, cloud: ApiCloud) -> None:
        self.cloud, self.mia = cloud, cloud.new_user("mia", "garden")
        self.flavor, self.image = make_flavor(cloud.admin), make_image(self.mia, "rose")
        self.made: dict[str, Any] = {}

    def server(self, networks: Any = None, **more: Any) -> dict[str, Any]:
        listed = {} if networks is None else {"networks": networks}
        return res("OS::Nova::Server", **{"image": self.image, "flavor": self.flavor, **listed, **more})

    def become(self, template: Any) -> None:
        if self.made:
            self.made = update(self.cloud, self.mia, self.made, template)
        else:
            self.made = stack(self.cloud, self.mia, template)
        assert self.made["stack_status"].endswith("_COMPLETE"), self.made["stack_status_reason"]

    def ids(self) -> dict[str, str]:
        return {name: one["physical_resource_id"] for name, one in resources(self.mia, self.made).items()}

    def ports(self, name: str = "s") -> list[dict[str, Any]]:
        return list(self.mia.get(PORTS, params={"device_id": self.ids()[name]}).json()["ports"])

    def networks(self) -> list[str]:
        names = {physical: name for name, physical in self.ids().items()}
        return sorted(names[port["network_id"]] for port in self.ports())


@pytest.fixture
def garden(cloud: ApiCloud) -> Garden:
    return Garden(cloud)


@pytest.mark.parametrize(
    ("first", "then", "there"),
    [
        ([IN_A], [{"allocate_network": "none"}], []),
        ([{"allocate_network": "none"}], [IN_A], ["a"]),
        ([{"allocate_network": "none"}], [{"allocate_network": "auto"}], ["a"]),
        (None, [{"allocate_network": "none"}], []),
        ([IN_A], None, ["a"]),
    ],
)
def test_the_networks_of_a_server_become_what_is_said(garden: Garden, first: Any, then: Any, there: list[str]) -> None:
    garden.become(hot(A))
    garden.become(hot({**A, "s": garden.server(first)}))
    server = garden.ids()["s"]
    garden.become(hot({**A, "s": garden.server(then)}))
    assert garden.networks() == there and garden.ids()["s"] == server


def test_the_port_that_a_server_had_by_itself_gives_way_to_those_of_a_list(garden: Garden) -> None:
    garden.become(hot(A))
    garden.become(hot({**A, "s": garden.server()}))
    garden.become(hot({**BOTH, "s": garden.server([{**IN_B, "tag": "lan"}])}))
    assert garden.networks() == ["b"]
    path = f"/compute/v2.1/servers/{garden.ids()['s']}/os-interface"
    headers = {"OpenStack-API-Version": "compute 2.90"}
    [shown] = garden.mia.get(path, headers=headers).json()["interfaceAttachments"]
    assert shown["tag"] == "lan"


@pytest.mark.parametrize(
    ("listed", "words"),
    [
        ([{"allocate_network": "none"}, IN_A], 'Can not specify "allocate_network" with other keys of networks'),
        ([{"allocate_network": "auto", "tag": "x"}], 'Can not specify "allocate_network" with other keys of networks'),
        ([{"port": {"get_resource": "p"}, "fixed_ip": "10.1.0.7"}], "networks/fixed_ip, networks/port"),
    ],
)
def test_what_would_be_dropped_of_a_list_is_refused(garden: Garden, listed: Any, words: str) -> None:
    port = res("OS::Neutron::Port", network={"get_resource": "a"})
    assert words in refused(garden.mia, hot({**A, "p": port, "s": garden.server(listed)}))


@pytest.mark.parametrize(("before", "after"), [("REBUILD", "REPLACE"), ("REPLACE", "REBUILD")])
def test_a_new_image_does_what_the_new_policy_says_and_the_preview_tells(
    garden: Garden, before: str, after: str
) -> None:
    other = make_image(garden.mia, "lily")
    garden.become(hot({**A, "s": garden.server([IN_A], image_update_policy=before)}))
    template = hot({**A, "s": garden.server([IN_A], image_update_policy=after, image=other)})
    told = garden.mia.put(path(garden.mia, garden.made, "/preview"), {"template": template}, 200).json()
    [what] = [
        what for what, listed in told["resource_changes"].items() if "s" in [one["resource_name"] for one in listed]
    ]
    server = garden.ids()["s"]
    garden.become(template)
    assert (what, garden.ids()["s"] == server) == (("replaced", False) if after == "REPLACE" else ("updated", True))


def test_an_instance_of_amazon_is_in_its_subnet(garden: Garden) -> None:
    def one(kind: str, **properties: Any) -> dict[str, Any]:
        return {"Type": f"AWS::EC2::{kind}", "Properties": properties}

    vpc = {"Ref": "Vpc"}
    made = {"ImageId": garden.image, "InstanceType": garden.flavor}
    nets = {
        "Vpc": one("VPC", CidrBlock="10.7.0.0/16"),
        "One": one("Subnet", CidrBlock="10.7.1.0/24", VpcId=vpc),
        "Two": one("Subnet", CidrBlock="10.7.2.0/24", VpcId=vpc),
    }
    servers = {f"In{name}": one("Instance", **made, SubnetId={"Ref": name}) for name in ("One", "Two")}
    template = {"HeatTemplateFormatVersion": "2012-12-12", "Resources": {**nets, **servers}}
    garden.become(template)
    for name in ("One", "Two"):
        [port] = garden.ports(f"In{name}")
        assert [one["subnet_id"] for one in port["fixed_ips"]] == [garden.ids()[name]]
    network = garden.ids()["Vpc"]
    garden.become({**template, "Resources": nets})
    left = garden.mia.get(PORTS, params={"network_id": network}).json()["ports"]
    assert all(port["device_owner"].startswith("network:") for port in left)


def test_services_are_asked_once_of_what_many_servers_name_and_of_one_that_is_shown(
    garden: Garden, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, count = inside.call, Counter[str]()

    def call(core: Any, ctx: Any, service: str, method: str, path: str, *more: Any, **named: Any) -> Any:
        count[f"{service} {path.split('/')[2]}"] += 1
        return real(core, ctx, service, method, path, *more, **named)

    garden.become(hot(A))
    monkeypatch.setattr(inside, "call", call)
    servers = {f"s{number}": garden.server() for number in range(3)}
    begin(garden.mia, hot(servers), "many")
    assert (count["compute flavors"], count["image images"]) == (1, 1)
    garden.cloud.run_jobs()
    [shown] = [one for one in garden.mia.get(at(garden.mia, "/stacks")).json()["stacks"] if one["stack_name"] == "many"]
    count.clear()
    told = garden.mia.get(path(garden.mia, shown, "/resources/s0")).json()["resource"]
    assert told["attributes"]["first_address"] and count["compute servers"] == 1


def test_a_new_flavor_resizes_the_server_and_the_preview_says_so(garden: Garden) -> None:
    larger = make_flavor(garden.cloud.admin, "large", ram=1024)
    garden.become(hot({**A, "s": garden.server([IN_A])}))
    server = garden.ids()["s"]
    template = hot({**A, "s": garden.server([IN_A], flavor="large")})
    told = garden.mia.put(path(garden.mia, garden.made, "/preview"), {"template": template}, 200).json()
    assert [one["resource_name"] for one in told["resource_changes"]["updated"]] == ["s"]
    garden.become(template)
    shown = garden.mia.get(f"/compute/v2.1/servers/{server}").json()["server"]
    assert garden.ids()["s"] == server
    assert (shown["status"], shown["flavor"]["id"]) == ("ACTIVE", larger)


def test_a_roll_back_takes_the_flavor_back(garden: Garden) -> None:
    make_flavor(garden.cloud.admin, "large", ram=1024)
    garden.become(hot({**A, "s": garden.server([IN_A])}))
    server = garden.ids()["s"]
    bad = {**res("OS::Heat::TestResource", fail=True), "depends_on": "s"}
    template = hot({**A, "s": garden.server([IN_A], flavor="large"), "bad": bad})
    made = update(garden.cloud, garden.mia, garden.made, template, disable_rollback=False)
    shown = garden.mia.get(f"/compute/v2.1/servers/{server}").json()["server"]
    assert made["stack_status"] == "ROLLBACK_COMPLETE"
    assert (garden.ids()["s"], shown["status"], shown["flavor"]["id"]) == (server, "ACTIVE", garden.flavor)


def test_a_flavor_for_which_no_host_has_room_fails_the_update_and_leaves_the_server(garden: Garden) -> None:
    make_flavor(garden.cloud.admin, "huge", ram=1 << 30)
    garden.become(hot({**A, "s": garden.server([IN_A])}))
    server = garden.ids()["s"]
    made = update(garden.cloud, garden.mia, garden.made, hot({**A, "s": garden.server([IN_A], flavor="huge")}))
    assert made["stack_status"] == "UPDATE_FAILED" and garden.ids()["s"] == server
    assert garden.mia.get(f"/compute/v2.1/servers/{server}").json()["server"]["status"] == "ACTIVE"
    garden.become(hot({**A, "s": garden.server([IN_A])}))
    assert garden.ids()["s"] == server


@pytest.mark.parametrize(("policy", "stays", "data"), [("REPLACE", False, "b"), ("IGNORE", True, "a")])
def test_user_data_that_change_do_what_the_policy_says(garden: Garden, policy: str, stays: bool, data: str) -> None:
    garden.become(hot({**A, "s": garden.server([IN_A], user_data="a", user_data_format="RAW")}))
    server = garden.ids()["s"]
    more = {"user_data": "b", "user_data_format": "RAW", "user_data_update_policy": policy}
    garden.become(hot({**A, "s": garden.server([IN_A], **more)}))
    assert (garden.ids()["s"] == server) is stays and user_data(garden) == data


def test_user_data_are_rebuilt_into_the_server_where_that_is_the_policy(garden: Garden) -> None:
    garden.become(hot({**A, "s": garden.server([IN_A], user_data="a", user_data_format="RAW")}))
    server = garden.ids()["s"]
    more = {"user_data": "b", "user_data_format": "RAW", "user_data_update_policy": "REBUILD"}
    garden.become(hot({**A, "s": garden.server([IN_A], **more)}))
    assert garden.ids()["s"] == server and user_data(garden) == "b"


def user_data(garden: Garden) -> str:
    headers = {"OpenStack-API-Version": "compute 2.90"}
    shown = garden.cloud.admin.get(f"/compute/v2.1/servers/{garden.ids()['s']}", headers=headers).json()["server"]
    return base64.b64decode(shown["OS-EXT-SRV-ATTR:user_data"]).decode()


def test_the_port_of_a_server_has_the_properties_that_its_entry_gives(garden: Garden) -> None:
    pairs = {"allowed_address_pairs": [{"ip_address": "10.1.0.99"}]}
    entry = {**IN_A, "port_extra_properties": pairs}
    garden.become(hot({**A, "s": garden.server([entry])}))
    [port] = garden.ports()
    assert [one["ip_address"] for one in port["allowed_address_pairs"]] == ["10.1.0.99"]
    entry["port_extra_properties"] = {"allowed_address_pairs": [{"ip_address": "10.1.0.98"}]}
    garden.become(hot({**A, "s": garden.server([entry])}))
    [changed] = garden.ports()
    assert changed["id"] == port["id"]
    assert [one["ip_address"] for one in changed["allowed_address_pairs"]] == ["10.1.0.98"]
    garden.become(hot({**A, "s": garden.server([IN_A])}))
    [plain] = garden.ports()
    assert plain["id"] != port["id"] and plain["allowed_address_pairs"] == []
    garden.become(hot(A))
    owners = [one["device_owner"] for one in garden.mia.get(PORTS).json()["ports"]]
    assert all(owner.startswith("network:") for owner in owners), "a port was left over"


def test_the_addresses_of_a_server_tell_their_networks_and_subnets(garden: Garden) -> None:
    outputs = {name: {"value": {"get_attr": ["s", name]}} for name in ("addresses", "networks")}
    garden.become({**hot({**A, "s": garden.server([IN_A])}), "outputs": outputs})
    shown = garden.mia.get(path(garden.mia, garden.made)).json()["stack"]["outputs"]
    told = {one["output_key"]: one["output_value"] for one in shown}
    ids, [port] = garden.ids(), garden.ports()
    [entry] = told["addresses"]["a"]
    assert told["addresses"] == {"a": [entry], ids["a"]: [entry]}
    assert told["networks"] == {"a": [entry["addr"]], ids["a"]: [entry["addr"]]}
    assert entry["port"] == port["id"] and entry["network"]["id"] == ids["a"]
    assert [one["cidr"] for one in entry["subnets"]] == ["10.1.0.0/24"]


def test_the_old_list_of_block_devices_boots_a_server(garden: Garden) -> None:
    bulk = res("OS::Cinder::Volume", size=1, image=garden.image)
    device = {"device_name": "vda", "volume_id": {"get_resource": "bulk"}, "delete_on_termination": False}
    server = res("OS::Nova::Server", flavor=garden.flavor, networks=[IN_A], block_device_mapping=[device])
    garden.become(hot({**A, "bulk": bulk, "s": server}))
    volume = garden.mia.get(f"/volume/v3/volumes/{garden.ids()['bulk']}").json()["volume"]
    assert [one["server_id"] for one in volume["attachments"]] == [garden.ids()["s"]]


def test_groups_of_a_server_whose_ports_have_their_own_are_refused(garden: Garden) -> None:
    port = res("OS::Neutron::Port", network={"get_resource": "a"})
    server = garden.server([{"port": {"get_resource": "p"}}], security_groups=["default"])
    assert "security_groups, networks/port" in refused(garden.mia, hot({**A, "p": port, "s": server}))


def test_what_an_older_release_kept_of_a_server_is_no_change(garden: Garden) -> None:
    """Its entries do not know what is declared by now."""
    garden.become(hot({**A, "s": garden.server([IN_A])}))
    bulk = res("OS::Cinder::Volume", size=1)
    device = {"volume_id": {"get_resource": "bulk"}, "boot_index": -1}
    template = hot({**A, "bulk": bulk, "s": garden.server([IN_A], block_device_mapping_v2=[device])})
    garden.become(template)
    server = garden.ids()["s"]
    core = garden.cloud.core
    with core.db.write() as tx:
        row = tx.first(select(stack_resource).where(stack_resource.c.physical_id == server))
        kept = {name: value for name, value in row.properties.items() if name != "block_device_mapping"}
        for entry in kept["block_device_mapping_v2"]:
            del entry["image_id"], entry["volume_type"]
        tx.update(stack_resource, {"id": row.id}, properties=kept)
    garden.become(template)
    assert garden.ids()["s"] == server


def test_an_instance_of_amazon_gets_another_type_in_place(garden: Garden) -> None:
    larger = make_flavor(garden.cloud.admin, "large", ram=1024)
    garden.become(hot(A))

    def template(flavor: str, **more: Any) -> dict[str, Any]:
        return hot({**A, "s": res("AWS::EC2::Instance", ImageId=garden.image, InstanceType=flavor, **more)})

    garden.become(template(garden.flavor))
    server = garden.ids()["s"]
    garden.become(template("large", Tags=[{"Key": "colour", "Value": "red"}]))
    shown = garden.mia.get(f"/compute/v2.1/servers/{server}").json()["server"]
    assert garden.ids()["s"] == server
    assert (shown["flavor"]["id"], shown["metadata"]) == (larger, {"colour": "red"})


def test_a_resize_that_failed_on_its_host_is_tried_again_by_the_next_update(
    garden: Garden, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_flavor(garden.cloud.admin, "large", ram=1024)
    garden.become(hot({**A, "s": garden.server([IN_A])}))
    server, template = garden.ids()["s"], hot({**A, "s": garden.server([IN_A], flavor="large")})

    async def refuses(self: FakeCompute, *given: Any, **named: Any) -> None:
        raise HostError("no")

    with monkeypatch.context() as patch:
        patch.setattr(FakeCompute, "keep", refuses)
        made = update(garden.cloud, garden.mia, garden.made, template)
    assert made["stack_status"] == "UPDATE_FAILED" and "Resizing to" in made["stack_status_reason"]
    garden.become(template)
    shown = garden.mia.get(f"/compute/v2.1/servers/{server}").json()["server"]
    assert (garden.ids()["s"], shown["status"]) == (server, "ACTIVE") and shown["flavor"]["id"] != garden.flavor
