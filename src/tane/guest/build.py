"""Builds the small guest image from Debian packages: no root rights, no loop device, nothing installed.

The kernel and GRUB are downloaded and unpacked; busybox, dropbear and the ext4 tools are copied from this machine with
the libraries they need.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib import resources
from pathlib import Path

import msgspec

from tane.guest import archive
from tane.linux.programs import GUEST_IMAGE, SYSTEM_PATH

COMMAND_LINE = "root=/dev/vda1 rw console=tty0 console=ttyS0 quiet tsc=reliable no_timer_check mitigations=off"
FILE_SYSTEM_MB = 64
# Spelled out, because the defaults differ between releases of e2fsprogs and GRUB cannot read all of them.
EXT4_FEATURES = (
    "none,has_journal,ext_attr,resize_inode,dir_index,filetype,extent,flex_bg,sparse_super,large_file,huge_file,"
    "dir_nlink,extra_isize"
)
MKE2FS_CONFIGURATION = """[defaults]
	base_features = sparse_super,large_file,filetype,resize_inode,dir_index,ext_attr
	blocksize = 4096
	inode_size = 256
[fs_types]
	ext3 = {
		features = has_journal
	}
	ext4 = {
		features = has_journal,extent,huge_file,flex_bg,metadata_csum,64bit,dir_nlink,extra_isize
	}
	small = {
	}
"""
KERNEL_PACKAGE = "linux-image-cloud-amd64"
GRUB_MODULES = ("biosdisk", "part_msdos", "ext2", "linux", "serial", "terminal", "minicmd")
DISK_MODULES = ("virtio_pci", "virtio_blk", "virtio_scsi", "sd_mod")
SYSTEM_MODULES = (
    *("virtio_net", "virtio-rng", "virtio_balloon", "virtio_console", "sr_mod", "isofs"),
    *("button", "evdev", "vfat", "nls_iso8859-1", "nls_cp437", "nls_utf8", "nls_ascii", "pvpanic-pci"),
)
SCRIPTS = {
    "inittab": "etc/inittab",
    "rcS": "etc/init.d/rcS",
    "leased": "usr/share/tane/leased",
    "nics": "usr/share/tane/nics",
    "dhcp": "usr/share/tane/dhcp",
    "metadata": "usr/share/tane/metadata",
    "sudo": "usr/bin/sudo",
    "curl": "usr/bin/curl",
    "mkfs": "usr/sbin/mkfs",
}


class GuestImageError(Exception):
    """The guest image cannot be made here; the message says what is missing and how to get it."""


class GuestImage(msgspec.Struct, frozen=True, kw_only=True):
    """Where a guest image lies. ``kernel`` and ``ramdisk`` are None when the image only boots by its boot loader."""

    disk: Path
    kernel: Path | None
    ramdisk: Path | None
    kernel_version: str
    os_command_line: str
    sha256: dict[str, str]
    size_bytes: dict[str, int]


def build(cache: Path, progress: Callable[[str], None] = lambda _: None) -> GuestImage:
    """Return the guest image of this recipe from the folder ``cache``, building it at the first call (some seconds).

    Concurrent callers wait for one another and build once. Raises GuestImageError when tools are missing, the packages
    cannot be downloaded or a step of the build fails.
    """

    def make(work: Path) -> None:
        require_tools(GUEST_IMAGE)
        _build(work, progress)

    return build_once(cache, f"guest-{recipe_hash()}", make)


def build_once(cache: Path, name: str, make: Callable[[Path], None]) -> GuestImage:
    """Return the image in the folder ``name`` of ``cache``; where it is not there yet, ``make`` is called with a folder
    for its work and leaves the image in that folder's ``result``. Concurrent callers wait for one another."""
    folder = cache / name
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / f"{name.split('-')[0]}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "manifest.json").exists():
            with tempfile.TemporaryDirectory(dir=cache, prefix="building-") as work, _open_modes():
                make(Path(work))
                shutil.rmtree(folder, ignore_errors=True)
                (Path(work) / "result").rename(folder)
    return load(folder)


@contextlib.contextmanager
def _open_modes() -> Iterator[None]:
    """What is built here is a system with users of its own: its folders are not private to the one who builds it."""
    before = os.umask(0o022)
    try:
        yield
    finally:
        os.umask(before)


def load(folder: Path) -> GuestImage:
    """The image that lies in ``folder``; raises GuestImageError when its manifest is not there or not readable."""
    try:
        manifest = json.loads((folder / "manifest.json").read_text())
    except (OSError, ValueError) as error:
        raise GuestImageError(f"{folder} holds no guest image: {error}") from error
    files = manifest["files"]
    return GuestImage(
        disk=folder / "disk.qcow2",
        kernel=folder / "kernel" if "kernel" in files else None,
        ramdisk=folder / "ramdisk" if "ramdisk" in files else None,
        kernel_version=manifest["kernel_version"],
        os_command_line=manifest["os_command_line"],
        sha256={name: entry["sha256"] for name, entry in files.items()},
        size_bytes={name: entry["size_bytes"] for name, entry in files.items()},
    )


