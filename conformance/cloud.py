"""The cloud under test: a running one or one of our own, and what a suite needs to find in it."""

from __future__ import annotations

import secrets
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tane.cli import dev
from tane.cli.client import Client
from tane.cli.common import State, cache_folder
from tane.guest.build import GuestImage, build

FLAVORS = (("conformance.1", 96), ("conformance.2", 128))


@dataclass(frozen=True)
class Cloud:
    """A running cloud and its administrator."""

    state: State
    url: str
    mode: str
    description: str
    admin: Client
    web: str = ""
    """Where image files can be fetched from (``disk.raw``, ``disk.qcow2``); empty for a cloud that ran already."""

    @property
    def simulated(self) -> bool:
        return self.mode == "simulated"


def running_cloud(folder: Path) -> Cloud:
    """The cloud that runs in a state folder; ends the program when none does."""
    state = State.of(folder)
    if not state.running():
        sys.exit(f"conformance: no cloud runs in {folder}")
    url = state.config().url
    mode, sentence = state.chosen_mode.read_text().strip().split("\n")[:2]
    return Cloud(state, url, mode, sentence, state.admin())


@contextmanager
def own_cloud(
    image_settings: str = "", object_settings: str = "", *, simulated: bool, hosts: int = 1, keep: bool
) -> Iterator[Cloud]:
    """A cloud of our own in a new folder; it is gone afterwards unless ``keep``.

    ``image_settings``, ``object_settings``: more lines of the sections ``[image]`` and ``[object]`` of its settings.
    """
    beside = Path(tempfile.mkdtemp(prefix="tane-conformance-"))
    folder = beside / "state"
    folder.mkdir()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    mode = "simulated" if simulated else "auto"
    try:
        with _web(beside / "web") as web:
            settings = SETTINGS.format(
                port=port, mode=mode, folder=beside, hosts=hosts, more=image_settings, objects=object_settings
            )
            (folder / "tane.toml").write_text(settings)
            if hosts > 1 and not simulated:
                State.of(folder).prepare()
                dev.prepare(State.of(folder))
            _tane("up", "--state", str(folder))
            if hosts > 1 and not simulated:
                _tane("dev", "hosts", str(hosts - 1), "--state", str(folder))
            yield replace(running_cloud(folder), web=web)
    finally:
        if keep:
            print(f"conformance: the cloud is left running; --state {folder}")
        else:
            _tane("down", "--state", str(folder), "--purge")
            shutil.rmtree(beside)


SETTINGS = """
port = {port}
mode = "{mode}"
simulated_hosts = {hosts}

[image]
allowed_hosts = ["127.0.0.1", "localhost"]
allowed_ports = []
show_multiple_locations = true
{more}

[image.stores.attic]
type = "file"
path = "{folder}/attic"
weight = 10

[object]
# Tempest signs forms by SHA-1.
allowed_digests = ["sha1", "sha256", "sha512"]
{objects}

[image.stores.web]
type = "http"
"""


@contextmanager
def _web(folder: Path) -> Iterator[str]:
    """A web server on loopback with the files that imports fetch; yields its address."""
    folder.mkdir()
    (folder / "disk.raw").write_bytes(bytes(1 << 20))
    header = b"QFI\xfb" + struct.pack(">IQIIQIIQQIIQ", 2, 0, 0, 16, 1 << 20, 0, 1, 3 << 16, 1 << 16, 1, 0, 0)
    (folder / "disk.qcow2").write_bytes(header.ljust(4 << 16, b"\0"))

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _tane(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "tane.cli", *arguments], check=True)


@dataclass(frozen=True)
class Provisions:
    """What was made for the suite, and what the cloud offers: the ids that its settings name."""

    images: tuple[str, str]
    image_file: Path
    flavors: tuple[str, str]
    public_network: str
    network_extensions: list[str]
    volume_extensions: list[str]
    object_features: list[str]


def provision(cloud: Cloud, folder: Path) -> Provisions:
    """Make two public images and two flavors, unless they are there already. Everything else the suite makes itself."""
    guest = None if cloud.simulated else build(cache_folder(), print)
    file = guest.disk if guest else _blank(folder)
    images = [_image(cloud, f"conformance-{number}", file, guest) for number in (1, 2)]
    flavors = [_flavor(cloud, name, megabytes) for name, megabytes in FLAVORS]
    [public] = cloud.admin.call("GET", "/network/v2.0/networks?router:external=true&name=public")["networks"]
    return Provisions(
        images=(images[0], images[1]),
        image_file=file,
        flavors=(flavors[0], flavors[1]),
        public_network=public["id"],
        network_extensions=_extensions(cloud, "/network/v2.0"),
        volume_extensions=_extensions(cloud, f"/volume/v3/{cloud.admin.project_id}"),
        object_features=sorted(cloud.admin.call("GET", "/info")),
    )


