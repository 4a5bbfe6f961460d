"""Templates of an enemy: others' things in properties, secrets in what is told, limits, addresses that are to be
fetched, rights that were taken meanwhile."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.network_support import public
from tests.api.orchestration_support import at, begin, delete, hot, path, show, stack, update
from tests.support import ApiCloud, Caller

SECRET = "sunflower-4711"


def res(kind: str, **properties: Any) -> dict[str, Any]:
    return {"type": kind, "properties": properties}


def foreign(cloud: ApiCloud, owner: Caller) -> dict[str, str]:
    """A network, a port, a group and a volume of someone else."""
    net = owner.post("/network/v2.0/networks", {"network": {"name": "secret"}}, 201).json()["network"]["id"]
    owner.post("/network/v2.0/subnets", {"subnet": {"network_id": net, "ip_version": 4, "cidr": "10.5.0.0/24"}}, 201)
    port = owner.post("/network/v2.0/ports", {"port": {"network_id": net}}, 201).json()["port"]["id"]
    router = owner.post("/network/v2.0/routers", {"router": {"name": "r"}}, 201).json()["router"]["id"]
    group = {"security_group": {"name": "secret"}}
    group_id = owner.post("/network/v2.0/security-groups", group, 201).json()["security_group"]["id"]
    volume = {"volume": {"size": 1}}
    volume_id = owner.post(f"/volume/v3/{owner.project_id}/volumes", volume, 202).json()["volume"]["id"]
    cloud.run_jobs()
    return {"public": public(cloud), "net": net, "port": port, "router": router, "group": group_id, "volume": volume_id}


def attacks(ids: dict[str, str]) -> dict[str, dict[str, Any]]:
    return {
        "a subnet in a network": res("OS::Neutron::Subnet", network=ids["net"], cidr="10.6.0.0/24"),
        "a port in a network": res("OS::Neutron::Port", network=ids["net"]),
        "an address on a port": res("OS::Neutron::FloatingIP", floating_network=ids["public"], port_id=ids["port"]),
        "a leg of a router": res("OS::Neutron::RouterInterface", router=ids["router"], subnet=ids["net"]),
        "a rule of a group": res("OS::Neutron::SecurityGroupRule", security_group=ids["group"]),
        "a copy of a volume": res("OS::Cinder::Volume", source_volid=ids["volume"]),
        "a network by its name": res("OS::Neutron::Port", network="secret"),
    }


def test_what_belongs_to_another_project_is_not_there_in_properties(cloud: ApiCloud) -> None:
    mia, bob = cloud.new_user("mia", "garden"), cloud.new_user("bob", "shed")
    for number, (what, declared) in enumerate(attacks(foreign(cloud, mia)).items()):
        answer = bob.post(at(bob, "/stacks"), {"stack_name": f"s{number}", "template": hot({"it": declared})})
        assert answer.status_code == 400, f"{what}: {answer.text}"
        assert "find" in answer.text or "could not be found" in answer.text, what


def test_ids_that_become_known_only_while_the_stack_is_made_are_refused_too(cloud: ApiCloud) -> None:
    """A value that is known when the resource is made meets the same rules as the user's own request."""
    mia, bob = cloud.new_user("mia", "garden"), cloud.new_user("bob", "shed")
    ids = foreign(cloud, mia)
    for number, (what, declared) in enumerate(attacks(ids).items()):
        known = {
            one: res("OS::Heat::Value", value=id_) for one, id_ in [*ids.items(), ("name", "secret")] if one != "public"
        }
        by_value = {one["properties"]["value"]: {"get_attr": [name, "value"]} for name, one in known.items()}
        later = {name: by_value.get(value, value) for name, value in declared["properties"].items()}
        template = hot({**known, "it": {**declared, "properties": later}})
        made = stack(cloud, bob, template, f"s{number}")
        assert made["stack_status"] == "CREATE_FAILED", what
        assert delete(cloud, bob, made)["stack_status"] == "DELETE_COMPLETE", what


