"""Types that are templates: files of the client, ``OS::Heat::Stack``, and what others build on them."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from tane.services.orchestration.resources.base import SHOW, Kind, Wait
from tane.services.orchestration.template import TemplateError
from tane.services.orchestration.template.properties import Attribute, Property
from tane.web.errors import BadRequest

if TYPE_CHECKING:
    from tane.core import Core
    from tane.db import Tx
    from tane.services.orchestration.domain.hand import Hand
    from tane.services.orchestration.domain.plans import Source
    from tane.services.orchestration.template import Environment, Template


STANDS_FOR = "OS::stack_id"


class OfStack(Kind):
    """A resource that is a stack of its own; without a name here it is what is left of a type whose file is gone."""

    hidden = True
    mends = True

    def source(self, hand: Hand) -> Source:
        """The nested stack that ``hand.properties`` ask for."""
        raise NotImplementedError

    def create(self, hand: Hand) -> str | None:
        from tane.services.orchestration.domain import nested

        return nested.create(hand, self.source(hand), timeout_mins=self.minutes(hand))

    def minutes(self, hand: Hand) -> int | None:
        return None

    def ready(self, hand: Hand) -> bool:
        from tane.services.orchestration.domain import nested

        return nested.is_done(hand)

    def waits(self, hand: Hand) -> Wait:
        from tane.services.orchestration.domain import engine, nested

        row = hand.row
        topic = engine.topic(str(row.physical_id))
        return Wait(math.inf, topic, unless=lambda tx: not nested.is_busy(tx, row))

    def stopped(self, tx: Tx, core: Core, row: Any) -> None:
        from tane.services.orchestration.domain import nested

        nested.halt(tx, core, row, "Stopped: the stack that it is in waits no more")

    def change(self, hand: Hand, changed: Mapping[str, Any]) -> None:
        from tane.services.orchestration.domain import nested

        nested.update(hand, self.source(hand), timeout_mins=self.minutes(hand) or hand.stack.timeout_mins)

    def delete(self, hand: Hand) -> None:
        from tane.services.orchestration.domain import nested

        nested.turn(hand, "DELETE")

    def gone(self, hand: Hand) -> bool:
        from tane.services.orchestration.domain import nested

        return nested.is_gone(hand)

    def check(self, hand: Hand) -> None:
        from tane.services.orchestration.domain import nested

        nested.turn(hand, "CHECK")

    def suspend(self, hand: Hand) -> None:
        from tane.services.orchestration.domain import nested

        nested.turn(hand, "SUSPEND")

    def resume(self, hand: Hand) -> None:
        from tane.services.orchestration.domain import nested

        nested.turn(hand, "RESUME")

    def snapshot(self, hand: Hand) -> Mapping[str, Any]:
        """As in Heat: of what is nested its template is kept, and nothing of what it holds."""
        return {"not_saved": "what the resources of nested stacks hold is not kept"}

    def turned(self, hand: Hand, action: str) -> bool:
        if action == "SNAPSHOT":
            return True
        from tane.services.orchestration.domain import nested

        return nested.turned(hand)

    def inner_resource(self, hand: Hand, name: str) -> Any:
        """The row of a resource of the nested stack."""
        from tane.services.orchestration.domain import nested
        from tane.services.orchestration.store import resources

        child = nested.child_of(hand)
        return None if child is None else resources.named(hand.tx, child.id, name)

    def inner_attribute(self, hand: Hand, name: str, attribute: str, path: Sequence[Any] = ()) -> Any:
        """An attribute of a resource of the nested stack."""
        from tane.services.orchestration.domain import nested, outputs

        child = nested.child_of(hand)
        if child is None:
            return None
        scope = outputs.scope_below(hand, child)
        if attribute == "refs":
            return scope.reference(name)
        return scope.attribute(name, attribute, path)


class NestedTemplate(OfStack):
    """``type: file.yaml``: its parameters are the properties, its outputs the attributes."""

    def __init__(self, file: str, template: Template, environment: Environment, files: Mapping[str, str]) -> None:
        self.file, self.template, self.files, self.environment = file, template, files, environment
        self._digest: str | None = None
        defaults = environment.parameter_defaults
        self.properties = {
            name: Property(
                type=parameter.kind,
                required=parameter.default is None and name not in defaults,
                default=None,
                constraints=parameter.constraints,
                update="in_place",
                immutable=parameter.immutable,
                description=parameter.description or "",
                convert=True,
            )
            for name, parameter in template.parameters.items()
        }
        self.attributes = {
            **{
                name: Attribute(type="string", description=out.description or "")
                for name, out in template.outputs.items()
            },
            "show": SHOW,
        }
        # A template that stands for one of its resources says so by this output (Heat's template composition).
        self.stands_for = STANDS_FOR if STANDS_FOR in template.outputs else ""

    def known_as(self) -> str:
        """With what it says: another text is another template, which the nested stack is updated to."""
        return f"file:{self.file}"

    def digest(self) -> str:
        if self._digest is not None:
            return self._digest
        registry = self.environment.resource_registry
        text = msgspec.json.encode([self.template.document, dict(self.files), registry], order="deterministic")
        self._digest = hashlib.sha256(text).hexdigest()
        return self._digest

    def source(self, hand: Hand) -> Source:
        from tane.services.orchestration.domain import nested

        given = {name: value for name, value in hand.properties.items() if value is not None}
        return nested.source_of(self.template.document, self.files, inner_environment(hand), given)

    def knows(self, attribute: str) -> bool:
        return attribute.startswith("resource.")

    def attribute_at(self, hand: Hand, name: str, path: Sequence[Any]) -> Any:
        from tane.services.orchestration.domain import nested

        if name.startswith("resource."):
            inner, _, rest = name.removeprefix("resource.").partition(".")
            if rest or path:
                return self.inner_attribute(hand, inner, rest or str(path[0]), path[0 if rest else 1 :])
            return self.inner_attribute(hand, inner, "refs")
        try:
            return nested.output_of(hand, name)
        except TemplateError as error:
            # No mistake of the template that asks.
            words = f"Error in {hand.row.name} output {name}: {error.message}"
            raise BadRequest(words, type="StackValidationFailed") from None

    def attribute(self, hand: Hand, name: str) -> Any:
        return self.attribute_at(hand, name, ())


def inner_environment(hand: Hand) -> dict[str, Any]:
    """The environment in a nested stack: the settings below the resource's own name are those of what is in it."""
    found = dict((hand.stack.source or {}).get("environment") or {})
    registry = dict(found.get("resource_registry") or {})
    inner = (registry.get("resources") or {}).get(hand.row.name)
    registry["resources"] = inner if isinstance(inner, dict) else {}
    return {**found, "resource_registry": registry}
