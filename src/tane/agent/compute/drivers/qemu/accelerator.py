"""Which accelerator guests run with: KVM where it works, else emulation, and why."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import msgspec

from tane.linux import confine
from tane.linux.files import write_private

QEMU = "qemu-system-x86_64"

# sti; again: mov dx,0x3f8; mov al,'T'; out dx,al; hlt; jmp again
_BOOT_SECTOR = bytes.fromhex("fb baf803 b054 ee f4 ebf7").ljust(510, b"\0") + b"\x55\xaa"
_PROBE_SECONDS = 2.0
_TICKS_WANTED = 5


class Accelerator(msgspec.Struct, frozen=True):
    """``kind`` as QEMU names it, one sentence that says why it was chosen, and what would make it the better one."""

    kind: Literal["kvm", "tcg"]
    reason: str
    groups: tuple[int, ...] = ()
    """Numbers of the groups whose members may use it."""
    mend: str = ""


def accelerator() -> Accelerator:
    """That of this machine. A guest is tried once a boot, or again when the device has changed."""
    return probe_accelerator(remembered=_remembered)


def probe_accelerator(
    device: Path = Path("/dev/kvm"), remembered: Callable[[Path], _Tried] | None = None
) -> Accelerator:
    """Choose the accelerator by trying it; takes two seconds at most and blocks.

    A ``/dev/kvm`` may be there and not run guests. So a guest is started whose boot sector writes a letter to its
    serial port at each tick of the timer (18.2 a second): when letters come, code runs and interrupts arrive.
    """
    if not device.exists():
        firmware = "switch virtualisation on in the firmware, or: sudo modprobe kvm-intel || sudo modprobe kvm-amd"
        return Accelerator("tcg", f"{device} does not exist", mend=firmware)
    if not os.access(device, os.R_OK | os.W_OK):
        mend = "sudo usermod -aG kvm $(id -un), and log in again"
        if not device.stat().st_gid:
            mend = f"sudo groupadd -rf kvm && sudo chgrp kvm {device} && sudo chmod 660 {device} && {mend}"
        return Accelerator("tcg", f"{device} may not be opened by this user (is it in the group kvm?)", mend=mend)
    groups = _groups(device)
    if groups is None:
        group = f"sudo groupadd -rf kvm && sudo chgrp kvm {device} && sudo chmod 660 {device}"
        return Accelerator("tcg", f"{device} may be opened by root only, and guests do not run as root", mend=group)
    tried = (remembered or _try)(device)
    if tried.ran:
        return Accelerator("kvm", f"a probe guest ran on {device}", groups)
    nested = "where this machine is itself a virtual one, let its host give it virtualisation (nested=1)"
    return Accelerator("tcg", f"{device} exists, but a probe guest made no progress on it{tried.said}", mend=nested)


class _Tried(msgspec.Struct, frozen=True):
    """Whether a guest ran, and what QEMU said when it did not."""

    ran: bool
    said: str


def _try(device: Path) -> _Tried:
    ticks, said = _run_probe_guest()
    return _Tried(ticks >= _TICKS_WANTED, said)


def _remembered(device: Path) -> _Tried:
    """As an earlier start of this boot found it: trying takes up to two seconds."""
    known = _memory(device)
    if known is not None and known.exists():
        return msgspec.json.decode(known.read_bytes(), type=_Tried)
    found = _try(device)
    if known is not None:
        for old in known.parent.glob("kvm-*.json"):
            old.unlink()
        write_private(known, msgspec.json.encode(found))
    return found


def _memory(device: Path) -> Path | None:
    """The file of what was found of the device as it is now, None where nothing private outlives a process."""
    runtime = Path("/run") if os.geteuid() == 0 else Path(os.environ.get("XDG_RUNTIME_DIR", "/nonexistent"))
    if not os.access(runtime, os.W_OK):
        return None
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return runtime / "tane" / f"kvm-{boot}-{device.stat().st_ctime_ns}.json"


def _groups(device: Path) -> tuple[int, ...] | None:
    """The groups a guest's user has to be in to open the device; None when no group will do."""
    about = device.stat()
    if confine.identity("guest") is None or about.st_mode & 0o006 == 0o006:
        return ()
    return (about.st_gid,) if about.st_gid and about.st_mode & 0o060 == 0o060 else None


def _run_probe_guest() -> tuple[int, str]:
    with tempfile.NamedTemporaryFile(suffix=".img") as disk:
        disk.write(_BOOT_SECTOR)
        disk.flush()
        machine = ["-machine", "pc", "-accel", "kvm", "-nodefaults", "-display", "none", "-m", "16", "-boot", "a"]
        floppy = ["-drive", f"file={disk.name},format=raw,if=floppy,readonly=on"]
        try:
            with subprocess.Popen(
                [QEMU, *machine, *floppy, "-serial", "stdio"],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            ) as guest:
                try:
                    out, err = guest.communicate(timeout=_PROBE_SECONDS)
                except subprocess.TimeoutExpired:
                    guest.kill()
                    out, err = guest.communicate()
        except FileNotFoundError:
            return 0, f" ({QEMU} is not installed)"
    lines = [line for line in err.decode(errors="replace").splitlines() if line and "warning:" not in line]
    return out.count(b"T"), f" ({lines[-1]})" if lines else ""
