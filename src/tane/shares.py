"""Places that callers hold for a while, of which nobody gets all: what keeps one tenant from stopping the others."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Hashable, Iterator, Sequence
from contextvars import ContextVar
from datetime import datetime, timedelta

NOBODY = object()
UNBOUNDED = 1 << 30
OWNER: ContextVar[str | None] = ContextVar("owner", default=None)
"""Whom what is done in this context counts for: the project of a request, else where it came from. None: the cloud."""


@contextlib.contextmanager
def for_the_cloud() -> Iterator[None]:
    """What is done here is the cloud's own, whoever's request came upon it."""
    before = OWNER.set(None)
    try:
        yield
    finally:
        OWNER.reset(before)


class Full(Exception):
    """There is no place now: all are taken (``everybody``), or those of this owner are."""

    def __init__(self, *, everybody: bool) -> None:
        what = "too many wait for this" if everybody else "you have too much of this under way"
        super().__init__(f"{what}: try again in a while")
        self.everybody = everybody


class TakesLong(Exception):
    """Raised by what would take long where all requests are answered, before it has changed anything: it is called once
    more when it is its owner's turn, in a thread where only such work waits for it."""


class Shares:
    """``places`` in all, at most ``share`` of them for one owner. Safe from threads.

    An owner is whatever the caller counts by: a project, an address, a token. None is nobody's share: the cloud's own.
    """

    def __init__(self, places: int, share: int) -> None:
        self.places, self.share = places, share
        self._lock = threading.Lock()
        self._taken = 0
        self._of: dict[Hashable, int] = {}

    @contextlib.contextmanager
    def taken(self, *owners: Hashable) -> Iterator[None]:
        """Hold one place, which counts for each of ``owners``. :raises Full: at once; nobody waits here."""
        counted = [owner for owner in owners if owner is not None]
        self.take(counted)
        try:
            yield
        finally:
            self.give_back(counted)

    def take(self, owners: Sequence[Hashable], places: int = 1) -> None:
        """Hold places until they are given back by the same words. :raises Full: at once."""
        with self._lock:
            if self._taken + places > self.places:
                raise Full(everybody=True)
            for owner in owners:
                if self._of.get(owner, 0) + places > self.share:
                    raise Full(everybody=False)
            self._taken += places
            for owner in owners:
                self._of[owner] = self._of.get(owner, 0) + places

    def give_back(self, owners: Sequence[Hashable], places: int = 1) -> None:
        with self._lock:
            self._taken -= places
            for owner in owners:
                left = self._of[owner] - places
                if left:
                    self._of[owner] = left
                else:
                    del self._of[owner]


class Allowance:
    """So many things in a span of time: ``of_one`` of one owner, ``of_all`` of all together. Safe from threads."""

    def __init__(self, of_one: int, of_all: int, span: timedelta) -> None:
        self.of_one, self.of_all, self.span = of_one, of_all, span
        self._lock = threading.Lock()
        self._begun = datetime.min
        self._of: Counter[Hashable] = Counter()
        self._left_out = 0

    def take(self, owner: Hashable, now: datetime) -> int | None:
        """None when the allowance is used up, else how many were left out since the last one that was not."""
        with self._lock:
            if now - self._begun >= self.span:
                self._begun = now
                self._of.clear()
            if self._of[owner] >= self.of_one or self._of.total() >= self.of_all:
                self._left_out += 1
                return None
            self._of[owner] += 1
            left_out, self._left_out = self._left_out, 0
            return left_out


LONG = 0.5
"""Seconds for which a lock is held that others notice."""


