"""The sagas of compute, one a file."""

from tane.services.compute.operations import (
    attach_interface,
    attach_volume,
    create_image,
    create_server,
    create_volume_image,
    delete_server,
    detach_interface,
    detach_volume,
    pause_server,
    reboot_server,
    rebuild_server,
    resume_server,
    start_server,
    stop_server,
    suspend_server,
    unpause_server,
)

OPERATIONS = (
    create_server.OPERATION,
    delete_server.OPERATION,
    start_server.OPERATION,
    stop_server.OPERATION,
    reboot_server.OPERATION,
    pause_server.OPERATION,
    unpause_server.OPERATION,
    suspend_server.OPERATION,
    resume_server.OPERATION,
    rebuild_server.OPERATION,
    create_image.OPERATION,
    create_volume_image.OPERATION,
    attach_interface.OPERATION,
    detach_interface.OPERATION,
    attach_volume.OPERATION,
    detach_volume.OPERATION,
)
