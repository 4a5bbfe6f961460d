"""Resources that are there already: a stack takes them in by their ids and leaves them when it goes."""

from __future__ import annotations

from typing import Any

import pytest

from tane.services.orchestration import resources as types
from tane.web import inside
from tests.api.compute_support import V, make_flavor, make_image, make_network
from tests.api.orchestration_support import at, begin, delete, hot, outputs, refused, stack
from tests.support import ApiCloud


def test_a_server_of_others_is_known_by_its_id_and_outlives_the_stack(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    flavor_id, image_id, network_id = make_flavor(cloud.admin), make_image(mia, "rose"), make_network(mia)
    body = {"name": "old", "flavorRef": flavor_id, "imageRef": image_id, "networks": [{"uuid": network_id}]}
    server_id = mia.post(f"{V}/servers", {"server": body}, 202).json()["server"]["id"]
    cloud.run_jobs()
    template = hot(
        {"old": {"type": "OS::Nova::Server", "external_id": server_id}},
        outputs={"name": {"value": {"get_attr": ["old", "name"]}}, "id": {"value": {"get_resource": "old"}}},
    )
    made = stack(cloud, mia, template)
    assert made["stack_status"] == "CREATE_COMPLETE", made["stack_status_reason"]
    assert outputs(made) == {"name": "old", "id": server_id}
    assert delete(cloud, mia, made)["stack_status"] == "DELETE_COMPLETE"
    assert mia.get(f"{V}/servers/{server_id}", expect=200).json()["server"]["name"] == "old"


def test_what_is_not_there_is_refused(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    template = hot({"old": {"type": "OS::Nova::Server", "external_id": "no-such-server"}})
    assert "could not be found" in refused(mia, template)


@pytest.mark.parametrize(
    ("kind", "lacks"),
    [
        ("AWS::EC2::EIP", "allocation"),
        ("OS::Cinder::VolumeAttachment", "server and volume"),
        ("OS::Neutron::ExtraRouteSet", "router"),
    ],
)
def test_what_an_id_does_not_tell_is_not_taken_in(cloud: ApiCloud, kind: str, lacks: str) -> None:
    mia = cloud.new_user("mia", "garden")
    told = begin(mia, hot({"old": {"type": kind, "external_id": "172.24.4.4"}}), expect=400)["error"]["message"]
    assert f"external_id is not possible for {kind}: it does not tell {lacks}." in told


def test_whatever_there_is_not_is_refused_whatever_its_type(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    found: dict[int, list[str]] = {}
    for name in types.shown():
        kind = types.find(name)
        if kind is None or not kind.adopts or kind.essential:
            continue
        body = {"stack_name": "x", "template": hot({"old": {"type": name, "external_id": "no-such-thing"}})}
        told = mia.post(at(mia, "/stacks/preview"), body, expect=None)
        found.setdefault(told.status_code, []).append(name)
    nothing = found.pop(200)
    assert set(found) == {400} and len(found[400]) > 30
    assert nothing == ["OS::Heat::Delay", "OS::Heat::None", "OS::Heat::TestResource", "OS::Heat::Value"]


@pytest.mark.parametrize("status", ["ERROR", "SHUTOFF"])
def test_a_server_that_is_not_well_is_not_taken_in(cloud: ApiCloud, status: str) -> None:
    mia = cloud.new_user("mia", "garden")
    body = {
        "name": "old",
        "flavorRef": make_flavor(cloud.admin),
        "imageRef": make_image(mia),
        "networks": [{"uuid": make_network(mia)}],
    }
    server_id = mia.post(f"{V}/servers", {"server": body}, 202).json()["server"]["id"]
    cloud.run_jobs()
    if status == "ERROR":
        cloud.admin.post(f"{V}/servers/{server_id}/action", {"os-resetState": {"state": "error"}}, 202)
    else:
        mia.post(f"{V}/servers/{server_id}/action", {"os-stop": None}, 202)
        cloud.run_jobs()
    template = hot({"old": {"type": "OS::Nova::Server", "external_id": server_id}})
    assert status in refused(mia, template)


def test_what_many_resources_name_of_others_is_looked_up_once(cloud: ApiCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    mia = cloud.new_user("mia", "garden")
    net = mia.post("/network/v2.0/networks", {"network": {}}, 201).json()["network"]["id"]
    asked: list[str] = []
    real = inside.call

    def call(core: Any, ctx: Any, service: str, method: str, path: str, *args: Any, **more: Any) -> Any:
        asked.append(path)
        return real(core, ctx, service, method, path, *args, **more)

    monkeypatch.setattr(inside, "call", call)
    inner = hot({f"n{number}": {"type": "OS::Neutron::Net", "external_id": net} for number in range(5)})
    template = hot({name: {"type": "f.yaml"} for name in "abc"})
    body = {"stack_name": "x", "template": template, "files": {"f.yaml": inner}}
    mia.post(at(mia, "/stacks/preview"), body, expect=200)
    assert asked == [f"/v2.0/networks/{net}"]
