"""What a list does not show, its markers, filters and sort keys do not tell either; nor do names of others' things."""

from __future__ import annotations

import pytest

from tane.services.identity.domain import credentials
from tane.services.metric.domain import inventory
from tests.api.compute_support import Project, V, make_flavor, project
from tests.api.network_support import public
from tests.support import ApiCloud, Caller

N = "/network/v2.0"


@pytest.fixture
def garden(cloud: ApiCloud) -> Project:
    return project(cloud)


@pytest.fixture
def bob(cloud: ApiCloud) -> Caller:
    return cloud.new_user("bob", "shed")


def test_a_marker_is_one_of_the_own(cloud: ApiCloud, garden: Project, bob: Caller) -> None:
    server_id = garden.server("rose")
    inventory.take(cloud.core)
    metrics = "/metric/v1/resource/instance?sort=display_name:asc&marker="
    assert garden.user.get(f"{metrics}{server_id}").json() == []
    bob.get(f"{metrics}{server_id}", 400)
    hidden = make_flavor(cloud.admin, id="77", **{"os-flavor-access:is_public": False})
    assert bob.get(f"{V}/flavors?marker={hidden}", 400).text == bob.get(f"{V}/flavors?marker=78", 400).text.replace(
        "78", hidden
    )


def test_nobody_sorts_by_what_he_is_not_shown(garden: Project) -> None:
    for key in ("host", "node"):
        garden.user.get(f"{V}/servers?sort_key={key}", 403)
        garden.cloud.admin.get(f"{V}/servers?sort_key={key}")
    for kind, key in (
        ("networks", "provider:segmentation_id"),
        ("ports", "binding:host_id"),
        ("ports", "host_id"),
        ("routers", "transit_segment"),
    ):
        garden.user.get(f"{N}/{kind}?sort_key={key}", 400)
        garden.cloud.admin.get(f"{N}/{kind}?sort_key={key}")
    for kind, key in (("subnetpools", "prefixes"), ("routers", "routes"), ("ports", "allowed_address_pairs")):
        garden.cloud.admin.get(f"{N}/{kind}?sort_key={key}", 400)


def test_filters_by_what_one_is_not_shown_tell_nothing(cloud: ApiCloud, garden: Project, bob: Caller) -> None:
    outside = public(cloud)
    shown = cloud.admin.get(f"{N}/networks/{outside}").json()["network"]
    for query in ("provider:segmentation_id=1", "provider:physical_network=none", "provider:network_type=none"):
        with_filter = bob.get(f"{N}/networks?id={outside}&{query}").json()["networks"]
        assert [network["id"] for network in with_filter] == [outside], "it is no filter for him"
        assert cloud.admin.get(f"{N}/networks?id={outside}&{query}").json()["networks"] == []
    assert shown["provider:physical_network"]
    garden.server("web")
    assert garden.user.get(f"{N}/ports?binding:host_id=nowhere&device_owner=compute:nova").json()["ports"]


def test_where_others_servers_are_nobody_learns_by_hints(cloud: ApiCloud, garden: Project, bob: Caller) -> None:
    server_id = garden.server("web")
    network = bob.post(f"{N}/networks", {"network": {"name": "own"}}, 201).json()["network"]["id"]
    bob.post(f"{N}/subnets", {"subnet": {"network_id": network, "ip_version": 4, "cidr": "10.9.0.0/24"}}, 201)
    flavor, image = garden.flavor_id, garden.image_id
    cloud.admin.request(
        "PATCH",
        f"/image/v2/images/{image}",
        json=[{"op": "replace", "path": "/visibility", "value": "public"}],
        headers={"Content-Type": "application/openstack-images-v2.1-json-patch"},
        expect=200,
    )
    server = {"name": "spy", "flavorRef": flavor, "imageRef": image, "networks": [{"uuid": network}]}
    hints = {"different_host": [server_id]}
    made = bob.post(f"{V}/servers", {"server": server, "os:scheduler_hints": hints}, 202).json()["server"]["id"]
    cloud.run_jobs()
    assert bob.get(f"{V}/servers/{made}").json()["server"]["status"] == "ACTIVE", "as if it were none"
    own = {"server": {**server, "name": "far"}, "os:scheduler_hints": {"different_host": [made]}}
    far = bob.post(f"{V}/servers", own, 202).json()["server"]["id"]
    cloud.run_jobs()
    assert bob.get(f"{V}/servers/{far}").json()["server"]["status"] == "ERROR", "there is one host"
    many = {"server": server, "os:scheduler_hints": {"same_host": [server_id] * 201}}
    bob.post(f"{V}/servers", many, 400)


def test_only_the_own_credentials_are_deciphered(garden: Project, bob: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    path = "/identity/v3/credentials"
    for caller in (garden.user, bob):
        caller.post(path, {"credential": {"type": "cert", "blob": "x", "user_id": caller.user_id}}, 201)
    read: list[str] = []
    plain = credentials._plain

    def noted(cipher: object, row: object) -> credentials.Credential:
        found = plain(cipher, row)  # type: ignore[arg-type]  # What it is called with.
        read.append(found.user_id)
        return found

    monkeypatch.setattr(credentials, "_plain", noted)
    assert len(bob.get(path).json()["credentials"]) == 1
    assert bob.get(f"{path}?user_id={garden.user.user_id}").json()["credentials"] == []
    assert set(read) == {bob.user_id}
    assert len(garden.cloud.admin.get(path).json()["credentials"]) == 2


def test_a_private_volume_type_is_refused_like_none(cloud: ApiCloud, bob: Caller) -> None:
    volume_type = {"name": "gold", "os-volume-type-access:is_public": False}
    cloud.admin.post(f"/volume/v3/{cloud.admin.project_id}/types", {"volume_type": volume_type}, 200)
    volumes = f"/volume/v3/{bob.project_id}/volumes"
    told = [bob.post(volumes, {"volume": {"size": 1, "volume_type": name}}, 404).text for name in ("gold", "none")]
    assert told[0].replace("gold", "none") == told[1]
