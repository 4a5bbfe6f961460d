"""What this process remembers of identity data, so that a known token costs no query. Never the truth.

All of it holds for one number of the database's ``identity_generation``, which every change of identity data counts up
in its own transaction, and for one day: inactivity disables users from one day to the next without a change. The number
is looked at before anything remembered is used, so that a change holds at once in every process
(docs/decisions/0005-what-a-process-remembers.md).
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
from collections.abc import Callable, Hashable
from contextlib import ExitStack
from datetime import date, datetime
from typing import Any, TypeVar

from cryptography.fernet import MultiFernet

from tane.core import Core
from tane.db import Tx
from tane.services.identity.drivers import User
from tane.services.identity.store import audit as audit_store

T = TypeVar("T")
MOST_ENTRIES = 10_000
MOST_VERIFIERS = 5_000


class NotRemembered(Exception):
    """The database would have to be asked, where it may not be waited for."""


class Memory:
    """Process-local: what was looked up since the last change, and verifiers of passwords that were right."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._of: tuple[int, date] | None = None
        self._page: dict[Hashable, Any] = {}
        self._verifiers: dict[str, tuple[bytes, datetime]] = {}
        self._secret = secrets.token_bytes(32)
        self.opener: MultiFernet | None = None
        """The keys of tokens as they were when one was last looked at."""

    def page(self, core: Core) -> dict[Hashable, Any]:
        """What is remembered of the database as it is now; another number, or another day, begins an empty page.

        Who holds a page goes on with it alone: what was read before a change never reaches those who come after it.
        """
        key = (int(core.db.glance(audit_store.NUMBER) or 0), core.clock.now().date())
        with self._lock:
            if key != self._of:
                self._of, self._page = key, {}
            return self._page

    def verifies(self, user: User, password: str, now: datetime, of: str = "") -> bool:
        """Whether this password of this very state of the user was found right a short while ago.

        ``of`` tells the application credential whose secret it is.
        """
        known = self._verifiers.get(user.id + of)
        return known is not None and now < known[1] and hmac.compare_digest(known[0], self._digest(user, password))

    def remember_password(self, user: User, password: str, until: datetime, of: str = "") -> None:
        if len(self._verifiers) >= MOST_VERIFIERS:
            self._verifiers = {}
        self._verifiers[user.id + of] = (self._digest(user, password), until)

    def _digest(self, user: User, password: str) -> bytes:
        """Binds the password to all there is to know of the user: any change of the user makes it worthless."""
        return hmac.digest(self._secret, repr((user, password)).encode(), hashlib.sha256)


def memory(core: Core) -> Memory:
    found = core.memory.get("identity")
    if not isinstance(found, Memory):
        found = core.memory.setdefault("identity", Memory())
    return found


class Desk:
    """Where one request looks things up: in memory, else in one read transaction that opens when first needed.

    With ``may_wait`` false (on the event loop) it raises :class:`NotRemembered` instead of opening one.
    """

    def __init__(self, core: Core, *, may_wait: bool = True) -> None:
        self.core = core
        self.memory = memory(core)
        self.may_wait = may_wait
        self.now = core.clock.now()
        self._page = self.memory.page(core)
        self._stack = ExitStack()
        self._tx: Tx | None = None

    def __enter__(self) -> Desk:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """End the transaction; a later look-up opens another one."""
        self._tx = None
        self._stack.close()

    @property
    def tx(self) -> Tx:
        """The read transaction. :raises NotRemembered: none may be opened here."""
        if self._tx is None:
            self.must_wait()
            self._tx = self._stack.enter_context(self.core.db.read())
        return self._tx

    def must_wait(self) -> None:
        """To be called before what takes time. :raises NotRemembered: on the event loop."""
        if not self.may_wait:
            raise NotRemembered

    def known(self, key: Hashable, load: Callable[[Tx], T]) -> T:
        """What is remembered under ``key``, else what ``load`` reads, which is remembered then (except None)."""
        value = self._page.get(key)
        if value is None:
            value = load(self.tx)
            if value is not None:
                self.remember(key, value)
        return value

    def remember(self, key: Hashable, value: Any) -> None:
        if len(self._page) >= MOST_ENTRIES:
            self._page.clear()
        self._page[key] = value
