"""For whom a stack acts: who sent its template, and nobody else; and what a resource is: its own, never another's."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tane.services.orchestration.store import resources as rows
from tests.api.compute_support import V, make_flavor, make_image, make_network
from tests.api.orchestration_support import at, begin, delete, hot, outputs, path, resources, show, stack, update
from tests.support import ApiCloud, Caller

FLAVOR = {"type": "OS::Nova::Flavor", "properties": {"ram": 64, "vcpus": 1, "name": "king"}}


def res(kind: str, **properties: Any) -> dict[str, Any]:
    return {"type": kind, "properties": properties}


HANDLE = {"type": "OS::Heat::WaitConditionHandle"}
WAIT = res("OS::Heat::WaitCondition", handle={"get_resource": "handle"}, timeout=60)
GROUP = res("OS::Heat::AutoScalingGroup", min_size=0, max_size=1, desired_capacity=0, resource=FLAVOR)
POLICY = res(
    "OS::Heat::ScalingPolicy",
    auto_scaling_group_id={"get_resource": "group"},
    adjustment_type="change_in_capacity",
    scaling_adjustment=1,
)
TRAP = {"group": GROUP, "policy": POLICY}
"""What its author may not make, as soon as it is signalled."""


def pull(cloud: ApiCloud, mallory: Caller, made: dict[str, Any]) -> None:
    """Signal the trap, by the API and by its address."""
    mallory.post(path(mallory, made, "/resources/policy/signal"), {})
    address = mallory.get(path(mallory, made, "/resources/policy")).json()["resource"]["attributes"]["signal_url"]
    if address is not None:
        cloud.call("POST", address[address.index("/orchestration") :], json={})
    cloud.run_jobs()


def kings(cloud: ApiCloud) -> list[str]:
    flavors = cloud.admin.get(f"{V}/flavors").json()["flavors"]
    return [one["name"] for one in flavors if one["name"] == "king"]


@pytest.mark.parametrize("actions", [["check"], ["suspend", "resume"]])
def test_who_checks_or_turns_a_stack_lends_it_no_rights(cloud: ApiCloud, actions: list[str]) -> None:
    mallory = cloud.new_user("mallory", "garden")
    made = stack(cloud, mallory, hot(TRAP))
    for action in actions:
        cloud.admin.request("POST", path(mallory, made, "/actions"), json={action: None})
        cloud.run_jobs()
    shown = show(mallory, "rose", made["id"])
    assert shown["stack_status"] == f"{actions[-1].upper()}_COMPLETE" and shown["stack_owner"] == "mallory"
    pull(cloud, mallory, made)
    assert kings(cloud) == []


def test_what_another_wrote_into_a_group_does_not_stay_while_its_members_are_changed(cloud: ApiCloud) -> None:
    """The members that are not changed yet act with the rights of who changes the group."""
    mallory = cloud.new_user("mallory", "garden")

    def beds(value: str, **more: Any) -> dict[str, Any]:
        of = res("OS::Heat::TestResource", value=value, **more)
        group = res("OS::Heat::ResourceGroup", count=4, resource_def=of)
        return hot({"beds": {**group, "update_policy": {"rolling_update": {"max_batch_size": 1}}}})

    made = stack(cloud, mallory, beds("a"))
    child = resources(mallory, made)["beds"]["physical_resource_id"]
    [inner] = mallory.get(at(mallory, f"/stacks?show_nested=true&id={child}")).json()["stacks"]
    policy = {**POLICY, "properties": {**POLICY["properties"], "auto_scaling_group_id": {"get_resource": "2"}}}
    mine = {"0": res("OS::Heat::TestResource", value="a"), "1": res("OS::Heat::TestResource", value="a")}
    trap = hot({**mine, "2": GROUP, "3": policy})
    assert update(cloud, mallory, inner, trap)["stack_status"] == "UPDATE_COMPLETE"
    body = {"template": beds("b", action_wait_secs={"update": -1})}
    cloud.admin.request("PUT", path(mallory, made), json=body, expect=202)
    cloud.run_jobs()
    assert show(mallory, "rose", made["id"])["stack_status"] == "UPDATE_IN_PROGRESS"
    mallory.request("POST", path(mallory, inner, "/resources/3/signal"), json={})
    cloud.run_jobs()
    assert kings(cloud) == []


def test_a_deletion_that_is_held_up_does_nothing_for_its_author(cloud: ApiCloud) -> None:
    mallory = cloud.new_user("mallory", "garden")
    held = {"resource_registry": {"resources": {"late": {"hooks": "pre-delete"}}}}
    late = {**res("OS::Heat::TestResource"), "depends_on": "policy"}
    made = stack(cloud, mallory, hot({**TRAP, "late": late}), environment=held)
    cloud.admin.request("DELETE", path(mallory, made))
    cloud.run_jobs()
    assert show(mallory, "rose", made["id"])["stack_status"] == "DELETE_IN_PROGRESS"
    mallory.post(path(mallory, made, "/resources/policy/signal"), {}, 400)
    pull(cloud, mallory, made)
    assert kings(cloud) == []
    mallory.post(path(mallory, made, "/resources/late/signal"), {"unset_hook": "pre-delete"}, 200)
    cloud.run_jobs()
    assert show(mallory, "rose", made["id"])["stack_status"] == "DELETE_COMPLETE"


def test_a_rollback_goes_back_to_the_rights_of_who_sent_what_it_goes_back_to(cloud: ApiCloud) -> None:
    """Whoever cancels an update, or whose update fails, goes back to a template of another's."""
    mallory = cloud.new_user("mallory", "garden")
    made = stack(cloud, mallory, hot(TRAP))
    waiting = hot({"handle": HANDLE, "wait": WAIT, **TRAP})
    mallory.put(path(mallory, made), {"template": waiting}, 202)
    cloud.run_jobs()
    cloud.admin.request("POST", path(mallory, made, "/actions"), json={"cancel_update": None})
    cloud.run_jobs()
    pull(cloud, mallory, made)
    assert kings(cloud) == []
    broken = hot({**TRAP, "no": res("OS::Heat::TestResource", fail=True)})
    body = {"template": broken, "disable_rollback": False}
    cloud.admin.request("PUT", path(mallory, made), json=body)
    cloud.run_jobs()
    shown = show(mallory, "rose", made["id"])
    assert (shown["stack_status"], shown["stack_owner"]) == ("ROLLBACK_COMPLETE", "mallory")
    pull(cloud, mallory, made)
    assert kings(cloud) == []


