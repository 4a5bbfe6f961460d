"""A look at all groups whose failed members are replaced, and the replacement of those: the group's stack is updated
to what it was, with the failed ones as not well, so that the engine makes others in their place and then deletes them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.engine import Row

from tane.core import Core
from tane.db import Tx
from tane.services.compute import interface as compute
from tane.services.network import interface as network
from tane.services.orchestration.domain import ahead, engine, health, rights
from tane.services.orchestration.domain.common import COMPLETE, FAILED, IN_PROGRESS, MOST_DEPTH, new_id, record
from tane.services.orchestration.domain.hand import Hand
from tane.services.orchestration.resources.heat_scaling import MENDING, AutoScalingGroup
from tane.services.orchestration.store import health as store
from tane.services.orchestration.store import resources, stacks
from tane.web import inside
from tane.web.errors import ApiError, BadRequest
from tane.web.inside import part

SERVERS = ("OS::Nova::Server", "AWS::EC2::Instance")


@dataclass
class Group:
    """A group that is at rest, with its members. ``doors``: the ports of the network of each server that is asked."""

    row: Row[Any]
    project_id: str
    terms: health.Terms
    history: health.History
    members: list[health.Member]
    doors: dict[str, list[str]] = field(default_factory=dict)


def survey(core: Core, lost: Collection[str]) -> list[Group]:
    """All groups of which something may be replaced now. ``lost``: hosts that are gone."""
    with core.db.read() as tx:
        wanted = {row.id: (row, terms) for row in store.groups(tx, AutoScalingGroup.name) if (terms := _terms(row))}
        if not wanted:
            return []
        known = store.stacks(tx, sorted({row.stack_id for row, _ in wanted.values()}))
        children = store.stacks(tx, sorted({row.physical_id for row, _ in wanted.values() if row.physical_id}))
        inner = {
            child.id: child.parent_resource_id
            for child in children.values()
            if child.parent_resource_id in wanted and child.status != IN_PROGRESS and child.action not in RESTING
        }
        roots = store.stacks(tx, sorted({one.root_id for one in known.values()}))
        resting = {one.id for one in known.values() if _is_at_rest(one) and _is_at_rest(roots.get(one.root_id))}
        owners = {group_id for group_id in inner.values() if wanted[group_id][0].stack_id in resting}
        members = _members(tx, {child: group_id for child, group_id in inner.items() if group_id in owners}, lost)
        groups = [
            Group(row, known[row.stack_id].project_id, terms, health.history_of(row.health), members[group_id])
            for group_id, (row, terms) in wanted.items()
            if members.get(group_id)
        ]
        _find_doors(tx, groups)
        return groups


RESTING = ("SUSPEND", "DELETE")
"""Actions after which nothing of a stack is replaced."""


def _terms(row: Row[Any]) -> health.Terms | None:
    try:
        # SQLite tells true as 1.
        return health.terms_of(True if row.terms == 1 else row.terms)
    except BadRequest:
        # Whoever changes the group is told.
        return None


def _is_at_rest(stack: Row[Any] | None) -> bool:
    """Whether a group's own stack, or the one that a user made around it, is whole. One whose last action failed waits
    for who sees to it; what a check found is what this is about."""
    if stack is None or stack.action in RESTING:
        return False
    return bool(stack.status == COMPLETE or (stack.action, stack.status) == ("CHECK", FAILED))


def _members(tx: Tx, children: Mapping[str, str], lost: Collection[str]) -> dict[str, list[health.Member]]:
    """The members of groups by the groups' rows; ``children``: their stacks, with the rows that they are of."""
    found: dict[str, list[health.Member]] = {}
    owners: dict[str, health.Member] = {}
    servers: dict[str, list[tuple[health.Member, Row[Any]]]] = {}
    level = dict.fromkeys(children, "")
    for _ in range(MOST_DEPTH):
        for row in store.members(tx, sorted(level)):
            member = owners.get(level[row.stack_id])
            if member is None:
                member = health.Member(row.name, row.id, row.action, row.status, row.reason, row.created_at)
                found.setdefault(children[row.stack_id], []).append(member)
            owners[row.id] = member
            # What else has an id may have been given a server's as its name.
            if row.physical_id is not None and (row.kind or row.type) in SERVERS:
                servers.setdefault(row.physical_id, []).append((member, row))
        level = {one.id: one.parent_resource_id for one in store.below(tx, sorted(level))}
        level = {stack_id: resource_id for stack_id, resource_id in level.items() if resource_id in owners}
        if not level:
            break
    vitals = compute.vitals(tx, sorted(servers), lost)
    for physical_id, places in servers.items():
        vital = vitals.get(physical_id)
        for member, row in places:
            if vital is not None and vital.project_id == row.project_id:
                member.servers.append(vital)
            elif row.status == COMPLETE:
                member.servers.append(compute.Vital(physical_id, "failed", "it is not there"))
    return found


