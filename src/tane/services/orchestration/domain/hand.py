"""What the code of a resource type is handed: the resource, the stack, whom it acts for, and the calls of other
services."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy.engine import Row

from tane.core import Core
from tane.db import Tx
from tane.services.orchestration.domain import lookups
from tane.services.orchestration.domain.common import VALUES_BYTES, RequestLimitExceeded
from tane.services.orchestration.resources.comparing import Missing
from tane.services.orchestration.store import resources
from tane.web import inside
from tane.web.context import Context
from tane.web.errors import NotFound
from tane.web.inside import part

if TYPE_CHECKING:
    from tane.services.orchestration.domain.plans import Plan

WEIGHED = ("properties", "data", "metadata")
UNWEIGHED_BYTES = 4096
"""A row that is no longer is counted, but never refused: most are shorter."""


@dataclass
class Hand:
    """``properties`` are those the resource is to have now, resolved and checked; ``plan`` is that of its stack."""

    core: Core
    tx: Tx
    ctx: Context
    stack: Row[Any]
    row: Any
    plan: Plan | None = None
    properties: Mapping[str, Any] = field(default_factory=dict)
    adopted: Mapping[str, Any] | None = None
    """What the resource is adopted from, while it is."""
    lent: bool = False
    """It is not the author for whom is acted, but who asked for the deletion of the stack."""
    leaves: bool = False
    """What was adopted is left where it is: who brought it may not delete it, and for nobody else it is a part of the
    stack."""
    below: dict[tuple[str, str], Any] = field(default_factory=dict)
    """What was found of nested stacks in this evaluation: their scopes, and their outputs, by (stack, what)."""
    answers: dict[tuple[str, str, str, str], Any] | None = None
    """What services answered to reads so far, while what is there is but looked at."""
    compared: dict[tuple[str, str], str] | None = None
    """What properties name, by kind and text, while what is there is compared with what was set (see
    :meth:`comparing`)."""

    @property
    def id(self) -> str:
        """The resource's id in its service, as a part of a path."""
        return part(str(self.row.physical_id))

    def call(
        self,
        service: str,
        method: str,
        path: str,
        body: Any = None,
        *,
        query: Mapping[str, str] | Sequence[tuple[str, str]] = (),
        spoken: str | None = None,
    ) -> Any:
        """Another service's answer to whom is acted for; in a transaction it takes part in it. :raises ApiError:"""
        if self.answers is None or method != "GET":
            return inside.call(self.core, self.ctx, service, method, path, body, query=query, spoken=spoken)
        key = (service, path, repr(query), spoken or "")
        if key not in self.answers:
            self.answers[key] = inside.call(self.core, self.ctx, service, method, path, query=query, spoken=spoken)
        return self.answers[key]

    def at(self, row: Row[Any]) -> Hand:
        """The same for another resource of the stack, with the properties that it has."""
        return replace(self, row=row, properties=row.properties, below={})

    def may(self, method: str, below: str) -> None:
        """For rows of our own, in whose place a user would call our API: ``below`` the project's path.

        :raises Forbidden: the access rules of who is acted for do not allow that call.
        """
        path = f"/v1/{self.stack.project_id}{below}"
        inside.check_rules(self.core, self.ctx, "orchestration", method, path)

    def check_rules(self, service: str, method: str, path: str) -> None:
        """For what is read of another service without a call. :raises Forbidden:"""
        inside.check_rules(self.core, self.ctx, service, method, path)

    def lookup(self, kind: str, value: str) -> str:
        """The id of what a property names by name or id, as the user sees it; while it is compared, the text itself
        where nobody finds it. :raises NotFound:"""
        if self.compared is not None:
            return self._as_it_is(self.compared, kind, str(value))
        if self.plan is None:
            return lookups.find(self.core, self.ctx, kind, str(value))
        # Many resources of a stack name the same flavor and image.
        key = (self.ctx.user_id, kind, str(value))
        if key not in self.plan.found:
            self.plan.found[key] = lookups.find(self.core, self.ctx, kind, str(value))
        return self.plan.found[key]

    def comparing(self, found: dict[tuple[str, str], str] | None = None) -> Hand:
        """The same to compare what is there with what was set: what the stack remembers of its creation counts for
        nothing, and that a thing which a property names is gone does not mean that the resource is. ``found``: what
        was looked up so far, by the same user."""
        return replace(self, compared={} if found is None else found)

    def _as_it_is(self, known: dict[tuple[str, str], str], kind: str, value: str) -> str:
        if (kind, value) not in known:
            try:
                known[kind, value] = lookups.find(self.core, self.ctx, kind, value)
            except NotFound as error:
                known[kind, value] = Missing(value, error.message)
        return known[kind, value]

    def short_name(self) -> str:
        """A name that no other resource of any stack has, the same at each call."""
        digest = hashlib.sha256(str(self.row.id).encode()).hexdigest()
        return f"{self.stack.name[:20]}-{self.row.name[:20]}-{digest[:12]}"

    def physical_name(self) -> str:
        """``STACK-RESOURCE-xxxxxxxxxxxx``: the name that a resource without one gets."""
        digest = hashlib.sha256(str(self.row.id).encode()).hexdigest()
        return f"{self.stack.name}-{self.row.name}-{digest[:12]}"[-255:]

    def signal_url(self) -> str:
        """Where whoever has the address may send the resource a signal: it is drawn once."""
        if "signal" not in self.row.data:
            self.keep(signal=secrets.token_urlsafe(32))
        return f"{self.core.config.url}/orchestration/signal/{self.row.id}/{self.row.data['signal']}"

    @property
    def saved(self) -> Mapping[str, Any]:
        """What the snapshot that is taken keeps of the resource."""
        found: Mapping[str, Any] = self.row.data.get("saved", {})
        return found

    @property
    def data(self) -> dict[str, Any]:
        """What the type keeps of this resource."""
        return dict(self.row.data)

    def keep(self, **values: Any) -> None:
        """Add to what the type keeps."""
        self.change(data={**self.row.data, **values})

    def drop(self, name: str) -> None:
        """Take something out of what the type keeps."""
        if name in self.row.data:
            self.change(data={key: value for key, value in self.row.data.items() if key != name})

    def change(self, **values: Any) -> None:
        """Change columns of the resource's row. :raises RequestLimitExceeded: those of the project are too long."""
        if any(name in values for name in WEIGHED):
            values["bytes"] = sum(_length(values.get(name, getattr(self.row, name))) for name in WEIGHED)
        resources.change(self.tx, self.row.id, **values)
        self.row = resources.get(self.tx, self.row.id)
        heavy = values.get("bytes", 0) > UNWEIGHED_BYTES
        if heavy and resources.bytes_of(self.tx, self.row.project_id) > VALUES_BYTES:
            raise RequestLimitExceeded(
                f"Request limit exceeded: the values of all resources of a project have at most {VALUES_BYTES} bytes."
            )


def _length(value: Any) -> int:
    return len(msgspec.json.encode(value, enc_hook=repr))
