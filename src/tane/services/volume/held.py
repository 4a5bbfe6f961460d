"""What a project holds of this service."""

from tane.held import Held
from tane.services.volume.tables import volume, volume_backup, volume_snapshot

HOLDS = (
    Held("volume", volume.c.project_id, "openstack volume list --all-projects --project {project}"),
    Held(
        "volume snapshot",
        volume_snapshot.c.project_id,
        "openstack volume snapshot list --all-projects --project {project}",
    ),
    Held(
        "volume backup", volume_backup.c.project_id, "openstack volume backup list --all-projects --project {project}"
    ),
)