def write_manifest(folder: Path, kernel_version: str, command_line: str) -> None:
    """Describe the files of ``folder`` in its ``manifest.json``."""
    files = {}
    for path in sorted(folder.iterdir()):
        with path.open("rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
        files[path.name] = {"sha256": digest, "size_bytes": path.stat().st_size}
    manifest = {"kernel_version": kernel_version, "os_command_line": command_line, "files": files}
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=2))


def recipe_hash() -> str:
    """Changes whenever anything that decides what the image is changes (except the packages' versions)."""
    digest = hashlib.sha256()
    sources = resources.files("tane.guest")
    for name in ("build.py", "archive.py", *sorted(f"recipe/{entry.name}" for entry in (sources / "recipe").iterdir())):
        digest.update(name.encode() + b"\0" + (sources / name).read_bytes())
    return digest.hexdigest()[:16]


def missing_packages(tools: Mapping[str, str] = GUEST_IMAGE) -> list[str]:
    """The Debian packages that must be installed before :func:`build` can work."""
    return sorted({package for tool, package in tools.items() if not shutil.which(tool, path=SYSTEM_PATH)})


def require_tools(tools: Mapping[str, str]) -> None:
    """Raises GuestImageError with the packages to install, where a program of ``tools`` (program → package) is not."""
    if not shutil.which("apt-get", path=SYSTEM_PATH):
        raise GuestImageError("the guest image is built from Debian packages and this is no Debian: no apt-get here")
    if packages := missing_packages(tools):
        raise GuestImageError(f"tools are missing to build the guest image: apt-get install {' '.join(packages)}")


def _tool(name: str) -> Path:
    found = shutil.which(name, path=SYSTEM_PATH)
    if found is None:
        raise GuestImageError(f"{name} is missing: apt-get install {GUEST_IMAGE.get(name, name)}")
    return Path(found)


