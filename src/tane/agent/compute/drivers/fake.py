"""A hypervisor in memory, for API tests and for trying out thousands of servers."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import uuid
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Collection

import msgspec

from tane.agent import fake_disks
from tane.wire.documents import (
    DiskCounters,
    Guest,
    GuestDiagnostics,
    GuestState,
    HostCapabilities,
    HostUptime,
    Landing,
    Layout,
    LiveProgress,
    LocalDisk,
    Nic,
    NicCounters,
    RunningGuest,
    VolumeDisk,
)
from tane.wire.duties import GuestListener
from tane.wire.errors import HostError, NotOnHost, NotSupported
from tane.wire.streams import Connection

CAPABILITIES = HostCapabilities(
    hostname="fake",
    vcpus=64,
    memory_mb=262144,
    disk_gb=10000,
    hypervisor_type="fake",
    hypervisor_version=1000000,
    cpu_model="fake",
    accelerator="none",
    accelerator_reason="guests are simulated",
)

_MOVED: dict[str, str] = {}
"""Move → the disk that it is of: how simulated hosts get what another has set aside."""
_AWAITING: dict[str, FakeCompute] = {}
"""Key of a landing → the simulated host that awaits the guest there."""
_RUNNING: tuple[GuestState, ...] = ("running",)
_ANY: tuple[GuestState, ...] = ("running", "paused", "suspended", "stopped", "crashed")


class FakeCompute:
    """A :class:`tane.wire.duties.ComputeDuty` whose guests are instant and exist in memory only.

    It keeps the rules of the real driver (what an absent, stopped or suspended guest refuses), so that operations
    tested over it meet them. :meth:`fail` makes a step fail; :meth:`power_off` and :meth:`crash` play the guest's part.
    ``calls`` lists what was asked, as (method, guest id).
    """

    def __init__(self, hostname: str = CAPABILITIES.hostname, capabilities: HostCapabilities = CAPABILITIES) -> None:
        self._capabilities = msgspec.structs.replace(capabilities, hostname=hostname)
        self._guests: dict[str, Guest] = {}
        self._states: dict[str, GuestState] = {}
        self._failures: defaultdict[tuple[str, str | None], deque[Exception]] = defaultdict(deque)
        self._listener: GuestListener = lambda _id, _state: None
        self.aside: dict[str, Guest] = {}
        """What is set aside, by the move."""
        self.disks: dict[str, str] = {}
        """Which disk a guest, or what is set aside, has: two disks never have the same name."""
        self.awaited: dict[str, tuple[str, Guest]] = {}
        """Guests that run elsewhere, and the moves by which they come."""
        self.standing: dict[str, str] = {}
        """Guests that were sent elsewhere, and stand still: the key of where to."""
        self._come: dict[str, str] = {}
        """The disks of those of ``awaited`` that have come as a whole."""
        self._echoes: set[asyncio.Task[None]] = set()
        self.silent: dict[str, str] = {}
        """Guests whose agent does not answer a ping, and why."""
        self.passwords: dict[tuple[str, str], str] = {}
        self.used: dict[str, GuestDiagnostics] = {}
        """What a guest shows of itself, where it is more than every simulated one shows."""
        self.calls: deque[tuple[str, str]] = deque(maxlen=10000)

    def fail(self, step: str, guest_id: str | None, error: Exception, *, times: int = 1) -> None:
        """Let the method ``step`` raise ``error`` the next ``times`` it is called for ``guest_id`` (None: any)."""
        if not callable(getattr(FakeCompute, step, None)):
            raise ValueError(f"the compute duty has no step {step!r}")
        self._failures[step, guest_id].extend([error] * times)

    def power_off(self, guest_id: str) -> None:
        """The guest shuts itself down."""
        self._leave(guest_id, "stopped")

    def crash(self, guest_id: str) -> None:
        """The guest's process is killed."""
        self._leave(guest_id, "crashed")

    def guest(self, guest_id: str) -> Guest:
        """The guest's document with all NICs and volumes attached now."""
        return self._require("guest", guest_id, _ANY)

    async def start_duty(self, listener: GuestListener) -> None:
        self._listener = listener

    async def stop_duty(self) -> None:
        self._listener = lambda _id, _state: None

    async def capabilities(self) -> HostCapabilities:
        return self._capabilities

    async def uptime(self) -> HostUptime:
        self._called("uptime", "")
        return HostUptime(seconds=90061, clock="12:00:00", load=(0.5, 0.25, 0.0))

    async def create(self, guest: Guest) -> None:
        self._called("create", guest.id)
        if guest.id not in self._guests:
            self._guests[guest.id] = guest
            self._states[guest.id] = "stopped"
            self.disks[guest.id] = str(uuid.uuid4())

    async def start(self, guest: Guest) -> None:
        self._called("start", guest.id)
        if guest.id in self.awaited and guest.id in self._come:
            self._guests[guest.id], self._states[guest.id] = self.awaited.pop(guest.id)[1], "stopped"
            self.disks[guest.id] = self._come.pop(guest.id)
        self._require("start", guest.id, _ANY)
        if self._states[guest.id] not in ("running", "paused") or self._guests[guest.id].rescue != guest.rescue:
            if self._states[guest.id] != "suspended":
                self._guests[guest.id] = guest
            self._states[guest.id] = "running"

    async def stop(self, guest_id: str, *, timeout_seconds: float = 60.0) -> None:
        self._set("stop", guest_id, _ANY, "stopped")

    async def pause(self, guest_id: str) -> None:
        self._set("pause", guest_id, ("running", "paused"), "paused")

    async def unpause(self, guest_id: str) -> None:
        self._set("unpause", guest_id, ("running", "paused"), "running")

    async def suspend(self, guest_id: str) -> None:
        self._set("suspend", guest_id, ("running", "paused", "suspended"), "suspended")

    async def destroy(self, guest_id: str) -> None:
        self._called("destroy", guest_id)
        self._drop(guest_id)

    async def keep(self, guest_id: str, move_id: str) -> None:
        self._called("keep", guest_id)
        if move_id not in self.aside:
            self.aside[move_id] = self._require("keep", guest_id, _ANY)
            self.disks[move_id] = _MOVED[move_id] = self.disks[guest_id]
            self._drop(guest_id)

    async def kept(self) -> set[str]:
        return {*self.aside, *(move_id for move_id, _ in self.awaited.values())}

    async def kept_disk(self, move_id: str, disk: LocalDisk) -> AsyncIterator[bytes]:
        guest = self.aside.get(move_id)
        if guest is None:
            raise NotOnHost(f"nothing is set aside for move {move_id}")
        yield fake_disks.qcow2(max(guest.root.size_gb if guest.root else 0, 1) << 30)

    async def receive(self, guest: Guest, move_id: str) -> None:
        self._called("receive", guest.id)
        if guest.id not in self._guests:
            self._guests[guest.id] = guest
            self._states[guest.id] = "stopped"
            self.disks[guest.id] = _MOVED[move_id]

    async def bring_back(self, guest_id: str, move_id: str) -> None:
        self._called("bring_back", guest_id)
        if move_id in self.aside:
            self._guests[guest_id] = self.aside.pop(move_id)
            self.disks[guest_id] = self.disks.pop(move_id)
            self._states[guest_id] = "stopped"

    async def forget(self, move_id: str) -> None:
        self._called("forget", move_id)
        self.aside.pop(move_id, None)
        self.disks.pop(move_id, None)
        for guest_id in [guest_id for guest_id, (of, _) in self.awaited.items() if of == move_id]:
            self._drop(guest_id)

    async def running(self, guest_id: str) -> RunningGuest:
        self._called("running", guest_id)
        guest = self._require("running", guest_id, ("running", "paused"))
        return RunningGuest(layout=Layout(), disks={"root": guest.root.size_gb << 30} if guest.root else {})

    async def expect(self, guest: Guest, running: RunningGuest, move_id: str, address: str) -> Landing:
        self._called("expect", guest.id)
        if self.awaited.get(guest.id, ("", None))[0] != move_id:
            self._drop(guest.id)
            self.awaited[guest.id] = move_id, guest
        key = uuid.uuid5(uuid.UUID(move_id), self._capabilities.hostname).hex
        _AWAITING[key] = self
        return Landing(host=address, memory_port=1, disks_port=2, tls_username="fake", tls_key=key)

    async def send(self, guest_id: str, landing: Landing) -> None:
        self._called("send", guest_id)
        self._require("send", guest_id, ("running", "paused"))
        if self.standing.get(guest_id) != landing.tls_key:
            there = _AWAITING[landing.tls_key]
            if guest_id not in there.awaited:
                raise HostError(f"guest {guest_id} is not awaited")
            there._come[guest_id] = self.disks[guest_id]
            self.standing[guest_id] = landing.tls_key

    async def progress(self, guest_id: str) -> LiveProgress:
        self._called("progress", guest_id)
        guest = self._require("progress", guest_id, ("running", "paused"))
        memory = guest.memory_mb << 20
        return LiveProgress(memory_total=memory, memory_processed=memory)

    async def hurry(self, guest_id: str) -> None:
        self._called("hurry", guest_id)
        self._require("hurry", guest_id, ("running", "paused"))

    async def stay(self, guest_id: str, *, paused: bool = False) -> None:
        self._called("stay", guest_id)
        if self._states.get(guest_id) is not None:
            self.standing.pop(guest_id, None)

    async def land(self, guest_id: str, *, paused: bool = False) -> None:
        self._called("land", guest_id)
        if guest_id in self._guests:
            return
        if guest_id not in self._come:
            raise HostError(f"guest {guest_id} has not come to this host as a whole")
        self._guests[guest_id] = self.awaited.pop(guest_id)[1]
        self._states[guest_id] = "paused" if paused else "running"
        self.disks[guest_id] = self._come.pop(guest_id)

    async def set_password(self, guest_id: str, user: str, password: str) -> None:
        self._called("set_password", guest_id)
        if not self._require("set_password", guest_id, _ANY).hardware.guest_agent:
            raise NotSupported("the guest has no channel to an agent")
        self.passwords[guest_id, user] = password

    async def ping(self, guest_ids: list[str]) -> dict[str, str]:
        asked = [one for one in guest_ids if self._states.get(one) == "running"]
        return {one: self.silent.get(one, "") for one in asked if self._guests[one].hardware.guest_agent}

    async def attach_nic(self, guest_id: str, nic: Nic) -> None:
        guest = self._changeable("attach_nic", guest_id)
        nics = (*(other for other in guest.nics if other.port_id != nic.port_id), nic)
        self._guests[guest_id] = msgspec.structs.replace(guest, nics=nics)

    async def detach_nic(self, guest_id: str, port_id: str) -> None:
        guest = self._changeable("detach_nic", guest_id)
        nics = tuple(nic for nic in guest.nics if nic.port_id != port_id)
        self._guests[guest_id] = msgspec.structs.replace(guest, nics=nics)

    async def attach_volume(self, guest_id: str, disk: VolumeDisk) -> None:
        guest = self._changeable("attach_volume", guest_id)
        volumes = (*(other for other in guest.volumes if other.volume_id != disk.volume_id), disk)
        self._guests[guest_id] = msgspec.structs.replace(guest, volumes=volumes)

    async def detach_volume(self, guest_id: str, volume_id: str) -> None:
        guest = self._changeable("detach_volume", guest_id)
        volumes = tuple(disk for disk in guest.volumes if disk.volume_id != volume_id)
        self._guests[guest_id] = msgspec.structs.replace(guest, volumes=volumes)

    async def resize_volume(self, guest_id: str, volume_id: str, size_bytes: int) -> None:
        self._called("resize_volume", guest_id)
        guest = self._require("resize_volume", guest_id, _ANY)
        if volume_id not in {disk.volume_id for disk in guest.volumes}:
            raise NotOnHost(f"volume {volume_id} is not attached to guest {guest_id}")

    async def snapshot(self, guest_id: str) -> AsyncIterator[bytes]:
        self._called("snapshot", guest_id)
        guest = self._require("snapshot", guest_id, _ANY)
        if guest.root is None:
            raise NotSupported(f"guest {guest_id} boots from a volume: make a snapshot of the volume")
        yield fake_disks.qcow2(max(guest.root.size_gb, 1) << 30)

    async def console_log(self, guest_id: str, *, max_bytes: int = 102400) -> bytes:
        self._called("console_log", guest_id)
        guest = self._require("console_log", guest_id, _ANY)
        return f"simulated console of {guest.name}\n".encode()[-max_bytes:]

    async def diagnostics(self, guest_id: str) -> GuestDiagnostics:
        self._called("diagnostics", guest_id)
        guest = self._require("diagnostics", guest_id, _RUNNING)
        if guest_id in self.used:
            return self.used[guest_id]
        names = [*(["root"] if guest.root else []), *(disk.volume_id for disk in guest.volumes)]
        return GuestDiagnostics(
            uptime_seconds=60,
            hypervisor="fake",
            cpu_ns=(1_000_000_000,) * guest.vcpus,
            nics=tuple(NicCounters(port_id=nic.port_id, rx_octets=1, tx_octets=2) for nic in guest.nics),
            disks=tuple(DiskCounters(name=name, read_bytes=512, read_requests=1) for name in names),
        )

    async def has_screen(self, guest_id: str) -> None:
        self._called("has_screen", guest_id)
        self._require("has_screen", guest_id, _ANY)
        raise NotSupported("simulated guests have no screen")

    async def screen(self, guest_id: str) -> Connection:
        await self.has_screen(guest_id)
        raise AssertionError("it has one")

    async def has_serial(self, guest_id: str) -> None:
        self._called("has_serial", guest_id)
        self._require("has_serial", guest_id, _RUNNING)

    async def serial(self, guest_id: str) -> Connection:
        """A guest that says again what is typed."""
        await self.has_serial(guest_id)
        theirs, ours = socket.socketpair()
        shown = Connection(*await asyncio.open_unix_connection(sock=theirs))
        reader, writer = await asyncio.open_unix_connection(sock=ours)
        task = asyncio.get_running_loop().create_task(_echo(self._guests[guest_id].name, reader, writer))
        self._echoes.add(task)
        task.add_done_callback(self._echoes.discard)
        return shown

    async def state(self, guest_id: str) -> GuestState:
        return self._states.get(guest_id, "absent")

    async def states(self) -> dict[str, GuestState]:
        return dict(self._states)

    def _drop(self, guest_id: str) -> None:
        for kept in (self._guests, self._states, self.disks, self.awaited, self.standing, self._come):
            kept.pop(guest_id, None)

    def _called(self, step: str, guest_id: str) -> None:
        self.calls.append((step, guest_id))
        for key in ((step, guest_id), (step, None)):
            if self._failures.get(key):
                raise self._failures[key].popleft()

    def _require(self, step: str, guest_id: str, states: Collection[GuestState]) -> Guest:
        state = self._states.get(guest_id)
        if state is None:
            raise NotOnHost(f"guest {guest_id} is not on this host")
        if state not in states:
            raise HostError(f"guest {guest_id} is {state}, which does not allow {step}")
        return self._guests[guest_id]

    def _set(self, step: str, guest_id: str, states: Collection[GuestState], state: GuestState) -> None:
        self._called(step, guest_id)
        self._require(step, guest_id, states)
        self._states[guest_id] = state

    def _changeable(self, step: str, guest_id: str) -> Guest:
        self._called(step, guest_id)
        return self._require(step, guest_id, [state for state in _ANY if state != "suspended"])

    def _leave(self, guest_id: str, state: GuestState) -> None:
        self._require(state, guest_id, ("running", "paused"))
        self._states[guest_id] = state
        self._listener(guest_id, state)


async def _echo(name: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        writer.write(f"simulated console of {name}\r\n$ ".encode())
        while data := await reader.read(1024):
            writer.write(data.replace(b"\r", b"\r\n$ "))
            await writer.drain()
    writer.close()