def test_who_keeps_a_part_of_anothers_source_is_told_to_send_all_of_it(cloud: ApiCloud) -> None:
    mallory, ann = cloud.new_user("mallory", "garden"), cloud.new_user("ann", "garden")
    made = stack(cloud, mallory, hot(TRAP))
    for below in ("", "/preview"):
        for body in ({}, {"template": hot({})}):
            answer = cloud.admin.request("PATCH", path(mallory, made, below), json=body)
            assert answer.status_code == 403 and "mallory" in answer.text, answer.text
    ann.patch(path(ann, made), {"tags": "mine"}, 403)
    mallory.patch(path(mallory, made), {"tags": "mine"}, 202)
    cloud.run_jobs()
    assert update(cloud, ann, made, hot({}))["stack_owner"] == "ann"


def test_a_nested_stack_that_its_user_changed_stays_his(cloud: ApiCloud) -> None:
    mallory = cloud.new_user("mallory", "garden")
    inner = hot({"one": res("OS::Heat::TestResource")})
    made = stack(cloud, mallory, hot({"in": {"type": "in.yaml"}}), files={"in.yaml": inner})
    child_id = resources(mallory, made)["in"]["physical_resource_id"]
    child = {"id": child_id, "stack_name": _name(mallory, child_id)}
    assert update(cloud, mallory, child, hot(TRAP))["stack_status"] == "UPDATE_COMPLETE"
    cloud.admin.request("POST", path(mallory, made, "/actions"), json={"check": None})
    cloud.run_jobs()
    assert show(mallory, child["stack_name"], child_id)["stack_owner"] == "mallory"
    pull(cloud, mallory, child)
    assert kings(cloud) == []
    assert delete(cloud, mallory, made)["stack_status"] == "DELETE_COMPLETE"


