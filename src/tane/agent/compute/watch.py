"""Ends the leased guests of a host when their lease has run out: ``python -m tane.agent.compute.watch FOLDER``.

A process of its own, since the agent may be dead or stand still while its guests go on. It imports little: it is there
on each host that has such guests, and has to live where nothing else does any more.
"""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path

from tane.linux import process
from tane.linux.files import write_private

INTERVAL_SECONDS = 0.5
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
        """``until``: a moment of :func:`now`."""
        write_private(self.until, f"{BOOT.read_text().strip()} {until:.3f}\n".encode())

    def expired(self) -> bool:
        """Whether there is no lease now; one of before this machine's start is none."""
        try:
            boot, until = self.until.read_text().split()
            return boot != BOOT.read_text().strip() or now() >= float(until)
        except (FileNotFoundError, ValueError):
            return True

    def enforce(self) -> list[str]:
        """End the leased guests, if the lease has run out; returns those that ran."""
        if not (held := self.held()) or not self.expired():
            return []
        pidfiles = {guest_id: self._machines / guest_id / "qemu.pid" for guest_id in held}
        # All at once: it takes a while until a guest's memory is free, and no other goes on meanwhile.
        ended = [guest_id for guest_id, pidfile in pidfiles.items() if process.send_signal(pidfile, signal.SIGKILL)]
        for guest_id in ended:
            try:
                process.stop(pidfiles[guest_id], timeout_seconds=0)
            except OSError as error:
                print(f"guest {guest_id}: {error}", file=sys.stderr, flush=True)
        return ended


def now() -> float:
    """Seconds since the machine's start, those in which it slept counted: no clock that is set moves a lease."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def main(state_dir: Path) -> None:
    """Watch until somebody ends this process."""
    files = LeaseFiles(state_dir)
    while True:
        for guest_id in files.enforce():
            print(f"guest {guest_id} was ended: the cloud did not answer for as long as its lease", flush=True)
        time.sleep(INTERVAL_SECONDS)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
