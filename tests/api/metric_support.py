"""What tests of metrics share."""

from __future__ import annotations

from typing import Any

from tests.support import ApiCloud, Caller

V1 = "/metric/v1"


def make_metric(caller: Caller, policy: str = "medium", **more: Any) -> str:
    return str(caller.post(f"{V1}/metric", {"archive_policy_name": policy, **more}, 201).json()["id"])


def make_resource(caller: Caller, resource_id: str, kind: str = "generic", **more: Any) -> dict[str, Any]:
    return dict(caller.post(f"{V1}/resource/{kind}", {"id": resource_id, **more}, 201).json())


def send(caller: Caller, metric_id: str, *values: float, start: int = 1_800_000_000, step: int = 60) -> None:
    told = [{"timestamp": start + place * step, "value": value} for place, value in enumerate(values)]
    caller.post(f"{V1}/metric/{metric_id}/measures", told, 202)


def values(caller: Caller, metric_id: str, **query: Any) -> list[float]:
    return [value for _, _, value in caller.get(f"{V1}/metric/{metric_id}/measures", params=query).json()]


def measured(cloud: ApiCloud, kind: str, **wanted: Any) -> list[dict[str, Any]]:
    """Resources that the cloud measured, as an administrator sees them."""
    found = cloud.admin.get(f"{V1}/resource/{kind}").json()
    return [one for one in found if all(one.get(name) == value for name, value in wanted.items())]
