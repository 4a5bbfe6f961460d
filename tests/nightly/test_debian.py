"""A plain Debian with cloud-init in a real cloud: started from an image or a volume, by BIOS or UEFI, told about itself
by the metadata service alone or by a config drive."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from tane.cli.common import cache_folder
from tane.guest.debian.build import MIN_DISK_GB, build_debian
from tests.e2e.real import RealCloud, Tenant, wait_for

pytestmark = [pytest.mark.root, pytest.mark.guest, pytest.mark.nightly]

MINUTES = 60
BOOT_SECONDS = 40 * MINUTES
"""Where guests are emulated, on a machine that is busy besides."""
DISK_GB, VOLUME_GB, EPHEMERAL_GB, SWAP_MB = 3, 4, 1, 128
USER_DATA = """#cloud-config
write_files:
- path: /etc/told
  content: by the user
runcmd:
- [sh, -c, "echo ran >/run/user-data"]
"""


class Debian(NamedTuple):
    """A server: its name in the cloud and where SSH reaches it."""

    name: str
    id: str
    address: str


KINDS = ("metadata", "config-drive", "volume")
"""Alone by the metadata service, with two NICs, swap and an ephemeral disk; by UEFI with secure boot and a config
drive; from a volume."""


@pytest.fixture(scope="module")
def mia(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tenant]:
    cloud = RealCloud(tmp_path_factory.mktemp("cloud"))
    cloud.up()
    tenant = cloud.tenant("mia")
    tenant.login = "debian"
    yield tenant
    cloud.tane("down", "--purge")


class Debians:
    """The servers, each started when it is first asked for: emulated ones side by side would only be slow."""

    def __init__(self, mia: Tenant) -> None:
        self.mia = mia
        self.image = upload(mia)
        self.flavor = flavor(mia, "plain")
        self._started: dict[str, Debian] = {}

    def __getitem__(self, kind: str) -> Debian:
        """The server, when cloud-init is through."""
        if kind not in self._started:
            name, user_data = f"by-{kind}", base64.b64encode(USER_DATA.encode()).decode()
            server_id = self.mia.request_server(name, None, user_data=user_data, **self._asked(kind))
            self.mia.wait_server(server_id, seconds=10 * MINUTES)
            self._started[kind] = Debian(name, server_id, self.mia.floating_ip(server_id)[1])
            status(self.mia, self._started[kind])
        return self._started[kind]

    def _asked(self, kind: str) -> dict[str, object]:
        if kind == "metadata":
            disks = flavor(self.mia, "swap", swap=SWAP_MB, **{"OS-FLV-EXT-DATA:ephemeral": EPHEMERAL_GB})
            networks = [{"uuid": self.mia.network}, {"uuid": second_network(self.mia)}]
            return {"imageRef": self.image, "flavorRef": disks, "networks": networks}
        if kind == "config-drive":
            secure = {"hw_firmware_type": "uefi", "os_secure_boot": "required"}
            image = upload(self.mia, **secure, hw_qemu_guest_agent="yes")
            return {"imageRef": image, "flavorRef": self.flavor, "config_drive": True}
        return {"flavorRef": self.flavor, "block_device_mapping_v2": [from_image(self.image)]}


@pytest.fixture(scope="module")
def servers(mia: Tenant) -> Debians:
    return Debians(mia)


def upload(mia: Tenant, **properties: str) -> str:
    body = {"name": "debian", "disk_format": "qcow2", "container_format": "bare", "min_disk": MIN_DISK_GB}
    image_id = mia.post("/image/v2/images", {**body, **properties})["id"]
    mia.client.upload(f"/image/v2/images/{image_id}/file", build_debian(cache_folder(), print).disk)
    return str(image_id)


def flavor(mia: Tenant, name: str, **more: int) -> str:
    body = {"flavor": {"name": name, "ram": 512, "vcpus": 1, "disk": DISK_GB, **more}}
    return str(mia.cloud.admin().call("POST", "/compute/v2.1/flavors", body)["flavor"]["id"])


def second_network(mia: Tenant) -> str:
    network_id = mia.post("/network/v2.0/networks", {"network": {"name": "back"}})["network"]["id"]
    subnet = {"network_id": network_id, "ip_version": 4, "cidr": "10.9.0.0/24", "gateway_ip": None}
    mia.post("/network/v2.0/subnets", {"subnet": subnet})
    return str(network_id)


def from_image(image: str) -> dict[str, object]:
    source = {"uuid": image, "source_type": "image", "destination_type": "volume", "volume_size": VOLUME_GB}
    return {**source, "boot_index": 0, "delete_on_termination": True}


@pytest.fixture(scope="module", params=KINDS)
def debian(request: pytest.FixtureRequest, servers: Debians) -> Debian:
    """Each of the servers."""
    return servers[request.param]


def status(mia: Tenant, debian: Debian) -> str:
    """That of cloud-init when it is through; SSH answers before that, and refuses logins for a while."""
    mia.ssh(debian.address, "true", seconds=BOOT_SECONDS)

    def found() -> str:
        told = mia.ssh(debian.address, "timeout 60 cloud-init status --wait --long || true", seconds=BOOT_SECONDS)
        return told if "status: " in told and "status: running" not in told else ""

    return str(wait_for(f"cloud-init of {debian.name}", found, BOOT_SECONDS))


def test_cloud_init_is_done_without_errors(mia: Tenant, debian: Debian) -> None:
    assert "status: done" in status(mia, debian)


def test_it_has_its_name_and_did_as_its_user_said(mia: Tenant, debian: Debian) -> None:
    told = mia.ssh(debian.address, "hostname; cat /etc/told; echo; sudo cat /run/user-data")
    assert told.split("\n") == [debian.name, "by the user", "ran"]


def test_its_root_has_grown_to_the_disk(mia: Tenant, debian: Debian) -> None:
    gib = VOLUME_GB if debian.name == "by-volume" else DISK_GB
    kib = int(mia.ssh(debian.address, "df --output=size / | tail -n 1"))
    assert (gib - 0.3) * 1024**2 < kib < gib * 1024**2


def test_no_service_of_it_failed(mia: Tenant, debian: Debian) -> None:
    assert mia.ssh(debian.address, "systemctl --failed --no-legend --plain") == ""


def test_it_was_told_by(mia: Tenant, debian: Debian) -> None:
    source = mia.ssh(debian.address, "cloud-init query subplatform")
    assert source.startswith("config-disk" if debian.name == "by-config-drive" else "metadata (http://169.254.169.254)")


def test_swap_and_an_ephemeral_disk_are_in_use(mia: Tenant, servers: Debians) -> None:
    address = servers["metadata"].address
    kib = int(mia.ssh(address, "awk '$1 == \"SwapTotal:\" {print $2}' /proc/meminfo"))
    assert SWAP_MB * 1024 - 8 <= kib <= SWAP_MB * 1024
    label, size = mia.ssh(address, "findmnt -n -b -o LABEL,SIZE /mnt").split()
    assert label == "ephemeral0"
    assert 0.9 * EPHEMERAL_GB * 1024**3 < int(size) < EPHEMERAL_GB * 1024**3


def test_both_nics_have_their_addresses(mia: Tenant, servers: Debians) -> None:
    addresses = mia.server(servers["metadata"].id)["addresses"]
    wanted = {
        entry["addr"] for name in ("net", "back") for entry in addresses[name] if entry["OS-EXT-IPS:type"] == "fixed"
    }
    assert len(wanted) == 2
    seen = mia.ssh(servers["metadata"].address, "ip -4 -o address show scope global | awk '{print $4}'")
    assert {line.split("/")[0] for line in seen.split()} == wanted


def test_uefi_has_checked_its_signatures(mia: Tenant, servers: Debians) -> None:
    state = mia.ssh(servers["config-drive"].address, "od -An -tu1 /sys/firmware/efi/efivars/SecureBoot-*")
    assert state.split()[-1] == "1"


def test_by_bios_there_is_no_uefi(mia: Tenant, servers: Debians) -> None:
    assert mia.ssh(servers["metadata"].address, "test ! -e /sys/firmware/efi && echo none") == "none"


def test_its_agent_sets_a_password(mia: Tenant, servers: Debians) -> None:
    server = servers["config-drive"]
    shadow = "sudo getent shadow root | cut -d: -f2"
    assert not mia.ssh(server.address, shadow).startswith("$")
    mia.post(f"/compute/v2.1/servers/{server.id}/action", {"changePassword": {"adminPass": "new-secret"}})
    assert mia.ssh(server.address, shadow).startswith("$")


def test_its_clock_is_right_after_a_pause(mia: Tenant, servers: Debians) -> None:
    server = servers["config-drive"]
    action = f"/compute/v2.1/servers/{server.id}/action"
    mia.post(action, {"pause": None})
    mia.wait_server(server.id, "PAUSED")
    until = time.time() + 20
    wait_for("time to pass", lambda: time.time() > until, 30)
    mia.post(action, {"unpause": None})
    mia.wait_server(server.id)

    def right() -> bool:
        # SSH to an emulated guest takes a while itself, but not as long as the pause was.
        return time.time() - int(mia.ssh(server.address, "date +%s")) < 10

    wait_for("the clock is right", right, 60)
