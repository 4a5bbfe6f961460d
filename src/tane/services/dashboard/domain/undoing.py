"""What takes an action back. Only what leaves no trace is here: a deleted server, a released address, a route to the
outside with another address are not, and nothing is offered for them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tane.services.dashboard.domain.describing import Action, Kind, Row, value_of
from tane.services.dashboard.domain.forms import Given


@dataclass(frozen=True)
class Done:
    """An action that was taken. ``row``: the resource before it; ``answer``: what the API said."""

    kind: Kind
    action: Action
    id: str
    inner: str
    given: Given
    row: Row
    answer: Any

    def one(self, name: str) -> str:
        return next(iter(self.given.get(name, ())), "")


@dataclass(frozen=True)
class Step:
    """An action that takes another one back. ``given``: the fields of its form; ``same``: what those fields must still
    hold, as the action left them."""

    kind: str
    action: str
    id: str = ""
    inner: str = ""
    given: Given = field(default_factory=dict)
    same: Given = field(default_factory=dict)


Reverse = Callable[[Done], Step | None]


def texts(value: Any, kind: str = "") -> list[str]:
    """A value of a resource as the texts of a form."""
    if value is None or value is False or value == "":
        return []
    if isinstance(value, dict):
        return ["\n".join(f"{name}={inner}" for name, inner in value.items())]
    if isinstance(value, list):
        several = [str(one) for one in value]
        return [", ".join(several)] if kind == "list" and several else several
    return ["true" if value is True else str(value)]


def held(action: Action, row: Row) -> dict[str, list[str]]:
    """What the fields of a change hold of a resource; passwords hold nothing."""
    found = {}
    for one in action.fields:
        if isinstance(one.default, str) and one.default.startswith("="):
            found[one.name] = texts(value_of(row, one.default[1:]), one.kind)
    return found


def back(done: Done) -> Step:
    """The same form with what was there before."""
    before = held(done.action, done.row)
    now = {name: [text for text in done.given.get(name, ()) if text] for name in before}
    return Step(done.kind.name, done.action.name, done.id, done.inner, before, now)


def by(action: str, *fields: str) -> Reverse:
    """Another action of the same resource, with the same values of these fields."""

    def reverse(done: Done) -> Step:
        given = {name: list(done.given.get(name, ())) for name in fields}
        return Step(done.kind.name, action, done.id, done.inner, given)

    return reverse


def with_row(action: str, **paths: str) -> Reverse:
    """Another action of the same resource, with what it held before; none where it held nothing."""

    def reverse(done: Done) -> Step | None:
        given = {name: texts(value_of(done.row, path)) for name, path in paths.items()}
        return Step(done.kind.name, action, done.id, done.inner, given) if all(given.values()) else None

    return reverse


def associated(done: Done) -> Step:
    before = texts(done.row.get("port_id"))
    if before:
        return Step(done.kind.name, "associate", done.id, given={"port_id": before})
    return Step(done.kind.name, "disassociate", done.id)


def relocked(done: Done) -> Step:
    return Step(done.kind.name, "lock", done.id, given={"locked_reason": texts(done.row.get("locked_reason"))})


def reason_again(done: Done) -> Step:
    return Step(done.kind.name, "disable", done.id, given={"disabled_reason": texts(done.row.get("disabled_reason"))})


def part(kind: str, action: str, name: str) -> Reverse:
    """A part of the resource, named by a field, goes again."""
    return lambda done: Step(kind, action, done.one(name), done.id)


def whole(kind: str, action: str, name: str) -> Reverse:
    """A part comes back, by an action of what it was a part of."""
    return lambda done: Step(kind, action, done.inner, given={name: [done.id]}) if done.inner else None


def rule_made(done: Done) -> Step | None:
    made = value_of(done.answer, "security_group_rule/id")
    return Step("rules", "delete", str(made), done.inner) if made else None


RULE = (
    *("direction", "ethertype", "protocol", "port_range_min", "port_range_max"),
    *("remote_ip_prefix", "remote_group_id", "description"),
)


def rule_gone(done: Done) -> Step | None:
    group = str(done.row.get("security_group_id") or "")
    given = {name: texts(done.row.get(name)) for name in RULE}
    return Step("rules", "create", "", group, {**given, "group": [group], "named": ["own"]}) if group else None


def attached(done: Done) -> Step | None:
    return Step("server-volumes", "detach", done.one("volumeId"), done.inner) if done.inner else None


def detached(done: Done) -> Step | None:
    return Step("server-volumes", "create", "", done.inner, {"volumeId": [done.id]}) if done.inner else None


SERVER: Mapping[str, Reverse] = {
    "start": by("stop"),
    "stop": by("start"),
    "pause": by("unpause"),
    "unpause": by("pause"),
    "suspend": by("resume"),
    "resume": by("suspend"),
    "shelve": by("unshelve"),
    "unshelve": by("shelve"),
    "lock": by("unlock"),
    "unlock": relocked,
    "edit": back,
    "tags": back,
    "metadata": back,
    "add-group": by("remove-group", "name"),
    "remove-group": by("add-group", "name"),
}
ROLES: Mapping[str, Reverse] = {
    f"{one}{suffix}": by(f"{other}{suffix}", f"{who}_id", "role_id")
    for suffix, who in (("", "user"), ("-group", "group"), ("-system", "user"))
    for one, other in (("grant", "take"), ("take", "grant"))
}
CHANGES: Mapping[str, Reverse] = {"edit": back, "tags": back}
ENABLING: Mapping[str, Reverse] = {"enable": by("disable"), "disable": by("enable")}
REVERSES: Mapping[str, Mapping[str, Reverse]] = {
    "servers": SERVER,
    "all-servers": SERVER,
    "server-volumes": {"create": attached, "detach": detached},
    "volumes": {
        "attach": by("detach"),
        "detach": with_row("attach", server="attachments/0/server_id"),
        "edit": back,
        "metadata": back,
        "read-only": back,
    },
    "snapshots": CHANGES,
    "images": {
        "edit": back,
        "deactivate": by("reactivate"),
        "reactivate": by("deactivate"),
        "share": part("image-members", "remove", "member"),
    },
    "image-members": {"remove": whole("images", "share", "member")},
    "networks": CHANGES,
    "external-networks": CHANGES,
    "subnets": CHANGES,
    "subnet-pools": CHANGES,
    "ports": CHANGES,
    "security-groups": CHANGES,
    "rules": {"create": rule_made, "delete": rule_gone},
    "routers": {
        **CHANGES,
        "add-interface": by("remove-interface", "subnet_id"),
        "add-route": by("remove-route", "destination", "nexthop"),
        "remove-route": by("add-route", "destination", "nexthop"),
    },
    "floating-ips": {
        **CHANGES,
        "associate": associated,
        "disassociate": with_row("associate", port_id="port_id"),
    },
    "projects": {**CHANGES, **ROLES},
    "domains": {**CHANGES, **ROLES},
    "groups": {**CHANGES, "add-user": part("group-members", "remove", "user_id")},
    "group-members": {"remove": whole("groups", "add-user", "user_id")},
    "roles": CHANGES,
    "flavors": {**CHANGES, "grant": part("flavor-access", "remove", "tenant")},
    "flavor-access": {"remove": whole("flavors", "grant", "tenant")},
    "volume-types": {**CHANGES, "grant": part("volume-type-access", "remove", "project")},
    "volume-type-access": {"remove": whole("volume-types", "grant", "project")},
    "aggregates": {
        "edit": back,
        "add-host": by("remove-host", "host"),
        "remove-host": by("add-host", "host"),
    },
    "hosts": {"enable": reason_again, "disable": by("enable")},
    "services": ENABLING,
    "alarms": ENABLING,
}
"""By kind and action."""


def step(done: Done) -> Step | None:
    """What takes it back; None where nothing does."""
    reverse = REVERSES.get(done.kind.name, {}).get(done.action.name)
    return reverse(done) if reverse is not None else None
