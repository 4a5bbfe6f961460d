"""What becomes an event: each change of a declared table's rows, recorded by the database in the same transaction.

Triggers do it, so that no statement can change a resource and forget to tell. SQLite's are temporary ones of the
writer's connection: the file itself holds no program. PostgreSQL's stand in the database and follow the declarations at
the start of a release.

Both give the triggers four functions: ``tane_at()``, the moment of the transaction; ``tane_asker('user')`` and
``('request')``, who asks; ``tane_is_news(type, id, action, data)``, whether an event tells more than the last one of
the same transaction and resource, since what changes several rows is one event; ``tane_is_untold(type, id)``, whether
there is none yet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Literal, Protocol

from sqlalchemy import JSON, Column, String, Table

from tane.db.documents import Documents

EVENT_TABLE = "event"
TOPIC = "events"
"""Signalled when a transaction with events is durable."""
_COLUMNS = "at, type, action, resource_id, project_id, owner_id, user_id, request_id, data"
_UNIMPORTANT = ("created_at", "updated_at")


class AskedBy(Protocol):
    """On whose behalf something is changed, as a request's context and a job's row say."""

    @property
    def user_id(self) -> str | None: ...
    @property
    def request_id(self) -> str | None: ...


ASKER: ContextVar[Callable[[], AskedBy] | None] = ContextVar("asker", default=None)
"""Tells who asks for what is done now; None for the cloud's own work."""


def asker(what: Literal["user", "request"]) -> str | None:
    """The user's or the request's id of who asks now."""
    ask = ASKER.get()
    if ask is None:
        return None
    by = ask()
    return (by.user_id if what == "user" else by.request_id) or None


@dataclass(frozen=True)
class Source:
    """A table whose rows are resources: a row that comes, changes or goes is an event of ``type``.

    ``project`` and ``owner`` are the columns of the project or user that may see it besides administrators; a row with
    neither is told to these alone. ``shows`` are columns whose new values an event carries: never a secret. A change of
    nothing but ``ignores`` is none. ``gone``: a row counts as deleted from when this column is true.
    """

    table: Table
    type: str
    id: tuple[str, ...] = ("id",)
    project: str | None = "project_id"
    owner: str | None = None
    shows: tuple[str, ...] = ("name", "status")
    ignores: tuple[str, ...] = ()
    gone: str | None = None

    def __post_init__(self) -> None:
        named = (*self.id, *self.ignores, *(name for name in (self.owner, self.gone) if name))
        for name in named:
            if name not in self.table.c:
                raise ValueError(f"{self.type}: table {self.table.name} has no column {name}")


@dataclass(frozen=True)
class Part:
    """A table whose rows belong to one resource of ``whole``, which ``column`` names: a change of theirs is an
    update of the resource. What changes in one transaction is one event as long as it shows the
    same."""

    table: Table
    column: str
    whole: Source


Recorded = Source | Part


class Words(Protocol):
    """What the two databases say differently."""

    json_object: str

    def differ(self, column: Column[object]) -> str:
        """Whether a column's old and new values differ; NULL is a value."""


@dataclass(frozen=True)
class Trigger:
    """``after``: INSERT, UPDATE or DELETE; ``when`` is a condition or empty, ``statement`` an INSERT."""

    table: str
    after: str
    when: str
    statement: str


def triggers(recorded: Sequence[Recorded], words: Words) -> Iterator[Trigger]:
    """The triggers of these declarations."""
    for one in recorded:
        yield from _of_source(one, words) if isinstance(one, Source) else _of_part(one, words)


def _of_source(source: Source, words: Words) -> Iterator[Trigger]:
    table, gone = source.table.name, source.gone and _quoted(source.gone)
    yield Trigger(table, "INSERT", "", _told(source, "'create'", "NEW", words))
    changed = _changed(source.table, (*_UNIMPORTANT, *source.ignores), words)
    if changed:
        still = f" AND NOT OLD.{gone}" if gone else ""
        action = f"CASE WHEN NEW.{gone} THEN 'delete' ELSE 'update' END" if gone else "'update'"
        yield Trigger(table, "UPDATE", f"({changed}){still}", _told(source, action, "NEW", words))
    yield Trigger(table, "DELETE", f"NOT OLD.{gone}" if gone else "", _told(source, "'delete'", "OLD", words))


