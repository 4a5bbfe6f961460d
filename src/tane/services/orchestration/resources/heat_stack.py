"""``OS::Heat::Stack``: a stack whose template is a property."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tane.services.orchestration.resources.base import SHOW
from tane.services.orchestration.resources.nested import OfStack
from tane.services.orchestration.template import TemplateError
from tane.services.orchestration.template.properties import Attribute, Property
from tane.web.errors import BadRequest, NotImplementedHere

if TYPE_CHECKING:
    from tane.services.orchestration.domain.hand import Hand
    from tane.services.orchestration.domain.plans import Source


class Stack(OfStack):
    name = "OS::Heat::Stack"
    description = "A resource that manages a stack made of a template of its own."
    hidden = False
    properties = {
        "context": Property(
            type="map",
            update="replace",
            description="Context for this stack.",
            schema={
                "region_name": Property(type="string", description="Region name in which this stack will be created."),
                "credential_secret_id": Property(type="string", description="Credentials of another cloud."),
                "ca_cert": Property(type="string", description="CA certificate of another cloud."),
                "insecure": Property(type="boolean", default=False, description="Do not verify certificates."),
            },
        ),
        "template": Property(
            type="string",
            required=True,
            update="in_place",
            description="Template that specifies the stack to be created.",
        ),
        "timeout": Property(type="integer", update="in_place", description="Number of minutes to wait."),
        "parameters": Property(
            type="map", default={}, update="in_place", description="Set of parameters passed to this stack."
        ),
    }
    attributes = {
        "stack_name": Attribute(type="string", description="Name of the stack."),
        "outputs": Attribute(type="map", description="A dict of key-value pairs output from the stack."),
        "show": SHOW,
    }

    def minutes(self, hand: Hand) -> int | None:
        given = hand.properties.get("timeout")
        return None if given is None else int(given)

    def validate(self, hand: Hand, properties: Any) -> None:
        elsewhere = properties.get("context") or {}
        if elsewhere.get("credential_secret_id"):
            raise NotImplementedHere("Stacks of other clouds (context) are not done yet.")
        region = elsewhere.get("region_name") or hand.core.config.region
        if region != hand.core.config.region:
            raise BadRequest(
                f'Cannot establish connection to Heat endpoint at region "{region}" due to "public endpoint for '
                f'orchestration service in {region} region not found"',
                type="StackValidationFailed",
            )
        from tane.services.orchestration.domain.plans import refused

        try:
            self.source(hand)
        except TemplateError as error:
            # A line would be one of the text within, and be taken for one of the template around it.
            within = refused(TemplateError(error.message, error.path)).message
            raise BadRequest(
                f'Failed validating stack template using Heat endpoint at region "{region}" due to "ERROR: {within}"',
                type="StackValidationFailed",
            ) from None

    def create(self, hand: Hand) -> str | None:
        hand.may("POST", "/stacks")
        return super().create(hand)

    def change(self, hand: Hand, changed: Mapping[str, Any]) -> None:
        hand.may("PUT", self._path(hand))
        super().change(hand, changed)

    def delete(self, hand: Hand) -> None:
        hand.may("DELETE", self._path(hand))
        super().delete(hand)

    def _path(self, hand: Hand) -> str:
        return f"/stacks/{hand.physical_name()}/{hand.row.physical_id}"

    def source(self, hand: Hand) -> Source:
        from tane.services.orchestration.domain import nested

        files = hand.plan.files if hand.plan else {}
        inner = dict((hand.stack.source or {}).get("environment") or {})
        template = nested.document_of(hand, hand.properties.get("template") or "heat_template_version: 2013-05-23")
        return nested.source_of(template, files, inner, hand.properties.get("parameters") or {})

    def attribute(self, hand: Hand, name: str) -> Any:
        from tane.services.orchestration.domain import nested, outputs

        child = nested.child_of(hand)
        if child is None:
            return None
        if name == "stack_name":
            return child.name
        if name == "outputs":
            return outputs.all_of(hand, child)
        return {"id": child.id, "stack_name": child.name, "stack_status": f"{child.action}_{child.status}"}
