"""Many objects at once."""

from __future__ import annotations

import bz2
import gzip
import itertools
import tarfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from io import BytesIO
from typing import IO, Any, cast
from urllib.parse import quote, unquote

from sqlalchemy.engine import Row

from tane.db import Tx
from tane.services.object.domain import (
    access,
    blobs,
    containers,
    content,
    copies,
    locks,
    metadata,
    objects,
    reading,
    room,
)
from tane.services.object.domain.blobs import Content
from tane.services.object.domain.content import New
from tane.services.object.domain.locks import Held
from tane.services.object.domain.objects import At, check_name
from tane.services.object.domain.reading import Looks
from tane.services.object.domain.room import Upload
from tane.services.object.store import database, places
from tane.web.errors import ApiError, BadRequest, NotFound, Unauthorized
from tane.web.request import Request

MOST_DELETES = 10_000
MOST_FAILED = 1000
MOST_CONTAINERS = 10_000
MOST_LINE = 8 << 10
"""Bytes of a name, percent-encoded."""
MOST_OTHERS = 100_000
"""Folders, links and so on of an archive."""
MOST_HEADER = 64 << 10
"""Bytes of what stands before a member (a long name, more about it), and of all that stands before all of them."""
MOST_UNPACKED = 20 << 30
"""Bytes of an archive when it is unpacked: a few of them become as many as one likes."""
LONG_HEADERS = (
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
)
Unpack = Callable[[IO[bytes]], AbstractContextManager[IO[bytes]]]
ARCHIVES: dict[str, Unpack] = {
    "tar": nullcontext,
    "tar.gz": lambda file: cast("IO[bytes]", gzip.GzipFile(fileobj=file, mode="rb")),
    "tar.bz2": lambda file: cast("IO[bytes]", bz2.BZ2File(file)),
}
AT_ONCE = 100
"""So many are deleted in a transaction: others want the writer, too."""


@dataclass
class Outcome:
    done: int = 0
    not_found: int = 0
    status: str = "200 OK"
    body: str = ""
    errors: list[tuple[str, str]] = field(default_factory=list)

    def failed(self, name: str, error: ApiError) -> None:
        self.errors.append((quote(name), f"{error.status} {error.title}"))
        if isinstance(error, Unauthorized):
            self.status = "401 Unauthorized"
        elif self.status == "200 OK":
            self.status = "400 Bad Request"


def allow(request: Request, account: str) -> None:
    """Who does many things must at least be somebody: what each of them needs is asked for each.

    :raises Unauthorized:
    """
    if not access.identify(request).user_id:
        raise access.refused(request)
    if not access.project_of(account):
        raise access.refused(request)


def delete_named(request: Request, account: str, received: Content) -> Outcome:
    """Delete what the lines of a body name, percent-encoded. :raises BadRequest: too many, or too long ones."""
    names: list[str] = []
    with _opened(request, received) as file:
        for number in itertools.count():
            line = file.readline(MOST_LINE + 1)
            if not line:
                break
            if len(line) > MOST_LINE:
                raise BadRequest("Invalid File Name")
            if line.strip():
                names.append(unquote(metadata.decoded(line.strip().decode("latin-1"))))
            if len(names) > MOST_DELETES or number > 2 * MOST_DELETES:
                raise BadRequest(f"Maximum Bulk Deletes: {MOST_DELETES} per request")
    if not names:
        return Outcome(status="400 Bad Request", body="Invalid bulk delete.")
    return delete(request, account, names)


def delete(request: Request, account: str, names: list[str]) -> Outcome:
    """Delete objects, and containers that are empty by then; ``names``: /container/object or /container."""
    outcome = Outcome()
    for begin in range(0, len(names), AT_ONCE):
        some = names[begin : begin + AT_ONCE]
        with database.of(request.core).read() as tx:
            for container in {name.lstrip("/").partition("/")[0] for name in some}:
                access.learn(tx, account, container)
        with database.of(request.core).write() as tx:
            for name in some:
                try:
                    _delete_one(request, tx, account, name)
                    outcome.done += 1
                except NotFound:
                    outcome.not_found += 1
                except ApiError as error:
                    if error.status == 404:
                        outcome.not_found += 1
                    else:
                        outcome.failed(name, error)
                if len(outcome.errors) >= MOST_FAILED:
                    outcome.status, outcome.body = "400 Bad Request", "Max delete failures exceeded"
                    return outcome
    return outcome


