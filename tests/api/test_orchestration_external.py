"""Resources that are there already: a stack takes them in by their ids and leaves them when it goes."""

from __future__ import annotations

import pytest

from tane.services.orchestration import resources as types
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
