"""Forms: what a call's schema says of a field, and what a form's texts are as a body."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec
from msgspec import inspect as schema

from tane.core import Core
from tane.services.dashboard.domain.describing import Action, Call, Field, Row, Values, put_in, value_of
from tane.web import inside
from tane.web.errors import BadRequest, NotFound

Given = Mapping[str, Sequence[str]]
MOST_LINES = 1000


@dataclass(frozen=True)
class Input:
    """A field as a form shows it."""

    field: Field
    kind: str
    required: bool
    longest: int | None = None
    least: int | None = None
    most: int | None = None
    choices: Sequence[tuple[str, str]] = ()


def body_type(core: Core, action: Action) -> Any:
    """The schema of what lies under the action's key; None where the call has none."""
    call = action.target
    try:
        sample = {action.key: None} if call.path.endswith("/action") else None
        route = inside.route_of(core, call.service, call.method, call.at({}), sample)
    except NotFound:
        return None
    if route.body is None:
        return None
    found = _looked_into(route.body)
    if action.key and isinstance(found, schema.StructType):
        inner = next((one.type for one in found.fields if one.encode_name == action.key), None)
        return _struct(inner)
    return found


@functools.cache
def _looked_into(body: Any) -> Any:
    """There are as many as routes, and each takes a millisecond."""
    return schema.type_info(body)


def _struct(found: Any) -> Any:
    """The struct in a type, past what may stand beside it (None, unset)."""
    found = _bare(found)
    if isinstance(found, schema.UnionType):
        return next((one for one in map(_bare, found.types) if isinstance(one, schema.StructType)), None)
    return found if isinstance(found, schema.StructType) else None


def _bare(found: Any) -> Any:
    while isinstance(found, schema.Metadata):
        found = found.type
    return found


def inputs(core: Core, action: Action) -> list[Input]:
    """The fields of an action, with what the schema says of them."""
    body = body_type(core, action)
    known = {one.encode_name: one for one in body.fields} if isinstance(body, schema.StructType) else {}
    return [_input(field, known.get(field.to or field.name)) for field in action.fields]


def _input(field: Field, known: Any) -> Input:
    found = Input(field, field.kind or "text", field.required, choices=field.choices)
    if known is None:
        return found
    types = [_bare(known.type)]
    if isinstance(types[0], schema.UnionType):
        types = [_bare(one) for one in types[0].types]
    for one in types:
        if isinstance(one, schema.StrType):
            found = replace(found, longest=one.max_length)
        elif isinstance(one, schema.IntType) and not any(isinstance(other, schema.StrType) for other in types):
            found = replace(found, kind=field.kind or "number", least=one.ge, most=one.le)
        elif isinstance(one, schema.BoolType) and not field.kind:
            found = replace(found, kind="bool")
        elif isinstance(one, schema.LiteralType) and not field.choices and not field.kind and len(types) == 1:
            found = replace(found, kind="choice", choices=[(str(value), str(value)) for value in one.values])
    # A list that may be empty is emptied by an empty field.
    some = all(not isinstance(one, schema.ListType | schema.DictType) or one.min_length for one in types)
    required = field.required or (known.required and some and not isinstance(_bare(known.type), schema.NoneType))
    return replace(found, required=required and found.kind != "bool")


def values(fields: Sequence[Input], given: Given) -> Values:
    """What a form's texts mean. What was left empty is left out.

    :raises BadRequest: a field that must be there is not, or is no number, and so on.
    """
    found: Values = {}
    for one in fields:
        field, texts = one.field, [text for text in given.get(one.field.name, ()) if text != ""]
        if one.kind == "bool":
            found[field.name] = bool(texts)
        elif texts:
            found[field.name] = _value(one.kind, field, texts)
        elif one.required and one.kind != "file":
            raise BadRequest(f"{field.name}: a value is required.")
    return found


BLAMES = (
    re.compile(r"([\w:.-]+): "),
    re.compile(r"[Ii]nvalid input for (?:field/attribute )?([\w:.-]+?)\."),
    re.compile(r"'([\w:.-]+)' is a required property"),
    re.compile(r"[Pp]arameter '([\w:.-]+)'"),
)
"""How a refusal names the field that it is about."""


def blamed(fields: Sequence[Input], message: str) -> set[str]:
    """The names of a form's fields that a refusal is about; none where it does not say."""
    message = message[:1000]
    found = [match[1].rpartition(".")[2] for pattern in BLAMES if (match := pattern.match(message))]
    found += [match[1].rpartition(".")[2] for pattern in BLAMES[1:] if (match := pattern.search(message))]
    return {one.field.name for one in fields if {one.field.name, one.field.to.rpartition("/")[2]} & set(found)}


def stand_in(one: Input) -> Any:
    """What stands for a value that is not typed yet."""
    if one.kind == "pairs":
        return {}
    return [f"<{one.field.name}>"] if one.kind in ("refs", "list", "lines") else f"<{one.field.name}>"


