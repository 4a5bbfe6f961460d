"""Policy documents that others keep here, and which endpoint each is for (OS-ENDPOINT-POLICY)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy.engine import Row

from tane.core import Core
from tane.db import Tx
from tane.services.identity.domain import audit
from tane.services.identity.domain.common import require
from tane.services.identity.domain.plain import Kind
from tane.services.identity.store import catalog as catalog_store
from tane.services.identity.store import policies as store
from tane.services.identity.store import rows
from tane.services.identity.tables import endpoint, policy, region, service
from tane.web.errors import NotFound

POLICY = Kind("policy", policy, ("blob", "type"), {"extra": {}})
PARTIES = {"endpoint_id": ("endpoint", endpoint), "service_id": ("service", service), "region_id": ("region", region)}


def _require(tx: Tx, policy_id: str, where: Mapping[str, str]) -> None:
    require(tx, policy, policy_id, "policy")
    for name, row_id in where.items():
        kind, table = PARTIES[name]
        require(tx, table, row_id, kind)


def associate(core: Core, policy_id: str, where: Mapping[str, str]) -> None:
    """Make it the policy of an endpoint, a service, or a service in a region, in place of any other.

    ``where`` holds one or two of endpoint_id, service_id, region_id.
    """
    with core.db.write() as tx:
        _require(tx, policy_id, where)
        store.forget(tx, where)
        store.add(tx, policy_id, where)
        audit.record(tx, "associated", "policy", policy_id, **where)


def check(core: Core, policy_id: str, where: Mapping[str, str]) -> None:
    """:raises NotFound: the policy is not of this."""
    with core.db.read() as tx:
        _require(tx, policy_id, where)
        if store.policy_of(tx, where) != policy_id:
            raise NotFound("Could not find policy association.")


def dissociate(core: Core, policy_id: str, where: Mapping[str, str]) -> None:
    """Repeatable."""
    with core.db.write() as tx:
        _require(tx, policy_id, where)
        store.forget(tx, where, policy_id)
        audit.record(tx, "dissociated", "policy", policy_id, **where)


def of_endpoint(core: Core, endpoint_id: str) -> Row[Any]:
    """The policy of an endpoint: its own, else that of its service in its region or one above, else its service's."""
    with core.db.read() as tx:
        row = require(tx, endpoint, endpoint_id, "endpoint")
        places: list[dict[str, str]] = [{"endpoint_id": endpoint_id}]
        region_id = row.region_id
        while region_id is not None:
            places.append({"service_id": row.service_id, "region_id": region_id})
            above = rows.get(tx, region, region_id)
            region_id = above.parent_region_id if above is not None else None
        for where in (*places, {"service_id": row.service_id}):
            policy_id = store.policy_of(tx, where)
            if policy_id is not None:
                return require(tx, policy, policy_id, "policy")
        raise NotFound(f"No policy is associated with endpoint {endpoint_id}.")


def endpoints_of(core: Core, policy_id: str) -> list[Row[Any]]:
    """The endpoints a policy is for: named, of its services, of its services in its regions and below them."""
    with core.db.read() as tx:
        require(tx, policy, policy_id, "policy")
        found: dict[str, Row[Any]] = {}
        for entry in store.associations(tx, policy_id):
            wanted: dict[str, Any] = (
                {"id": entry.endpoint_id} if entry.endpoint_id else {"service_id": entry.service_id}
            )
            if entry.region_id:
                below = catalog_store.regions_below(tx, entry.region_id)
                wanted["region_id"] = [entry.region_id, *(row.id for row in below)]
            found |= {row.id: row for row in rows.find(tx, endpoint, wanted)}
        return [found[row_id] for row_id in sorted(found)]
