"""What stacks tell guests: by which words a server's guest finds what it is to do, and that this is all it can."""

from __future__ import annotations

import base64
import email
import hmac
import json
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import pytest

from tests.api.compute_support import make_flavor, make_image
from tests.api.dashboard_support import Browser
from tests.api.orchestration_support import at, delete, hot, outputs, path, refused, resources, stack, update
from tests.support import ApiCloud, Caller

SCRIPT = "#!/bin/sh\necho rose"


class Bed:
    """A project in which stacks of one server are made."""

    def __init__(self, cloud: ApiCloud) -> None:
        self.cloud, self.mia = cloud, cloud.new_user("mia", "garden")
        self.flavor, self.image = make_flavor(cloud.admin), make_image(self.mia, "rose")

    def template(self, transport: str, *, text: str = "water", **server: Any) -> dict[str, Any]:
        """A server with a deployment that never signals, and another resource."""
        properties = {
            "flavor": self.flavor,
            "image": self.image,
            "networks": [{"allocate_network": "none"}],
            "user_data": SCRIPT,
            "user_data_format": "SOFTWARE_CONFIG",
            "software_config_transport": transport,
        }
        deployment = {
            "config": {"get_resource": "config"},
            "server": {"get_resource": "server"},
            "signal_transport": "NO_SIGNAL",
        }
        parts = {
            "server": {"type": "OS::Nova::Server", "properties": properties, **server},
            "config": {"type": "OS::Heat::SoftwareConfig", "properties": {"group": "script", "config": text}},
            "deployment": {"type": "OS::Heat::SoftwareDeployment", "properties": deployment},
            "other": {"type": "OS::Heat::TestResource", "metadata": {"colour": "red"}},
        }
        return hot(parts, outputs={"told": {"value": {"get_attr": ["server", "os_collect_config"]}}})

    def stack(self, transport: str, **more: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """(stack, what os-collect-config is told)."""
        made = stack(self.cloud, self.mia, self.template(transport, **more))
        assert made["stack_status"] == "CREATE_COMPLETE", made["stack_status_reason"]
        return made, outputs(made)["told"]

    def user_data(self, shown: dict[str, Any], name: str = "server") -> str:
        server = resources(self.mia, shown)[name]["physical_resource_id"]
        headers = {"X-OpenStack-Nova-API-Version": "2.90"}
        found = self.cloud.admin.get(f"/compute/v2.1/servers/{server}", headers=headers).json()["server"]
        return base64.b64decode(found["OS-EXT-SRV-ATTR:user_data"]).decode()

    def parts(self, shown: dict[str, Any], name: str = "server") -> dict[str, str]:
        """The parts of a server's user data by their names, those without one by their type."""
        message = email.message_from_string(self.user_data(shown, name))
        return {
            str(part.get_filename() or part.get_content_subtype()): part.get_payload(decode=True).decode()
            for part in message.walk()
            if not part.is_multipart()
        }

    def guest(self, heat: dict[str, Any]) -> Caller:
        """Whoever logs in as the guest is told to."""
        user = {"id": heat["user_id"], "password": heat["password"]}
        identity = {"methods": ["password"], "password": {"user": user}}
        body = {"auth": {"identity": identity, "scope": {"project": {"id": heat["project_id"]}}}}
        answer = self.cloud.call("POST", f"{urlsplit(heat['auth_url']).path}/auth/tokens", json=body)
        assert answer.status_code == 201, answer.text
        return Caller(self.cloud, answer.headers["X-Subject-Token"], heat["project_id"], heat["user_id"])


@pytest.fixture
def bed(cloud: ApiCloud) -> Bed:
    return Bed(cloud)


def test_a_guest_that_polls_heat_reads_what_it_is_to_do_and_what_an_update_changes(bed: Bed) -> None:
    made, told = bed.stack("POLL_SERVER_HEAT")
    assert told["collectors"] == ["ec2", "heat", "local"] and told["heat"]["stack_id"] == f"rose/{made['id']}"
    guest = bed.guest(told["heat"])
    below = f"/stacks/{told['heat']['stack_id']}/resources/server/metadata"
    first = guest.get(at(guest, below)).json()["metadata"]
    assert first["os-collect-config"] == told
    assert [one["config"] for one in first["deployments"]] == ["water"]
    update(bed.cloud, bed.mia, made, bed.template("POLL_SERVER_HEAT", text="more water"))
    assert guest.get(at(guest, below)).json()["metadata"]["deployments"][0]["config"] == "more water"


def test_the_user_of_a_guest_is_good_for_nothing_else(bed: Bed) -> None:
    made, told = bed.stack("POLL_SERVER_HEAT")
    other = stack(bed.cloud, bed.mia, bed.template("POLL_SERVER_HEAT"), "tulip")
    guest = bed.guest(told["heat"])
    for below in (path(guest, made, "/resources/other/metadata"), path(guest, other, "/resources/server/metadata")):
        guest.get(below, 403)
    guest.post(path(guest, made, "/resources/other/signal"), {}, 403)
    hooks = {"resource_registry": {"resources": {"vault": {"hooks": "pre-create"}}}}
    held = stack(bed.cloud, bed.mia, hot({"vault": {"type": "OS::Heat::None"}}), "held", environment=hooks)
    for shown, name in ((held, "vault"), (made, "server")):
        guest.post(path(guest, shown, f"/resources/{name}/signal"), {"unset_hook": "pre-create"}, 403)
    refused = (
        at(guest, "/stacks"),
        path(guest, made),
        path(guest, made, "/resources/server"),
        "/compute/v2.1/servers",
        "/network/v2.0/networks",
        f"/identity/v3/users/{guest.user_id}/application_credentials",
    )
    for below in refused:
        assert guest.get(below, None).status_code in (401, 403), below
    name = bed.cloud.admin.get(f"/identity/v3/users/{guest.user_id}").json()["user"]["name"]
    entered = Browser(bed.cloud).login(name, told["heat"]["password"], domain="heat_stack_users")
    assert entered.status_code == 401
    delete(bed.cloud, bed.mia, made)
    guest.get(path(guest, made, "/resources/server/metadata"), 401)
    assert bed.cloud.admin.get(f"/identity/v3/users/{guest.user_id}", 404)


def test_users_of_guests_go_with_an_abandoned_stack(bed: Bed) -> None:
    made, told = bed.stack("POLL_SERVER_CFN")
    users = "/identity/v3/users?domain_id=heat_stack_users"
    assert len(bed.cloud.admin.get(users).json()["users"]) == 1 and told["cfn"]["path"] == "server.Metadata"
    bed.mia.delete(path(bed.mia, made, "/abandon"), 200)
    assert not bed.cloud.admin.get(users).json()["users"]


def test_a_guest_that_polls_an_address_reads_the_same_and_others_nothing(bed: Bed) -> None:
    made, told = bed.stack("POLL_TEMP_URL")
    where = urlsplit(told["request"]["metadata_url"]).path
    assert bed.cloud.call("HEAD", where).status_code == 200
    assert bed.cloud.call("GET", where).json()["deployments"][0]["config"] == "water"
    assert bed.cloud.call("GET", where[:-1] + "-").status_code == 404
    update(bed.cloud, bed.mia, made, bed.template("POLL_SERVER_HEAT"))
    assert bed.cloud.call("GET", where).status_code == 404


def test_an_address_is_good_for_nothing_while_its_project_is_disabled(bed: Bed) -> None:
    where = urlsplit(bed.stack("POLL_TEMP_URL")[1]["request"]["metadata_url"]).path
    bed.cloud.admin.patch(f"/identity/v3/projects/{bed.mia.project_id}", {"project": {"enabled": False}}, 200)
    assert bed.cloud.call("GET", where).status_code == 404


def test_somebody_elses_domain_of_the_same_name_stops_no_guests_user(bed: Bed) -> None:
    bed.cloud.admin.post("/identity/v3/domains", {"domain": {"name": "heat_stack_users"}}, 201)
    assert bed.guest(bed.stack("POLL_SERVER_HEAT")[1]["heat"]).user_id


def test_queues_are_refused_by_name(bed: Bed) -> None:
    assert "Zaqar" in refused(bed.mia, bed.template("ZAQAR_MESSAGE"))


def test_user_data_hold_the_parts_of_a_software_configuration(bed: Bed) -> None:
    before = {"os-collect-config": {"command": "os-refresh-config", "cfn": {"stack_name": "old"}}, "colour": "red"}
    made, told = bed.stack("POLL_SERVER_HEAT", metadata=before)
    parts = bed.parts(made)
    assert parts["plain"] == SCRIPT and "x-cfninitdata" in parts["part-handler.py"]
    told_at_boot = json.loads(parts["cfn-init-data"])
    assert told_at_boot == {"deployments": [], "os-collect-config": told, "colour": "red"}
    assert told["command"] == "os-refresh-config" and told["cfn"] == {"stack_name": None}


def test_user_data_of_templates_for_cfntools_hold_their_metadata(bed: Bed) -> None:
    template = bed.template("POLL_SERVER_CFN", metadata={"AWS::CloudFormation::Init": {"config": {}}})
    template["resources"]["server"]["properties"]["user_data_format"] = "HEAT_CFNTOOLS"
    parts = bed.parts(stack(bed.cloud, bed.mia, template))
    assert parts["cfn-userdata"] == SCRIPT
    assert json.loads(parts["cfn-init-data"]) == {"AWS::CloudFormation::Init": {"config": {}}}
    assert parts["cfn-metadata-server"] == bed.cloud.core.config.url and "cfn_region_endpoint" in parts["cfn-boto-cfg"]


def test_a_script_alone_is_handed_on_as_it_is(bed: Bed) -> None:
    template = bed.template("POLL_SERVER_CFN")
    template["resources"]["server"]["properties"]["user_data_format"] = "HEAT_CFNTOOLS"
    assert bed.user_data(stack(bed.cloud, bed.mia, template)) == SCRIPT


def test_a_reader_sees_no_secrets_of_guests(bed: Bed) -> None:
    for number, transport in enumerate(("POLL_SERVER_HEAT", "POLL_SERVER_CFN", "POLL_TEMP_URL")):
        made = stack(bed.cloud, bed.mia, bed.template(transport), f"rose-{number}")
        reader = bed.cloud.new_user(f"ray-{number}", "garden", role="reader")
        told = outputs(reader.get(path(reader, made)).json()["stack"])["told"]
        whole = outputs(bed.mia.get(path(bed.mia, made)).json()["stack"])["told"]
        key = {"heat": "password", "cfn": "secret_access_key", "request": "metadata_url"}[told["collectors"][1]]
        shown, secret = (one[one["collectors"][1]][key] for one in (told, whole))
        assert shown.endswith("******") and shown != secret
        reader.get(path(reader, made, "/resources/server/metadata"), 403)


def test_a_reader_sees_no_key_that_is_glued_to_other_text_or_coded(cloud: ApiCloud) -> None:
    mia, ray = cloud.new_user("mia", "garden"), cloud.new_user("ray", "garden", role="reader")
    secret = {"get_attr": ["keys", "SecretAccessKey"]}
    coded = {"str_replace": {"template": "KEY=$s # バラ", "params": {"$s": secret}}}
    parts = {
        "user": {"type": "AWS::IAM::User"},
        "keys": {"type": "AWS::IAM::AccessKey", "properties": {"UserName": {"get_resource": "user"}}},
        "mime": {"type": "OS::Heat::MultipartMime", "properties": {"parts": [{"config": coded}, {"config": "バラ"}]}},
    }
    glued = {"value": {"str_replace": {"template": "x$s", "params": {"$s": secret}}}}
    made = stack(cloud, mia, hot(parts, outputs={"secret": {"value": secret}, "glued": glued}))
    key = outputs(made)["secret"]
    assert outputs(ray.get(path(ray, made)).json()["stack"]) == {
        "secret": "stackuser******",
        "glued": "xstackuser******",
    }
    config = at(ray, f"/software_configs/{resources(mia, made)['mime']['physical_resource_id']}")
    whole, shown = (
        [
            part.get_payload(decode=True).decode()
            for part in email.message_from_string(caller.get(config).json()["software_config"]["config"]).walk()
            if not part.is_multipart()
        ]
        for caller in (mia, ray)
    )
    assert whole == [f"KEY={key} # バラ", "バラ"] and shown[1] == "バラ" and key not in shown[0]


def keys_template(*policies: str) -> dict[str, Any]:
    """A user of the stack with keys, whose policy shuts it out of a resource."""
    user: dict[str, Any] = {"Type": "AWS::IAM::User", "Properties": {"Policies": list(policies)}}
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Resources": {
            "User": user,
            "Keys": {"Type": "AWS::IAM::AccessKey", "Properties": {"UserName": {"Ref": "User"}}},
            "Policy": {"Type": "OS::Heat::AccessPolicy", "Properties": {"AllowedResources": ["Bed"]}},
            "Bed": {"Type": "OS::Heat::TestResource", "Metadata": {"colour": "red"}},
            "Shed": {"Type": "OS::Heat::TestResource"},
        },
        "Outputs": {
            "access": {"Value": {"Ref": "Keys"}},
            "secret": {"Value": {"Fn::GetAtt": ["Keys", "SecretAccessKey"]}},
        },
    }


