"""Limits of a project and what it uses of them. Usage is counted in the transaction that adds to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import msgspec

from tane import quota
from tane.db import Tx
from tane.services.rating import interface as rating
from tane.services.volume.store import backups, groups, snapshots, types, volumes
from tane.web.context import Context
from tane.web.errors import BadRequest, OverLimit

V = TypeVar("V")

SERVICE = "volume"
DEFAULTS = {
    "volumes": 10,
    "snapshots": 10,
    "gigabytes": 1000,
    "per_volume_gigabytes": quota.UNLIMITED,
    "backups": 10,
    "backup_gigabytes": 1000,
    "groups": 10,
}
PER_TYPE = ("volumes", "snapshots", "gigabytes")


class Usage(msgspec.Struct):
    limit: int
    in_use: int


def seen_of(tx: Tx, ctx: Context, given: Mapping[str, V]) -> dict[str, V]:
    """Of a quota set what a caller may see: the name of a private type is the business of those who may use it."""
    if ctx.is_admin:
        return dict(given)
    hidden = {f"{key}_{name}" for name in types.names_hidden_from(tx, ctx.project_id) for key in PER_TYPE}
    return {name: value for name, value in given.items() if name not in hidden}


def class_limits(tx: Tx, name: str) -> dict[str, int]:
    """Limits of a quota class; "default" is what projects without their own limits have."""
    defaults = dict(DEFAULTS)
    for type_name in types.names(tx):
        defaults.update({f"{resource}_{type_name}": quota.UNLIMITED for resource in PER_TYPE})
    return quota.limits(tx, SERVICE, f"class:{name}", defaults)


def limits(tx: Tx, project_id: str) -> dict[str, int]:
    return quota.limits(tx, SERVICE, project_id, class_limits(tx, "default"))


def usage(tx: Tx, project_id: str) -> dict[str, Usage]:
    """Every limit with what is used of it."""
    used = _used(tx, project_id, None)
    for name in types.names(tx):
        row = types.by_name(tx, name)
        assert row is not None
        used.update({f"{key}_{name}": value for key, value in _used(tx, project_id, row.id).items()})
    used["groups"] = groups.number(tx, project_id)
    used["backups"], used["backup_gigabytes"] = backups.usage(tx, project_id)
    return {name: Usage(limit, used.get(name, 0)) for name, limit in limits(tx, project_id).items()}


def _used(tx: Tx, project_id: str, type_id: str | None) -> dict[str, int]:
    volume_count, volume_size = volumes.usage(tx, project_id, type_id)
    snapshot_count, snapshot_size = snapshots.usage(tx, project_id, type_id)
    return {"volumes": volume_count, "snapshots": snapshot_count, "gigabytes": volume_size + snapshot_size}


def set_limits(tx: Tx, owner: str, values: Mapping[str, int]) -> None:
    """``owner``: a project id, or "class:<name>". :raises BadRequest: an unknown resource, or a limit below -1."""
    known = class_limits(tx, "default")
    for name, value in values.items():
        if name not in known:
            raise BadRequest(f"Bad key(s) in quota set: {name}")
        if value < quota.UNLIMITED:
            raise BadRequest(f"Invalid input for field/attribute {name}. Value: {value}. {value} is less than -1")
    quota.set_limits(tx, SERVICE, owner, values)


def reset(tx: Tx, project_id: str) -> None:
    quota.reset(tx, SERVICE, project_id)


def claim_volume(tx: Tx, project_id: str, type_id: str, type_name: str, size: int) -> None:
    """:raises OverLimit: another volume of ``size`` GiB is more than the project may have.
    :raises Forbidden: its budget is spent.
    """
    rating.refuse_spent(tx, project_id)
    allowed = limits(tx, project_id)
    check_volume_size(allowed, size)
    _check_volume(allowed, "", _used(tx, project_id, None), size)
    _check_volume(allowed, f"_{type_name}", _used(tx, project_id, type_id), size)


def claim_type(tx: Tx, project_id: str, type_id: str, type_name: str, size: int) -> None:
    """:raises OverLimit: a volume of ``size`` GiB that changes to a type is more than the project may have of it.
    :raises Forbidden: its budget is spent.
    """
    rating.refuse_spent(tx, project_id)
    _check_volume(limits(tx, project_id), f"_{type_name}", _used(tx, project_id, type_id), size)


def _check_volume(allowed: Mapping[str, int], suffix: str, used: Mapping[str, int], size: int) -> None:
    name = f"volumes{suffix}"
    if quota.exceeded(allowed[name], used["volumes"], 1):
        raise OverLimit(f"Maximum number of volumes allowed ({allowed[name]}) exceeded for quota '{name}'.")
    _check_gigabytes(allowed, f"gigabytes{suffix}", used["gigabytes"], size)


def claim_snapshot(tx: Tx, project_id: str, type_id: str, type_name: str, size: int) -> None:
    """:raises OverLimit: :raises Forbidden: the project's budget is spent."""
    rating.refuse_spent(tx, project_id)
    allowed = limits(tx, project_id)
    for suffix, kind in (("", None), (f"_{type_name}", type_id)):
        used = _used(tx, project_id, kind)
        name = f"snapshots{suffix}"
        if quota.exceeded(allowed[name], used["snapshots"], 1):
            raise OverLimit(f"Maximum number of snapshots allowed ({allowed[name]}) exceeded")
        _check_gigabytes(allowed, f"gigabytes{suffix}", used["gigabytes"], size)