def register_image_limits(cloud: Cloud) -> None:
    """Register the limits of images, none of which limits anything yet: suites set them for projects of their own."""
    [service] = cloud.admin.call("GET", "/identity/v3/services?type=image")["services"]
    region = cloud.state.config().region
    limits = [
        {"service_id": service["id"], "region_id": region, "resource_name": name, "default_limit": -1}
        for name in ("image_size_total", "image_stage_total", "image_count_total", "image_count_uploading")
    ]
    cloud.admin.call("POST", "/identity/v3/registered_limits", {"registered_limits": limits})


def share_network(cloud: Cloud) -> str:
    """Make a network that all projects share, and a subnet; returns its name."""
    body = {"network": {"name": "conformance", "shared": True}}
    network = cloud.admin.call("POST", "/network/v2.0/networks", body)["network"]
    subnet = {"network_id": network["id"], "ip_version": 4, "cidr": "10.98.0.0/16", "name": "conformance"}
    cloud.admin.call("POST", "/network/v2.0/subnets", {"subnet": subnet})
    return str(network["name"])


@dataclass(frozen=True)
class User:
    """A member of a project that has its name."""

    name: str
    password: str


def stack_user(cloud: Cloud) -> User:
    """Make a user with a project of the same name for what suites of orchestration do."""
    user = User("conformance", secrets.token_urlsafe(16))
    identity = "/identity/v3"
    project = cloud.admin.call("POST", f"{identity}/projects", {"project": {"name": user.name}})["project"]["id"]
    body = {"user": {"name": user.name, "password": user.password, "default_project_id": project}}
    made = cloud.admin.call("POST", f"{identity}/users", body)["user"]["id"]
    [role] = cloud.admin.call("GET", f"{identity}/roles?name=member")["roles"]
    cloud.admin.call("PUT", f"{identity}/projects/{project}/users/{made}/roles/{role['id']}", None)
    return user


def _extensions(cloud: Cloud, root: str) -> list[str]:
    return sorted(extension["alias"] for extension in cloud.admin.call("GET", f"{root}/extensions")["extensions"])


def _blank(folder: Path) -> Path:
    """Simulated hosts run nothing: one MiB of anything will do as a disk. Zeros would be an empty tar archive, in which
    scenarios look for a kernel."""
    file = folder / "blank.raw"
    file.write_bytes(b"disk" * (1 << 18))
    return file


def _image(cloud: Cloud, name: str, file: Path, guest: GuestImage | None) -> str:
    properties: dict[str, Any] = {}
    if guest is not None and guest.kernel is not None and guest.ramdisk is not None:
        properties = {
            "kernel_id": _part(cloud, f"{name}-kernel", "aki", guest.kernel, {}),
            "ramdisk_id": _part(cloud, f"{name}-ramdisk", "ari", guest.ramdisk, {}),
            "os_command_line": guest.os_command_line,
        }
    return _part(cloud, name, "qcow2" if guest else "raw", file, properties)


def _part(cloud: Cloud, name: str, disk_format: str, file: Path, properties: dict[str, Any]) -> str:
    for image in cloud.admin.call("GET", f"/image/v2/images?name={name}")["images"]:
        return str(image["id"])
    container = disk_format if disk_format in ("aki", "ari") else "bare"
    body = {
        "name": name,
        "disk_format": disk_format,
        "container_format": container,
        "visibility": "public",
        **properties,
    }
    image_id = str(cloud.admin.call("POST", "/image/v2/images", body)["id"])
    cloud.admin.upload(f"/image/v2/images/{image_id}/file", file)
    return image_id


def _flavor(cloud: Cloud, name: str, megabytes: int) -> str:
    for flavor in cloud.admin.call("GET", "/compute/v2.1/flavors")["flavors"]:
        if flavor["name"] == name:
            return str(flavor["id"])
    body = {"flavor": {"name": name, "ram": megabytes, "vcpus": 1, "disk": 1}}
    return str(cloud.admin.call("POST", "/compute/v2.1/flavors", body)["flavor"]["id"])
