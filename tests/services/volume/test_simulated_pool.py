"""A simulated pool has its volumes again when its cloud starts again."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tane.agent.volume.drivers.fake import FakeVolume
from tane.wire.errors import NotOnHost

ONE = "11111111-1111-1111-1111-111111111111"
TWO = "22222222-2222-2222-2222-222222222222"


def test_what_was_made_is_there_after_a_new_start_and_what_was_deleted_is_not(tmp_path: Path) -> None:
    async def before() -> None:
        pool = FakeVolume(kept=tmp_path)
        for volume_id in (ONE, TWO):
            await pool.create(volume_id, 1 << 30)
        await pool.snapshot(ONE, "33333333-3333-3333-3333-333333333333")
        await pool.extend(ONE, 2 << 30)
        await pool.export(ONE)
        await pool.delete(TWO)

    async def after() -> None:
        pool = FakeVolume(kept=tmp_path)
        assert await pool.volumes() == {ONE}
        assert (await pool.usage(ONE)).virtual_bytes == 2 << 30
        await pool.create_from_snapshot(TWO, 1 << 30, ONE, "33333333-3333-3333-3333-333333333333")
        assert await pool.exports() == set()
        assert (await pool.export(ONE)).export == ONE
        with pytest.raises(NotOnHost):
            await pool.create_from_snapshot(TWO, 1 << 30, ONE, TWO)

    asyncio.run(before())
    asyncio.run(after())
