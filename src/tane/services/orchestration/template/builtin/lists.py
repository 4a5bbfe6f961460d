"""Functions over lists and maps: merging, repeating, filtering, choosing."""

from __future__ import annotations

import contextlib
import itertools
import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tane.services.orchestration.template import apart
from tane.services.orchestration.template.evaluation import Call, Function, Nested
from tane.services.orchestration.template.reading import parsed
from tane.services.orchestration.template.values import UNKNOWN, TemplateError, holds_unknown

MEMBER = re.compile(r"\.member\.([0-9]+)\.(.*)")


def map_merge(call: Call) -> Any:
    if not isinstance(call.args, Sequence):
        example = f'"{call.name}" : [ {{ "key1": "val1" }}, {{ "key2": "val2" }} ]'
        raise TemplateError(f'Incorrect arguments to "{call.name}" should be: {example}')
    merged: dict[str, Any] = {}
    for one in call.args:
        if one is None:
            continue
        if not isinstance(one, Mapping):
            raise TemplateError(
                "Incorrect arguments: Items to merge must be maps. "
                f"{repr(one)[:200]} is type {type(one)} instead of a dict"
            )
        merged.update(one)
    return merged


def map_replace(call: Call) -> Any:
    example = f'"{call.name}" : [ {{ "key1": "val1" }}, {{"keys": {{"key1": "key2"}}, "values": {{"val1": "val2"}}}}]'
    wrong = f'Incorrect arguments to "{call.name}" should be: {example}'
    given = call.args
    if not isinstance(given, list) or not given:
        raise TemplateError(wrong)
    source, *others = (_map(call.name, one, example) for one in given[:2])
    if len(given) != 2:
        raise TemplateError(wrong)
    replaced = others[0]
    if any(key not in ("keys", "values") for key in replaced):
        raise TemplateError(wrong)
    keys = _map(call.name, replaced.get("keys", {}), example)
    values = _map(call.name, replaced.get("values", {}), example)
    made: dict[Any, Any] = {}
    for old, value in source.items():
        key = keys.get(old)
        if key is None:
            key = old
        elif key in source and key != old:
            raise TemplateError(f"key replacement {key} collides with a key in the input map")
        elif key in made:
            raise TemplateError(f"key replacement {key} collides with a key in the output map")
        made[key] = values.get(value, value) if isinstance(value, str) else _kept(values, value)
    return made


def _kept(values: Mapping[Any, Any], value: Any) -> Any:
    """What stands for a value that is no string: maps have no such keys, but for the author's eyes."""
    return values.get(value, value) if value is None or isinstance(value, int | float) else value


def _map(name: str, value: Any, example: str) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise TemplateError(f'Incorrect arguments: to "{name}", arguments must be a list of maps. Example:  {example}')
    return value


def repeat_shape(name: str, args: Any) -> None:
    if not isinstance(args, Mapping):
        raise TemplateError(f'Arguments to "{name}" must be a map')
    if "for_each" not in args or "template" not in args:
        raise TemplateError(
            '"repeat" syntax should be repeat:\n'
            "              template: This is %var%\n"
            "              for_each:\n"
            "                %var%: ['a', 'b', 'c']"
        )


def repeat_usage(name: str, args: Any) -> None:
    if not isinstance(args["for_each"], Nested | Mapping):
        raise TemplateError(f'The "for_each" argument to "{name}" must contain a map')


def permuting_shape(name: str, args: Any) -> None:
    repeat_shape(name, args)
    if not isinstance(args.get("permutations", True), bool):
        raise TemplateError(f'"permutations" should be boolean type for {name} function.')


def repeating(*, maps: bool, permutations: bool) -> Callable[[Call], Any]:
    """``maps``: whether the keys of a map are gone through, too. ``permutations``: whether the template may ask for
    one round for each element instead of one for each combination."""

    def run(call: Call) -> Any:
        combined = call.raw.get("permutations", True) if permutations else True
        over = call.resolve(call.raw["for_each"], ".for_each")
        if over is UNKNOWN or holds_unknown(over):
            return UNKNOWN
        if not isinstance(over, Mapping):
            raise TemplateError(f'The "for_each" argument to "{call.name}" must contain a map')
        if not over:
            raise TemplateError(f'The "for_each" argument to "{call.name}" must not be empty')
        lists = [_gone_through(call.name, one, maps and combined) for one in over.values()]
        lengths = {len(found) for found, one in zip(lists, over.values(), strict=True) if one is not None}
        if not combined and len(lengths) > 1:
            raise TemplateError(f"For {call.name}, the length of for_each values should be equal if no nested loop.")
        body = call.resolve(call.raw["template"], ".template")
        if holds_unknown(body):
            return UNKNOWN
        rounds = _product(map(len, lists)) if combined else min(map(len, lists))
        call.grow(rounds * _size(body))
        keys = list(over)
        chosen = itertools.product(*lists) if combined else zip(*lists, strict=False)
        return [_replaced(call, body, keys, values) for values in chosen]

    return run


