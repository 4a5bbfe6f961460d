"""Limits of compute per project, and what is used of them (Compute API: "Quota sets", "Quota class sets")."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tane import quota
from tane.core import Core
from tane.db import Tx
from tane.services.compute.store import groups, keypairs, migrations, servers
from tane.services.identity import interface as identity
from tane.services.rating import interface as rating
from tane.web.context import Context
from tane.web.errors import BadRequest, Forbidden

SERVICE = "compute"
CLASS = "class:default"
NETWORK = ("fixed_ips", "floating_ips", "security_groups", "security_group_rules")
DEFAULTS = {
    "instances": 10,
    "cores": 20,
    "ram": 51200,
    "metadata_items": 128,
    "key_pairs": 100,
    "server_groups": 10,
    "server_group_members": 10,
    "injected_files": 5,
    "injected_file_content_bytes": 10240,
    "injected_file_path_bytes": 255,
    # The network service's own matter: told to and kept for old clients, and of no effect.
    **dict.fromkeys(NETWORK, -1),
}


def class_limits(tx: Tx) -> dict[str, int]:
    """The limits of projects that have none of their own."""
    return quota.limits(tx, SERVICE, CLASS, DEFAULTS)


def limits(tx: Tx, project_id: str) -> dict[str, int]:
    return quota.limits(tx, SERVICE, project_id, class_limits(tx))


def used(tx: Tx, project_id: str) -> dict[str, int]:
    """What is in use of each resource; those that are limits of one request are never in use."""
    row = servers.usage(tx, project_id)
    larger = _larger_elsewhere(tx, project_id)
    return {
        **dict.fromkeys(DEFAULTS, 0),
        "instances": row.instances,
        "cores": row.cores + larger["vcpus"],
        "ram": row.ram + larger["ram"],
        "server_groups": groups.count(tx, project_id),
    }


def _larger_elsewhere(tx: Tx, project_id: str) -> dict[str, int]:
    """What servers take beyond what they have now: the larger of two flavors counts until it is sure which stays."""
    found = dict.fromkeys(("vcpus", "ram"), 0)
    for move in migrations.flavors_of_project(tx, project_id):
        for name in found:
            found[name] += max(move.old_flavor[name], move.new_flavor[name]) - move.flavor[name]
    return found


def refuse_growth(tx: Tx, project_id: str, vcpus: int, ram_mb: int) -> None:
    """:raises Forbidden: the project may not have so much more, or its budget is spent."""
    rating.refuse_spent(tx, project_id)
    limit, usage = limits(tx, project_id), used(tx, project_id)
    grows = {"cores": max(vcpus, 0), "ram": max(ram_mb, 0)}
    over = [name for name, more in grows.items() if more and quota.exceeded(limit[name], usage[name], more)]
    if over:
        raise Forbidden(_over(over, grows, limit, usage))


def _over(over: Sequence[str], asked: Mapping[str, int], limit: Mapping[str, int], usage: Mapping[str, int]) -> str:
    """In upstream's words."""
    return (
        f"Quota exceeded for {', '.join(over)}: Requested {', '.join(str(asked[name]) for name in over)}, "
        f"but already used {', '.join(str(usage[name]) for name in over)} "
        f"of {', '.join(str(limit[name]) for name in over)} {', '.join(over)}"
    )


def affordable(tx: Tx, project_id: str, vcpus: int, ram_mb: int, least: int, most: int) -> int:
    """How many servers of a size the project may add, between ``least`` and ``most``.

    :raises Forbidden: not even ``least``; in upstream's words. Or its budget is spent.
    """
    rating.refuse_spent(tx, project_id)
    limit, usage = limits(tx, project_id), used(tx, project_id)
    each = {"instances": 1, "cores": vcpus, "ram": ram_mb}
    room = most
    for name, amount in each.items():
        if limit[name] != quota.UNLIMITED:
            room = min(room, (limit[name] - usage[name]) // amount)
    if room >= least:
        return room
    over = sorted(name for name, amount in each.items() if quota.exceeded(limit[name], usage[name], amount * least))
    raise Forbidden(_over(over, {name: amount * least for name, amount in each.items()}, limit, usage))


def refuse_metadata_over_quota(tx: Tx, project_id: str, items: int) -> None:
    allowed = limits(tx, project_id)["metadata_items"]
    if quota.exceeded(allowed, 0, items):
        raise Forbidden(f"Maximum number of metadata items exceeds {allowed}")


def refuse_keypairs_over_quota(tx: Tx, ctx: Context, user_id: str) -> None:
    if quota.exceeded(limits(tx, ctx.project_id)["key_pairs"], keypairs.count(tx, user_id), 1):
        raise Forbidden("Quota exceeded, too many key pairs.")


def show(core: Core, project_id: str) -> tuple[dict[str, int], dict[str, int]]:
    """(limits, usage) of a project. :raises BadRequest: there is no such project."""
    with core.db.read() as tx:
        _require_project(tx, project_id)
        return limits(tx, project_id), used(tx, project_id)


def defaults(core: Core) -> dict[str, int]:
    with core.db.read() as tx:
        return class_limits(tx)


def update(core: Core, project_id: str, values: Mapping[str, int], *, force: bool) -> dict[str, int]:
    """:raises BadRequest: below what is used and not forced; no such project."""
    with core.db.write() as tx:
        _require_project(tx, project_id)
        usage = used(tx, project_id)
        kept = {name: value for name, value in values.items() if name in DEFAULTS}
        for name, value in kept.items():
            if not force and value != quota.UNLIMITED and value < usage[name]:
                raise BadRequest(
                    f"Quota limit {value} for {name} must be greater than or equal to already used and reserved "
                    f"{usage[name]}."
                )
        quota.set_limits(tx, SERVICE, project_id, kept)
        return limits(tx, project_id)


def reset(core: Core, project_id: str) -> None:
    with core.db.write() as tx:
        _require_project(tx, project_id)
        quota.reset(tx, SERVICE, project_id)


def update_class(core: Core, values: Mapping[str, int]) -> dict[str, int]:
    with core.db.write() as tx:
        quota.set_limits(tx, SERVICE, CLASS, {name: value for name, value in values.items() if name in DEFAULTS})
        return class_limits(tx)


def _require_project(tx: Tx, project_id: str) -> None:
    if identity.project_row(tx, project_id) is None:
        raise BadRequest(f"Project ID {project_id} is not a valid project.")
