"""``AWS::CloudFormation``: wait conditions whose handle is an address, and stacks in stacks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tane.services.orchestration.resources import heat_wait_condition as heat
from tane.services.orchestration.resources.base import SHOW, Kind
from tane.services.orchestration.resources.declaring import mapping, number, text
from tane.services.orchestration.resources.nested import OfStack
from tane.services.orchestration.template.properties import Attribute
from tane.web.errors import BadRequest

if TYPE_CHECKING:
    from tane.services.orchestration.domain.hand import Hand
    from tane.services.orchestration.domain.plans import Source

SIGNAL = {"Status": "status", "Reason": "reason", "UniqueId": "id", "Data": "data"}


class Handle(Kind):
    """``Ref`` gives the address that ``cfn-signal`` sends to: whoever has it may signal."""

    name = "AWS::CloudFormation::WaitConditionHandle"
    description = "AWS WaitConditionHandle resource."
    attributes = {"show": SHOW}

    def create(self, hand: Hand) -> str | None:
        hand.keep(address=hand.signal_url())
        return hand.short_name()

    def reference(self, row: Any) -> str | None:
        address = row.data.get("address")
        return None if address is None else str(address)

    def told_before(self, metadata: Mapping[str, Any]) -> dict[str, Any]:
        return heat.Handle().told_before(metadata)

    def signal(self, hand: Hand, details: Mapping[str, Any]) -> Any:
        if set(details) != set(SIGNAL):
            raise BadRequest(f"A signal has {', '.join(SIGNAL)}, and nothing else.")
        told = {SIGNAL[key]: value for key, value in details.items()}
        return heat.Handle().signal(hand, told)


class UpdateHandle(Handle):
    """Whoever signals has to do so again after each update: what waits goes on when all have the new configuration."""

    anew = True
    name = "OS::Heat::UpdateWaitConditionHandle"
    description = "WaitConditionHandle that clears signals and changes handle on update."


class WaitCondition(heat.WaitCondition):
    HANDLE, TIMEOUT, COUNT, DATA = "Handle", "Timeout", "Count", "Data"
    name = "AWS::CloudFormation::WaitCondition"
    description = "Resource for handling signals received by WaitConditionHandle."
    properties = {
        "Handle": text("A reference to the wait condition handle used to signal this wait condition.", required=True),
        "Timeout": number(
            "The number of seconds to wait for the correct number of signals to arrive.",
            low=1,
            high=43200,
            required=True,
        ),
        "Count": number(
            "The number of success signals that must be received before the stack creation process continues.",
            low=1,
            default=1,
            update="in_place",
        ),
    }
    attributes = {
        "Data": Attribute(
            type="string", description="JSON string containing data associated with wait condition signals."
        ),
        "show": SHOW,
    }


class Stack(OfStack):
    """A stack whose template the client sent: no address is fetched."""

    name = "AWS::CloudFormation::Stack"
    description = "Represents a child stack to allow composition of templates."
    hidden = False
    properties = {
        "TemplateURL": text(
            "The URL of a template that specifies the stack to be created as a resource.",
            required=True,
            update="in_place",
        ),
        "TimeoutInMinutes": number(
            "The length of time, in minutes, to wait for the nested stack creation.", update="in_place"
        ),
        "Parameters": mapping("The set of parameters passed to this nested stack.", update="in_place"),
    }
    attributes = {"show": SHOW}

    def minutes(self, hand: Hand) -> int | None:
        given = hand.properties.get("TimeoutInMinutes")
        return None if given is None else int(given)

    def validate(self, hand: Hand, properties: Mapping[str, Any]) -> None:
        address = properties.get("TemplateURL")
        if isinstance(address, str) and address not in self._files(hand):
            raise BadRequest(f"The template {address} is fetched by nobody: the client has to send it in 'files'.")

    def _files(self, hand: Hand) -> Mapping[str, Any]:
        return hand.plan.files if hand.plan is not None else {}

    def source(self, hand: Hand) -> Source:
        from tane.services.orchestration.domain import nested

        self.validate(hand, hand.properties)
        files = dict(self._files(hand))
        inner = dict((hand.stack.source or {}).get("environment") or {})
        # Of an address that is not known yet nothing can be said.
        address = hand.properties.get("TemplateURL")
        text = str(files[address]) if address else "HeatTemplateFormatVersion: 2012-12-12"
        template = nested.document_of(hand, text)
        return nested.source_of(template, files, inner, hand.properties.get("Parameters") or {})

    def knows(self, attribute: str) -> bool:
        return attribute.startswith("Outputs.")

    def attribute_at(self, hand: Hand, name: str, path: Sequence[Any]) -> Any:
        from tane.services.orchestration.domain import nested

        if name.startswith("Outputs."):
            return nested.output_of(hand, name.removeprefix("Outputs."))
        child = nested.child_of(hand)
        return None if child is None else {"id": child.id, "stack_name": child.name}
