"""Every command of osc-placement, unmodified (``openstack resource provider …``, ``trait …``)."""

from __future__ import annotations

import shlex
from importlib.metadata import distribution
from types import SimpleNamespace
from typing import Any

import pytest
from keystoneauth1 import exceptions

from tests.support import HOST_ID, ApiCloud, Caller

http = pytest.importorskip("osc_placement.http", reason="osc-placement (the extra `clients`) is not installed")

AGGREGATE = "5b0a3c1e-7b1c-4b5a-9a53-6f1c0f0f0001"
DONE = (
    "resource_class_create CUSTOM_GOLD",
    "resource_class_set CUSTOM_IRON",
    "resource_class_show CUSTOM_IRON",
    "resource_class_list",
    "resource_provider_list --resource VCPU=1 --required COMPUTE_NODE --forbidden HW_ARCH_AARCH64",
    "resource_provider_show {host} --allocations",
    "resource_provider_inventory_set {host} --amend --resource CUSTOM_IRON=8 --resource VCPU:allocation_ratio=4.0",
    "resource_provider_inventory_class_set {host} CUSTOM_IRON --total 9 --reserved 1",
    "resource_provider_inventory_show {host} CUSTOM_IRON",
    "resource_provider_inventory_list {host}",
    "resource_provider_usage_show {host}",
    "trait_create CUSTOM_FAST",
    "trait_show CUSTOM_FAST",
    "resource_provider_trait_set {host} --trait CUSTOM_FAST",
    "resource_provider_trait_list {host}",
    "trait_list --associated",
    "resource_provider_aggregate_set {host} --aggregate {aggregate} --generation {generation}",
    "resource_provider_aggregate_list {host}",
    "resource_provider_inventory_set {aggregate} --aggregate --amend --resource VCPU:reserved=1",
    "allocation_candidate_list --resource VCPU=1 --required CUSTOM_FAST --member-of {aggregate} --limit 1",
    "allocation_candidate_list --group 1 --resource VCPU=1 --group 2 --resource CUSTOM_IRON=2 --group-policy none",
    "resource_provider_allocation_show {server}",
    "resource_usage_show {project}",
    "resource_provider_inventory_delete {host} --resource-class CUSTOM_IRON",
    "resource_provider_inventory_delete {host}",
    "resource_provider_trait_delete {host}",
    "trait_delete CUSTOM_FAST",
    "resource_class_delete CUSTOM_IRON",
)
EMPTY = {"resource_provider_allocation_show"}
REFUSED = (
    "resource_provider_create other",
    "resource_provider_set {host} --name other",
    "resource_provider_delete {host}",
    "resource_provider_allocation_set {server} --allocation rp={host},VCPU=1 --project-id p --user-id u "
    "--consumer-type INSTANCE",
    "resource_provider_allocation_delete {server}",
)
"""What is not written here says so."""
NOTHING_TO_DO = {"resource_provider_allocation_unset"}
"""It reads the consumer's claims, and asks for nothing when there are none."""


class Session:
    """Stands where keystoneauth has its session."""

    def __init__(self, caller: Caller) -> None:
        self.caller = caller

    def request(self, url: str, method: str, *, raise_exc: bool = True, **kwargs: Any) -> Any:
        kwargs.pop("endpoint_filter")
        answer = self.caller.request(method, f"/placement{url}", **kwargs)
        if raise_exc and answer.status_code >= 400:
            raise exceptions.from_response(answer, method, url)
        return answer


def command(client: Any, line: str) -> list[Any]:
    """Run one, as ``openstack`` does; its rows."""
    name, *words = shlex.split(line)
    [entry] = [one for one in entries() if one.name == name]
    app = SimpleNamespace(client_manager=SimpleNamespace(placement=client, session=client.session))
    made = entry.load()(app, None)
    shown = made.take_action(made.get_parser(name).parse_args(words))
    return list(shown[1]) if isinstance(shown, tuple) else []


def entries() -> list[Any]:
    return [one for one in distribution("osc-placement").entry_points if one.group == "openstack.placement.v1"]


def client_of(cloud: ApiCloud, version: str) -> Any:
    return http.SessionClient(Session(cloud.admin), {"service_type": "placement"}, version)


def test_every_command_does_what_it_says_or_says_that_it_is_not_done(cloud: ApiCloud) -> None:
    client = client_of(cloud, "1.39")
    known = {"host": HOST_ID, "aggregate": AGGREGATE, "server": AGGREGATE, "project": cloud.admin.project_id}
    for template in DONE:
        path = f"/placement/resource_providers/{HOST_ID}"
        generation = cloud.admin.get(path).json()["generation"]
        rows = command(client, template.format(**known, generation=generation))
        asks = any(word in template.split()[0] for word in ("list", "show"))
        assert rows or not asks or template.split()[0] in {*EMPTY, "resource_usage_show"}, template
    for template in REFUSED:
        with pytest.raises(exceptions.HttpError) as refused:
            command(client, template.format(**known))
        assert refused.value.http_status == 501, template
    walked = {line.split()[0] for line in (*DONE, *REFUSED)}
    assert walked | NOTHING_TO_DO == {one.name for one in entries()}


def test_a_client_finds_the_version_it_may_speak(cloud: ApiCloud) -> None:
    client = client_of(cloud, "1")
    assert client.api_version == "1.29"
    assert command(client, "resource_provider_list")
