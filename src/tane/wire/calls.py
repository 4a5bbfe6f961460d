"""Calls of a host's duties as bytes, and their answers: the same whether the host is in this process or on another
machine.

A duty is a Protocol; each of its coroutine methods is a call with one answer, and each that returns an asynchronous
iterator of bytes is one with a stream. What travels is JSON; the documents' types carry the grammar, so that neither
side is handed what it does not know. A call says how long its caller waits, and for which job it is made, at which
epoch: an agent that has seen a later epoch of the job refuses it, since another runner has the job now.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import inspect
import traceback
import typing
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable, Mapping
from contextvars import ContextVar
from typing import Any, Literal, NamedTuple, Protocol, TypeVar, cast

import msgspec
import structlog

from tane.wire import errors, grammar
from tane.wire.documents import Total
from tane.wire.errors import HostError
from tane.wire.streams import Connection

log = structlog.get_logger()
T = TypeVar("T")

LOCAL = ("start_duty", "stop_duty")
"""Methods by which the process of an agent keeps house: nobody calls them from afar."""
SECONDS = 300.0
LONG_SECONDS = 6 * 3600.0
COPIES = frozenset(
    (
        "create_from_image",
        "create_from_snapshot",
        "create_from_volume",
        "revert",
        "snapshot",
        "upload",
        "content",
        "restore",
        "receive",
        "kept_disk",
    )
)
LONG = COPIES | {"create", "start", "suspend", "send"}
"""Calls that copy the content of disks or memory: their time follows from its size."""
MOST_EPOCHS = 10_000
MOST_CALL_OF_HOST, LONG_BYTES = 512 << 10, 32 << 10
"""Bytes of a call that a cloud takes of a host, and what is read beside the event loop."""
MOST_MESSAGE = 2000
"""Characters of what a failure says: it may quote what it was told."""


class Ticket(NamedTuple):
    """The job a call is made for, and its epoch: how often it was claimed."""

    job_id: int
    epoch: int


TICKET: ContextVar[Ticket | None] = ContextVar("ticket", default=None)
"""Of the job that is at work now; None for what is asked outside of any."""


class Call(msgspec.Struct, omit_defaults=True):
    duty: str
    method: str
    arguments: msgspec.Raw
    seconds: float
    ticket: Ticket | None = None


class Failure(msgspec.Struct, omit_defaults=True):
    """An error of :mod:`tane.wire.errors` by its name; empty for one that is none of them."""

    error: str
    message: str
    transient: bool = False
    held: Total | None = None


class Reply(msgspec.Struct, omit_defaults=True):
    result: msgspec.Raw = msgspec.Raw(b"null")
    failure: Failure | None = None


class AgentFailed(Exception):
    """The agent met an error that no duty should raise; its own log tells more."""


Kind = Literal["ask", "stream", "connect"]


class Method(NamedTuple):
    """``result``: the type of the answer. ``kind``: whether there is one, or a stream, or a connection."""

    name: str
    kind: Kind
    arguments: type[msgspec.Struct]
    result: Any
    seconds: float


class Line(Protocol):
    """What carries calls to an agent."""

    async def ask(self, call: bytes) -> bytes:
        """The reply to a call. :raises HostError: nobody answers."""
        ...

    def stream(self, call: bytes) -> AsyncGenerator[bytes]:
        """What a call that is answered by a stream gives. :raises HostError: when it fails, also in the middle."""
        ...

    async def connect(self, call: bytes) -> Connection:
        """What a call that is answered by a connection gives. :raises HostError: when there is none."""
        ...


@functools.cache
def methods(duty: type) -> Mapping[str, Method]:
    """The calls of a duty's Protocol by name."""
    found = {name: each for name, each in vars(duty).items() if inspect.isfunction(each) and not name.startswith("_")}
    return {name: _method(name, each) for name, each in found.items() if name not in LOCAL}


def _method(name: str, function: Any) -> Method:
    hints = typing.get_type_hints(function, include_extras=True)
    fields: list[Any] = []
    for parameter in list(inspect.signature(function).parameters.values())[1:]:
        given = () if parameter.default is parameter.empty else (parameter.default,)
        fields.append((parameter.name, hints[parameter.name], *given))
    kind: Kind = "ask" if inspect.iscoroutinefunction(function) else "stream"
    if hints["return"] is Connection:
        kind = "connect"
    arguments = msgspec.defstruct(name, fields, forbid_unknown_fields=True)
    return Method(name, kind, arguments, hints["return"], LONG_SECONDS if name in LONG else SECONDS)


