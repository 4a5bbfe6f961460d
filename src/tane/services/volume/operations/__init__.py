"""Sagas of block storage."""

from tane.services.volume.operations import (
    create_snapshot,
    create_volume,
    delete_snapshot,
    delete_volume,
    extend_volume,
    force_detach,
    reimage_volume,
    upload_volume,
)

OPERATIONS = (
    create_volume.OPERATION,
    delete_volume.OPERATION,
    create_snapshot.OPERATION,
    delete_snapshot.OPERATION,
    extend_volume.OPERATION,
    force_detach.OPERATION,
    reimage_volume.OPERATION,
    upload_volume.OPERATION,
)
