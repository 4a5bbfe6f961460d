"""Role assignments: giving and taking roles, and what follows from them through groups, inheritance and implication."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy.engine import Row

from tane.core import Core
from tane.db import Tx
from tane.services.identity.domain import audit
from tane.services.identity.domain.common import require
from tane.services.identity.store import assignments as store
from tane.services.identity.store import projects as project_store
from tane.services.identity.store import rows
from tane.services.identity.store.assignments import Place
from tane.services.identity.tables import group, project, role, user
from tane.web.errors import BadRequest, Forbidden, NotFound


def assigned(core: Core, place: Place) -> list[Row[Any]]:
    with core.db.read() as tx:
        _require_parties(tx, place)
        return store.assigned_roles(tx, place)


def check(core: Core, place: Place, role_id: str) -> None:
    """:raises NotFound: the role is not assigned."""
    with core.db.read() as tx:
        _require_parties(tx, place)
        require(tx, role, role_id, "role")
        if not store.has(tx, place, role_id):
            raise _not_assigned(place, role_id)


def grant(core: Core, place: Place, role_id: str) -> None:
    """:raises Forbidden: a role of another domain. :raises BadRequest: a role of a domain on the system."""
    with core.db.write() as tx:
        target = _require_parties(tx, place)
        wanted = require(tx, role, role_id, "role")
        if wanted.domain_id and target is None:
            raise BadRequest(
                f"Role {role_id} is a domain-specific role. "
                "Unable to use a domain-specific role in a system assignment."
            )
        if wanted.domain_id and target is not None and wanted.domain_id != (target.domain_id or target.id):
            raise Forbidden(
                f"Project {place.target_id} must be in the same domain as the role {role_id} being assigned."
            )
        store.grant(tx, place, role_id)
        _record(tx, "created", place, role_id)


def revoke(core: Core, place: Place, role_id: str) -> None:
    """:raises NotFound: the role is not assigned."""
    with core.db.write() as tx:
        require(tx, role, role_id, "role")
        if not store.revoke(tx, place, role_id):
            raise _not_assigned(place, role_id)
        _record(tx, "deleted", place, role_id)


def targets_of(core: Core, user_id: str, *, domains: bool = False) -> list[Row[Any]]:
    """The projects (or domains), disabled ones too, on which a user has a role, however it came there."""
    with core.db.read() as tx:
        return store.targets_of(tx, user_id, domains=domains)


def is_on_system(core: Core, user_id: str) -> bool:
    """Whether a user has a role on the system."""
    with core.db.read() as tx:
        return bool(store.effective_roles(tx, user_id, "system", "all"))


def _record(tx: Tx, operation: str, place: Place, role_id: str) -> None:
    parties = {place.actor_type: place.actor_id, place.target_type: place.target_id}
    audit.record(tx, operation, "role_assignment", role_id, **parties, inherited=place.inherited)


def _not_assigned(place: Place, role_id: str) -> NotFound:
    return NotFound(
        f"Could not find role assignment with role: {role_id}, user or group: {place.actor_id}, "
        f"project, domain, or system: {place.target_id}."
    )


def _require_parties(tx: Tx, place: Place) -> Row[Any] | None:
    """The target's row (None for the system). :raises NotFound: unknown user, group, project or domain."""
    require(tx, group if place.actor_type == "group" else user, place.actor_id, place.actor_type)
    if place.target_type == "system":
        return None
    having = {"is_domain": True} if place.target_type == "domain" else {}
    return require(tx, project, place.target_id, place.target_type, **having)


@dataclass(frozen=True)
class Search:
    """What a list of assignments is asked for; an empty text means any."""

    user_id: str = ""
    group_id: str = ""
    role_id: str = ""
    target_type: str = ""
    target_id: str = ""
    inherited: bool | None = None
    effective: bool = False
    subtree: bool = False
    domain_id: str = ""
    """Only what is on this domain and its projects."""


@dataclass(frozen=True)
class Assignment:
    """One assignment as it is listed. In effective mode ``group_id``, ``inherited_from`` and ``prior_id`` tell where it
    comes from."""

    actor_type: str
    actor_id: str
    target_type: str
    target_id: str
    role_id: str
    inherited: bool = False
    group_id: str = ""
    inherited_from: tuple[str, str] | None = None
    prior_id: str = ""