# ------------------------------------------------------------------------------------------------- the caller's side


class Distant:
    """Has the calls of the Protocol ``duty`` as methods: that of the agent at the other end of ``line`` by ``name``."""

    def __init__(self, duty: type, name: str, line: Line) -> None:
        for method in methods(duty).values():
            asking = {"ask": _asking, "stream": _streaming, "connect": _connecting}[method.kind]
            setattr(self, method.name, functools.partial(asking, method, name, line))


async def _asking(method: Method, duty: str, line: Line, *given: Any, **named: Any) -> Any:
    try:
        async with asyncio.timeout(method.seconds):
            raw = await line.ask(_call(method, duty, given, named))
        reply, result = await _beside(len(raw), lambda: _answered(raw, method))
        if reply.failure is not None:
            raise raised(reply.failure)
        return result
    except TimeoutError:
        raise _silent(method) from None
    except (msgspec.DecodeError, RecursionError) as error:
        raise HostError(f"what the host answered cannot be read: {error}") from None


def _answered(raw: bytes, method: Method) -> tuple[Reply, Any]:
    reply = msgspec.json.decode(raw, type=Reply)
    return reply, None if reply.failure is not None else msgspec.json.decode(reply.result, type=method.result)


async def _beside(size: int, read: Callable[[], T]) -> T:
    """Read so many bytes, which takes the longer the more there are: others on the event loop do not wait for it."""
    return read() if size <= LONG_BYTES else await asyncio.to_thread(read)


async def _streaming(method: Method, duty: str, line: Line, *given: Any, **named: Any) -> AsyncGenerator[bytes]:
    until = asyncio.get_running_loop().time() + method.seconds
    async with contextlib.aclosing(line.stream(_call(method, duty, given, named))) as stream:
        while True:
            try:
                async with asyncio.timeout_at(until):
                    data = await anext(stream)
            except StopAsyncIteration:
                return
            except TimeoutError:
                raise _silent(method) from None
            yield data


async def _connecting(method: Method, duty: str, line: Line, *given: Any, **named: Any) -> Connection:
    try:
        async with asyncio.timeout(method.seconds):
            return await line.connect(_call(method, duty, given, named))
    except TimeoutError:
        raise _silent(method) from None


def _silent(method: Method) -> HostError:
    return HostError(f"the host gave no answer in {method.seconds:.0f} s", transient=True)


def _call(method: Method, duty: str, given: tuple[Any, ...], named: dict[str, Any]) -> bytes:
    arguments = msgspec.json.encode(method.arguments(*given, **named))
    return msgspec.json.encode(Call(duty, method.name, msgspec.Raw(arguments), method.seconds, TICKET.get()))


def raised(failure: Failure) -> Exception:
    """The error that a failure tells of."""
    kind = getattr(errors, failure.error, None)
    # It is kept, and shown on terminals: the other end says as much as it likes.
    message = grammar.as_reason(failure.message, MOST_MESSAGE)
    if not (isinstance(kind, type) and issubclass(kind, HostError)):
        return AgentFailed(message)
    # Their own constructors make the message, which is there already.
    error = kind.__new__(kind, message)
    error.transient = failure.transient
    if failure.held is not None:
        error.held = failure.held  # type: ignore[attr-defined]  # Of OlderRevision alone.
    return error


# -------------------------------------------------------------------------------------------------- the agent's side


class _Asked(NamedTuple):
    seconds: float
    does: Callable[[], Any]
    ticket: Ticket | None