def test_a_template_has_no_more_rights_than_its_user(cloud: ApiCloud) -> None:
    bob = cloud.new_user("bob", "shed")
    for number, declared in enumerate(
        (
            res("OS::Neutron::Net", shared=True),
            res("OS::Neutron::ProviderNet", network_type="flat", physical_network="public"),
            res("OS::Nova::Flavor", ram=64, vcpus=1),
            res("OS::Keystone::Role", name="king"),
            res("OS::Neutron::Net", value_specs={"router:external": True}),
            res("OS::Neutron::Net", tenant_id="another"),
        )
    ):
        made = stack(cloud, bob, hot({"it": declared}), f"s{number}")
        assert made["stack_status"] == "CREATE_FAILED", made
    reader = cloud.new_user("eve", "shed", role="reader")
    reader.post(at(reader, "/stacks"), {"stack_name": "x", "template": hot({})}, 403)


def test_stacks_of_another_project_are_not_there(cloud: ApiCloud) -> None:
    mia, bob = cloud.new_user("mia", "garden"), cloud.new_user("bob", "shed")
    made = stack(cloud, mia, hot({"one": res("OS::Heat::TestResource")}))
    bob.get(at(bob, f"/stacks/rose/{made['id']}"), 404)
    bob.get(at(bob, "/stacks/rose"), 404)
    bob.get(at(bob, f"/stacks/{made['id']}"), 404)
    bob.get(at(mia, f"/stacks/rose/{made['id']}"), 403)
    assert not bob.get(at(bob, "/stacks?show_nested=1&show_deleted=1&show_hidden=1")).json()["stacks"]
    bob.get(at(bob, "/stacks?global_tenant=1"), 403)


def test_a_hidden_parameter_is_told_nowhere(cloud: ApiCloud, capsys: pytest.CaptureFixture[str]) -> None:
    mia = cloud.new_user("mia", "garden")
    template = hot(
        {
            "good": res("OS::Heat::TestResource", value={"get_param": "word"}),
            "bad": res("OS::Heat::TestResource", value={"get_attr": ["good", "output"]}, fail=True),
            "wrong": res("OS::Neutron::Net", dns_domain={"list_join": ["", ["%", {"get_attr": ["good", "output"]}]]}),
        },
        parameters={"word": {"type": "string", "hidden": True}},
    )
    given = {"parameters": {"word": SECRET}}
    body = {"stack_name": "preview", "template": template, **given}
    told = {"list_join": ["", ["%", {"get_param": "word"}]]}
    wrong = {**template, "resources": {"wrong": res("OS::Neutron::Net", dns_domain=told)}}
    assert SECRET not in mia.post(at(mia, "/stacks"), {**body, "template": wrong}, 400).text
    texts = [mia.post(at(mia, "/stacks/preview"), body, 200).text]
    made = stack(cloud, mia, template, **given)
    assert made["stack_status"] == "CREATE_FAILED"
    texts += [mia.get(path(mia, made, below)).text for below in ("", "/events", "/resources")]
    texts += [mia.get(at(mia, "/stacks")).text, mia.get("/events").text, capsys.readouterr().out]
    # By now it is known that one value is wrong, and it is told without it.
    texts.append(mia.put(path(mia, made, "/preview"), {"template": template, **given}, 400).text)
    del template["resources"]["wrong"]
    texts.append(mia.put(path(mia, made, "/preview"), {"template": template, **given}, 200).text)
    for text in texts:
        assert SECRET not in text, text[max(0, text.index(SECRET) - 300) : text.index(SECRET) + 50]


