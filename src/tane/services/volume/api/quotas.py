"""Quota sets, quota classes and limits (Block Storage API v3: "Quota sets", "Quota class set", "Limits")."""

from __future__ import annotations

from typing import Any

from tane.services.volume.domain import quotas
from tane.web.codec import whole
from tane.web.errors import BadRequest, Forbidden
from tane.web.request import Request


def show(request: Request) -> dict[str, Any]:
    target = request.path["target_id"]
    if not request.ctx.sees(target):
        raise Forbidden("Policy doesn't allow volume_extension:quotas:show to be performed.")
    with request.core.db.read() as tx:
        if not request.flag("usage"):
            return {"quota_set": {"id": target, **quotas.seen_of(tx, request.ctx, quotas.limits(tx, target))}}
        found = {
            name: {"limit": usage.limit, "in_use": usage.in_use, "reserved": 0}
            for name, usage in quotas.seen_of(tx, request.ctx, quotas.usage(tx, target)).items()
        }
    return {"quota_set": {"id": target, **found}}


def defaults(request: Request) -> dict[str, Any]:
    with request.core.db.read() as tx:
        found = quotas.seen_of(tx, request.ctx, quotas.class_limits(tx, "default"))
    return {"quota_set": {"id": request.path["target_id"], **found}}


def update(request: Request) -> dict[str, Any]:
    target = request.path["target_id"]
    values = _numbers(request.body.quota_set)
    with request.core.db.write() as tx:
        quotas.set_limits(tx, target, values)
        return {"quota_set": quotas.limits(tx, target)}


def delete(request: Request) -> None:
    with request.core.db.write() as tx:
        quotas.reset(tx, request.path["target_id"])


def show_class(request: Request) -> dict[str, Any]:
    name = request.path["class_name"]
    with request.core.db.read() as tx:
        found = quotas.seen_of(tx, request.ctx, quotas.class_limits(tx, name))
    return {"quota_class_set": {"id": name, **found}}


def update_class(request: Request) -> dict[str, Any]:
    name = request.path["class_name"]
    values = _numbers(request.body.quota_class_set)
    with request.core.db.write() as tx:
        quotas.set_limits(tx, f"class:{name}", values)
        return {"quota_class_set": quotas.class_limits(tx, name)}


def _numbers(given: dict[str, Any]) -> dict[str, int]:
    values = {name: value for name, value in given.items() if name not in ("tenant_id", "force", "id")}
    if not values:
        raise BadRequest("Invalid input for field/attribute quota_set. {} does not have enough properties")
    numbers = {name: None if isinstance(value, bool) else whole(str(value)) for name, value in values.items()}
    for name, number in numbers.items():
        if number is None:
            raise BadRequest(f"Invalid input for field/attribute {name}. Value: {values[name]}. An integer is expected")
    return {name: number for name, number in numbers.items() if number is not None}


def limits(request: Request) -> dict[str, Any]:
    with request.core.db.read() as tx:
        found = quotas.usage(tx, request.ctx.project_id)
    return {
        "limits": {
            "rate": [],
            "absolute": {
                "maxTotalVolumes": found["volumes"].limit,
                "maxTotalSnapshots": found["snapshots"].limit,
                "maxTotalVolumeGigabytes": found["gigabytes"].limit,
                "maxTotalBackups": found["backups"].limit,
                "maxTotalBackupGigabytes": found["backup_gigabytes"].limit,
                "totalVolumesUsed": found["volumes"].in_use,
                "totalGigabytesUsed": found["gigabytes"].in_use,
                "totalSnapshotsUsed": found["snapshots"].in_use,
                "totalBackupsUsed": found["backups"].in_use,
                "totalBackupGigabytesUsed": found["backup_gigabytes"].in_use,
            },
        }
    }