def _value(kind: str, field: Field, texts: Sequence[str]) -> Any:
    text = texts[0]
    if kind == "number":
        if not re.fullmatch(r"-?[0-9]{1,18}", text.strip()):
            raise BadRequest(f"{field.name}: '{text[:100]}' is not a whole number.")
        return int(text)
    if kind == "refs":
        return list(texts)
    if kind == "lines":
        return [line.strip() for line in text.splitlines()[:MOST_LINES] if line.strip()]
    if kind == "list":
        return [part.strip() for part in text.split(",")[:MOST_LINES] if part.strip()]
    if kind == "pairs":
        return _pairs(field, text)
    if kind == "area":
        return text.replace("\r\n", "\n")
    return text if kind == "password" else text.strip()


def _pairs(field: Field, text: str) -> dict[str, str]:
    found = {}
    for line in text.splitlines()[:MOST_LINES]:
        if line.strip():
            name, equals, value = line.partition("=")
            if not equals:
                raise BadRequest(f"{field.name}: '{line[:100]}' is not of the form name=value.")
            found[name.strip()] = value.strip()
    return found


def body(action: Action, found: Values, row: Row) -> Any:
    """The body of the call; None where it takes none."""
    if action.build is not None:
        inner = action.build(found, row)
    elif action.fields:
        inner = {}
        for field in action.fields:
            if field.to != "-" and field.name in found:
                put_in(inner, field.to or field.name, found[field.name])
    else:
        inner = action.empty
    if action.key:
        return {action.key: inner, **(action.beside(found, row) if action.beside is not None else {})}
    return inner


def cleared(action: Action, found: Values, row: Row) -> Values:
    """What a change says, with what it empties: a field that held something and was left empty."""
    more: Values = {}
    for field in action.fields:
        if field.name in found or not (isinstance(field.default, str) and field.default.startswith("=")):
            continue
        if value_of(row, field.default[1:]) and field.kind in EMPTY:
            more[field.name] = EMPTY[field.kind]()
    return {**found, **more}


EMPTY: Mapping[str, Callable[[], Any]] = {
    "": str,
    "text": str,
    "list": list,
    "refs": list,
    "lines": list,
    "pairs": dict,
}


def places(action: Action, found: Values) -> dict[str, str]:
    """The values of a form that stand in the path of the call."""
    return {field.name: str(found[field.name]) for field in action.fields if field.name in found}


def ways(action: Action, found: Values, row: Row, resource_id: str, inner: str = "") -> dict[str, str]:
    """All that stands in the path of the call; ``inner``: what the resource is a part of, where the address does not
    say it."""
    taken = {name: str(value_of(row, path) or "-") for name, path in (action.taken or {}).items()}
    within = {"in": inner} if inner else {}
    return {"id": resource_id or "-", **within, **places(action, found), **taken}


def quoted(value: Any) -> str:
    """A word of a shell's command line."""
    text = str(value)
    if re.fullmatch(r"[\w.,:/@%+=-]+", text):
        return text
    return "'" + text.replace("'", "'\\''") + "'"


class Operand(str):
    """A quoted value that stands for itself in a command, not behind an option."""

    __slots__ = ()


def operand(value: Any) -> Operand:
    """A value for :func:`line`, which takes care that none is read as an option."""
    return Operand(quoted(value))


def option(name: str, value: Any) -> str:
    """An option with its value; one that begins with a dash is tied to it, else it were an option itself."""
    return f"{name}{'=' if str(value).startswith('-') else ' '}{quoted(value)}"


def line(words: Iterable[str]) -> str:
    """The words of a command. Names are other people's choice: where one begins with a dash, all operands come last,
    behind the ``--`` after which nothing is an option (POSIX, utility syntax guideline 10)."""
    kept = [word for word in words if word]
    operands = [word for word in kept if isinstance(word, Operand)]
    if not any(word.lstrip("'").startswith("-") for word in operands):
        return " ".join(kept)
    return " ".join([*(word for word in kept if not isinstance(word, Operand)), "--", *operands])


def known(resource_id: str) -> str:
    """An id as the command line takes it: of a stack, whose address is its name and id, the id."""
    return resource_id.rpartition(":")[2] if re.fullmatch(r"[^:]+:[0-9a-f-]{36}", resource_id) else resource_id


JSON_PATCH = "application/openstack-images-v2.1-json-patch"


def content_type(call: Call) -> str:
    """Of the body of a call."""
    return JSON_PATCH if call.service == "image" and call.method == "PATCH" else "application/json"


def curl(base: str, prefix: str, call: Call, path: str, content: Any, spoken: str = "") -> str:
    """The same as a plain request. The token stays in the caller's own shell. ``spoken``: the service's type and the
    microversion, as the header has them."""
    parts = [f"curl -X {call.method} {quoted(base + prefix + path)}", '-H "X-Auth-Token: $OS_TOKEN"']
    if spoken:
        parts.append(f"-H {quoted(f'OpenStack-API-Version: {spoken}')}")
    if content is not None:
        text = msgspec.json.encode(content).decode()
        parts.append(f"-H {quoted(f'Content-Type: {content_type(call)}')} -d {quoted(text)}")
    return " ".join(parts)
