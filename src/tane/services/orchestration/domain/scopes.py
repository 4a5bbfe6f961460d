"""What the functions of a template see: parameters, and the resources of a stack as they are now."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

from sqlalchemy.engine import Row

from tane.core import Core
from tane.db import Tx
from tane.services.orchestration.domain.hand import Hand
from tane.services.orchestration.domain.plans import NOT_KNOWN, Plan
from tane.services.orchestration.resources.base import Kind
from tane.services.orchestration.store import resources as rows
from tane.services.orchestration.template import UNKNOWN, TemplateError, condition_of
from tane.web import inside
from tane.web.context import Context
from tane.web.errors import NotFound

FEW = 8
"""So many resources are read one by one, before all of the stack are: most properties refer to one or two."""


class Scope:
    """``stack``: its row, or the names of one that is not there yet. Without ``tx`` no resource is known. ``parent``:
    the resource whose template this is, where that is known."""

    def __init__(
        self,
        core: Core,
        ctx: Context,
        stack: Any,
        plan: Plan,
        tx: Tx | None = None,
        row: Row[Any] | None = None,
        parent: Row[Any] | None = None,
        below: dict[tuple[str, str], Any] | None = None,
    ) -> None:
        self.core, self.ctx, self.stack, self.plan, self.tx, self.row = core, ctx, stack, plan, tx, row
        self._parent = parent
        self.below = {} if below is None else below
        """Of stacks nested in this one: what was found in this evaluation, which is one for all of them."""
        self.lost: Collection[str] = ()
        """Resources that are gone, whatever their rows say: others take their places."""
        self.used: dict[str, Row[Any] | None] = {}
        """The resources that were looked at, as they were."""
        self._rows: dict[str, Row[Any]] | None = None
        self._shown: dict[tuple[str, ...], Any] = {}
        self._conditions: dict[str, bool] = {}

    # ---------------------------------------------------------------------------------------------------- names

    def parameter(self, name: str) -> Any:
        if name in self.pseudo:
            return self.pseudo[name]
        if name == NOT_KNOWN and self.tx is None:
            return UNKNOWN
        if name not in self.plan.parameters:
            raise TemplateError(f"The Parameter ({name}) was not provided.")
        value = self.plan.parameters[name]
        return UNKNOWN if value is None and self.tx is None else value

    @property
    def pseudo(self) -> dict[str, Any]:
        """The parameters that every template has."""
        arn = f"arn:openstack:heat::{self.stack.project_id}:stacks/{self.stack.name}/{self.stack.id}"
        if self.plan.template.kind == "cfn":
            return {
                "AWS::StackName": self.stack.name,
                "AWS::StackId": arn,
                "AWS::Region": "ap-southeast-1",
            }
        return {
            "OS::stack_name": self.stack.name,
            "OS::stack_id": str(self.stack.id),
            "OS::project_id": self.stack.project_id,
        }

    def condition(self, name: str) -> bool:
        if name not in self._conditions:
            self._conditions[name] = condition_of(self.plan.template, self, name)
        return self._conditions[name]

    def file(self, name: str) -> str:
        if name not in self.plan.files:
            raise TemplateError(f'No content found in the "files" section for get_file path: {name}')
        return str(self.plan.files[name])

    def availability_zones(self) -> list[str]:
        """Those that who is acted for may choose, asked once for a plan. :raises ApiError: he may not ask."""
        key = (str(self.ctx.user_id), "zones", "")
        if key not in self.plan.found:
            listed = inside.call(self.core, self.ctx, "compute", "GET", "/v2.1/os-availability-zone")
            self.plan.found[key] = "\n".join(one["zoneName"] for one in listed["availabilityZoneInfo"])
        return self.plan.found[key].split("\n")

    def facade(self, key: str) -> Any:
        """What the resource of the parent stack says whose template this is."""
        parent = getattr(self.stack, "parent_resource_id", None)
        row = self._parent or (rows.get(self.tx, parent) if self.tx is not None and parent else None)
        if row is None:
            return UNKNOWN
        if key == "metadata":
            return row.metadata
        declared = row.declared
        return declared.get("deletion_policy" if key == "deletion_policy" else "update_policy")

    # ------------------------------------------------------------------------------------------------ resources

    def _row(self, name: str) -> Row[Any] | None:
        if self.tx is None or name in self.lost:
            return None
        if name not in self.used:
            if self._rows is None and len(self.used) < FEW:
                self.used[name] = next(iter(rows.whole(self.tx, self.stack.id, [name])), None)
            else:
                if self._rows is None:
                    self._rows = {row.name: row for row in rows.of_stack(self.tx, self.stack.id) if row.current}
                self.used[name] = self._rows.get(name)
        return self.used[name]

    def reference(self, resource: str) -> Any:
        row = self._row(resource)
        if row is None or (row.physical_id is None and row.status != "COMPLETE"):
            return UNKNOWN
        if row.action == "INIT":
            return UNKNOWN
        kind = self.plan.kinds.get(resource)
        if kind is not None and kind.stands_for:
            return self.attribute(resource, kind.stands_for)
        return UNKNOWN if kind is None else kind.reference(row)

    def attribute(self, resource: str, name: str, path: Sequence[Any] = ()) -> Any:
        """:raises TemplateError: the type has no such attribute."""
        row, kind = self._row(resource), self.plan.kinds.get(resource)
        if kind is None:
            raise TemplateError(f"The Referenced Attribute ({resource} {name}) is incorrect.")
        if name == "*":
            return {one: self.attribute(resource, one) for one in kind.attributes if one != "show"}
        if name not in kind.attributes and name != "show" and not kind.knows(name):
            raise TemplateError(f"The Referenced Attribute ({resource} {name}) is incorrect.")
        if row is None or row.action in ("INIT", "DELETE") or (row.physical_id is None and row.status != "COMPLETE"):
            return UNKNOWN
        # Most types leave the path to who asks.
        used = () if type(kind).attribute_at is Kind.attribute_at else path
        key = (resource, name, *map(str, used))
        if key not in self._shown:
            try:
                self._shown[key] = kind.attribute_at(self.hand(row), name, list(path))
            except NotFound:
                self._shown[key] = None
        return self._shown[key]

    def hand(self, row: Row[Any]) -> Hand:
        assert self.tx is not None
        return Hand(self.core, self.tx, self.ctx, self.stack, row, self.plan, row.properties, below=self.below)


def scope_of(core: Core, ctx: Context, stack: Any, tx: Tx | None = None) -> Callable[[Plan], Scope]:
    """What makes the scope of a plan."""
    return lambda plan: Scope(core, ctx, stack, plan, tx)
