"""What image tells of: every change of these rows is an event."""

from tane.db.recording import Part, Source
from tane.services.image.tables import (
    image,
    image_location,
    image_member,
    image_property,
    image_tag,
    image_task,
    metadef_association,
    metadef_item,
    metadef_namespace,
    metadef_resource_type,
)

KEPT = ("name", "status", "visibility", "size", "disk_format", "container_format")
IMAGE = Source(image, "image.image", shows=KEPT, ignores=("upload_seen", "staged"))
NAMESPACE = Source(metadef_namespace, "image.metadef_namespace", id=("namespace",), shows=("visibility",))

EVENTS = (
    IMAGE,
    Part(image_property, "image_id", IMAGE),
    Part(image_tag, "image_id", IMAGE),
    Part(image_member, "image_id", IMAGE),
    Part(image_location, "image_id", IMAGE),
    Source(image_task, "image.task", shows=("type", "status", "image_id")),
    NAMESPACE,
    Part(metadef_item, "namespace_id", NAMESPACE),
    Part(metadef_association, "namespace_id", NAMESPACE),
    Source(metadef_resource_type, "image.metadef_resource_type", id=("name",)),
)
