"""What the QEMU driver is told about its host."""

from __future__ import annotations

import socket
from pathlib import Path

import msgspec

from tane.agent.compute.drivers.qemu.accelerator import Accelerator


class QemuSettings(msgspec.Struct, frozen=True, kw_only=True):
    """``netns`` is the namespace that holds the taps. With ``user_network`` no taps are used: each NIC gets QEMU's own
    NAT (no metadata address there, so guests need a config drive). ``min_slots`` is the number of PCI Express slots a
    guest has at least; ``spare_slots`` how many of them are free for hot-plugging at the start."""

    state_dir: Path
    accelerator: Accelerator
    hostname: str = socket.gethostname()
    netns: str | None = None
    user_network: bool = False
    min_slots: int = 16
    spare_slots: int = 8
    start_seconds: float = 30.0

    @property
    def guests(self) -> Path:
        """The folder that holds one folder per guest."""
        return guests_folder(self.state_dir)


def guests_folder(state_dir: Path) -> Path:
    return state_dir / "guests"
