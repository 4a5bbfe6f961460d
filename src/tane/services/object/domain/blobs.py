"""Bytes on their way in: hashed, checked, made durable; and what heals after a crash."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import hashlib
import zlib
from collections.abc import Awaitable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, BinaryIO, NamedTuple

import structlog

from tane.core import Core
from tane.services.object.domain import copies
from tane.services.object.domain.access import project_of
from tane.services.object.domain.errors import InsufficientStorage
from tane.services.object.domain.room import NO_ROOM, Upload, check_room, place
from tane.services.object.drivers.base import Blobs, Draft
from tane.services.object.drivers.hosts import Copied, CopiedDraft, Reading, TooFew
from tane.services.object.store import blobs as store
from tane.services.object.store import database, places
from tane.shares import Full, Shares
from tane.web.errors import BadRequest, TooLarge, Unavailable
from tane.web.request import BodyStream

INLINE = 16 << 10
"""So many bytes lie in the row itself: one commit makes them durable."""
BATCH = 1 << 20
GRACE_SECONDS = 600.0
"""For so long a file that no row names, and one whose row died, stays: an upload may be about to commit, a download may
be about to open it, a backup to link it."""
MOST = 5 * (1 << 30) + 2
"""Bytes of one blob."""

LITTLE = 64 << 10
"""Bytes of an upload's first buffers."""

log = structlog.get_logger()

_large = Shares(64, 16)
"""Uploads that have two buffers of a whole batch; an account's."""


@dataclass
class Content:
    """What was received: ``data`` of what is small, else a draft that is finished."""

    size: int
    md5: str
    crc: int
    data: bytes | None = None
    draft: Draft | None = None

    def abandon(self) -> None:
        """Its rows were not committed."""
        if self.draft is not None:
            self.draft.abandon()


@dataclass(frozen=True)
class Piece:
    """``length`` bytes from ``offset`` on, of bytes that are here or of a blob, which is a file or (not ``filed``) in
    its row."""

    offset: int
    length: int
    data: bytes | None
    blob_id: str | None
    filed: bool = True


class TooMuch(Exception):
    """More than the limit came."""


class BrokenOff(Exception):
    """The client went away before the end."""


def small(data: bytes) -> Content:
    """The content of a few bytes that are here already."""
    return Content(len(data), hashlib.md5(data, usedforsecurity=False).hexdigest(), zlib.crc32(data), data)


async def receive(
    core: Core, stream: BodyStream, length: int | None, most: int, account: str, container: str = ""
) -> Content:
    """Read a body to its end. Two buffers: one is hashed and written while the other is filled. What is under way
    counts for its account, too. The bytes lie as the policy of ``container`` has it; without one, here.

    :raises TooLarge: with that it would hold more than it may.
    :raises TooMuch: :raises BrokenOff: fewer bytes than announced. :raises InsufficientStorage: the disk is full.
    :raises Unavailable: too few hosts take copies.
    """
    first = memoryview(bytearray(INLINE + 1 if length is None else min(length, INLINE + 1)))
    size = await _fill(stream, first)
    if size > most:
        raise TooMuch
    if size <= INLINE:
        if length is not None and size != length:
            raise BrokenOff
        return small(bytes(first[:size]))
    return await _Receiver(core, account).receive(stream, first, length, most, (account, container))


async def _fill(stream: BodyStream, buffer: memoryview) -> int:
    try:
        return await stream.readinto(buffer) if buffer else 0
    except BadRequest:
        raise BrokenOff from None


