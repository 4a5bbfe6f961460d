"""Images of a server of which only the latest are kept (Compute API: "Create Server Back Up (createBackup Action)")."""

from __future__ import annotations

from collections.abc import Mapping

from tane.core import Core
from tane.services.compute.domain import quotas, snapshots
from tane.services.compute.domain.actions import refuse_nowhere
from tane.services.compute.domain.common import refuse_locked, require, require_state
from tane.services.compute.store import servers
from tane.web.context import Context
from tane.web.errors import BadRequest


def create_backup(
    core: Core, ctx: Context, server_id: str, name: str, backup_type: str, rotation: int, metadata: Mapping[str, str]
) -> str:
    """Order an image of the server's disk; returns its id. When it has its data, the oldest backups of this type go,
    so that ``rotation`` remain (0: none, not even this one). Protected images stay, and count.

    :raises BadRequest: the server boots from a volume. :raises Conflict: in this state there is nothing to copy.
    """
    with core.db.write() as tx:
        row = require(tx, ctx, server_id)
        refuse_locked(ctx, row)
        require_state(row, "createBackup", ("active", "stopped", "paused", "suspended"))
        refuse_nowhere(row)
        if row.image_id is None:
            raise BadRequest("Backup is not supported for volume-backed instances.")
        quotas.refuse_metadata_over_quota(tx, row.project_id, len(metadata))
        servers.change(tx, server_id, task_state="image_backup")
        properties = {**metadata, "image_type": "backup", "backup_type": backup_type, "instance_uuid": server_id}
        return snapshots.of_disk(tx, core, ctx, row, name, properties, rotation=rotation)
