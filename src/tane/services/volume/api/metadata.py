"""Metadata of volumes and snapshots, in the same form ("Volume metadata", "Snapshot metadata")."""

from __future__ import annotations

from typing import Any

from tane.services.volume.domain import snapshots, volumes
from tane.web.errors import BadRequest, NotFound
from tane.web.request import Request


class Metadata:
    """The six calls over one resource; ``domain`` has metadata, set_metadata and remove_metadata."""

    def __init__(self, domain: Any, field: str, kind: str) -> None:
        self.domain = domain
        self.field = field
        self.kind = kind

    def index(self, request: Request) -> dict[str, Any]:
        return {"metadata": self.domain.metadata(request.core, request.ctx, request.path[self.field])}

    def create(self, request: Request) -> dict[str, Any]:
        return {"metadata": self._set(request, request.body.metadata, replace=False)}

    def replace(self, request: Request) -> dict[str, Any]:
        return {"metadata": self._set(request, request.body.metadata, replace=True)}

    def show(self, request: Request) -> dict[str, Any]:
        found = self.domain.metadata(request.core, request.ctx, request.path[self.field])
        key = request.path["key"]
        if key not in found:
            raise NotFound(f"{self.kind} {request.path[self.field]} has no metadata with key {key}.")
        return {"meta": {key: found[key]}}

    def update(self, request: Request) -> dict[str, Any]:
        key = request.path["key"]
        if set(request.body.meta) != {key}:
            raise BadRequest("Request body and URI mismatch")
        return {"meta": {key: self._set(request, request.body.meta, replace=False)[key]}}

    def delete(self, request: Request) -> None:
        self.domain.remove_metadata(request.core, request.ctx, request.path[self.field], request.path["key"])

    def _set(self, request: Request, values: dict[str, str], *, replace: bool) -> dict[str, str]:
        found: dict[str, str] = self.domain.set_metadata(
            request.core, request.ctx, request.path[self.field], values, replace=replace
        )
        return found


VOLUMES = Metadata(volumes, "volume_id", "Volume")
SNAPSHOTS = Metadata(snapshots, "snapshot_id", "Snapshot")
