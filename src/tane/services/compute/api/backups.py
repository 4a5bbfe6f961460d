"""Backups of servers (Compute API: "Create Server Back Up (createBackup Action)")."""

from __future__ import annotations

from tane.services.compute.domain import backups
from tane.web.request import Request, Response


def create(request: Request) -> Response:
    """The image is named in the body since 2.45, before by its address; not at all where none is kept."""
    wanted, server_id = request.body.createBackup, request.path["server_id"]
    rotation = int(wanted.rotation)
    made = backups.create_backup(
        request.core, request.ctx, server_id, wanted.name, wanted.backup_type, rotation, wanted.metadata
    )
    if not rotation:
        return Response(status=202)
    if request.version >= (2, 45):
        return Response({"image_id": made}, status=202)
    return Response(status=202, headers={"Location": f"{request.base_url}/image/v2/images/{made}"})
