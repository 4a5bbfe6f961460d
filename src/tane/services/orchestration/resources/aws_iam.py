"""``AWS::IAM``: users and keys by which programs of a stack's guests (cfn-init, cfn-hup) ask for its metadata and
signal its resources. They are good for nothing else, whoever makes them: Heat's stack users, no users of the cloud."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tane.services.orchestration.resources.base import Kind, kind_name
from tane.services.orchestration.resources.declaring import listing, mapping, number, one_of, shown, text
from tane.services.orchestration.template.properties import Attribute
from tane.web.errors import BadRequest, NotFound, NotImplementedHere

if TYPE_CHECKING:
    from tane.services.orchestration.domain.hand import Hand
    from tane.services.orchestration.domain.plans import Plan


class User(Kind):
    name = "AWS::IAM::User"
    description = "A user whose keys read the metadata of the stack's resources and signal them."
    properties = {
        "Path": text("Not used, as in Heat."),
        "Groups": listing("Not used, as in Heat."),
        "LoginProfile": mapping("A login profile for the user.", {"Password": text("The password.")}),
        "Policies": listing("Access policies to apply to the user."),
    }
    attributes = shown({"show": "map"})

    def needs(self, name: str, properties: Mapping[str, Any], plan: Plan) -> Sequence[str]:
        return [one for one in _policies(properties) if one in plan.resources]

    def validate(self, hand: Hand, properties: Mapping[str, Any]) -> None:
        if properties.get("LoginProfile"):
            raise NotImplementedHere("LoginProfile: users that templates make have keys (AWS::IAM::AccessKey) alone.")

    def create(self, hand: Hand) -> str | None:
        from tane.services.orchestration.domain import guests
        from tane.services.orchestration.store import resources

        policies = _policies(hand.properties)
        for one in policies:
            row = resources.named(hand.tx, hand.stack.id, one)
            if row is None or kind_name(row) != AccessPolicy.name:
                raise BadRequest(f"Policies: {one} is no {AccessPolicy.name} of this stack.")
        guests.made(hand, None, policies)
        return hand.short_name()

    def attribute(self, hand: Hand, name: str) -> Any:
        return {}


def _policies(properties: Mapping[str, Any]) -> list[str]:
    """Only names count: what Amazon's templates write out in full is ignored, as Heat does."""
    listed = properties.get("Policies")
    return [one for one in listed if isinstance(one, str)] if isinstance(listed, list) else []


class AccessKey(Kind):
    name = "AWS::IAM::AccessKey"
    description = "A pair of keys of a user of the stack."
    properties = {
        "Serial": number("Not used, as in Heat.", hidden=True),
        "UserName": text("The name of the user that the new key will belong to.", required=True),
        "Status": one_of("Not used, as in Heat.", "Active", "Inactive", hidden=True),
    }
    attributes = {
        "UserName": Attribute(type="string", description="Username associated with the AccessKey."),
        "SecretAccessKey": Attribute(type="string", description="Keypair secret key."),
        **shown({"show": "map"}),
    }

    def create(self, hand: Hand) -> str | None:
        from tane.services.identity import interface as identity
        from tane.services.orchestration.domain import guests
        from tane.services.orchestration.store import resources

        name = str(hand.properties["UserName"])
        user = resources.by_physical_id(hand.tx, hand.stack.id, name)
        if user is None or kind_name(user) != User.name or not user.data.get(guests.KEPT):
            raise NotFound(f"could not find user {name}")
        access, secret = identity.add_guest_keys(hand.tx, user.id, hand.stack.project_id)
        hand.keep(secret=secret)
        return access

    def delete(self, hand: Hand) -> None:
        from tane.services.identity import interface as identity

        if hand.row.physical_id is not None:
            identity.remove_guest_keys(hand.tx, str(hand.row.physical_id))

    def attribute(self, hand: Hand, name: str) -> Any:
        return {"UserName": hand.properties.get("UserName"), "SecretAccessKey": hand.row.data.get("secret")}.get(
            name, {}
        )


class AccessPolicy(Kind):
    name = "OS::Heat::AccessPolicy"
    description = "Which resources of the stack a user of it (AWS::IAM::User) may ask for."
    properties = {
        "AllowedResources": listing(
            "Resources that users are allowed to access by the DescribeStackResource API.", required=True
        ),
    }
    attributes = shown({"show": "map"})

    def validate(self, hand: Hand, properties: Mapping[str, Any]) -> None:
        for one in properties.get("AllowedResources") or []:
            if hand.plan is not None and (not isinstance(one, str) or one not in hand.plan.resources):
                raise BadRequest(f"AccessPolicy resource {one} not in stack", type="StackValidationFailed")

    def attribute(self, hand: Hand, name: str) -> Any:
        return {}