def _delete_one(request: Request, tx: Any, account: str, name: str) -> None:
    container, _, rest = name.lstrip("/").partition("/")
    if not container or "\0" in name:
        raise BadRequest("Invalid path")
    if not rest:
        visit = access.admit(request, tx, "delete_container", "owner", (account, container, ""))
        containers.delete(tx, visit)
        return
    check_name(rest)
    visit = access.admit(request, tx, "delete_object", "write", (account, container, rest))
    room.check_marker(request.core, visit.there.versions_mode)
    there, _ = content.delete(request.core, tx, visit)
    if not there:
        raise NotFound("The resource could not be found.")


def delete_manifest(request: Request, at: At) -> Outcome:
    """A static large object with its segments, those of its segments that are such, too; nothing of it where a lock
    holds one of these manifests, which would have no bytes without them."""
    access.identify(request)
    request.may_take_long = True
    # In the order in which they are found; a manifest before what it names.
    names: dict[tuple[str, str], None] = {at[1:]: None}
    wanted = request.param("version-id")
    with database.of(request.core).read() as tx:
        visit = access.admit(request, tx, "delete_object", "write" if wanted is None else "owner", at, outline=True)
        row = visit.object if wanted is None else reading.version(tx, visit, wanted)
        if row.kind != "slo":
            return Outcome(status="400 Bad Request", body="Not an SLO manifest")
        if wanted is not None and (held := _held(tx, row, at[1:])):
            return held
        looks, waiting = Looks(request, tx), [at[1:]]
        if wanted is not None and row is not visit.there:
            names, waiting = dict.fromkeys(looks.listed(row.manifest)), []
            waiting += names
        while waiting and len(names) < MOST_DELETES:
            found = places.outline_in(tx, at[0], *waiting.pop())
            if found is None or found.id is None or found.kind != "slo":
                continue
            if held := _held(tx, found, (found.container, found.object_name)):
                return held
            for one in looks.names(found.id):
                if one not in names:
                    looks.spend()
                    names[one] = None
                    waiting.append(one)
    if wanted is not None:
        names.pop(at[1:], None)
    outcome = delete(request, at[0], [f"/{container}/{name}" for container, name in reversed(names)])
    if wanted is not None and not outcome.errors:
        objects.delete(request, at)
        outcome.done += 1
    return outcome


def _held(tx: Tx, row: Row[Any], where: tuple[str, str]) -> Outcome | None:
    """What is answered where a manifest is locked."""
    try:
        locks.require_free(tx, row)
    except Held as error:
        outcome = Outcome()
        outcome.failed("/" + "/".join(where), error)
        return outcome
    return None


class _Header(tarfile.TarInfo):
    """A member of an archive of a stranger's. What stands before its bytes is read into memory by the library, as much
    as it says; here it must be small."""

    def _proc_member(self, archive: Any) -> Any:
        """The library's hook for subclasses."""
        if self.type in LONG_HEADERS and self.size > MOST_HEADER:
            raise tarfile.ReadError("a header is too long")
        if self.type == tarfile.XGLTYPE:
            archive.global_bytes += self.size
            if archive.global_bytes > MOST_HEADER:
                raise tarfile.ReadError("headers are too long")
        if self.type == tarfile.GNUTYPE_SPARSE:
            self._proc_gnusparse()
        return super()._proc_member(archive)  # type: ignore[misc]  # The stubs do not have it.

    def _proc_gnusparse(self, *_: Any) -> None:
        """A few bytes of the archive say how large a file is, and its holes come out as zeros."""
        raise tarfile.ReadError("files with holes are not unpacked")

    _proc_gnusparse_00 = _proc_gnusparse_01 = _proc_gnusparse_10 = _proc_gnusparse


class _Archive(tarfile.TarFile):
    tarinfo = _Header
    global_bytes = 0


