"""Wakes sleepers after a commit. The database is the only truth: a signal never carries data and may be lost."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable

Waiter = tuple[asyncio.AbstractEventLoop, asyncio.Event]


class Signals:
    """Topics that coroutines wait on and any thread may notify."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiters: dict[str, set[Waiter]] = {}

    def notify(self, topic: str) -> None:
        """Wake everyone who waits on ``topic``; safe from any thread."""
        with self._lock:
            waiters = list(self._waiters.get(topic, ()))
        _wake(waiters)

    def notify_all(self) -> None:
        """Wake everyone: signals may have been lost."""
        with self._lock:
            waiters = [waiter for waiters in self._waiters.values() for waiter in waiters]
        _wake(waiters)

    def subscribe(self, topic: str) -> Subscription:
        """Listen to ``topic`` from now on: a notification between two waits is not lost."""
        return Subscription(self, topic)

    def _add(self, topic: str, waiter: Waiter) -> None:
        with self._lock:
            self._waiters.setdefault(topic, set()).add(waiter)

    def _remove(self, topic: str, waiter: Waiter) -> None:
        with self._lock:
            waiters = self._waiters.get(topic)
            if waiters is not None:
                waiters.discard(waiter)
                if not waiters:
                    del self._waiters[topic]


def _wake(waiters: Iterable[Waiter]) -> None:
    for loop, event in waiters:
        if not loop.is_closed():
            loop.call_soon_threadsafe(event.set)


class Subscription:
    """One listener of a topic; use as a context manager on the event loop that waits."""

    def __init__(self, signals: Signals, topic: str) -> None:
        self._signals = signals
        self._topic = topic
        self._event = asyncio.Event()

    def __enter__(self) -> Subscription:
        self._waiter = (asyncio.get_running_loop(), self._event)
        self._signals._add(self._topic, self._waiter)
        return self

    def __exit__(self, *exc: object) -> None:
        self._signals._remove(self._topic, self._waiter)

    async def wait(self, seconds: float) -> bool:
        """Sleep until notified or ``seconds`` have passed; True when notified."""
        try:
            async with asyncio.timeout(seconds):
                await self._event.wait()
        except TimeoutError:
            return False
        self._event.clear()
        return True
