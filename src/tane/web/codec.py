"""Bodies and queries: decoded into msgspec structs, errors told with the field's name and the rule it broke."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Annotated, Any, TypeVar, get_args, get_origin, get_type_hints

import msgspec

from tane.web.errors import BadRequest, UnsupportedMedia
from tane.web.versions import Version, version

T = TypeVar("T")
DEEPEST = 64
Spans = tuple[tuple[Version, Version | None], ...]
"""The microversions that have something: (first, last) pairs, None for one that has no last."""
LONGEST = 64 << 10
"""Bytes of what one field of a resource holds at most, as JSON."""

encode = msgspec.json.Encoder().encode


def judge_media(told: str | None) -> None:
    """``told``: the ``Content-Type`` of a body. A form's is taken too: what sends JSON with ``curl -d`` says so.

    :raises UnsupportedMedia: it is not JSON.
    """
    kind = (told or "application/json").split(";")[0].strip().lower()
    if "json" not in kind and kind != "application/x-www-form-urlencoded":
        raise UnsupportedMedia(f"Unsupported Content-Type {kind}: application/json is expected.")


Name = Annotated[str, msgspec.Meta(min_length=1, max_length=255)]
"""A resource name: 1 to 255 characters."""
OptionalName = Annotated[str, msgspec.Meta(max_length=255)]
"""A name that may be empty."""
Text255 = Annotated[str, msgspec.Meta(max_length=255)]
LongText = Annotated[str, msgspec.Meta(max_length=LONGEST - 1)]
"""A description, a document of a client's own: as much as upstream's columns of the type ``text`` hold."""
Uuid = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-fA-F]{8}-?([0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}\Z")]
"""A UUID with or without dashes."""


class Body(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Base of request bodies that refuse unknown fields, as the real services do."""

    @classmethod
    def plain(cls, data: Any) -> Any:
        """The JSON value in the form the fields say; a body that is also taken in another form turns it."""
        return data


class LooseBody(msgspec.Struct, kw_only=True):
    """Base of request bodies in which unknown fields are ignored."""


class StrictBody(LooseBody):
    """Base of request bodies in which a text is no number and no boolean: ``"False"`` is refused. Others convert."""


def since(text: str) -> msgspec.Meta:
    """Annotation of a body field that came with a microversion: ``Annotated[str, since("2.19")]``."""
    return during((text, None))


def during(*spans: tuple[str | None, str | None]) -> msgspec.Meta:
    """Annotation of a body field that only some microversions have: (first, last) pairs; None leaves an end open."""
    return msgspec.Meta(
        extra={"during": tuple((version(first or "0.0"), version(last) if last else None) for first, last in spans)}
    )


def decode(kind: type[T], raw: bytes, spoken: Version | None = None) -> T:
    """Decode a JSON body.

    :raises BadRequest: not JSON, a wrong type, an unknown or missing field; the message names the field and the rule.
    """
    data = parse(raw)
    if issubclass(kind, Body):
        data = kind.plain(data)
    return convert(kind, data, spoken)


def parse(raw: bytes) -> Any:
    """The JSON value of a body.

    :raises BadRequest: not JSON, not UTF-8, nested deeper than is read, or with a character NUL in a text.
    """
    try:
        data = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadRequest(f"Malformed request body: {error}") from None
    if raw.count(b"[") + raw.count(b"{") > DEEPEST and _is_deep(data):
        raise BadRequest(f"Malformed request body: it is nested deeper than {DEEPEST} levels")
    if b"\\u0000" in raw:
        _refuse_nul(data, "")
    return data


def _is_deep(data: Any) -> bool:
    """Whether a value is nested deeper than what handles it may be, which calls itself for each level."""
    level = [data]
    for _ in range(DEEPEST):
        inner: list[Any] = []
        for value in level:
            if isinstance(value, dict):
                inner += value.values()
            elif isinstance(value, list):
                inner += value
        if not inner:
            return False
        level = inner
    return True


def refuse_nul(field: str, text: str) -> None:
    """NUL stands in no text of a cloud: PostgreSQL cannot keep it. :raises BadRequest: naming the field."""
    if "\0" in text:
        shown = field.replace("\0", "\\u0000")
        raise BadRequest(f"Invalid input for field/attribute {shown}. The character NUL is not allowed.")


def refuse_half(text: str) -> None:
    """Half a surrogate pair is no character: nothing can write it. :raises BadRequest:"""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise BadRequest("A text has half a surrogate pair, which is no character.") from None


def parse_inside(text: str) -> Any:
    """The JSON that a text of a request holds, by the rules of bodies. :raises BadRequest: as :func:`parse`."""
    refuse_half(text)
    return parse(text.encode())


def _refuse_nul(data: Any, path: str) -> None:
    if isinstance(data, str):
        refuse_nul(path or "body", data)
    elif isinstance(data, dict):
        for name, value in data.items():
            inner = f"{path}.{name}" if path else name
            refuse_nul(inner, name)
            _refuse_nul(value, inner)
    elif isinstance(data, list):
        for value in data:
            _refuse_nul(value, f"{path}[...]")


