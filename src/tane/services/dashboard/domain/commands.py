"""Commands: the lines of a shell that do what a form does, made of its table."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from tane.services.dashboard.domain.describing import Action, Field, Row, Values, default_of
from tane.services.dashboard.domain.forms import Operand, cleared, line, operand, option, quoted

PLACE = re.compile(r"{(\w+)}")


def command(action: Action, found: Values, ids: Mapping[str, str], row: Row, *, typed: bool = False) -> str:
    """The command that does the same; "" where there is none. What is not known yet is shown as ``<name>``.

    Several lines where it takes several: what the client wants as a file is written before, what its options only add
    to is taken away before. ``typed``: with what a form holds, so that what was left empty and need not be there is
    left out.
    """
    if not action.command:
        return ""
    begun = opened(action, row)
    needed = {field.name: begun[field.name] for field in action.fields if field.required and field.name in begun}
    values = {**needed, **cleared(action, found, row)} if typed else {**begun, **found}
    if action.told is not None:
        return action.told(values, {**row, **{name: value for name, value in ids.items() if value}})
    places = {**_texts(row), **_texts(found), **ids}
    before = [_written(field, values[field.name]) for field in action.fields if field.file and found.get(field.name)]
    taking = [text for field in action.fields if typed and (text := _taking(field, values, row, places))]
    words = [word for field in action.fields for word in _words(field, found, values, row, typed=typed) if word]
    words += action.words(values, row) if action.words is not None else []
    if taking and not words:
        return "\n".join(taking)
    return "\n".join([*before, *taking, line([*filled(action.command, places), *words])])


def opened(action: Action, row: Row) -> Values:
    """What a form sends as it is opened; for what has to be typed stands its name."""
    values: Values = {}
    for field in action.fields:
        value = default_of(field, row)
        if field.kind == "bool":
            values[field.name] = _yes(value)
        elif value not in (None, "", [], {}):
            values[field.name] = value
        elif field.required:
            several = field.kind in ("refs", "list", "lines")
            values[field.name] = field.choices[0][0] if field.choices else _many(f"<{field.name}>", several)
    return values


def unsaid(action: Action, found: Values, row: Row) -> list[Field]:
    """The fields of a filled form that its command says nothing of: for those the request is the truth."""
    if not action.command or action.told is not None:
        return []
    values, placed = cleared(action, found, row), PLACE.findall(action.command)
    asked = [field for field in action.fields if field.name in values and field.name not in placed]
    return [field for field in asked if _silent(field, values[field.name], row)]


def _silent(field: Field, value: Any, row: Row) -> bool:
    if isinstance(value, bool):
        return value != _yes(default_of(field, row)) and not (field.option if value else field.off or field.option)
    if value in ("", [], {}):
        return field.keeps or field.unset == "-"
    if field.unset == "-" and _gone(field, value, row):
        return True
    return not field.option and field.kind != "file"


def _words(field: Field, found: Values, values: Values, row: Row, *, typed: bool) -> Sequence[str]:
    """What a field adds to the command."""
    name = field.name
    if field.kind == "bool":
        return [_switch(field, values.get(name, _yes(default_of(field, row))))]
    if field.option in ("", "+"):
        return []
    if name not in found and (field.required or not typed):
        return _opening(field, values)
    if name not in values:
        return [field.blank]
    if field.kind == "password":
        return [field.option if field.option.endswith("-prompt") else f"{field.option} <{name}>"]
    if field.file and found.get(name):
        return [f"{field.option} {field.file}"]
    if values[name] in ("", [], {}):
        alone = field.blank or field.keeps or field.unset or field.kind in ("list", "refs", "lines", "pairs")
        return [field.blank] if alone else [option(field.option, "")]
    value = _new(field, values[name], row) if field.unset else values[name]
    return _options(field, field.said(value) if field.said is not None else value)


def _opening(field: Field, values: Values) -> Sequence[str]:
    """What a field adds before anything is typed."""
    if field.folded or "{}" in field.option:
        return []
    if field.options is not None:
        return [field.options[values[field.name]]] if field.required else []
    if field.kind == "password" and field.option.endswith("-prompt"):
        return [field.option]
    return [f"<{field.name}>" if field.option == "-" else f"{field.option} <{field.name}>"]


def _switch(field: Field, on: bool) -> str:
    return field.option if on and field.option != "+" else "" if on else field.off


def _options(field: Field, value: Any) -> Sequence[str]:
    if field.options is not None:
        return [field.options[str(value)]]
    if "{}" in field.option:
        name, _, place = field.option.rpartition(" ")
        joined = ",".join(value) if isinstance(value, list) else value
        return [option(name, joined) if place == "{}" else field.option.format(quoted(joined))]
    if field.option == "-":
        return [operand(value)]
    return [option(field.option, one) for one in several(value)]


def several(value: Any) -> list[str]:
    """A value as the texts of an option that may be repeated."""
    if isinstance(value, dict):
        return [f"{name}={inner}" for name, inner in value.items()]
    return [str(one) for one in value] if isinstance(value, list) else [str(value)]


def _many(text: str, several: bool) -> Any:
    return [text] if several else text


def _yes(value: Any) -> bool:
    return str(value or "").lower() == "true"


def _new(field: Field, value: Any, row: Row) -> Any:
    """Of several entries those that the row has not."""
    had = default_of(field, row) or {}
    if isinstance(value, dict):
        return {name: text for name, text in value.items() if had.get(name) != text}
    return [one for one in value if one not in had] if isinstance(value, list) else value


def _gone(field: Field, value: Any, row: Row) -> list[str]:
    """Of several entries those that the form has no more."""
    had = default_of(field, row)
    return [str(one) for one in had if one not in value] if isinstance(had, list | dict) else []


def _taking(field: Field, values: Values, row: Row, places: Mapping[str, str]) -> str:
    """The command that takes away what is there and is no more to be."""
    if field.unset in ("", "-") or field.name not in values:
        return ""
    begin, _, name = field.unset.rpartition(" ")
    if isinstance(values[field.name], str):
        return line(filled(field.unset, places)) if values[field.name] == "" else ""
    gone = _gone(field, values[field.name], row)
    return line([*filled(begin, places), *(option(name, one) for one in gone)]) if gone else ""


def _written(field: Field, text: str) -> str:
    """The command that writes a text to a file as it is: a shell's own quotes need no end word, and no last newline."""
    return f"printf %s {quoted(text)} > {field.file}"


def _texts(values: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in values.items() if isinstance(value, str | int) and value != ""}


def filled(text: str, ids: Mapping[str, str]) -> list[str]:
    """The words of a command, with what is known of ``{name}`` in them."""
    words: list[str] = []
    for word in text.split(" "):
        name = word[1:-1] if re.fullmatch(r"{\w+}", word) else ""
        told = PLACE.sub(lambda match: quoted(ids[match[1]]) if ids.get(match[1]) else f"<{match[1]}>", word)
        if name and ids.get(name) and words and words[-1].startswith("--"):
            words[-1] = option(words[-1], ids[name])
        else:
            words.append(Operand(told) if word.startswith("{") else told)
    return words