def _find_doors(tx: Tx, groups: Sequence[Group]) -> None:
    asked: dict[str, list[Group]] = {}
    for group in groups:
        well = (vital for member in group.members for vital in member.servers if vital.state == "well")
        for server_id in {vital.server_id for vital in well} if group.terms.port is not None else ():
            asked.setdefault(server_id, []).append(group)
    for server_id, port_id in network.ports_of(tx, sorted(asked)) if asked else ():
        for group in asked[server_id]:
            group.doors.setdefault(server_id, []).append(port_id)


# ------------------------------------------------------------------------------------------------------- replacing


@ahead.writes
def replace(core: Core, group: Group, chosen: Mapping[str, str]) -> str | None:
    """Order that these members are replaced, by the rights of who sent the stack's template. A sentence on what was
    ordered, or why it cannot be, which an event of the group says, too; None where something else is done with the
    group by now."""
    with core.db.read() as tx:
        stack = stacks.get(tx, group.row.stack_id)
    if stack is None:
        return None
    try:
        with core.db.read() as tx:
            author = rights.author(core, stack, f"req-{new_id()}")
            _check_rules(core, tx, stack, group, author)
        return _replace(core, group, chosen, stack, author)
    except ApiError as error:
        _tell(core, group, error.message)
        return f"members of {group.row.name} of {stack.name} are not replaced: {error.message}"


def _tell(core: Core, group: Group, why: str) -> None:
    with core.db.write() as tx:
        row = resources.get(tx, group.row.id)
        stack = None if row is None else stacks.get(tx, row.stack_id)
        if row is None or stack is None:
            return
        history = _told(tx, row, engine.masked(tx, core, stack, why))
        resources.change(tx, row.id, data={**row.data, "health": history.kept()})


def _told(tx: Tx, row: Row[Any], why: str) -> health.History:
    """The history of a group once an event of it says why failed members are not replaced: once, however often that is
    tried."""
    history = health.history_of(row.data.get("health"))
    if why and history.told != why:
        words = f"Failed members are not replaced: {why}"
        record(tx, row.stack_id, row, row.action, row.status, words, asked=True)
    return history._replace(told=why)


def _check_rules(core: Core, tx: Tx, stack: Row[Any], group: Group, author: Any) -> None:
    """It is what marking a member as unhealthy, and an update, would do. :raises Forbidden:"""
    child = stacks.nested(tx, str(group.row.physical_id), group.row.id)
    if child is not None:
        below = f"/v1/{stack.project_id}/stacks/{part(child.name)}/{child.id}"
        inside.check_rules(core, author, "orchestration", "PATCH", below)


def _replace(core: Core, group: Group, chosen: Mapping[str, str], seen: Row[Any], author: Any) -> str | None:
    with core.db.write() as tx:
        stack, row = rights.same(tx, seen), resources.get(tx, group.row.id)
        if stack is None or row is None or not row.current or row.working or not _is_at_rest(stack):
            return None
        if not _is_at_rest(stacks.get(tx, stack.root_id)):
            return None
        plan = engine.plan_of(tx, core, stack)
        kind = plan.kinds.get(row.name)
        child = stacks.nested(tx, str(row.physical_id), row.id)
        if not isinstance(kind, AutoScalingGroup) or child is None or child.status == IN_PROGRESS:
            return None
        there = [one for one in group.members if one.name in chosen and _condemn(tx, child, one, chosen[one.name])]
        if not there:
            return None
        hand = Hand(core, tx, author, stack, row, plan, row.properties)
        tried = child.status == FAILED and row.data.get(MENDING) == child.traversal
        history = _told(tx, row, child.reason if tried else "")
        history = health.replaced(history, group.members, chosen, tx.now)
        hand.keep(health=history.kept())
        with core.db.joining(tx):
            kind.mend(hand)
        told = "; ".join(f"{one.name} ({chosen[one.name]})" for one in there)
        return f"replaced in {row.name} of {stack.name}: {told}"


def _condemn(tx: Tx, child: Row[Any], member: health.Member, reason: str) -> bool:
    """Mark a member as unhealthy, unless it is another by now."""
    row = resources.named(tx, child.id, member.name)
    if row is None or row.id != member.row_id or row.working or row.action == "DELETE":
        return False
    if row.status != FAILED:
        resources.change(tx, row.id, action="CHECK", status=FAILED, reason=reason, updated_at=tx.now)
        marked = resources.get(tx, row.id)
        assert marked is not None
        record(tx, child.id, marked, "CHECK", FAILED, reason, asked=True)
    return True


def prove(core: Core, group: Group, passed: Collection[str]) -> None:
    """Write down which checks members have passed; of others than the group has by now nothing is kept."""
    with core.db.write() as tx:
        row = resources.get(tx, group.row.id)
        if row is not None and not row.working:
            history = health.history_of(row.data.get("health"))
            history = history._replace(proven=history.proven.intersection(group.terms.checks).union(passed))
            resources.change(tx, row.id, data={**row.data, "health": history.kept()})
