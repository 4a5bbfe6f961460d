"""What ``tane demo`` ends with: an environment from one text, made and deleted at once (Orchestration API)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tane.cli.demo import Tour

SECONDS = 60.0
TEMPLATE = """
heat_template_version: 2021-04-16
parameters:
  cidr: {type: string, default: 10.9.0.0/24}
resources:
  network: {type: OS::Neutron::Net}
  subnet:
    type: OS::Neutron::Subnet
    properties: {network: {get_resource: network}, cidr: {get_param: cidr}}
  port:
    type: OS::Neutron::Port
    properties: {network: {get_resource: network}, fixed_ips: [{subnet: {get_resource: subnet}}]}
  volume: {type: OS::Cinder::Volume, properties: {size: 1}}
outputs:
  address: {value: {get_attr: [port, fixed_ips, 0, ip_address]}}
"""


def walk(tour: Tour) -> None:
    """A stack of a network, a port and a volume. :raises CallError: something does not work."""
    from tane.cli.demo import step

    stacks = f"/orchestration/v1/{tour.user.project_id}/stacks"
    with step("stack of a network, a port and a volume: made"):
        body = {"stack_name": "demo", "template": TEMPLATE, "timeout_mins": 5}
        stack = f"{stacks}/demo/{tour.user.call('POST', stacks, body)['stack']['id']}"
        made = tour.user.wait(stack, _is("CREATE_COMPLETE"), seconds=SECONDS, failed=_failed)["stack"]
    print(f"      its port has {made['outputs'][0]['output_value']}")
    with step("stack: deleted with all that is in it"):
        tour.user.call("DELETE", stack)
        tour.user.wait(stack, _is("DELETE_COMPLETE"), seconds=SECONDS, failed=_failed)


def _is(status: str) -> Any:
    return lambda answer: answer["stack"]["stack_status"] == status


def _failed(answer: Any) -> str | None:
    stack = answer["stack"]
    return str(stack["stack_status_reason"]) if stack["stack_status"].endswith("FAILED") else None
