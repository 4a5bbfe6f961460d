"""Every string that a body of a request may hold, found in the schemas, and strings of their patterns."""

from __future__ import annotations

import importlib
import importlib.util
import re
import re._constants as sre
import re._parser as parser
import types
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import msgspec

from tane.app import SERVICES

UNIONS = (typing.Union, types.UnionType)


@dataclass(frozen=True)
class Field:
    """A place for a string in a body: a field of a struct, what a list of it holds, the keys or values of a dict."""

    service: str
    struct: str
    name: str
    """The field's name; with ``[]`` behind it what it holds, with ``{}`` the keys of it."""
    kind: Any

    @property
    def place(self) -> str:
        return f"{self.service}.{self.struct}.{self.name}"

    @property
    def pattern(self) -> str | None:
        return next((meta.pattern for meta in metas(self.kind) if meta.pattern is not None), None)

    def accepts(self, text: str) -> bool:
        try:
            msgspec.convert(text, self.kind)
        except msgspec.ValidationError:
            return False
        return True


def metas(hint: Any) -> list[msgspec.Meta]:
    return [extra for extra in get_args(hint)[1:] if isinstance(extra, msgspec.Meta)] if is_annotated(hint) else []


def is_annotated(hint: Any) -> bool:
    return get_origin(hint) is Annotated


def structs() -> list[tuple[str, type[msgspec.Struct]]]:
    """Of every route, of every ``schemas`` module, and what these hold."""
    found: dict[type[msgspec.Struct], str] = {}
    waiting: list[tuple[str, Any]] = []
    for service in SERVICES:
        waiting += [(service.name, route.body) for route in service.routes if route.body is not None]
        place = f"tane.services.{service.name}.schemas"
        # A second API of a service has no folder of its own.
        own_folder = importlib.util.find_spec(f"tane.services.{service.name}") is not None
        if not own_folder or importlib.util.find_spec(place) is None:
            assert not any(route.body for route in service.routes), "bodies have their schemas in their place"
            continue
        module = importlib.import_module(place)
        own = [
            value for value in vars(module).values() if isinstance(value, type) and issubclass(value, msgspec.Struct)
        ]
        waiting += [(service.name, one) for one in own if one.__module__ == module.__name__]
    while waiting:
        name, struct = waiting.pop()
        if struct not in found:
            found[struct] = name
            waiting += [
                (name, inner)
                for hint in get_type_hints(struct, include_extras=True).values()
                for inner in _structs(hint)
            ]
    return sorted(((name, struct) for struct, name in found.items()), key=lambda pair: (pair[0], pair[1].__name__))


def _structs(hint: Any) -> Iterator[type[msgspec.Struct]]:
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        yield hint
    for inner in get_args(hint):
        if not isinstance(inner, msgspec.Meta):
            yield from _structs(inner)


def fields() -> list[Field]:
    found: dict[str, Field] = {}
    for service, struct in structs():
        hints = get_type_hints(struct, include_extras=True)
        for name, sent in zip(struct.__struct_fields__, struct.__struct_encode_fields__, strict=True):
            for field in _strings(service, struct.__name__, sent, hints[name]):
                found.setdefault(f"{field.place} {field.kind}", field)
    return list(found.values())


def _strings(service: str, struct: str, name: str, hint: Any) -> Iterator[Field]:
    inner = get_args(hint)[0] if is_annotated(hint) else hint
    origin = get_origin(inner)
    if inner is str or inner is Any:
        yield Field(service, struct, name, hint)
    elif is_annotated(hint) and inner is not str:
        yield from _strings(service, struct, name, inner)
    elif origin in UNIONS:
        for part in get_args(inner):
            yield from _strings(service, struct, name, part)
    elif origin is dict or inner is dict:
        key, value = get_args(inner) or (Any, Any)
        yield from _strings(service, struct, f"{name}{{}}", key)
        yield from _strings(service, struct, f"{name}[]", value)
    elif origin in (list, tuple) or inner in (list, tuple):
        for part in get_args(inner) or (Any,):
            if part is not Ellipsis:
                yield from _strings(service, struct, f"{name}[]", part)


def example(pattern: str) -> str:
    """A string that a pattern matches."""
    text = _example(parser.parse(pattern))
    assert re.search(pattern, text), (pattern, text)
    return text


def _example(parts: Any) -> str:
    return "".join(_one(operation, argument) for operation, argument in parts)


def _one(operation: Any, argument: Any) -> str:
    if operation in (sre.AT, sre.ASSERT, sre.ASSERT_NOT):
        return ""
    if operation is sre.LITERAL:
        return chr(argument)
    if operation is sre.NOT_LITERAL or operation is sre.ANY:
        return "a"
    if operation is sre.IN:
        return _of_class(argument)
    if operation is sre.SUBPATTERN:
        return _example(argument[3])
    if operation is sre.BRANCH:
        return _example(argument[1][0])
    if operation in (sre.MAX_REPEAT, sre.MIN_REPEAT):
        least, _, inner = argument
        return _example(inner) * max(least, 1)
    raise NotImplementedError(str(operation))


def _of_class(items: Any) -> str:
    """A character of a class, a letter or a digit if there is one."""
    allowed = re.compile("[" + _class(items) + "]")
    return next(c for c in "a0A1" + "".join(map(chr, range(33, 127))) if allowed.match(c))


CATEGORIES = {
    sre.CATEGORY_DIGIT: r"\d",
    sre.CATEGORY_NOT_DIGIT: r"\D",
    sre.CATEGORY_SPACE: r"\s",
    sre.CATEGORY_NOT_SPACE: r"\S",
    sre.CATEGORY_WORD: r"\w",
    sre.CATEGORY_NOT_WORD: r"\W",
}


def _class(items: Any) -> str:
    text = ""
    for operation, argument in items:
        if operation is sre.NEGATE:
            text += "^"
        elif operation is sre.LITERAL:
            text += re.escape(chr(argument))
        elif operation is sre.RANGE:
            text += f"{re.escape(chr(argument[0]))}-{re.escape(chr(argument[1]))}"
        else:
            text += CATEGORIES[argument]
    return text
