"""Security groups and their rules. Every project has a group ``default``, made when it is first needed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NoReturn

from sqlalchemy import select

from tane.core import Core
from tane.db import Tx
from tane.services.identity import interface as identity
from tane.services.network.domain.common import check_room, fresh, invalid, no_group, owner, owners, require
from tane.services.network.domain.convergence import changed
from tane.services.network.domain.security_rules import normalised, number_of, reach_of
from tane.services.network.store import rows
from tane.services.network.tables import port_security_group as membership
from tane.services.network.tables import security_group as group
from tane.services.network.tables import security_group_rule as rule
from tane.web.context import Context
from tane.web.errors import BadRequest, Conflict, NotFound

DEFAULT = "default"
OPEN_TO = ("IPv4", "IPv6")
"""A new group lets everything out, by a rule for each."""
COMPARED = (
    "direction",
    "ethertype",
    "port_range_min",
    "port_range_max",
    "remote_group_id",
)


def default_group(tx: Tx, project_id: str) -> str:
    """The id of the project's ``default`` group, which is made when it is not there."""
    found = tx.scalar(select(group.c.id).where(group.c.project_id == project_id, group.c.is_default))
    if found is not None:
        return str(found)
    values = fresh(tx, project_id, name=DEFAULT, is_default=True)
    values["description"] = "Default security group"
    rows.add(tx, group, [values])
    own = str(values["id"])
    rules = [_opening(tx, values, "egress", kind, None) for kind in OPEN_TO]
    rules += [_opening(tx, values, "ingress", kind, own) for kind in OPEN_TO]
    rows.add(tx, rule, rules)
    return own


def ensure_default(core: Core, ctx: Context, project_ids: Sequence[str]) -> None:
    """Before groups are listed: the default group of each of the projects that the caller may see and that exist."""
    wanted = [project_id for project_id in dict.fromkeys(project_ids) if project_id and ctx.sees(project_id)]
    with core.db.read() as tx:
        there = _having_default(tx, wanted)
        missing = [
            project_id
            for project_id in wanted
            if project_id not in there and (project_id == ctx.project_id or identity.project_row(tx, project_id))
        ]
    if missing:
        with core.db.write() as tx:
            for project_id in missing:
                default_group(tx, project_id)


def _having_default(tx: Tx, project_ids: Sequence[str]) -> set[str]:
    found: set[str] = set()
    for start in range(0, len(project_ids), rows.MANY):
        some = project_ids[start : start + rows.MANY]
        having = select(group.c.project_id).where(group.c.is_default, group.c.project_id.in_(some))
        found.update(row.project_id for row in tx.all(having))
    return found


def _opening(tx: Tx, owning: dict[str, Any], direction: str, ethertype: str, remote: str | None) -> dict[str, Any]:
    return fresh(
        tx,
        owning["project_id"],
        security_group_id=owning["id"],
        direction=direction,
        ethertype=ethertype,
        protocol=None,
        port_range_min=None,
        port_range_max=None,
        remote_ip_prefix=None,
        remote_group_id=remote,
    )


def resolve(tx: Tx, ctx: Context, project_id: str, asked: Iterable[str]) -> list[str]:
    """Ids of groups given by id or, among the project's own, by name.

    :raises NotFound: unknown. :raises Conflict: several of the project's groups have the name.
    """
    wanted = list(dict.fromkeys(asked))
    if not wanted:
        return []
    if DEFAULT in wanted:
        default_group(tx, project_id)
    by_id = {row.id: row for row in rows.among(tx, group, "id", wanted)}
    named: dict[str, list[str]] = {}
    for start in range(0, len(wanted), rows.MANY):
        for row in rows.find(tx, group, project_id=project_id, name=wanted[start : start + rows.MANY]):
            named.setdefault(row.name, []).append(row.id)
    found = []
    for item in wanted:
        if item in by_id and (ctx.sees(by_id[item].project_id) or by_id[item].project_id == project_id):
            found.append(item)
        elif len(named.get(item, ())) > 1:
            raise Conflict(
                f"Multiple security groups named '{item}' were found. Use an ID to be more specific.",
                type="NoUniqueMatch",
            )
        elif item in named:
            found.append(named[item][0])
        else:
            raise no_group(item)
    return list(dict.fromkeys(found))


def create(core: Core, ctx: Context, asked: Sequence[dict[str, Any]]) -> list[str]:
    """:raises Conflict: over quota, or the reserved name."""
    made = []
    with core.db.write() as tx:
        projects = owners(ctx, asked)
        for project_id in set(projects):
            default_group(tx, project_id)
        check_room(tx, "security_group", projects)
        check_room(tx, "security_group_rule", projects, len(OPEN_TO))
        for values in asked:
            project_id = owner(ctx, values)
            _refuse_stateless(values)
            if values.get("name", "") == DEFAULT:
                raise Conflict("Default security group already exists.", type="SecurityGroupDefaultAlreadyExists")
            row = {**fresh(tx, project_id, name="", is_default=False), **values}
            rows.add(tx, group, [row])
            rows.add(tx, rule, [_opening(tx, row, "egress", kind, None) for kind in OPEN_TO])
            made.append(row["id"])
    return made


