"""Which accelerator guests run with: KVM where it works, else emulation, and why."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path
from typing import Literal

import msgspec

from tane.linux import confine

QEMU = "qemu-system-x86_64"

# sti; again: mov dx,0x3f8; mov al,'T'; out dx,al; hlt; jmp again
_BOOT_SECTOR = bytes.fromhex("fb baf803 b054 ee f4 ebf7").ljust(510, b"\0") + b"\x55\xaa"
_PROBE_SECONDS = 2.0
_TICKS_WANTED = 5


class Accelerator(msgspec.Struct, frozen=True):
    """``kind`` as QEMU names it, and one sentence that says why it was chosen."""

    kind: Literal["kvm", "tcg"]
    reason: str
    groups: tuple[int, ...] = ()
    """Numbers of the groups whose members may use it."""


def probe_accelerator(device: Path = Path("/dev/kvm")) -> Accelerator:
    """Choose the accelerator by trying it; takes two seconds at most and blocks.

    A ``/dev/kvm`` may be there and not run guests. So a guest is started whose boot sector writes a letter to its
    serial port at each tick of the timer (18.2 a second): when letters come, code runs and interrupts arrive.
    """
    if not device.exists():
        return Accelerator("tcg", f"{device} does not exist")
    if not os.access(device, os.R_OK | os.W_OK):
        return Accelerator("tcg", f"{device} may not be opened by this user (is it in the group kvm?)")
    groups = _groups(device)
    if groups is None:
        return Accelerator("tcg", f"{device} may be opened by root only, and guests do not run as root")
    ticks, said = _run_probe_guest()
    if ticks >= _TICKS_WANTED:
        return Accelerator("kvm", f"a probe guest ran on {device}", groups)
    return Accelerator("tcg", f"{device} exists, but a probe guest made no progress on it{said}")


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
