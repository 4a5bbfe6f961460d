"""What each action asks of Heat's own API, and how its answer looks here.

Sources: AWS CloudFormation API Reference; Heat's documentation, "CloudFormation API".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from tane.services.identity import interface as identity
from tane.services.orchestration.api.cfn import calls
from tane.services.orchestration.api.cfn.calls import Action, Call
from tane.services.orchestration.api.cfn.errors import CfnError
from tane.services.orchestration.domain import happenings, resources
from tane.web import codec, inside
from tane.web.codec import iso
from tane.web.errors import Forbidden
from tane.web.inside import part
from tane.web.request import Request, Response
from tane.web.signal_addresses import without_addresses

ARN = re.compile(r"arn:openstack:heat::([^:/]+):stacks/([^/]+)/([^/]+)\Z")
Result = Mapping[str, Any]
PAGE, PAGE_WHOLE = 500, 50
"""Stacks, or events, in an answer; and stacks with their outputs."""
NO_COST = "http://en.wikipedia.org/wiki/Gratis"
"""What Heat answers of costs; prices are asked for by the rating API."""
FAILURES = {"DO_NOTHING": True, "ROLLBACK": False, "DELETE": True}


def _arn(project_id: str, name: str, stack_id: str) -> str:
    return f"arn:openstack:heat::{project_id}:stacks/{name}/{stack_id}"


def _stack(call: Call, given: str) -> tuple[str, str]:
    """(name, id) of the stack that a name, an id or an ARN means. :raises CfnError: there is none."""
    # Amazon's words and not Heat's: programs wait for the end of a stack by them.
    missing = CfnError("ValidationError", explanation=f"Stack with id {given[:255]} does not exist")
    if given.startswith("arn:"):
        match = ARN.match(given)
        if match is None or match[1] != call.ctx.project_id:
            raise missing
        return match[2], match[3]
    for key in ("name", "id"):
        listed = call.ask("GET", "/stacks", query={key: given, "show_nested": "true", "show_hidden": "true"})["stacks"]
        if listed:
            return listed[0]["stack_name"], listed[0]["id"]
    raise missing


def _path(call: Call, below: str = "") -> str:
    """That of the stack which is named, in Heat's API."""
    name, stack_id = _stack(call, call.needed("StackName"))
    return f"/stacks/{part(name)}/{part(stack_id)}{below}"


def _common(call: Call, shown: Mapping[str, Any]) -> dict[str, Any]:
    """What every view of a stack has."""
    return {
        "StackId": _arn(call.ctx.project_id, shown["stack_name"], shown["id"]),
        "StackName": shown["stack_name"],
        "StackStatus": shown["stack_status"],
        "StackStatusReason": shown["stack_status_reason"],
        "CreationTime": shown["creation_time"],
        "LastUpdatedTime": shown["updated_time"],
    }


# ------------------------------------------------------------------------------------------------------------ stacks


def list_stacks(call: Call) -> Result:
    query = [("limit", str(PAGE)), *_marker(call)]
    states = [one.get("", "") for one in call.members("StackStatusFilter")]
    query += [("stack_status", state) for state in states if state]
    listed = call.ask("GET", "/stacks", query=query)["stacks"]
    summaries = [
        {**_common(call, one), "DeletionTime": one["deletion_time"], "TemplateDescription": one["description"]}
        for one in listed
    ]
    return {"StackSummaries": summaries, "NextToken": listed[-1]["id"] if len(listed) == PAGE else None}


def _marker(call: Call) -> list[tuple[str, str]]:
    return [("marker", call.params["NextToken"])] if call.params.get("NextToken") else []