def _gone_through(name: str, value: Any, maps: bool) -> list[Any]:
    if value is None:
        return []
    allowed = Sequence | Mapping if maps else Sequence
    if isinstance(value, str) or not isinstance(value, allowed):
        raise TemplateError(
            f'The values of the "for_each" argument to "{name}" must be lists{" or maps" if maps else ""}'
        )
    return list(value)


def _product(lengths: Any) -> int:
    made = 1
    for length in lengths:
        made *= length
    return made


def _size(value: Any) -> int:
    """Characters and values in it."""
    if isinstance(value, str):
        return 1 + len(value)
    if isinstance(value, Mapping):
        return 1 + sum(_size(key) + _size(item) for key, item in value.items())
    if isinstance(value, list | tuple):
        return 1 + sum(map(_size, value))
    return 1


def _replaced(call: Call, body: Any, keys: Sequence[str], values: Sequence[Any]) -> Any:
    if isinstance(body, str):
        for key, value in zip(keys, values, strict=True):
            if not isinstance(value, str):
                raise TemplateError(f"replace() argument 2 must be str, not {_python(value)}")
            call.work(len(body))
            if not key or key in body:
                grown = (body.count(key) if key else len(body) + 1) * len(value)
                call.grow(grown)
                body = body.replace(key, value)
        return body
    if isinstance(body, list | tuple):
        return [_replaced(call, item, keys, values) for item in body]
    if isinstance(body, Mapping):
        return {_replaced(call, key, keys, values): _replaced(call, item, keys, values) for key, item in body.items()}
    return body


def _python(value: Any) -> str:
    return "None" if value is None else type(value).__name__


def concatenating(*, unique: bool) -> Callable[[Call], Any]:
    def run(call: Call) -> Any:
        given = call.args
        if isinstance(given, str) or not isinstance(given, Sequence):
            example = f'"{call.name}" : [ [ <value 1>, <value 2> ], [ <value 3>, <value 4> ] ]'
            raise TemplateError(f'Incorrect arguments to "{call.name}" should be: {example}')
        made: list[Any] = []
        for one in given:
            if one is None:
                continue
            if isinstance(one, str) or not isinstance(one, Sequence):
                raise TemplateError(
                    "Incorrect arguments: Items to concat must be lists. "
                    f"{json.dumps(given)} contains an item that is not a list: {json.dumps(one)}"
                )
            made.extend(one)
        return _once(made) if unique else made

    return run


def _once(items: Sequence[Any]) -> list[Any]:
    """Each of equal items once, the first."""
    seen = set()
    made = []
    for item in items:
        key = frozen(item)
        if key not in seen:
            seen.add(key)
            made.append(item)
    return made


def frozen(value: Any) -> str:
    """A text that is the same where values are equal. No one can foresee its hash, as he can those of numbers, of which
    many would have the same."""
    if isinstance(value, Mapping):
        return "{" + ",".join(sorted(f"{frozen(key)}:{frozen(item)}" for key, item in value.items())) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(frozen, value)) + "]"
    whole = isinstance(value, bool) or (isinstance(value, float) and value.is_integer())
    return json.dumps(int(value) if whole else value)


def filter_shape(name: str, args: Any) -> None:
    if isinstance(args, str) or not isinstance(args, Sequence):
        raise TemplateError(f'Argument to "{name}" must be a list')
    if len(args) != 2:
        raise TemplateError(
            f'"{name}" expected 2 arguments of the form [values, sequence] but got {len(args)} arguments instead'
        )


def filtering(call: Call) -> Any:
    sequence = call.resolve(call.raw[1], "[1]")
    if sequence is UNKNOWN or holds_unknown(sequence):
        return UNKNOWN
    if not sequence:
        return sequence
    if not isinstance(sequence, list):
        raise TemplateError(f'"{call.name}" only works with lists')
    values = call.resolve(call.raw[0], "[0]")
    if values is UNKNOWN or holds_unknown(values):
        return UNKNOWN
    if not values:
        return sequence
    if not isinstance(values, list):
        raise TemplateError(f'"{call.name}" filters a list of values')
    unwanted = {frozen(one) for one in values}
    return [one for one in sequence if frozen(one) not in unwanted]


def contains_shape(name: str, args: Any) -> None:
    if not args or not isinstance(args, list):
        raise TemplateError(f'Incorrect arguments to "{name}" should be: "{name}" : [ "value1", [ "value1", "value2"]]')
    if len(args) != 2:
        raise TemplateError(f'Arguments to "{name}" must be of the form: [value1, [value1, value2]]')


def contains(call: Call) -> Any:
    value, sequence = call.resolve(call.raw[0], "[0]"), call.resolve(call.raw[1], "[1]")
    if UNKNOWN in (value, sequence) or holds_unknown(value) or holds_unknown(sequence):
        return UNKNOWN
    if not isinstance(sequence, Sequence):
        raise TemplateError(f'Second argument to "{call.name}" should be a sequence.')
    return value in sequence


