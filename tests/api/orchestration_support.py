"""What tests of orchestration share: making stacks over the API and waiting for them."""

from __future__ import annotations

from typing import Any

from tests.support import ApiCloud, Caller


def at(caller: Caller, path: str = "") -> str:
    return f"/orchestration/v1/{caller.project_id}{path}"


def hot(resources: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A template with these resources."""
    return {"heat_template_version": "2021-04-16", "resources": resources, **more}


def begin(caller: Caller, template: Any, name: str = "rose", expect: int = 201, **more: Any) -> Any:
    """Ask for a stack."""
    body = {"stack_name": name, "template": template, "timeout_mins": 60, **more}
    return caller.post(at(caller, "/stacks"), body, expect).json()


def refused(caller: Caller, template: Any, **more: Any) -> str:
    """What is told of a template of which nothing is made, be it asked for or previewed."""
    told = {
        caller.post(at(caller, where), {"stack_name": "refused", "template": template, **more}, 400).json()["error"][
            "message"
        ]
        for where in ("/stacks/preview", "/stacks")
    }
    assert len(told) == 1
    return str(told.pop())


def stack(cloud: ApiCloud, caller: Caller, template: Any, name: str = "rose", **more: Any) -> dict[str, Any]:
    """Make a stack, run its jobs, and show it."""
    made = begin(caller, template, name, **more)
    cloud.run_jobs()
    return show(caller, name, made["stack"]["id"])


def show(caller: Caller, name: str, stack_id: str) -> dict[str, Any]:
    return dict(caller.get(at(caller, f"/stacks/{name}/{stack_id}")).json()["stack"])


def path(caller: Caller, shown: dict[str, Any], below: str = "") -> str:
    return at(caller, f"/stacks/{shown['stack_name']}/{shown['id']}{below}")


def update(cloud: ApiCloud, caller: Caller, shown: dict[str, Any], template: Any, **more: Any) -> dict[str, Any]:
    """Update a stack, run its jobs, and show it."""
    caller.put(path(caller, shown), {"template": template, **more}, 202)
    cloud.run_jobs()
    return show(caller, shown["stack_name"], shown["id"])


def delete(cloud: ApiCloud, caller: Caller, shown: dict[str, Any]) -> dict[str, Any]:
    """Delete a stack, run its jobs, and show what is told of it then."""
    caller.delete(path(caller, shown))
    cloud.run_jobs()
    return show(caller, shown["stack_name"], shown["id"])


def resources(caller: Caller, shown: dict[str, Any], **query: Any) -> dict[str, dict[str, Any]]:
    """The resources of a stack by name."""
    found = caller.get(path(caller, shown, "/resources"), params=query).json()["resources"]
    return {one["resource_name"]: one for one in found}


def outputs(shown: dict[str, Any]) -> dict[str, Any]:
    return {one["output_key"]: one.get("output_value") for one in shown["outputs"]}
