"""The interface of a host: what the controller may ask of it, in process or over the wire.

Every method may be called again with the same arguments, after any crash, and leads to the same state; every failure is
a :class:`tane.wire.errors.HostError` whose message a user may read.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Annotated, Protocol

from msgspec import Meta

from tane.wire.asking import Answers, Doors, Guests
from tane.wire.blobs import BlobRoom, BlobSum
from tane.wire.documents import (
    MOST_GUESTS,
    MOST_VOLUMES,
    Guest,
    GuestDiagnostics,
    GuestState,
    HostCapabilities,
    HostUptime,
    ImageRef,
    Landing,
    LiveProgress,
    LocalDisk,
    NetworkApplied,
    NetworkState,
    Nic,
    PoolCapacity,
    RunningGuest,
    VolumeConnection,
    VolumeDisk,
    VolumeUsage,
)
from tane.wire.grammar import BlobId, Id, Reason
from tane.wire.meters import Meters
from tane.wire.streams import Connection

GuestStates = Annotated[dict[Id, GuestState], Meta(max_length=MOST_GUESTS)]
Moves = Annotated[set[Id], Meta(max_length=MOST_GUESTS)]
VolumeIds = Annotated[set[Id], Meta(max_length=MOST_VOLUMES)]
Revived = Annotated[dict[Id, Reason], Meta(max_length=MOST_VOLUMES)]

BackupSource = Callable[[str, str], AsyncIterator[bytes]]
"""(backup id, id of the volume it is restored to) → its content, as :mod:`tane.wire.blocks` has it."""


class ImageSource(Protocol):
    """Where a host gets image content from: the store on this machine, or a stream from the controller."""

    def local_path(self, image: ImageRef) -> Path | None:
        """The content's file when it lies on this machine, else None."""

    def stream(self, image: ImageRef) -> AsyncIterator[bytes]:
        """The content in chunks of at most 1 MiB; raises HostError when the image is gone."""


MetadataSource = Callable[[str, str, dict[str, str]], Awaitable[tuple[int, str, bytes]]]
"""(port id, request path, request headers) → (status, content type, body) of the guest's metadata. Two of the headers
are none: ``:method``, and ``:body`` with a character for each byte."""

GuestListener = Callable[[str, GuestState], None]
"""Told when a guest changed state by itself (powered off, crashed); called on the agent's event loop."""


class CloudDuty(Protocol):
    """What an agent may ask of its cloud. The cloud believes a host no more than concerns the host itself."""

    async def metadata(self, port_id: str, path: str, headers: dict[str, str]) -> tuple[int, str, bytes]:
        """(status, content type, body) of what a guest asked through its port, which is on the caller's host."""

    async def guest_changed(self, guest_id: str, state: GuestState) -> None:
        """A guest of the host changed state by itself."""

    def image(self, image: ImageRef) -> AsyncIterator[bytes]:
        """The content of an image, in chunks of at most 1 MiB. :raises HostError: it is gone."""

    def kept_disk(self, move_id: str, disk: LocalDisk) -> AsyncIterator[bytes]:
        """A disk of a guest that moves to the caller's host, as :meth:`ComputeDuty.kept_disk` gives it.

        :raises HostError: nothing moves here by that name.
        """

    def backup(self, backup_id: str, volume_id: str) -> AsyncIterator[bytes]:
        """What a backup holds that is restored to a volume in the caller's pool, as :mod:`tane.wire.blocks` has it.

        :raises HostError: none is, or what is kept of it is not what was written.
        """

    async def measured(self, meters: Meters) -> None:
        """What the host measured; nothing is counted twice that is told twice."""

    async def lease(self, guests: tuple[Id, ...]) -> float:
        """For how many seconds from when it was asked these guests of the host may run unless it is asked again: they
        end with the lease, and may then be started on another host.

        :raises Refused: somebody said that the host is dead.
        """

    async def renew(self, request: str) -> str:
        """A new certificate for a request (PKCS #10, PEM) by the host's key."""


