"""What a guest's folder holds, and the record in it that outlives the agent."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import msgspec

from tane.linux import confine
from tane.linux.confine import Identity
from tane.linux.files import write_private
from tane.wire.documents import ConfigDrive, Guest, GuestState, Landing, Layout


class Record(msgspec.Struct, kw_only=True):
    """One guest as it was last started or changed.

    ``slots`` says which root port each device sits in (key: the device's QEMU id), so that a suspended guest comes back
    with the very same machine. ``base`` is the image file the root disk is a copy-on-write copy of; ``standalone``: it
    is a copy of none, but came whole from where the guest was before. ``machine`` is the type of machine, with its
    version, of the first start: another release of QEMU goes on making that one. ``awaited``: the move by
    which it comes from another host, where it runs; ``landing``: where it comes to, or goes, and ``journey``
    how far that has got: copies of its disks are made, its memory is sent. ``balloon``: whether the machine has the
    device by which a guest tells what memory it uses; one that was started by an older release has none.
    """

    guest: Guest
    state: GuestState = "stopped"
    slots: dict[str, int] = {}
    ports: int = 0
    base: str = ""
    standalone: bool = False
    machine: str = ""
    awaited: str = ""
    landing: Landing | None = None
    journey: Literal["", "begun", "sent"] = ""
    balloon: bool = False

    @property
    def layout(self) -> Layout:
        return Layout(slots=self.slots, machine=self.machine, balloon=self.balloon)

    @property
    def base_path(self) -> Path | None:
        return Path(self.base) if self.base and not self.standalone else None

    def image_digests(self) -> Iterator[str]:
        """Of the images its disks stand on and it boots from."""
        guest = self.guest
        if guest.root and not self.standalone:
            yield guest.root.image.digest
        if guest.rescue:
            yield guest.rescue.image.digest
        if guest.kernel:
            yield from (image.digest for image in (guest.kernel.kernel, guest.kernel.ramdisk) if image is not None)


def remembered(guest: Guest) -> Guest:
    """What the record keeps: that there is a config drive, not what is on it, which may be a password."""
    return msgspec.structs.replace(guest, config_drive=ConfigDrive(files={}) if guest.config_drive else None)


class GuestFolder:
    """The paths of one guest."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.record = path / "guest.json"
        self.root = path / "root.qcow2"
        self.rescue = path / "rescue.qcow2"
        self.ephemeral = path / "ephemeral.raw"
        self.swap = path / "swap.raw"
        self.config_drive = path / "config.iso"
        self.variables = path / "variables.fd"
        self.memory = path / "memory"
        self.sockets = path / "run"
        self.memory_socket = self.sockets / "mem"
        self.memory_listener = path / "save"
        self.qmp = self.sockets / "qmp"
        self.agent = self.sockets / "agent"
        self.vnc = self.sockets / "vnc"
        self.serial = self.sockets / "serial"
        self.console = path / "console.log"
        self.log = path / "qemu.log"
        self.pidfile = path / "qemu.pid"
        self.keys = path / "keys"
        self.copy = path / "copy.qcow2"
        # Short, as all paths of sockets: no longer than that of the guest's agent.
        self.copier = path / "cp"
        self.copies = path / "nbd" / "copy"

    @property
    def owner(self) -> Identity | None:
        """The user the guest's QEMU runs as, and whose its disks are."""
        return confine.identity(f"guest-{self.path.name}")

    def load(self) -> Record | None:
        """The guest's record, None when the guest is not here."""
        try:
            return msgspec.json.decode(self.record.read_bytes(), type=Record)
        except FileNotFoundError:
            return None

    def save(self, record: Record) -> None:
        write_private(self.record, msgspec.json.encode(record))

    def write_key(self, name: str, username: str, key: str) -> None:
        """A pre-shared key for QEMU to read, as GnuTLS writes one (RFC 4279)."""
        keys = self.key_folder(name)
        write_private(keys / "keys.psk", f"{username}:{key}\n".encode())
        for path in (self.keys, keys, keys / "keys.psk"):
            confine.lend(path, self.owner)

    def key_folder(self, volume_id: str) -> Path:
        return self.keys / volume_id
