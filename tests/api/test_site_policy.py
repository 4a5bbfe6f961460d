"""A site's own rules: what ``policy.yaml`` says of who administrates the cloud holds everywhere."""

from __future__ import annotations

import pytest

from tane.app import SERVICES
from tane.config import ConfigError
from tane.web.context import Context
from tane.web.policy import Policy
from tests.api.compute_support import Project, V, project
from tests.support import ApiCloud
from tests.test_isolation import ask

NETWORKS = "/network/v2.0/networks"


@pytest.fixture
def garden(cloud: ApiCloud) -> Project:
    return project(cloud)


def site_rules(cloud: ApiCloud, text: str, monkeypatch: pytest.MonkeyPatch) -> Policy:
    file = cloud.core.config.state_dir / "policy.yaml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    policy = Policy([rule for service in cloud.core.services for rule in service.rules], file)
    monkeypatch.setattr(cloud.core, "policy", policy)
    return policy


def test_who_is_no_administrator_by_the_sites_rule_is_none_anywhere(
    cloud: ApiCloud, garden: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    server_id, bob = garden.server(), cloud.new_user("bob", "shed", "admin")
    theirs = f"{NETWORKS}/{garden.network_id}"
    assert bob.get(f"{V}/servers/{server_id}").status_code == 200
    site_rules(cloud, f'"context_is_admin": "role:admin and project_id:{cloud.admin.project_id}"', monkeypatch)
    bob.request("GET", f"{V}/servers/{server_id}", expect=404)
    bob.request("DELETE", f"{V}/servers/{server_id}", expect=404)
    bob.request("PUT", theirs, json={"network": {"name": "taken"}}, expect=404)
    bob.request("GET", "/identity/v3/users", expect=403)
    assert garden.network_id not in bob.get(NETWORKS).text
    log = {"name": "a", "type": "event", "event_rule": {}, "alarm_actions": ["log://"]}
    assert bob.request("POST", "/alarm/v2/alarms", json=log).status_code in (401, 403)
    assert cloud.admin.get(f"{V}/servers/{server_id}").status_code == 200
    assert garden.network_id in cloud.admin.get(NETWORKS).text


def test_a_rule_that_lets_nobody_lets_nobody(cloud: ApiCloud, garden: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    of_compute = "os_compute_api:servers:create:attach_network"
    policy = site_rules(cloud, f'"{of_compute}": "!"\n"volume:create_volume_metadata": "!"', monkeypatch)
    assert policy.unknown == []
    assert of_compute in garden.user.post(f"{V}/servers", garden.body("web"), 403).text
    volumes = f"/volume/v3/{garden.user.project_id}/volumes"
    volume = garden.user.post(volumes, {"volume": {"size": 1}}, 202).json()["volume"]["id"]
    garden.user.post(f"{volumes}/{volume}/metadata", {"metadata": {"a": "b"}}, 403)


def test_names_that_are_no_rules_are_known(cloud: ApiCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    text = '"typo:rule": "!"\n"my": "!"\n"my_team": "project_id:x"\n"volume:create": "rule:my_team"'
    assert site_rules(cloud, text, monkeypatch).unknown == ["my", "typo:rule"]
    assert cloud.core.policy.site_admin(Context("req", roles=("admin",))) is None


def test_where_things_lie_is_told_by_the_sites_rules(
    cloud: ApiCloud, garden: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cloud.core.config.image, "show_multiple_locations", True)
    image = f"/image/v2/images/{garden.image_id}"
    volumes = f"/volume/v3/{garden.user.project_id}/volumes"
    volume = garden.user.post(volumes, {"volume": {"size": 1}}, 202).json()["volume"]["id"]
    assert len(garden.user.get(image).json()["locations"]) == 1
    assert "os-vol-host-attr:host" not in garden.user.get(f"{volumes}/{volume}").json()["volume"]
    rules = '"get_image_location": "role:admin"\n"volume_extension:volume_host_attribute": "role:member"'
    site_rules(cloud, rules, monkeypatch)
    assert garden.user.get(image).json()["locations"] == []
    assert "os-vol-host-attr:host" in garden.user.get(f"{volumes}/{volume}").json()["volume"]


def test_configs_of_all_projects_are_for_administrators(cloud: ApiCloud, garden: Project) -> None:
    own = f"/orchestration/v1/{garden.user.project_id}/software_configs"
    garden.user.post(own, {"name": "theirs", "config": "true"}, 200)
    everybodys = f"/orchestration/v1/{cloud.admin.project_id}/software_configs?global_tenant=true"
    assert [one["name"] for one in cloud.admin.get(everybodys).json()["software_configs"]] == ["theirs"]
    garden.user.get(f"{own}?global_tenant=true", 403)


def test_what_a_site_refuses_in_a_service_compute_does_not_do_instead(
    cloud: ApiCloud, garden: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    [compute] = [service for service in SERVICES if service.name == "compute"]
    doing = [(route, rule) for route in compute.routes for rule in route.also]
    assert len(doing) > 30
    for rule in sorted({rule for _, rule in doing} | {"create_port"}):
        site_rules(cloud, f'"{rule}": "!"', monkeypatch)
        for route in (route for route, other in doing if other == rule):
            answer = ask(cloud, garden.user, compute, route, {"metadata": "key", "os-volume_attachments": "x"})
            assert answer.status_code == 403 and rule in answer.text, f"{route.method} {route.path}: {answer.text}"


def test_what_is_made_for_a_server_is_made_by_the_rules_of_those_who_make_it(
    cloud: ApiCloud, garden: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    server_id = garden.server("web")
    port = {"port": {"network_id": garden.network_id}}
    port_id = garden.user.post("/network/v2.0/ports", port, 201).json()["port"]["id"]
    site_rules(cloud, '"create_port": "!"\n"volume:create": "!"', monkeypatch)
    assert "create_port" in garden.user.post(f"{V}/servers", garden.body("more"), 403).text
    assert "create_port" in garden.user.post(f"{V}/servers", garden.body("more", networks=[]), 403).text
    nic = {"interfaceAttachment": {"net_id": garden.network_id}}
    assert "create_port" in garden.user.post(f"{V}/servers/{server_id}/os-interface", nic, 403).text
    own = garden.body("own", networks=[{"port": port_id}])
    disk = {"uuid": garden.image_id, "source_type": "image", "destination_type": "volume", "volume_size": 2}
    booted = {**own["server"], "imageRef": "", "block_device_mapping_v2": [{**disk, "boot_index": 0}]}
    assert "volume:create" in garden.user.post(f"{V}/servers", {"server": booted}, 403).text
    garden.user.post(f"{V}/servers", own, 202)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('"create_network": "role:member and ("', "create_network: .* cannot be read as a check"),
        ('"create_network": "role:member role:admin"', "create_network: .* cannot be read as a check"),
        ('"create_network": "not member"', "create_network: .* cannot be read as a check"),
        (
            '"create_network": "role:member or (role:a and projct)"',
            "create_network: .* cannot be read as a check",
        ),
        (
            '"create_network": "role:a or project_id:%(project_id)d"',
            "create_network: .* cannot be read as a check",
        ),
        ('"create_network": "role:member or project_id.id:x"', "create_network: .* cannot be read as a check"),
        ('"create_network": "role:member or 1st:x"', "create_network: .* cannot be read as a check"),
        ('"create_network": "rule:helper"\n"helper": "role:member or !x"', "helper: .* cannot be read as a check"),
        ('"identity:create_domain": "rule:nosuchrule"', "identity:create_domain asks rule:nosuchrule"),
        ('"create_network": "rule:create_network"', "create_network asks create_network: rules in a circle"),
        (
            '"context_is_admin": "not (role:reader or rule:admin_required)"',
            "context_is_admin asks admin_required asks context_is_admin: rules in a circle",
        ),
    ],
)
def test_a_mistake_in_a_check_is_told_at_the_start(cloud: ApiCloud, text: str, why: str) -> None:
    """It would let nobody pass, or everybody, and nobody know why; a circle would fail each request that meets it."""
    file = cloud.core.config.state_dir / "policy.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=why):
        Policy([rule for service in cloud.core.services for rule in service.rules], file)


@pytest.mark.parametrize(
    "check", ["!", "(!)", " ! ", "@", "", "not !", "role:a or (! and role:b)", "'x':%(role.name)s", "True:%(enabled)s"]
)
def test_a_right_check_is_no_mistake(cloud: ApiCloud, check: str) -> None:
    file = cloud.core.config.state_dir / "policy.yaml"
    file.write_text(f'"create_network": "{check}"')
    Policy([rule for service in cloud.core.services for rule in service.rules], file)


@pytest.mark.parametrize(
    "helper", ["rule:other_default", "role:member or (", "not member", "rule:other:rule", "project_id:%(project_id)d"]
)
def test_what_a_file_says_of_other_services_rules_is_no_mistake(cloud: ApiCloud, helper: str) -> None:
    """One file may serve several clouds."""
    file = cloud.core.config.state_dir / "policy.yaml"
    file.write_text(f'"other:rule": "rule:helper or rule:of_the_other"\n"helper": "{helper}"')
    policy = Policy([rule for service in cloud.core.services for rule in service.rules], file)
    assert policy.unknown == ["helper", "other:rule"]
