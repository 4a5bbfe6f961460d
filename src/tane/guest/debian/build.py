"""Builds a Debian image with cloud-init from the distribution's packages: what a stranger brings to a cloud.

It boots by BIOS and by UEFI, also with secure boot, and takes all it is told from the metadata service or the config
drive. No loop device is used. It needs root: in a user namespace the packages' own scripts fail.
"""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
import uuid
from collections.abc import Callable, Iterable
from importlib import resources
from pathlib import Path

from tane.guest import archive
from tane.guest.build import GuestImage, GuestImageError, build_once, require_tools, run, write_manifest
from tane.linux.programs import DEBIAN_IMAGE, MANY_IDS

RELEASE = "bookworm"
"""Debian 12."""
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
"""Debian's own keys, by which every mirror's packages are signed."""
PACKAGES = (
    *("linux-image-cloud-amd64", "initramfs-tools", "zstd", "systemd-sysv", "dbus", "libpam-systemd"),
    *("grub-pc-bin", "grub-efi-amd64-bin", "grub-efi-amd64-signed", "shim-signed", "grub2-common"),
    *("cloud-init", "cloud-guest-utils", "qemu-guest-agent", "openssh-server", "sudo"),
    *("netplan.io", "systemd-resolved", "systemd-timesyncd", "isc-dhcp-client", "iproute2", "iputils-ping"),
    *("e2fsprogs", "dosfstools", "fdisk", "ca-certificates", "curl", "less"),
)
LEFT_OUT = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/info/*", "/usr/share/locale/*")
KEPT = ("/usr/share/doc/*/copyright", "/usr/share/locale/locale.alias")

MIB = 1 << 20
ESP_START, ROOT_START, DISK_SIZE = 2 * MIB, 34 * MIB, 2048 * MIB
"""Bytes. Before the EFI system partition lies GRUB's core for BIOS; the root partition is the last, so it can grow."""
MIN_DISK_GB = 2
# Spelled out, because the defaults of the builder's e2fsprogs may be newer than what the guest's GRUB reads.
EXT4_FEATURES = (
    "none,has_journal,ext_attr,resize_inode,dir_index,filetype,extent,64bit,flex_bg,sparse_super,large_file,huge_file,"
    "dir_nlink,extra_isize,metadata_csum"
)


def build_debian(
    cache: Path, progress: Callable[[str], None] = lambda _: None, *, mirror: str | None = None
) -> GuestImage:
    """Return the Debian image of this recipe from the folder ``cache``, building it at the first call (some minutes).

    Packages come from this machine's own APT sources, or from the archive at the URL ``mirror``. Its user is
    ``debian``; it boots by its own boot loader only. Raises GuestImageError as :func:`tane.guest.build.build` does.
    """

    def make(work: Path) -> None:
        require_tools(DEBIAN_IMAGE if os.geteuid() == 0 else {**DEBIAN_IMAGE, **MANY_IDS})
        _build(work, sources(mirror, work), progress)

    return build_once(cache, f"debian-{recipe_hash()}", make)


def recipe_hash() -> str:
    """Changes whenever anything that decides what the image is changes (except the packages' versions)."""
    digest = hashlib.sha256()
    for name in ("debian/build.py", "debian/finish.sh", "archive.py"):
        digest.update(name.encode() + b"\0" + (resources.files("tane.guest") / name).read_bytes())
    return digest.hexdigest()[:16]


def sources(mirror: str | None, work: Path) -> list[str]:
    """The lines of ``sources.list`` by which the image is installed, and that it keeps."""
    if mirror is not None:
        return [f"deb [signed-by={KEYRING}] {mirror} {suite} main" for suite in (RELEASE, f"{RELEASE}-updates")]
    return lines_for_release(_index_targets(work))


def _index_targets(work: Path) -> list[str]:
    """URL, code name and component of each archive of Debian's that this machine's APT takes packages from."""
    # What an archive is, APT knows from its index only, which the machine may have thrown away.
    state = work / "apt"
    (state / "lists/partial").mkdir(parents=True)
    options = ["-o", f"Dir::State={state}", "-o", "Dir::State::status=/dev/null", "-o", "APT::Sandbox::User=root"]
    run(["apt-get", *options, "-o", "Acquire::Languages=none", "-q", "update"], work)
    columns = "$(REPO_URI) $(CODENAME) $(COMPONENT)"
    filters = ("Created-By: Packages", "Origin: Debian")
    return run(["apt-get", *options, "indextargets", "--format", columns, *filters], work).splitlines()