class _Unpacked:
    """An archive's bytes: few at a time, and not without an end."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= blobs.BATCH:
            raise tarfile.ReadError("too much at a time")
        self._check(self._file.tell() + size)
        return self._file.read(size)

    def seek(self, position: int) -> int:
        self._check(position)
        return self._file.seek(position)

    def tell(self) -> int:
        return self._file.tell()

    def _check(self, position: int) -> None:
        if position > MOST_UNPACKED:
            raise tarfile.ReadError("the archive unpacks to too much")


def extract(request: Request, account: str, below: str, received: Content, unpack: Unpack) -> Outcome:
    """Make objects of the files of an archive: the first part of a path is the container, after ``below``."""
    outcome, made, others = Outcome(), set[str](), 0
    try:
        with (
            _opened(request, received) as file,
            unpack(file) as unpacked,
            _Archive(fileobj=_Unpacked(unpacked)) as archive,  # type: ignore[arg-type]  # As much of a file as it needs.
        ):
            while (member := archive.next()) is not None:
                # The library would remember all of them.
                archive.members.clear()  # type: ignore[attr-defined]  # The stubs do not have it.
                if member.issparse():
                    raise tarfile.ReadError("files with holes are not unpacked")
                if not member.isreg():
                    others += 1
                    if others > MOST_OTHERS:
                        raise tarfile.ReadError("too many members are no files")
                    continue
                path = "/".join(part for part in f"{below}/{member.name}".split("/") if part not in ("", "."))
                container, _, name = path.partition("/")
                if not name:
                    continue
                _take(request, (account, container, name), member.size, archive.extractfile(member), outcome, made)
                if len(outcome.errors) >= MOST_FAILED:
                    outcome.body = "Max extraction failures exceeded"
                    break
    except (tarfile.TarError, EOFError, OSError, ValueError, RecursionError, zlib.error) as error:
        outcome.status, outcome.body = "400 Bad Request", f"Invalid Tar File: {type(error).__name__}"
    if not outcome.done and not outcome.errors and not outcome.body:
        outcome.status, outcome.body = "400 Bad Request", "Invalid Tar File: No Valid Files"
    return outcome


def _opened(request: Request, received: Content) -> IO[bytes]:
    if received.data is not None:
        return BytesIO(received.data)
    assert received.draft is not None
    return room.place(request.core).open(received.draft.id)


def _take(request: Request, at: At, size: int, source: IO[bytes] | None, outcome: Outcome, made: set[str]) -> None:
    try:
        for part in at:
            if "\0" in part or not _is_utf8(part):
                raise BadRequest("Invalid path")
        check_name(at[2])
        containers.check_name(at[1])
        if at[1] not in made:
            _make_container(request, at, made)
        _store(request, at, size, source or BytesIO())
        outcome.done += 1
    except ApiError as error:
        outcome.failed("/".join(at[1:]), error)


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _make_container(request: Request, at: At, made: set[str]) -> None:
    if len(made) >= MOST_CONTAINERS:
        raise BadRequest(f"More than {MOST_CONTAINERS} containers to create from tar.")
    policy = copies.policy(request.core, "")
    with database.of(request.core).write() as tx:
        row = places.place(tx, at[0], at[1])
        if row is None or row.container_id is None:
            visit = access.admit(request, tx, "put_container", "owner", (at[0], at[1], ""))
            account_id = access.account_of(request, tx, visit)
            room.check_containers(tx, request.core, account_id)
            places.add_container(tx, account_id, at[1], policy)
    made.add(at[1])


def _store(request: Request, at: At, size: int, source: IO[bytes]) -> None:
    Upload(request.core, *at[:2]).check(size)
    first = source.read(blobs.INLINE + 1)
    if len(first) <= blobs.INLINE:
        received = blobs.small(first)
    else:
        received = blobs.written(request.core, _parts(first, source), metadata.MAX_FILE_SIZE, at[:2])
    try:
        with database.of(request.core).write() as tx:
            visit = access.admit(request, tx, "put_object", "write", at)
            kind = content.guessed(at[2])
            content.write(request.core, tx, visit, New(kind, received))
    except BaseException:
        received.abandon()
        raise


def _parts(first: bytes, source: IO[bytes]) -> Iterator[bytes]:
    yield first
    while part := source.read(blobs.BATCH):
        yield part
