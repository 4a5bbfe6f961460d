"""What the tenants do meanwhile: servers, volumes, networks, IPs and stacks come and go, and data is written."""

from __future__ import annotations

import random
import subprocess
import threading
import time
from collections.abc import Callable
from typing import Any

from chaos import stacks
from chaos.caller import Caller, Refused, Unknown
from tests.e2e.real import SSH_OPTIONS, RealCloud, Tenant

COMPUTE, NETWORK = "/compute/v2.1", "/network/v2.0"
MOST = {"server": 1, "volume": 3, "network": 2, "floating_ip": 2}
"""How many of each a tenant has at most besides those of the writer: guests under emulation are dear."""
PAUSE = 0.2
RECORD = 512
WRITE = (
    "i={first}; while printf '%-511d\\n' $i | dd of=/dev/vdb bs=512 seek=$i conv=notrunc,fsync 2>/dev/null;"
    " do echo $i; i=$((i+1)); sleep 0.2; done"
)


class Load:
    """The random work of one tenant. ``alive`` holds what was acknowledged and not asked to be deleted since."""

    def __init__(self, cloud: RealCloud, name: str, dice: random.Random) -> None:
        self.tenant: Tenant = cloud.tenant(name)
        self.caller = Caller(cloud.url, name, self.tenant.password, name)
        self.dice = dice
        self.image = ""
        self.flavor = cloud.flavor()
        self.done = 0
        self.alive: dict[str, str] = {}
        """path → kind"""
        self.deleted: set[str] = set()
        self.unexpected: list[str] = []

    @property
    def volumes(self) -> str:
        return f"/volume/v3/{self.caller.project_id}"

    def run(self, stop: threading.Event) -> None:
        """One action after another until told to stop. What is refused or unknown is part of the game."""
        self.caller.patiently("GET", f"{NETWORK}/networks")
        while not stop.is_set():
            action = self.dice.choice(ACTIONS)
            try:
                action(self)
                self.done += 1
            except Unknown:
                pass
            except Refused as error:
                if error.status == 500:
                    self.unexpected.append(str(error))
            stop.wait(PAUSE)

    def of(self, kind: str) -> list[str]:
        return [path for path, found in self.alive.items() if found == kind]

    def create(self, kind: str, path: str, body: dict[str, Any]) -> str:
        [made] = self.caller.call("POST", path, body).values()
        self.alive[f"{path}/{made['id']}"] = kind
        return str(made["id"])

    def delete(self, path: str) -> None:
        kind = self.alive.pop(path)
        try:
            self.caller.call("DELETE", path)
        except Refused:
            self.alive[path] = kind
            raise
        self.deleted.add(path)

    def pick(self, kind: str) -> str | None:
        found = self.of(kind)
        return self.dice.choice(found) if found else None


def create_server(load: Load) -> None:
    if len(load.of("server")) < MOST["server"]:
        server = {
            "name": "passing",
            "imageRef": load.image,
            "flavorRef": load.flavor,
            "networks": [{"uuid": load.tenant.network}],
        }
        load.create("server", f"{COMPUTE}/servers", {"server": server})


def delete_server(load: Load) -> None:
    if path := load.pick("server"):
        load.delete(path)


def act_on_server(load: Load) -> None:
    actions: list[dict[str, Any]] = [{"os-stop": None}, {"os-start": None}, {"reboot": {"type": "HARD"}}]
    if path := load.pick("server"):
        load.caller.call("POST", f"{path}/action", load.dice.choice(actions))


def create_volume(load: Load) -> None:
    if len(load.of("volume")) < MOST["volume"]:
        load.create("volume", f"{load.volumes}/volumes", {"volume": {"size": 1, "name": "passing"}})


def delete_volume(load: Load) -> None:
    if path := load.pick("volume"):
        load.delete(path)


def attach_volume(load: Load) -> None:
    server, volume = load.pick("server"), load.pick("volume")
    if server and volume:
        body = {"volumeAttachment": {"volumeId": volume.rsplit("/", 1)[1]}}
        load.caller.call("POST", f"{server}/os-volume_attachments", body)


def detach_volume(load: Load) -> None:
    if server := load.pick("server"):
        for attachment in load.caller.call("GET", f"{server}/os-volume_attachments")["volumeAttachments"]:
            load.caller.call("DELETE", f"{server}/os-volume_attachments/{attachment['volumeId']}")


def create_network(load: Load) -> None:
    if len(load.of("network")) >= MOST["network"]:
        return
    network_id = load.create("network", f"{NETWORK}/networks", {"network": {"name": "passing"}})
    cidr = f"10.{load.dice.randrange(1, 250)}.{load.dice.randrange(250)}.0/24"
    subnet = {"network_id": network_id, "ip_version": 4, "cidr": cidr}
    made = load.caller.call("POST", f"{NETWORK}/subnets", {"subnet": subnet})["subnet"]
    path = f"{NETWORK}/routers/{load.tenant.router}/add_router_interface"
    load.caller.call("PUT", path, {"subnet_id": made["id"]})


