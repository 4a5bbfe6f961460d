"""``stacks``: what Heat's templates cost: ten servers with their network, a thousand resources, 500 stacks in a cloud.

The servers' figures stand beside Heat's own (README, "Measuring"). The two others are asked only of a cloud of ours
that is gone afterwards.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

from bench.cloud import Cloud, Failed, Figure, pss_mb

SERVERS, MANY, STACKS = 10, 1000, 500
VERSION = "2021-04-16"


def ten_servers(image: str, flavor: str) -> dict[str, Any]:
    """Servers in a network of their own."""
    network, server = {"get_resource": "net"}, {"image": image, "flavor": flavor}
    resources: dict[str, Any] = {
        "net": {"type": "OS::Neutron::Net"},
        "subnet": {"type": "OS::Neutron::Subnet", "properties": {"network": network, "cidr": "10.9.0.0/24"}},
    }
    for number in range(SERVERS):
        properties = {**server, "networks": [{"network": network}]}
        resources[f"server{number}"] = {"type": "OS::Nova::Server", "properties": properties}
    return {"heat_template_version": VERSION, "resources": resources}


def many() -> dict[str, Any]:
    """Resources that refer to one another: ports with groups in one network, and strings."""
    network = {"get_resource": "net"}
    resources: dict[str, Any] = {
        "net": {"type": "OS::Neutron::Net"},
        "subnet": {"type": "OS::Neutron::Subnet", "properties": {"network": network, "cidr": "10.12.0.0/16"}},
    }
    for number in range(300):
        name = {"get_resource": f"word{number}"}
        resources[f"word{number}"] = {"type": "OS::Heat::RandomString"}
        resources[f"group{number}"] = {"type": "OS::Neutron::SecurityGroup", "properties": {"name": name}}
    for number in range(MANY - len(resources)):
        groups = [{"get_resource": f"group{number % 300}"}]
        properties = {"network": network, "security_groups": groups}
        resources[f"port{number}"] = {
            "type": "OS::Neutron::Port",
            "depends_on": "subnet",
            "properties": properties,
        }
    return {"heat_template_version": VERSION, "resources": resources}


def small() -> dict[str, Any]:
    resources = {f"word{number}": {"type": "OS::Heat::RandomString"} for number in range(4)}
    return {"heat_template_version": VERSION, "resources": resources}


class Stacks:
    """Makes and deletes stacks, and waits for them."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.url = cloud.url("orchestration") + "/stacks"
        self.made: dict[int, str] = {}

    async def create(self, number: int, template: Mapping[str, Any]) -> None:
        body = {"stack_name": f"bench-{number + 1000}", "template": template, "timeout_mins": 60}
        made = (await self.cloud.call("POST", self.url, body)).json()["stack"]
        self.made[number] = f"{self.url}/{body['stack_name']}/{made['id']}"
        await self._until(number, "CREATE")

    async def delete(self, number: int) -> None:
        await self.cloud.call("DELETE", self.made[number])
        await self._until(number, "DELETE")
        del self.made[number]

    async def _until(self, number: int, action: str) -> None:
        def done(body: Any) -> bool:
            status = body["stack"]["stack_status"]
            if status.endswith("FAILED"):
                raise Failed(f"{status}: {body['stack']['stack_status_reason']}")
            return bool(status == f"{action}_COMPLETE")

        await self.cloud.until(f"{self.made[number]}?resolve_outputs=false", done, every=0.2)


async def servers_of_stacks(cloud: Cloud, image: str, flavor: str) -> AsyncIterator[Figure]:
    stacks, template = Stacks(cloud), ten_servers(image, flavor)

    async def create(number: int) -> None:
        await stacks.create(number, template)

    yield await cloud.measure(f"stack of {SERVERS} servers and a network: create", create, count=5, warm_up=1)
    yield await cloud.measure(f"stack of {SERVERS} servers and a network: delete", stacks.delete, count=5)
    await stacks.delete(-1)


async def large_and_many(cloud: Cloud) -> AsyncIterator[Figure]:
    stacks, template, little = Stacks(cloud), many(), small()

    async def create(number: int) -> None:
        await stacks.create(number, template)

    async def create_small(number: int) -> None:
        await stacks.create(number, little)

    yield await cloud.measure(f"stack of {MANY} resources: create", create, count=1)
    yield await cloud.measure(f"stack of {MANY} resources: delete", stacks.delete, count=1)
    before = round(pss_mb([cloud.pid])) if cloud.pid else 0
    yield await cloud.measure(f"{STACKS} stacks of four resources, 8 at once", create_small, count=STACKS, at_once=8)

    async def listed(_: int) -> None:
        await cloud.call("GET", stacks.url)

    yield await cloud.measure(f"GET /stacks with {STACKS} stacks", listed, count=10, warm_up=1)
    if cloud.pid:
        for words, found in (
            (f"before {STACKS} stacks", before),
            (f"with {STACKS} stacks", round(pss_mb([cloud.pid]))),
        ):
            figure = Figure(f"memory {words}, MB PSS", [], 1.0, None)
            figure.operations = found
            yield figure
    yield await cloud.measure(f"{STACKS} stacks deleted, 8 at once", stacks.delete, count=STACKS, at_once=8)