def describe_stacks(call: Call) -> Result:
    if call.params.get("StackName"):
        return {"Stacks": [_described(call, call.ask("GET", _path(call))["stack"])]}
    listed = call.ask("GET", "/stacks", query=[("limit", str(PAGE_WHOLE)), *_marker(call)])["stacks"]
    shown = [call.ask("GET", f"/stacks/{part(one['stack_name'])}/{one['id']}")["stack"] for one in listed]
    following = listed[-1]["id"] if len(listed) == PAGE_WHOLE else None
    return {"Stacks": [_described(call, one) for one in shown], "NextToken": following}


def _described(call: Call, shown: Mapping[str, Any]) -> Result:
    outputs = [
        {"OutputKey": one["output_key"], "OutputValue": _text(one["output_value"]), "Description": one["description"]}
        for one in shown.get("outputs", ())
        if one.get("output_value") is not None
    ]
    parameters = [{"ParameterKey": key, "ParameterValue": value} for key, value in shown["parameters"].items()]
    return {
        **_common(call, shown),
        "Description": shown["description"],
        "DisableRollback": shown["disable_rollback"],
        "TimeoutInMinutes": shown["timeout_mins"],
        "Capabilities": [],
        "NotificationARNs": [],
        "Parameters": parameters,
        "Outputs": outputs,
    }


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return codec.encode(value).decode()


def create_stack(call: Call) -> Result:
    name = call.needed("StackName")
    body = {"stack_name": name, "template": _template(call), "parameters": _parameters(call), **_wishes(call)}
    made = call.ask("POST", "/stacks", {"disable_rollback": False, **body})["stack"]
    return {"StackId": _arn(call.ctx.project_id, name, made["id"])}


def update_stack(call: Call) -> Result:
    """What the template and the parameters do not say anew is kept where ``UsePrevious…`` says so."""
    name, stack_id = _stack(call, call.needed("StackName"))
    given = call.members("Parameters")
    kept = {one.get("ParameterKey", "") for one in given if one.get("UsePreviousValue", "").lower() == "true"}
    body: dict[str, Any] = {"parameters": _parameters(call), **_wishes(call)}
    same = call.flag("UsePreviousTemplate")
    if same and ("TemplateBody" in call.params or "TemplateURL" in call.params):
        raise CfnError("InvalidParameterCombination", "UsePreviousTemplate comes without a template.")
    if not same:
        body["template"] = _template(call)
    if same or kept:
        shown = call.ask("GET", f"/stacks/{part(name)}/{part(stack_id)}/environment")["parameters"]
        body["clear_parameters"] = [one for one in shown if one not in kept and one not in body["parameters"]]
    call.ask("PATCH" if same or kept else "PUT", f"/stacks/{part(name)}/{part(stack_id)}", body)
    return {"StackId": _arn(call.ctx.project_id, name, stack_id)}


def _template(call: Call) -> str:
    """:raises CfnError: there is none; nothing is ever fetched."""
    for name in ("TemplateURL", "TemplateUrl"):
        if call.params.get(name):
            raise CfnError("InvalidParameterValue", f"{name}: templates are not fetched, send TemplateBody.")
    if not call.params.get("TemplateBody"):
        raise CfnError("MissingParameter", "TemplateBody or TemplateUrl were not given.")
    return call.params["TemplateBody"]


def _parameters(call: Call) -> dict[str, str]:
    return {
        one["ParameterKey"]: one["ParameterValue"]
        for one in call.members("Parameters")
        if "ParameterKey" in one and "ParameterValue" in one
    }


def _wishes(call: Call) -> dict[str, Any]:
    """Whether what fails is rolled back, and how long it may take. :raises CfnError:"""
    found: dict[str, Any] = {}
    failure, disabled = call.params.get("OnFailure"), call.flag("DisableRollback")
    if failure and disabled is not None:
        raise CfnError("InvalidParameterCombination", "DisableRollback and OnFailure may not be used together.")
    if failure:
        if failure not in FAILURES:
            raise CfnError("InvalidParameterValue", f"OnFailure is one of {', '.join(FAILURES)}.")
        disabled = FAILURES[failure]
        found["delete_on_failure"] = failure == "DELETE"
    if disabled is not None:
        found["disable_rollback"] = disabled
    if call.params.get("TimeoutInMinutes"):
        found["timeout_mins"] = call.params["TimeoutInMinutes"]
    return found