def claim_growth(tx: Tx, project_id: str, type_id: str, type_name: str, old: int, new: int) -> None:
    """:raises OverLimit: growing a volume from ``old`` to ``new`` GiB is more than the project may have.
    :raises Forbidden: its budget is spent.
    """
    rating.refuse_spent(tx, project_id)
    allowed = limits(tx, project_id)
    check_volume_size(allowed, new)
    for suffix, kind in (("", None), (f"_{type_name}", type_id)):
        _check_gigabytes(allowed, f"gigabytes{suffix}", _used(tx, project_id, kind)["gigabytes"], new - old)


def claim_group(tx: Tx, project_id: str) -> None:
    """:raises OverLimit: another group is more than the project may have."""
    allowed = limits(tx, project_id)["groups"]
    if quota.exceeded(allowed, groups.number(tx, project_id), 1):
        raise OverLimit(f"Maximum number of groups allowed ({allowed}) exceeded")


def claim_backup(tx: Tx, project_id: str, size: int) -> None:
    """:raises OverLimit: another backup, of ``size`` GiB, is more than the project may have.
    :raises Forbidden: its budget is spent.
    """
    rating.refuse_spent(tx, project_id)
    allowed, (number, used) = limits(tx, project_id), backups.usage(tx, project_id)
    if quota.exceeded(allowed["backups"], number, 1):
        raise OverLimit(f"Maximum number of backups allowed ({allowed['backups']}) exceeded")
    most = allowed["backup_gigabytes"]
    if quota.exceeded(most, used, size):
        raise OverLimit(
            f"Requested backup exceeds allowed Backup gigabytes quota. Requested {size}G, "
            f"quota is {most}G and {used}G has been consumed."
        )


def check_volume_size(allowed: Mapping[str, int], size: int) -> None:
    most = allowed["per_volume_gigabytes"]
    if quota.exceeded(most, 0, size):
        raise OverLimit(f"Requested volume size {size}G is larger than maximum allowed limit {most}G.")


def _check_gigabytes(allowed: Mapping[str, int], name: str, used: int, wanted: int) -> None:
    if quota.exceeded(allowed[name], used, wanted):
        raise OverLimit(
            f"Requested volume or snapshot exceeds allowed {name} quota. Requested {wanted}G, "
            f"quota is {allowed[name]}G and {used}G has been consumed."
        )