class Answering:
    """Answers calls with the duties of one agent: name → its Protocol and what does it.

    ``most``: bytes of a call, of a caller who is not trusted: one long call of his is read at a time.
    """

    def __init__(self, duties: Mapping[str, tuple[type, Any]], most: int | None = None) -> None:
        self._duties = duties
        self._most = most
        self._reading = asyncio.Lock()
        self._epochs: OrderedDict[int, int] = OrderedDict()

    async def answer(self, raw: bytes) -> bytes:
        """The reply to one call."""
        try:
            asked = self._admitted(await self._read_beside(raw))
            async with asyncio.timeout(asked.seconds):
                result = await asked.does()
            return msgspec.json.encode(Reply(msgspec.Raw(msgspec.json.encode(result))))
        except Exception as error:
            return msgspec.json.encode(Reply(failure=failed(error)))

    async def _read_beside(self, raw: bytes) -> _Asked:
        if self._most is None or len(raw) <= LONG_BYTES:
            return self._read(raw, "ask")
        if len(raw) > self._most:
            raise HostError(f"a call of {len(raw)} bytes, and {self._most} are the most")
        async with self._reading:
            return await _beside(len(raw), lambda: self._read(raw, "ask"))

    def connects(self, raw: bytes) -> bool:
        """Whether a call is answered by a connection. What is no call is not."""
        try:
            return self._method(raw)[1].kind == "connect"
        except HostError:
            return False

    def seconds(self, raw: bytes) -> float:
        """Within which a call is to be answered. :raises HostError: it is none."""
        call, method, _ = self._method(raw)
        return min(call.seconds, method.seconds)

    def stream(self, raw: bytes) -> AsyncGenerator[bytes]:
        """:raises HostError: the call is none, or comes too late."""
        return cast("AsyncGenerator[bytes]", self._admitted(self._read(raw, "stream")).does())

    async def connect(self, raw: bytes) -> Connection:
        """:raises HostError: the call is none, or comes too late, or there is nothing to connect to."""
        return cast(Connection, await self._admitted(self._read(raw, "connect")).does())

    def _method(self, raw: bytes) -> tuple[Call, Method, Any]:
        try:
            call = msgspec.json.decode(raw, type=Call)
            duty, performer = self._duties[call.duty]
            return call, methods(duty)[call.method], performer
        except (msgspec.DecodeError, RecursionError, KeyError) as error:
            raise HostError(f"the host was told nonsense: {error}") from error

    def _read(self, raw: bytes, kind: Kind) -> _Asked:
        call, method, performer = self._method(raw)
        if method.kind != kind:
            raise HostError(f"the host was told nonsense: {method.name} is not called so")
        try:
            arguments = msgspec.json.decode(call.arguments, type=method.arguments)
        except msgspec.DecodeError as error:
            raise HostError(f"the host was told nonsense: {error}") from error
        given = {name: getattr(arguments, name) for name in method.arguments.__struct_fields__}
        does = functools.partial(getattr(performer, method.name), **given)
        return _Asked(min(call.seconds, method.seconds), does, call.ticket)

    def _admitted(self, asked: _Asked) -> _Asked:
        if asked.ticket is not None:
            self._refuse_older(asked.ticket)
        return asked

    def _refuse_older(self, ticket: Ticket) -> None:
        held = self._epochs.get(ticket.job_id, ticket.epoch)
        if ticket.epoch < held:
            raise errors.OlderEpoch(ticket.job_id, ticket.epoch, held)
        self._epochs[ticket.job_id] = ticket.epoch
        self._epochs.move_to_end(ticket.job_id)
        if len(self._epochs) > MOST_EPOCHS:
            self._epochs.popitem(last=False)


def failed(error: Exception) -> Failure:
    """What the caller is told of an error; one that no duty should raise is logged here."""
    if isinstance(error, HostError):
        kind = next(each for each in type(error).__mro__ if vars(errors).get(each.__name__) is each)
        return Failure(kind.__name__, str(error)[:MOST_MESSAGE], error.transient, getattr(error, "held", None))
    if isinstance(error, TimeoutError):
        return Failure("HostError", "the host did not do it in time", transient=True)
    log.error("a duty failed", error="".join(traceback.format_exception(error)))
    return Failure("", f"{type(error).__name__}: {error}"[:MOST_MESSAGE])


class Loopback:
    """The line to an agent in this process: no bytes leave it, but all of them are made and read."""

    def __init__(self, answering: Answering) -> None:
        self._answering = answering

    async def ask(self, call: bytes) -> bytes:
        return await self._answering.answer(call)

    def stream(self, call: bytes) -> AsyncGenerator[bytes]:
        return self._answering.stream(call)

    async def connect(self, call: bytes) -> Connection:
        return await self._answering.connect(call)