def delete_network(load: Load) -> None:
    if path := load.pick("network"):
        for subnet_id in load.caller.call("GET", path)["network"]["subnets"]:
            router = f"{NETWORK}/routers/{load.tenant.router}/remove_router_interface"
            try:
                load.caller.call("PUT", router, {"subnet_id": subnet_id})
            except Refused as error:
                if error.status != 404:
                    raise
        load.delete(path)


def create_floating_ip(load: Load) -> None:
    if len(load.of("floating_ip")) < MOST["floating_ip"]:
        body = {"floatingip": {"floating_network_id": load.tenant.public}}
        load.create("floating_ip", f"{NETWORK}/floatingips", body)


def move_floating_ip(load: Load) -> None:
    path, server = load.pick("floating_ip"), load.pick("server")
    if path and server:
        ports = load.caller.call("GET", f"{NETWORK}/ports?device_id={server.rsplit('/', 1)[1]}")["ports"]
        port_id = ports[0]["id"] if ports and load.dice.random() < 0.7 else None
        load.caller.call("PUT", path, {"floatingip": {"port_id": port_id}})


def delete_floating_ip(load: Load) -> None:
    if path := load.pick("floating_ip"):
        load.delete(path)


def change_rules(load: Load) -> None:
    port = load.dice.randrange(1000, 2000)
    rule = {
        "direction": "ingress",
        "protocol": "tcp",
        "security_group_id": load.tenant.group,
        "port_range_min": port,
        "port_range_max": port,
    }
    path = f"{NETWORK}/security-group-rules"
    made = load.caller.call("POST", path, {"security_group_rule": rule})["security_group_rule"]
    load.caller.call("DELETE", f"{path}/{made['id']}")


ACTIONS: tuple[Callable[[Load], None], ...] = (
    *(create_server, act_on_server, delete_server),
    *(create_volume, attach_volume, detach_volume, delete_volume),
    *(create_network, delete_network, change_rules),
    *(create_floating_ip, move_floating_ip, delete_floating_ip),
    *stacks.ACTIONS,
)


class Writer:
    """A server of the tenant that writes numbered records to its volume; ``acknowledged`` is the last one told."""

    def __init__(self, load: Load) -> None:
        tenant = load.tenant
        self.load = load
        self.acknowledged = -1
        self.server_id = tenant.request_server("writer", load.image)
        self.volume_id = tenant.volume()

    def prepare(self) -> None:
        tenant = self.load.tenant
        tenant.wait_server(self.server_id)
        self.address = tenant.floating_ip(self.server_id)[1]
        tenant.attach(self.server_id, self.volume_id)
        tenant.ssh(self.address, "test -b /dev/vdb")

    def run(self, stop: threading.Event) -> None:
        """Write until told to stop; a session that breaks is begun anew, a server that went down is started."""
        while not stop.is_set():
            command = self._ssh(WRITE.format(first=self.acknowledged + 1))
            with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as session:
                watcher = threading.Thread(target=self._end, args=(session, stop), daemon=True)
                watcher.start()
                assert session.stdout is not None
                for line in session.stdout:
                    self.acknowledged = int(line)
            if not stop.is_set():
                self.revive()
                stop.wait(1.0)

    def _end(self, session: subprocess.Popen[str], stop: threading.Event) -> None:
        while session.poll() is None:
            if stop.wait(0.2):
                session.terminate()
                return

    def revive(self) -> None:
        """What its owner would do: start it when it went down, reboot it hard when a start failed."""
        path = f"{COMPUTE}/servers/{self.server_id}"
        ways: dict[str, dict[str, Any]] = {"SHUTOFF": {"os-start": None}, "ERROR": {"reboot": {"type": "HARD"}}}
        try:
            server = self.load.caller.call("GET", path)["server"]
            if server["status"] in ways and server["OS-EXT-STS:task_state"] is None:
                self.load.caller.call("POST", f"{path}/action", ways[server["status"]])
        except (Unknown, Refused):
            return  # The next round tries again.

    def missing(self, seconds: float) -> list[str]:
        """Acknowledged records that the volume does not hold, read in the guest."""
        until = time.monotonic() + seconds
        while True:
            done = subprocess.run(
                self._ssh(f"dd if=/dev/vdb bs={RECORD} count={self.acknowledged + 1} 2>/dev/null"),
                capture_output=True,
                check=False,
            )
            if done.returncode == 0:
                break
            if time.monotonic() > until:
                return [f"the writer's server {self.server_id} cannot be reached: {done.stderr.decode()[-200:]}"]
            self.revive()
            time.sleep(1.0)
        held = [done.stdout[start : start + RECORD].strip() for start in range(0, len(done.stdout), RECORD)]
        held += [b""] * (self.acknowledged + 1 - len(held))
        return [
            f"record {number} of volume {self.volume_id} holds {held[number][:20]!r}"
            for number in range(self.acknowledged + 1)
            if held[number] != str(number).encode()
        ]

    def _ssh(self, command: str) -> list[str]:
        tenant = self.load.tenant
        ssh = ["ssh", *SSH_OPTIONS, "-o", "ServerAliveInterval=2", "-o", "ServerAliveCountMax=5"]
        return [
            "ip",
            "netns",
            "exec",
            tenant.cloud.outside,
            *ssh,
            "-i",
            str(tenant.key),
            f"root@{self.address}",
            command,
        ]