class TurnLock:
    """A lock for threads whose owners (:data:`OWNER`) take turns. What is the cloud's own comes every other time. Who
    held it for long rests as long before the next turn, also when nobody waits: others come one by one, and would find
    it held each time."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._held = False
        self._since = 0.0
        self._holder: Hashable = None
        self._waiting: dict[Hashable, deque[threading.Lock]] = {}
        """In the order in which the owners' turns come."""
        self._own: deque[threading.Lock] = deque()
        self._own_next = True
        self._rests: dict[Hashable, float] = {}
        """Until when, by the clock."""

    def __enter__(self) -> None:
        owner = OWNER.get()
        with self._lock:
            if not self._held and self._rest_of(owner) <= 0:
                self._hold(owner)
                return
            called = threading.Lock()
            called.acquire()
            (self._own if owner is None else self._waiting.setdefault(owner, deque())).append(called)
        try:
            while not called.acquire(timeout=self._patience(owner)):
                if self._taken(owner, called):
                    return
        except BaseException:
            self._give_up(owner, called)
            raise

    def _hold(self, owner: Hashable) -> None:
        self._held, self._holder, self._since = True, owner, self._clock()

    def _rest_of(self, owner: Hashable) -> float:
        """Seconds that are left of it."""
        rest = self._rests.get(owner, 0.0) - self._clock() if owner in self._rests else 0.0
        if rest <= 0:
            self._rests.pop(owner, None)
        return rest

    def _patience(self, owner: Hashable) -> float:
        """After how many seconds one who waits looks for himself: nobody may be there to call him when a rest ends."""
        if owner is None:
            return -1
        with self._lock:
            rest = self._rest_of(owner)
        return rest if rest > 0 else LONG

    def _taken(self, owner: Hashable, called: threading.Lock) -> bool:
        """Take the lock where nobody has it and this one may."""
        with self._lock:
            if self._held or self._rest_of(owner) > 0 or not self._leave(owner, called):
                return False
            self._hold(owner)
            return True

    def _leave(self, owner: Hashable, called: threading.Lock) -> bool:
        """Leave the queue; False for one that was called in the same moment."""
        queue = self._own if owner is None else self._waiting.get(owner, deque())
        if called not in queue:
            return False
        queue.remove(called)
        if not queue:
            self._waiting.pop(owner, None)
        return True

    def _give_up(self, owner: Hashable, called: threading.Lock) -> None:
        """Wait no more: somebody pressed Ctrl-C."""
        with self._lock:
            if self._leave(owner, called):
                return
        self.__exit__()

    def __exit__(self, *error: object) -> None:
        with self._lock:
            now = self._clock()
            if self._holder is not None and now - self._since > LONG:
                self._rests = {owner: until for owner, until in self._rests.items() if until > now}
                self._rests[self._holder] = now + (now - self._since)
            called = self._next()
            if called is None:
                self._held = False
            else:
                called.release()

    def _next(self) -> threading.Lock | None:
        owner = next((one for one in self._waiting if self._rest_of(one) <= 0), None)
        if self._own and (self._own_next or owner is None):
            self._own_next = False
            self._hold(None)
            return self._own.popleft()
        self._own_next = True
        if owner is None:
            return None
        queue = self._waiting.pop(owner)
        called = queue.popleft()
        if queue:
            self._waiting[owner] = queue
        self._hold(owner)
        return called


class Turns:
    """``places`` that are waited for: owners take turns, so that who asks for much waits for the own things only.

    At most ``queue`` wait in all, ``share`` of one owner. When all is full, the longest queue gives its last place up
    to an owner with a shorter one. One owner holds at most ``most`` places (None: all). For one event loop.
    """

    def __init__(self, places: int, queue: int, share: int, most: int | None = None) -> None:
        self._free, self._queue, self._share, self._most = places, queue, share, most or places
        self._held: Counter[Hashable] = Counter()
        self._waiting: dict[Hashable, deque[asyncio.Future[None]]] = {}
        """In the order in which the owners' turns come."""
        self._count = 0

    @contextlib.asynccontextmanager
    async def turn(self, owner: Hashable) -> AsyncIterator[None]:
        """Hold a place once it is this owner's turn. :raises Full: too many wait already."""
        await self.enter(owner)
        try:
            yield
        finally:
            self.leave(owner)

    async def enter(self, owner: Hashable) -> None:
        """Take a place until :meth:`leave` gives it back; raises as :meth:`turn`."""
        if self._free and self._held[owner] < self._most:
            self._free -= 1
            self._held[owner] += 1
        else:
            await self._wait(owner)

    async def _wait(self, owner: Hashable) -> None:
        own = self._waiting.get(owner, ())
        if len(own) >= self._share:
            raise Full(everybody=False)
        if self._count >= self._queue:
            self._make_room(len(own))
        called: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(owner, deque()).append(called)
        self._count += 1
        try:
            await called
        except asyncio.CancelledError:
            if not called.cancelled():
                # It was called, or sent away, in the same moment in which it gave up.
                if called.exception() is None:
                    self.leave(owner)
            elif called in self._waiting.get(owner, ()):
                self._waiting[owner].remove(called)
                self._left(owner)
            raise

    def _make_room(self, own: int) -> None:
        longest = max(self._waiting, key=lambda owner: len(self._waiting[owner]))
        if len(self._waiting[longest]) <= own + 1:
            raise Full(everybody=True)
        sent_away = self._waiting[longest].pop()
        self._left(longest)
        if not sent_away.done():
            sent_away.set_exception(Full(everybody=True))

    def _left(self, owner: Hashable) -> None:
        self._count -= 1
        if not self._waiting[owner]:
            del self._waiting[owner]

    def leave(self, owner: Hashable) -> None:
        """Give a place of this owner's to the one whose turn it is, who then comes last."""
        self._held[owner] -= 1
        if not self._held[owner]:
            del self._held[owner]
        while (owner := next((one for one in self._waiting if self._held[one] < self._most), NOBODY)) is not NOBODY:
            queue = self._waiting.pop(owner)
            called = queue.popleft()
            self._waiting[owner] = queue
            self._left(owner)
            if not called.done():
                self._held[owner] += 1
                called.set_result(None)
                return
        self._free += 1
