"""Many objects at once."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO
from typing import IO, Any
from urllib.parse import quote

from tane.services.object.domain import access, blobs, containers, content, manifests, metadata
from tane.services.object.domain.blobs import Content
from tane.services.object.domain.content import New
from tane.services.object.domain.objects import At, check_name
from tane.services.object.store import database, places
from tane.web.errors import ApiError, BadRequest, NotFound, Unauthorized
from tane.web.request import Request

MOST_DELETES = 10_000
MOST_FAILED = 1000
MOST_CONTAINERS = 10_000
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


def delete(request: Request, account: str, names: list[str]) -> Outcome:
    """Delete objects, and containers that are empty by then; ``names``: /container/object or /container."""
    outcome = Outcome()
    for begin in range(0, len(names), AT_ONCE):
        with database.of(request.core).write() as tx:
            for name in names[begin : begin + AT_ONCE]:
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
    there, _ = content.delete(request.core, tx, visit)
    if not there:
        raise NotFound("The resource could not be found.")


def delete_manifest(request: Request, at: At) -> Outcome:
    """A static large object with its segments, those of its segments that are such, too."""
    access.identify(request)
    names: list[str] = []
    with database.of(request.core).read() as tx:
        visit = access.admit(request, tx, "delete_object", "write", at)
        if visit.object.kind != "slo":
            return Outcome(status="400 Bad Request", body="Not an SLO manifest")
        waiting = [(at[1], at[2], visit.object.manifest)]
        while waiting and len(names) < MOST_DELETES:
            container, name, text = waiting.pop()
            names.insert(0, f"/{container}/{name}")
            for one, other in manifests.segments(text):
                row = places.object_in(tx, at[0], one, other)
                if row is not None and row.container_id is not None and row.id is not None and row.kind == "slo":
                    waiting.append((one, other, row.manifest))
                else:
                    names.insert(0, f"/{one}/{other}")
    return delete(request, at[0], list(dict.fromkeys(names)))


def extract(request: Request, account: str, below: str, received: Content, mode: str) -> Outcome:
    """Make objects of the files of an archive: the first part of a path is the container, after ``below``."""
    outcome, made = Outcome(), set[str]()
    try:
        with _opened(request, received) as file, tarfile.open(fileobj=file, mode=mode) as archive:  # type: ignore[call-overload]  # No literal.
            for member in archive:
                if not member.isreg():
                    continue
                path = "/".join(part for part in f"{below}/{member.name}".split("/") if part not in ("", "."))
                container, _, name = path.partition("/")
                if not name:
                    continue
                _take(request, (account, container, name), archive.extractfile(member), outcome, made)
                if len(outcome.errors) >= MOST_FAILED:
                    outcome.body = "Max extraction failures exceeded"
                    break
    except (tarfile.TarError, EOFError, OSError, ValueError) as error:
        outcome.status, outcome.body = "400 Bad Request", f"Invalid Tar File: {type(error).__name__}"
    if not outcome.done and not outcome.errors and not outcome.body:
        outcome.status, outcome.body = "400 Bad Request", "Invalid Tar File: No Valid Files"
    return outcome


def _opened(request: Request, received: Content) -> IO[bytes]:
    if received.data is not None:
        return BytesIO(received.data)
    assert received.draft is not None
    return blobs.place(request.core).open(received.draft.id)


def _take(request: Request, at: At, source: IO[bytes] | None, outcome: Outcome, made: set[str]) -> None:
    try:
        for part in at:
            if "\0" in part or not _is_utf8(part):
                raise BadRequest("Invalid path")
        check_name(at[2])
        containers.check_name(at[1])
        if at[1] not in made:
            _make_container(request, at, made)
        _store(request, at, source or BytesIO())
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
    with database.of(request.core).write() as tx:
        row = places.place(tx, at[0], at[1])
        if row is None or row.container_id is None:
            visit = access.admit(request, tx, "put_container", "owner", (at[0], at[1], ""))
            places.add_container(tx, access.account_of(request, tx, visit), at[1], containers.POLICIES[0])
    made.add(at[1])


def _store(request: Request, at: At, source: IO[bytes]) -> None:
    first = source.read(blobs.INLINE + 1)
    if len(first) <= blobs.INLINE:
        received = blobs.small(first)
    else:
        received = blobs.written(request.core, _parts(first, source), metadata.MAX_FILE_SIZE)
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
