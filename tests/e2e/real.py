"""A real cloud for a test run: started by the launcher's own commands, with real guests and networks."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tane import ids
from tane.cli.client import CallError, Client
from tane.guest.build import GuestImage
from tests.ports import free_port

MARKS = [pytest.mark.root, pytest.mark.guest]
"""Of every test of this folder."""

SSH_OPTIONS = (
    *("-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR"),
    *("-o", "ConnectTimeout=3", "-o", "BatchMode=yes"),
    # An address that moves while one logs in leaves a connection that says nothing.
    *("-o", "ServerAliveInterval=5", "-o", "ServerAliveCountMax=4"),
)


@dataclass
class RealCloud:
    """One cloud in a folder of its own. ``outside`` is the namespace that stands for the world behind the routers."""

    folder: Path
    port: int = field(default_factory=free_port)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """Settings of its own."""
        return {}

    @property
    def outside(self) -> str:
        return f"tane-{ids.of(self.folder).cloud_id}-ext"

    def tane(self, *arguments: str, check: bool = True) -> str:
        command = [sys.executable, "-m", "tane.cli", *arguments]
        fixed = {"TANE_EXTERNAL_HOST_LINK": "false", "TANE_STATE": str(self.folder)}
        environment = {**os.environ, **fixed, **self.environment}
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=120)
        assert done.returncode == 0 or not check, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    def up(self) -> None:
        self.tane("up", "--mode", "root", "--port", str(self.port))

    def kill(self) -> None:
        """kill -9 of the cloud's process, as in a crash."""
        pid = int((self.folder / "run" / "tane.pid").read_text().split()[0])
        os.kill(pid, 9)
        while Path(f"/proc/{pid}").exists() and "Z" not in Path(f"/proc/{pid}/stat").read_text().split(")")[1][:3]:
            time.sleep(0.005)

    @property
    def password(self) -> str:
        """The administrator's."""
        return (self.folder / "admin-password").read_text().strip()

    def admin(self) -> Client:
        return Client(self.url, "admin", self.password, "admin")

    def tenant(self, name: str) -> Tenant:
        """A new project with its user, its key and a network with a router to the outside."""
        admin = self.admin()
        project = admin.call("POST", "/identity/v3/projects", {"project": {"name": name}})["project"]
        password = secrets.token_urlsafe(8)
        user = admin.call("POST", "/identity/v3/users", {"user": {"name": name, "password": password}})["user"]
        [role] = admin.call("GET", "/identity/v3/roles?name=member")["roles"]
        admin.call("PUT", f"/identity/v3/projects/{project['id']}/users/{user['id']}/roles/{role['id']}")
        return Tenant(self, name, password)

    def flavor(self) -> str:
        admin = self.admin()
        for flavor in admin.call("GET", "/compute/v2.1/flavors")["flavors"]:
            if flavor["name"] == "t.test":
                return str(flavor["id"])
        body = {"flavor": {"name": "t.test", "ram": 96, "vcpus": 1, "disk": 1}}
        return str(admin.call("POST", "/compute/v2.1/flavors", body)["flavor"]["id"])


def wait_for(what: str, ready: Callable[[], Any], seconds: float) -> Any:
    """Ask until the answer is true; fails by name when time is over."""
    until = time.monotonic() + seconds
    while True:
        answer = ready()
        if answer:
            return answer
        assert time.monotonic() < until, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.02)