def _name(caller: Caller, stack_id: str) -> str:
    found = caller.get(at(caller, "/stacks?show_nested=1")).json()["stacks"]
    return str(next(one["stack_name"] for one in found if one["id"] == stack_id))


def test_what_its_author_cannot_delete_any_more_goes_with_the_rights_of_who_asks(cloud: ApiCloud) -> None:
    mia, ann = cloud.new_user("mia", "garden"), cloud.new_user("ann", "garden")
    inner = hot({"net": res("OS::Neutron::Net")})
    template = hot({"net": res("OS::Neutron::Net"), "in": {"type": "in.yaml"}})
    made = [stack(cloud, mia, template, name, files={"in.yaml": inner}) for name in ("one", "two")]
    cloud.admin.delete(f"/identity/v3/users/{mia.user_id}")
    assert delete(cloud, ann, made[0])["stack_status"] == "DELETE_COMPLETE"
    cloud.admin.request("DELETE", path(ann, made[1]))
    cloud.run_jobs()
    assert show(ann, "two", made[1]["id"])["stack_status"] == "DELETE_COMPLETE"
    assert not [one for one in ann.get("/network/v2.0/networks").json()["networks"] if not one["router:external"]]


def test_a_key_pair_is_deleted_of_its_maker_alone(cloud: ApiCloud) -> None:
    mallory, alice = cloud.new_user("mallory", "garden"), cloud.new_user("alice", "garden")
    for user in (alice, cloud.admin):
        user.post(f"{V}/os-keypairs", {"keypair": {"name": "work"}}, 200)
    made = [stack(cloud, mallory, hot({"key": res("OS::Nova::KeyPair", name="work")}))]
    # One is taken over with another template, the other is deleted when its author is gone.
    assert update(cloud, alice, made[0], hot({}))["stack_status"] == "UPDATE_COMPLETE"
    mallory.delete(f"{V}/os-keypairs/work", 202)
    made = [stack(cloud, mallory, hot({"key": res("OS::Nova::KeyPair", name="work")}), "second")]
    cloud.admin.delete(f"/identity/v3/users/{mallory.user_id}")
    cloud.admin.request("DELETE", path(alice, made[0]))
    cloud.run_jobs()
    assert show(alice, "second", made[0]["id"])["stack_status"] == "DELETE_COMPLETE"
    for user in (alice, cloud.admin):
        assert [one["keypair"]["name"] for one in user.get(f"{V}/os-keypairs").json()["keypairs"]] == ["work"]


# ------------------------------------------------------------------------------------------------------ rows of others


def secrets_of(cloud: ApiCloud, mia: Caller) -> dict[str, str]:
    """Ids of a stack with a secret output, of a configuration, of a deployment that is waited for."""
    template = hot(
        {
            "word": res("OS::Heat::RandomString"),
            "config": res("OS::Heat::SoftwareConfig", config="PASS=sunflower"),
            "run": res("OS::Heat::SoftwareDeployment", config={"get_resource": "config"}, server="s1"),
        },
        outputs={"word": {"value": {"get_attr": ["word", "value"]}}},
    )
    made = stack(cloud, mia, template)
    found = resources(mia, made)
    ids = {name: found[name]["physical_resource_id"] for name in ("config", "run")}
    return {"stack": made["id"], **ids}


TAKERS: dict[str, tuple[str, str]] = {
    "OS::Heat::Stack": ("stack", "outputs"),
    "in.yaml": ("stack", "word"),
    "OS::Heat::ResourceGroup": ("stack", "refs"),
    "OS::Heat::AutoScalingGroup": ("stack", "refs"),
    "OS::Heat::SoftwareConfig": ("config", "config"),
    "OS::Heat::SoftwareDeployment": ("run", "deploy_stdout"),
    "OS::Heat::WaitConditionHandle": ("stack", "curl_cli"),
}


