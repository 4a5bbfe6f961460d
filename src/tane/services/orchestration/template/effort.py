"""What may be spent on templates in one request, or in one step of a job: all of its evaluations together.

A short template can ask for a lot of work again and again. What is quickly done is done where all requests are
answered; what is more is done in threads of its own, and has an end there too.
"""

from __future__ import annotations

import contextlib
import hashlib
import time
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, TypeVar

from tane.services.orchestration.template.values import TemplateError
from tane.shares import TakesLong

T = TypeVar("T")


class TooLong(TemplateError):
    """There is no more to spend."""

    def __init__(self) -> None:
        super().__init__("The template takes too long to be evaluated.")


@dataclass
class Effort:
    """``seconds`` of CPU time of the thread; ``work``: characters that functions look at; ``made``: bytes of the values
    that they make, and that are kept; ``text``: bytes that are parsed; ``queries``: seconds, by the clock, of what is
    done in processes apart. ``last``: whether that is all there is, or it is done once more where there is more."""

    seconds: float
    work: int
    made: int
    text: int
    queries: float
    last: bool
    parsed: dict[bytes, Any] = field(default_factory=dict)
    """Templates by what they say: each is parsed once."""
    until: float = 0.0

    def see(self, amount: int) -> None:
        """Say before how many characters are to be looked at. :raises TakesLong: :raises TooLong:"""
        self.work -= amount
        if self.work < 0:
            self.over()

    def make(self, amount: int) -> None:
        """Say before how many bytes of values are to be made. :raises TakesLong: :raises TooLong:"""
        self.made -= amount
        if self.made < 0:
            self.over()

    def read(self, amount: int) -> None:
        """Say before how many bytes are to be parsed. :raises TakesLong: :raises TooLong:"""
        self.text -= amount
        if self.text < 0:
            self.over()
        self.look()

    def look(self) -> None:
        """See whether there is time left. :raises TakesLong: :raises TooLong:"""
        if time.thread_time() > self.until:
            self.over()

    def over(self) -> None:
        if self.last:
            raise TooLong
        raise TakesLong

    @contextlib.contextmanager
    def query(self) -> Iterator[None]:
        """While something is asked of a process apart."""
        if self.queries <= 0:
            self.over()
        began = time.monotonic()
        try:
            yield
        finally:
            self.queries -= time.monotonic() - began


CURRENT: ContextVar[Effort | None] = ContextVar("effort", default=None)
"""None: there is no bound but that of each evaluation."""
MIB = 1024 * 1024
NODE = 64
"""Bytes that a value takes besides its characters."""


def little() -> Effort:
    """What may be done where all requests are answered: the tenth of a second."""
    return Effort(0.1, 32 * MIB, 4 * MIB, 64 * 1024, 0.0, last=False)


def much() -> Effort:
    """What may be done where only such work waits."""
    return Effort(20.0, 2048 * MIB, 128 * MIB, 16 * MIB, 30.0, last=True)


def within(effort: Effort, work: Callable[[], T]) -> T:
    """Do work in this thread with so much to spend; a part of other work spends of what that has. :raises TakesLong:
    not with the last."""
    if CURRENT.get() is not None:
        return work()
    effort.until = time.thread_time() + effort.seconds
    token = CURRENT.set(effort)
    try:
        return work()
    finally:
        CURRENT.reset(token)


def look() -> None:
    """See whether there is time left. :raises TakesLong: :raises TooLong:"""
    effort = CURRENT.get()
    if effort is not None:
        effort.look()


def see(amount: int) -> None:
    """Say before how many characters are to be looked at. :raises TakesLong: :raises TooLong:"""
    effort = CURRENT.get()
    if effort is not None:
        effort.see(amount)


def weigh(value: Any) -> None:
    """Say that a value is kept until the request, or the step, is answered. :raises TakesLong: :raises TooLong:"""
    effort = CURRENT.get()
    if effort is not None:
        _weigh(effort, value)


def _weigh(effort: Effort, value: Any) -> None:
    effort.make(NODE + (len(value) if isinstance(value, str) else 0))
    if isinstance(value, Mapping):
        for key, item in value.items():
            effort.make(len(key) if isinstance(key, str) else NODE)
            _weigh(effort, item)
    elif isinstance(value, list | tuple):
        for item in value:
            _weigh(effort, item)


def read(amount: int) -> None:
    """Say before how many bytes are to be parsed. :raises TakesLong: :raises TooLong:"""
    effort = CURRENT.get()
    if effort is not None:
        effort.read(amount)


def once(what: str, text: bytes, parse: Callable[[], T]) -> T:
    """What a text says, parsed at its first time."""
    effort = CURRENT.get()
    if effort is None:
        return parse()
    key = hashlib.sha256(what.encode() + text).digest()
    if key not in effort.parsed:
        effort.read(len(text))
        effort.parsed[key] = parse()
    found: T = effort.parsed[key]
    return found


def query() -> contextlib.AbstractContextManager[None]:
    effort = CURRENT.get()
    return contextlib.nullcontext() if effort is None else effort.query()
