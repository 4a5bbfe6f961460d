"""What a new database of metrics begins with: the archive policies of Gnocchi and Ceilometer, the types of resources of
Ceilometer's ``gnocchi_resources.yaml``."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, insert

from tane.services.metric.tables import archive_policy, archive_policy_rule, resource_type

SECOND = 1_000_000_000
MINUTE, HOUR, DAY = 60 * SECOND, 3600 * SECOND, 86400 * SECOND
USUAL = ["count", "max", "mean", "min", "std", "sum"]
LOW = [[5 * MINUTE, 30 * DAY // (5 * MINUTE)]]
MEDIUM = [[MINUTE, 7 * DAY // MINUTE], [HOUR, 365 * DAY // HOUR]]
HIGH = [[SECOND, 3600], *MEDIUM]

POLICIES: dict[str, tuple[int, list[list[int]], list[str]]] = {
    "bool": (3600, [[SECOND, 365 * DAY // SECOND]], ["last"]),
    "low": (0, LOW, USUAL),
    "medium": (0, MEDIUM, USUAL),
    "high": (0, HIGH, USUAL),
    "ceilometer-low": (0, LOW, ["mean"]),
    "ceilometer-low-rate": (0, LOW, ["mean", "rate:mean"]),
    "ceilometer-medium": (0, MEDIUM, ["mean"]),
    "ceilometer-medium-rate": (0, MEDIUM, ["mean", "rate:mean"]),
    "ceilometer-high": (0, HIGH, ["mean"]),
    "ceilometer-high-rate": (0, HIGH, ["mean", "rate:mean"]),
}


def _text(required: bool = True, most: int = 255) -> dict[str, Any]:
    return {"type": "string", "required": required, "min_length": 0, "max_length": most}


def _uuid(required: bool = False) -> dict[str, Any]:
    return {"type": "uuid", "required": required}


TYPES: dict[str, dict[str, dict[str, Any]]] = {
    "generic": {},
    "instance": {
        "flavor_id": _text(),
        "flavor_name": _text(),
        "image_ref": _text(False),
        "host": _text(),
        "display_name": _text(),
        "server_group": _text(False),
        "created_at": {"type": "datetime", "required": False},
        "launched_at": {"type": "datetime", "required": False},
        "deleted_at": {"type": "datetime", "required": False},
    },
    "instance_disk": {"name": _text(), "instance_id": _uuid(True)},
    "instance_network_interface": {"name": _text(), "instance_id": _uuid(True)},
    "image": {"name": _text(), "container_format": _text(False), "disk_format": _text(False)},
    "volume": {
        "display_name": _text(False),
        "volume_type": _text(False),
        "image_id": _uuid(),
        "instance_id": _uuid(),
    },
    "network": {},
    "swift_account": {},
    "host": {"host_name": _text()},
}


def fill(connection: Connection) -> None:
    """Write them into empty tables."""
    connection.execute(
        insert(archive_policy),
        [
            {"name": name, "back_window": back, "definition": definition, "aggregation_methods": methods}
            for name, (back, definition, methods) in POLICIES.items()
        ],
    )
    connection.execute(
        insert(archive_policy_rule), [{"name": "default", "metric_pattern": "*", "archive_policy_name": "low"}]
    )
    connection.execute(
        insert(resource_type), [{"name": name, "attributes": attributes} for name, attributes in TYPES.items()]
    )
