"""The body of a request as it comes in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from tane.shares import OWNER
from tane.web.errors import BadRequest
from tane.web.limits import Place
from tane.web.protocol import READ_INTO, pour

TORN = "The client broke off the request before its body was complete."


class Incoming:
    """The body of a request: for Falcon as events, for a streaming route as what fills its buffers."""

    def __init__(self, scope: dict[str, Any], receive: Callable[[], Awaitable[Any]]) -> None:
        self._receive = receive
        self._direct = scope.get("extensions", {}).get(READ_INTO, {}).get("readinto")
        self._part = memoryview(b"")
        self._more = True
        self._asks_first = any(name == b"expect" for name, _ in scope["headers"])
        self.place: Place | None = None
        """What the request holds, until its answer is taken."""
        self.remember: Callable[[str], None] = lambda _owner: None
        """Keeps whom the requests of the same session of a browser count for."""

    def leave(self) -> None:
        """Give back what the request holds."""
        if self.place is not None:
            self.place.leave()

    def grow(self) -> None:
        """The request keeps much in memory, and counts for more from now on. :raises Full:"""
        if self.place is not None:
            self.place.grow()

    def count_for(self, owner: str) -> None:
        """The request counts for ``owner`` from now on; later ones of its session at once. :raises Full:"""
        if self.place is not None:
            self.place.count_for(owner)
        OWNER.set(owner)
        self.remember(owner)

    def forget(self) -> None:
        """Of a body that has been read by its events nothing is kept."""
        self._part = memoryview(b"")

    async def event(self) -> Any:
        if self._asks_first:
            # Falcon takes the first event before a route is found, and the server tells the client to go on when
            # somebody takes it: whether it may is not known yet.
            self._asks_first = False
            return {"type": "http.request", "body": b"", "more_body": True}
        event = await self._receive()
        if event["type"] == "http.request":
            self._part, self._more = memoryview(event.get("body", b"")), event.get("more_body", False)
        return event

    async def readinto(self, buffer: memoryview) -> int:
        """Fill ``buffer``; returns how much of it, less than all only when the body ends.

        :raises BadRequest: the client broke off before.
        """
        free = buffer
        while free:
            if self._part:
                self._part, free = pour(self._part, free)
            elif not self._more:
                break
            elif self._direct is not None:
                try:
                    size = await self._direct(free)
                except ConnectionError:
                    raise BadRequest(TORN) from None
                self._more = size == len(free)
                free = free[size:]
            elif (await self.event())["type"] != "http.request":
                raise BadRequest(TORN)
        return len(buffer) - len(free)