class Tenant:
    """A user of the cloud with a network of its own: always 10.0.0.0/24, whoever it is."""

    login = "root"
    """The user of the guests."""

    def __init__(self, cloud: RealCloud, name: str, password: str) -> None:
        self.cloud, self.name, self.password = cloud, name, password
        self.outside = ["ip", "netns", "exec", cloud.outside]
        """What runs a command in the world behind the routers: at the gateway host."""
        self.connect()
        self.key = cloud.folder / f"{name}.key"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.key)], check=True)
        public = self.key.with_suffix(".key.pub").read_text().strip()
        self.post("/compute/v2.1/os-keypairs", {"keypair": {"name": "key", "public_key": public}})
        self.network = self.post("/network/v2.0/networks", {"network": {"name": "net"}})["network"]["id"]
        subnet = {"network_id": self.network, "ip_version": 4, "cidr": "10.0.0.0/24", "dns_nameservers": ["192.0.2.53"]}
        self.subnet = self.post("/network/v2.0/subnets", {"subnet": subnet})["subnet"]["id"]
        [public_network] = self.get("/network/v2.0/networks?name=public")["networks"]
        self.public = public_network["id"]
        router = {"name": "router", "external_gateway_info": {"network_id": self.public}}
        self.router = self.post("/network/v2.0/routers", {"router": router})["router"]["id"]
        self.client.call("PUT", f"/network/v2.0/routers/{self.router}/add_router_interface", {"subnet_id": self.subnet})
        self.group = self.post("/network/v2.0/security-groups", {"security_group": {"name": "open"}})["security_group"][
            "id"
        ]
        self.allow("tcp", 22)
        self.allow("icmp")

    def connect(self) -> None:
        """Log in (again)."""
        self.client = Client(self.cloud.url, self.name, self.password, self.name)

    def get(self, path: str) -> Any:
        return self.client.call("GET", path)

    def post(self, path: str, body: Any) -> Any:
        return self.client.call("POST", path, body)

    @property
    def volumes(self) -> str:
        return f"/volume/v3/{self.client.project_id}"

    def allow(self, protocol: str, port: int | None = None, group: str | None = None) -> str:
        """Open the group; returns the rule's id."""
        rule: dict[str, Any] = {"direction": "ingress", "protocol": protocol, "security_group_id": group or self.group}
        if port is not None:
            rule |= {"port_range_min": port, "port_range_max": port}
        made = self.post("/network/v2.0/security-group-rules", {"security_group_rule": rule})
        return str(made["security_group_rule"]["id"])

    def upload_image(self, guest: GuestImage) -> str:
        """The guest image with its kernel and RAM disk."""
        ids = {}
        for name, kind, file in (
            ("kernel", "aki", guest.kernel),
            ("ramdisk", "ari", guest.ramdisk),
            ("disk", "qcow2", guest.disk),
        ):
            assert file is not None
            body: dict[str, str] = {
                "name": name,
                "disk_format": kind,
                "container_format": kind if kind != "qcow2" else "bare",
            }
            if name == "disk":
                body |= {
                    "kernel_id": ids["kernel"],
                    "ramdisk_id": ids["ramdisk"],
                    "os_command_line": guest.os_command_line,
                }
            ids[name] = self.post("/image/v2/images", body)["id"]
            self.client.upload(f"/image/v2/images/{ids[name]}/file", file)
        return str(ids["disk"])

    def request_server(self, name: str, image: str | None, **more: Any) -> str:
        server = {
            "name": name,
            "flavorRef": self.cloud.flavor(),
            "key_name": "key",
            "networks": [{"uuid": self.network}],
            "security_groups": [{"name": "open"}],
            **({"imageRef": image} if image else {}),
            **more,
        }
        return str(self.post("/compute/v2.1/servers", {"server": server})["server"]["id"])

    def server(self, server_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.get(f"/compute/v2.1/servers/{server_id}")["server"]
        return found

    def wait_server(self, server_id: str, status: str = "ACTIVE", seconds: float = 120) -> dict[str, Any]:
        def ready() -> bool:
            server = self.server(server_id)
            assert status == "ERROR" or server["status"] != "ERROR", server.get("fault")
            return bool(server["status"] == status and server["OS-EXT-STS:task_state"] is None)

        wait_for(f"server {server_id} {status}", ready, seconds)
        return self.server(server_id)

    def port_of(self, server_id: str) -> str:
        """On the network that has a router, where it has ports on several."""
        ports = self.get(f"/network/v2.0/ports?device_id={server_id}")["ports"]
        return str(min(ports, key=lambda port: port["network_id"] != self.network)["id"])

    def floating_ip(self, server_id: str | None = None) -> tuple[str, str]:
        """(id, address), associated with the server's port when one is given."""
        body: dict[str, Any] = {"floating_network_id": self.public}
        if server_id is not None:
            body["port_id"] = self.port_of(server_id)
        made = self.post("/network/v2.0/floatingips", {"floatingip": body})["floatingip"]
        return made["id"], made["floating_ip_address"]

    def associate(self, floating_ip: str, server_id: str | None) -> None:
        port = self.port_of(server_id) if server_id else None
        self.client.call("PUT", f"/network/v2.0/floatingips/{floating_ip}", {"floatingip": {"port_id": port}})

    def ssh_once(self, address: str, command: str) -> subprocess.CompletedProcess[str]:
        """One attempt from the outside."""
        ssh = ["ssh", *SSH_OPTIONS, "-i", str(self.key), f"{self.login}@{address}", command]
        return subprocess.run([*self.outside, *ssh], capture_output=True, text=True, check=False, timeout=90)

    def ssh(self, address: str, command: str, seconds: float = 120) -> str:
        """Run a command in a guest, waiting for it to be reachable. Fails when the command does."""
        until = time.monotonic() + seconds
        while True:
            done = self.ssh_once(address, command)
            if done.returncode == 0:
                return done.stdout.strip()
            assert done.returncode == 255, f"{command!r}: {done.stdout}{done.stderr}"
            assert time.monotonic() < until, f"no SSH at {address}: {done.stderr}"

    def volume(self, size: int = 1, **more: Any) -> str:
        made = self.post(f"{self.volumes}/volumes", {"volume": {"size": size, **more}})["volume"]
        self.wait_volume(made["id"], "available")
        return str(made["id"])

    def wait_volume(self, volume_id: str, status: str, seconds: float = 60) -> None:
        def ready() -> bool:
            found = self.get(f"{self.volumes}/volumes/{volume_id}")["volume"]["status"]
            assert "error" not in found, f"volume {volume_id}: {found}"
            return bool(found == status)

        wait_for(f"volume {volume_id} {status}", ready, seconds)

    def attach(self, server_id: str, volume_id: str) -> None:
        path = f"/compute/v2.1/servers/{server_id}/os-volume_attachments"
        self.post(path, {"volumeAttachment": {"volumeId": volume_id}})
        self.wait_volume(volume_id, "in-use")

    def detach(self, server_id: str, volume_id: str) -> None:
        self.client.call("DELETE", f"/compute/v2.1/servers/{server_id}/os-volume_attachments/{volume_id}")
        self.wait_volume(volume_id, "available")

    def delete_server(self, server_id: str) -> None:
        self.client.call("DELETE", f"/compute/v2.1/servers/{server_id}")

        def gone() -> bool:
            try:
                self.server(server_id)
            except CallError as error:
                return "404" in str(error)
            return False

        wait_for(f"server {server_id} gone", gone, 60)
