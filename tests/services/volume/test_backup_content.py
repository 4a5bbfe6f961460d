"""What lies in the objects of a backup is held against digests and bounds, whoever wrote it."""

from __future__ import annotations

import asyncio
import hashlib
import os
import struct
import zlib
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pytest

from tane.core import Core
from tane.services.object import interface as objects
from tane.services.volume.domain.backup_content import (
    MAGIC,
    Broken,
    Manifest,
    Place,
    Writer,
    manifest_name,
    object_name,
)
from tane.services.volume.domain.backups import content
from tane.wire.blocks import BLOCK, Records, record
from tane.wire.errors import HostError
from tests.services.volume.pool import add_project

PLACE = Place("garden", "kept", "data")
ENTRY = struct.Struct(">IHIII32s")
BLOCK_OF_ONES = b"1" * BLOCK
ONES = hashlib.sha256(BLOCK_OF_ONES).digest()
HEAD: dict[str, Any] = {
    "size": 1,
    "block_bytes": BLOCK,
    "entries": 1,
    "sources": [{"container": "kept", "prefix": "data"}],
}
PACKED = zlib.compress(BLOCK_OF_ONES, 1)


@pytest.fixture
def core(new_core: Callable[[], Core]) -> Core:
    made = new_core()
    add_project(made, "garden")
    return made


def kept(core: Core, head: dict[str, Any], entries: Sequence[tuple[Any, ...]], data: bytes = PACKED) -> Manifest:
    """A manifest as a hostile cloud may have written it, with its right digest."""
    document = msgspec.json.encode(head)
    text = MAGIC + struct.pack(">I", len(document)) + document + b"".join(ENTRY.pack(*entry) for entry in entries)
    objects.put(core, PLACE.shelf, manifest_name("data"), [text])
    objects.put(core, PLACE.shelf, object_name("data", 1), [data])
    return Manifest(core, PLACE, hashlib.sha256(text).hexdigest(), len(text))


def test_blocks_come_back_as_they_were(core: Core) -> None:
    noise = os.urandom(BLOCK)
    with Writer(core, PLACE, 1, None) as writer:
        sent = record(0, BLOCK_OF_ONES) + record(9, noise)
        for begin in range(0, len(sent), 700_000):
            writer.take(sent[begin : begin + 700_000])
        written = writer.finish()
    with Manifest(core, PLACE, written.digest, written.manifest_bytes) as manifest:
        assert list(manifest.records()) == [record(0, BLOCK_OF_ONES), record(9, noise)]


WRONG_HEADS: tuple[dict[str, Any], ...] = (
    {"size": 0},
    {"size": 1 << 30},
    {"block_bytes": 1 << 40},
    {"entries": 2},
    {"entries": -1},
    {"sources": []},
    {"sources": [{"container": "kept", "prefix": "data"}] * 300},
    {"sources": [{"container": "a/b", "prefix": "data"}]},
    {"sources": [{"container": "kept", "prefix": "a\nb"}]},
    {"sources": "all"},
)


def test_a_manifest_of_another_form_is_not_read(core: Core) -> None:
    whole = (0, 0, 1, 0, len(PACKED), ONES)
    with kept(core, HEAD, [whole]) as manifest:
        assert list(manifest.records()) == [record(0, BLOCK_OF_ONES)]
    for wrong in WRONG_HEADS:
        with pytest.raises(Broken, match="another form"):
            kept(core, HEAD | wrong, [whole])


def test_entries_that_cannot_be_are_refused(core: Core) -> None:
    good = (5, 0, 1, 0, len(PACKED), ONES)
    for wrong in (
        (1024, 0, 1, 0, len(PACKED), ONES),
        (6, 1, 1, 0, len(PACKED), ONES),
        (6, 0, 1, 0, 0, ONES),
        (6, 0, 1, 0, BLOCK + 1, ONES),
        (5, 0, 1, 0, len(PACKED), ONES),
        (4, 0, 1, 0, len(PACKED), ONES),
    ):
        with kept(core, HEAD | {"entries": 2}, [good, wrong]) as manifest, pytest.raises(Broken, match="cannot be"):
            list(manifest.records())
    for wrong in ((0, 0, 2, 0, 5, ONES), (0, 0, 1, 9, len(PACKED), ONES), (0, 0, 1, 1 << 31, 5, ONES)):
        with kept(core, HEAD, [wrong]) as manifest, pytest.raises(Broken, match="missing, or shorter"):
            list(manifest.records())


def test_a_block_that_unpacks_to_more_than_one_is_refused(core: Core) -> None:
    bomb = zlib.compress(bytes(256 << 20), 9)
    for data in (bomb, zlib.compress(bytes(BLOCK + 1)), zlib.compress(b"short"), PACKED[:-3], b"no zlib"):
        entry = (0, 0, 1, 0, len(data), hashlib.sha256(bytes(BLOCK)).digest())
        with kept(core, HEAD, [entry], data) as manifest, pytest.raises(Broken, match="not as it was written"):
            list(manifest.records())


def test_a_host_is_given_no_backup_that_is_not_restored_there(core: Core) -> None:
    async def ask() -> None:
        async for _ in content(core, "some-host", "9e0cb1a2-0000-4000-8000-000000000000", "a-volume"):
            pass

    with pytest.raises(HostError, match="is not restored to volume"):
        asyncio.run(ask())


def test_a_stream_is_held_to_its_disk() -> None:
    records = Records(10)
    assert [number for number, _ in records.feed(record(3, BLOCK_OF_ONES))] == [3]
    for number in (3, 2, 10, 1 << 31):
        other = Records(10)
        list(other.feed(record(3, BLOCK_OF_ONES)))
        with pytest.raises(HostError):
            list(other.feed(record(number, BLOCK_OF_ONES)))
    list(records.feed(record(4, BLOCK_OF_ONES)[:-1]))
    with pytest.raises(HostError, match="broken off"):
        records.end()