def told_by_cfn(cloud: ApiCloud, keys: dict[str, Any], resource: str, **more: str) -> Any:
    """What CloudFormation's API says to a guest with keys, asked as os-collect-config does."""
    params = {
        "Action": "DescribeStackResource",
        "StackName": "rose",
        "LogicalResourceId": resource,
        "AWSAccessKeyId": keys["access"],
        "SignatureVersion": "2",
        "SignatureMethod": "HmacSHA256",
        "ContentType": "JSON",
        **more,
    }
    query = urlencode(sorted(params.items()), quote_via=quote)
    text = f"GET\ncloud.test\n/v1/\n{query}"
    signature = base64.b64encode(hmac.digest(keys["secret"].encode(), text.encode(), "sha256")).decode()
    return cloud.call("GET", "/v1/", params={**params, "Signature": signature})


def test_keys_of_a_template_read_what_its_policies_allow(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    made = stack(cloud, mia, keys_template("Policy"))
    assert made["stack_status"] == "CREATE_COMPLETE", made["stack_status_reason"]
    keys = outputs(made)
    answer = told_by_cfn(cloud, keys, "Bed").json()["DescribeStackResourceResponse"]["DescribeStackResourceResult"]
    assert answer["StackResourceDetail"]["Metadata"] == {"colour": "red"}
    assert told_by_cfn(cloud, keys, "Shed").status_code == 403
    assert told_by_cfn(cloud, keys, "Bed", Action="ListStacks").status_code == 403
    assert told_by_cfn(cloud, keys, "Bed", StackName="tulip").status_code == 400
    update(cloud, mia, made, keys_template())
    keys = outputs(begin_again(mia, made))
    assert told_by_cfn(cloud, keys, "Shed").status_code == 200
    delete(cloud, mia, made)
    assert told_by_cfn(cloud, keys, "Bed").status_code == 403


def begin_again(mia: Caller, made: dict[str, Any]) -> dict[str, Any]:
    return dict(mia.get(path(mia, made)).json()["stack"])


def test_a_policy_that_is_none_fails_the_user(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    failed = stack(cloud, mia, keys_template("Bed"))
    assert failed["stack_status"] == "CREATE_FAILED"
    assert "Bed is no OS::Heat::AccessPolicy" in failed["stack_status_reason"]


def test_a_reader_finds_no_hidden_parameter_in_the_files_of_a_stack(cloud: ApiCloud) -> None:
    """Clients send environments as files."""
    mia, ray = cloud.new_user("mia", "garden"), cloud.new_user("ray", "garden", role="reader")
    template = hot({"bed": {"type": "word.yaml"}}, parameters={"word": {"type": "string", "hidden": True}})
    files = {"e.yaml": "parameters: {word: tulipsecret}", "word.yaml": json.dumps(hot({}))}
    sent = {"environment_files": ["e.yaml"], "files": files}
    made = stack(cloud, mia, template, **sent)
    assert made["stack_status"] == "CREATE_COMPLETE", made["stack_status_reason"]
    changed = {"environment_files": ["f.yaml"], "files": {"f.yaml": "parameters: {word: lilysecret}"}}
    mia.request("PATCH", path(mia, made), json=changed, expect=202)
    cloud.run_jobs()
    mia.post(path(mia, made, "/snapshots"), {"name": "s"}, 200)
    cloud.run_jobs()
    [kept] = ray.get(path(ray, made, "/snapshots")).json()["snapshots"]
    for below in ("", "/files", "/environment", f"/snapshots/{kept['id']}"):
        assert "secret" not in ray.get(path(ray, made, below)).text
    assert list(ray.get(path(ray, made, "/files")).json()) == ["word.yaml"]
    assert mia.get(path(mia, made, "/environment")).json()["parameters"] == {"word": "lilysecret"}