class _Receiver:
    def __init__(self, core: Core, account: str) -> None:
        self._core, self._owner = core, project_of(account) or None
        self.md5: Any = hashlib.md5(usedforsecurity=False)
        self.crc = 0

    def _sum(self, part: memoryview) -> None:
        self.md5.update(part)
        self.crc = zlib.crc32(part, self.crc)

    def take(self, draft: Draft, part: memoryview) -> None:
        self._sum(part)
        if not isinstance(draft, CopiedDraft):
            check_room(self._core)
        with _told():
            draft.write(part)

    def begin(self, policy: str) -> Draft:
        if policy == copies.THREE:
            return copies.draft(self._core, self._owner)
        check_room(self._core)
        with _told():
            return place(self._core).draft()

    def finish(self, draft: Draft) -> None:
        with _told():
            draft.finish()

    def _taking(self, draft: Draft, part: memoryview) -> Awaitable[None]:
        """No thread waits for hosts."""
        if isinstance(draft, CopiedDraft):
            return self._send(draft, part)
        return asyncio.to_thread(self.take, draft, part)

    async def _send(self, draft: CopiedDraft, part: memoryview) -> None:
        def note() -> None:
            self._sum(part)
            draft.note(part)

        await asyncio.to_thread(note)
        with _told():
            await draft.send(part)

    async def _finishing(self, draft: Draft) -> None:
        if isinstance(draft, CopiedDraft):
            with _told():
                await draft.close()
        else:
            await asyncio.to_thread(self.finish, draft)

    async def receive(
        self, stream: BodyStream, first: memoryview, length: int | None, most: int, at: tuple[str, str]
    ) -> Content:
        upload = await asyncio.to_thread(Upload, self._core, *at)
        try:
            upload.grow(length or len(first))
            copies.links(self._core).bind()
            draft = await asyncio.to_thread(self.begin, upload.policy)
        except BaseException:
            upload.end()
            raise
        working = asyncio.ensure_future(self._taking(draft, first))
        total = len(first)
        try:
            with _Buffers(at[0]) as buffers:
                while size := await _fill(stream, buffer := buffers.next()):
                    total += size
                    if total > most:
                        raise TooMuch
                    if length is None:
                        upload.grow(size)
                    await _ended(working)
                    working = asyncio.ensure_future(self._taking(draft, buffer[:size]))
                    if size < len(buffer):
                        break
            await _ended(working)
            if length is not None and total != length:
                raise BrokenOff
            working = asyncio.ensure_future(self._finishing(draft))
            await _ended(working)
        except BaseException:
            # The thread still uses the file; what it says of it does not matter any more.
            await asyncio.shield(asyncio.gather(working, return_exceptions=True))
            await asyncio.shield(asyncio.to_thread(draft.abandon))
            raise
        finally:
            upload.end()
        return Content(total, self.md5.hexdigest(), self.crc, draft=draft)


