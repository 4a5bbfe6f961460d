"""A simulated pool has its volumes again when its cloud starts again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tane.agent.volume.drivers.fake import FakeVolume
from tane.wire import blocks
from tane.wire.errors import NotOnHost

ONE = "11111111-1111-1111-1111-111111111111"
TWO = "22222222-2222-2222-2222-222222222222"


def test_what_was_made_is_there_after_a_new_start_and_what_was_deleted_is_not(tmp_path: Path) -> None:
    async def before() -> None:
        pool = FakeVolume(folder=tmp_path)
        for volume_id in (ONE, TWO):
            await pool.create(volume_id, 1 << 30)
        await pool.snapshot(ONE, "33333333-3333-3333-3333-333333333333")
        await pool.extend(ONE, 2 << 30)
        await pool.export(ONE)
        await pool.delete(TWO)

    async def after() -> None:
        pool = FakeVolume(folder=tmp_path)
        assert await pool.volumes() == {ONE}
        assert (await pool.usage(ONE)).virtual_bytes == 2 << 30
        await pool.create_from_snapshot(TWO, 1 << 30, ONE, "33333333-3333-3333-3333-333333333333")
        assert await pool.exports() == set()
        assert (await pool.export(ONE)).export == ONE
        with pytest.raises(NotOnHost):
            await pool.create_from_snapshot(TWO, 1 << 30, ONE, TWO)

    asyncio.run(before())
    asyncio.run(after())


def test_what_a_snapshot_holds_is_there_after_a_new_start(tmp_path: Path) -> None:
    """What was restored, what a snapshot kept of it, and what a volume of the snapshot has of that."""
    kept = "33333333-3333-3333-3333-333333333333"

    async def backup(backup_id: str, volume_id: str) -> AsyncIterator[bytes]:
        yield blocks.record(0, b"rose".ljust(blocks.BLOCK, b"."))

    async def before() -> None:
        pool = FakeVolume(backups=backup, folder=tmp_path)
        await pool.create(ONE, 1 << 30)
        await pool.restore(ONE, 1 << 30, TWO)
        await pool.snapshot(ONE, kept)

    async def after() -> None:
        pool = FakeVolume(folder=tmp_path)
        data = b"".join([part async for part in pool.content(ONE, kept)])
        assert b"rose" in data
        await pool.create_from_snapshot(TWO, 1 << 30, ONE, kept)
        await pool.snapshot(TWO, kept)
        assert b"".join([part async for part in pool.content(TWO, kept)]) == data

    asyncio.run(before())
    asyncio.run(after())


def test_a_file_that_was_torn_is_one_lost_volume(tmp_path: Path) -> None:
    async def before() -> None:
        pool = FakeVolume(folder=tmp_path)
        for volume_id in (ONE, TWO):
            await pool.create(volume_id, 1 << 30)

    asyncio.run(before())
    file = tmp_path / f"{TWO}.json"
    file.write_bytes(file.read_bytes()[:-5])
    assert asyncio.run(FakeVolume(folder=tmp_path).volumes()) == {ONE}
