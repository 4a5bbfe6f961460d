"""What an account may still take, uploads that are under way among it."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping

from tane.core import Core
from tane.db import Tx
from tane.db.documents import load
from tane.services.object.store import blobs as store
from tane.services.object.store import database, places
from tane.web.errors import TooLarge

MOST_BYTES = 1 << 60
"""Of an account, by what manifests say of themselves: sums must stay numbers that databases can hold."""
QUOTAS = ("x-account-meta-quota-bytes", "x-account-quota-bytes-policy-one")
OVER = "Upload exceeds quota."

_lock = threading.Lock()
_under_way: Counter[tuple[int, str]] = Counter()
"""Bytes that lie on the disk, or were announced, before any row names them: by cloud and account."""


def limits(core: Core, account_meta: Mapping[str, str]) -> list[str | None]:
    """An account's quotas of bytes as its headers have them; the setting where it has none of its own."""
    own, policy = (account_meta.get(name) for name in QUOTAS)
    return [own or str(core.config.object.account_quota_gb << 30 or MOST_BYTES), policy]


def over(limit: str | None, wanted: int) -> bool:
    return limit is not None and limit.isascii() and limit.isdigit() and wanted > int(limit)


class Upload:
    """One that is under way. It begins with the account's quota as it is then; :meth:`end` always follows."""

    def __init__(self, core: Core, account: str) -> None:
        self._key = (id(core), account)
        self._bytes = 0
        with database.of(core).read() as tx:
            self._quota, self._kept = _kept(tx, core, account)

    def grow(self, size: int) -> None:
        """What this one may have is asked when it is whole, since it may replace something.

        :raises TooLarge: what else is under way fills the account.
        """
        with _lock:
            others = _under_way[self._key] - self._bytes
            self._bytes += size
            _under_way[self._key] += size
        if others and any(over(limit, self._kept + others) for limit in self._quota):
            raise TooLarge(OVER)

    def end(self) -> None:
        """Its rows are about to be written, or it was broken off."""
        with _lock:
            _under_way[self._key] -= self._bytes
            self._bytes = 0
            if not _under_way[self._key]:
                del _under_way[self._key]


def _kept(tx: Tx, core: Core, account: str) -> tuple[list[str | None], int]:
    """The account's limits, and its bytes; what is dead and not swept lies on the disk, too."""
    row = places.place(tx, account)
    if row is None:
        return [], 0
    used = places.totals(tx, row.account_id).bytes + store.dead_bytes(tx, row.account_id)
    return limits(core, load(row.account_meta)), int(used)
