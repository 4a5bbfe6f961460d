"""What the tests of the compute API share: a project with a network, an image and a flavor."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import event

from tane.agent.compute.drivers.fake import FakeCompute
from tests.support import HOST_ID, ApiCloud, Caller

V = "/compute/v2.1"
LATEST = {"OpenStack-API-Version": "compute 2.96"}


def at(version: str) -> dict[str, str]:
    """Headers that ask for a microversion."""
    return {"OpenStack-API-Version": f"compute {version}"}


@dataclass
class Project:
    """A member of a project that has what servers need."""

    cloud: ApiCloud
    user: Caller
    admin: Caller
    flavor_id: str
    image_id: str
    network_id: str

    @property
    def host(self) -> FakeCompute:
        duty = self.cloud.core.hosts.agent(HOST_ID).compute
        assert isinstance(duty, FakeCompute)
        return duty

    def body(self, name: str = "web", **more: Any) -> dict[str, Any]:
        server: dict[str, Any] = {"name": name, "flavorRef": self.flavor_id, "imageRef": self.image_id}
        server["networks"] = [{"uuid": self.network_id}]
        server.update(more)
        return {"server": {key: value for key, value in server.items() if value is not None}}

    def create(self, name: str = "web", *, version: str = "2.96", **more: Any) -> str:
        """A server that was accepted; its job has not run."""
        answer = self.user.post(f"{V}/servers", self.body(name, **more), 202, headers=at(version))
        return str(answer.json()["server"]["id"])

    def server(self, name: str = "web", **more: Any) -> str:
        """A running server."""
        server_id = self.create(name, **more)
        self.cloud.run_jobs()
        assert self.show(server_id)["status"] == "ACTIVE", self.show(server_id)
        return server_id

    def show(self, server_id: str, version: str = "2.96") -> dict[str, Any]:
        found: dict[str, Any] = self.user.get(f"{V}/servers/{server_id}", headers=at(version)).json()["server"]
        return found

    def act(self, server_id: str, action: str, value: Any = None, expect: int = 202, **more: Any) -> Any:
        return self.user.post(f"{V}/servers/{server_id}/action", {action: value}, expect, **more)

    def done(self, server_id: str, action: str, value: Any = None) -> dict[str, Any]:
        """Act, let the work end, and show."""
        self.act(server_id, action, value)
        self.cloud.run_jobs()
        return self.show(server_id)


@contextmanager
def queries(cloud: ApiCloud) -> Iterator[list[str]]:
    """The SQL that was read meanwhile."""
    statements: list[str] = []

    def note(*args: object) -> None:
        statements.append(str(args[2]))

    engine = cloud.core.db.engines.reader
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(engine, "before_cursor_execute", note)


def make_image(user: Caller, name: str = "cirros", data: bytes = b"disk" * 256, **more: Any) -> str:
    body = {"name": name, "disk_format": "raw", "container_format": "bare", **more}
    image_id = str(user.post("/image/v2/images", body, 201).json()["id"])
    headers = {"Content-Type": "application/octet-stream"}
    user.request("PUT", f"/image/v2/images/{image_id}/file", content=data, headers=headers, expect=204)
    return image_id


def make_network(user: Caller, name: str = "lan", cidr: str = "10.1.0.0/24") -> str:
    network_id = str(user.post("/network/v2.0/networks", {"network": {"name": name}}, 201).json()["network"]["id"])
    body = {"subnet": {"network_id": network_id, "cidr": cidr, "ip_version": 4}}
    user.post("/network/v2.0/subnets", body, 201)
    return network_id


def make_flavor(admin: Caller, name: str = "tiny", **more: Any) -> str:
    body = {"flavor": {"name": name, "ram": 64, "vcpus": 1, "disk": 1, **more}}
    return str(admin.post(f"{V}/flavors", body, 200).json()["flavor"]["id"])


def project(cloud: ApiCloud, name: str = "garden") -> Project:
    user, admin = cloud.new_user(f"{name}-mia", name), cloud.admin
    return Project(cloud, user, admin, make_flavor(admin, f"{name}-tiny"), make_image(user), make_network(user))
