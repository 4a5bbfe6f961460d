"""Functions that make strings: replacing, joining, splitting, digests, URLs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode, urlunsplit

from tane.services.orchestration.template.evaluation import Call, Function, Nested
from tane.services.orchestration.template.values import UNKNOWN, TemplateError, holds_unknown

URL_PARTS = ("scheme", "username", "password", "host", "port", "path", "query", "fragment")
AWS_REPLACE = (
    'Incorrect arguments to "{0}" should be: {{"{0}": [ {{"$var1": "foo", "%var2%": "bar"}}, "$var1 is %var2%"]}}'
)


def replace_shape(name: str, args: Any) -> None:
    if not isinstance(args, Mapping):
        raise TemplateError(f'Arguments to "{name}" must be a map')
    if "params" not in args or "template" not in args:
        raise TemplateError(
            f'"{name}" syntax should be {name}:\n'
            "              template: This is var1 template var2\n"
            "              params:\n"
            "                var1: a\n"
            "                var2: string"
        )
    _params_shape(name, args["params"])


def _params_shape(name: str, params: Any) -> None:
    if not isinstance(params, Nested) and not isinstance(params, Mapping):
        raise TemplateError(f'"{name}" parameters must be a mapping')


def aws_replace_shape(name: str, args: Any) -> None:
    if not isinstance(args, list) or len(args) != 2:
        raise TemplateError(AWS_REPLACE.format(name))
    _params_shape(name, args[0])


def _plain(name: str, key: str, value: Any) -> str:
    """The text of a replacement where only scalars are taken."""
    if value is None:
        return ""
    if not isinstance(value, str | int | float):
        raise TemplateError(f'"{name}" params must be strings or numbers, param {key} is not valid')
    return str(value)


def _json(name: str, key: str, value: Any) -> str:
    """The text of a replacement where maps and lists are written as JSON."""
    if isinstance(value, Mapping | list | tuple):
        return dumped(value)
    return _plain(name, key, value)


def _some(name: str, key: str, value: Any) -> str:
    """The same, where it may not be empty."""
    empty = value is None or (isinstance(value, Mapping | list | tuple) and not value)
    text = "" if empty else _json(name, key, value)
    if not text:
        raise TemplateError(
            f"{name} has an undefined or empty value for param {key}, must be a defined non-empty value"
        )
    return text


def replacing(text_of: Callable[[str, str, Any], str], *, strict: bool = False, aws: bool = False) -> Any:
    def run(call: Call) -> Any:
        if aws:
            template, params = call.resolve(call.raw[1], "[1]"), call.resolve(call.raw[0], "[0]")
        else:
            template = call.resolve(call.raw["template"], ".template")
            params = call.resolve(call.raw["params"], ".params")
        if template is UNKNOWN or params is UNKNOWN or holds_unknown(params):
            return UNKNOWN
        if not isinstance(template, str):
            raise TemplateError(f'"{call.name}" template must be a string')
        if not isinstance(params, Mapping):
            raise TemplateError(f'"{call.name}" params must be a map')
        return _replaced(call, template, params, text_of, strict)

    return run


def _replaced(
    call: Call, template: str, params: Mapping[str, Any], text_of: Callable[[str, str, Any], str], strict: bool
) -> str:
    """Longer keys first, of equal ones the smaller; what was put in is not looked at again."""
    pieces: list[str | None] = [template]
    texts: list[str] = []
    which: list[int] = []  # For each gap between pieces the text that fills it.
    missing = []
    for number, key in enumerate(sorted(sorted(params), key=len, reverse=True)):
        texts.append(text_of(call.name, key, params[key]))
        call.work(len(template) + len(pieces))
        split: list[str | None] = []
        filled: list[int] = []
        for index, piece in enumerate(pieces):
            assert piece is not None
            parts = piece.split(key)
            split += parts
            filled += [number] * (len(parts) - 1)
            if index < len(which):
                filled.append(which[index])
        if len(split) == len(pieces):
            missing.append(key)
        pieces, which = split, filled
    if strict and missing:
        raise TemplateError(f"The following params were not found in the template: {','.join(missing)}")
    call.grow(sum(len(texts[number]) for number in which))
    made: list[str] = []
    for index, piece in enumerate(pieces):
        made.append(piece or "")
        if index < len(which):
            made.append(texts[which[index]])
    return "".join(made)


def dumped(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def join_shape(name: str, args: Any) -> None:
    if not isinstance(args, list) or len(args) != 2:
        raise TemplateError(f'Incorrect arguments to "{name}" should be: "{name}" : [ " ", [ "str1", "str2"]]')


def joins_shape(name: str, args: Any) -> None:
    if not isinstance(args, list) or len(args) < 2:
        raise TemplateError(f'Incorrect arguments to "{name}" should be: "{name}" : [ " ", [ "str1", "str2"] ...]')


def join(call: Call) -> Any:
    strings = call.resolve(call.raw[1], "[1]")
    if holds_unknown(strings):
        return UNKNOWN
    if strings is None:
        strings = []
    if isinstance(strings, str) or not isinstance(strings, Sequence):
        raise TemplateError(f'"{call.name}" must operate on a list')
    return _joined(call, strings, _joinable)


def join_lists(call: Call) -> Any:
    lists = call.resolve(list(call.raw[1:]))
    if holds_unknown(lists):
        return UNKNOWN
    strings: list[Any] = []
    for one in lists:
        if one:
            if isinstance(one, str) or not isinstance(one, Sequence):
                raise TemplateError(f'"{call.name}" must operate on a list')
            strings += one
    return _joined(call, strings, _writable)


def _joined(call: Call, strings: Sequence[Any], text_of: Callable[[Any], str]) -> Any:
    delimiter = call.resolve(call.raw[0], "[0]")
    if delimiter is UNKNOWN:
        return UNKNOWN
    if not isinstance(delimiter, str):
        raise TemplateError(f'"{call.name}" delimiter must be a string')
    call.grow(len(delimiter) * len(strings))
    return delimiter.join([text_of(one) for one in strings])


def _joinable(item: Any) -> str:
    if item is None:
        return ""
    if not isinstance(item, str):
        raise TemplateError(f"Items to join must be strings not {repr(item)[:200]}")
    return item


def _writable(item: Any) -> str:
    if item is None or isinstance(item, str):
        return item or ""
    if isinstance(item, Mapping | list | tuple):
        return dumped(item)
    raise TemplateError(f"Items to join must be string, map or list not {repr(item)[:200]}")


def split_shape(name: str, args: Any) -> None:
    if isinstance(args, str | Mapping):
        raise TemplateError(_split_words(name))


def _split_words(name: str) -> str:
    return f'Incorrect arguments to "{name}" should be: "{name}" : [ ",", "apples,pears", <index>]'


def str_split(call: Call) -> Any:
    args = call.args
    if not isinstance(args, list) or len(args) < 2:
        raise TemplateError(_split_words(call.name))
    delimiter, text = args[0], args[1]
    if text is None:
        return None
    parts = text.split(delimiter)
    call.grow(len(parts))
    if len(args) < 3:
        return parts
    try:
        index = int(args[2])
    except ValueError:
        example = _split_words(call.name).partition("should be: ")[2]
        raise TemplateError(f'Incorrect index to "{call.name}" should be: {example}') from None
    try:
        return parts[index]
    except IndexError:
        raise TemplateError(f'Incorrect index to "{call.name}" should be between 0 and {len(parts) - 1}') from None


def digest(call: Call) -> Any:
    args = call.args
    if not isinstance(args, list) or not all(isinstance(one, str) for one in args):
        raise TemplateError(f'Argument to function "{call.name}" must be a list of strings')
    if len(args) != 2:
        raise TemplateError(f'Function "{call.name}" usage: ["<algorithm>", "<value>"]')
    if args[0].lower() not in hashlib.algorithms_available:
        raise TemplateError(f"Algorithm must be one of {', '.join(sorted(hashlib.algorithms_available))}")
    made = hashlib.new(args[0], usedforsecurity=False)
    made.update(args[1].encode("latin-1"))
    return made.hexdigest()


def url_shape(name: str, args: Any) -> None:
    if not isinstance(args, Mapping):
        raise TemplateError(f'The arguments to "{name}" must be a map')
    wrong = [key for key in args if key not in URL_PARTS]
    if wrong:
        raise TemplateError(f'Invalid arguments to "{name}": {", ".join(wrong)}')
    _url_parts(name, args)


def _url_parts(name: str, args: Mapping[str, Any]) -> None:
    for part in URL_PARTS:
        if part not in args or isinstance(args[part], Nested):
            continue
        value = args[part]
        if part == "query":
            if not isinstance(value, Mapping):
                raise TemplateError(f'The "{part}" argument to "{name}" must be a map')
            return  # What comes after a query is not looked at, as upstream.
        if part == "port":
            _url_port(name, value, args)
        elif not isinstance(value, str):
            raise TemplateError(f'The "{part}" argument to "{name}" must be a string')


def _url_port(name: str, value: Any, args: Mapping[str, Any]) -> None:
    try:
        port = value if isinstance(value, int) else int(value)
    except ValueError:
        raise TemplateError(f'Invalid URL port "{value}" for {name} called with {dict(args)}') from None
    if not 0 < port <= 65535:
        raise TemplateError(f"Invalid URL port {port}, must be in range 1-65535")


def make_url(call: Call) -> Any:
    args = call.args
    _url_parts(call.name, args)
    scheme = args.get("scheme", "")
    if ":" in scheme:
        raise TemplateError("URL \"scheme\" should not contain ':'")
    user, password = quote(args.get("username", ""), safe=""), quote(args.get("password", ""), safe="")
    host = args.get("host", "")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    host = quote(host, safe=":")
    place = (f"{user}:{password}@" if password else f"{user}@") if user or password else ""
    place += f"[{host}]" if ":" in host else host
    if args.get("port", ""):
        place += f":{args['port']}"
    query = urlencode(args.get("query", {})).replace("%2F", "/")
    return urlunsplit((scheme, place, quote(args.get("path", "")), query, quote(args.get("fragment", ""))))


def aws_split_shape(name: str, args: Any) -> None:
    if not isinstance(args, list) or len(args) != 2:
        raise TemplateError(f'Incorrect arguments to "{name}" should be: "{name}" : [ ",", "str1,str2"]]')


def aws_split(call: Call) -> Any:
    text = call.resolve(call.raw[1])
    if text is UNKNOWN:
        return UNKNOWN
    if not isinstance(call.raw[0], str):
        raise TemplateError(f"Delimiter for {call.name} must be string")
    if not isinstance(text, str):
        raise TemplateError(f"String to split must be string; got {type(text)}")
    parts = text.split(call.raw[0])
    call.grow(len(parts))
    return parts


def base64(call: Call) -> Any:
    """The text as it is: user data are taken in plain text."""
    if not isinstance(call.args, str):
        raise TemplateError(f'"{call.name}" argument must be a string')
    return call.args


WORDS = "A function for performing string substitutions."
REPLACE = Function(WORDS, replacing(_plain), replace_shape, lazy=True)
REPLACE_JSON = Function(WORDS, replacing(_json), replace_shape, lazy=True)
REPLACE_STRICT = Function(WORDS, replacing(_json, strict=True), replace_shape, lazy=True)
REPLACE_VSTRICT = Function(WORDS, replacing(_some, strict=True), replace_shape, lazy=True)
AWS_REPLACES = Function(WORDS, replacing(_plain, aws=True), aws_replace_shape, lazy=True)
JOIN = Function("A function for joining strings.", join, join_shape, lazy=True)
JOIN_LISTS = Function("A function for joining one or more lists of strings.", join_lists, joins_shape, lazy=True)
STR_SPLIT = Function("A function for splitting delimited strings into a list.", str_split, split_shape)
DIGEST = Function("A function for performing digest operations.", digest)
MAKE_URL = Function("A function for performing substitutions on maps.", make_url, usage=url_shape)
AWS_SPLIT = Function("A function for splitting strings.", aws_split, aws_split_shape, lazy=True)
BASE64 = Function("A placeholder function for converting to base64.", base64)
