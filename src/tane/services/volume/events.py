"""What block storage tells of: every change of these rows is an event."""

from tane.db.recording import Part, Source
from tane.services.volume.tables import (
    volume,
    volume_attachment,
    volume_default_type,
    volume_message,
    volume_service,
    volume_snapshot,
    volume_type,
    volume_type_access,
)

TYPE = Source(volume_type, "volume.type")

EVENTS = (
    Source(volume, "volume.volume", shows=("name", "status", "size")),
    Source(volume_snapshot, "volume.snapshot"),
    Source(volume_attachment, "volume.attachment", shows=("status", "volume_id", "server_id")),
    TYPE,
    Part(volume_type_access, "volume_type_id", TYPE),
    Source(volume_default_type, "volume.default_type", id=("project_id",), shows=("volume_type_id",)),
    Source(volume_message, "volume.message", shows=("resource_type", "resource_uuid", "event_id")),
    Source(volume_service, "volume.service", id=("host_id", "binary")),
)