def convert(kind: type[T], data: Any, spoken: Version | None = None) -> T:
    """Like :func:`decode` for data that is parsed already."""
    try:
        value = msgspec.convert(data, kind, strict=isinstance(kind, type) and issubclass(kind, StrictBody))
    except msgspec.ValidationError as error:
        raise BadRequest(_explain(str(error))) from None
    if spoken is not None:
        _refuse_newer(kind, data, spoken, "")
    return value


def _explain(text: str) -> str:
    match = re.fullmatch(r"(?s)(.*?)(?: - at `(?:key in )?\$\.?(.*)`)?", text)
    assert match is not None
    rule, path = match.group(1), match.group(2)
    missing = re.match(r"Object missing required field `(.*)`", rule)
    if missing:
        return f"Invalid input: '{missing.group(1)}' is a required property" + (f" of '{path}'." if path else ".")
    unknown = re.match(r"Object contains unknown field `(.*)`", rule)
    if unknown:
        field = unknown.group(1)
        return (
            f"Invalid input for field/attribute {path or field}. "
            f"Additional properties are not allowed ('{field}' was unexpected)"
        )
    return f"Invalid input for field/attribute {path or 'body'}. {rule}"


def _refuse_newer(kind: Any, data: Any, spoken: Version, path: str) -> None:
    for name, (spans, inner) in _versioned(kind).items():
        if not isinstance(data, dict) or name not in data:
            continue
        if spans is not None and not any(first <= spoken and (last is None or spoken <= last) for first, last in spans):
            raise BadRequest(
                f"Invalid input for field/attribute {path}{name}. Additional properties are not allowed "
                f"('{name}' was unexpected; {_told(spans)})"
            )
        if inner is None:
            continue
        value = data[name]
        if isinstance(value, list):
            for place, item in enumerate(value):
                _refuse_newer(inner, item, spoken, f"{path}{name}[{place}].")
        else:
            _refuse_newer(inner, value, spoken, f"{path}{name}.")


def _told(spans: Spans) -> str:
    """``it came with version 2.19``, or the ranges that have a field."""
    text = [(".".join(map(str, first)), last and ".".join(map(str, last))) for first, last in spans]
    if len(text) == 1 and text[0][1] is None:
        return f"it came with version {text[0][0]}"
    return "it exists in versions " + ", ".join(f"{first} to {last or 'the newest'}" for first, last in text)


@cache
def _versioned(kind: Any) -> dict[str, tuple[Spans | None, Any]]:
    """Fields of a struct that carry versions, or hold a struct, or a list of structs, that has such fields."""
    if not (isinstance(kind, type) and issubclass(kind, msgspec.Struct)):
        return {}
    found: dict[str, tuple[Spans | None, Any]] = {}
    hints = get_type_hints(kind, include_extras=True)
    for name, encoded in zip(kind.__struct_fields__, kind.__struct_encode_fields__, strict=True):
        spans, inner = None, None
        for part in _parts(hints[name]):
            if isinstance(part, msgspec.Meta) and part.extra and "during" in part.extra:
                spans = part.extra["during"]
            elif isinstance(part, type) and _versioned(part):
                inner = part
        if spans is not None or inner is not None:
            found[encoded] = (spans, inner)
    return found


def _parts(hint: Any) -> list[Any]:
    if get_origin(hint) is Annotated:
        first, *extras = get_args(hint)
        return [*_parts(first), *extras]
    arguments = get_args(hint)
    if arguments and get_origin(hint) not in (dict, tuple):
        return [part for argument in arguments for part in _parts(argument)]
    return [hint]


def bounded(field: str, value: Any, most: int = LONGEST) -> Any:
    """The value of a field that several calls can fill, when its JSON is not longer than that many bytes.

    :raises BadRequest: it is.
    """
    if len(encode(value)) > most:
        raise BadRequest(f"Invalid input for field/attribute {field}. It is too long: at most {most} bytes are kept.")
    return value


def whole(text: str) -> int | None:
    """The integer a text of ASCII digits tells; None for any other text, and for one that no database column holds."""
    return int(text) if re.fullmatch(r"-?[0-9]{1,18}", text) else None


def moment(text: str) -> datetime | None:
    """The time that an ISO 8601 text tells, as naive UTC; None for any other text, and for a time that UTC has not."""
    try:
        found = datetime.fromisoformat(text)
        return found.astimezone(UTC).replace(tzinfo=None) if found.tzinfo else found
    except (ValueError, OverflowError):
        return None


def later(moment: datetime, by: timedelta) -> datetime:
    """The time so much later; the last there is where that would be after it."""
    try:
        return moment + by
    except OverflowError:
        return datetime.max


def iso(moment: datetime | None) -> str | None:
    """``2026-01-31T12:00:00Z``: the form of compute and image."""
    return moment.isoformat(timespec="seconds") + "Z" if moment else None


def iso_micro(moment: datetime | None) -> str | None:
    """``2026-01-31T12:00:00.000000``: the form of block storage and placement."""
    return moment.isoformat(timespec="microseconds") if moment else None
