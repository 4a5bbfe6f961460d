"""Ends the leased guests of a host when their lease has run out: ``python -m tane.agent.compute.watch FOLDER``.

A process of its own, since the agent may be dead or stand still while its guests go on. It imports little: it is there
on each host that has such guests, and has to live where nothing else does any more.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tane.linux import process

INTERVAL_SECONDS = 0.5
MCL_CURRENT = 1
BOOT = Path("/proc/sys/kernel/random/boot_id")


class LeaseFiles:
    """What a host's state folder says of leases: until when, and which guests end with them."""

    def __init__(self, state_dir: Path) -> None:
        self.until = state_dir / "lease"
        self.guests = state_dir / "leased"
        self.pidfile = state_dir / "lease.pid"
        self.log = state_dir / "lease.log"
        self._machines = state_dir / "guests"

    def held(self) -> list[str]:
        """The ids of the guests that are leased, whether they run or not."""
        try:
            return sorted(path.name for path in self.guests.iterdir())
        except FileNotFoundError:
            return []

    def extend(self, until: float) -> None:
        """``until``: a moment of :func:`now`. Raises OSError."""
        line = f"{BOOT.read_text().strip()} {until:016.3f}\n".encode()
        # In the same place and of the same length: a disk that is full takes it, too.
        descriptor = os.open(self.until, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            os.pwrite(descriptor, line, 0)
        finally:
            os.close(descriptor)

    def granted(self) -> float:
        """The moment of :func:`now` at which the lease ends; one of an earlier start is over. Raises OSError."""
        try:
            boot, until = self._line().split()
            return float(until) if boot == BOOT.read_text().strip() else 0.0
        except (FileNotFoundError, ValueError):
            return 0.0

    def _line(self) -> str:
        """It may be written meanwhile: what is read twice is whole."""
        before = ""
        while (found := self.until.read_text()) != before:
            before = found
        return found

    def expired(self) -> bool:
        """Whether there is no lease now."""
        return now() >= self.granted()

    def enforce(self) -> list[str]:
        """End the leased guests, if the lease has run out; returns those that ran."""
        return self.end(held) if (held := self.held()) and self.expired() else []

    def end(self, held: Sequence[str]) -> list[str]:
        """End these guests; returns those that ran."""
        pidfiles = {guest_id: self._machines / guest_id / "qemu.pid" for guest_id in held}
        # All at once: it takes a while until a guest's memory is free, and no other goes on meanwhile.
        ended = [guest_id for guest_id, pidfile in pidfiles.items() if process.send_signal(pidfile, signal.SIGKILL)]
        for guest_id in ended:
            try:
                process.stop(pidfiles[guest_id], timeout_seconds=0)
            except OSError as error:
                tell(f"guest {guest_id}: {error}")
        return ended


def now() -> float:
    """Seconds since the machine's start, those in which it slept counted: no clock that is set moves a lease."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def tell(line: str) -> None:
    """Into the log, if that can be written to."""
    with contextlib.suppress(OSError):
        print(line, flush=True)


class Watch:
    """What was last known counts where nothing can be read any more: nothing was granted since, as far as is known."""

    def __init__(self, files: LeaseFiles) -> None:
        self._files = files
        self._held: list[str] = []
        self._until = 0.0

    def look(self) -> None:
        """End the leased guests, if the lease has run out."""
        try:
            self._held, self._until = self._files.held(), self._files.granted()
        except OSError as error:
            tell(f"the lease cannot be read: {error}")
        if self._held and now() >= self._until:
            for guest_id in self._files.end(self._held):
                tell(f"guest {guest_id} was ended: the cloud did not answer for as long as its lease")


def stay_in_memory() -> None:
    """The disk that this program came from may be gone when it is needed (mlockall(2)). As far as its user may."""
    ctypes.CDLL(None, use_errno=True).mlockall(MCL_CURRENT)


def main(state_dir: Path) -> None:
    """Watch until somebody ends this process."""
    watch = Watch(LeaseFiles(state_dir))
    watch.look()
    stay_in_memory()
    while True:
        time.sleep(INTERVAL_SECONDS)
        watch.look()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
