"""What tests of rating share: prices, reports, and time that passes."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from tane.services.rating.domain import facts
from tests.support import ApiCloud, Caller, register

V1, V2 = "/rating/v1", "/rating/v2"
H = f"{V1}/rating/module_config/hashmap"


def price(
    admin: Caller, service: str, cost: str, field: str = "", value: str = "", expect: int = 201, **more: Any
) -> Any:
    """A mapping of a service, or of a value of its field; both are made when they are not there."""
    query = "?force=true" if more.pop("force", False) else ""
    parent = {"service_id": service_id(admin, service)}
    if field:
        parent = {"field_id": field_id(admin, parent["service_id"], field), "value": value}
    return admin.post(f"{H}/mappings{query}", {"cost": cost, "type": "flat", **parent, **more}, expect).json()


def service_id(admin: Caller, name: str) -> str:
    known = {one["name"]: one["service_id"] for one in admin.get(f"{H}/services").json()["services"]}
    return str(known.get(name) or admin.post(f"{H}/services", {"name": name}, 201).json()["service_id"])


def field_id(admin: Caller, service: str, name: str) -> str:
    found = admin.get(f"{H}/fields", params={"service_id": service}).json()["fields"]
    known = {one["name"]: one["field_id"] for one in found}
    body = {"name": name, "service_id": service}
    return str(known.get(name) or admin.post(f"{H}/fields", body, 201).json()["field_id"])


def total(who: Caller, **query: Any) -> Decimal:
    return Decimal(who.get(f"{V1}/report/total", params=query).json())


def bill(who: Caller, month: str, **query: Any) -> dict[str, Any]:
    return dict(who.get(f"{V2}/bill", params={"month": month, **query}).json()["bill"])


def begin_month(cloud: ApiCloud) -> None:
    """It is the third of a month, a quarter past ten; tokens last for months."""
    cloud.core.config.token_ttl = 400 * 86_400
    now = cloud.core.clock.now()
    third = datetime(now.year + now.month // 12, now.month % 12 + 1, 3, 10, 15, 30)
    pass_(cloud, seconds=(third - now).total_seconds())


def pass_(cloud: ApiCloud, **time: float) -> None:
    """Let time pass, while hosts are well, and write down what was used."""
    factors = {"seconds": 1, "minutes": 60, "hours": 3600, "days": 86_400}
    cloud.advance(sum(factors[name] * value for name, value in time.items()))
    register(cloud.core)
    facts.follow(cloud.core)