class ComputeDuty(Protocol):
    """Guests of this host. A guest's files live in one folder named by its id; its process outlives the agent."""

    async def start_duty(self, listener: GuestListener) -> None:
        """Find the guests left by an earlier agent and reconnect to them."""

    async def stop_duty(self) -> None:
        """Let go of the guests without touching them."""

    async def capabilities(self) -> HostCapabilities: ...

    async def uptime(self) -> HostUptime: ...

    async def create(self, guest: Guest) -> None:
        """Fetch the images, make the root disk and config drive; does not start the guest."""

    async def start(self, guest: Guest) -> None:
        """Start the guest, or resume it from a suspended state; nothing when it runs already, unless it is to be
        rescued, or not any more: then it boots anew."""

    async def stop(self, guest_id: str, *, timeout_seconds: float = 60.0) -> None:
        """Press the power button, and cut the power when the guest has not gone in time (0: cut at once)."""

    async def pause(self, guest_id: str) -> None: ...

    async def unpause(self, guest_id: str) -> None: ...

    async def suspend(self, guest_id: str) -> None:
        """Save memory to disk and end the process; ``start`` restores it."""

    async def destroy(self, guest_id: str) -> None:
        """End the process at once and delete every file of the guest; nothing when it is absent."""

    async def keep(self, guest_id: str, move_id: str) -> None:
        """Set the files of a stopped guest aside under the name of a move; the guest is absent then. Nothing when they
        are aside already."""

    async def kept(self) -> Moves:
        """The moves of which files are set aside on this host."""

    def kept_disk(self, move_id: str, disk: LocalDisk) -> AsyncIterator[bytes]:
        """A disk that was set aside, as a standalone qcow2; ``variables`` as they are."""

    async def receive(self, guest: Guest, move_id: str) -> None:
        """Make a guest from the disks that were set aside, here or (asked of the cloud) on another host; does not start
        it."""

    async def bring_back(self, guest_id: str, move_id: str) -> None:
        """Have the guest again as it was set aside: what is here of it meanwhile is ended and deleted. Nothing when
        nothing is aside."""

    async def forget(self, move_id: str) -> None:
        """Delete what was set aside, and what was made for a guest that was awaited; nothing when there is nothing."""

    async def running(self, guest_id: str) -> RunningGuest:
        """What a guest that is to go to another host without being stopped is like. :raises HostError: it does not
        run."""

    async def expect(self, guest: Guest, running: RunningGuest, move_id: str, address: str) -> Landing:
        """Await a guest that runs on another host, which reaches this one at ``address``: its devices are there, its
        disks empty. The same place when it is awaited for this move already; else what is here of it, from an earlier
        time, is deleted. Until it goes on here it is absent, and its move among those of :meth:`kept`."""

    async def send(self, guest_id: str, landing: Landing) -> None:
        """Bring a running guest's disks and memory to where it is awaited. It stands still in the end, on both hosts,
        until one is told to go on. Nothing when that is so already."""

    async def progress(self, guest_id: str) -> LiveProgress:
        """:raises HostError: the guest is not on its way."""

    async def hurry(self, guest_id: str) -> None:
        """Let a guest that is on its way stand still for as long as the rest takes."""

    async def stay(self, guest_id: str, *, paused: bool = False) -> None:
        """The guest goes on here, as if nobody had sent it; nothing when nobody has, or its process is gone."""

    async def land(self, guest_id: str, *, paused: bool = False) -> None:
        """The guest that was awaited and came goes on here; nothing when it does. :raises HostError: it has not come,
        or is gone."""

    async def set_password(self, guest_id: str, user: str, password: str) -> None:
        """Through the agent in the running guest. :raises NotSupported: there is none that answers."""

    async def ping(self, guest_ids: Guests) -> Answers:
        """Whether the agents in running guests answer (``guest-ping``), within five seconds each; nothing is said of a
        guest that does not run, or has no channel to an agent."""

    async def attach_nic(self, guest_id: str, nic: Nic) -> None: ...

    async def detach_nic(self, guest_id: str, port_id: str) -> None: ...

    async def attach_volume(self, guest_id: str, disk: VolumeDisk) -> None: ...

    async def detach_volume(self, guest_id: str, volume_id: str) -> None: ...

    async def resize_volume(self, guest_id: str, volume_id: str, size_bytes: int) -> None: ...

    def snapshot(self, guest_id: str) -> AsyncIterator[bytes]:
        """The root disk as a standalone qcow2, without stopping the guest."""

    async def console_log(self, guest_id: str, *, max_bytes: int = 102400) -> bytes:
        """The last ``max_bytes`` of the serial console."""

    async def diagnostics(self, guest_id: str) -> GuestDiagnostics:
        """:raises HostError: the guest does not run."""

    async def has_screen(self, guest_id: str) -> None:
        """:raises HostError: the guest has none now. :raises NotSupported: this host shows none at all."""

    async def screen(self, guest_id: str) -> Connection:
        """A connection to the guest's VNC server (RFC 6143)."""

    async def has_serial(self, guest_id: str) -> None:
        """:raises HostError: the guest does not run. :raises NotSupported: this host lets nobody type."""

    async def serial(self, guest_id: str) -> Connection:
        """A connection to the guest's serial console, one of several at a time: the end of what it wrote, then all that
        comes; what is sent is typed."""

    async def state(self, guest_id: str) -> GuestState: ...

    async def states(self) -> GuestStates:
        """All guests on this host."""