def search(core: Core, wanted: Search) -> list[Assignment]:
    """The assignments that ``wanted`` describes, in a number of queries that does not depend on how many there are."""
    with core.db.read() as tx:
        found = [
            Assignment(e.actor_type, e.actor_id, e.target_type, e.target_id, e.role_id, e.inherited)
            for e in store.search(tx, user_id=wanted.user_id, group_id=wanted.group_id, with_groups=wanted.effective)
        ]
        if wanted.effective:
            found = list(_expand(tx, found, wanted))
        targets = _targets(tx, wanted)
    kept = (entry for entry in found if _passes(entry, wanted) and targets(entry))
    return list(dict.fromkeys(kept))


def _passes(entry: Assignment, wanted: Search) -> bool:
    inherited = entry.inherited or entry.inherited_from is not None
    return (
        (not wanted.role_id or entry.role_id == wanted.role_id)
        and (not wanted.target_type or entry.target_type == wanted.target_type)
        and (wanted.inherited is None or inherited == wanted.inherited)
    )


def _targets(tx: Tx, wanted: Search) -> Callable[[Assignment], bool]:
    """Whether an assignment is on the target asked for, or below it, and in the domain asked for."""
    on: set[str] | None = {wanted.target_id} if wanted.target_id else None
    if on is not None and wanted.subtree:
        on |= {row.id for row in project_store.below(tx, wanted.target_id)}
    within: set[str] | None = None
    if wanted.domain_id:
        within = {wanted.domain_id, *(row.id for row in rows.find(tx, project, {"domain_id": wanted.domain_id}))}
    return lambda entry: (on is None or entry.target_id in on) and (within is None or entry.target_id in within)


def _expand(tx: Tx, found: Iterable[Assignment], wanted: Search) -> Iterator[Assignment]:
    """What the assignments mean for users and their tokens."""
    children: dict[str, list[str]] = {}
    for row in project_store.tree(tx):
        children.setdefault(row.parent_id, []).append(row.id)
    implied: dict[str, list[str]] = {}
    for row in store.implications(tx):
        implied.setdefault(row.prior_id, []).append(row.implied_id)
    of_domains = {row.id for row in rows.find(tx, role, {}) if row.domain_id}
    found = list(found)
    members: dict[str, list[str]] = {}
    for row in store.members(tx, {entry.actor_id for entry in found if entry.actor_type == "group"}):
        if wanted.user_id in ("", row.user_id):
            members.setdefault(row.group_id, []).append(row.user_id)
    for entry in found:
        for placed in _below(entry, children):
            for person in _persons(placed, members):
                for one in _implied(person, implied):
                    if one.role_id not in of_domains:
                        yield one


def _below(entry: Assignment, children: dict[str, list[str]]) -> Iterator[Assignment]:
    if not entry.inherited:
        yield entry
        return
    waiting = list(children.get(entry.target_id, ()))
    while waiting:
        project_id = waiting.pop()
        waiting += children.get(project_id, ())
        origin = (entry.target_type, entry.target_id)
        yield replace(entry, target_type="project", target_id=project_id, inherited=False, inherited_from=origin)


def _persons(entry: Assignment, members: dict[str, list[str]]) -> Iterator[Assignment]:
    if entry.actor_type == "user":
        yield entry
        return
    for user_id in members.get(entry.actor_id, ()):
        yield replace(entry, actor_type="user", actor_id=user_id, group_id=entry.actor_id)


def _implied(entry: Assignment, implied: dict[str, list[str]]) -> Iterator[Assignment]:
    yield entry
    seen, waiting = {entry.role_id}, [entry.role_id]
    while waiting:
        prior = waiting.pop()
        for role_id in implied.get(prior, ()):
            if role_id not in seen:
                seen.add(role_id)
                waiting.append(role_id)
                yield replace(entry, role_id=role_id, prior_id=prior)


def names(core: Core, entries: Iterable[Assignment]) -> dict[str, dict[str, Any]]:
    """id → {"name", "domain_id"} of everything the assignments mention, in five queries."""
    entries = list(entries)
    with core.db.read() as tx:
        known: dict[str, dict[str, Any]] = {}
        for table, ids in (
            (user, {e.actor_id for e in entries if e.actor_type == "user"}),
            (group, {e.actor_id for e in entries if e.actor_type == "group"}),
            (role, {e.role_id for e in entries}),
            (project, {e.target_id for e in entries}),
        ):
            for row in rows.find(tx, table, {"id": list(ids)}):
                known[row.id] = {"name": row.name, "domain_id": row.domain_id}
        domains = {entry["domain_id"] for entry in known.values() if entry["domain_id"]}
        for row in rows.find(tx, project, {"id": list(domains)}):
            known.setdefault(row.id, {"name": row.name, "domain_id": ""})
        return known