def select_shape(name: str, args: Any) -> None:
    if not isinstance(args, list) or len(args) != 2:
        raise TemplateError(f'Arguments to "{name}" must be of the form [index, collection]')


def select_one(call: Call) -> Any:
    index, items = call.resolve(call.raw[0], "[0]"), call.resolve(call.raw[1], "[1]")
    if index is UNKNOWN or items is UNKNOWN:
        return UNKNOWN
    if items == "":
        return ""
    if isinstance(items, str):
        try:
            items = parsed(items)
        except (ValueError, RecursionError) as error:
            raise TemplateError(f'"{call.name}": {error}') from None
    if isinstance(items, Mapping):
        if not isinstance(index, str):
            raise TemplateError(f'Index to "{call.name}" must be a string')
        return items.get(index, "")
    with contextlib.suppress(ValueError, TypeError, OverflowError):
        index = int(index)
    if isinstance(items, Sequence) and not isinstance(items, str):
        if not isinstance(index, int):
            raise TemplateError(f'Index to "{call.name}" must be an integer')
        try:
            return items[index]
        except IndexError:
            return ""
    if items is None:
        return ""
    raise TemplateError(f"Arguments to {call.name} not fully resolved")


def members_shape(name: str, args: Any) -> None:
    if not isinstance(args, list) or len(args) != 3:
        correct = " {'Fn::MemberListToMap': ['Name', 'Value', ['.member.0.Name=key', '.member.0.Value=door']]} "
        raise TemplateError(f'Wrong Arguments try: "{correct}"')
    for what, one in (("Key", args[0]), ("Value", args[1])):
        if not isinstance(one, str):
            raise TemplateError(f"{name} {what} Name must be a string")


def members_to_map(call: Call) -> Any:
    """``.member.N.key=value`` strings as a map, as the query API of AWS writes lists."""
    key_name, value_name, members = call.args
    if not isinstance(members, Sequence | Mapping):
        raise TemplateError("Member list must be a list")
    found: dict[int, dict[str, str]] = {}
    for member in members:
        if not isinstance(member, str):
            raise TemplateError("Member list items must be strings")
        left, equals, value = member.partition("=")
        if not equals:
            raise TemplateError(f'Member list items must be of the form key=value: "{member}" is not')
        match = MEMBER.match(left)
        if match is not None:
            found.setdefault(int(match[1][:9]), {})[match[2]] = value
    entries = [found[number] for number in sorted(found)]
    return {one[key_name]: one[value_name] for one in entries if key_name in one and value_name in one}


def yaql_shape(name: str, args: Any) -> None:
    if not isinstance(args, Mapping):
        raise TemplateError(f'Arguments to "{name}" must be a map.')
    if "expression" not in args or set(args) - {"expression", "data"}:
        raise TemplateError(
            f'"{name}" syntax should be {name}:\n'
            "              expression: $.data.var1.sum()\n"
            "              data:\n"
            "                var1: [3, 2, 1]"
        )
    if not isinstance(args["expression"], Nested) and not isinstance(args["expression"], str):
        raise TemplateError(f'The "expression" argument to {name} must contain a string.')


def yaql(call: Call) -> Any:
    expression = call.resolve(call.raw["expression"], ".expression")
    data = call.resolve(call.raw.get("data", {}), ".data")
    if expression is UNKNOWN or data is UNKNOWN or holds_unknown(data):
        return UNKNOWN
    if not isinstance(expression, str):
        raise TemplateError(f'The "expression" argument to {call.name} must contain a string.')
    return apart.query(expression, data)


MAP_MERGE = Function("A function for merging maps.", map_merge)
MAP_REPLACE = Function("A function for performing substitutions on maps.", map_replace)
WORDS = "A function for iterating over a list of items"
REPEAT = Function(f"{WORDS}.", repeating(maps=False, permutations=False), repeat_shape, lazy=True, usage=repeat_usage)
REPEAT_MAP = Function(
    f"{WORDS} or a dict of keys.", repeating(maps=True, permutations=False), repeat_shape, lazy=True, usage=repeat_usage
)
REPEAT_PERMUTED = Function(
    f"{WORDS} or a dict of keys.",
    repeating(maps=True, permutations=True),
    permuting_shape,
    lazy=True,
    usage=repeat_usage,
)
LIST_CONCAT = Function("A function for extending lists.", concatenating(unique=False))
LIST_CONCAT_UNIQUE = Function("A function for extending lists with unique items.", concatenating(unique=True))
FILTER = Function("A function for filtering out values from lists.", filtering, filter_shape, lazy=True)
CONTAINS = Function(
    "A function for checking whether specific value is in sequence.", contains, contains_shape, lazy=True
)
SELECT = Function("A function for selecting an item from a list or map.", select_one, select_shape, lazy=True)
MEMBERS_TO_MAP = Function(
    "A function to convert lists with enumerated keys and values to mapping.", members_to_map, members_shape
)
YAQL = Function("A function for executing a yaql expression.", yaql, yaql_shape, lazy=True)
