"""What an account may still take, uploads that are under way among it."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Mapping
from typing import Any

from sqlalchemy.engine import Row

from tane.core import Core
from tane.db import Tx
from tane.db.documents import load
from tane.linux.blob_files import BlobFiles
from tane.services.identity import interface as identity
from tane.services.object.domain.errors import InsufficientStorage, TooManyContainers
from tane.services.object.drivers.base import Blobs
from tane.services.object.store import blobs as store
from tane.services.object.store import database, places
from tane.web.errors import TooLarge

MOST_BYTES = 1 << 60
"""Of an account, by what manifests say of themselves: sums must stay numbers that databases can hold."""
QUOTA = "x-account-meta-quota-bytes"
OVER = "Upload exceeds quota."
RESOURCE = "object_bytes_total"
"""The unified limit, of the service object-store, in MiB."""
LIMITS, KNOWN_SECONDS, MOST_KNOWN = "object-limits", 5.0, 10_000

PLACE = "object-blobs"
NO_ROOM = "There was not enough space to save the resource."
_making = threading.Lock()
_lock = threading.Lock()
_under_way: Counter[tuple[int, str]] = Counter()
"""Bytes that lie on the disk, or were announced, before any row names them: by cloud and account."""


def place(core: Core) -> Blobs:
    """Where this cloud's blobs lie."""
    found = core.memory.get(PLACE)
    if found is None:
        with _making:
            found = core.memory.setdefault(PLACE, BlobFiles(core.config.state_dir / "objects"))
    blobs: Blobs = found
    return blobs


def check_room(core: Core) -> None:
    """Asked before a row as before a file: both lie where the cloud's database does.

    :raises InsufficientStorage: so little is free that the rest of the cloud would be without.
    """
    percent = core.config.object.free_percent
    if percent and place(core).free() * 100 < percent:
        raise InsufficientStorage(NO_ROOM)


def check_marker(core: Core, versions_mode: str) -> None:
    """What is deleted where versions are kept leaves a row more. :raises InsufficientStorage:"""
    if versions_mode in ("enabled", "history"):
        check_room(core)


def check_containers(tx: Tx, core: Core, account_id: int) -> None:
    """:raises TooManyContainers: the account has as many as it may."""
    most = core.config.object.max_containers_per_account
    if most and places.totals(tx, account_id).containers >= most:
        raise TooManyContainers(most)


def limit(core: Core, account: str, account_meta: Mapping[str, str]) -> str:
    """An account's quota of bytes as its header has it; where it has none of its own, the unified limit of its project;
    else the setting."""
    if own := account_meta.get(QUOTA):
        return own
    unified = _unified(core, account)
    if unified is not None:
        return str(MOST_BYTES if unified < 0 else min(unified << 20, MOST_BYTES))
    return str(core.config.object.account_quota_gb << 30 or MOST_BYTES)


def _unified(core: Core, account: str) -> int | None:
    """What identity has as the limit of a project, in MiB; None where none is registered. It is asked now and then:
    each upload needs it."""
    known: dict[str, tuple[float, int | None]] = core.memory.setdefault(LIMITS, {})
    found = known.get(account)
    if found is not None and time.monotonic() < found[0]:
        return found[1]
    with core.db.read() as tx:
        told = identity.effective_limits(tx, core, "object-store", account.removeprefix("AUTH_")).get(RESOURCE)
    if len(known) >= MOST_KNOWN:
        known.clear()
    known[account] = (time.monotonic() + KNOWN_SECONDS, told)
    return told


def over(limit: str | None, wanted: int) -> bool:
    return limit is not None and limit.isascii() and limit.isdigit() and wanted > int(limit)


class Upload:
    """One that is under way. It begins with the account's quota as it is then; :meth:`end` always follows."""

    def __init__(self, core: Core, account: str, container: str = "") -> None:
        self._key = (id(core), account)
        self._bytes = 0
        with database.of(core).read() as tx:
            row = places.place(tx, account, container)
            self._quota, self._kept = (None, 0) if row is None else _kept(tx, core, row)
        self.policy: str = (row.policy if row is not None else None) or "one"
        """Of the container."""

    def check(self, size: int) -> None:
        """:raises TooLarge: so many bytes are more than the account may have in all."""
        if over(self._quota, size):
            raise TooLarge(OVER)

    def grow(self, size: int) -> None:
        """What this one may have is asked when it is whole, since it may replace something.

        :raises TooLarge: what else is under way fills the account.
        """
        with _lock:
            others = _under_way[self._key] - self._bytes
            self._bytes += size
            _under_way[self._key] += size
        if others and over(self._quota, self._kept + others):
            raise TooLarge(OVER)

    def end(self) -> None:
        """Its rows are about to be written, or it was broken off."""
        with _lock:
            _under_way[self._key] -= self._bytes
            self._bytes = 0
            if not _under_way[self._key]:
                del _under_way[self._key]


def _kept(tx: Tx, core: Core, row: Row[Any]) -> tuple[str | None, int]:
    """The account's limit, and its bytes; what is dead and not swept lies on the disk, too."""
    used = places.totals(tx, row.account_id).bytes + store.dead_bytes(tx, row.account_id)
    return limit(core, row.account, load(row.account_meta)), int(used)
