"""``tane demo``: from nothing to a logged-in server with a network, a floating IP and a volume, step by step."""

from __future__ import annotations

import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from tane.agent.network.user import FORWARDED_PORTS, forwarded_address
from tane.cli import demo_hosts, demo_stack, dev, up, userns
from tane.cli.client import CallError, Client
from tane.cli.common import DEFAULT_STATE, State, cache_folder
from tane.cli.options import ModeOption, PortOption, StateOption
from tane.guest.build import GuestImage, GuestImageError, build
from tane.linux.files import write_private

SSH_SECONDS = 180.0
SERVER_SECONDS = 120.0
VOLUME_SCRIPT = (
    "set -e; d=$(for b in /sys/block/vd[b-z]; do [ $(cat $b/size) = 2097152 ] && echo /dev/${b##*/}; done | tail -1); "
    "mke2fs -q $d; mkdir -p /mnt/data; mount $d /mnt/data; echo 'written by the demo' >/mnt/data/hello; sync; "
    "echo disk $d $(cat /mnt/data/hello)"
)
METADATA_SCRIPT = (
    "m=http://169.254.169.254/latest/meta-data; "
    "echo host name $(timeout 3 wget -q -O - $m/local-hostname), floating IP $(timeout 3 wget -q -O - $m/public-ipv4)"
)


HostsOption = Annotated[
    int, typer.Option("--hosts", help="Let so many more hosts join, all on this machine.", min=0, max=dev.MOST)
]


def demo(
    state: StateOption = DEFAULT_STATE, port: PortOption = None, mode: ModeOption = None, hosts: HostsOption = 0
) -> None:
    """Start a cloud and tour it: network, server, floating IP, volume, SSH, stack. Leaves the cloud running."""
    files = State.of(state)
    if hosts and not files.running():
        files.prepare()
        dev.prepare(files)
    up.start(files, port, mode)
    chosen = files.mode()
    assert chosen is not None, "a cloud that was just started has a mode"
    if hosts:
        dev.hosts(hosts, files.folder)
    tour = Tour(files, files.admin(), chosen)
    try:
        seconds = tour.walk()
        if hosts:
            demo_hosts.walk(tour, [dev.numbered(files, number) for number in range(1, hosts + 1)])
        demo_stack.walk(tour)
    except (CallError, GuestImageError) as error:
        sys.exit(f"demo: failed: {error}")
    print_next_steps(tour)
    print(
        "demo: ok, simulated: no server ran"
        if seconds is None
        else f"demo: ok, {seconds:.1f} s from request to SSH login"
    )


@contextmanager
def step(title: str) -> Iterator[None]:
    """Print the step and how long it took."""
    print(f"  {title:<58}", end="", flush=True)
    begun = time.monotonic()
    yield
    print(f"{time.monotonic() - begun:7.2f} s", flush=True)


