"""CloudFormation's API on the stacks of a project: by boto3, by signatures of both versions, and by liars."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, urlencode
from xml.etree import ElementTree

import boto3
import httpx
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tane.clock import SystemClock
from tests.api import s3_support
from tests.api.orchestration_support import at, begin, hot, stack
from tests.support import ApiCloud, Caller
from tests.web.test_streams import served

PATH = "/orchestration-cfn/v1"
TEMPLATE = {
    "AWSTemplateFormatVersion": "2010-09-09",
    "Description": "A bed",
    "Parameters": {
        "Value": {"Type": "String", "Default": "soil", "Description": "What is in it"},
        "Secret": {"Type": "String", "NoEcho": "true", "Default": "x"},
    },
    "Resources": {
        "Bed": {"Type": "OS::Heat::TestResource", "Properties": {"value": {"Ref": "Value"}}},
        "Note": {"Type": "OS::Heat::TestResource", "Metadata": {"colour": "red"}},
    },
    "Outputs": {"What": {"Value": {"Fn::GetAtt": ["Bed", "output"]}, "Description": "What it holds"}},
}


class Keys(s3_support.S3):
    """A user's keys, by which calls of CloudFormation are signed."""

    service = "cloudformation"


class Client:
    """boto3, with the keys of a user; jobs run after each call."""

    def __init__(self, cloud: ApiCloud, keys: Keys) -> None:
        cloud.advance((SystemClock().now() - cloud.core.clock.now()).total_seconds())
        self._cloud, self._keys = cloud, keys

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(**arguments: Any) -> Any:
            async def both() -> Any:
                async with served(self._cloud) as port:
                    client = boto3.client(
                        "cloudformation",
                        endpoint_url=f"http://127.0.0.1:{port}{PATH}",
                        aws_access_key_id=self._keys.access,
                        aws_secret_access_key=self._keys.secret,
                        region_name="RegionOne",
                        config=Config(retries={"max_attempts": 1}),
                    )
                    return await asyncio.to_thread(getattr(client, name), **arguments)

            found = self._cloud.wait(both())
            self._cloud.run_jobs()
            return found

        return call

    def refused(self, name: str, **arguments: Any) -> tuple[str, str]:
        with pytest.raises(ClientError) as error:
            getattr(self, name)(**arguments)
        told = error.value.response["Error"]
        return str(told["Code"]), str(told["Message"])


