"""A guest's engine makes of its own files what it likes: the agent that copies them keeps to its memory and disk."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tane.agent.compute.drivers.qemu import moving
from tane.agent.compute.drivers.qemu.record import GuestFolder, Record
from tane.wire.documents import Guest, Hardware
from tane.wire.errors import HostError


def aside(tmp_path: Path) -> GuestFolder:
    """A guest with firmware variables, set aside."""
    folder = GuestFolder(tmp_path / "11111111-1111-1111-1111-111111111111")
    folder.path.mkdir()
    guest = Guest(id=folder.path.name, name="g", vcpus=1, memory_mb=64, hardware=Hardware(firmware="uefi"))
    folder.save(Record(guest=guest))
    folder.variables.write_bytes(b"variables")
    return folder


def test_firmware_variables_as_long_as_the_engine_likes_are_refused(tmp_path: Path) -> None:
    folder, target = aside(tmp_path), tmp_path / "copy"
    fetch = moving.from_here(folder, folder)
    asyncio.run(fetch("variables", target))
    assert target.read_bytes() == b"variables"
    with folder.variables.open("r+b") as file:
        file.truncate(20 << 30)
    with pytest.raises(HostError, match="more than"):
        asyncio.run(fetch("variables", target))
    assert target.stat().st_size == 0
