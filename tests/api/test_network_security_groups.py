"""Security groups and rules as their users see them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.network_support import V2, Net
from tests.support import ApiCloud


@pytest.fixture
def mia(cloud: ApiCloud) -> Net:
    return Net(cloud.new_user("mia", "garden"))


def shapes(group: Any) -> set[tuple[str, str, bool]]:
    return {(r["direction"], r["ethertype"], r["remote_group_id"] is not None) for r in group["security_group_rules"]}


def test_every_project_has_a_default_group(cloud: ApiCloud, mia: Net) -> None:
    [group] = mia.list("security-groups")
    assert group["name"] == "default" and group["stateful"] is True
    assert shapes(group) == {
        ("egress", "IPv4", False),
        ("egress", "IPv6", False),
        ("ingress", "IPv4", True),
        ("ingress", "IPv6", True),
    }
    assert mia.drop("security_group", group["id"], 409)["type"] == "SecurityGroupCannotRemoveDefault"
    assert mia.change("security_group", group["id"], 409, name="x")["type"] == "SecurityGroupCannotUpdateDefault"
    assert mia.make("security_group", 409, name="default")["type"] == "SecurityGroupDefaultAlreadyExists"
    assert Net(cloud.new_user("tom", "shed")).list("security-groups")[0]["id"] != group["id"]


def test_a_new_group_lets_out_and_nothing_in(mia: Net) -> None:
    group = mia.make("security_group", name="web", description="d")
    assert shapes(group) == {("egress", "IPv4", False), ("egress", "IPv6", False)}
    assert mia.change("security_group", group["id"], name="www")["name"] == "www"
    assert "stateful" in mia.change("security_group", group["id"], 400, stateful=False)["message"]
    assert [g["id"] for g in mia.list("security-groups", "?name=www")] == [group["id"]]
    mia.drop("security_group", group["id"])
    mia.who.get(f"{V2}/security-groups/{group['id']}", 404)


def test_a_group_in_use_stays(mia: Net) -> None:
    group = mia.make("security_group", name="web")
    port = mia.make("port", network_id=mia.subnet()["network_id"], security_groups=[group["id"]])
    assert mia.drop("security_group", group["id"], 409)["type"] == "SecurityGroupInUse"
    mia.drop("port", port["id"])
    mia.drop("security_group", group["id"])


def test_rules_are_made_shown_and_deleted(mia: Net) -> None:
    group = mia.make("security_group", name="web")
    base = {"security_group_id": group["id"], "direction": "ingress"}
    rule = mia.make(
        "security_group_rule",
        **base,
        protocol="TCP",
        port_range_min="22",
        port_range_max=22,
        remote_ip_prefix="10.0.0.7/8",
    )
    assert rule["protocol"] == "tcp" and rule["port_range_min"] == 22 and rule["ethertype"] == "IPv4"
    assert rule["remote_ip_prefix"] == "10.0.0.7/8" and rule["normalized_cidr"] == "10.0.0.0/8"
    assert rule["revision_number"] == 1 and rule["project_id"] == mia.who.project_id
    again = {**base, "protocol": 6, "port_range_min": 22, "port_range_max": 22, "remote_ip_prefix": "10.0.0.7/8"}
    assert mia.make("security_group_rule", 409, **again)["type"] == "SecurityGroupRuleExists"
    assert len(mia.show("security_group", group["id"])["security_group_rules"]) == 3
    assert [r["id"] for r in mia.list("security-group-rules", "?protocol=tcp")] == [rule["id"]]
    assert mia.make("security_group_rule", **base, protocol="icmp", port_range_min=8, port_range_max=0)
    assert mia.make("security_group_rule", **base, ethertype="ipv6", protocol="ipv6-icmp")["ethertype"] == "IPv6"
    assert mia.make("security_group_rule", **base, remote_group_id=group["id"])["remote_group_id"] == group["id"]
    assert mia.make("security_group_rule", **base, protocol=112)["protocol"] == "112"
    mia.drop("security_group_rule", rule["id"])
    assert mia.drop("security_group_rule", rule["id"], 404)["type"] == "SecurityGroupRuleNotFound"


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ({"protocol": "tpc"}, "SecurityGroupRuleInvalidProtocol"),
        ({"protocol": 256}, "SecurityGroupRuleInvalidProtocol"),
        ({"protocol": "tcp", "port_range_min": 9, "port_range_max": 5}, "SecurityGroupInvalidPortRange"),
        ({"protocol": "tcp", "port_range_min": 9}, "SecurityGroupInvalidPortRange"),
        ({"protocol": "tcp", "port_range_min": 0, "port_range_max": 5}, "SecurityGroupInvalidPortValue"),
        ({"protocol": "tcp", "port_range_min": 5, "port_range_max": 65536}, "SecurityGroupInvalidPortValue"),
        ({"port_range_min": 5, "port_range_max": 6}, "SecurityGroupProtocolRequiredWithPorts"),
        ({"protocol": "ospf", "port_range_min": 5, "port_range_max": 6}, "SecurityGroupInvalidProtocolForPort"),
        ({"protocol": "icmp", "port_range_max": 6}, "SecurityGroupMissingIcmpType"),
        ({"protocol": "icmp", "port_range_min": 256}, "SecurityGroupInvalidIcmpValue"),
        ({"protocol": "ipv6-icmp"}, "SecurityGroupEthertypeConflictWithProtocol"),
        ({"remote_ip_prefix": "10.0.0.0/40"}, "InvalidCIDR"),
        ({"remote_ip_prefix": "2001:db8::/32"}, "SecurityGroupRuleParameterConflict"),
        ({"ethertype": "IPv5"}, "HTTPBadRequest"),
    ],
)
def test_rules_that_make_no_sense_are_refused(mia: Net, values: dict[str, object], kind: str) -> None:
    group = mia.list("security-groups")[0]
    error = mia.make("security_group_rule", 400, security_group_id=group["id"], direction="ingress", **values)
    assert error["type"] == kind


def test_prefix_and_remote_group_exclude_each_other(mia: Net) -> None:
    group = mia.list("security-groups")[0]
    values = {"security_group_id": group["id"], "direction": "ingress", "remote_group_id": group["id"]}
    error = mia.make("security_group_rule", 400, **values, remote_ip_prefix="10.0.0.0/8")
    assert error["type"] == "SecurityGroupRemoteGroupAndRemoteIpPrefix"
    mia.make("security_group_rule", 400, **{**values, "direction": "sideways"})
    assert mia.make("security_group_rule", 409, **values)["type"] == "SecurityGroupRuleExists"


def test_a_rule_that_an_administrator_adds_belongs_to_the_groups_project(cloud: ApiCloud, mia: Net) -> None:
    group, admin = mia.make("security_group", name="web"), Net(cloud.admin)
    rule = admin.make("security_group_rule", security_group_id=group["id"], direction="ingress", protocol="tcp")
    assert rule["project_id"] == mia.who.project_id
    assert [found["id"] for found in mia.list("security-group-rules", "?protocol=tcp")] == [rule["id"]]
    mia.drop("security_group_rule", rule["id"])


def test_rules_in_bulk_are_all_made_or_none(mia: Net) -> None:
    group = mia.list("security-groups")[0]
    rules = [
        {
            "security_group_id": group["id"],
            "direction": "ingress",
            "protocol": "tcp",
            "port_range_min": n,
            "port_range_max": n,
        }
        for n in (80, 443)
    ]
    path = f"{V2}/security-group-rules"
    assert len(mia.who.post(path, {"security_group_rules": rules}, 201).json()["security_group_rules"]) == 2
    more = [{**rules[0], "port_range_min": 70}, {**rules[0], "port_range_min": 70}]
    error = mia.who.post(path, {"security_group_rules": more}, 409).json()["NeutronError"]
    assert error["type"] == "DuplicateSecurityGroupRuleInPost"
    assert len(mia.list("security-group-rules", "?protocol=tcp")) == 2


def test_another_projects_group_is_not_there(cloud: ApiCloud, mia: Net) -> None:
    group = mia.make("security_group", name="web")
    tom = Net(cloud.new_user("tom", "shed"))
    tom.who.get(f"{V2}/security-groups/{group['id']}", 404)
    tom.drop("security_group", group["id"], 404)
    tom.make("security_group_rule", 404, security_group_id=group["id"], direction="ingress")
    own = tom.list("security-groups")[0]["id"]
    tom.make("security_group_rule", 404, security_group_id=own, direction="ingress", remote_group_id=group["id"])
    tom.drop("security_group_rule", group["security_group_rules"][0]["id"], 404)
    tom.make("port", 404, network_id=tom.subnet()["network_id"], security_groups=[group["id"]])
    reader = Net(cloud.new_user("rob", "garden", "reader"))
    reader.make("security_group", 403, name="x")
    reader.make("security_group_rule", 403, security_group_id=group["id"], direction="ingress")


@pytest.mark.parametrize(
    ("ethertype", "everybody", "one"),
    [("IPv4", ["0.0.0.0/0", "10.0.0.0/0"], "10.0.0.0/8"), ("IPv6", ["::/0", "fd00::/0"], "fd00::/8")],
)
def test_a_rule_for_every_address_is_the_rule_without_a_prefix(
    mia: Net, ethertype: str, everybody: list[str], one: str
) -> None:
    base = {"direction": "ingress", "ethertype": ethertype, "protocol": "tcp"}
    ports = {"port_range_min": 22, "port_range_max": 22}
    for first in (None, *everybody):
        group = mia.make("security_group", name="web")["id"]
        rule = mia.make("security_group_rule", security_group_id=group, **base, **ports, remote_ip_prefix=first)
        for again in (None, *everybody):
            error = mia.make(
                "security_group_rule", 409, security_group_id=group, **base, **ports, remote_ip_prefix=again
            )
            assert (error["type"], rule["id"] in error["message"]) == ("SecurityGroupRuleExists", True)
        mia.make("security_group_rule", security_group_id=group, **base, **ports, remote_ip_prefix=one)
        two = [{"security_group_id": group, **base, "remote_ip_prefix": prefix} for prefix in (None, everybody[0])]
        answer = mia.who.post(f"{V2}/security-group-rules", {"security_group_rules": two}, 409).json()
        assert answer["NeutronError"]["type"] == "DuplicateSecurityGroupRuleInPost"
        mia.drop("security_group", group)


def test_the_rules_a_new_group_comes_with_count(cloud: ApiCloud, mia: Net) -> None:
    mia.list("security-groups")
    quota = f"{V2}/quotas/{mia.who.project_id}"
    cloud.admin.put(quota, {"quota": {"security_group_rule": 7}}, 200)
    group = mia.make("security_group", name="a")
    error = mia.make("security_group", 409, name="b")
    assert error["type"] == "OverQuota" and "security_group_rule" in error["message"]
    assert {row["name"] for row in mia.list("security-groups")} == {"default", "a"}
    mia.drop("security_group", group["id"])
    mia.make("security_group", name="b")