class NetworkDuty(Protocol):
    """The host's part of the virtual networks."""

    async def apply(self, state: NetworkState) -> NetworkApplied:
        """Make the kernel hold exactly ``state``: create what is missing, mend what differs, remove the rest.

        :raises OlderRevision: it has seen a later document. :raises WholeNeeded: the document is a part that does not
            follow the last one.
        """

    async def knock(self, doors: Doors) -> Answers:
        """Whether guests of this host take a TCP connection, within two seconds each: asked from where the network's
        DHCP server is, or its router, never from the host's own network. By the port's id; nothing is said of one that
        is not here or that cannot be asked so."""

    async def teardown(self) -> None:
        """Remove everything this cloud ever made on the host."""


class VolumeDuty(Protocol):
    """A pool of volumes on this host."""

    async def capacity(self) -> PoolCapacity: ...

    async def create(self, volume_id: str, size_bytes: int) -> None: ...

    async def create_from_image(self, volume_id: str, size_bytes: int, image: ImageRef) -> None: ...

    async def create_from_snapshot(self, volume_id: str, size_bytes: int, source_id: str, snapshot_id: str) -> None: ...

    async def create_from_volume(self, volume_id: str, size_bytes: int, source_id: str) -> None: ...

    async def delete(self, volume_id: str) -> None: ...

    async def snapshot(self, volume_id: str, snapshot_id: str) -> None:
        """A point-in-time copy, also while the volume is exported and written to."""

    async def delete_snapshot(self, volume_id: str, snapshot_id: str) -> None: ...

    async def revert(self, volume_id: str, snapshot_id: str) -> None:
        """Set an unexported volume back to its snapshot."""

    async def extend(self, volume_id: str, size_bytes: int) -> None: ...

    async def export(self, volume_id: str, *, read_only: bool = False) -> VolumeConnection:
        """Make the volume reachable; the same connection when it is exported already."""

    async def unexport(self, volume_id: str) -> None: ...

    async def exports(self) -> VolumeIds:
        """Ids of the volumes that are exported now."""

    async def revive_exports(self) -> Revived:
        """Make every export work again whose exporter died, with the same connection.

        :returns: volume id → "" when it works again, else the reason why it cannot.
        """

    async def volumes(self) -> VolumeIds:
        """Ids of the volumes that lie in the pool."""

    async def usage(self, volume_id: str) -> VolumeUsage: ...

    def upload(self, volume_id: str, disk_format: str) -> AsyncIterator[bytes]:
        """The volume's content as an image file."""

    def content(self, volume_id: str, snapshot_id: str) -> AsyncIterator[bytes]:
        """What a snapshot holds, as :mod:`tane.wire.blocks` has it, also while the volume is exported."""

    async def restore(self, volume_id: str, size_bytes: int, backup_id: str) -> None:
        """Write a backup of ``size_bytes``, asked of the cloud, over a volume that is not exported and not smaller;
        its snapshots stay. :raises HostError: the volume holds a part of the old and of the new then."""


class ObjectDuty(Protocol):
    """Copies of objects' bytes on this host: files under drawn ids that are written once."""

    async def session(self) -> Connection:
        """A connection by which parts are written and read, as :mod:`tane.wire.blobs` has it: any number, one after
        another. None of them waits for whoever sends or receives an object."""

    async def finish(self, blob_id: BlobId, size: int) -> None:
        """Make durable what was written of a blob: after this it survives a power failure. Nothing when it is.

        :raises HostError: it has another size, or there is nothing of it.
        """

    async def remove(self, blob_ids: list[BlobId]) -> None:
        """Remove blobs (at most 500), finished or not; nothing where one is absent."""

    async def older_than(self, seconds: float, after: str, limit: int) -> list[BlobId]:
        """The first ``limit`` (at most 500) ids behind ``after``, in their order, of blobs written before that."""

    async def clear(self, seconds: float) -> int:
        """Remove what was begun before that and never finished; returns how many."""

    async def verify(self, blob_id: BlobId) -> BlobSum:
        """Read a blob's file. :raises NotOnHost: there is none."""

    async def room(self) -> BlobRoom: ...
