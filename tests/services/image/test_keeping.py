"""What hosts make of servers and volumes on its way to an image."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from tane.core import Core
from tane.jobs import Permanent
from tane.services.image import interface
from tane.services.image.domain import imports, receiving
from tane.services.image.store import images
from tane.web.context import Context
from tane.wire.errors import HostError
from tane.wire.streams import CHUNK

MIA = Context("req-1", user_id="mia", project_id="garden", roles=("member", "reader"))


@pytest.fixture
def core(new_core: Callable[[], Core]) -> Core:
    return new_core()


@pytest.fixture
def image_id(core: Core) -> str:
    with core.db.write() as tx:
        return interface.create_image(
            tx, core, MIA, name="copy", disk_format="raw", container_format="bare", properties={}
        )


async def parts(*given: bytes | Callable[[], None]) -> AsyncIterator[bytes]:
    for part in given:
        if isinstance(part, bytes):
            yield part
        else:
            part()


def test_a_copy_ends_where_others_have_taken_the_room_meanwhile(
    core: Core, image_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = [CHUNK]
    monkeypatch.setattr(receiving, "room", lambda where, free_percent: left[0])

    def taken_by_others() -> None:
        left[0] = 0

    with pytest.raises(HostError, match="media is full"):
        asyncio.run(interface.keep(core, image_id, parts(b"1" * CHUNK, taken_by_others, b"2" * CHUNK)))
    assert interface.scratch_path(core, image_id).stat().st_size == CHUNK


def test_a_copy_ends_with_its_image(core: Core, image_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imports, "LOOK_SECONDS", 0.0)

    def delete() -> None:
        with core.db.write() as tx:
            images.remove(tx, image_id)

    with pytest.raises(Permanent, match="was deleted"):
        asyncio.run(interface.keep(core, image_id, parts(b"1" * CHUNK, delete, b"2" * CHUNK)))


def test_what_is_empty_of_a_disk_takes_no_room(core: Core, image_id: str) -> None:
    given = (bytes(8 * CHUNK), b"1" * CHUNK, bytes(CHUNK), bytes(10), b"end", bytes(CHUNK))
    pieces = [one[at : at + CHUNK] for one in given for at in range(0, len(one), CHUNK)]
    asyncio.run(interface.keep(core, image_id, parts(*pieces)))
    found = interface.scratch_path(core, image_id)
    assert found.read_bytes() == b"".join(given)
    assert found.stat().st_blocks * 512 <= 3 * CHUNK