class Tour:
    """The steps a user would take, with what they made."""

    def __init__(self, state: State, admin: Client, mode: str) -> None:
        self.state = state
        self.admin = admin
        self.mode = mode
        self.name = f"demo-{secrets.token_hex(2)}"
        self.password = secrets.token_urlsafe(12)
        self.key = state.folder / f"{self.name}.pem"
        self.left_out: list[str] = []
        self.address = ""
        self.port_id = ""
        self.first_id = ""

    def walk(self) -> float | None:
        """All steps; returns the seconds from the request to the SSH login, None without a real server."""
        with step("guest image (built once, then cached)"):
            guest = build(cache_folder()) if self.mode != "simulated" else None
        with step(f"project and user {self.name}"):
            self._project()
        with step("image upload"):
            image_id = self._images(guest)
        with step("flavor, key pair"):
            self._key_pair()
            flavor_id = self._flavor()
        with step("network, subnet with DNS server, router"):
            network_id = self._network()
        with step("security group that lets SSH and ping in"):
            self._security_group()
        with step("volume of 1 GB"):
            volume_id = self._volume()
        requested = time.monotonic()
        with step("server: ACTIVE"):
            server_id = self.first_id = self.server(self.name, image_id, flavor_id, network_id)
        with step("floating IP"):
            self._floating_ip(server_id)
        if self.mode == "simulated":
            self.left_out.append("logging in, metadata and writing to the volume: the hosts are simulated")
            return None
        with step(f"SSH login at {self.address}"):
            self.ssh("true", SSH_SECONDS)
            seconds = time.monotonic() - requested
        with step("volume attached while the server runs"):
            self._attach(server_id, volume_id)
        with step("what the server sees"):
            facts = [] if self.mode == "user" else [self.ssh(METADATA_SCRIPT, 60)]
            facts.append(self.ssh(VOLUME_SCRIPT, 60))
        for fact in facts:
            print(f"      {fact}")
        if self.mode == "user":
            self.left_out.append("metadata address and routers: a user-mode network has neither")
        return seconds

    def _project(self) -> None:
        project = self.admin.call("POST", "/identity/v3/projects", {"project": {"name": self.name}})["project"]
        body = {"user": {"name": self.name, "password": self.password, "default_project_id": project["id"]}}
        user = self.admin.call("POST", "/identity/v3/users", body)["user"]
        [role] = self.admin.call("GET", "/identity/v3/roles?name=member")["roles"]
        path = f"/identity/v3/projects/{project['id']}/users/{user['id']}/roles/{role['id']}"
        self.admin.call("PUT", path)
        self.user = self.state.client(self.name, self.password, self.name)

    def _image(self, name: str, disk_format: str, file: Path | None, **properties: str) -> str:
        container = disk_format if disk_format in ("aki", "ari") else "bare"
        body = {"name": name, "disk_format": disk_format, "container_format": container, **properties}
        image: dict[str, Any] = self.user.call("POST", "/image/v2/images", body)
        if file is not None:
            self.user.upload(f"/image/v2/images/{image['id']}/file", file)
        else:
            small = self.state.folder / "simulated.img"
            small.write_bytes(bytes(1 << 20))
            self.user.upload(f"/image/v2/images/{image['id']}/file", small)
            small.unlink()
        return str(image["id"])

    def _images(self, guest: GuestImage | None) -> str:
        if guest is None:
            return self._image("demo", "raw", None)
        properties = {}
        if guest.kernel is not None and guest.ramdisk is not None:
            # Who is shown the image in another project, an administrator, can then boot and rebuild there, too.
            usable = {"visibility": "community"}
            properties = {
                "kernel_id": self._image("demo-kernel", "aki", guest.kernel, **usable),
                "ramdisk_id": self._image("demo-ramdisk", "ari", guest.ramdisk, **usable),
                "os_command_line": guest.os_command_line,
            }
        return self._image("demo", "qcow2", guest.disk, **properties)

    def _key_pair(self) -> None:
        keypair = self._generate_key()
        write_private(self.key, keypair[0].encode())
        self.user.call("POST", "/compute/v2.1/os-keypairs", {"keypair": {"name": "demo", "public_key": keypair[1]}})

    def _generate_key(self) -> tuple[str, str]:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

        key = Ed25519PrivateKey.generate()
        private = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()
        public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
        return private, f"{public} demo"

    def _flavor(self) -> str:
        flavors = self.admin.call("GET", "/compute/v2.1/flavors")["flavors"]
        for flavor in flavors:
            if flavor["name"] == "t.small":
                return str(flavor["id"])
        body = {"flavor": {"name": "t.small", "ram": 128, "vcpus": 1, "disk": 1}}
        return str(self.admin.call("POST", "/compute/v2.1/flavors", body)["flavor"]["id"])

    def _network(self) -> str:
        network = self.user.call("POST", "/network/v2.0/networks", {"network": {"name": "demo"}})["network"]
        subnet = {
            "name": "demo",
            "network_id": network["id"],
            "ip_version": 4,
            "cidr": "10.0.0.0/24",
            "dns_nameservers": name_servers(),
        }
        subnet = self.user.call("POST", "/network/v2.0/subnets", {"subnet": subnet})["subnet"]
        [public] = self.user.call("GET", "/network/v2.0/networks?router:external=true&name=public")["networks"]
        body = {"router": {"name": "demo", "external_gateway_info": {"network_id": public["id"]}}}
        router = self.user.call("POST", "/network/v2.0/routers", body)["router"]
        path = f"/network/v2.0/routers/{router['id']}/add_router_interface"
        self.user.call("PUT", path, {"subnet_id": subnet["id"]})
        self.public_id = public["id"]
        return str(network["id"])

    def _security_group(self) -> None:
        body = {"security_group": {"name": "demo"}}
        group = self.user.call("POST", "/network/v2.0/security-groups", body)["security_group"]
        for rule in (
            {"protocol": "tcp", "port_range_min": 22, "port_range_max": 22},
            {"protocol": "icmp"},
        ):
            rule = {**rule, "direction": "ingress", "security_group_id": group["id"]}
            self.user.call("POST", "/network/v2.0/security-group-rules", {"security_group_rule": rule})

    def _volume(self) -> str:
        path = f"/volume/v3/{self.user.project_id}/volumes"
        volume = self.user.call("POST", path, {"volume": {"name": "demo", "size": 1}})["volume"]
        self._wait_volume(volume["id"], "available")
        return str(volume["id"])

    def _wait_volume(self, volume_id: str, status: str) -> None:
        self.user.wait(
            f"/volume/v3/{self.user.project_id}/volumes/{volume_id}",
            lambda answer: answer["volume"]["status"] == status,
            seconds=60,
            failed=lambda answer: "the volume is in error" if "error" in answer["volume"]["status"] else None,
        )

    def server(self, name: str, image_id: str, flavor_id: str, network_id: str, group: str | None = None) -> str:
        """A server that runs, in a server group if there is one; returns its id."""
        self.ordered = image_id, flavor_id, network_id
        hints = {} if group is None else {"os:scheduler_hints": {"group": group}}
        server = {
            "name": name,
            "imageRef": image_id,
            "flavorRef": flavor_id,
            "key_name": "demo",
            "networks": [{"uuid": network_id}],
            "security_groups": [{"name": "demo"}],
        }
        server_id = self.user.call("POST", "/compute/v2.1/servers", {"server": server, **hints})["server"]["id"]
        self.user.wait(
            f"/compute/v2.1/servers/{server_id}",
            lambda answer: answer["server"]["status"] == "ACTIVE",
            seconds=SERVER_SECONDS,
            failed=lambda answer: str(answer["server"].get("fault")) if answer["server"]["status"] == "ERROR" else None,
        )
        return str(server_id)

    def _floating_ip(self, server_id: str) -> None:
        [port] = self.user.call("GET", f"/network/v2.0/ports?device_id={server_id}")["ports"]
        self.port_id = port["id"]
        body = {"floatingip": {"floating_network_id": self.public_id, "port_id": port["id"]}}
        floating_ip = self.user.call("POST", "/network/v2.0/floatingips", body)["floatingip"]
        self.address = floating_ip["floating_ip_address"]
        if self.mode == "user":
            return
        self.user.wait(
            f"/network/v2.0/floatingips/{floating_ip['id']}",
            lambda answer: answer["floatingip"]["status"] == "ACTIVE",
            seconds=30,
            failed=lambda answer: "the floating IP is in error" if answer["floatingip"]["status"] == "ERROR" else None,
        )

    def _attach(self, server_id: str, volume_id: str) -> None:
        body = {"volumeAttachment": {"volumeId": volume_id}}
        self.user.call("POST", f"/compute/v2.1/servers/{server_id}/os-volume_attachments", body)
        self._wait_volume(volume_id, "in-use")

    def ssh_command(self) -> list[str]:
        """How to log in from this machine."""
        options = ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR"]
        options += ["-o", "ConnectTimeout=3", "-o", "BatchMode=yes", "-i", str(self.key)]
        if self.mode == "user":
            return ["ssh", *options, "-p", str(FORWARDED_PORTS[22]), f"root@{forwarded_address(self.port_id)}"]
        inside = userns.prefix(self.state) if self.mode == "userns" else []
        return [*inside, "ssh", *options, f"root@{self.address}"]

    def ssh(self, command: str, seconds: float) -> str:
        """Run a command in the server, waiting until it is reached. :raises CallError: it fails, or takes longer."""
        until = time.monotonic() + seconds
        while True:
            try:
                done = subprocess.run(
                    [*self.ssh_command(), command], capture_output=True, text=True, check=False, timeout=60
                )
                problem = done.stderr.strip() or f"exit status {done.returncode}"
                if done.returncode == 0:
                    return done.stdout.strip()
                if done.returncode != 255:
                    raise CallError(f"ssh {command!r}: {problem}")
            except subprocess.TimeoutExpired:
                problem = "timed out"
            if time.monotonic() > until:
                raise CallError(f"no SSH login at {self.address} within {seconds:.0f} s: {problem}")
            time.sleep(0.1)


def name_servers() -> list[str]:
    """The machine's own DNS servers, as far as a guest can reach them."""
    try:
        lines = Path("/etc/resolv.conf").read_text().splitlines()
    except OSError:
        lines = []
    words = [line.split() for line in lines if line.startswith("nameserver ")]
    found = [parts[1] for parts in words if len(parts) > 1 and not parts[1].startswith("127.") and ":" not in parts[1]]
    return found[:2] or ["9.9.9.9"]


def print_next_steps(tour: Tour) -> None:
    print()
    for sentence in tour.left_out:
        print(f"  left out: {sentence}")
    print("  The cloud keeps running. Try next:")
    state = "" if tour.state.folder == Path(".tane").absolute() else f" --state {tour.state.folder}"
    if tour.mode != "simulated":
        print(f"    {' '.join(tour.ssh_command())}")
    print(f"    ./tane openstack{state} server list --all-projects")
    print(f"    ./tane doctor{state}        what could be better on this machine")
    print(f"    ./tane down{state}          stop it all")
    print()
