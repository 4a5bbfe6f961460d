"""What may be asked of the job runner about servers; ``operations/`` carries it out."""

from __future__ import annotations

import msgspec

from tane.jobs import Order


class ServerParams(msgspec.Struct):
    """What every order about a server tells."""

    server_id: str


class AttachInterface(ServerParams):
    port_id: str


class AttachVolume(ServerParams):
    volume_id: str
    attachment_id: str


class CreateImage(ServerParams):
    """``rotation``: the image is a backup, of which so many are kept."""

    image_id: str
    rotation: int | None = None


class CreateServer(ServerParams):
    """``refused``: why no host was found; empty when one was."""

    refused: str = ""


class CreateVolumeImage(ServerParams):
    """``snapshot_ids``: ordered with the image."""

    image_id: str
    snapshot_ids: list[str]


class DetachVolume(ServerParams):
    volume_id: str
    attachment_id: str


class MoveServer(ServerParams):
    """``move_id``: the uuid of the migration."""

    move_id: str


class RebootServer(ServerParams):
    hard: bool


class RebuildServer(ServerParams):
    """``start_after``: False for a server that was stopped and shall stay so."""

    start_after: bool


class RescueServer(ServerParams):
    """``vm_state``: what the server was in before."""

    vm_state: str


class ShelveServer(ServerParams):
    """``image_id``: ordered for the server's disk; None where it boots from a volume."""

    image_id: str | None


ATTACH_INTERFACE = Order("compute.attach_interface", AttachInterface)
ATTACH_VOLUME = Order("compute.attach_volume", AttachVolume)
CONFIRM_RESIZE = Order("compute.confirm_resize", MoveServer)
CREATE_IMAGE = Order("compute.create_image", CreateImage)
CREATE_SERVER = Order("compute.create_server", CreateServer)
CREATE_VOLUME_IMAGE = Order("compute.create_volume_image", CreateVolumeImage)
DELETE_SERVER = Order("compute.delete_server", ServerParams)
DETACH_VOLUME = Order("compute.detach_volume", DetachVolume)
EVACUATE_SERVER = Order("compute.evacuate_server", MoveServer)
LIVE_MIGRATE_SERVER = Order("compute.live_migrate_server", MoveServer, patience=6 * 3600.0)
MIGRATE_SERVER = Order("compute.migrate_server", MoveServer, patience=6 * 3600.0)
PAUSE_SERVER = Order("compute.pause_server", ServerParams)
REBOOT_SERVER = Order("compute.reboot_server", RebootServer)
REBUILD_SERVER = Order("compute.rebuild_server", RebuildServer)
RESCUE_SERVER = Order("compute.rescue_server", RescueServer)
RESIZE_SERVER = Order("compute.resize_server", MoveServer, patience=6 * 3600.0)
RESUME_SERVER = Order("compute.resume_server", ServerParams)
REVERT_RESIZE = Order("compute.revert_resize", MoveServer)
SHELVE_SERVER = Order("compute.shelve_server", ShelveServer, patience=6 * 3600.0)
START_SERVER = Order("compute.start_server", ServerParams)
STOP_SERVER = Order("compute.stop_server", ServerParams)
SUSPEND_SERVER = Order("compute.suspend_server", ServerParams)
UNPAUSE_SERVER = Order("compute.unpause_server", ServerParams)
UNRESCUE_SERVER = Order("compute.unrescue_server", ServerParams)
UNSHELVE_SERVER = Order("compute.unshelve_server", ServerParams, patience=6 * 3600.0)
