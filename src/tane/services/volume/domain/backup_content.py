"""What a backup is made of: objects in the project's account, and a manifest that says what is in them.

``PREFIX-00001``, ``PREFIX-00002``, … hold blocks of 1 MiB, each compressed by itself (zlib), one after another.
``PREFIX_metadata`` is the manifest: an entry for each block that is not empty, with its SHA-256 and where it lies; of
an incremental backup also in the objects of those before it, so that restoring reads one manifest whatever the chain.

The objects are the project's own, which may change them. The SHA-256 of the manifest is in the backup's row: what is
not as it was written is not restored. Every number is bounded all the same, as manifests of imported records are not
ours. Everything here runs in threads.
"""

from __future__ import annotations

import hashlib
import re
import struct
import tempfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from typing import NamedTuple

import msgspec

from tane.core import Core
from tane.services.object import interface as objects
from tane.services.object.interface import Shelf
from tane.wire.blocks import BLOCK, Records, record

MAGIC = b"tane volume backup 1\n"
OBJECT_BYTES = 16 << 20
"""An object ends with the block that makes it so large; that much is kept in memory of each backup that is made."""
MOST_HEAD = 1 << 20
MOST_SOURCES = 256
"""Backups whose objects one manifest names: a full one and the incremental ones after it."""
LEVEL = 1
"""Of zlib: disks are many bytes, and what is behind the first level takes three times as long."""
IN_MEMORY = 1 << 20
SAMPLE = 16 << 10
NAME = re.compile(r"[A-Za-z0-9_.:/-]{1,255}\Z")
"""Of a prefix."""
CONTAINER = re.compile(r"[^/\x00-\x1f\x7f]{1,255}\Z")

Spool = tempfile.SpooledTemporaryFile[bytes]

_LENGTH = struct.Struct(">I")
_ENTRY = struct.Struct(">IHIII32s")
_BATCH = 4096


class Broken(Exception):
    """What is kept of a backup is not what was written; the message may be shown to its owner."""


class Entry(NamedTuple):
    """Where a block lies: ``length`` bytes from ``offset`` on of the object ``number`` of a source; one as long as a
    block is not compressed. ``digest``: of the block itself."""

    block: int
    source: int
    number: int
    offset: int
    length: int
    digest: bytes


class Source(msgspec.Struct, frozen=True):
    """Where objects of a backup lie."""

    container: str
    prefix: str


class Head(msgspec.Struct):
    """``size`` in GiB."""

    size: int
    block_bytes: int
    entries: int
    sources: list[Source]


class Written(msgspec.Struct):
    """``digest``: SHA-256 of the manifest, which has so many ``manifest_bytes``; ``objects``: how many hold blocks;
    ``sources``: as the manifest has them."""

    digest: str
    manifest_bytes: int
    objects: int
    sources: list[Source]


class Place(msgspec.Struct, frozen=True):
    """Where a backup lies. ``project_id``: whose account."""

    project_id: str
    container: str
    prefix: str

    @property
    def shelf(self) -> Shelf:
        return Shelf(self.project_id, self.container)


def most_bytes(size: int) -> int:
    """Of the manifest of a backup of ``size`` GiB."""
    return len(MAGIC) + _LENGTH.size + MOST_HEAD + (size << 30) // BLOCK * _ENTRY.size


def object_name(prefix: str, number: int) -> str:
    return f"{prefix}-{number:05d}"


def manifest_name(prefix: str) -> str:
    return f"{prefix}_metadata"


def is_part(prefix: str, name: str) -> bool:
    """Whether an object is one of a backup's: others may have names that begin like them."""
    number = name.removeprefix(f"{prefix}-")
    return name == manifest_name(prefix) or (number != name and number.isascii() and number.isdigit())


def pairs(sources: Iterable[Source]) -> list[list[str]]:
    """Sources as the database has them."""
    return [[source.container, source.prefix] for source in sources]


# ------------------------------------------------------------------------------------------------------------ writing


