"""``If-Match: revision_number=N``: no update is lost between two clients, and what changes counts up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.api.network_support import V2, Net, public
from tests.support import ApiCloud


@pytest.fixture
def mia(cloud: ApiCloud) -> Net:
    return Net(cloud.new_user("mia", "garden"))


def _rule(mia: Net) -> Any:
    group = mia.make("security_group", name="web")
    return mia.make("security_group_rule", security_group_id=group["id"], direction="ingress")


MADE: dict[str, Callable[[ApiCloud, Net], Any]] = {
    "network": lambda cloud, mia: mia.make("network", name="old"),
    "subnet": lambda cloud, mia: mia.subnet(name="old"),
    "port": lambda cloud, mia: mia.make("port", name="old", network_id=mia.make("network")["id"]),
    "router": lambda cloud, mia: mia.make("router", name="old"),
    "floatingip": lambda cloud, mia: mia.make("floatingip", floating_network_id=public(cloud)),
    "security_group": lambda cloud, mia: mia.make("security_group", name="old"),
    "security_group_rule": lambda cloud, mia: _rule(mia),
}


def at(single: str, made: Any) -> str:
    return f"{V2}/{single.replace('_', '-')}s/{made['id']}"


def told(number: Any) -> dict[str, str]:
    return {"If-Match": f"revision_number={number}"}


@pytest.mark.parametrize("single", MADE)
def test_a_stale_revision_changes_and_deletes_nothing(cloud: ApiCloud, mia: Net, single: str) -> None:
    made = MADE[single](cloud, mia)
    path, number = at(single, made), made["revision_number"]
    if single != "security_group_rule":
        answer = mia.who.put(path, {single: {"description": "lost"}}, 412, headers=told(number + 1))
        error = answer.json()["NeutronError"]
        assert error["type"] == "RevisionNumberConstraintFailed"
        assert error["message"] == f"Constrained to {number + 1}, but current revision is {number}"
        assert mia.show(single, made["id"]) == made
        changed = mia.who.put(path, {single: {"description": "kept"}}, 200, headers=told(number)).json()[single]
        assert (changed["description"], changed["revision_number"]) == ("kept", number + 1)
        mia.who.put(path, {single: {"description": "lost"}}, 412, headers=told(number))
        number += 1
    mia.who.delete(path, 412, headers=told(number + 1))
    mia.who.delete(path, 204, headers=told(number))
    mia.who.get(path, 404)


def test_tags_routes_and_interfaces_hold_to_it_too(mia: Net) -> None:
    subnet, router = mia.subnet(), mia.make("router")
    path = at("router", router)
    mia.who.put(f"{path}/tags", {"tags": ["a"]}, 412, headers=told(9))
    mia.who.put(f"{path}/add_router_interface", {"subnet_id": subnet["id"]}, 412, headers=told(9))
    mia.who.put(f"{path}/add_router_interface", {"subnet_id": subnet["id"]}, 200, headers=told(1))
    mia.who.put(f"{path}/add_extraroutes", {"router": {"routes": []}}, 412, headers=told(1))


@pytest.mark.parametrize("header", ["*", '"abc"', "abc", 'W/"revision_number=9"', '"x", "revision_number=1"'])
def test_other_entity_tags_say_nothing(mia: Net, header: str) -> None:
    network = mia.make("network")
    mia.who.put(at("network", network), {"network": {"name": "b"}}, 200, headers={"If-Match": header})


@pytest.mark.parametrize(
    "header", ["revision_number=", "revision_number=x", '"revision_number=1", "revision_number=1"']
)
def test_a_malformed_revision_is_refused(mia: Net, header: str) -> None:
    network = mia.make("network")
    mia.who.put(at("network", network), {"network": {"name": "b"}}, 400, headers={"If-Match": header})


def test_somebody_elses_resource_stays_unknown_whatever_the_revision(cloud: ApiCloud, mia: Net) -> None:
    network = Net(cloud.new_user("bob", "other")).make("network")
    mia.who.put(at("network", network), {"network": {"name": "b"}}, 404, headers=told(9))


def test_the_extension_is_told(mia: Net) -> None:
    assert mia.who.get(f"{V2}/extensions/revision-if-match").json()["extension"]["alias"] == "revision-if-match"


def test_a_subnets_change_counts_its_network_up(mia: Net) -> None:
    subnet = mia.subnet()
    seen = [mia.show("network", subnet["network_id"])["revision_number"]]
    assert seen == [2]
    mia.change("subnet", subnet["id"], name="b")
    seen.append(mia.show("network", subnet["network_id"])["revision_number"])
    mia.drop("subnet", subnet["id"])
    seen.append(mia.show("network", subnet["network_id"])["revision_number"])
    assert seen == [2, 3, 4]
