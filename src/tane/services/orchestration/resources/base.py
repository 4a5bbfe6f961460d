"""What a resource type is: a declaration of properties and attributes, and what is done with one resource of it.

Everything here is called in one write transaction of a step, in which the calls of other services take part; it may be
called twice. Who is acted for is ``hand.ctx``: no type does what that user could not do by a request.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from sqlalchemy.engine import Row

from tane.db import Tx
from tane.services.orchestration.resources.comparing import Difference, same
from tane.services.orchestration.template.properties import SHOW, Attribute, Property
from tane.web.errors import BadRequest, NotFound

if TYPE_CHECKING:
    from tane.core import Core
    from tane.services.orchestration.domain.hand import Hand
    from tane.services.orchestration.domain.plans import Plan

__all__ = ["LET_GO", "SHOW", "Errand", "Failed", "Kind", "Replace", "Served", "Told", "Wait", "kind_name"]


BROUGHT = re.compile(r"[A-Za-z0-9_.:@-]{1,255}\Z")
"""An id that a user brings."""
LET_GO = "let_go"
"""What a resource gave up to another in its place, among what its row keeps: it is not what it was until it has that
again."""


class Failed(Exception):
    """The resource cannot be what it is to be; the message is told."""


class Replace(Exception):
    """An update that needs a new resource."""


@dataclass(frozen=True)
class Wait:
    """``seconds`` until it is looked at again, growing ones when None; ``awaits``: the resource of jobs whose end, or
    whose waking, comes before that."""

    seconds: float | None = None
    awaits: str | None = None
    unless: Callable[[Tx], bool] | None = None
    """Asked as the pause is written: whether what is awaited has come meanwhile."""


@dataclass(frozen=True)
class Errand:
    """A call of a service that takes no part in our transactions: it is made between two of them, as whom is acted for,
    until it was answered; so it may be made twice. ``path`` is that below the service's prefix; ``body`` what is sent
    as JSON, ``content`` what is sent as it is."""

    service: str
    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    content: bytes = b""


@dataclass(frozen=True)
class Told:
    """The answer: ``body`` as Python values, ``message`` of an error."""

    status: int
    body: Any = None
    message: str = ""


def is_retained(row: Row[Any]) -> bool:
    """Whether what a resource stands for stays where the resource goes (``deletion_policy``)."""
    return str(row.declared.get("deletion_policy", "Delete")).lower() != "delete"


def kind_name(row: Row[Any]) -> str:
    """The type that made a resource, which the environment may have given another name."""
    return str(row.declared.get("kind") or row.type)


class Kind:
    """A resource type; an instance keeps nothing."""

    name: ClassVar[str] = ""
    description: ClassVar[str] = ""
    properties: Mapping[str, Property] = {}
    attributes: Mapping[str, Attribute] = {}
    hidden: ClassVar[bool] = False
    stands_for: str = ""
    """The attribute that who refers to it gets, where that is not its id."""
    anything: ClassVar[bool] = False
    """Whether it takes any properties and has any attributes."""
    adopts: ClassVar[bool] = False
    """Whether ``external_id`` may name one: a thing of another service, which finds it by its id as the user would, or
    nothing at all. What is kept in orchestration's own rows belongs to the resource that made it."""
    mends: ClassVar[bool] = False
    """Whether one that failed is changed in place, and not replaced, as long as its nested stack is there."""
    leaves: ClassVar[bool] = False
    """Whether something of it is left when it is gone behind the stack's back: that goes with its deletion."""
    brings: ClassVar[Sequence[str]] = ()
    """What of the data of a resource goes with it when its stack is abandoned, and comes back when that is adopted."""
    away: ClassVar[bool] = False
    """Whether it has errands."""
    anew: ClassVar[bool] = False
    """Whether every update of the stack puts another in its place."""
    makes_way: ClassVar[bool] = False
    """Whether one that was never whole goes as soon as another is made in its place: it does nothing but fill a
    quota."""
    essential: ClassVar[Sequence[str]] = ()
    """Those without which nobody knows what it stands for: its id does not tell."""
    deaf: ClassVar[Sequence[str]] = ("SUSPEND", "DELETE")
    """Actions in which it takes no signal."""
    compares: ClassVar[bool] = False
    """Whether ``differences`` looks at properties, and not only whether it is there."""

    def known_as(self) -> str:
        """What the row of a resource says made it."""
        return self.name

    def digest(self) -> str:
        """What tells it from another of the same name whose resources must be changed to this (a file's text)."""
        return ""

    # ------------------------------------------------------------------------------------------------------ making

    def create(self, hand: Hand) -> str | None:
        """Make it and return its id; the row keeps that in the same transaction."""
        return hand.short_name()

    def brought(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """What a user brings of ``brings``: ids, by the grammar of such. :raises Failed: it is none."""
        found = {}
        for name in self.brings:
            if name in data:
                if not isinstance(data[name], str) or not BROUGHT.match(data[name]):
                    raise Failed(f"resource_data.{name} is no id.")
                found[name] = data[name]
        return found

    def lacks(self, data: Mapping[str, Any]) -> str | None:
        """Which of ``essential`` is not there."""
        return next((name for name in self.essential if not data.get(name)), None)

    def told_before(self, metadata: Mapping[str, Any]) -> dict[str, Any]:
        """The metadata that one which is made anew had: of most it is that of the template."""
        return {}

    def ready(self, hand: Hand) -> bool:
        """Whether what was begun by ``create`` or ``change`` is done. :raises Failed:"""
        return True

    def errand(self, hand: Hand) -> Errand | None:
        """What is to be asked for next of a service that is away; asked while it is not ready, or not gone."""
        return None

    def ran(self, hand: Hand, told: Told) -> Errand | None:
        """Take note of the answer to the errand; what comes of it at once, and is not kept: after a crash the first is
        asked for again. :raises Failed: it cannot be done."""
        return None

    def waits(self, hand: Hand) -> Wait:
        """How long to wait, and for what, while it is not ready, or not gone."""
        return Wait()

    def stopped(self, tx: Tx, core: Core, row: Row[Any]) -> None:
        """It is waited for no more: it failed, or the stack has something else to do."""

    def change(self, hand: Hand, changed: Mapping[str, Any]) -> None:
        """Change it in place; ``changed`` are the new values of the properties that differ, None where one is gone.

        Nothing of it differs where an earlier change, or the deletion, of one that is well failed.

        :raises Replace: it cannot be changed so.
        """
        if changed:
            raise Replace

    def replaces(self, before: Mapping[str, Any], changed: Mapping[str, Any]) -> list[str]:
        """Which of the properties that change in place by their declaration need another resource all the same, by the
        values that they change to."""
        return []

    def lets_go(self, hand: Hand) -> bool:
        """Before another is made in its place: give up what only one can hold. Does what can be done next, and is
        called again until that was all; the row keeps as ``LET_GO`` what :meth:`takes_back` needs. ``hand.properties``
        are those it has. :raises Failed: it cannot."""
        return True

    def takes_back(self, hand: Hand) -> bool:
        """The reverse, where the stack goes back to it; whoever has that by then has let it go. :raises Failed:"""
        return True

    def delete(self, hand: Hand) -> None:
        """Begin to delete it; nothing when it is gone. A conflict is tried again for a while."""

    def gone(self, hand: Hand) -> bool:
        return True

    def is_well(self, hand: Hand) -> bool:
        """Whether one of which an update failed is well all the same by its own service: it is changed in place then,
        as what it holds would go with it. Of types that hold nothing nobody asks."""
        return False

    def wanted_again(self, hand: Hand) -> None:
        """Its deletion failed, and it is wanted again: forget what was still to be done for that."""

    def is_there(self, hand: Hand) -> bool:
        """Whether what it stands for is found."""
        try:
            return self.differences(hand) is not None
        except NotFound:
            return False

    # ------------------------------------------------------------------------------------------------------ asking

    def reference(self, row: Row[Any]) -> str | None:
        """What ``get_resource`` gives."""
        return None if row.physical_id is None else str(row.physical_id)

    def attribute(self, hand: Hand, name: str) -> Any:
        """The value of one attribute of an existing resource."""
        return self.show(hand).get(name)

    def knows(self, attribute: str) -> bool:
        """Whether it has an attribute that it does not declare (of a nested stack: an output)."""
        return False

    def attribute_at(self, hand: Hand, name: str, path: Sequence[Any]) -> Any:
        """The value from which a path leads on; types whose attributes take a path as an argument look at it."""
        return self.attribute(hand, name)

    def show(self, hand: Hand) -> Mapping[str, Any]:
        """All that its service tells of it."""
        return {}

    def check(self, hand: Hand) -> None:
        """See whether it is there and well. :raises NotFound: :raises Failed:"""
        if self.compares and type(self).show is Kind.show:
            self.differences(hand.comparing())
        else:
            self.show(hand)

    def differences(self, hand: Hand) -> Mapping[str, Difference] | None:
        """What of it is otherwise by now than ``hand.properties`` set it, by property; None where it is nothing that
        the world knows: a value, a random string. Only reads; what a property names and nobody finds is a difference
        (``Hand.comparing``). :raises NotFound: it is gone."""
        if type(self).show is Kind.show:
            return None
        self.show(hand)
        return {}

    def unmended(self, name: str, found: Difference) -> str | None:
        """Why no update can make a property what it was set to; None where one can."""
        return None

    def needs(self, name: str, properties: Mapping[str, Any], plan: Plan) -> Sequence[str]:
        """Names of resources that must be there first though the template does not say so; ``properties`` are raw."""
        return ()

    def validate(self, hand: Hand, properties: Mapping[str, Any]) -> None:
        """What the declarations cannot say, which properties go together; asked before anything is made, too: of
        nothing but ``properties``, the plan and the settings. :raises BadRequest:"""

    def permit(self, hand: Hand) -> None:
        """What the stack, and what is there, allow of ``hand.properties``; asked where it is made or changed.

        :raises BadRequest:
        """

    def metadata(self, hand: Hand) -> Mapping[str, Any]:
        """The metadata of the resource as clients and guests read them."""
        return dict(hand.row.metadata)

    def signal(self, hand: Hand, details: Mapping[str, Any]) -> Any:
        """:raises BadRequest: it takes no signals."""
        raise BadRequest(f"Resource {hand.row.name} is not able to receive a signal")

    def suspend(self, hand: Hand) -> None:
        """Begin to suspend it; most have nothing to suspend."""

    def resume(self, hand: Hand) -> None:
        """The reverse."""

    def snapshot(self, hand: Hand) -> Mapping[str, Any]:
        """Begin to keep what it holds, for a snapshot of the stack: what tells where (see :mod:`domain.saved`), or
        ``not_saved`` with the reason; nothing for what its properties make again. :meth:`turned` tells when it is done;
        till then ``hand.saved`` has it."""
        return {}

    def turned(self, hand: Hand, action: str) -> bool:
        """Whether suspending, resuming or the snapshot is done."""
        return True


class Served(Kind):
    """A resource of another service with the five calls of a collection: ``{single: {…}}`` bodies, ids in paths.

    ``service``, ``path``: of the collection. Properties whose name in the body differs stand in ``renamed``; those that
    belong in no body in ``apart``. ``links``: properties that may be a name where the service wants an id, by the kind
    of what they name.
    """

    adopts = True
    compares = True
    service: ClassVar[str] = "network"
    path: ClassVar[str] = ""
    single: ClassVar[str] = ""
    change_method: ClassVar[str] = "PUT"
    renamed: ClassVar[Mapping[str, str]] = {}
    apart: ClassVar[Sequence[str]] = ()
    links: ClassVar[Mapping[str, str]] = {}
    empty: ClassVar[Mapping[str, Any]] = {}
    """What a property is set to that a new template does not say any more, where that is not None."""
    stays: ClassVar[Sequence[str]] = ()
    """Properties that keep their values then: their service has no other."""
    named: ClassVar[bool] = True
    """Whether it gets a name of its own where the template gives none."""
    values_in_body: ClassVar[str] = "value_specs"

    def body(self, hand: Hand, properties: Mapping[str, Any]) -> dict[str, Any]:
        """The body's fields from property values; those that are None are left out."""
        made: dict[str, Any] = {}
        for name, value in properties.items():
            if value is None or name in self.apart:
                continue
            if name == self.values_in_body:
                made.update(value)
                continue
            if name in self.links:
                value = hand.lookup(self.links[name], value)
            made[self.renamed.get(name, name)] = value
        return made

    def nothing(self, hand: Hand, name: str) -> Any:
        """What a property is set to that a new template does not say any more."""
        return self.empty.get(name)

    def changes(self, hand: Hand, changed: Mapping[str, Any]) -> dict[str, Any]:
        """The body's fields of an update, also of properties that are said no more."""
        made = self.body(hand, changed)
        for name, value in changed.items():
            if value is not None or name not in self.properties or name in (*self.apart, *self.stays):
                continue
            unnamed = name == "name" and self.named
            made[self.renamed.get(name, name)] = hand.physical_name() if unnamed else self.nothing(hand, name)
        return made

    def create(self, hand: Hand) -> str | None:
        body = self.body(hand, hand.properties)
        if self.named and "name" in self.properties and not body.get("name"):
            body["name"] = hand.physical_name()
        made = hand.call(self.service, "POST", self.path, {self.single: body})[self.single]
        return str(made["id"])

    def change(self, hand: Hand, changed: Mapping[str, Any]) -> None:
        body = self.changes(hand, changed)
        if body:
            hand.call(self.service, self.change_method, f"{self.path}/{hand.id}", {self.single: body})

    def delete(self, hand: Hand) -> None:
        if hand.row.physical_id is None:
            return
        try:
            hand.call(self.service, "DELETE", f"{self.path}/{hand.id}")
        except NotFound:
            return

    def is_well(self, hand: Hand) -> bool:
        """One that is there keeps what refers to it, and what it holds."""
        try:
            return bool(self.show(hand).get("status") != "ERROR")
        except NotFound:
            return False

    def show(self, hand: Hand) -> Mapping[str, Any]:
        found: dict[str, Any] = hand.call(self.service, "GET", f"{self.path}/{hand.id}")[self.single]
        return found

    def differences(self, hand: Hand) -> Mapping[str, Difference] | None:
        """Every field that its creation sends and its service shows is compared."""
        return self.against(hand, self.show(hand))

    def against(self, hand: Hand, shown: Mapping[str, Any]) -> dict[str, Difference]:
        """What differs in what its service shows."""
        found = {}
        for key, value in self.body(hand, hand.properties).items():
            if key in shown and not same(value, shown[key]):
                found[self._property(hand, key)] = Difference(value, shown[key])
        return found

    def _property(self, hand: Hand, key: str) -> str:
        """The property that was set which a field of the body comes from."""
        names = [name for name, field in self.renamed.items() if field == key]
        given = [name for name in (*names, key) if hand.properties.get(name) is not None]
        return next(iter(given or names), key)

    def attribute(self, hand: Hand, name: str) -> Any:
        if name == "show":
            return self.show(hand)
        return self.show(hand).get(self.renamed.get(name, name))
