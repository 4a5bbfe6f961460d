"""Connections of those nobody knows yet. There is always room for one more: the oldest of whoever has most goes."""

from __future__ import annotations

import asyncio
import contextlib
import socket

from tane.linux import peers
from tane.web.limits import origin


class Stranger:
    """A connection, until its other end is known or it is over."""

    def __init__(self, house: Strangers, whose: str, opened: socket.socket) -> None:
        self._house, self.whose, self._opened = house, whose, opened
        self.begun = False
        """Whether somebody looks after the connection."""

    def end(self) -> None:
        """Its other end sees it close, as does whoever waits for it here."""
        with contextlib.suppress(OSError):
            self._opened.shutdown(socket.SHUT_RDWR)

    def leave(self) -> None:
        """It is no stranger's any more, or over. Repeatable."""
        self._house.forget(self)


class Strangers:
    """At most ``most`` in all, ``of_one`` from one place."""

    def __init__(self, most: int, of_one: int) -> None:
        self._most, self._of_one = most, of_one
        self._of: dict[str, dict[Stranger, None]] = {}
        """In the order in which they came."""
        self.count = 0

    def enter(self, whose: str, opened: socket.socket) -> Stranger:
        own = self._of.get(whose, {})
        if len(own) >= self._of_one:
            self._end_oldest(own)
        elif self.count >= self._most:
            self._end_oldest(max(self._of.values(), key=len))
        stranger = Stranger(self, whose, opened)
        self._of.setdefault(whose, {})[stranger] = None
        self.count += 1
        return stranger

    def _end_oldest(self, some: dict[Stranger, None]) -> None:
        oldest = next(iter(some))
        oldest.end()
        self.forget(oldest)

    def forget(self, stranger: Stranger) -> None:
        own = self._of.get(stranger.whose, {})
        if stranger in own:
            del own[stranger]
            self.count -= 1
            if not own:
                del self._of[stranger.whose]


def place_of(peer: tuple[str, int], own: tuple[str, int]) -> str:
    """Whom a connection counts for: a user of this machine, who may have any of its addresses, else an address."""
    user = peers.user_of(peer, own)
    return f"user {user}" if user is not None else origin(peer[0])


async def speaks(opened: socket.socket, seconds: float) -> bool:
    """Whether the other end says something in time; what it says stays to be read."""
    loop, heard = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(opened, heard.set)
    try:
        async with asyncio.timeout(seconds):
            await heard.wait()
        return bool(opened.recv(1, socket.MSG_PEEK))
    except (OSError, TimeoutError):
        return False
    finally:
        loop.remove_reader(opened)
