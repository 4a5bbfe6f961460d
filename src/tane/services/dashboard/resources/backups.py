"""Backups of volumes."""

from __future__ import annotations

from typing import Any

from tane.services.dashboard.domain.describing import Action, Column, Field, Kind, states
from tane.services.dashboard.domain.messages import N_

V = "/v3/{project}"
NAMED = (
    Field("name", N_("Name"), default="=name", option="--name", keeps=True),
    Field("description", N_("Description"), default="=description", option="--description", keeps=True),
)
"""Of volumes and what is made of them: their client empties neither."""


def _of_volume(values: Any, row: Any) -> Any:
    return {**values, "volume_id": row["id"], "force": row.get("status") == "in-use"}


def forced(values: Any, row: Any) -> list[str]:
    """A volume in use is read all the same."""
    return ["--force"] if row.get("status") == "in-use" else []


OF_VOLUME = Action(
    "backup",
    N_("Back up"),
    f"volume POST {V}/backups",
    "backup",
    when=states("available", "in-use"),
    fields=(
        Field("name", N_("Name"), option="--name"),
        Field("description", N_("Description"), option="--description"),
        Field("incremental", N_("Only what changed since the last backup"), "bool", option="--incremental"),
    ),
    build=_of_volume,
    words=forced,
    command="openstack volume backup create {id}",
)

KINDS = (
    Kind(
        "backups",
        N_("Backups of volumes"),
        N_("Backup"),
        N_("Storage"),
        f"volume GET {V}/backups/detail",
        "backups",
        (
            Column("name", N_("Name"), "name"),
            Column("status", N_("State"), "state"),
            Column("size", N_("Size"), "gib"),
            Column("volume_id", N_("Volume"), "ref:volumes"),
            Column("is_incremental", N_("Incremental"), "bool"),
            Column("created_at", N_("Created"), "time"),
        ),
        f"volume GET {V}/backups/{{id}}",
        "backup",
        event="volume.backup",
        brief=f"volume GET {V}/backups",
        search="name~",
        command="openstack volume backup list",
        narrowed=("volume_id",),
        empty=N_("No backups yet. Make one from a volume's page; it is kept in your object storage."),
        details=(
            Column("status", N_("State"), "state"),
            Column("fail_reason", N_("Reason")),
            Column("size", N_("Size"), "gib"),
            Column("volume_id", N_("Volume"), "ref:volumes"),
            Column("snapshot_id", N_("From a snapshot"), "ref:snapshots"),
            Column("container", N_("Container"), "code"),
            Column("is_incremental", N_("Incremental"), "bool"),
            Column("has_dependent_backups", N_("Others build upon it"), "bool"),
            Column("description", N_("Description")),
            Column("created_at", N_("Created"), "time"),
            Column("id", N_("ID"), "code"),
        ),
        actions=(
            Action(
                "restore",
                N_("Restore"),
                f"volume POST {V}/backups/{{id}}/restore",
                "restore",
                when=states("available"),
                fields=(
                    Field("volume_id", N_("Over a volume (a new one, when empty)"), "ref", ref="volumes", option="-"),
                ),
                command="openstack volume backup restore {id}",
            ),
            Action(
                "edit",
                N_("Edit"),
                f"volume PUT {V}/backups/{{id}}",
                "backup",
                fields=NAMED,
                command="openstack volume backup set {id}",
            ),
            Action(
                "delete",
                N_("Delete"),
                f"volume DELETE {V}/backups/{{id}}",
                danger=True,
                bulk=True,
                back="list",
                command="openstack volume backup delete {id}",
            ),
        ),
    ),
)
