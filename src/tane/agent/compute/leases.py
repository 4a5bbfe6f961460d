"""The leases of guests that the cloud runs elsewhere when their host is lost.

While the cloud answers it grants another minute again and again. When it does not, those guests end here before the
cloud starts them anywhere else; which it does only after that (``docs/decisions/0025-leases.md``).
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import structlog

from tane.agent.compute.watch import LeaseFiles, now
from tane.agent.translation import checked_id, host_errors
from tane.linux import process
from tane.linux.files import write_private
from tane.wire.duties import CloudDuty
from tane.wire.errors import HostError

log = structlog.get_logger()

LOOK_SECONDS = 1.0
RENEWALS = 3
"""In the time of one lease."""
LONGEST_SECONDS = 3600.0
"""No cloud grants more: a lease that lasts is none."""


class Leases:
    """Of one host, in its state folder; ``cloud`` grants them."""

    def __init__(self, state_dir: Path, cloud: CloudDuty) -> None:
        self._files = LeaseFiles(state_dir)
        self._state_dir = state_dir
        self._cloud = cloud
        self._renewing = asyncio.Lock()
        self._due = 0.0

    async def hold(self, guest_id: str) -> None:
        """Called before a leased guest runs: from now on it ends with the lease.

        :raises HostError: for now: the cloud grants none, or nobody would end it.
        """
        marker = self._files.guests / checked_id(guest_id)
        held = marker.exists()
        with host_errors(f"guest {guest_id} cannot be leased"):
            await asyncio.to_thread(write_private, marker, b"")
            try:
                await asyncio.to_thread(self._keep_watched)
                await self._renew()
            except BaseException:
                if not held:
                    marker.unlink(missing_ok=True)
                raise

    def renew_soon(self) -> None:
        """The cloud is spoken to anew, and forgot what was leased."""
        self._due = 0.0

    def drop(self, guest_id: str) -> None:
        """The guest is not leased any more, or not here."""
        (self._files.guests / checked_id(guest_id)).unlink(missing_ok=True)

    def enforce(self) -> None:
        """End what outlived its lease. Called before the agent speaks to the cloud: a new lease is not for that."""
        for guest_id in self._files.enforce():
            log.warning("a guest was ended, whose lease had run out", guest_id=guest_id)

    async def serve(self) -> None:
        """Renew the lease and see that somebody watches it, until cancelled."""
        told = ""
        while True:
            try:
                if await asyncio.to_thread(self._files.held):
                    await asyncio.to_thread(self.enforce)
                    await asyncio.to_thread(self._keep_watched)
                    if now() >= self._due:
                        await self._renew()
                        told = ""
            except (HostError, OSError) as error:
                if str(error) != told:
                    told = str(error)
                    log.warning("the lease of this host's guests was not renewed", reason=told)
            await asyncio.sleep(LOOK_SECONDS)

    async def _renew(self) -> None:
        async with self._renewing:
            guests = await asyncio.to_thread(self._files.held)
            # It counts from before the cloud was asked: it ends here no later than the cloud believes.
            asked = now()
            granted = await self._cloud.lease(tuple(guests))
            if not 0 < granted <= LONGEST_SECONDS:
                raise HostError(f"the cloud grants a lease of {granted} s: at most {LONGEST_SECONDS:.0f} s are one")
            await asyncio.to_thread(self._files.extend, asked + granted)
            self._due = asked + granted / RENEWALS

    def _keep_watched(self) -> None:
        """:raises OSError: the watching process cannot be started."""
        if not process.alive(self._files.pidfile):
            command = [sys.executable, "-I", "-m", "tane.agent.compute.watch", str(self._state_dir.absolute())]
            process.spawn(command, pidfile=self._files.pidfile, log=self._files.log, folder=self._state_dir)


def teardown(state_dir: Path) -> None:
    """End the watching process of a state folder."""
    process.stop(LeaseFiles(state_dir).pidfile)