def test_boto3_makes_reads_changes_and_deletes_a_stack(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    client = Client(cloud, Keys(mia))
    text = json.dumps(TEMPLATE)
    asked = client.validate_template(TemplateBody=text)
    assert asked["Description"] == "A bed"
    assert {one["ParameterKey"]: one["NoEcho"] for one in asked["Parameters"]} == {"Value": False, "Secret": True}
    given = [{"ParameterKey": "Value", "ParameterValue": "sand & <stone>"}]
    made = client.create_stack(StackName="bed", TemplateBody=text, Parameters=given, OnFailure="DO_NOTHING")
    arn = made["StackId"]
    [shown] = client.describe_stacks(StackName="bed")["Stacks"]
    assert (shown["StackId"], shown["StackStatus"]) == (arn, "CREATE_COMPLETE")
    assert shown["DisableRollback"] is True and "LastUpdatedTime" not in shown
    assert shown["Outputs"][0]["OutputValue"] == "sand & <stone>"
    assert {one["ParameterKey"]: one["ParameterValue"] for one in shown["Parameters"]}["Secret"] == "******"
    assert client.refused("create_stack", StackName="bed", TemplateBody=text)[0] == "AlreadyExists"
    assert [one["StackName"] for one in client.list_stacks()["StackSummaries"]] == ["bed"]
    assert client.list_stacks(StackStatusFilter=["DELETE_FAILED"])["StackSummaries"] == []
    assert client.describe_stacks()["Stacks"][0]["StackId"] == arn
    assert client.get_template(StackName=arn)["TemplateBody"] == TEMPLATE
    summaries = client.list_stack_resources(StackName="bed")["StackResourceSummaries"]
    assert {one["LogicalResourceId"]: one["ResourceStatus"] for one in summaries} == {
        "Bed": "CREATE_COMPLETE",
        "Note": "CREATE_COMPLETE",
    }
    note = client.describe_stack_resource(StackName="bed", LogicalResourceId="Note")["StackResourceDetail"]
    assert json.loads(note["Metadata"]) == {"colour": "red"}
    found = client.describe_stack_resources(PhysicalResourceId=note["PhysicalResourceId"])["StackResources"]
    assert {one["StackId"] for one in found} == {arn} and len(found) == 2
    events = client.describe_stack_events(StackName="bed")["StackEvents"]
    assert (events[0]["LogicalResourceId"], events[0]["ResourceStatus"]) == ("bed", "CREATE_COMPLETE")
    assert events[0]["ResourceType"] == "OS::Heat::Stack"
    kept = [{"ParameterKey": "Value", "UsePreviousValue": True}, {"ParameterKey": "Secret", "ParameterValue": "y"}]
    assert client.update_stack(StackName="bed", UsePreviousTemplate=True, Parameters=kept)["StackId"] == arn
    [shown] = client.describe_stacks(StackName=arn)["Stacks"]
    assert shown["StackStatus"] == "UPDATE_COMPLETE" and shown["Outputs"][0]["OutputValue"] == "sand & <stone>"
    client.update_stack(StackName="bed", TemplateBody=text)
    assert client.describe_stacks(StackName="bed")["Stacks"][0]["Outputs"][0]["OutputValue"] == "soil"
    code, message = client.refused("cancel_update_stack", StackName="bed")
    assert code == "InvalidParameterValue" and "Cancelling update" in message
    client.delete_stack(StackName="bed")
    # What boto3's waiter takes for the end of a deletion.
    code, message = client.refused("describe_stacks", StackName="bed")
    assert (code, message) == ("ValidationError", "Stack with id bed does not exist")


def test_a_resource_is_signalled(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    client = Client(cloud, Keys(mia))
    handle = {"Type": "AWS::CloudFormation::WaitConditionHandle"}
    wait = {
        "Type": "AWS::CloudFormation::WaitCondition",
        "Properties": {"Handle": {"Ref": "Handle"}, "Timeout": 600, "Count": 1},
    }
    template = {"AWSTemplateFormatVersion": "2010-09-09", "Resources": {"Handle": handle, "Wait": wait}}
    stack(cloud, mia, template)
    client.signal_resource(StackName="rose", LogicalResourceId="Handle", UniqueId="1", Status="SUCCESS")
    assert client.describe_stacks(StackName="rose")["Stacks"][0]["StackStatus"] == "CREATE_COMPLETE"


# ---------------------------------------------------------------------------------------------------- without boto3


def call(keys: Keys, action: str, *, expect: int = 200, form: bool = True, **params: str) -> httpx.Response:
    """Signed by version 4, in a form or in the address."""
    whole = urlencode({"Action": action, "Version": "2010-05-15", **params}, quote_via=quote)
    if form:
        return _send(keys, "POST", f"{PATH}/", whole.encode(), expect)
    return _send(keys, "GET", f"{PATH}?{whole}", b"", expect)


def _send(keys: Keys, method: str, target: str, body: bytes, expect: int, **more: str) -> httpx.Response:
    headers = {"host": "cloud.test", "x-amz-date": keys.moment}
    names, signature = keys.sign(method, target, headers, hashlib.sha256(body).hexdigest())
    said = f"Credential={keys.access}/{keys.scope}, SignedHeaders={names}, Signature={signature}"
    headers |= {"authorization": f"AWS4-HMAC-SHA256 {said}", **more}
    if body:
        headers["content-type"] = "application/x-www-form-urlencoded"
    answer = keys.api.call(method, target, headers=headers, content=body)
    assert answer.status_code == expect, f"{answer.status_code} {answer.text}"
    return answer


def code(answer: httpx.Response) -> str:
    return ElementTree.fromstring(answer.text).findtext("Error/Code") or ""


def version_2(keys: Keys, **params: str) -> str:
    """The query of an address that is signed by version 2."""
    stamp = f"{keys.api.core.clock.now():%Y-%m-%dT%H:%M:%SZ}"
    whole = {
        "AWSAccessKeyId": keys.access,
        "SignatureVersion": "2",
        "SignatureMethod": "HmacSHA256",
        "Timestamp": stamp,
        **params,
    }
    pairs = "&".join(f"{quote(name, safe='-_.~')}={quote(whole[name], safe='-_.~')}" for name in sorted(whole))
    digest = hmac.new(keys.secret.encode(), f"GET\ncloud.test\n{PATH}\n{pairs}".encode(), hashlib.sha256).digest()
    return f"{pairs}&Signature={quote(base64.b64encode(digest).decode(), safe='')}"


def test_calls_are_signed_by_either_version_and_answered_as_xml_or_json(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    keys = Keys(mia)
    begin(mia, hot({"it": {"type": "OS::Heat::TestResource"}}))
    for answer in (call(keys, "ListStacks"), call(keys, "ListStacks", form=False)):
        assert answer.headers["content-type"].startswith("text/xml") and answer.headers["x-amzn-requestid"]
        name = "ListStacksResult/StackSummaries/member/StackName"
        assert ElementTree.fromstring(answer.text).findtext(name) == "rose"
    told = call(keys, "ListStacks", ContentType="JSON").json()["ListStacksResponse"]["ListStacksResult"]
    assert told["StackSummaries"][0]["StackName"] == "rose"
    refused = call(keys, "DescribeStacks", StackName="lily", ContentType="JSON", expect=400).json()
    assert refused["ErrorResponse"]["Error"]["Code"] == "ValidationError"
    by_2 = cloud.call("GET", f"{PATH}?{version_2(keys, Action='ListStacks')}")
    assert (by_2.status_code, "<StackName>rose</StackName>" in by_2.text) == (200, True)
    [entry] = [one for one in mia.get("/identity/v3/auth/catalog").json()["catalog"] if one["type"] == "cloudformation"]
    assert entry["endpoints"][0]["url"].endswith(PATH)
    assert cloud.call("GET", "/orchestration-cfn").json()["versions"][0]["id"] == "v1.0"


def test_what_is_not_signed_as_it_is_sent_is_refused(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    keys = Keys(mia)
    assert code(cloud.call("POST", PATH)) == "IncompleteSignature"
    assert code(call(Keys(mia, keys.access, "wrong"), "ListStacks", expect=403)) == "SignatureDoesNotMatch"
    assert code(call(Keys(mia, "0" * 32, "x"), "ListStacks", expect=403)) == "InvalidClientTokenId"
    good = version_2(keys, Action="ListStacks")
    changed = cloud.call("GET", f"{PATH}?{good.replace('ListStacks', 'DeleteStack')}")
    assert code(changed) == "SignatureDoesNotMatch"
    twice = cloud.call("GET", f"{PATH}?{good}&Action=DeleteStack")
    assert code(twice) == "InvalidQueryParameter"
    cloud.advance(3600)
    assert code(cloud.call("GET", f"{PATH}?{good}")) == "RequestExpired"
    # The body is signed too.
    body = b"Action=ListStacks"
    headers = {"host": "cloud.test", "x-amz-date": keys.moment}
    names, signature = keys.sign("POST", PATH, headers, hashlib.sha256(body).hexdigest())
    said = f"Credential={keys.access}/{keys.scope}, SignedHeaders={names}, Signature={signature}"
    sent = {**headers, "authorization": f"AWS4-HMAC-SHA256 {said}", "content-type": "application/x-www-form-urlencoded"}
    assert cloud.call("POST", PATH, headers=sent, content=body).status_code == 200
    assert code(cloud.call("POST", PATH, headers=sent, content=b"Action=GetTemplate")) == "SignatureDoesNotMatch"
    for wrong in (f"{said}, Signature=0", said.replace("host;", ""), "Credential=x"):
        told = cloud.call("POST", PATH, headers={**sent, "authorization": f"AWS4-HMAC-SHA256 {wrong}"}, content=body)
        assert code(told) == "IncompleteSignature"


def test_what_is_signed_for_a_while_or_for_another_service_is_good_for_that_alone(cloud: ApiCloud) -> None:
    keys = Keys(cloud.new_user("mia", "garden"))
    asked = {
        "Action": "ListStacks",
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Credential": f"{keys.access}/{keys.scope}",
        "X-Amz-Date": keys.moment,
        "X-Amz-Expires": "60",
        "X-Amz-SignedHeaders": "host",
    }

    def address(**other: str) -> str:
        target = f"{PATH}?{urlencode({**asked, **other})}"
        _, signature = keys.sign("GET", target, {"host": "cloud.test"}, hashlib.sha256(b"").hexdigest())
        return f"{target}&X-Amz-Signature={signature}"

    good = address()
    assert cloud.call("GET", good).status_code == 200
    for wrong in ("soon", "", "-1"):
        assert code(cloud.call("GET", address(**{"X-Amz-Expires": wrong}))) == "IncompleteSignature"
    keys.service = "s3"
    assert code(cloud.call("GET", address(**{"X-Amz-Credential": f"{keys.access}/{keys.scope}"}))) == (
        "SignatureDoesNotMatch"
    )
    cloud.advance(61)
    assert code(cloud.call("GET", good)) == "RequestExpired"


def test_a_reader_looks_and_changes_nothing(cloud: ApiCloud) -> None:
    begin(cloud.new_user("mia", "garden"), hot({"it": {"type": "OS::Heat::TestResource"}}))
    cloud.run_jobs()
    rea = cloud.new_user("rea", "garden")
    keys, roles = Keys(rea), f"/identity/v3/projects/{rea.project_id}/users/{rea.user_id}/roles"
    known = {role["name"]: role["id"] for role in cloud.admin.get("/identity/v3/roles").json()["roles"]}
    cloud.admin.put(f"{roles}/{known['reader']}", expect=204)
    cloud.admin.delete(f"{roles}/{known['member']}")
    assert "rose" in call(keys, "ListStacks").text
    for action, params in (("DeleteStack", {"StackName": "rose"}), ("CreateStack", {"StackName": "new"})):
        assert code(call(keys, action, expect=403, **params)) == "AccessDenied"


def test_bad_parameters_are_told_by_their_names(cloud: ApiCloud) -> None:
    keys = Keys(cloud.new_user("mia", "garden"))
    template = json.dumps(hot({"it": {"type": "OS::Heat::TestResource"}}))
    for action, params, wanted in (
        ("Nothing", {}, "InvalidAction"),
        ("CreateStack", {"StackName": "rose"}, "MissingParameter"),
        ("CreateStack", {"TemplateBody": template}, "MissingParameter"),
        ("CreateStack", {"StackName": "1", "TemplateBody": template}, "InvalidParameterValue"),
        ("CreateStack", {"StackName": "rose", "TemplateBody": "{"}, "InvalidParameterValue"),
        ("CreateStack", {"StackName": "rose", "TemplateURL": "http://127.0.0.1/x"}, "InvalidParameterValue"),
        (
            "CreateStack",
            {"StackName": "rose", "TemplateBody": template, "OnFailure": "ROLLBACK", "DisableRollback": "true"},
            "InvalidParameterCombination",
        ),
        ("DescribeStackResources", {"StackName": "a", "PhysicalResourceId": "b"}, "InvalidParameterCombination"),
        ("DescribeStackResources", {"PhysicalResourceId": "b"}, "ValidationError"),
        ("DescribeStacks", {"StackName": "\0"}, "InvalidQueryParameter"),
        ("DescribeStacks", {"StackName": "arn:openstack:heat::x:stacks/a/b"}, "ValidationError"),
        ("DescribeStacks", {"StackName": "../../../.."}, "ValidationError"),
        ("ListStacks", {"NextToken": "nowhere"}, "ValidationError"),
    ):
        assert code(call(keys, action, expect=400, **params)) == wanted, (action, params)
    long = call(keys, "CreateStack", expect=400, StackName="rose", TemplateBody="x" * 600_000)
    assert code(long) == "RequestLimitExceeded"
    assert code(_send(keys, "POST", PATH, b"x" * (3 << 20), 400)) == "RequestLimitExceeded"


def test_others_stacks_are_not_there_and_readers_change_nothing(cloud: ApiCloud) -> None:
    mia, bob = cloud.new_user("mia", "garden"), cloud.new_user("bob", "shed")
    made = begin(mia, hot({"it": {"type": "OS::Heat::TestResource"}}))["stack"]["id"]
    cloud.run_jobs()
    thing = mia.get(at(mia, f"/stacks/rose/{made}/resources/it")).json()["resource"]["physical_resource_id"]
    thief = Keys(bob)
    for name in ("rose", made, f"arn:openstack:heat::{mia.project_id}:stacks/rose/{made}"):
        for action in ("DescribeStacks", "GetTemplate", "DeleteStack", "DescribeStackEvents", "ListStackResources"):
            assert code(call(thief, action, StackName=name, expect=400)) == "ValidationError"
    forged = f"arn:openstack:heat::{bob.project_id}:stacks/rose/{made}"
    assert code(call(thief, "DeleteStack", StackName=forged, expect=400)) == "ValidationError"
    call(thief, "DescribeStackResources", PhysicalResourceId=thing, expect=400)
    assert "<member>" not in call(thief, "DescribeStacks").text
    assert call(Keys(mia), "DescribeStackResources", PhysicalResourceId=thing).text.count("<member>") == 1


def test_access_rules_of_a_credential_hold_for_what_an_action_does(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    begin(mia, hot({"it": {"type": "OS::Heat::TestResource"}}))

    def keys_of(*rules: tuple[str, str, str]) -> Keys:
        said = [{"service": service, "method": method, "path": path} for service, method, path in rules]
        body = {"application_credential": {"name": f"robot{len(said)}{said[0]['service']}", "access_rules": said}}
        body["application_credential"]["unrestricted"] = True
        path = f"/identity/v3/users/{mia.user_id}/application_credentials"
        made = mia.post(path, body, 201).json()["application_credential"]
        robot = {"id": made["id"], "secret": made["secret"]}
        proof = {"methods": ["application_credential"], "application_credential": robot}
        answer = cloud.call("POST", "/identity/v3/auth/tokens", json={"auth": {"identity": proof}})
        return Keys(Caller(cloud, answer.headers["x-subject-token"], mia.project_id, mia.user_id))

    identity = ("identity", "POST", f"/v3/users/{mia.user_id}/credentials/OS-EC2")
    cfn, stacks = ("cloudformation", "POST", "/v1"), ("orchestration", "GET", "/v1/*/stacks")
    assert code(call(keys_of(identity, stacks), "ListStacks", expect=403)) == "AccessDenied"
    assert code(call(keys_of(cfn, identity), "ListStacks", expect=403)) == "AccessDenied"
    both = keys_of(identity, cfn, stacks)
    assert "rose" in call(both, "ListStacks").text
    assert code(call(both, "DeleteStack", StackName="rose", expect=403)) == "AccessDenied"


def test_a_stack_whose_creation_fails_goes_where_that_is_wished(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    client = Client(cloud, Keys(mia))
    net = {"Type": "OS::Neutron::Net"}
    bad = {"Type": "OS::Heat::TestResource", "DependsOn": "Net", "Properties": {"fail": True}}
    text = json.dumps({"AWSTemplateFormatVersion": "2010-09-09", "Resources": {"Net": net, "Bad": bad}})
    made = client.create_stack(StackName="bed", TemplateBody=text, OnFailure="DELETE")
    cloud.run_jobs()
    [shown] = client.describe_stacks(StackName=made["StackId"])["Stacks"]
    assert shown["StackStatus"] == "DELETE_COMPLETE"
    assert client.list_stacks()["StackSummaries"] == []
    assert mia.get("/network/v2.0/networks").json()["networks"] == []
    told = {"StackName": "bed", "TemplateURL": "http://192.0.2.1/bed.yaml"}
    assert "templates are not fetched" in client.refused("create_stack", **told)[1]