def lines_for_release(targets: Iterable[str]) -> list[str]:
    """What of APT's index targets (URL, code name, component) brings the image's release."""
    wanted = (RELEASE, f"{RELEASE}-updates", f"{RELEASE}-security")
    found = dict.fromkeys(tuple(line.split()) for line in targets)
    lines = [f"deb [signed-by={KEYRING}] {' '.join(each)}" for each in found if each[1] in wanted and each[2] == "main"]
    if not any(each[1] == RELEASE for each in found):
        raise GuestImageError(f"this machine's apt sources have no Debian {RELEASE}: name an archive with --mirror URL")
    return lines


def _build(work: Path, lines: list[str], progress: Callable[[str], None]) -> None:
    result, disk = work / "result", work / "disk.raw"
    result.mkdir()
    with disk.open("wb") as file:
        file.truncate(DISK_SIZE)
    (work / "sources.list").write_text("".join(f"{line}\n" for line in lines))
    progress("installing Debian into a folder (some minutes)")
    run([*_as_root(), *_install(work, disk)], work)
    version = (work / "kernel-version").read_text().strip()
    progress(f"writing the disk with Linux {version}")
    _write_boot_partitions(work, disk)
    run(["qemu-img", "convert", "-q", "-f", "raw", "-O", "qcow2", str(disk), str(result / "disk.qcow2")], work)
    write_manifest(result, version, "")


def _as_root() -> list[str]:
    """What runs the command behind it as root with mounts of its own."""
    rights = [] if os.geteuid() == 0 else ["--user", "--map-root-user", "--map-auto"]
    return ["unshare", *rights, "--mount"]


def _install(work: Path, disk: Path) -> list[str]:
    script = work / "finish.sh"
    script.write_bytes((resources.files("tane.guest") / "debian/finish.sh").read_bytes())
    # The backup of the partition table takes the last MiB.
    kib = (DISK_SIZE - ROOT_START - MIB) // 1024
    given = (work, disk, ROOT_START, kib, _id("root"), EXT4_FEATURES, _esp_serial())
    finish = f'sh {shlex.quote(str(script))} "$1" {shlex.join(map(str, given))}'
    return [
        *("mmdebstrap", "--mode=root", "--variant=minbase", "--format=null", f"--include={','.join(PACKAGES)}"),
        *(f"--dpkgopt=path-exclude={pattern}" for pattern in LEFT_OUT),
        *(f"--dpkgopt=path-include={pattern}" for pattern in KEPT),
        f"--customize-hook={finish}",
        *(RELEASE, "/dev/null", str(work / "sources.list")),
    ]


def _write_boot_partitions(work: Path, disk: Path) -> None:
    esp = work / "esp.img"
    with esp.open("wb") as file:
        file.truncate(ROOT_START - ESP_START)
    run(["mformat", "-i", str(esp), "-v", "EFI", "-N", _esp_serial().replace("-", ""), "::"], work)
    run(["mcopy", "-i", str(esp), "-s", str(work / "esp/EFI"), "::"], work)
    partitions = [
        archive.Partition("BIOS", archive.BIOS_BOOT, _id("bios"), MIB, ESP_START - MIB),
        archive.Partition("EFI", archive.EFI_SYSTEM, _id("efi"), ESP_START, ROOT_START - ESP_START),
        archive.Partition("root", archive.LINUX_ROOT, _id("root-partition"), ROOT_START, DISK_SIZE - ROOT_START - MIB),
    ]
    archive.write_gpt(disk, _id("disk"), partitions)
    archive.write_bios_boot(disk, work / "boot.img", work / "core.img", partitions[0])
    with disk.open("r+b") as target, esp.open("rb") as source:
        target.seek(ESP_START)
        shutil.copyfileobj(source, target, MIB)


def _id(name: str) -> uuid.UUID:
    """The same whenever the same image is made."""
    return uuid.uuid5(uuid.NAMESPACE_OID, f"{recipe_hash()} {name}")


def _esp_serial() -> str:
    serial = _id("esp").hex[:8].upper()
    return f"{serial[:4]}-{serial[4:]}"