class _Buffers:
    """Two by turns. They are small at first: who sends little and then nothing keeps little. Later they are large, for
    so many uploads of an account at a time."""

    def __init__(self, account: str) -> None:
        self._account = account
        self._pair: list[memoryview] = []
        self._place = ExitStack()
        self._large = False

    def __enter__(self) -> _Buffers:
        return self

    def __exit__(self, *exc: object) -> None:
        self._pair.clear()
        self._place.close()

    def next(self) -> memoryview:
        if len(self._pair) == 2 and not self._large:
            self._grow()
        if len(self._pair) == 2:
            self._pair.reverse()
        else:
            self._pair.append(memoryview(bytearray(BATCH if self._large else LITTLE)))
        return self._pair[-1]

    def _grow(self) -> None:
        with contextlib.suppress(Full):
            self._place.enter_context(_large.taken(self._account))
            self._large = True
            self._pair.clear()


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """A full disk is the client's to know; all else is the operator's."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise InsufficientStorage(NO_ROOM) from None
    except TooFew as error:
        raise Unavailable(str(error)) from None


def assemble(core: Core, pieces: Iterable[Piece], at: tuple[str, str]) -> Content:
    """One content of the bytes of many, for a container of an account. Synchronous.

    :raises Unavailable: they cannot be read. :raises ApiError: as for a body.
    """
    return written(core, _readable(core, pieces, at[0]), MOST, at)


def _readable(core: Core, pieces: Iterable[Piece], account: str) -> Iterator[bytes]:
    try:
        yield from parts(core, pieces, project_of(account) or None)
    except OSError as error:
        log.error("the bytes of an object are gone", reason=str(error))
        raise Unavailable("The object's data cannot be read.") from None


def policy_of(core: Core, at: tuple[str, str]) -> str:
    """The storage policy of a container of an account; the first one where it is not there."""
    with database.of(core).read() as tx:
        row = places.place(tx, *at)
    return copies.ONE if row is None else row.policy or copies.ONE


def joined(core: Core, some: Iterable[Piece | bytes]) -> bytes:
    """The bytes of pieces that are here or in rows, each of which is read once.

    :raises FileNotFoundError: one is there no more.
    """
    found: dict[str, bytes | None] = {}
    together: list[bytes] = []
    with ExitStack() as stack:
        tx = None
        for piece in some:
            if isinstance(piece, bytes):
                together.append(piece)
                continue
            data, blob_id = piece.data, piece.blob_id or ""
            if data is None:
                tx = tx or stack.enter_context(database.of(core).read())
                if blob_id not in found:
                    found[blob_id] = store.data_of(tx, blob_id)
                data = found[blob_id]
            if data is None:
                raise FileNotFoundError(f"the bytes of blob {blob_id} are gone")
            together.append(data[piece.offset : piece.offset + piece.length])
    return b"".join(together)


def written(core: Core, source: Iterable[bytes], most: int, at: tuple[str, str]) -> Content:
    """A blob of bytes that come from here, for a container of an account.

    :raises TooLarge: more than ``most``. :raises ApiError: as for a body.
    """
    work, size = _Receiver(core, at[0]), 0
    draft = work.begin(policy_of(core, at))
    try:
        for part in source:
            size += len(part)
            if size > most:
                raise TooLarge("Your request is too large.")
            work.take(draft, memoryview(part))
        work.finish(draft)
    except BaseException:
        draft.abandon()
        raise
    return Content(size, work.md5.hexdigest(), work.crc, draft=draft)


def parts(core: Core, pieces: Iterable[Piece], owner: str | None = None) -> Iterator[bytes]:
    """The bytes of pieces, a batch at a time. ``owner``: whose turn at hosts it is.

    :raises OSError: fewer are there.
    """
    last: tuple[str | None, Reading] | None = None
    for piece in pieces:
        if piece.data is not None or not piece.filed:
            yield joined(core, [piece])
            continue
        if last is None or last[0] != piece.blob_id:
            found = opened(core, piece.blob_id or "")
            if not isinstance(found, Copied):
                yield from _from_file(found, piece)
                continue
            last = piece.blob_id, copies.reading(core, found, owner)
        yield from _from_hosts(core, last[1], piece)


def _from_file(found: BinaryIO, piece: Piece) -> Iterator[bytes]:
    left = piece.length
    with found as file:
        file.seek(piece.offset)
        while left:
            part = file.read(min(BATCH, left))
            if not part:
                raise OSError(f"blob {piece.blob_id} is shorter than its row says")
            left -= len(part)
            yield part


def opened(core: Core, blob_id: str) -> BinaryIO | Copied:
    """Its file, or by what it is known that lies on hosts. :raises FileNotFoundError: it is nowhere."""
    try:
        return place(core).open(blob_id)
    except FileNotFoundError:
        found = copies.find(core, blob_id)
        if found is None:
            raise
        return found


def _from_hosts(core: Core, reading: Reading, piece: Piece) -> Iterator[bytes]:
    way, offset, left = copies.links(core), piece.offset, piece.length
    while left:
        try:
            part = way.from_thread(reading.part(offset, left))
        except TooFew as error:
            raise OSError(str(error)) from None
        offset, left = offset + len(part), left - len(part)
        yield part


async def _ended(working: asyncio.Future[None]) -> None:
    """Wait for it, and raise what it raised; who is cancelled meanwhile does not cancel it."""
    await asyncio.wait([working])
    working.result()


class Swept(NamedTuple):
    """How many drafts, files and blobs went; and what is to be removed on hosts: (blob, host)."""

    drafts: int
    unknown: int
    dead: int
    gone: list[tuple[str, str]]


def sweep(core: Core) -> Swept:
    """Remove drafts nobody writes, files without a row, and blobs that are part of nothing; each after the grace."""
    if not database.exists(core):
        return Swept(0, 0, 0, [])
    opened, files = database.of(core), place(core)
    drafts = files.clear_drafts(GRACE_SECONDS)
    lost = 0
    batch: list[str] = []
    for blob_id in files.older_than(GRACE_SECONDS):
        batch.append(blob_id)
        if len(batch) == store.MOST:
            lost += _remove_unknown(opened, files, batch)
            batch = []
    lost += _remove_unknown(opened, files, batch)
    with opened.write() as tx:
        dead = store.take_dead(tx, GRACE_SECONDS)
    for blob_id, host in dead:
        if host == files.host:
            files.remove(blob_id)
    gone = [each for each in dead if each[1] != files.host]
    return Swept(drafts, lost, len({blob_id for blob_id, _ in dead}), gone)


def _remove_unknown(opened: Any, files: Blobs, ids: list[str]) -> int:
    with opened.read() as tx:
        unknown = set(ids) - store.known(tx, ids)
    for blob_id in unknown:
        files.remove(blob_id)
    return len(unknown)
