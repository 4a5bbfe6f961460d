"""Calls of a host's duties as they travel: what goes in comes out, and what is no call is refused."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest
from msgspec import inspect as inspection

from tane.wire import calls, errors, grammar
from tane.wire.calls import TICKET, AgentFailed, Answering, Call, Distant, Loopback, Reply, Ticket
from tane.wire.documents import Guest, Nic
from tane.wire.duties import CloudDuty, ComputeDuty, NetworkDuty, ObjectDuty, VolumeDuty
from tane.wire.errors import HostError
from tane.wire.meters import Metered, Meters
from tane.wire.streams import chunks, save

GUEST = "0b5d1c6e-3f1f-4d0a-8b1c-5d8a2f9c7e01"
PORT = "c0ffee00-1111-4222-8333-444455556666"
DUTIES = {"compute": ComputeDuty, "network": NetworkDuty, "volume": VolumeDuty, "object": ObjectDuty}
METHODS = [(duty, method) for duty in DUTIES.values() for method in calls.methods(duty).values()]
RAISED = [
    HostError("no room", transient=True),
    HostError("the image is corrupt"),
    errors.NotOnHost("guest 1 is not on this host"),
    errors.NotSupported("simulated guests have no screen"),
    errors.OlderRevision(3, 7),
    errors.WholeNeeded(3, None),
    errors.OlderEpoch(1, 2, 3),
    errors.Refused("the join token is unknown"),
]


class Performer:
    """A compute duty that notes what it is asked, and does what a test wants."""

    def __init__(self, does: Any = None) -> None:
        self.asked: list[Any] = []
        self.does = does

    async def start(self, guest: Guest) -> None:
        self.asked.append(guest)
        if isinstance(self.does, Exception):
            raise self.does

    async def stop(self, guest_id: str, *, timeout_seconds: float = 60.0) -> None:
        self.asked.append((guest_id, timeout_seconds))
        await asyncio.Event().wait()

    async def attach_nic(self, guest_id: str, nic: Nic) -> None:
        self.asked.append((guest_id, nic))

    async def console_log(self, guest_id: str, *, max_bytes: int = 102400) -> bytes:
        return b"\x00\xff" * max_bytes

    async def states(self) -> dict[str, str]:
        return {GUEST: "running"}

    async def snapshot(self, guest_id: str) -> AsyncIterator[bytes]:
        yield b"a" * 10
        yield b"b" * 10
        if isinstance(self.does, Exception):
            raise self.does


def reached(performer: Performer) -> ComputeDuty:
    line = Loopback(Answering({"compute": (ComputeDuty, performer)}))
    return cast(ComputeDuty, Distant(ComputeDuty, "compute", line))


def guest(**more: Any) -> Guest:
    nic = Nic(port_id=PORT, mac_address="fa:16:3e:00:00:01", tap="tap0")
    return Guest(id=GUEST, name="web", vcpus=1, memory_mb=64, nics=(nic,), **more)


@pytest.mark.parametrize(("duty", "method"), METHODS, ids=lambda found: getattr(found, "name", ""))
def test_every_call_has_a_form_on_the_wire(duty: type, method: calls.Method) -> None:
    parameters = list(inspect.signature(getattr(duty, method.name)).parameters)[1:]
    assert list(method.arguments.__struct_fields__) == parameters
    msgspec.json.Decoder(method.arguments)
    if method.kind == "ask":
        msgspec.json.Decoder(method.result)
    assert Path not in {method.result, *method.arguments.__annotations__.values()}, "a path is nothing to another host"


def unbounded(kind: inspection.Type) -> Iterator[str]:
    """Texts without a rule, and collections of such without an end, that a type lets through."""
    match kind:
        case inspection.StrType(pattern=None):
            yield "a text that may hold anything"
        case inspection.DictType(key_type=key, value_type=value, max_length=most):
            yield from [] if most else ["a mapping that may be of any size"]
            yield from (*unbounded(key), *unbounded(value))
        case inspection.ListType(item_type=item) | inspection.SetType(item_type=item):
            yield from unbounded(item)
        case inspection.VarTupleType(item_type=item):
            yield from unbounded(item)
        case inspection.TupleType(item_types=items):
            yield from (told for item in items for told in unbounded(item))
        case inspection.UnionType(types=types):
            yield from (told for item in types for told in unbounded(item))
        case inspection.StructType(cls=cls, fields=fields):
            yield from (f"{cls.__name__}.{field.name}: {told}" for field in fields for told in unbounded(field.type))
        case _:
            return


@pytest.mark.parametrize(("duty", "method"), METHODS, ids=lambda found: getattr(found, "name", ""))
def test_nothing_that_a_host_answers_is_a_text_without_a_rule_or_a_mapping_without_an_end(
    duty: type, method: calls.Method
) -> None:
    if method.kind == "ask":
        assert list(unbounded(inspection.type_info(method.result))) == []


def test_a_reason_is_one_line_of_some_length() -> None:
    Told = msgspec.defstruct("Told", [("reason", grammar.Reason)])
    for text in ("two\nlines", "NUL \0 in it", "x" * 10_000, "a\u2028b", ""):
        kept = grammar.as_reason(text)
        assert msgspec.convert({"reason": kept}, Told).reason == kept and len(kept) <= 500
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"reason": "x" * 501}, Told)


def test_what_is_asked_and_answered_arrives_as_it_was() -> None:
    performer = Performer()
    compute = reached(performer)

    async def scene() -> None:
        await compute.start(guest(root=None))
        await compute.attach_nic(GUEST, guest().nics[0])
        assert await compute.console_log(GUEST, max_bytes=3) == b"\x00\xff" * 3
        assert await compute.states() == {GUEST: "running"}
        assert [data async for data in compute.snapshot(GUEST)] == [b"a" * 10, b"b" * 10]

    asyncio.run(scene())
    assert performer.asked == [guest(root=None), (GUEST, guest().nics[0])]


@pytest.mark.parametrize("raised", RAISED, ids=lambda error: f"{type(error).__name__}-{error.transient}")
def test_errors_arrive_as_they_were_raised(raised: HostError) -> None:
    with pytest.raises(type(raised)) as caught:
        asyncio.run(reached(Performer(raised)).start(guest()))
    assert type(caught.value) is type(raised) and str(caught.value) == str(raised)
    assert vars(caught.value) == vars(raised)


def test_every_error_a_duty_may_raise_is_among_them() -> None:
    declared = {each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, HostError)}
    assert declared == {type(raised) for raised in RAISED}


def test_an_error_that_no_duty_should_raise_is_told_apart() -> None:
    with pytest.raises(AgentFailed, match="ZeroDivisionError: by what"):
        asyncio.run(reached(Performer(ZeroDivisionError("by what"))).start(guest()))


def call(**more: Any) -> bytes:
    arguments = more.pop("arguments", {"guest_id": GUEST})
    raw = msgspec.Raw(msgspec.json.encode(arguments))
    given = {"duty": "compute", "method": "stop", "seconds": 0.05, "ticket": None, **more}
    return msgspec.json.encode(Call(arguments=raw, **given))


@pytest.mark.parametrize(
    "nonsense",
    [
        b"",
        b"[]",
        call(duty="storage"),
        call(method="start_duty"),
        call(method="__init__"),
        call(arguments={}),
        call(arguments={"guest_id": GUEST, "force": True}),
        call(arguments={"guest_id": 7}),
        call(
            method="attach_nic", arguments={"guest_id": GUEST, "nic": {"port_id": "x\n", "mac_address": "", "tap": ""}}
        ),
    ],
)
def test_what_is_no_call_is_refused_and_nothing_is_done(nonsense: bytes) -> None:
    performer = Performer()
    answering = Answering({"compute": (ComputeDuty, performer)})
    reply = msgspec.json.decode(asyncio.run(answering.answer(nonsense)), type=Reply)
    assert reply.failure is not None and "told nonsense" in reply.failure.message
    assert performer.asked == []


def test_a_call_ends_when_its_caller_waits_no_longer() -> None:
    performer = Performer()
    answering = Answering({"compute": (ComputeDuty, performer)})
    reply = msgspec.json.decode(asyncio.run(answering.answer(call())), type=Reply)
    assert performer.asked == [(GUEST, 60.0)]
    assert reply.failure is not None and reply.failure.transient and "in time" in reply.failure.message


def test_a_runner_that_lost_its_job_is_refused() -> None:
    performer = Performer()
    compute = reached(performer)

    async def at(ticket: Ticket | None) -> None:
        TICKET.set(ticket)
        await compute.start(guest())

    asyncio.run(at(Ticket(7, 2)))
    asyncio.run(at(Ticket(7, 2)))
    asyncio.run(at(Ticket(8, 1)))
    asyncio.run(at(None))
    with pytest.raises(errors.OlderEpoch) as caught:
        asyncio.run(at(Ticket(7, 1)))
    assert caught.value.transient
    assert len(performer.asked) == 4


def test_a_stream_becomes_a_file_that_others_may_not_read(tmp_path: Path) -> None:
    target = tmp_path / "disk"
    target.write_bytes(b"what a try of before left")
    assert asyncio.run(save(reached(Performer()).snapshot(GUEST), target, 20)) == 20
    assert target.read_bytes() == b"a" * 10 + b"b" * 10
    assert target.stat().st_mode & 0o777 == 0o600
    with pytest.raises(HostError, match="more than 19 bytes"):
        asyncio.run(save(reached(Performer()).snapshot(GUEST), target, 19))


def test_a_stream_that_breaks_off_says_why(tmp_path: Path) -> None:
    performer = Performer(errors.NotOnHost("the guest went away"))
    with pytest.raises(errors.NotOnHost, match="went away"):
        asyncio.run(save(reached(performer).snapshot(GUEST), tmp_path / "disk", 100))


def test_a_stream_and_a_connection_have_a_deadline_too(monkeypatch: pytest.MonkeyPatch) -> None:
    class Silent(Performer):
        async def snapshot(self, guest_id: str) -> AsyncIterator[bytes]:
            yield b"the first"
            await asyncio.Event().wait()

        async def screen(self, guest_id: str) -> Any:
            await asyncio.Event().wait()

    calls.methods.cache_clear()
    monkeypatch.setattr(calls, "LONG_SECONDS", 0.05)
    monkeypatch.setattr(calls, "SECONDS", 0.05)
    compute = reached(Silent())
    heard: list[bytes] = []

    async def listen() -> None:
        async for data in compute.snapshot(GUEST):
            heard.append(data)

    for work in (listen(), compute.screen(GUEST)):
        with pytest.raises(HostError, match="no answer") as caught:
            asyncio.run(work)
        assert caught.value.transient
    assert heard == [b"the first"]
    calls.methods.cache_clear()


def test_a_file_comes_in_chunks_and_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "large"
    path.write_bytes(bytes(range(256)) * 10_000)

    async def scene() -> None:
        file = path.open("rb")
        found = [data async for data in chunks(file)]
        assert b"".join(found) == path.read_bytes() and max(map(len, found)) <= 1 << 20
        assert file.closed

    asyncio.run(scene())


class Metering:
    """A cloud that a host tells what it measured."""

    def __init__(self) -> None:
        self.heard: list[Meters] = []

    async def measured(self, meters: Meters) -> None:
        self.heard.append(meters)


def test_what_is_long_is_read_beside_the_event_loop_and_what_is_too_long_not_at_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read: list[bool] = []
    decode = msgspec.json.decode

    def seen(raw: bytes, **more: Any) -> Any:
        if len(raw) > calls.LONG_BYTES:
            read.append(threading.current_thread() is threading.main_thread())
        return decode(raw, **more)

    monkeypatch.setattr(msgspec.json, "decode", seen)

    def told(things: int) -> Meters:
        thing = Metered("guest", GUEST, None, 0, (1.0,))
        return Meters(run="run", sequence=0, age=0.0, shapes=(("cpu",),), things=(thing,) * things)

    async def work() -> None:
        cloud = Metering()
        line = Loopback(Answering({"cloud": (CloudDuty, cloud)}, most=calls.MOST_CALL_OF_HOST))
        duty = cast(CloudDuty, Distant(CloudDuty, "cloud", line))
        await duty.measured(told(10))
        assert read == []
        await duty.measured(told(2000))
        assert read and not any(read) and [len(one.things) for one in cloud.heard] == [10, 2000]
        read.clear()
        with pytest.raises(HostError, match="are the most"):
            await duty.measured(told(20_000))
        assert read == [] and len(cloud.heard) == 2

    asyncio.run(work())