class Writer(AbstractContextManager["Writer"]):
    """Writes a backup of what comes in as :mod:`tane.wire.blocks` has it. ``parent``: blocks that are as they were then
    are not written again.

    What it writes follows from what comes in: a second run writes the same under the same names.
    """

    def __init__(self, core: Core, place: Place, size: int, parent: Manifest | None) -> None:
        self._core = core
        self._place = place
        self._size = size
        self._records = Records((size << 30) // BLOCK)
        self._old = _Cursor(parent)
        self._sources = [*(parent.head.sources if parent is not None else []), Source(place.container, place.prefix)]
        if len(self._sources) > MOST_SOURCES:
            raise Broken(f"The backup would build upon more than {MOST_SOURCES - 1} others.")
        self._entries = _spool(core)
        self._count = 0
        self._objects = 0
        self._parts: list[bytes] = []
        self._offset = 0

    def __exit__(self, *exc: object) -> None:
        self._entries.close()

    def take(self, data: bytes) -> None:
        """:raises HostError: it is not of this disk. :raises ApiError: an object cannot be written."""
        for number, block in self._records.feed(data):
            self._add(number, block)

    def _add(self, number: int, block: bytes) -> None:
        digest = hashlib.sha256(block).digest()
        entry = self._old.at(number)
        if entry is None or entry.digest != digest:
            packed = _packed(block)
            entry = Entry(number, len(self._sources) - 1, self._objects + 1, self._offset, len(packed), digest)
            self._parts.append(packed)
            self._offset += len(packed)
        self._entries.write(_ENTRY.pack(*entry))
        self._count += 1
        if self._offset >= OBJECT_BYTES:
            self._flush()

    def _flush(self) -> None:
        self._objects += 1
        name = object_name(self._place.prefix, self._objects)
        objects.put(self._core, self._place.shelf, name, self._parts)
        self._parts, self._offset = [], 0

    def finish(self) -> Written:
        """Write what is left, and the manifest. :raises HostError: the last block is not whole. :raises ApiError:"""
        self._records.end()
        if self._parts:
            self._flush()
        head = msgspec.json.encode(Head(self._size, BLOCK, self._count, self._sources))
        digest = hashlib.sha256()

        def parts() -> Iterator[bytes]:
            self._entries.seek(0)
            part = MAGIC + _LENGTH.pack(len(head)) + head
            while part:
                digest.update(part)
                yield part
                part = self._entries.read(BLOCK)

        size = objects.put(self._core, self._place.shelf, manifest_name(self._place.prefix), parts())
        return Written(digest.hexdigest(), size, self._objects, self._sources)


def _packed(block: bytes) -> bytes:
    """A block as it is kept: as it is when it does not shrink, which its first part tells (what is encrypted or packed
    already would take 15 times as long as text, for nothing)."""
    if len(zlib.compress(block[:SAMPLE], LEVEL)) > SAMPLE - SAMPLE // 16:
        return block
    packed = zlib.compress(block, LEVEL)
    return packed if len(packed) < BLOCK else block


class _Cursor:
    """The entries of an older manifest, asked by growing numbers."""

    def __init__(self, manifest: Manifest | None) -> None:
        self._entries = iter(()) if manifest is None else manifest.entries()
        self._entry: Entry | None = next(self._entries, None)

    def at(self, number: int) -> Entry | None:
        while self._entry is not None and self._entry.block < number:
            self._entry = next(self._entries, None)
        return self._entry if self._entry is not None and self._entry.block == number else None


# ------------------------------------------------------------------------------------------------------------ reading


class Manifest(AbstractContextManager["Manifest"]):
    """A manifest, whole and checked against its digest before anything of it is used. A copy of it is kept until
    :meth:`close`.

    :raises Broken: it is not there, or not as it was written.
    """

    def __init__(self, core: Core, place: Place, digest: str, manifest_bytes: int) -> None:
        self._core = core
        self._place = place
        self._file = _spool(core)
        try:
            self._fetch(digest, manifest_bytes)
            self.head = self._read_head(manifest_bytes)
        except BaseException:
            self.close()
            raise

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        self._file.close()

    def _fetch(self, digest: str, manifest_bytes: int) -> None:
        name, found = manifest_name(self._place.prefix), hashlib.sha256()
        try:
            stored = objects.find(self._core, self._place.shelf, name)
            if stored.size == manifest_bytes:
                for part in stored.parts():
                    found.update(part)
                    self._file.write(part)
        except objects.Gone:
            raise Broken(f"Object {name} of the backup is missing.") from None
        if found.hexdigest() != digest:
            raise Broken(f"Object {name} of the backup is not as it was written.")

    def _read_head(self, manifest_bytes: int) -> Head:
        self._file.seek(0)
        begin = self._file.read(len(MAGIC) + _LENGTH.size)
        try:
            [length] = _LENGTH.unpack_from(begin, len(MAGIC))
            if not begin.startswith(MAGIC) or length > MOST_HEAD:
                raise Broken("The backup is of another form.")
            head = msgspec.json.decode(self._file.read(length), type=Head)
        except (struct.error, msgspec.DecodeError, RecursionError):
            raise Broken("The backup is of another form.") from None
        self._begin = len(begin) + length
        names = all(CONTAINER.match(each.container) and NAME.match(each.prefix) for each in head.sources)
        whole = manifest_bytes == self._begin + head.entries * _ENTRY.size and 0 < head.size < 1 << 20
        if not (names and whole and head.block_bytes == BLOCK and 0 < len(head.sources) <= MOST_SOURCES):
            raise Broken("The backup is of another form.")
        return head

    def entries(self) -> Iterator[Entry]:
        """:raises Broken: one cannot be."""
        last, blocks, sources = -1, (self.head.size << 30) // BLOCK, len(self.head.sources)
        place = self._begin
        while True:
            self._file.seek(place)
            data = self._file.read(_BATCH * _ENTRY.size)
            if not data:
                return
            place += len(data)
            for found in _ENTRY.iter_unpack(data):
                entry = Entry(*found)
                if not (last < entry.block < blocks and entry.source < sources and 0 < entry.length <= BLOCK):
                    raise Broken("The manifest of the backup names blocks that cannot be.")
                last = entry.block
                yield entry

    def records(self) -> Iterator[bytes]:
        """The blocks, each checked against its digest. :raises Broken: one is not there, or not as it was written."""
        known: dict[int, tuple[int, objects.Stored]] = {}
        for entry in self.entries():
            source = self.head.sources[entry.source]
            name = object_name(source.prefix, entry.number)
            try:
                number, stored = known.get(entry.source, (-1, None))
                if stored is None or number != entry.number:
                    stored = objects.find(self._core, Shelf(self._place.project_id, source.container), name)
                    known[entry.source] = (entry.number, stored)
                packed = b"".join(stored.parts(entry.offset, entry.length))
            except objects.Gone:
                raise Broken(f"Object {name} of the backup is missing, or shorter than it was written.") from None
            block = _unpacked(packed)
            if block is None or hashlib.sha256(block).digest() != entry.digest:
                raise Broken(f"Object {name} of the backup is not as it was written.")
            yield record(entry.block, block)


def _unpacked(packed: bytes) -> bytes | None:
    """A block; None of what is none. It never takes more than a block's memory."""
    if len(packed) == BLOCK:
        return packed
    unpacking = zlib.decompressobj()
    try:
        block = unpacking.decompress(packed, BLOCK)
        # The end of the stream may be left for another call when the block fills the room to its last byte.
        if not unpacking.eof and unpacking.decompress(unpacking.unconsumed_tail, 1):
            return None
    except zlib.error:
        return None
    return block if unpacking.eof and len(block) == BLOCK else None


def _spool(core: Core) -> Spool:
    return tempfile.SpooledTemporaryFile(IN_MEMORY, dir=str(core.config.state_dir))
