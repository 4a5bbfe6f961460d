"""Sagas of block storage."""

from tane.services.volume.operations import (
    create_backup,
    create_snapshot,
    create_volume,
    delete_backup,
    delete_snapshot,
    delete_volume,
    extend_volume,
    force_detach,
    import_backup,
    reimage_volume,
    restore_backup,
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
    create_backup.OPERATION,
    delete_backup.OPERATION,
    restore_backup.OPERATION,
    import_backup.OPERATION,
)
