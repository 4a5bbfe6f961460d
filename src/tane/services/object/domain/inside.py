"""Objects that other services of the cloud keep in a project's account.

They are the project's: they count for its quotas, and it may change or delete them like any other. Who keeps them keeps
their digests elsewhere. Everything here runs in threads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from tane.core import Core
from tane.db import Tx
from tane.services.identity import interface as identity
from tane.services.object.domain import blobs, content
from tane.services.object.domain.access import RESELLER_PREFIX, Visit
from tane.services.object.domain.blobs import Piece
from tane.services.object.domain.content import New
from tane.services.object.store import database, listing, places
from tane.services.object.store.listing import Wanted
from tane.web.errors import NotFound

TYPE = "application/octet-stream"
POLICY = "one"
A_STEP = 50
"""Objects that are deleted in one transaction."""


class Gone(Exception):
    """An object, or a part of it, is not there."""


@dataclass(frozen=True)
class Shelf:
    """A container of a project's account."""

    project_id: str
    container: str

    @property
    def account(self) -> str:
        return RESELLER_PREFIX + self.project_id


@dataclass(frozen=True)
class Stored:
    """An object as it was when it was looked up: its bytes are written once."""

    core: Core
    size: int
    blob_id: str | None
    filed: bool

    def parts(self, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        """A part of it, or all, in pieces of at most 1 MiB. :raises Gone: it does not have so much."""
        wanted = self.size - offset if length is None else length
        if offset < 0 or wanted < 0 or offset + wanted > self.size:
            raise Gone(f"{wanted} bytes from {offset} on of {self.size}")
        if not wanted:
            return
        try:
            yield from blobs.parts(self.core, [Piece(offset, wanted, None, self.blob_id, self.filed)])
        except OSError as error:
            raise Gone(str(error)) from error


def put(core: Core, shelf: Shelf, name: str, parts: Iterable[bytes], *, make: bool = True) -> int:
    """Write an object in place of what is there, in a container that is made when there is none (unless not
    ``make``); returns its bytes.

    Bytes that may be large; each of ``parts`` is at most 1 MiB.

    :raises ApiError: over a quota, the disk is full, or there is no such project, or container.
    """
    received = blobs.written(core, parts, blobs.MOST, (shelf.account, shelf.container))
    try:
        domain = _domain(core, shelf.project_id)
        with database.of(core).write() as tx:
            visit = _visit(tx, shelf, name)
            if visit.row is None or visit.row.container_id is None:
                if not make:
                    raise NotFound(f"Container {shelf.container} could not be found.")
                _make_container(tx, shelf, visit, domain)
                visit = _visit(tx, shelf, name)
            content.write(core, tx, visit, New(TYPE, content=received))
    except BaseException:
        received.abandon()
        raise
    return received.size


def _domain(core: Core, project_id: str) -> str:
    with core.db.read() as control:
        project = identity.project_row(control, project_id)
    if project is None:
        raise NotFound(f"Project {project_id} could not be found.")
    return str(project.domain_id or "")


def _make_container(tx: Tx, shelf: Shelf, visit: Visit, domain: str) -> None:
    row = visit.row
    account_id = int(row.account_id) if row is not None else places.add_account(tx, shelf.account, domain)
    places.add_container(tx, account_id, shelf.container, POLICY)


def _visit(tx: Tx, shelf: Shelf, name: str) -> Visit:
    row = places.object_in(tx, shelf.account, shelf.container, name)
    return Visit(shelf.account, shelf.container, name, row, True)


def find(core: Core, shelf: Shelf, name: str) -> Stored:
    """A plain object; links and manifests are not followed. :raises Gone: there is none."""
    if not database.exists(core):
        raise Gone(name)
    with database.of(core).read() as tx:
        row = places.outline_in(tx, shelf.account, shelf.container, name)
        if row is None or row.container_id is None or row.id is None or row.kind or content.expired(row, tx):
            raise Gone(name)
        return Stored(core, row.size if row.blob_id else 0, row.blob_id, bool(row.filed))


def remove(core: Core, shelf: Shelf, prefix: str, wanted: Callable[[str], bool], after: str = "") -> str:
    """Delete the ``wanted`` of the next objects whose names begin so, after a name; returns the last one's name, ""
    when that was all.

    One pass over the names ends whatever comes into the places of what is deleted (older versions, new uploads).
    """
    if not database.exists(core):
        return ""
    with database.of(core).write() as tx:
        row = places.place(tx, shelf.account, shelf.container)
        if row is None or row.container_id is None:
            return ""
        page = listing.objects(tx, row.container_id, Wanted(A_STEP, prefix=prefix, marker=after))
        names = [str(found.name) for found in page.found if not isinstance(found, str)]
        for name in filter(wanted, names):
            content.delete(core, tx, _visit(tx, shelf, name))
    return names[-1] if len(names) == A_STEP else ""
