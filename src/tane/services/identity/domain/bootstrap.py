"""First start: the default domain, the roles, the administrator, the catalogue's own entries.

The administrator's password is generated; there is no default one.
"""

from __future__ import annotations

from collections.abc import Iterable

from tane.core import Core
from tane.db import Tx
from tane.services.identity import tables
from tane.services.identity.domain import audit, keys
from tane.services.identity.domain.common import new_id
from tane.services.identity.domain.passwords import hash_password
from tane.services.identity.domain.projects import DEFAULT_DOMAIN
from tane.services.identity.store import assignments, rows, tokens
from tane.services.identity.store.assignments import Place
from tane.web.policy import ROLE_IMPLICATIONS
from tane.web.routes import CatalogEntry

ADMIN = "admin"
ROLE = {"domain_id": "", "options": {"immutable": True}, "extra": {}}
"""Of the roles that every cloud has: as Keystone's own first start makes them."""


def bootstrap(core: Core, password: str) -> bool:
    """Make what every cloud needs, once. True when this was the first start."""
    with core.db.read() as tx:
        if tokens.keys(tx, keys.TOKEN):
            return False
    hashed = hash_password(password, core.config.bcrypt_rounds)
    with core.db.write() as tx:
        if tokens.keys(tx, keys.TOKEN):
            # Another process on the same database was faster.
            return False
        for purpose in keys.PURPOSES:
            keys.add(tx, purpose)
        _add_project(tx, DEFAULT_DOMAIN, "Default", is_domain=True)
        project_id, user_id = new_id(), new_id()
        _add_project(tx, project_id, ADMIN, is_domain=False)
        rows.add(
            tx,
            tables.user,
            {
                "id": user_id,
                "name": ADMIN,
                "domain_id": DEFAULT_DOMAIN,
                "enabled": True,
                "password_hash": hashed,
                "password_created_at": tx.now,
                "options": {},
                "extra": {},
                "created_at": tx.now,
            },
        )
        role_ids = {name: new_id() for name in (*ROLE_IMPLICATIONS, "reader", "service")}
        for name, role_id in role_ids.items():
            rows.add(tx, tables.role, {**ROLE, "id": role_id, "name": name, "created_at": tx.now})
        for prior, implied in ROLE_IMPLICATIONS.items():
            rows.add(tx, tables.implied_role, {"prior_id": role_ids[prior], "implied_id": role_ids[implied[0]]})
        for target_type, target_id in (("project", project_id), ("domain", DEFAULT_DOMAIN), ("system", "all")):
            assignments.grant(tx, Place(user_id, target_type, target_id), role_ids[ADMIN])
        audit.record(tx, "created", "user", user_id, name=ADMIN)
    return True


def publish(core: Core, entries: Iterable[CatalogEntry]) -> None:
    """Write the cloud's own services into the catalogue, at the URL it has now; entries of other services are kept."""
    region, base = core.config.region, core.config.url
    with core.db.write() as tx:
        if rows.get(tx, tables.region, region) is None:
            rows.add(tx, tables.region, {"id": region, "description": "", "extra": {}, "created_at": tx.now})
        for entry in entries:
            found = rows.find(tx, tables.service, {"type": entry.type, "name": entry.name})
            service_id = found[0].id if found else new_id()
            if not found:
                values = {"id": service_id, "type": entry.type, "name": entry.name, "description": ""}
                rows.add(tx, tables.service, {**values, "enabled": True, "extra": {}, "created_at": tx.now})
            present = {
                e.interface: e for e in rows.find(tx, tables.endpoint, {"service_id": service_id, "region_id": region})
            }
            for interface in ("public", "internal", "admin"):
                url = base + entry.path
                if interface not in present:
                    values = {"id": new_id(), "service_id": service_id, "interface": interface, "url": url}
                    rows.add(
                        tx,
                        tables.endpoint,
                        {**values, "region_id": region, "enabled": True, "extra": {}, "created_at": tx.now},
                    )
                elif present[interface].url != url:
                    rows.change(tx, tables.endpoint, present[interface].id, {"url": url})
        audit.record(tx, "updated", "catalog", region)


def _add_project(tx: Tx, project_id: str, name: str, *, is_domain: bool) -> None:
    rows.add(
        tx,
        tables.project,
        {
            "id": project_id,
            "name": name,
            "domain_id": "" if is_domain else DEFAULT_DOMAIN,
            "parent_id": None if is_domain else DEFAULT_DOMAIN,
            "is_domain": is_domain,
            "description": "",
            "enabled": True,
            "tags": [],
            "options": {},
            "extra": {},
            "created_at": tx.now,
        },
    )