def test_the_secret_of_a_signals_address_is_told_by_the_attribute_alone(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    made = stack(cloud, mia, hot({"handle": res("OS::Heat::WaitConditionHandle")}))
    shown = mia.get(path(mia, made, "/resources/handle")).json()["resource"]
    secret = shown["attributes"]["endpoint"].rsplit("/", 1)[1]
    for below in ("", "/events", "/resources", "/export", "/resources/handle/metadata"):
        assert secret not in mia.get(path(mia, made, below)).text
    assert secret not in mia.get("/events").text


@pytest.mark.parametrize(
    "body",
    [
        {"template_url": "http://169.254.169.254/latest/user-data"},
        {"template_url": "file:///etc/passwd"},
        {"template": hot({"it": {"type": "http://127.0.0.1/x.yaml"}})},
        {"template": hot({"it": {"type": "file:///etc/passwd.yaml"}})},
        {"template": hot({"it": {"type": "/etc/passwd.yaml"}})},
        {"template": hot({"it": res("OS::Heat::Value", value={"get_file": "/etc/passwd"})})},
        {"template": hot({"it": res("OS::Heat::Value", value={"get_file": "http://127.0.0.1/"})})},
        {"template": hot({}), "environment": {"resource_registry": {"A": "http://127.0.0.1/x.yaml"}}, "ask": 1},
        {"template": hot({}), "environment_files": ["/etc/passwd"]},
    ],
)
def test_nothing_is_fetched_for_a_template(cloud: ApiCloud, body: dict[str, Any]) -> None:
    mia = cloud.new_user("mia", "garden")
    answer = mia.post(at(mia, "/stacks"), {"stack_name": "x", **body})
    if body.pop("ask", None):
        # A mapping that no resource uses is no more than a word.
        assert answer.status_code == 201
        return
    assert answer.status_code == 400, answer.text
    assert "root:" not in answer.text


def test_limits_of_templates_are_kept(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    long = hot({}, description="x" * (512 * 1024))
    assert (
        "exceeds maximum allowed size" in mia.post(at(mia, "/stacks"), {"stack_name": "a", "template": long}, 400).text
    )
    many = hot({f"r{number}": {"type": "OS::Heat::None"} for number in range(1001)})
    assert "1000" in mia.post(at(mia, "/stacks"), {"stack_name": "b", "template": many}, 400).text
    ring = "heat_template_version: 2021-04-16\nresources: {it: {type: ring.yaml}}\n"
    body = {"stack_name": "c", "template": ring, "files": {"ring.yaml": ring}}
    assert "depth" in mia.post(at(mia, "/stacks"), body, 400).text
    grow = hot({"it": res("OS::Heat::ResourceGroup", count=100_000, resource_def={"type": "OS::Heat::None"})})
    assert mia.post(at(mia, "/stacks"), {"stack_name": "d", "template": grow}, 400).status_code == 400


@pytest.mark.parametrize("name", ["", "1a", "a/b", "a b", "ä", "a\n", "a" * 256, "../x", "a%2fb"])
def test_a_stacks_name_has_its_form(cloud: ApiCloud, name: str) -> None:
    mia = cloud.new_user("mia", "garden")
    mia.post(at(mia, "/stacks"), {"stack_name": name, "template": hot({})}, 400)


def test_rights_that_were_taken_are_told_and_another_of_the_project_can_delete(cloud: ApiCloud) -> None:
    mia, ann = cloud.new_user("mia", "garden"), cloud.new_user("ann", "garden")
    made = begin(mia, hot({"net": res("OS::Neutron::Net"), "one": res("OS::Heat::TestResource")}))
    [role] = cloud.admin.get("/identity/v3/roles?name=member").json()["roles"]
    grant = f"/identity/v3/projects/{mia.project_id}/users/{mia.user_id}/roles/{role['id']}"
    cloud.admin.delete(grant)
    cloud.run_jobs()
    shown = show(ann, "rose", made["stack"]["id"])
    assert shown["stack_status"] == "CREATE_FAILED"
    assert "owner has no rights in the project any more" in shown["stack_status_reason"]
    assert update(cloud, ann, shown, hot({"net": res("OS::Neutron::Net")}))["stack_status"] == "UPDATE_COMPLETE"
    assert delete(cloud, ann, shown)["stack_status"] == "DELETE_COMPLETE"
    assert not [one for one in ann.get("/network/v2.0/networks").json()["networks"] if not one["router:external"]]


def test_a_credentials_access_rules_hold_for_what_its_stacks_do(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    rules = [
        {"service": "orchestration", "method": "POST", "path": "/v1/*/stacks"},
        {"service": "orchestration", "method": "GET", "path": "/v1/**"},
    ]
    body = {"application_credential": {"name": "robot", "access_rules": rules}}
    made = mia.post(f"/identity/v3/users/{mia.user_id}/application_credentials", body, 201).json()
    credential = made["application_credential"]
    auth = {"methods": ["application_credential"]}
    auth["application_credential"] = {"id": credential["id"], "secret": credential["secret"]}  # type: ignore[assignment]
    token = cloud.call("POST", "/identity/v3/auth/tokens", json={"auth": {"identity": auth}}).headers["x-subject-token"]
    robot = Caller(cloud, token, mia.project_id, mia.user_id)
    shown = stack(cloud, robot, hot({"net": res("OS::Neutron::Net")}))
    assert shown["stack_status"] == "CREATE_FAILED" and "access rules" in shown["stack_status_reason"]


def test_a_deletion_that_something_stands_in_the_way_of_can_be_asked_for_again(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    get = {"get_resource": "net"}
    net = {"net": res("OS::Neutron::Net"), "subnet": res("OS::Neutron::Subnet", network=get, cidr="10.5.0.0/24")}
    made = stack(cloud, mia, hot(net))
    found = mia.get(path(mia, made, "/resources/net")).json()["resource"]["physical_resource_id"]
    port = mia.post("/network/v2.0/ports", {"port": {"network_id": found}}, 201).json()["port"]["id"]
    mia.delete(path(mia, made))
    for _ in range(12):
        cloud.wait(cloud.cloud.runner._start_due())
        for task in list(cloud.cloud.runner._tasks.values()):
            cloud.wait(_ended(task))
        cloud.advance(31)
    shown = show(mia, "rose", made["id"])
    assert shown["stack_status"] == "DELETE_FAILED" and "SubnetInUse" in shown["stack_status_reason"], shown
    mia.delete(f"/network/v2.0/ports/{port}")
    assert delete(cloud, mia, shown)["stack_status"] == "DELETE_COMPLETE"


async def _ended(task: Any) -> None:
    await task


@pytest.mark.parametrize("name", [["x"], {"x": 1}, 7])
def test_a_name_of_an_input_that_is_no_string_is_refused(cloud: ApiCloud, name: Any) -> None:
    mia = cloud.new_user("mia", "garden")
    for part in ("inputs", "outputs"):
        body = {"name": "c", "group": "script", "config": "", part: [{"name": name}]}
        told = mia.post(at(mia, "/software_configs"), body, 400).json()["error"]["message"]
        assert f"Each of the {part} of a software config needs a name, which is a string." in told


def test_who_may_only_read_sees_nothing_hidden_in_nested_stacks(cloud: ApiCloud) -> None:
    mia, rita = cloud.new_user("mia", "garden"), cloud.new_user("rita", "garden", "reader")
    inner = hot({"deep": res("OS::Heat::TestResource")}, parameters={"word": {"type": "string"}})
    deeper = hot(
        {"in": {"type": "in.yaml", "properties": {"word": {"get_param": "word"}}}},
        parameters={"word": {"type": "string"}},
    )
    member = {"type": "OS::Heat::TestResource", "properties": {"value": {"get_param": "pw"}}}
    whole = hot(
        {
            "one": {"type": "out.yaml", "properties": {"word": {"get_param": "pw"}}},
            "group": res("OS::Heat::ResourceGroup", count=1, resource_def=member),
        },
        parameters={"pw": {"type": "string", "hidden": True}, "open": {"type": "string", "default": "daisy"}},
    )
    stack(cloud, mia, whole, files={"in.yaml": inner, "out.yaml": deeper}, parameters={"pw": SECRET})
    listed = rita.get(at(rita, "/stacks/detail?show_nested=1"))
    nested = [one for one in listed.json()["stacks"] if one["parent"]]
    assert len(nested) == 3 and SECRET not in listed.text and "daisy" in listed.text
    for one in nested:
        for below in ("", "/template", "/files", "/environment"):
            assert SECRET not in rita.get(path(rita, one, below)).text, below
    # Who could write a template that shows it sees it.
    assert SECRET in mia.get(at(mia, "/stacks/detail?show_nested=1")).text
    assert any(SECRET in mia.get(path(mia, one, "/template")).text for one in nested)


def test_why_an_output_has_no_value_does_not_tell_what_is_hidden(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    hidden = {"pw": {"type": "string", "hidden": True}}
    digest = {"digest": [{"get_attr": ["v", "value"]}, "x"]}
    template = hot(
        {"v": res("OS::Heat::Value", value={"get_param": "pw"})},
        parameters=hidden,
        outputs={"o": {"value": {"str_split": [",", "a", {"get_attr": ["v", "value"]}]}}, "d": {"value": digest}},
    )
    made = stack(cloud, mia, template, parameters={"pw": SECRET})
    told = [one.get("output_error", "") for one in made["outputs"]]
    assert all(told) and SECRET not in str(told)
