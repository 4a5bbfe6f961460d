"""What takes an action back. Only what leaves no trace is here: a deleted server, a released address, a route to the
outside with another address are not, and nothing is offered for them. Nor is it where one cannot be sure: that the
action changed anything at all (many calls succeed on what is so already), or that its reverse brings back all that was.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tane.services.dashboard.domain import forms
from tane.services.dashboard.domain.describing import Action, Kind, Row, Values, default_of, value_of
from tane.services.dashboard.domain.forms import Given, Input
from tane.web.errors import BadRequest

UNORDERED = ("tags", "security_groups", "hosts", "routes")
"""Lists whose order says nothing."""


@dataclass(frozen=True)
class Done:
    """An action that was taken. ``given``, ``values``: its form, and what that means; ``row``: the resource before
    it; ``seen``: what was asked for before, see :data:`LOOKED_AT`; ``answer``: what the API said."""

    kind: Kind
    action: Action
    id: str
    inner: str
    given: Given
    row: Row
    answer: Any
    fields: Sequence[Input] = ()
    values: Values = field(default_factory=dict)
    seen: Row = field(default_factory=dict)
    admin: bool = False
    project: str = ""

    def one(self, name: str) -> str:
        return str(self.values.get(name) or "")


@dataclass(frozen=True)
class Still:
    """What a resource must still say: each path with the values it may have."""

    kind: str
    id: str
    values: Mapping[str, Sequence[Any]]
    inner: str = ""

    def holds(self, row: Row) -> bool:
        return all(
            any(alike(path, value_of(row, path), one) for one in allowed) for path, allowed in self.values.items()
        )


def under_way(row: Row) -> bool:
    """Whether something is being done to a resource: a server has a task, a volume is attaching, detaching …"""
    return bool(row.get("OS-EXT-STS:task_state")) or str(row.get("status") or "").endswith("ing")


@dataclass(frozen=True)
class Step:
    """An action that takes another one back. ``given``: the fields of its form; ``still``: what must be as the action
    left it."""

    kind: str
    action: str
    id: str = ""
    inner: str = ""
    given: Given = field(default_factory=dict)
    still: Sequence[Still] = ()


Reverse = Callable[[Done], Step | None]


def texts(value: Any, kind: str = "") -> list[str]:
    """A value of a resource as the texts of a form."""
    if value is None or value is False or value == "" or (kind == "bool" and str(value).lower() == "false"):
        return []
    if isinstance(value, dict):
        return ["\n".join(f"{name}={inner}" for name, inner in value.items())]
    if isinstance(value, list):
        several = [str(one) for one in value]
        return [", ".join(several)] if kind == "list" and several else several
    return ["true" if value is True else str(value)]


def alike(path: str, one: Any, other: Any) -> bool:
    """Whether two values of a resource are the same; nothing, no text and no entries are."""
    if isinstance(one, bool) or isinstance(other, bool):
        return str(one or False).lower() == str(other or False).lower()
    if isinstance(one, list) and isinstance(other, list) and path.split("/")[-1] in UNORDERED:
        return sorted(map(repr, one)) == sorted(map(repr, other))
    return (one if one not in ("", [], {}) else None) == (other if other not in ("", [], {}) else None)


def held(fields: Sequence[Input], row: Row) -> dict[str, list[str]]:
    """What the fields of a change hold of a resource."""
    return {one.field.name: texts(default_of(one.field, row), one.kind) for one in fields if _path(one)}


def _path(one: Input) -> str:
    default = one.field.default
    return default[1:] if isinstance(default, str) and default.startswith("=") else ""


def back(done: Done) -> Step | None:
    """The same form with what was there before; none where a form cannot say all of that. What the API answered is
    what the change left: it may order and shorten what was typed."""
    given, answer = held(done.fields, done.row), done.answer if isinstance(done.answer, dict) else {}
    left = {**answer, **(value_of(answer, done.kind.item) or {})} if done.kind.item else answer
    try:
        again = forms.values(done.fields, given)
    except BadRequest:
        return None
    still: dict[str, Sequence[Any]] = {}
    for one in done.fields:
        name, path = one.field.name, _path(one)
        now = done.values.get(name)
        if not path or not alike(path, again.get(name), default_of(one.field, done.row)):
            return None
        # A change says nothing of an empty number or choice, so it would stay.
        if not given[name] and now and one.kind != "bool" and one.field.kind not in forms.EMPTY:
            return None
        still[path] = [left.get(path, now)]
        if one.field.apart:
            own = {key: value for key in one.field.apart if (value := value_of(done.row, f"{path}/{key}")) is not None}
            still[path] = [{**(left.get(path) or now or {}), **own}]
    return Step(done.kind.name, done.action.name, done.id, done.inner, given, (_same(done, still),))


def _same(done: Done, values: Mapping[str, Sequence[Any]]) -> Still:
    return Still(done.kind.name, done.id, values, done.inner)


def by(action: str, path: str, before: Sequence[Any], after: Sequence[Any]) -> Reverse:
    """Another action of the same resource, which was ``before`` and is ``after`` it."""

    def reverse(done: Done) -> Step | None:
        if value_of(done.row, path) not in before:
            return None
        return Step(done.kind.name, action, done.id, done.inner, still=(_same(done, {path: after}),))

    return reverse


def locked(done: Done) -> Step | None:
    if done.row.get("locked"):
        return None
    still: dict[str, Sequence[Any]] = {"locked": [True], "locked_reason": [done.values.get("locked_reason")]}
    return Step(done.kind.name, "unlock", done.id, still=(_same(done, still),))


def unlocked(done: Done) -> Step | None:
    """An administrator's lock is another than the owner's, and nothing says whose it was."""
    if done.admin or not done.row.get("locked"):
        return None
    given = {"locked_reason": texts(done.row.get("locked_reason"))}
    return Step(done.kind.name, "lock", done.id, given=given, still=(_same(done, {"locked": [False]}),))


def granted(action: str, *fields: str) -> Reverse:
    """A role is taken again, unless it was held before."""

    def reverse(done: Done) -> Step | None:
        given = {name: [done.one(name)] for name in fields}
        return None if done.seen else Step(done.kind.name, action, done.id, given=given)

    return reverse


def taken(action: str, *fields: str) -> Reverse:
    """A role is given again: taking one that was not held is refused."""
    return lambda done: Step(done.kind.name, action, done.id, given={name: [done.one(name)] for name in fields})


def user_added(done: Done) -> Step | None:
    return None if done.seen else Step("group-members", "remove", done.one("user_id"), done.id)


def listed(action: str, path: str, item: str, *fields: str) -> Reverse:
    """One entry of a list of the resource comes or goes; none where the answer does not differ by just that."""

    def reverse(done: Done) -> Step | None:
        before, after = value_of(done.row, path) or [], value_of(done.answer, f"{item}/{path}") or []
        changed = [one for one in [*before, *after] if (one in before) != (one in after)]
        if len(changed) != 1:
            return None
        given = {
            name: texts(value_of(changed[0], name) if isinstance(changed[0], dict) else changed[0]) for name in fields
        }
        return Step(done.kind.name, action, done.id, given=given, still=(_same(done, {path: [after]}),))

    return reverse


def associated(done: Done) -> Step | None:
    now = value_of(done.answer, "floatingip") or {}
    left = {name: [now.get(name)] for name in ("port_id", "fixed_ip_address")}
    before = {name: texts(done.row.get(name)) for name in left}
    if not now.get("port_id") or before == {name: texts(now.get(name)) for name in left}:
        return None
    if all(before.values()):
        return Step(done.kind.name, "associate", done.id, given=before, still=(_same(done, left),))
    return Step(done.kind.name, "disassociate", done.id, still=(_same(done, left),))


def disassociated(done: Done) -> Step | None:
    before = {name: texts(done.row.get(name)) for name in ("port_id", "fixed_ip_address")}
    still = (_same(done, {"port_id": [None]}),)
    return Step(done.kind.name, "associate", done.id, given=before, still=still) if all(before.values()) else None


def interface_added(done: Done) -> Step | None:
    port = value_of(done.answer, "port_id")
    still = (Still("ports", str(port), {"device_id": [done.id]}),)
    given = {"subnet_id": [done.one("subnet_id")]}
    return Step(done.kind.name, "remove-interface", done.id, given=given, still=still) if port else None


def host_enabled(done: Done) -> Step | None:
    if done.row.get("enabled"):
        return None
    given = {"disabled_reason": texts(done.row.get("disabled_reason"))}
    return Step(done.kind.name, "disable", done.id, given=given, still=(_same(done, {"enabled": [True]}),))


def host_disabled(done: Done) -> Step | None:
    if not done.row.get("enabled"):
        return None
    still: dict[str, Sequence[Any]] = {"enabled": [False], "disabled_reason": [done.values.get("disabled_reason")]}
    return Step(done.kind.name, "enable", done.id, still=(_same(done, still),))


def service_enabled(done: Done) -> Step | None:
    """The reason it was disabled for is gone, and the form that disables has none."""
    return None if done.row.get("disabled_reason") else by("disable", "status", ["disabled"], ["enabled"])(done)


def service_disabled(done: Done) -> Step | None:
    still = (_same(done, {"status": ["disabled"], "disabled_reason": [None]}),)
    return Step(done.kind.name, "enable", done.id, still=still) if done.row.get("status") == "enabled" else None


def part(kind: str, action: str, name: str) -> Reverse:
    """A part of the resource, named by a field, goes again: adding one that is there is refused."""
    return lambda done: Step(kind, action, done.one(name), done.id)


def whole(kind: str, action: str, name: str) -> Reverse:
    """A part comes back, by an action of what it was a part of."""
    return lambda done: Step(kind, action, done.inner, given={name: [done.id]}) if done.inner else None


def shared(done: Done) -> Step:
    member = done.one("member")
    still = (Still("image-members", member, {"status": ["pending"]}, done.id),)
    return Step("image-members", "remove", member, done.id, still=still)


def unshared(done: Done) -> Step | None:
    """Who had answered would be asked again."""
    return whole("images", "share", "member")(done) if done.row.get("status") == "pending" else None


def rule_made(done: Done) -> Step | None:
    made = value_of(done.answer, "security_group_rule/id")
    return Step("rules", "delete", str(made), done.inner) if made else None


RULE = (
    *("direction", "ethertype", "protocol", "port_range_min", "port_range_max"),
    *("remote_ip_prefix", "remote_group_id", "description"),
)


def rule_gone(done: Done) -> Step | None:
    """A form names no group of addresses, and what it makes is the visitor's project's."""
    group = str(done.row.get("security_group_id") or "")
    if not group or done.row.get("remote_address_group_id") or done.row.get("project_id") != done.project:
        return None
    given = {name: texts(done.row.get(name)) for name in RULE}
    return Step("rules", "create", "", group, {**given, "group": [group], "named": ["own"]})


def attached(done: Done) -> Step | None:
    made, server = value_of(done.answer, "volumeAttachment") or {}, done.inner or done.one("server")
    volume = str(made.get("volumeId") or "")
    if not server or not volume:
        return None
    left = {name: [made.get(name)] for name in ("device", "tag", "delete_on_termination")}
    still = (Still("volumes", volume, {"status": ["in-use"]}), Still("server-volumes", volume, left, server))
    return Step("server-volumes", "detach", volume, server, still=still)


def detached(done: Done) -> Step | None:
    """A form gives no tag, and the guest goes by it."""
    was = done.row if done.kind.name == "server-volumes" else done.seen
    volume, server = done.id, str(was.get("serverId") or "")
    if not server or was.get("tag"):
        return None
    given = {"volumeId": [volume], **{name: texts(was.get(name)) for name in ("device", "delete_on_termination")}}
    still = (Still("volumes", volume, {"status": ["available"]}),)
    return Step("server-volumes", "create", "", server, given, still)


SHELVED = ("SHELVED", "SHELVED_OFFLOADED")
SERVER: Mapping[str, Reverse] = {
    "start": by("stop", "status", ["SHUTOFF"], ["ACTIVE"]),
    "stop": by("start", "status", ["ACTIVE"], ["SHUTOFF"]),
    "pause": by("unpause", "status", ["ACTIVE"], ["PAUSED"]),
    "unpause": by("pause", "status", ["PAUSED"], ["ACTIVE"]),
    "suspend": by("resume", "status", ["ACTIVE"], ["SUSPENDED"]),
    "resume": by("suspend", "status", ["SUSPENDED"], ["ACTIVE"]),
    "shelve": by("unshelve", "status", ["ACTIVE"], SHELVED),
    "unshelve": by("shelve", "status", SHELVED, ["ACTIVE"]),
    "lock": locked,
    "unlock": unlocked,
    "edit": back,
    "tags": back,
    "metadata": back,
}
WHO = (("", "user"), ("-group", "group"))
ROLES: Mapping[str, Reverse] = {
    **{f"grant{suffix}": granted(f"take{suffix}", f"{who}_id", "role_id") for suffix, who in WHO},
    **{f"take{suffix}": taken(f"grant{suffix}", f"{who}_id", "role_id") for suffix, who in WHO},
}
IN_SYSTEM: Mapping[str, Reverse] = {
    "grant-system": granted("take-system", "role_id"),
    "take-system": taken("grant-system", "role_id"),
}
EDIT: Mapping[str, Reverse] = {"edit": back}
CHANGES: Mapping[str, Reverse] = {**EDIT, "tags": back}
REVERSES: Mapping[str, Mapping[str, Reverse]] = {
    "servers": SERVER,
    "all-servers": SERVER,
    "server-volumes": {"create": attached, "detach": detached},
    "volumes": {
        "attach": attached,
        "detach": detached,
        "edit": back,
        "metadata": back,
        "read-only": back,
    },
    "snapshots": EDIT,
    "images": {
        "edit": back,
        "deactivate": by("reactivate", "status", ["active"], ["deactivated"]),
        "reactivate": by("deactivate", "status", ["deactivated"], ["active"]),
        "share": shared,
    },
    "image-members": {"remove": unshared},
    "networks": CHANGES,
    "external-networks": CHANGES,
    "subnets": CHANGES,
    "subnet-pools": EDIT,
    "ports": CHANGES,
    "security-groups": CHANGES,
    "rules": {"create": rule_made, "delete": rule_gone},
    "routers": {
        **CHANGES,
        "add-interface": interface_added,
        "add-route": listed("remove-route", "routes", "router", "destination", "nexthop"),
        "remove-route": listed("add-route", "routes", "router", "destination", "nexthop"),
    },
    "floating-ips": {
        **CHANGES,
        "associate": associated,
        "disassociate": disassociated,
    },
    "projects": {**CHANGES, **ROLES},
    "domains": {**EDIT, **ROLES},
    "users": IN_SYSTEM,
    "groups": {**EDIT, **IN_SYSTEM, "add-user": user_added},
    "group-members": {"remove": whole("groups", "add-user", "user_id")},
    "roles": EDIT,
    "flavors": {**EDIT, "grant": part("flavor-access", "remove", "tenant")},
    "flavor-access": {"remove": whole("flavors", "grant", "tenant")},
    "volume-types": {**EDIT, "grant": part("volume-type-access", "remove", "project")},
    "volume-type-access": {"remove": whole("volume-types", "grant", "project")},
    "aggregates": {
        "edit": back,
        "add-host": listed("remove-host", "hosts", "aggregate", "host"),
        "remove-host": listed("add-host", "hosts", "aggregate", "host"),
    },
    "hosts": {"enable": host_enabled, "disable": host_disabled},
    "services": {
        "enable": service_enabled,
        "disable": service_disabled,
    },
    "alarms": {
        "enable": by("disable", "enabled", [False], [True]),
        "disable": by("enable", "enabled", [True], [False]),
    },
}
"""By kind and action. A security group of a server is not: it may have been on some of its ports alone."""
LOOKED_AT: Mapping[str, Sequence[str]] = {
    "projects": ("grant", "grant-group"),
    "domains": ("grant", "grant-group"),
    "users": ("grant-system",),
    "groups": ("add-user", "grant-system"),
    "volumes": ("detach",),
}
"""What is asked for before these: a grant of what is granted changes nothing, and a volume tells little of how it is
attached."""


def step(done: Done) -> Step | None:
    """What takes it back; None where nothing does."""
    reverse = REVERSES.get(done.kind.name, {}).get(done.action.name)
    return reverse(done) if reverse is not None else None