def test_what_keeps_rows_of_its_own_takes_no_external_id(cloud: ApiCloud) -> None:
    mia, mallory = cloud.new_user("mia", "garden"), cloud.new_user("mallory", "shed")
    ids = secrets_of(cloud, mia)
    for kind, (what, _) in TAKERS.items():
        taker = {"type": kind, "external_id": ids[what]}
        body = {"stack_name": "x", "template": hot({"it": taker}), "files": {"in.yaml": hot({})}}
        answer = mallory.post(at(mallory, "/stacks"), body, 400)
        assert "external_id is not possible" in answer.text, kind
        nested = {**body, "template": hot({"out": {"type": "out.yaml"}})}
        nested["files"] = {"in.yaml": hot({}), "out.yaml": hot({"it": taker})}
        assert "external_id is not possible" in mallory.post(at(mallory, "/stacks"), nested, 400).text, kind


def test_a_resource_finds_nothing_of_anothers_by_its_id(cloud: ApiCloud) -> None:
    """Whatever a row says that stands for its resource."""
    mia, mallory = cloud.new_user("mia", "garden"), cloud.new_user("mallory", "shed")
    ids = secrets_of(cloud, mia)
    config = res("OS::Heat::SoftwareConfig", config="mine")
    own: dict[str, Any] = {
        "stack": res("OS::Heat::Stack", template="heat_template_version: 2021-04-16"),
        "config": config,
        "run": res("OS::Heat::SoftwareDeployment", config={"get_resource": "config"}, server="s2"),
    }
    shown = {"stack": "outputs", "config": "config", "run": "deploy_stdout"}
    said = {name: {"value": {"get_attr": [name, what]}} for name, what in shown.items()}
    made = stack(cloud, mallory, hot(own, outputs=said))
    with cloud.core.db.write() as tx:
        for row in rows.of_stack(tx, made["id"]):
            rows.change(tx, row.id, physical_id=ids[row.name])
    told = show(mallory, "rose", made["id"])
    assert "sunflower" not in str(told) and not any(outputs(told).values()), outputs(told)
    evil = {"deploy_stdout": "evil", "deploy_status_code": 0}
    mallory.post(path(mallory, made, "/resources/run/signal"), evil, 400)
    for action in ("suspend", "check"):
        mallory.post(path(mallory, made, "/actions"), {action: None})
        cloud.run_jobs()
    mallory.delete(path(mallory, made))
    cloud.run_jobs()
    victim = show(mia, "rose", ids["stack"])
    assert (victim["stack_status"], victim["stack_owner"]) == ("CREATE_IN_PROGRESS", "mia")
    mia.get(at(mia, f"/software_configs/{ids['config']}"), 200)
    deployment = mia.get(at(mia, f"/software_deployments/{ids['run']}")).json()["software_deployment"]
    assert (deployment["status"], deployment["output_values"]) == ("IN_PROGRESS", {})


