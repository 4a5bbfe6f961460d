"""Parameters: their declarations, and what becomes of a value that is given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tane.services.orchestration.template.constraints import Check, Constraint, boolean, number
from tane.services.orchestration.template.reading import bounded, parsed
from tane.services.orchestration.template.values import UNKNOWN, TemplateError

KINDS = {
    "string": "string",
    "number": "number",
    "comma_delimited_list": "list",
    "json": "map",
    "boolean": "boolean",
    "String": "string",
    "Number": "number",
    "CommaDelimitedList": "list",
    "Json": "map",
    "Boolean": "boolean",
}
"""What holds the values of a parameter type."""


@dataclass(frozen=True)
class Parameter:
    """``type`` as the template has it (``comma_delimited_list`` in HOT, ``CommaDelimitedList`` in CFN)."""

    name: str
    type: str = "string"
    default: Any = None
    description: str | None = None
    label: str | None = None
    hidden: bool = False
    immutable: bool = False
    tags: tuple[str, ...] = ()
    constraints: tuple[Constraint, ...] = ()

    @property
    def kind(self) -> str:
        """string, number, list, map or boolean."""
        return KINDS[self.type]

    def value(self, given: Any = None, check: Check | None = None) -> Any:
        """``given``, or the default where it is None, as the type has it. ``check``: of custom constraints.

        :raises TemplateError: there is none, or it breaks the type or a constraint; a hidden value is not told.
        """
        if given is None:
            given = self.default
        if given is None:
            raise TemplateError(f"The Parameter ({self.name}) was not provided.", f"parameters.{self.name}")
        if given is UNKNOWN:
            return UNKNOWN
        try:
            value = self._cast(given)
            for constraint in self.constraints:
                # Scalars are told as they were given, and cast by the constraint.
                constraint.keep(value if self.kind in ("list", "map") else given, self.type, check)
        except TemplateError as error:
            told = error.message.replace(str(given), "******") if self.hidden and str(given) else error.message
            raise TemplateError(f"Parameter '{self.name}' is invalid: {told}", f"parameters.{self.name}") from None
        return value

    def _cast(self, given: Any) -> Any:
        if self.kind == "number":
            return number(given)
        if self.kind == "boolean":
            return boolean(given)
        if self.kind == "list":
            return items(given)
        if self.kind == "map":
            return decoded(given)
        return str(given)


def items(given: Any) -> list[str]:
    """A comma-delimited list, or a list, as a list of strings. :raises TemplateError:"""
    if isinstance(given, list | tuple):
        return [str(one) for one in given]
    if not isinstance(given, str):
        raise TemplateError(
            f"Value must be a comma-delimited list string: '{type(given).__name__}' object has no attribute 'split'"
        )
    return given.split(",") if given else []


def decoded(given: Any) -> Any:
    """JSON text, or what it says. :raises TemplateError:"""
    if not isinstance(given, str):
        return bounded(given)
    if not given:
        return given
    try:
        return parsed(given)
    except (ValueError, RecursionError) as error:
        raise TemplateError(f"Value must be valid JSON: {error}") from None
