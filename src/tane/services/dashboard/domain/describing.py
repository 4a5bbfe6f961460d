"""What a table of pages is made of. A resource is a :class:`Kind`; its pages come of it by themselves.

Calls are written as ``"compute POST /v2.1/servers/{id}/action"``. In a path ``{id}`` is the resource, ``{in}`` what
it is a part of (``{id:0}``: the first part of an id of several), ``{project}`` and ``{user}`` the caller's, any other
name a value of the form.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tane.web import inside

Row = dict[str, Any]
Values = dict[str, Any]
PLACE = re.compile(r"{(\w+)(?::(\d))?}")


def part_of(text: str, number: int) -> str:
    """A part of an id that is made of several (a stack's: name and id); "-" when it has not so many."""
    parts = text.split(":")
    return parts[number] if number < len(parts) and parts[number] else "-"


@dataclass(frozen=True)
class Call:
    """A call of the API: its service by Tane's name, method and path below the service's prefix."""

    service: str
    method: str
    path: str

    @classmethod
    def of(cls, text: str) -> Call:
        return cls(*text.split(" "))

    def at(self, places: Mapping[str, str]) -> str:
        """The path with its places filled in, each as one segment."""

        def fill(match: re.Match[str]) -> str:
            text = str(places.get(match[1]) or "-")
            return inside.part(part_of(text, int(match[2])) if match[2] else text)

        return PLACE.sub(fill, self.path)


@dataclass(frozen=True)
class Column:
    """A value of a resource. ``field``: its path in the API's document, names parted by ``/``. ``kind``: how it is
    shown (see ``domain/showing.py``); of another resource ``ref:KIND``."""

    field: str
    title: str
    kind: str = "text"


@dataclass(frozen=True)
class Field:
    """A field of a form. What is not said here (kind, limits, whether it is required) is read from the schema of the
    call.

    ``kind``: text, area, number, bool, choice, ref, refs (several), password, file, lines, pairs (lines of name=value),
    list (parted by commas), date. ``ref``: the kind whose rows are offered; ``value``: the row's field that is sent.
    ``option``: of the command line; ``-``: the value stands for itself; ``+``: the action's ``words`` tell it; with
    ``{}`` the value is a part of the word. ``off``: the option that says no.
    ``folded``: advanced, folded away. ``to``: where the value goes in the body, when it is not ``name``; ``-`` is
    nowhere (a place in the path, or read by the builder). ``default``: ``=PATH`` is a value of the row.
    """

    name: str
    title: str
    kind: str = ""
    required: bool = False
    default: Any = None
    choices: Sequence[tuple[str, str]] = ()
    ref: str = ""
    value: str = "id"
    query: Mapping[str, str] | None = None
    help: str = ""
    option: str = ""
    off: str = ""
    folded: bool = False
    to: str = ""
    first: bool = False
    """Of references: preselect the first row rather than none."""
    only: Callable[[Row], bool] | None = None
    """Which rows are offered."""
    own: bool = False
    """What a member of the project sees is offered: an administrator's list has everybody's."""
    unlike: str = ""
    """Of references: the path of the name, in the resource, of what it has already, which is not offered."""
    apart: Sequence[str] = ()
    """Entries of the row's value that are the API's own, and no text of the form."""
    options: Mapping[str, str] | None = None
    """Of choices: the option that stands for each."""
    said: Callable[[Any], Any] | None = None
    """A value as the command line takes it, where that is not as the API does."""
    blank: str = ""
    """The words of the command line where the field is left empty."""
    keeps: bool = False
    """The command line has no way to empty it."""
    unset: str = ""
    """The command that takes away: the option only adds. Of a text: that empties it. ``-``: there is none."""
    file: str = ""
    """The option names a file, which is to hold the value; the name it gets."""
    into: str = ""
    """Of a file: the field that holds its text when one is chosen."""


OF_PROJECT = {"project_id": "{project}"}


def boots(row: Row) -> bool:
    """Whether an image is more than a kernel or a ramdisk, which others name."""
    return not {row.get("container_format"), row.get("disk_format")} & {"aki", "ari"}


Build = Callable[[Values, Row], Any]
When = Callable[[Row], bool]


@dataclass(frozen=True)
class Action:
    """Something that is done to a resource, or that makes one.

    ``key``: the single key of the body, under which the values lie; without it they are the body.
    ``when``: whether it makes sense for a row (the API decides). ``danger``: asked for once more. ``bulk``: offered
    for several rows. ``quick``: a button without a page of its own. ``command``: its equal on the command line, with
    values of the row and of the form as ``{name}``, or "" where there is none.
    ``secret``: the answer is shown once. ``back``: where one goes after: list, detail. ``special``: done by a
    function of its own.
    """

    name: str
    title: str
    call: str
    key: str = ""
    fields: Sequence[Field] = ()
    build: Build | None = None
    when: When | None = None
    danger: bool = False
    bulk: bool = False
    quick: bool = False
    command: str = ""
    told: Callable[[Values, Row], str] | None = None
    """The whole of the command line, where the fields do not tell it."""
    words: Callable[[Values, Row], Sequence[str]] | None = None
    """What of the command line is of several fields, or of the row."""
    help: str = ""
    secret: str = ""
    back: str = "detail"
    special: str = ""
    spoken: str | None = None
    empty: Any = None
    beside: Build | None = None
    """What stands beside the key in the body."""
    taken: Mapping[str, str] | None = None
    """Places of the path that are values of the row."""
    planned: bool = False
    """Its form has a button that shows what it would do."""

    @property
    def target(self) -> Call:
        return Call.of(self.call)


@dataclass(frozen=True)
class Panel:
    """Rows of another kind on a resource's page. ``query``: what makes them its own, by its ``{id}`` or ``{name}``;
    with a ``limit``, whatever it is, no more are asked for than are shown."""

    kind: str
    query: Mapping[str, str] | None = None
    when: When | None = None


@dataclass(frozen=True)
class Kind:
    """A resource: its list, its page, its forms, its actions.

    ``items`` / ``item``: the key of the list / of one in the API's documents; a list that is bare has ``items`` "".
    ``id``: the field that is its id in paths; ``label``: what it is called. ``search``: the query parameter that
    finds it by name. ``paged``: whether the list takes ``limit`` and ``marker``. ``event``: its type in the stream of
    events; ``follows``: it has none of its own, and changes with others. ``inner``: it has no list in the menu.
    """

    name: str
    title: str
    one: str
    section: str
    listing: str
    items: str
    columns: Sequence[Column]
    showing: str = ""
    item: str = ""
    id: str = "id"
    label: str = "name"
    query: Mapping[str, str] | None = None
    details: Sequence[Column] = ()
    actions: Sequence[Action] = ()
    create: Action | None = None
    panels: Sequence[Panel] = ()
    filters: Sequence[Field] = ()
    narrowed: Sequence[str] = ()
    """Query parameters of the list that other pages lead to it with."""
    search: str = ""
    paged: bool = True
    event: str = ""
    follows: bool = False
    command: str = ""
    empty: str = ""
    inner: bool = False
    admin: bool = False
    status: str = "status"
    brief: str = ""
    """A cheaper list, of ids and names."""
    spread: Callable[[Any], list[Row]] | None = None
    """Makes rows of an answer that is no list of them."""
    gone_to: str = ""
    """The kind whose list stands for this one's, which has none (a rule's group)."""
    others: Sequence[str] = ()
    """Kinds without a list whose forms are offered beside this one's."""
    special: Sequence[tuple[str, str]] = ()
    """(name, title) of pages of its own making on a resource's page (console, log), or (address, title) of others."""

    @property
    def list_call(self) -> Call:
        return Call.of(self.listing)

    @property
    def own(self) -> bool:
        """Whether the project's is meant, which an administrator has to say: the network service lists everybody's."""
        return self.list_call.service == "network" and not (self.admin or self.inner)

    @property
    def finds_parts(self) -> bool:
        """Whether the list is searched by a part of the name: by the API, or here, where it tells all there is."""
        return not self.paged or self.search.endswith("~") or self.list_call.service == "compute"

    @property
    def show_call(self) -> Call | None:
        return Call.of(self.showing) if self.showing else None

    def action(self, name: str) -> Action | None:
        return next((action for action in self.actions if action.name == name), None)


def value_of(row: Any, path: str) -> Any:
    """A value of a document by its path; None where there is none."""
    for name in path.split("/"):
        if isinstance(row, Mapping):
            row = row.get(name)
        elif isinstance(row, Sequence) and not isinstance(row, str) and name.isdigit() and int(name) < len(row):
            row = row[int(name)]
        else:
            return None
    return row


def id_of(kind: Kind, row: Row) -> str:
    """What stands for a row in addresses: its id, or several values of it."""
    return ":".join(str(value_of(row, path) or "") for path in kind.id.split(":"))


def default_of(field: Field, row: Row) -> Any:
    """What a form's field holds before anything is typed."""
    if not (isinstance(field.default, str) and field.default.startswith("=")):
        return field.default
    found = value_of(row, field.default[1:])
    if field.apart and isinstance(found, Mapping):
        return {name: value for name, value in found.items() if name not in field.apart}
    return found


def put_in(document: dict[str, Any], path: str, value: Any) -> None:
    """Set a value of a document by its path."""
    *folders, name = path.split("/")
    for folder in folders:
        document = document.setdefault(folder, {})
    document[name] = value


def states(*wanted: str) -> When:
    """When a row's status is one of these."""
    return lambda row: str(row.get("status", "")).lower() in {one.lower() for one in wanted}


def not_states(*unwanted: str) -> When:
    return lambda row: str(row.get("status", "")).lower() not in {one.lower() for one in unwanted}
