"""SQL of what a scope names: domains and projects by name."""

from __future__ import annotations

from sqlalchemy import select

from tane.db import Tx
from tane.services.identity.store.rows import equal
from tane.services.identity.tables import project


def domain_id(tx: Tx, wanted_id: str | None, name: str | None) -> str | None:
    """The id of the domain with an id, or else with a name."""
    unique = project.c.id == wanted_id if wanted_id else equal(project.c.name, name)
    found: str | None = tx.scalar(select(project.c.id).where(project.c.is_domain, unique))
    return found


def project_id(tx: Tx, in_domain: str | None, name: str) -> str | None:
    """The id of the project with a name in a domain."""
    wanted = (equal(project.c.name, name), project.c.domain_id == in_domain, project.c.is_domain.is_(False))
    found: str | None = tx.scalar(select(project.c.id).where(*wanted))
    return found
