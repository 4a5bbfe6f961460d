"""``OS::Keystone::Project``, ``User``, ``Group``, ``Role``, ``Domain``, ``Service``, ``Endpoint``, ``Region``, and role
assignments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from tane.services.orchestration.resources import heirs
from tane.services.orchestration.resources.base import Kind, Served
from tane.services.orchestration.resources.declaring import flag, listing, names, one_of, shown, text
from tane.web.errors import NotFound
from tane.web.inside import part

if TYPE_CHECKING:
    from tane.services.orchestration.domain.hand import Hand

DOMAIN = names("keystone.domain", "Name or id of keystone domain.", default="default")
ROLES = listing(
    "List of role assignments.",
    {
        "role": names("keystone.role", "Keystone role.", required=True),
        "project": names("keystone.project", "Keystone project."),
        "domain": names("keystone.domain", "Keystone domain."),
    },
    update="in_place",
)


class Keystone(Served):
    service = "identity"
    change_method = "PATCH"
    links: ClassVar[Mapping[str, str]] = {
        "domain": "keystone.domain",
        "parent": "keystone.project",
        "default_project": "keystone.project",
        "service": "keystone.service",
    }
    renamed: ClassVar[Mapping[str, str]] = {
        "domain": "domain_id",
        "parent": "parent_id",
        "default_project": "default_project_id",
        "service": "service_id",
        "region": "region_id",
    }


class Project(Keystone):
    name = "OS::Keystone::Project"
    description = "Heat Template Resource for Keystone Project."
    path, single = "/v3/projects", "project"
    properties = {
        "name": text("Name of keystone project.", update="in_place"),
        "domain": DOMAIN,
        "description": text("Description of keystone project.", default="", update="in_place"),
        "enabled": flag("This project is enabled or disabled.", default=True, update="in_place"),
        "parent": names("keystone.project", "The name or ID of parent of this keystone project in hierarchy."),
        "tags": listing("A list of tags for labeling and sorting projects.", default=[], update="in_place"),
    }
    attributes = shown(
        {"name": "string", "parent_id": "string", "domain_id": "string", "enabled": "boolean", "is_domain": "boolean"}
    )


class Assigned(Keystone):
    """Users and groups, which may come with roles."""

    many: ClassVar[str] = "users"
    apart = ("roles", "groups")

    def create(self, hand: Hand) -> str | None:
        made = str(super().create(hand))
        for one in hand.properties.get("roles") or []:
            assign(hand, "PUT", self.many, made, one)
        for one in hand.properties.get("groups") or []:
            hand.call("identity", "PUT", f"/v3/groups/{hand.lookup('keystone.group', one)}/users/{made}")
        return made

    def change(self, hand: Hand, changed: Mapping[str, Any]) -> None:
        super().change(hand, changed)
        who = str(hand.row.physical_id)
        if "roles" in changed:
            before, after = hand.row.properties.get("roles") or [], changed["roles"] or []
            for one in before:
                if one not in after:
                    assign(hand, "DELETE", self.many, who, one)
            for one in after:
                if one not in before:
                    assign(hand, "PUT", self.many, who, one)
        if "groups" in changed:
            before, after = hand.row.properties.get("groups") or [], changed["groups"] or []
            for method, groups in (("DELETE", set(before) - set(after)), ("PUT", set(after) - set(before))):
                for one in sorted(groups):
                    group = hand.lookup("keystone.group", one)
                    hand.call("identity", method, f"/v3/groups/{group}/users/{who}")


def assign(hand: Hand, method: str, many: str, who: str, one: Mapping[str, Any]) -> None:
    """Give, or take, a role on a project or a domain."""
    role = hand.lookup("keystone.role", one["role"])
    if one.get("project"):
        where = f"projects/{hand.lookup('keystone.project', one['project'])}"
    else:
        where = f"domains/{hand.lookup('keystone.domain', one.get('domain') or 'default')}"
    hand.call("identity", method, f"/v3/{where}/{many}/{part(who)}/roles/{role}")


class User(Assigned):
    name = "OS::Keystone::User"
    description = "Heat Template Resource for Keystone User."
    path, single = "/v3/users", "user"
    stays = ("password",)
    properties = {
        "name": text("Name of keystone user.", update="in_place"),
        "domain": DOMAIN,
        "description": text("Description of keystone user.", default="", update="in_place"),
        "enabled": flag("Keystone user is enabled or disabled.", default=True, update="in_place"),
        "email": text("Email address of keystone user.", update="in_place"),
        "password": text("Password of keystone user.", update="in_place"),
        "default_project": names("keystone.project", "Default project of keystone user.", update="in_place"),
        "roles": ROLES,
        "groups": listing("Keystone user groups.", names("keystone.group", "Keystone user group."), update="in_place"),
    }
    attributes = shown(
        {
            "name": "string",
            "default_project_id": "string",
            "domain_id": "string",
            "enabled": "boolean",
            "password_expires_at": "string",
        }
    )


class Group(Assigned):
    name = "OS::Keystone::Group"
    description = "Heat Template Resource for Keystone Group."
    path, single, many = "/v3/groups", "group", "groups"
    properties = {
        "name": text("Name of keystone group.", update="in_place"),
        "domain": DOMAIN,
        "description": text("Description of keystone group.", default="", update="in_place"),
        "roles": ROLES,
    }


class Role(Keystone):
    name = "OS::Keystone::Role"
    description = "Heat Template Resource for Keystone Role."
    path, single = "/v3/roles", "role"
    properties = {
        "name": text("Name of keystone role.", update="in_place"),
        "domain": names("keystone.domain", "Name or id of keystone domain."),
    }


class Domain(Keystone):
    name = "OS::Keystone::Domain"
    description = "Heat Template Resource for Keystone Domain."
    path, single = "/v3/domains", "domain"
    properties = {
        "name": text("The name of the domain.", update="in_place"),
        "description": text("Description of keystone domain.", update="in_place"),
        "enabled": flag("This domain is enabled or disabled.", default=True, update="in_place"),
    }

    def delete(self, hand: Hand) -> None:
        """A domain is disabled before it goes."""
        if hand.row.physical_id is None:
            return
        try:
            hand.call("identity", "PATCH", f"{self.path}/{hand.id}", {"domain": {"enabled": False}})
        except NotFound:
            return
        super().delete(hand)


class Region(Keystone):
    name = "OS::Keystone::Region"
    description = "Heat Template Resource for Keystone Region."
    path, single, named = "/v3/regions", "region", False
    renamed = {"parent_region": "parent_region_id"}
    properties = {
        "id": text("The user-defined region ID and should unique to the OpenStack deployment."),
        "parent_region": names(
            "keystone.region", "If the region is hierarchically a child of another region, its ID.", update="in_place"
        ),
        "description": text("Description of keystone region.", update="in_place"),
        "enabled": flag("This region is enabled or disabled.", default=True, update="in_place"),
    }


class Service(Keystone):
    name = "OS::Keystone::Service"
    description = "Heat Template Resource for Keystone Service."
    path, single = "/v3/services", "service"
    properties = {
        "name": text("Name of keystone service.", update="in_place"),
        "description": text("Description of keystone service.", update="in_place"),
        "type": text("Type of keystone Service.", required=True, update="in_place"),
        "enabled": flag("This service is enabled or disabled.", default=True, update="in_place"),
    }


class Endpoint(Keystone):
    name = "OS::Keystone::Endpoint"
    description = "Heat Template Resource for Keystone Service Endpoint."
    path, single = "/v3/endpoints", "endpoint"
    properties = {
        "name": text("Name of keystone endpoint.", update="in_place"),
        "region": names("keystone.region", "Name or Id of keystone region.", update="in_place"),
        "service": names("keystone.service", "Name or Id of keystone service.", required=True, update="in_place"),
        "url": text("URL of keystone service endpoint.", required=True, update="in_place"),
        "interface": one_of(
            "Interface type of keystone service endpoint.",
            "public",
            "internal",
            "admin",
            required=True,
            update="in_place",
        ),
        "enabled": flag("This endpoint is enabled or disabled.", default=True, update="in_place"),
    }


class Assignment(Kind):
    """Roles of somebody who is there already."""

    who: ClassVar[str] = ""
    many: ClassVar[str] = ""

    def create(self, hand: Hand) -> str | None:
        someone = hand.lookup(f"keystone.{self.who}", hand.properties[self.who])
        for one in hand.properties.get("roles") or []:
            assign(hand, "PUT", self.many, someone, one)
        hand.keep(who=someone)
        return hand.short_name()

    def change(self, hand: Hand, changed: Mapping[str, Any]) -> None:
        someone = str(hand.row.data["who"])
        before, after = hand.row.properties.get("roles") or [], hand.properties.get("roles") or []
        for method, given, other in (("DELETE", before, after), ("PUT", after, before)):
            for one in given:
                if one not in other:
                    assign(hand, method, self.many, someone, one)

    def delete(self, hand: Hand) -> None:
        for one in hand.row.properties.get("roles") or []:
            if "who" in hand.row.data:
                try:
                    assign(hand, "DELETE", self.many, str(hand.row.data["who"]), one)
                except NotFound:
                    continue
        for heir in heirs.of(hand):
            for one in heir.properties.get("roles") or [] if heir.data.get("who") == hand.row.data.get("who") else ():
                assign(hand, "PUT", self.many, str(heir.data["who"]), one)


class UserRoleAssignment(Assignment):
    name = "OS::Keystone::UserRoleAssignment"
    description = "Resource for granting roles to a user."
    who, many = "user", "users"
    properties = {"user": names("keystone.user", "Name or id of keystone user.", required=True), "roles": ROLES}


class GroupRoleAssignment(Assignment):
    name = "OS::Keystone::GroupRoleAssignment"
    description = "Resource for granting roles to a group."
    who, many = "group", "groups"
    properties = {"group": names("keystone.group", "Name or id of keystone group.", required=True), "roles": ROLES}
