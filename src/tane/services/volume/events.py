"""What block storage tells of: every change of these rows is an event."""

from tane.db.recording import Part, Source
from tane.services.volume.tables import (
    volume,
    volume_attachment,
    volume_backup,
    volume_default_type,
    volume_group,
    volume_group_snapshot,
    volume_group_type,
    volume_message,
    volume_qos_specs,
    volume_service,
    volume_snapshot,
    volume_transfer,
    volume_type,
    volume_type_access,
)

STORED = ("name", "status", "size", "volume_type_id", "user_id")
TYPE = Source(volume_type, "volume.type")

EVENTS = (
    Source(volume, "volume.volume", shows=STORED),
    Source(volume_snapshot, "volume.snapshot", shows=STORED),
    Source(volume_backup, "volume.backup", shows=("name", "status", "size", "volume_id", "user_id")),
    Source(volume_attachment, "volume.attachment", shows=("status", "volume_id", "server_id")),
    TYPE,
    Part(volume_type_access, "volume_type_id", TYPE),
    Source(volume_default_type, "volume.default_type", id=("project_id",), shows=("volume_type_id",)),
    Source(volume_group, "volume.group"),
    Source(volume_group_snapshot, "volume.group_snapshot"),
    Source(volume_group_type, "volume.group_type"),
    Source(volume_transfer, "volume.transfer", shows=("name", "volume_id")),
    Source(volume_qos_specs, "volume.qos_specs"),
    Source(volume_message, "volume.message", shows=("resource_type", "resource_uuid", "event_id")),
    Source(volume_service, "volume.service", id=("host_id", "binary")),
)