def run(argv: list[str], cwd: Path) -> str:
    """What the program printed. Raises GuestImageError with the end of its complaint when it fails."""
    environment = {**os.environ, "PATH": SYSTEM_PATH, "LC_ALL": "C"}
    done = subprocess.run(argv, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        reason = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise GuestImageError(f"{' '.join(argv[:2])} failed: {' / '.join(reason[-3:])}")
    return done.stdout


def _build(work: Path, progress: Callable[[str], None]) -> None:
    progress("downloading the kernel and GRUB from the Debian archive")
    packages = _fetch_packages(work)
    version = next((packages / "lib/modules").iterdir()).name
    progress(f"building the guest's file system with Linux {version}")
    result, root, early = work / "result", work / "root", work / "early"
    result.mkdir()
    shutil.copy(packages / f"boot/vmlinuz-{version}", result / "kernel")
    _make_early(early, packages)
    archive.write_initramfs(early, result / "ramdisk")
    _make_root(root, packages)
    (root / "boot").mkdir()
    shutil.copy(result / "kernel", root / "boot/vmlinuz")
    shutil.copy(result / "ramdisk", root / "boot/initrd.gz")
    progress("writing the disk")
    _make_disk(work, root, packages)
    write_manifest(result, version, COMMAND_LINE)


def _fetch_packages(work: Path) -> Path:
    """Download and unpack the kernel and GRUB; returns the folder they were unpacked to."""
    depends = run(["apt-cache", "depends", "--important", KERNEL_PACKAGE], work)
    kernel = re.search(r"Depends: (linux-image-\S+)", depends)
    if kernel is None:
        raise GuestImageError(f"this machine's apt sources have no {KERNEL_PACKAGE} (run apt-get update?)")
    run(["apt-get", "download", "-q", kernel[1], "grub-pc-bin", "grub-common"], work)
    unpacked = work / "packages"
    for package in work.glob("*.deb"):
        run(["dpkg-deb", "-x", str(package), str(unpacked)], work)
    if not (unpacked / "lib").exists():
        (unpacked / "lib").symlink_to("usr/lib")
    return unpacked


def _make_early(tree: Path, packages: Path) -> None:
    for name in ("bin", "dev", "proc", "sys", "new", "m"):
        (tree / name).mkdir(parents=True)
    _copy_program(_tool("busybox"), tree, "bin")
    _copy_modules(DISK_MODULES, packages, tree / "m")
    _copy_script("initrd", tree / "init")


def _make_root(root: Path, packages: Path) -> None:
    folders = (
        "dev proc sys run tmp mnt home root/.ssh bin sbin usr/bin usr/sbin etc/dropbear etc/acpi var/lib/tane var/log"
    )
    for name in folders.split():
        (root / name).mkdir(parents=True)
    busybox = _tool("busybox")
    _copy_program(busybox, root, "bin")
    for applet in run([str(busybox), "--list"], root).split():
        if applet != "busybox":
            (root / "bin" / applet).symlink_to("busybox")
    (root / "sbin/init").symlink_to("../bin/busybox")
    for name in ("dropbear", "dropbearkey", "resize2fs", "mke2fs", "lsblk", "blkid"):
        _copy_program(_tool(name), root, "usr/sbin")
    for name in ("mke2fs", "dropbear", "blkid"):
        (root / "bin" / name).unlink(missing_ok=True)
    _copy_modules((*DISK_MODULES, *SYSTEM_MODULES), packages, root / "lib/modules")
    for name, target in SCRIPTS.items():
        _copy_script(name, root / target)
    for kind in ("ext2", "ext3", "ext4", "vfat"):
        (root / f"usr/sbin/mkfs.{kind}").symlink_to("mkfs")
    # Where CirrOS has it, and scripts look for the process ids of its DHCP client.
    (root / "var/run").symlink_to("../run")
    _write_configuration(root)


def _write_configuration(root: Path) -> None:
    contents = {
        "etc/passwd": "root::0:0:root:/root:/bin/sh\n",
        "etc/shadow": "root:*:19000:0:99999:7:::\n",
        "etc/group": "root:x:0:\n",
        "etc/shells": "/bin/sh\n",
        "etc/hostname": "tane\n",
        "etc/hosts": "127.0.0.1 localhost\n",
        "etc/resolv.conf": "",
        "etc/profile": "export PATH=/bin:/sbin:/usr/bin:/usr/sbin\n",
        "etc/mke2fs.conf": MKE2FS_CONFIGURATION,
        # busybox's acpid runs this at the power button's key event.
        "etc/acpi/PWRF/00000080": "#!/bin/sh\nexec poweroff\n",
    }
    for name, text in contents.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (root / "etc/acpi/PWRF/00000080").chmod(0o755)
    (root / "root").chmod(0o700)
    (root / "root/.ssh").chmod(0o700)
    (root / "tmp").chmod(0o1777)


def _copy_program(program: Path, root: Path, folder: str) -> None:
    """Copy a program into the tree, with its libraries where its loader looks for them."""
    shutil.copy(program, root / folder / program.name)
    linked = subprocess.run([_tool("ldd"), program], capture_output=True, text=True, check=False).stdout
    libraries = root / "lib"
    libraries.mkdir(exist_ok=True)
    for path in re.findall(r"(/\S+) \(0x", linked):
        shutil.copy(Path(path).resolve(), libraries / Path(path).name)
    if not (root / "lib64").exists():
        (root / "lib64").symlink_to("lib")


def _copy_modules(names: Iterable[str], packages: Path, target: Path) -> None:
    """Copy kernel modules with their dependencies, and write their loading order to the file ``order``."""
    target.mkdir(parents=True, exist_ok=True)
    available = {
        path.name.split(".ko")[0].replace("-", "_"): path for path in (packages / "lib/modules").rglob("*.ko*")
    }
    order: list[str] = []

    def add(name: str) -> None:
        path = available.get(name.replace("-", "_"))
        if path is None or f"{name}.ko" in order:
            return  # What has no file is built into the kernel.
        content = archive.read_module(path)
        for dependency in archive.module_dependencies(content):
            add(dependency)
        (target / f"{name}.ko").write_bytes(content)
        order.append(f"{name}.ko")

    for name in names:
        add(name)
    (target / "order").write_text("".join(f"{name}\n" for name in order))


def _copy_script(name: str, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes((resources.files("tane.guest") / "recipe" / f"{name}.sh").read_bytes())
    target.chmod(0o755)


def _make_disk(work: Path, root: Path, packages: Path) -> None:
    file_system, disk = work / "file-system.img", work / "disk.raw"
    options = ["-q", "-t", "ext4", "-O", EXT4_FEATURES, "-b", "4096", "-m", "0", "-J", "size=4", "-L", "tane-root"]
    command = ["mke2fs", *options, "-E", "root_owner=0:0", "-d", str(root), str(file_system), f"{FILE_SYSTEM_MB}M"]
    run(command, work)
    grub = packages / "usr/lib/grub/i386-pc"
    recipe = (resources.files("tane.guest") / "recipe/grub.sh").read_text()
    (work / "grub.cfg").write_text(recipe.replace("@COMMAND_LINE@", COMMAND_LINE))
    mkimage = [str(packages / "usr/bin/grub-mkimage"), "-O", "i386-pc", "-d", str(grub), "-p", "/boot/grub"]
    run([*mkimage, "-c", "grub.cfg", "-o", "core.img", *GRUB_MODULES], work)
    archive.write_disk(file_system, grub / "boot.img", work / "core.img", disk)
    run(
        ["qemu-img", "convert", "-q", "-c", "-f", "raw", "-O", "qcow2", str(disk), str(work / "result/disk.qcow2")],
        work,
    )
