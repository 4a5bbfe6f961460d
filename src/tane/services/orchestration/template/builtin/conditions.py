"""Functions of conditions, and what depends on one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tane.services.orchestration.template.evaluation import Call, Function
from tane.services.orchestration.template.values import ABSENT, UNKNOWN, TemplateError, holds_unknown


def if_shape(name: str, args: Any) -> None:
    if not isinstance(args, list) or len(args) != 3:
        raise TemplateError(_if_words(name))


def nullable_if_shape(name: str, args: Any) -> None:
    if not isinstance(args, list) or not 2 <= len(args) <= 3:
        raise TemplateError(_if_words(name))


def _if_words(name: str) -> str:
    return f'Arguments to "{name}" must be of the form: [condition_name, value_if_true, value_if_false]'


def choose(call: Call) -> Any:
    """One of two values; the other one is not looked at."""
    found = call.evaluation.condition(call.raw[0], call.path)
    if found is UNKNOWN:
        return UNKNOWN
    if found:
        return call.resolve(call.raw[1], "[1]", nullable=True)
    return call.resolve(call.raw[2], "[2]", nullable=True) if len(call.raw) > 2 else ABSENT


def equals_shape(name: str, args: Any) -> None:
    if not isinstance(args, list) or len(args) != 2:
        raise TemplateError(f'Arguments to "{name}" must be of the form: [value_1, value_2]')


def equals(call: Call) -> Any:
    one, other = call.resolve(call.raw[0], "[0]"), call.resolve(call.raw[1], "[1]")
    if holds_unknown(one) or holds_unknown(other):
        return UNKNOWN
    return one == other


def not_shape(name: str, args: Any) -> None:
    if args is None:
        raise TemplateError(f'Argument to "{name}" must be a condition')


def aws_not_shape(name: str, args: Any) -> None:
    if not isinstance(args, list) or len(args) != 1:
        raise TemplateError(f'Arguments to "{name}" must be of the form: [condition]')


def negated(call: Call) -> Any:
    found = call.evaluation.named(call.args[0] if call.name.startswith("Fn::") else call.args)
    return UNKNOWN if found is UNKNOWN else not found


def several_shape(name: str, args: Any) -> None:
    if isinstance(args, str) or not isinstance(args, Sequence):
        raise TemplateError(f'Arguments to "{name}" must be a list of conditions')
    if len(args) < 2:
        raise TemplateError(f'The minimum number of condition arguments to "{name}" is 2.')


def every(call: Call) -> Any:
    return _until(call, False)


def some(call: Call) -> Any:
    return _until(call, True)


def _until(call: Call, settles: bool) -> Any:
    """``settles`` once one condition is so, the reverse when none is; UNKNOWN when it rests on what is not known."""
    unknown = False
    for one in call.resolve(call.raw):
        found = call.evaluation.named(one)
        if found is UNKNOWN:
            unknown = True
        elif found == settles:
            return settles
    return UNKNOWN if unknown else not settles


def invalid_shape(name: str, args: Any) -> None:
    raise TemplateError(f'The function "{name}" is invalid in this context')


def removed_shape(name: str, args: Any) -> None:
    raise TemplateError(
        f"The template version is invalid: The function {name} is not supported in this version of HOT."
    )


def never(call: Call) -> Any:
    raise AssertionError(call.name)


IF_WORDS = "A function to return corresponding value based on condition evaluation."
IF = Function(IF_WORDS, choose, if_shape, lazy=True)
IF_NULLABLE = Function(IF_WORDS, choose, nullable_if_shape, lazy=True)
EQUALS = Function("A function for comparing whether two values are equal.", equals, equals_shape, lazy=True)
NOT = Function("A function that acts as a NOT operator on a condition.", negated, not_shape)
AWS_NOT = Function("A function that acts as a NOT operator on a condition.", negated, aws_not_shape)
AND = Function("A function that acts as an AND operator on conditions.", every, several_shape, lazy=True)
OR = Function("A function that acts as an OR operator on conditions.", some, several_shape, lazy=True)
INVALID = Function("A function that conditions do not have.", never, invalid_shape)
REMOVED = Function("A function that this version does not have any more.", never, usage=removed_shape, sealed=True)
