"""What the cloud answers to one of its hosts (:class:`tane.wire.duties.CloudDuty`)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import TypeVar, cast

from tane.core import Core
from tane.hosts import joining, leases
from tane.services.compute import interface as compute
from tane.services.image import interface as image
from tane.services.metric import interface as metric
from tane.services.volume import interface as volume
from tane.wire.calls import Answering, Distant, Loopback
from tane.wire.documents import GuestState, ImageRef, LocalDisk
from tane.wire.duties import CloudDuty
from tane.wire.grammar import Id
from tane.wire.meters import Meters

T = TypeVar("T")
PAUSE_SECONDS = 0.02


class ForHost:
    """A host learns and changes what concerns itself: of the servers that are on it."""

    def __init__(self, core: Core, host_id: str) -> None:
        self._core = core
        self._host_id = host_id
        self._images = image.LocalImages(core)
        self._writing = asyncio.Lock()

    async def metadata(self, port_id: str, path: str, headers: dict[str, str]) -> tuple[int, str, bytes]:
        return await compute.metadata(self._core, self._host_id, port_id, path, headers)

    async def guest_changed(self, guest_id: str, state: GuestState) -> None:
        await self._one_by_one(lambda: compute.guest_changed(self._core, self._host_id, guest_id, state))

    def image(self, image: ImageRef) -> AsyncIterator[bytes]:
        return self._images.stream(image)

    async def kept_disk(self, move_id: str, disk: LocalDisk) -> AsyncIterator[bytes]:
        source = await self._core.in_thread(compute.source_of_move, self._core, self._host_id, move_id)
        async for data in self._core.hosts.compute(source).kept_disk(move_id, disk):
            yield data

    def backup(self, backup_id: str, volume_id: str) -> AsyncIterator[bytes]:
        return volume.backup_content(self._core, self._host_id, backup_id, volume_id)

    async def measured(self, meters: Meters) -> None:
        # Samples wait for a writer of their own: no more than one of the threads that leases wait for, too.
        async with self._core.measuring.turn(self._host_id):
            await self._core.in_thread(metric.measured, self._core, self._host_id, meters)

    async def lease(self, guests: tuple[Id, ...]) -> float:
        def write() -> float:
            with self._core.db.write() as tx:
                return leases.grant(tx, self._core.config.lease_seconds, self._host_id, guests)

        return await self._one_by_one(write)

    async def renew(self, request: str) -> str:
        def write() -> str:
            with self._core.db.write() as tx:
                signer = joining.authority(tx, self._core.config.region)
                return joining.renew(tx, signer, self._host_id, request)

        return await self._one_by_one(write)

    async def _one_by_one(self, write: Callable[[], T]) -> T:
        """Write what a host says; however much one says at once, the others and the API have the writer between."""
        async with self._writing:
            found = await self._core.in_thread(write)
            await asyncio.sleep(PAUSE_SECONDS)
            return found


def as_called(answers: CloudDuty) -> CloudDuty:
    """The same, as an agent in this process calls it: by the wire's codec."""
    return cast(CloudDuty, Distant(CloudDuty, "cloud", Loopback(Answering({"cloud": (CloudDuty, answers)}))))
