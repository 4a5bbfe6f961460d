"""What the values of templates are besides JSON: the unknown, the absent, and mistakes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final


class TemplateError(Exception):
    """A mistake in a template, an environment or a value, in Heat's words.

    ``path``: where, such as ``resources.server.properties.image``; empty when it is the whole text. ``line``: of the
    text that was read, from 1; None where no text is known.
    """

    def __init__(self, message: str, path: str = "", line: int | None = None) -> None:
        super().__init__(message)
        self.message, self.path, self.line = message, path, line

    def __str__(self) -> str:
        place = f"{self.path}: " if self.path else ""
        return f"{place}{self.message}" + (f" (line {self.line})" if self.line else "")

    def below(self, path: str) -> TemplateError:
        """The same mistake, told from further above."""
        if path and self.path:
            joint = "" if self.path.startswith("[") else "."
            return TemplateError(self.message, f"{path}{joint}{self.path}", self.line)
        return TemplateError(self.message, path or self.path, self.line)


LONGEST_NAME = 255
"""Characters of a name of a parameter, a resource, an output or a condition."""
LONGEST_PATH = 2048
"""Characters of a path: each value of a template has one while it is looked at, and keys may be long."""


def below(path: str, step: Any) -> str:
    """The path of an entry, or of an item by its index, of what is at ``path``; at most :data:`LONGEST_PATH`
    characters of it, as that is but told."""
    if len(path) >= LONGEST_PATH:
        return path
    if isinstance(step, int):
        return f"{path}[{step}]"[:LONGEST_PATH]
    return (f"{path}.{step}" if path else str(step))[:LONGEST_PATH]


class Unknown:
    """What is not known yet: attributes and ids of resources that are not made. Functions over it give it."""

    _only: Unknown | None = None

    def __new__(cls) -> Unknown:
        if cls._only is None:
            cls._only = super().__new__(cls)
        return cls._only

    def __repr__(self) -> str:
        return "UNKNOWN"

    def __bool__(self) -> bool:
        return False

    def __copy__(self) -> Unknown:
        return self

    def __deepcopy__(self, memo: Any) -> Unknown:
        return self

    def __reduce__(self) -> str:
        return "UNKNOWN"


UNKNOWN: Final[Any] = Unknown()


@dataclass(frozen=True)
class Taken:
    """What :meth:`Scope.attribute` may give when its type took a part of the path as an argument: the value, and the
    part of the path that is still to be walked."""

    value: Any
    rest: Sequence[Any] = ()


def select(value: Any, path: Sequence[Any]) -> Any:
    """The element of an attribute's value that a path leads to; None where there is none."""
    for key in path:
        if value is UNKNOWN:
            return UNKNOWN
        if not isinstance(value, Mapping | Sequence) or not isinstance(key, str | int):
            return None
        try:
            value = value[key]  # type: ignore[index]
        except (KeyError, IndexError, TypeError):
            return None
    return value


class Conditional(dict[str, Any]):
    """A function where a condition stands: :func:`evaluate` knows by it that functions of conditions are meant."""


class Absent:
    """What an ``if`` without an else gives: the entry is as if it were not in the template."""

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Final[Any] = Absent()


def holds_unknown(value: Any) -> bool:
    """Whether anything in it is not known yet."""
    if isinstance(value, Mapping):
        return any(holds_unknown(item) for item in value.values())
    if isinstance(value, list | tuple):
        return any(holds_unknown(item) for item in value)
    return value is UNKNOWN
