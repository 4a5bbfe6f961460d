"""What a host does with guests that may be started elsewhere when the cloud does not answer."""

from __future__ import annotations

import asyncio
import errno
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from tane.agent.compute import leases, watch
from tane.agent.compute.leases import Leases
from tane.agent.compute.watch import LeaseFiles
from tane.linux import process
from tane.wire.duties import CloudDuty
from tane.wire.errors import HostError

LONG, SHORT = 60.0, 0.2


class Grants:
    """A cloud that grants leases, or does not answer (None)."""

    def __init__(self) -> None:
        self.seconds: float | None = LONG
        self.asked: list[tuple[str, ...]] = []

    async def lease(self, guests: tuple[str, ...]) -> float:
        if self.seconds is None:
            raise HostError("the cloud does not answer now", transient=True)
        self.asked.append(guests)
        return self.seconds


class Host:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files = LeaseFiles(folder)
        self.cloud = Grants()
        self.leases = Leases(folder, cast(CloudDuty, self.cloud))

    def guest(self) -> str:
        """A process as a guest's QEMU is known."""
        guest_id = str(uuid.uuid4())
        sleeps = [sys.executable, "-c", "import time; time.sleep(600)"]
        process.spawn(sleeps, pidfile=self.pidfile(guest_id), log=self.folder / "guest.log")
        return guest_id

    def pidfile(self, guest_id: str) -> Path:
        return self.folder / "guests" / guest_id / "qemu.pid"

    def runs(self, guest_id: str) -> bool:
        return process.alive(self.pidfile(guest_id))

    def hold(self, guest_id: str) -> None:
        asyncio.run(self.leases.hold(guest_id))


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    host = Host(tmp_path)
    yield host
    leases.teardown(tmp_path)
    for pidfile in tmp_path.glob("guests/*/qemu.pid"):
        process.stop(pidfile)


def eventually(seen: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 20
    while not seen():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.02)


def served(host: Host, seen: Callable[[], Any], then: Callable[[], Any] = lambda: True) -> None:
    """The agent keeps its leases until something was seen, and then another thing."""

    async def serve() -> None:
        serving = asyncio.create_task(host.leases.serve())
        await asyncio.to_thread(eventually, seen)
        await asyncio.to_thread(eventually, then)
        serving.cancel()

    asyncio.run(serve())


def test_a_leased_guest_ends_with_the_lease_though_no_agent_is_there(host: Host) -> None:
    leased, plain = host.guest(), host.guest()
    host.cloud.seconds = SHORT
    host.hold(leased)
    assert host.cloud.asked == [(leased,)]
    eventually(lambda: not host.runs(leased))
    assert host.runs(plain)
    eventually(lambda: leased in (host.folder / "lease.log").read_text())


def test_a_lease_takes_no_more_of_the_disk_than_the_one_before(host: Host) -> None:
    host.files.extend(watch.now() + 5)
    before = host.files.until.stat()
    host.files.extend(until := watch.now() + 100_000.25)
    after = host.files.until.stat()
    assert (after.st_ino, after.st_size, after.st_mode & 0o777) == (before.st_ino, before.st_size, 0o600)
    assert abs(host.files.granted() - until) < 0.01 and not host.files.expired()


@pytest.mark.parametrize("what", ["held", "granted"])
def test_a_disk_that_cannot_be_read_lengthens_no_lease(host: Host, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    watched = watch.Watch(host.files)
    guest_id = host.guest()
    host.files.guests.mkdir()
    (host.files.guests / guest_id).touch()
    host.files.extend(watch.now() + 0.3)
    watched.look()
    assert host.runs(guest_id)

    def broken() -> None:
        raise OSError(errno.EIO, "the disk is gone")

    monkeypatch.setattr(host.files, what, broken)

    def looked() -> bool:
        watched.look()
        return not host.runs(guest_id)

    eventually(looked)
    assert watch.now() >= watched._until


def test_a_guest_goes_on_as_long_as_the_cloud_answers(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "LOOK_SECONDS", 0.02)
    guest_id = host.guest()
    host.cloud.seconds = 1.0
    host.hold(guest_id)

    def renewed() -> bool:
        assert host.runs(guest_id)
        if len(host.cloud.asked) >= 6:
            host.cloud.seconds = None
        return host.cloud.seconds is None

    served(host, renewed, lambda: not host.runs(guest_id))


def test_who_watches_is_started_again_when_it_was_killed(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "LOOK_SECONDS", 0.02)
    host.hold(host.guest())
    first = process.read_pid(host.files.pidfile)
    process.stop(host.files.pidfile)

    served(host, lambda: process.alive(host.files.pidfile))
    assert process.read_pid(host.files.pidfile) not in (None, first)


def test_without_a_lease_no_leased_guest_is_started(host: Host) -> None:
    host.cloud.seconds = None
    guest_id = str(uuid.uuid4())
    with pytest.raises(HostError, match="does not answer"):
        host.hold(guest_id)
    assert host.files.held() == []
    for nonsense in (float("nan"), float("inf"), -1.0, 0.0, 1e9):
        host.cloud.seconds = nonsense
        with pytest.raises(HostError, match="grants a lease of"):
            host.hold(guest_id)
    assert host.files.held() == [] and host.files.expired()
    with pytest.raises(HostError, match="not an id"):
        host.hold("../../etc")


def test_a_guest_that_is_not_leased_any_more_stays(host: Host) -> None:
    guest_id = host.guest()
    host.hold(guest_id)
    host.leases.drop(guest_id)
    host.leases.drop(guest_id)
    host.files.extend(watch.now() - 1)
    assert host.files.enforce() == [] and host.runs(guest_id)


def test_what_outlived_its_lease_is_ended_before_there_is_another(host: Host) -> None:
    guest_id = host.guest()
    host.hold(guest_id)
    leases.teardown(host.folder)
    host.files.extend(watch.now() - 1)
    host.leases.enforce()
    assert not host.runs(guest_id)


@pytest.mark.parametrize("text", ["", "nonsense", "00000000-0000-0000-0000-000000000000 99999999999"])
def test_a_lease_of_another_start_of_the_machine_is_none(host: Host, text: str) -> None:
    host.files.extend(watch.now() + 60)
    assert not host.files.expired()
    host.files.until.write_text(text)
    assert host.files.expired()
