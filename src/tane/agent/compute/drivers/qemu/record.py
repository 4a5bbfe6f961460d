"""What a guest's folder holds, and the record in it that outlives the agent."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from tane.agent.documents import Guest, GuestState


class Record(msgspec.Struct, kw_only=True):
    """One guest as it was last started or changed.

    ``slots`` says which root port each device sits in (key: the device's QEMU id), so that a suspended guest comes back
    with the very same machine. ``base`` is the image file the root disk is a copy-on-write copy of.
    """

    guest: Guest
    state: GuestState = "stopped"
    slots: dict[str, int] = {}
    ports: int = 0
    base: str = ""


class GuestFolder:
    """The paths of one guest."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.record = path / "guest.json"
        self.root = path / "root.qcow2"
        self.ephemeral = path / "ephemeral.qcow2"
        self.swap = path / "swap.qcow2"
        self.config_drive = path / "config.iso"
        self.memory = path / "memory"
        self.memory_socket = path / "mem"
        self.qmp = path / "qmp"
        self.vnc = path / "vnc"
        self.console = path / "console.log"
        self.log = path / "qemu.log"
        self.pidfile = path / "qemu.pid"
        self.keys = path / "keys"

    def load(self) -> Record | None:
        """The guest's record, None when the guest is not here."""
        try:
            return msgspec.json.decode(self.record.read_bytes(), type=Record)
        except FileNotFoundError:
            return None

    def save(self, record: Record) -> None:
        write_private(self.record, msgspec.json.encode(record))

    def key_folder(self, volume_id: str) -> Path:
        return self.keys / volume_id


def write_private(path: Path, content: bytes) -> None:
    """Write a file only its owner may read, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = path.with_name(f".{path.name}.part")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
        out.write(content)
    part.replace(path)
