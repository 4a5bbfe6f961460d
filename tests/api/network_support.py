"""What the tests of the network API share: a simulated host, and short ways to make resources."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tane.agent.network.fake import FakeNetwork
from tane.core import Core
from tane.hosts import HostAgent
from tane.hosts import store as hosts
from tane.services.network.interface import ensure_external_network
from tane.services.network.reconcilers import converge
from tests.support import HOST_ID, ApiCloud, Caller

V2 = "/network/v2.0"


def add_host(core: Core, name: str, local_ip: str | None = None) -> FakeNetwork:
    """Register a simulated host with the network and compute roles; its id is ``id-<name>``."""
    duty = FakeNetwork(local_ip)
    core.hosts.add(HostAgent(f"id-{name}", name, network=duty, local_ip=local_ip))
    with core.db.write() as tx:
        hosts.register(tx, f"id-{name}", name, ("compute", "network"), local_ip, {})
    return duty


def first_host(cloud: ApiCloud) -> FakeNetwork:
    """The network of the simulated host every cloud of the tests has."""
    duty = cloud.core.hosts.agent(HOST_ID).network
    assert isinstance(duty, FakeNetwork)
    return duty


@dataclass
class Net:
    """A caller's short ways; each returns the resource."""

    who: Caller

    def make(self, single: str, expect: int = 201, **values: Any) -> Any:
        """Make a resource; the error body when ``expect`` is another status."""
        path = f"{V2}/{single.replace('_', '-')}s"
        body = self.who.post(path, {single: values}, expect).json()
        return body[single] if expect == 201 else body["NeutronError"]

    def change(self, single: str, row_id: str, expect: int = 200, **values: Any) -> Any:
        path = f"{V2}/{single.replace('_', '-')}s/{row_id}"
        body = self.who.put(path, {single: values}, expect).json()
        return body[single] if expect == 200 else body["NeutronError"]

    def show(self, single: str, row_id: str) -> Any:
        return self.who.get(f"{V2}/{single.replace('_', '-')}s/{row_id}").json()[single]

    def list(self, collection: str, query: str = "") -> Any:
        return self.who.get(f"{V2}/{collection}{query}").json()[collection.replace("-", "_")]

    def drop(self, single: str, row_id: str, expect: int = 204) -> Any:
        response = self.who.delete(f"{V2}/{single.replace('_', '-')}s/{row_id}", expect)
        return None if expect == 204 else response.json()["NeutronError"]

    def subnet(self, cidr: str = "10.0.0.0/24", **values: Any) -> Any:
        """A network with one subnet; returns the subnet."""
        network = self.make("network", name="net")
        return self.make("subnet", network_id=network["id"], ip_version=6 if ":" in cidr else 4, cidr=cidr, **values)

    def attach(self, router_id: str, subnet_id: str, expect: int = 200, verb: str = "add") -> Any:
        path = f"{V2}/routers/{router_id}/{verb}_router_interface"
        return self.who.put(path, {"subnet_id": subnet_id}, expect).json()


def public(cloud: ApiCloud) -> str:
    """The external network, made when it is not there."""
    ensure_external_network(cloud.core, "203.0.113.0/24")
    [network] = cloud.admin.get(f"{V2}/networks?router:external=true").json()["networks"]
    return str(network["id"])


def reconcile(cloud: ApiCloud) -> str | None:
    """One pass of the hosts' reconciler."""
    return cloud.wait(converge(cloud.core))  # type: ignore[no-any-return]