def _of_part(part: Part, words: Words) -> Iterator[Trigger]:
    whole = part.whole
    changed = _changed(part.table, _UNIMPORTANT, words)
    key = _key(part)
    for after, row, when in (("INSERT", "NEW", ""), ("UPDATE", "NEW", changed), ("DELETE", "OLD", "")):
        if after != "UPDATE" or when:
            column = f"{row}.{_quoted(part.column)}"
            if whole.id == (key,) and isinstance(whole.table.c[key].type, String):
                # A part changes nothing that its whole shows: what has been told of that is all there is to tell.
                when = f"{f'({when}) AND ' if when else ''}tane_is_untold('{whole.type}', {column})"
            named = f"w.{_quoted(key)} = {column}"
            yield Trigger(part.table.name, after, when, _told(whole, "'update'", "w", words, named))


def _key(part: Part) -> str:
    """The column of the whole that the part's names."""
    keys = [key.column.name for key in part.table.c[part.column].foreign_keys]
    return keys[0] if keys else part.whole.id[0]


def _told(source: Source, action: str, row: str, words: Words, named: str = "") -> str:
    """``named``: how the row is found, where it is not the trigger's own."""
    found = f"FROM {_quoted(source.table.name)} AS {row} WHERE {named} AND" if named else "WHERE"
    news = f"tane_is_news('{source.type}', {_resource_id(source, row)}, {action}, {_data(source, row, words)})"
    return (
        f"INSERT INTO {EVENT_TABLE} ({_COLUMNS}) SELECT {', '.join(_values(source, action, row, words))} {found} {news}"
    )


def _values(source: Source, action: str, row: str, words: Words) -> Iterator[str]:
    columns = source.table.c
    project = source.project if source.project and source.project in columns else None
    yield "tane_at()"
    yield f"'{source.type}'"
    yield action
    yield _resource_id(source, row)
    yield f"{row}.{_quoted(project)}" if project else "NULL"
    yield f"{row}.{_quoted(source.owner)}" if source.owner else "NULL"
    yield "tane_asker('user')"
    yield "tane_asker('request')"
    yield _data(source, row, words)


def _data(source: Source, row: str, words: Words) -> str:
    shown = (f"'{name}', {row}.{_quoted(name)}" for name in source.shows if name in source.table.c)
    return f"{words.json_object}({', '.join(shown)})"


def _resource_id(source: Source, row: str) -> str:
    if len(source.id) == 1:
        value = f"{row}.{_quoted(source.id[0])}"
        return value if isinstance(source.table.c[source.id[0]].type, String) else f"CAST({value} AS VARCHAR(255))"
    # Of a key of several columns NULLs are empty: the id is there all the same.
    return " || '/' || ".join(f"COALESCE(CAST({row}.{_quoted(name)} AS VARCHAR(255)), '')" for name in source.id)


def _changed(table: Table, but: Sequence[str], words: Words) -> str:
    return " OR ".join(words.differ(column) for column in table.c if column.name not in but)


def _quoted(name: str) -> str:
    return f'"{name}"'


class SQLiteWords:
    json_object = "json_object"

    def differ(self, column: Column[object]) -> str:
        return f"OLD.{_quoted(column.name)} IS NOT NEW.{_quoted(column.name)}"


class PostgreSQLWords:
    json_object = "json_build_object"

    def differ(self, column: Column[object]) -> str:
        # The type JSON has no equality.
        cast = "::text" if isinstance(column.type, JSON | Documents) else ""
        name = _quoted(column.name)
        return f"OLD.{name}{cast} IS DISTINCT FROM NEW.{name}{cast}"