def test_a_credentials_access_rules_hold_for_configurations_and_signals_too(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    rules = [
        {"service": "orchestration", "method": "POST", "path": "/v1/*/stacks"},
        {"service": "orchestration", "method": "GET", "path": "/v1/**"},
    ]
    body = {"application_credential": {"name": "robot", "access_rules": rules}}
    made = mia.post(f"/identity/v3/users/{mia.user_id}/application_credentials", body, 201).json()
    credential = made["application_credential"]
    identity = {"methods": ["application_credential"], "application_credential": {}}
    identity["application_credential"] = {"id": credential["id"], "secret": credential["secret"]}
    answer = cloud.call("POST", "/identity/v3/auth/tokens", json={"auth": {"identity": identity}})
    robot = Caller(cloud, answer.headers["x-subject-token"], mia.project_id, mia.user_id)
    shown = stack(cloud, robot, hot({"config": res("OS::Heat::SoftwareConfig", config="x")}))
    assert shown["stack_status"] == "CREATE_FAILED" and "access rules" in shown["stack_status_reason"]
    group = {**GROUP, "properties": {**GROUP["properties"], "resource": {"type": "OS::Heat::None"}}}
    trap = stack(cloud, robot, hot({"group": group, "policy": POLICY}), "trap")
    assert trap["stack_status"] == "CREATE_COMPLETE"
    address = robot.get(path(robot, trap, "/resources/policy")).json()["resource"]["attributes"]["signal_url"]
    answer = cloud.call("POST", address[address.index("/orchestration") :], json={})
    assert answer.status_code == 403 and "access rules" in answer.text


def test_an_update_by_another_between_two_steps_gets_nothing_of_the_first_authors(cloud: ApiCloud) -> None:
    """A job that found out for whom it acts looks again, in its transaction, whether that still holds."""
    mallory = cloud.new_user("mallory", "garden")
    made = begin(cloud.admin, hot({"one": res("OS::Heat::TestResource")}), "tree")["stack"]
    from tane.services.orchestration.domain import rights
    from tane.services.orchestration.store import stacks

    with cloud.core.db.write() as tx:
        seen = stacks.get(tx, made["id"])
        assert seen is not None and rights.same(tx, seen) is not None
        stacks.change(tx, made["id"], delegation={**seen.delegation, "user_id": mallory.user_id})
        assert rights.same(tx, seen) is None


def test_who_may_not_signal_reads_no_address_that_does(cloud: ApiCloud) -> None:
    """Wherever it stands: in attributes, outputs, configurations, deployments, parameters of nested stacks."""
    mia, eve = cloud.new_user("mia", "garden"), cloud.new_user("eve", "garden", role="reader")
    asked = {"heat_template_version": "2021-04-16", "parameters": {"where": {"type": "string"}}}
    outputs = {"where": {"get_attr": ["policy", "signal_url"]}, "how": {"get_attr": ["handle", "curl_cli"]}}
    outputs["aws"] = {"get_resource": "amazon"}
    group = {**GROUP, "properties": {**GROUP["properties"], "resource": {"type": "OS::Heat::None"}}}
    template = hot(
        {
            "group": group,
            "policy": POLICY,
            "handle": HANDLE,
            "amazon": {"type": "AWS::CloudFormation::WaitConditionHandle"},
            "in": {"type": "in.yaml", "properties": {"where": {"get_attr": ["policy", "signal_url"]}}},
            "kept": res("OS::Heat::Value", value={"list_join": ["", ["see ", {"get_attr": ["handle", "endpoint"]}]]}),
            "config": res("OS::Heat::SoftwareConfig", config="x"),
            "run": res("OS::Heat::SoftwareDeployment", config={"get_resource": "config"}, server="s1"),
        },
        outputs={name: {"value": value} for name, value in outputs.items()},
    )
    made = stack(cloud, mia, template, files={"in.yaml": asked})
    child = resources(mia, made)["in"]["physical_resource_id"]
    [deployment] = mia.get(at(mia, "/software_deployments")).json()["software_deployments"]
    places = [path(mia, made, below) for below in ("", "/outputs/where", "/outputs/how", "/outputs/aws")]
    places += [path(mia, made, f"/resources/{name}") for name in ("policy", "handle", "kept")]
    places += [path(mia, made, "/resources?with_detail=true"), at(mia, "/software_deployments/metadata/s1")]
    places += [at(mia, f"/stacks/{_name(mia, child)}/{child}{below}") for below in ("", "/environment")]
    places.append(at(mia, f"/software_configs/{deployment['config_id']}"))
    for place in places:
        mine, seen = mia.get(place), eve.get(place)
        assert "/orchestration/signal/" in mine.text and "******" not in mine.text, place
        # Of a nested stack's parameters a reader sees the names alone.
        told = '"where":"******"' if place.endswith("/environment") else "/orchestration/signal/"
        assert seen.status_code == 200 and told in seen.text, (place, seen.text)
        for piece in seen.text.split("/orchestration/signal/")[1:]:
            assert piece[36:].startswith("/******"), place


@pytest.mark.parametrize("administrator", ["deletes", "updates"])
def test_a_volume_that_was_handed_to_another_project_stays_that_projects(cloud: ApiCloud, administrator: str) -> None:
    """An administrator finds it all the same, as who asks for the deletion or as author of a new template."""
    mallory, bob = cloud.new_user("mallory", "garden"), cloud.new_user("bob", "shed")
    made = stack(cloud, mallory, hot({"disk": res("OS::Cinder::Volume", size=1)}))
    volume_id = resources(mallory, made)["disk"]["physical_resource_id"]
    handed_over(mallory, bob, volume_id)
    roles = f"/identity/v3/projects/{mallory.project_id}/users/{mallory.user_id}/roles"
    for role in cloud.admin.get(roles).json()["roles"]:
        cloud.admin.delete(f"{roles}/{role['id']}", 204)
    if administrator == "updates":
        update(cloud, cloud.admin, made, hot({"disk": res("OS::Cinder::Volume", size=2, name="mine")}))
    cloud.admin.delete(path(cloud.admin, made).replace(cloud.admin.project_id, mallory.project_id), 204)
    cloud.run_jobs()
    shown = bob.get(f"/volume/v3/volumes/{volume_id}").json()["volume"]
    assert (shown["size"], shown["name"] == "mine", shown["status"]) == (1, False, "available")


def handed_over(giver: Caller, taker: Caller, volume_id: str) -> None:
    v3 = "/volume/v3/{}/os-volume-transfer"
    offer = giver.post(v3.format(giver.project_id), {"transfer": {"volume_id": volume_id}}, 202).json()["transfer"]
    taken = {"accept": {"auth_key": offer["auth_key"]}}
    taker.post(f"{v3.format(taker.project_id)}/{offer['id']}/accept", taken, 202)


def test_nothing_is_restored_to_a_volume_that_was_handed_over(cloud: ApiCloud) -> None:
    """The stack acts with an administrator's rights, who had sent its template."""
    mallory, bob = cloud.new_user("mallory", "garden"), cloud.new_user("bob", "shed")
    template = hot({"disk": res("OS::Cinder::Volume", size=1)})
    made = stack(cloud, mallory, template)
    volume_id = resources(mallory, made)["disk"]["physical_resource_id"]
    update(cloud, cloud.admin, made, template)
    kept = mallory.post(path(mallory, made, "/snapshots"), {"name": "monday"}).json()
    cloud.run_jobs()
    handed_over(mallory, bob, volume_id)
    mallory.post(path(mallory, made, f"/snapshots/{kept['id']}/restore"))
    cloud.run_jobs()
    assert show(mallory, "rose", made["id"])["stack_status"] == "RESTORE_FAILED"
    delete(cloud, mallory, made)
    assert bob.get(f"/volume/v3/volumes/{volume_id}").json()["volume"]["status"] == "available"


def test_a_port_that_who_adopts_a_server_says_is_its_own_is_not_deleted_for_that(cloud: ApiCloud) -> None:
    mallory, bob = cloud.new_user("mallory", "garden"), cloud.new_user("bob", "shed")
    flavor, image, network = make_flavor(cloud.admin), make_image(mallory), make_network(mallory)
    body = {"name": "web", "flavorRef": flavor, "imageRef": image, "networks": [{"uuid": network}]}
    server_id = mallory.post(f"{V}/servers", {"server": body}, 202).json()["server"]["id"]
    port = {"port": {"network_id": make_network(bob)}}
    port_id = bob.post("/network/v2.0/ports", port, 201).json()["port"]["id"]
    cloud.run_jobs()
    template = hot({"web": res("OS::Nova::Server", flavor=flavor, image=image, networks=[{"network": network}])})
    forged = {"resource_id": server_id, "resource_data": {"ports": [{"id": port_id, "own": True, "of": {}}]}}
    document = json.dumps({"template": template, "resources": {"web": forged}})
    body = {"stack_name": "rose", "adopt_stack_data": document}
    made = mallory.post(at(mallory, "/stacks"), body, 201).json()["stack"] | {"stack_name": "rose"}
    cloud.run_jobs()
    assert show(mallory, "rose", made["id"])["stack_status"] == "ADOPT_COMPLETE"
    update(cloud, cloud.admin, made, template)
    cloud.admin.delete(path(cloud.admin, made).replace(cloud.admin.project_id, mallory.project_id), 204)
    cloud.run_jobs()
    bob.get(f"/network/v2.0/ports/{port_id}", 200)
