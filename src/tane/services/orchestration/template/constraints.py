"""Constraints on the values of parameters and properties, in Heat's words."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from tane.services.orchestration.template import checks, patterns
from tane.services.orchestration.template.values import TemplateError

Check = Callable[[str, Any], str | None]
"""Looks at a value for a custom constraint such as ``nova.flavor``: why it breaks it, or None."""
TRUE = ("1", "t", "true", "on", "y", "yes")
FALSE = ("0", "f", "false", "off", "n", "no")


def number(value: Any) -> int | float:
    """:raises TemplateError: it is none."""
    if isinstance(value, int | float):
        return value
    try:
        return int(value)
    except TypeError as error:
        raise TemplateError(str(error)) from None
    except ValueError:
        pass
    try:
        found = float(value)
    except (ValueError, OverflowError) as error:
        raise TemplateError(str(error)) from None
    if not math.isfinite(found):
        raise TemplateError(f"could not convert string to float: {value!r}")
    return found


def boolean(value: Any) -> bool:
    """As OpenStack reads booleans. :raises TemplateError: it is none."""
    if isinstance(value, bool):
        return value
    word = str(value).strip().lower()
    if word in TRUE:
        return True
    if word in FALSE:
        return False
    allowed = ", ".join(f"'{one}'" for one in sorted(TRUE + FALSE))
    raise TemplateError(f"Unrecognized value '{value}', acceptable values are: {allowed}")


def cast(value: Any, kind: str) -> Any:
    """A value as the type has it, where it can be. ``kind``: the type, as it is told. :raises TemplateError:"""
    meant = kind.lower()
    try:
        if meant == "integer":
            found = number(value)
            if isinstance(found, float):
                raise TemplateError(f"{found} is not an integer.")
            return found
        if meant == "number":
            return number(value)
        if meant == "string":
            return str(value)
        if meant == "boolean":
            return boolean(value)
    except TemplateError:
        raise TemplateError(f'Value "{value}" is invalid for data type "{kind}".') from None
    return value


@dataclass(frozen=True, kw_only=True)
class Constraint:
    """``description``: what is told instead of our words when a value breaks it."""

    description: str | None = None
    name: ClassVar[str] = ""
    types: ClassVar[frozenset[str]] = frozenset()
    """Of values that it can be asked of."""

    def keep(self, value: Any, kind: str, check: Check | None) -> None:
        """:raises TemplateError: the value breaks it."""
        why = self.broken(value, kind, check)
        if why is not None:
            raise TemplateError(self.description or why)

    def broken(self, value: Any, kind: str, check: Check | None) -> str | None:
        raise NotImplementedError

    def shown(self) -> Any:
        raise NotImplementedError

    def view(self) -> dict[str, Any]:
        """As ``resource-type show`` has it."""
        told = {"description": self.description} if self.description is not None else {}
        return {self.name: self.shown(), **told}


@dataclass(frozen=True, kw_only=True)
class Range(Constraint):
    min: int | float | None = None
    max: int | float | None = None
    name = "range"
    types = frozenset({"integer", "number"})

    def __post_init__(self) -> None:
        if self.min is None and self.max is None:
            raise TemplateError(f"A {self.name} constraint must have a min value and/or a max value specified.")

    def _outside(self, value: int | float) -> bool:
        return (self.min is not None and value < self.min) or (self.max is not None and value > self.max)

    def broken(self, value: Any, kind: str, check: Check | None) -> str | None:
        if not self._outside(number(value)):
            return None
        return f"{value} is out of range (min: {self.min}, max: {self.max})"

    def shown(self) -> Any:
        return {key: value for key, value in (("min", self.min), ("max", self.max)) if value is not None}


@dataclass(frozen=True, kw_only=True)
class Length(Range):
    name = "length"
    types = frozenset({"string", "list", "map"})

    def __post_init__(self) -> None:
        super().__post_init__()
        for bound in (self.min, self.max):
            if bound is not None and not isinstance(bound, int):
                raise TemplateError("min/max length must be integral")

    def broken(self, value: Any, kind: str, check: Check | None) -> str | None:
        length = len(value) if isinstance(value, str | Sequence | Mapping) else len(str(value))
        if not self._outside(length):
            return None
        return f"length ({length}) is out of range (min: {self.min}, max: {self.max})"


@dataclass(frozen=True, kw_only=True)
class Modulo(Constraint):
    step: int | float | None = None
    offset: int | float | None = None
    name = "modulo"
    types = frozenset({"integer", "number"})

    def __post_init__(self) -> None:
        if self.step is None or self.offset is None:
            raise TemplateError("A modulo constraint must have a step value and an offset value specified.")
        if int(self.step) != self.step or int(self.offset) != self.offset:
            raise TemplateError("step/offset must be integer")
        if self.step == 0:
            raise TemplateError("step cannot be 0.")
        if abs(self.offset) >= abs(self.step):
            raise TemplateError("offset must be smaller (by absolute value) than step.")
        if self.step * self.offset < 0:
            raise TemplateError("step and offset must be both positive or both negative.")

    def broken(self, value: Any, kind: str, check: Check | None) -> str | None:
        assert self.step is not None
        if number(value) % self.step == self.offset:
            return None
        return f"{value} is not a multiple of {self.step} with an offset of {self.offset}"

    def shown(self) -> Any:
        return {"step": self.step, "offset": self.offset}


@dataclass(frozen=True, kw_only=True)
class AllowedValues(Constraint):
    allowed: tuple[Any, ...] = ()
    name = "allowed_values"
    types = frozenset({"string", "integer", "number", "boolean", "list"})

    def broken(self, value: Any, kind: str, check: Check | None) -> str | None:
        if isinstance(value, list):
            # A list of a parameter, which are strings, and what is allowed may both be as long as a template.
            texts = {one for one in self.allowed if isinstance(one, str)}
            kept = all(item in (texts if isinstance(item, str) else self.allowed) for item in value)
        else:
            allowed = [cast(one, kind) for one in self.allowed]
            kept = cast(value, kind) in allowed
        if kept:
            return None
        words = ", ".join(json.dumps(one) for one in self.allowed)
        return f"{json.dumps(value)} is not an allowed value [{words}]"

    def shown(self) -> Any:
        return list(self.allowed)


@dataclass(frozen=True, kw_only=True)
class AllowedPattern(Constraint):
    pattern: str = ""
    name = "allowed_pattern"
    types = frozenset({"string"})

    def __post_init__(self) -> None:
        patterns.compiled(self.pattern)

    def broken(self, value: Any, kind: str, check: Check | None) -> str | None:
        if patterns.whole(self.pattern, str(value)):
            return None
        return f'"{value}" does not match pattern "{self.pattern}"'

    def shown(self) -> Any:
        return self.pattern


@dataclass(frozen=True, kw_only=True)
class Custom(Constraint):
    """A value that names something, such as ``nova.flavor``, which is looked up by who evaluates; or one of a form that
    :mod:`checks` knows, such as ``ip_addr``."""

    kind: str = ""
    name = "custom_constraint"
    types = frozenset({"string", "integer", "number", "boolean", "list"})

    def broken(self, value: Any, kind: str, check: Check | None) -> str | None:
        if check is None:
            return None
        known = checks.KNOWN.get(self.kind)
        for one in value if isinstance(value, list) else [value]:
            why = check(self.kind, one) if known is None else known(one)
            if why is not None:
                return f"Error validating value '{one}': {why}" if why else f"Error validating value '{one}'"
        return None

    def shown(self) -> Any:
        return self.kind


def fits(constraint: Constraint, kind: str, shown_kind: str) -> None:
    """:raises TemplateError: a constraint that values of such a type cannot have."""
    if kind not in constraint.types:
        raise TemplateError(f"{type(constraint).__name__} constraint invalid for {shown_kind}")