def _refuse_stateless(values: dict[str, Any]) -> None:
    if values.pop("stateful", True) is False:
        raise invalid("stateful: this cloud has stateful security groups only")


def update(core: Core, ctx: Context, group_id: str, values: dict[str, Any]) -> None:
    with core.db.write() as tx:
        row = require(ctx, rows.get(tx, group, group_id), no_group(group_id))
        if row.is_default and values.get("name", DEFAULT) != DEFAULT:
            raise Conflict("Updating default security group not allowed.", type="SecurityGroupCannotUpdateDefault")
        if not row.is_default and values.get("name") == DEFAULT:
            raise Conflict("Default security group already exists.", type="SecurityGroupDefaultAlreadyExists")
        _refuse_stateless(values)
        rows.change(tx, group, group_id, values)


def delete(core: Core, ctx: Context, group_id: str) -> None:
    """:raises Conflict: a port uses it, or it is the caller's default group."""
    with core.db.write() as tx:
        row = require(ctx, rows.get(tx, group, group_id), no_group(group_id))
        if row.is_default and not ctx.is_admin:
            raise Conflict(
                "Insufficient rights for removing default security group.", type="SecurityGroupCannotRemoveDefault"
            )
        if _used(tx, group_id):
            raise Conflict(f"Security Group {group_id} in use.", type="SecurityGroupInUse")
        naming = {row.security_group_id for row in rows.find(tx, rule, remote_group_id=group_id)}
        rows.remove(tx, group, [group_id])
        # The rules of other groups that name it go with it.
        changed(tx, groups=naming - {group_id})


def _used(tx: Tx, group_id: str) -> bool:
    return tx.first(select(membership.c.port_id).where(membership.c.security_group_id == group_id).limit(1)) is not None


def create_rules(core: Core, ctx: Context, asked: Sequence[dict[str, Any]]) -> list[str]:
    """A rule belongs to its group's project, whoever makes it: so does its quota, and nobody else's id shows in it.

    :raises BadRequest: a rule that makes no sense. :raises Conflict: the rule exists, or over quota.
    """
    made: list[dict[str, Any]] = []
    if len({values["security_group_id"] for values in asked}) > 1:
        raise BadRequest(
            "Only allowed to update rules for one security profile at a time", type="SecurityGroupNotSingleGroupRules"
        )
    group_id = asked[0]["security_group_id"]
    with core.db.write() as tx:
        holder = require(ctx, rows.get(tx, group, group_id), no_group(group_id))
        known = {_compared(row._asdict()): str(row.id) for row in rows.find(tx, rule, security_group_id=group_id)}
        check_room(tx, "security_group_rule", [holder.project_id] * len(asked))
        named = {values["remote_group_id"] for values in asked if values.get("remote_group_id")}
        remotes = {row.id: row for row in rows.among(tx, group, "id", named)}
        for values in asked:
            description = values.pop("description", None) or ""
            owner(ctx, values)
            new = normalised(values)
            if new["remote_group_id"] is not None:
                require(ctx, remotes.get(new["remote_group_id"]), no_group(new["remote_group_id"]))
            row = fresh(tx, holder.project_id, security_group_id=group_id, **new)
            same = _compared(new)
            if same in known:
                _refuse_duplicate(known[same], made)
            known[same] = row["id"]
            made.append({**row, "description": description})
        rows.add(tx, rule, made)
        rows.change(tx, group, group_id, {})
        changed(tx, groups=[group_id])
    return [row["id"] for row in made]


def _refuse_duplicate(rule_id: str, made: Sequence[Mapping[str, Any]]) -> NoReturn:
    if any(rule_id == row["id"] for row in made):
        raise Conflict("Duplicate Security Group Rule in POST.", type="DuplicateSecurityGroupRuleInPost")
    raise Conflict(f"Security group rule already exists. Rule id is {rule_id}.", type="SecurityGroupRuleExists")


def _compared(values: Mapping[str, Any]) -> tuple[Any, ...]:
    """What two rules of a group may not have in common."""
    same = tuple(values[name] for name in COMPARED)
    return (*same, reach_of(values["remote_ip_prefix"]), number_of(values["protocol"]))


def delete_rule(core: Core, ctx: Context, rule_id: str) -> None:
    missing = NotFound(f"Security group rule {rule_id} does not exist.", type="SecurityGroupRuleNotFound")
    with core.db.write() as tx:
        row = require(ctx, rows.get(tx, rule, rule_id), missing)
        rows.remove(tx, rule, [rule_id])
        rows.change(tx, group, row.security_group_id, {})
        changed(tx, groups=[row.security_group_id])