def delete_stack(call: Call) -> Result:
    call.ask("DELETE", _path(call))
    return {}


def cancel_update_stack(call: Call) -> Result:
    call.ask("POST", _path(call, "/actions"), {"cancel_update": None})
    return {}


# --------------------------------------------------------------------------------------------------------- templates


def get_template(call: Call) -> Result:
    return {"TemplateBody": call.ask("GET", _path(call, "/template"))}


def validate_template(call: Call) -> Result:
    told = call.ask("POST", "/validate", {"template": _template(call)})
    parameters = [
        {
            "ParameterKey": name,
            "DefaultValue": _text(one["Default"]) if one.get("Default") is not None else "",
            "Description": one.get("Description", ""),
            "NoEcho": str(one.get("NoEcho", "false")).lower(),
        }
        for name, one in told["Parameters"].items()
    ]
    return {"Description": told["Description"], "Capabilities": [], "Parameters": parameters}


def estimate_template_cost(call: Call) -> Result:
    call.ask("POST", "/validate", {"template": _template(call)})
    return {"Url": NO_COST}


# ---------------------------------------------------------------------------------------------- resources and events


def describe_stack_events(call: Call) -> Result:
    name, stack_id = _stack(call, call.needed("StackName"))
    core, ctx = call.request.core, call.ctx
    # The list of Heat's own API does not tell the types.
    below = f"/v1/{ctx.project_id}/stacks/{part(name)}/{part(stack_id)}/events"
    inside.check_rules(core, ctx, "orchestration", "GET", below)
    if not call.request.allows("events:index"):
        raise Forbidden("You are not authorized to complete this action.")
    page = happenings.Page(
        depth=0, filters={}, sort=None, down=True, marker=call.params.get("NextToken") or None, limit=PAGE
    )
    rows, _ = happenings.index(core, ctx, stack_id, name, None, page)
    found = [
        {
            "EventId": row.id,
            "StackId": _arn(ctx.project_id, name, stack_id),
            "StackName": name,
            "LogicalResourceId": row.resource_name,
            "PhysicalResourceId": row.physical_id,
            "ResourceType": row.resource_type,
            "ResourceStatus": f"{row.action}_{row.status}",
            "ResourceStatusReason": row.reason,
            "ResourceProperties": {},
            "Timestamp": iso(row.created_at),
        }
        for row in rows
    ]
    result = {"StackEvents": found, "NextToken": rows[-1].id if len(rows) == PAGE else None}
    return result if call.request.allows("resource:signal") else dict(without_addresses(result))


def _resource(shown: Mapping[str, Any]) -> dict[str, Any]:
    """What every view of a resource has."""
    return {
        "LogicalResourceId": shown["resource_name"],
        "PhysicalResourceId": shown["physical_resource_id"],
        "ResourceStatus": shown["resource_status"],
        "ResourceStatusReason": shown["resource_status_reason"],
        "ResourceType": shown["resource_type"],
    }


def describe_stack_resource(call: Call) -> Result:
    """With its metadata: what agents in guests configure these by."""
    if identity.is_guest(call.ctx):
        return _told_to_guest(call)
    name, stack_id = _stack(call, call.needed("StackName"))
    path = f"/stacks/{part(name)}/{part(stack_id)}/resources/{part(call.needed('LogicalResourceId'))}"
    shown = call.ask("GET", path)["resource"]
    detail = {
        **_resource(shown),
        "Description": shown["description"],
        "LastUpdatedTimestamp": shown["updated_time"],
        "Metadata": call.ask("GET", f"{path}/metadata")["metadata"],
        "StackId": _arn(call.ctx.project_id, name, stack_id),
        "StackName": name,
    }
    return {"StackResourceDetail": detail}


def _told_to_guest(call: Call) -> Result:
    """A guest's own user sees nothing else of the stack."""
    given = call.needed("StackName")
    match = ARN.match(given)
    stack, row, metadata = resources.of_guest(
        call.request.core, call.ctx, match[3] if match else given, call.needed("LogicalResourceId")
    )
    detail = {
        "LogicalResourceId": row.name,
        "PhysicalResourceId": row.physical_id or "",
        "ResourceStatus": f"{row.action}_{row.status}",
        "ResourceStatusReason": row.reason,
        "ResourceType": row.type,
        "Description": "",
        "LastUpdatedTimestamp": iso(row.updated_at or row.created_at),
        "Metadata": metadata,
        "StackId": _arn(stack.project_id, stack.name, stack.id),
        "StackName": stack.name,
    }
    return {"StackResourceDetail": detail}


def describe_stack_resources(call: Call) -> Result:
    given, physical = call.params.get("StackName"), call.params.get("PhysicalResourceId")
    if given and physical:
        raise CfnError("InvalidParameterCombination", "Use `StackName` or `PhysicalResourceId` but not both")
    if physical and not given:
        name, stack_id = resources.stack_of_physical(call.request.core, call.ctx, physical)
    else:
        name, stack_id = _stack(call, call.needed("StackName"))
    logical = call.params.get("LogicalResourceId")
    query = {"name": logical} if logical else {}
    listed = call.ask("GET", f"/stacks/{part(name)}/{part(stack_id)}/resources", query=query)["resources"]
    of_stack = {"StackId": _arn(call.ctx.project_id, name, stack_id), "StackName": name}
    found = [{**_resource(one), **of_stack, "Description": "", "Timestamp": one["updated_time"]} for one in listed]
    return {"StackResources": found}


def list_stack_resources(call: Call) -> Result:
    listed = call.ask("GET", _path(call, "/resources"))["resources"]
    found = [{**_resource(one), "LastUpdatedTimestamp": one["updated_time"]} for one in listed]
    return {"StackResourceSummaries": found}


def signal_resource(call: Call) -> Result:
    """Of a wait condition's handle, by the words that it is told in."""
    status = call.needed("Status")
    path = _path(call, f"/resources/{part(call.needed('LogicalResourceId'))}")
    told = {"Status": status, "UniqueId": call.needed("UniqueId"), "Reason": "Signalled", "Data": ""}
    if not call.ask("GET", path)["resource"]["resource_type"].startswith("AWS::"):
        told = {"status": status, "id": told["UniqueId"], "reason": told["Reason"]}
    call.ask("POST", f"{path}/signal", told)
    return {}


ACTIONS: Mapping[str, Action] = {
    "CancelUpdateStack": cancel_update_stack,
    "CreateStack": create_stack,
    "DeleteStack": delete_stack,
    "DescribeStackEvents": describe_stack_events,
    "DescribeStackResource": describe_stack_resource,
    "DescribeStackResources": describe_stack_resources,
    "DescribeStacks": describe_stacks,
    "EstimateTemplateCost": estimate_template_cost,
    "GetTemplate": get_template,
    "ListStackResources": list_stack_resources,
    "ListStacks": list_stacks,
    "SignalResource": signal_resource,
    "UpdateStack": update_stack,
    "ValidateTemplate": validate_template,
}


async def act(request: Request) -> Response:
    """The action that the parameters name, signed by an EC2 credential

    Each has a rule of its own (``cloudformation:…``), besides those of what it does.
    """
    return await calls.answered(request, ACTIONS)


def versions(request: Request) -> Response:
    """The versions of CloudFormation's API"""
    href = f"{request.service_url}/v1/"
    return Response({"versions": [{"id": "v1.0", "status": "CURRENT", "links": [{"rel": "self", "href": href}]}]}, 300)
